"""Content that is not accepted: a line in the log, an event, a dead letter and a result, and nothing else happens."""

from __future__ import annotations

import pickle
import uuid

import pytest
from kombu import Producer

from celeriac.app.base import Celery
from celeriac.app.dead_letters import DeadLetters
from celeriac.app.json_serializer import JsonSerializer
from celeriac.exceptions import ContentDisallowed

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
    with app.connection_for_write() as connection:
        channel = connection.channel()
        receiver = app.events.Receiver(connection, node_id="me")
        watched = receiver.queue(channel)
        watched.declare()

        # When a pickle comes
        headers = {"task": "proj.add", "id": "1", "origin": "gen7@elsewhere"}
        Producer(channel).publish(
            bomb, routing_key="celery", headers=headers, content_type=PICKLED, content_encoding="binary"
        )
        wait_until(lambda: DeadLetters(app).counts(["celery"]) == {"celery": 1}, timeout=10)

        # Then the log tells of it, whoever waits is told, those who watch are, and the message is kept
        assert "refused as invalid: content of type 'application/x-python-serialize' is refused" in caplog.text
        assert "(sent by gen7@elsewhere, content type application/x-python-serialize)" in caplog.text
        with pytest.raises(ContentDisallowed, match="accept_content does not name 'pickle'"):
            app.AsyncResult("1").get(timeout=10)
        seen = []
        wait_until(lambda: failed_in(watched, receiver, seen), timeout=10)
        assert "ContentDisallowed" in seen[-1]["exception"]
        [letter] = DeadLetters(app).show("celery")
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
