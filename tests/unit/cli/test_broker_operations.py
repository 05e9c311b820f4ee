"""``celeriac amqp``, ``list bindings`` and ``migrate``: what is done to brokers."""

from __future__ import annotations

import io
import json
import signal
import sys
import uuid

import pytest
from kombu.exceptions import OperationalError
from kombu.transport import pyamqp

from celeriac.app import migrating
from celeriac.app.base import Celery
from celeriac.app.lanes import KombuProducerLane


@pytest.fixture(params=["memory", "sqlite", "redis", "rabbitmq"])
def app(request, tmp_path):
    """An app on each kind of broker."""
    url = {"memory": f"memory://{uuid.uuid4().hex}", "sqlite": f"sqlite:///{tmp_path}/queue.db"}.get(request.param)
    app = Celery("proj", broker=url or request.getfixturevalue(f"{request.param}_url"), set_as_current=False)
    if request.param == "rabbitmq" and "amqp" not in app.plugins.driver_names("broker"):
        app.plugins.register_driver("broker", "amqp", pyamqp.Transport)
    app.conf.task_default_queue = f"cli-{uuid.uuid4().hex}"
    yield app
    with app.connection_for_write() as connection:
        queue = app.amqp.queues[app.conf.task_default_queue](connection.default_channel)
        queue.declare()
        queue.delete()
        queue.exchange(connection.default_channel).delete()
    app.close()


@pytest.fixture
def memory_app():
    app = Celery("proj", broker=f"memory://{uuid.uuid4().hex}", set_as_current=False)
    yield app
    app.close()


@pytest.fixture
def amqp(celeriac, app):
    """Return ``amqp(*words)``: what is printed, where all goes well."""

    def call(*words):
        code, output, errors = celeriac("amqp", *words, app=app)
        assert code == 0, errors
        return output.rstrip("\n")

    return call


# -- amqp --------------------------------------------------------------------------------------------------------------


@pytest.mark.covers(
    "cli.amqp",
    "cli.amqp exchange.declare",
    "cli.amqp exchange.declare.exchange",
    "cli.amqp exchange.declare.type",
    "cli.amqp exchange.declare.passive",
    "cli.amqp exchange.declare.durable",
    "cli.amqp exchange.declare.auto_delete",
    "cli.amqp exchange.delete",
    "cli.amqp exchange.delete.exchange",
    "cli.amqp exchange.delete.if_unused",
    "cli.amqp queue.bind",
    "cli.amqp queue.bind.queue",
    "cli.amqp queue.bind.exchange",
    "cli.amqp queue.bind.routing_key",
    "cli.amqp queue.declare",
    "cli.amqp queue.declare.queue",
    "cli.amqp queue.declare.passive",
    "cli.amqp queue.declare.durable",
    "cli.amqp queue.declare.auto_delete",
    "cli.amqp queue.delete",
    "cli.amqp queue.delete.queue",
    "cli.amqp queue.delete.if_unused",
    "cli.amqp queue.delete.if_empty",
    "cli.amqp queue.purge",
    "cli.amqp queue.purge.queue",
    "cli.amqp basic.get",
    "cli.amqp basic.get.queue",
    "cli.amqp basic.get.no_ack",
    "cli.amqp basic.publish",
    "cli.amqp basic.publish.msg",
    "cli.amqp basic.publish.exchange",
    "cli.amqp basic.publish.routing_key",
    "cli.amqp basic.publish.mandatory",
    "cli.amqp basic.publish.immediate",
)
def test_a_message_goes_through_an_exchange_into_a_queue_and_out(celeriac, amqp, app):
    name = app.conf.task_default_queue

    assert amqp("exchange.declare", name, "direct", "no", "yes", "no") == "ok."
    assert amqp("queue.declare", name, "no", "yes", "no") == f"queue {name}: 0 messages, 0 consumers"
    if app.broker_uri().startswith("redis"):  # Kombu's transport knows only the exchanges of the same connection
        code, _, errors = celeriac("amqp", "queue.bind", name, name, "key", app=app)
        assert (code, "must be declared at the same prompt" in errors) == (1, True)
        assert amqp("basic.publish", "hello", "", name, "no", "no") == "ok."
    else:
        assert amqp("queue.bind", name, name, "key") == "ok."
        assert amqp("basic.publish", "hello", name, "key", "no", "no") == "ok."

    assert json.loads(amqp("queue.declare", name, "yes", "yes", "--json"))["messages"] == 1
    # What is not acked goes back
    assert json.loads(amqp("basic.get", name, "--json"))["body"] == "hello"
    assert "body: hello\n" in amqp("basic.get", name, "yes")
    assert amqp("basic.get", name) == "empty."

    assert amqp("basic.publish", "again", "", name) == "ok."
    assert json.loads(amqp("queue.purge", name, "--json")) == {"removed": 1}
    assert amqp("queue.delete", name, "no", "no") == "ok."
    assert amqp("exchange.delete", name, "no") == "ok."


