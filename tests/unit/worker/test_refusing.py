"""Content that is not accepted: a line in the log, an event, a dead letter and a result, and nothing else happens."""

from __future__ import annotations

import pickle
import uuid
from types import SimpleNamespace

import pytest
from kombu import Producer
from redis import Redis

from celeriac.app.base import Celery
from celeriac.app.dead_letters import DeadLetters
from celeriac.app.json_serializer import JsonSerializer
from celeriac.exceptions import ContentDisallowed, ProtocolError

PICKLED = "application/x-python-serialize"


class Upper(JsonSerializer):
    """JSON of another content type."""

    name = "upper"
    content_type = "application/x-upper"

    def dumps(self, value):
        return super().dumps(value).upper()

    def loads(self, data):
        return super().loads(data.lower())


@pytest.fixture
def app():
    url = f"memory://{uuid.uuid4()}"
    with Celery("proj", broker=url, backend=url, set_as_current=False) as app:
        app.conf.worker_send_task_events = True
        app.conf.control_queue_expires = 10
        app.plugins.register_driver("serializer", "upper", Upper)

        @app.task(name="proj.add", shared=False)
        def add(a, b):
            return a + b

        yield app


@pytest.fixture
def bomb(monkeypatch):
    """A pickle that must not be read."""
    monkeypatch.setattr(pickle, "loads", lambda *_: pytest.fail("it was read"))
    monkeypatch.setattr("celeriac_pickle.names.loads", lambda *_: pytest.fail("it was read"))
    return b"cos\nsystem\n(S'false'\ntR."


def test_a_task_is_refused_with_its_sender_and_kept(app, start_worker, wait_until, caplog, bomb):
    # Given a worker, and somebody who watches
    start_worker(app)
    queue = app.conf.task_default_queue
    with app.connection_for_write() as connection:
        channel = connection.channel()
        receiver = app.events.Receiver(connection, node_id="me")
        watched = receiver.queue(channel)
        watched.declare()

        # When a pickle comes
        headers = {"task": "proj.add", "id": "1", "origin": "gen7@elsewhere"}
        Producer(channel).publish(
            bomb,
            routing_key=app.conf.task_default_queue,
            headers=headers,
            content_type=PICKLED,
            content_encoding="binary",
        )
        wait_until(lambda: DeadLetters(app).counts([queue]) == {queue: 1}, timeout=10)

        # Then the log tells of it, whoever waits is told, those who watch are, and the message is kept
        assert "refused as invalid: content of type 'application/x-python-serialize' is refused" in caplog.text
        assert "(sent by gen7@elsewhere, content type application/x-python-serialize)" in caplog.text
        with pytest.raises(ContentDisallowed, match="accept_content does not name 'pickle'"):
            app.AsyncResult("1").get(timeout=10)
        seen = []
        wait_until(lambda: failed_in(watched, receiver, seen), timeout=10)
        assert "ContentDisallowed" in seen[-1]["exception"]
        [letter] = DeadLetters(app).show(queue)
        assert (letter.task_id, letter.reason) == ("1", "invalid")

    # And the worker goes on
    assert app.send_task("proj.add", (1, 2)).get(timeout=10) == 3


def failed_in(queue, receiver, seen):
    while (message := queue.get(no_ack=True)) is not None:
        seen += [event for kind, event in receiver.events_in(message) if kind == "task-failed"]
    return bool(seen)


def test_a_command_is_refused_and_the_worker_goes_on(app, start_worker, wait_until, caplog, bomb):
    start_worker(app, hostname="w@host")
    with app.connection_for_write() as connection:
        exchange = app.control.mailbox.exchange
        Producer(connection.channel()).publish(
            bomb,
            exchange=exchange.name,
            content_type=PICKLED,
            content_encoding="binary",
            headers={"origin": "gen7@elsewhere"},
        )
    wait_until(lambda: "A message of remote control is refused, and dropped" in caplog.text, timeout=10)
    assert "sent by gen7@elsewhere, content type application/x-python-serialize" in caplog.text
    assert app.control.ping(timeout=2, destination=["w@host"]) == [{"w@host": {"ok": "pong"}}]