def test_what_the_broker_refuses_is_told_in_a_line(celeriac, app):
    code, _, errors = celeriac("amqp", "queue.declare", "cli-not-there", "yes", app=app)

    assert code == 1
    assert errors.startswith("Error: the broker refuses: ")
    assert len(errors.splitlines()) == 1


@pytest.mark.covers("cli.amqp repl", "cli.amqp basic.ack", "cli.amqp basic.ack.delivery_tag")
def test_at_the_prompt_a_message_is_got_and_acked_on_one_channel(celeriac, memory_app, monkeypatch):
    class Typing(io.StringIO):
        """Acks the tag that was shown last."""

        def readline(self, *_):
            line = super().readline()
            if "TAG" in line:
                shown = sys.stdout.getvalue()
                line = line.replace("TAG", shown.rpartition("delivery_tag: ")[2].split()[0])
            return line

    lines = ["queue.declare q", 'basic.publish "two words" "" q', "basic.get q", "basic.ack TAG", "basic.get q"]
    lines += ["basic.ack 99", "queue.declare", "nonsense", "help", "", 'a"', "exit"]
    output = io.StringIO()
    monkeypatch.setattr(sys, "stdin", Typing("\n".join([*lines, ""])))
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setattr("builtins.input", lambda prompt: output.write(prompt) and _line(sys.stdin))

    code, _, errors = celeriac("amqp", "repl", app=memory_app)

    shown = output.getvalue()
    assert code == 0
    assert "body: two words" in shown
    assert shown.count("empty.") == 1
    assert "no message with the delivery_tag '99' was got here" in errors
    assert "Missing argument 'QUEUE'" in errors
    assert "there is no command 'nonsense'" in errors
    assert "No closing quotation" in errors
    assert "basic.ack  basic.get" in shown


def _line(file):
    line = file.readline()
    if not line:
        raise EOFError
    return line.rstrip("\n")


# -- list bindings -----------------------------------------------------------------------------------------------------


@pytest.mark.covers("cli.list", "cli.list bindings")
def test_bindings_are_listed_with_those_of_the_app_among_them(celeriac, app):
    name = app.conf.task_default_queue

    code, output, _ = celeriac("list", "bindings", "--json", app=app)
    assert code == 0
    assert {"destination": name, "source": name, "routing_key": name} in json.loads(output)

    code, output, _ = celeriac("list", "bindings", app=app)
    assert output.splitlines()[0].split() == ["queue", "exchange", "routing", "key"]
    assert [name, name, name] in [line.split() for line in output.splitlines()]


# -- migrate -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def destination(tmp_path):
    return f"sqlite:///{tmp_path}/other.db"


@pytest.mark.covers(
    "cli.migrate",
    "cli.migrate.source",
    "cli.migrate.destination",
    "cli.migrate.--ack-messages",
    "cli.migrate.--timeout",
)
def test_messages_are_moved_in_order_with_all_that_they_have(celeriac, app, destination, put, taken):
    queue = app.conf.task_default_queue
    ids = put(app, queue, "a", "b", "c", headers={"mine": 1}, priority=3)

    code, output, errors = celeriac("migrate", app.broker_url(), destination, "-a", "-t", "0.1", "--json", app=app)

    assert code == 0, errors
    assert json.loads(output) == {"sent": {queue: 3}, "passed_over": 0}
    assert taken(app, queue) == []
    found = taken(app, queue, destination)
    assert [message.headers["id"] for message in found] == ids
    assert [message.headers["mine"] for message in found] == [1, 1, 1]
    assert [message.properties["correlation_id"] for message in found] == ids