def test_an_answer_is_refused_and_the_others_are_heard(app, start_worker, caplog, bomb):
    start_worker(app, hostname="w@host")
    with app.connection_for_write() as connection:
        mailbox = app.control.mailbox(connection)
        mailbox.reply_queue(connection.channel()).declare()
        Producer(connection.channel()).publish(
            bomb,
            exchange=mailbox.reply_exchange.name,
            routing_key=mailbox.oid,
            content_type=PICKLED,
            content_encoding="binary",
        )
        assert mailbox.call(["w@host"], "ping", timeout=2) == [{"w@host": {"ok": "pong"}}]
    assert "A message of remote control is refused, and dropped" in caplog.text


def test_an_answer_that_is_no_map_is_dropped_and_the_others_are_heard(app, start_worker, caplog):
    start_worker(app, hostname="w@host")
    with app.connection_for_write() as connection:
        mailbox = app.control.mailbox(connection)
        mailbox.reply_queue(connection.channel()).declare()
        for body in (b"7", b'["w@host"]', b"null"):
            Producer(connection.channel()).publish(
                body,
                exchange=mailbox.reply_exchange.name,
                routing_key=mailbox.oid,
                content_type="application/json",
                content_encoding="utf-8",
            )
        assert mailbox.call(["w@host"], "ping", timeout=2) == [{"w@host": {"ok": "pong"}}]
    assert "an answer is a map by node, not int 7" in caplog.text


def test_an_event_is_refused_and_told_of(app, caplog, bomb):
    with app.connection_for_write() as connection:
        receiver = app.events.Receiver(connection, node_id="me")
        queue = receiver.queue(connection.channel())
        queue.declare()
        Producer(connection.channel()).publish(
            bomb,
            exchange=receiver.exchange.name,
            routing_key="task.multi",
            content_type=PICKLED,
            content_encoding="binary",
            headers={"hostname": "w@elsewhere"},
        )
        assert list(receiver.events_in(queue.get(no_ack=True))) == []
    assert "A message of w@elsewhere that is no event is dropped: content of type" in caplog.text


def test_what_cannot_be_decompressed_stops_nobody(app, start_worker, wait_until, caplog):
    start_worker(app, hostname="w@host")
    damaged = {
        "content_type": "application/json",
        "content_encoding": "utf-8",
        "headers": {"compression": "application/x-gzip", "origin": "gen7@elsewhere", "hostname": "w@elsewhere"},
    }
    with app.connection_for_write() as connection:
        producer = Producer(connection.channel())
        producer.publish(b"junk", exchange=app.control.mailbox.exchange.name, **damaged)
        producer.publish(b"junk", exchange=app.conf.event_exchange, routing_key="worker.heartbeat", **damaged)
    wait_until(lambda: "A message of remote control is refused, and dropped: the body cannot" in caplog.text)
    wait_until(lambda: "A message of w@elsewhere that is no event is dropped: the body cannot" in caplog.text)
    assert app.control.ping(timeout=2, destination=["w@host"]) == [{"w@host": {"ok": "pong"}}]


def test_an_event_may_be_compressed(app):
    with app.connection_for_write() as connection:
        receiver = app.events.Receiver(connection, node_id="me")
        queue = receiver.queue(connection.channel())
        queue.declare()
        Producer(connection.channel()).publish(
            {"type": "custom"}, exchange=receiver.exchange.name, routing_key="custom", compression="gzip"
        )
        [(kind, _)] = receiver.events_in(queue.get(no_ack=True))
    assert kind == "custom"


def test_a_result_is_refused_to_whoever_waits_by_the_name_of_the_setting(app):
    kind, _, data = app.serializers.encode([1], "upper")
    with pytest.raises(ContentDisallowed, match="the setting accept_content does not name 'application/x-upper'"):
        app.serializers.decode_result(data, kind)
    app.conf.result_accept_content = ["json"]
    del app.serializers
    with pytest.raises(ContentDisallowed, match=r"the setting result_accept_content .* write to this result store"):
        app.serializers.decode_result(data, kind)


def test_commands_answers_and_tasks_all_use_the_serializer_of_the_settings(app, start_worker):
    app.conf.update(task_serializer="upper", accept_content=["upper"])
    start_worker(app, hostname="W@HOST")
    assert app.control.ping(timeout=2, destination=["w@host"]) is not None
    assert app.send_task("proj.add", (1, 2)).id


def test_a_refusal_is_also_an_error_of_kombu(app):
    from kombu.exceptions import ContentDisallowed as KombuContentDisallowed

    with pytest.raises(KombuContentDisallowed):
        app.serializers.decode(b"", PICKLED)


@pytest.fixture(params=["memory", "sqlite", "redis", "rabbitmq"])
def make_one(request, service, tmp_path):
    """Return ``make_one(name, **settings)``: an app of one fleet, on each broker with a store."""
    place = f"refusing-{uuid.uuid4().hex}"
    file = f"sqlite:///{tmp_path}/queue.db"
    urls = {"memory": f"memory://{place}", "sqlite": file}
    url = urls.get(request.param) or service(request.param)
    apps = []

    def make(name, **settings):
        app = Celery(name, broker=url, backend=file if request.param == "rabbitmq" else url, set_as_current=False)
        if request.param == "redis":
            app.conf.broker_transport_options = {"global_keyprefix": f"{place}:"}
            app.conf.result_backend_transport_options = {"global_keyprefix": f"{place}:"}
        app.conf.update(
            worker_send_task_events=True,
            task_default_queue=place,
            control_exchange=f"{place}.control",
            event_exchange=f"{place}.events",
            event_queue_prefix=f"{place}.events",
            **settings,
        )
        apps.append(app)
        return app

    yield make
    if request.param == "redis":
        with Redis.from_url(url) as server:
            for key in server.scan_iter(f"{place}:*", count=1000):
                server.delete(key)
    if request.param == "rabbitmq":
        with apps[0].connection_for_write() as connection:
            for name in (place, f"{place}.dlq"):
                connection.default_channel.queue_delete(name)
    for app in apps:
        app.close()


def test_on_each_broker_tasks_commands_and_events_are_refused_and_the_worker_goes_on(
    make_one, start_worker, wait_until, caplog
):
    # Given a worker that reads JSON, and somebody who writes pickles
    app = make_one("proj")
    other = make_one("other", task_serializer="pickle", event_serializer="pickle", accept_content=["json", "pickle"])

    @app.task(name="proj.add", shared=False)
    def add(a, b):
        return a + b

    start_worker(app, hostname="w@host", without_mingle=True)
    queue = app.conf.task_default_queue

    # When these come as a task, a command and an event
    sent = other.send_task("proj.add", ({1}, {2}))
    other.control.revoke("x")
    with other.events.default_dispatcher() as dispatcher:
        dispatcher.send("worker-heartbeat", hostname="w@elsewhere", freq=2.0)

    # Then the log tells of each, with its sender and content type, and the task is a dead letter
    kind = "content of type 'application/x-python-serialize' is refused"
    for said in (
        f"refused as invalid: {kind}",
        f"A message of remote control is refused, and dropped: {kind}",
        f"that is no event is dropped: {kind}",
    ):
        wait_until(lambda said=said: said in caplog.text, timeout=15, message=said)
    with pytest.raises(ContentDisallowed, match="accept_content does not name 'pickle'"):
        app.AsyncResult(sent.id).get(timeout=10)
    wait_until(lambda: DeadLetters(app).counts([queue]) == {queue: 1}, timeout=10)

    # And the worker goes on
    assert app.send_task("proj.add", (1, 2)).get(timeout=10) == 3
    assert app.control.ping(timeout=5, limit=1) == [{"w@host": {"ok": "pong"}}]
    DeadLetters(app).purge(queue)


def test_a_pickled_result_is_refused_with_a_clear_error(make_one, bomb):
    # Given a result that somebody has written in what is not accepted
    app = make_one("proj")
    writer = make_one("writer", result_serializer="pickle", accept_content=["pickle"])
    writer.results.store_state("1", "SUCCESS", {1, 2})
    # Then whoever asks is told what is wrong
    if app.conf.result_backend.startswith("redis"):  # which keeps the bytes alone: they are read as what is expected
        with pytest.raises(ProtocolError, match="not JSON"):
            app.AsyncResult("1").get(timeout=10)
        app.conf.result_serializer = "pickle"
    with pytest.raises(ContentDisallowed, match="accept_content does not name 'pickle'"):
        app.AsyncResult("1").get(timeout=10)


def test_pickled_events_are_refused_though_events_are_written_so(app, caplog, bomb):
    app.conf.event_serializer = "pickle"
    with app.connection_for_write() as connection:
        receiver = app.events.Receiver(connection, node_id="me")
        told = SimpleNamespace(body=bomb, content_type=PICKLED, headers={"hostname": "w@elsewhere"}, errors=[])
        assert list(receiver.events_in(told)) == []
        assert "A message of w@elsewhere that is no event is dropped: content of type" in caplog.text
        app.conf.accept_content = ["json", "pickle"]
        app.serializers.accept_anew()
        assert "pickle" in app.events.Receiver(connection).accept