@pytest.mark.covers("cli.migrate.--limit", "cli.migrate.--tasks", "cli.migrate.--queues")
def test_without_ack_messages_are_copied_and_some_may_be_chosen(celeriac, app, destination, put, taken):
    queue = app.conf.task_default_queue
    ids = put(app, queue, "a", "b", "a", "a")

    code, output, _ = celeriac(
        *("migrate", app.broker_url(), destination, "--timeout", "0.1"),
        *("--tasks", "a,x", "--limit", "2", "--queues", queue),
        app=app,
    )

    assert code == 0
    assert output.startswith("2 messages copied from ")
    assert [message.headers["id"] for message in taken(app, queue, destination)] == [ids[0], ids[2]]
    left = [message.headers["id"] for message in taken(app, queue)]
    # Kombu's transport for Redis puts what goes back behind what is there
    if app.broker_uri().startswith("redis"):
        assert sorted(left) == sorted(ids)
    else:
        assert left == ids


@pytest.mark.covers("cli.migrate.--forever")
def test_it_may_go_on_until_it_is_ended(spawn, tmp_path, put, taken, wait_until, destination):
    source = f"sqlite:///{tmp_path}/source.db"
    app = Celery("proj", broker=source, set_as_current=False)
    command = [sys.executable, "-m", "celeriac", "-b", source, "migrate", source, destination, "--forever", "-a"]
    process = spawn(*command, "-Q", "q")
    put(app, "q", "first")
    wait_until(lambda: taken(app, "q", destination), message="the first arrives")
    put(app, "q", "second")
    wait_until(lambda: taken(app, "q", destination), message="the second arrives")

    process.signal(15)

    assert process.wait() == 0
    assert "2 messages moved" in process.output()
    app.close()


@pytest.mark.parametrize(("words", "kept"), [(["-a"], 150), ([], 250)])
def test_one_that_is_interrupted_ends_when_those_have_arrived_that_are_on_their_way(
    celeriac, memory_app, destination, put, taken, monkeypatch, words, kept
):
    ids = put(memory_app, "celery", *["t"] * 250)
    publish = migrating._NamedLane.publish

    def publish_and_be_interrupted(lane, messages):
        publish(lane, messages)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(migrating._NamedLane, "publish", publish_and_be_interrupted)
    before = signal.getsignal(signal.SIGINT)

    code, output, errors = celeriac("migrate", memory_app.broker_url(), destination, *words, app=memory_app)

    assert code == 130
    assert output.startswith("100 messages ")
    assert errors.startswith("interrupted: ")
    assert [message.headers["id"] for message in taken(memory_app, "celery", destination)] == ids[:100]
    assert [message.headers["id"] for message in taken(memory_app, "celery")] == ids[250 - kept :]
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("which", ["source", "destination"])
def test_a_broker_that_goes_away_half_way_is_named_and_nothing_is_lost(
    celeriac, app, destination, put, taken, monkeypatch, which
):
    queue = app.conf.task_default_queue
    ids = put(app, queue, *"abc")
    failing = (migrating, "_taken") if which == "source" else (KombuProducerLane, "publish")
    monkeypatch.setattr(migrating, "_lane_to", lambda app, url: KombuProducerLane(app.connection_for_write(url)))
    with monkeypatch.context() as patch:
        patch.setattr(*failing, lambda *_: _lose_connection())
        code, _, errors = celeriac("migrate", app.broker_url(), destination, "-a", app=app)

    assert code == 1
    named = destination if which == "destination" else app.broker_uri()
    assert errors.startswith(f"Error: cannot reach the broker {named}: connection reset\n")
    assert sorted(message.headers["id"] for message in taken(app, queue)) == sorted(ids)


def _lose_connection():
    raise OperationalError("connection reset")


def test_two_times_the_same_broker_is_refused(celeriac, memory_app):
    code, _, errors = celeriac("migrate", "memory://x", "memory://x", app=memory_app)

    assert code == 2
    assert "the same broker" in errors
