"""Remote control from the side of whoever commands: what is sent, to whom, and what becomes of the answers."""

from __future__ import annotations

import threading
import time
import uuid
from types import SimpleNamespace

import pytest
from kombu.transport import virtual

from celeriac import Celery
from celeriac.app.control import Control, Inspect, flatten_reply
from celeriac.app.mail_codec import MailCodec
from celeriac.app.mailbox import listeners
from celeriac.contracts import CommandGuard
from celeriac.exceptions import DuplicateNodenameWarning, SecurityError
from celeriac.plugin import hookimpl

MEMORY = "kombu.transport.memory:Transport"


@pytest.fixture
def app():
    """An app whose remote control is nobody else's."""
    with Celery("proj", broker="memory://", set_as_current=False) as app:
        app.conf.broker_transport = MEMORY
        app.conf.control_exchange = f"control-{uuid.uuid4()}"
        yield app


@pytest.fixture
def listen(app, wait_until):
    """Return ``listen(*names)``: nodes of these names that answer what they heard, in a thread until the test ends."""
    heard, ended = [], threading.Event()

    def answer(name):
        def handle(state, **arguments):
            heard.append((name, arguments))
            return {"ok": arguments}

        return handle

    class Handlers(dict):
        def __missing__(self, method):
            if method == "broken":
                return lambda state: 1 / 0
            return answer(f"{method}")

    threads = []

    def start(*names):
        is_there = threading.Event()

        def run():
            with app.connection_for_read() as connection:
                consumers = []
                for name in names:
                    node = app.control.mailbox(connection).Node(name, None, connection.channel(), Handlers())
                    consumers.append(node.listen())
                is_there.set()
                while not ended.is_set():
                    try:
                        connection.drain_events(timeout=0.05)
                    except TimeoutError:
                        continue
                for consumer in consumers:
                    consumer.cancel()

        thread = threading.Thread(target=run)
        threads.append(thread)
        thread.start()
        assert is_there.wait(10)
        return heard

    yield start
    ended.set()
    for thread in threads:
        thread.join(10)


COMMANDS = [
    (lambda control: control.revoke("a"), "revoke", {"task_id": "a", "terminate": False, "signal": "SIGTERM"}),
    (lambda control: control.revoke(("a", "b")), "revoke", {"task_id": ["a", "b"], "terminate": False}),
    (lambda control: control.terminate("a", signal="KILL"), "revoke", {"terminate": True, "signal": "KILL"}),
    (
        lambda control: control.revoke_by_stamped_headers({"tenant": ["x", "y"]}),
        "revoke_by_stamped_headers",
        {"headers": {"tenant": ["x", "y"]}, "terminate": False, "signal": "SIGTERM"},
    ),
    (lambda control: control.rate_limit("t", "10/s"), "rate_limit", {"task_name": "t", "rate_limit": "10/s"}),
    (lambda control: control.time_limit("t", 1, 2), "time_limit", {"task_name": "t", "soft": 1, "hard": 2}),
    (
        lambda control: control.add_consumer("q", "x", "topic", "k", {"durable": False}),
        "add_consumer",
        {"queue": "q", "exchange": "x", "exchange_type": "topic", "routing_key": "k", "durable": False},
    ),
    (lambda control: control.cancel_consumer("q"), "cancel_consumer", {"queue": "q"}),
    (lambda control: control.pause_queue("q"), "pause_queue", {"queue": "q"}),
    (lambda control: control.resume_queue("q"), "resume_queue", {"queue": "q"}),
    (lambda control: control.shutdown(), "shutdown", {}),
    (lambda control: control.pool_grow(2), "pool_grow", {"n": 2}),
    (lambda control: control.pool_shrink(), "pool_shrink", {"n": 1}),
    (lambda control: control.pool_restart(["m"], True), "pool_restart", {"modules": ["m"], "reload": True}),
    (lambda control: control.autoscale(4, 2), "autoscale", {"max": 4, "min": 2}),
    (lambda control: control.enable_events(), "enable_events", {}),
    (lambda control: control.disable_events(), "disable_events", {}),
    (lambda control: control.heartbeat(), "heartbeat", {}),
    (lambda control: control.election("1", "task", "do"), "election", {"id": "1", "topic": "task", "action": "do"}),
]


@pytest.mark.parametrize(("command", "method", "arguments"), COMMANDS, ids=[row[1] for row in COMMANDS])
@pytest.mark.covers(
    "app.control.Control.revoke",
    "app.control.Control.terminate",
    "app.control.Control.revoke_by_stamped_headers",
    "app.control.Control.rate_limit",
    "app.control.Control.time_limit",
    "app.control.Control.add_consumer",
    "app.control.Control.cancel_consumer",
    "app.control.Control.shutdown",
    "app.control.Control.pool_grow",
    "app.control.Control.pool_shrink",
    "app.control.Control.pool_restart",
    "app.control.Control.autoscale",
    "app.control.Control.enable_events",
    "app.control.Control.disable_events",
    "app.control.Control.heartbeat",
    "app.control.Control.election",
)
def test_each_command_goes_out_with_its_arguments(app, listen, wait_until, command, method, arguments):
    heard = listen("one@host")
    assert command(app.control) is None
    wait_until(lambda: heard, message="the command is heard")
    ((name, found),) = heard
    assert name == method
    assert arguments.items() <= found.items()


@pytest.mark.covers("app.control.Control.broadcast")
def test_a_broadcast_collects_the_answers_of_all_and_tells_each_to_a_callback(app, listen):
    listen("one@host", "two@host")
    told = []
    replies = app.control.broadcast("ask", {"a": 1}, reply=True, timeout=2, limit=2, callback=told.append, b=2)
    assert replies == told
    assert flatten_reply(replies) == {"one@host": {"ok": {"a": 1, "b": 2}}, "two@host": {"ok": {"a": 1, "b": 2}}}


@pytest.mark.covers("app.control.Control.ping")
def test_a_destination_answers_alone_and_at_once(app, listen):
    listen("one@host", "two@host")
    before = time.monotonic()
    assert app.control.ping(destination=["two@host"], timeout=20) == [{"two@host": {"ok": {}}}]
    assert time.monotonic() - before < 10  # it does not wait for others when all have answered


@pytest.mark.parametrize(("pattern", "matcher"), [("t*", None), ("t*", "glob"), ("^t.+", "pcre")])
def test_a_pattern_chooses_who_answers(app, listen, pattern, matcher):
    listen("one@host", "two@host")
    assert app.control.ping(pattern=pattern, matcher=matcher, limit=1, timeout=5) == [{"two@host": {"ok": {}}}]


@pytest.mark.covers("app.control.Control.broadcast")
def test_answers_are_given_when_all_have_come_of_whom_the_broker_knows(app, listen):
    begin = time.monotonic()
    assert app.control.ping(timeout=30) == []
    listen("one@host", "two@host")
    assert flatten_reply(app.control.ping(timeout=30)).keys() == {"one@host", "two@host"}
    assert time.monotonic() - begin < 10


def test_both_of_one_name_are_heard_although_the_broker_knows_of_one(app, listen, redis_url, monkeypatch):
    app.conf.update(broker_transport=None, broker_url=redis_url, control_exchange=uuid.uuid4().hex)
    monkeypatch.setattr("celeriac.app.mailbox._GRACE", 20)
    listen("one@host")
    listen("one@host")
    with pytest.warns(DuplicateNodenameWarning):
        assert app.control.inspect(timeout=30, limit=2).ping()


def test_each_of_several_questions_over_one_connection_to_redis_is_answered(app, listen, redis_url):
    app.conf.update(broker_transport=None, broker_url=redis_url, control_exchange=uuid.uuid4().hex)
    listen("one@host")
    with app.connection_for_write() as connection:
        for _ in range(3):
            assert app.control.ping(timeout=15, connection=connection) == [{"one@host": {"ok": {}}}]


def test_a_broker_that_gives_a_command_back_has_nobody_to_answer_it(app, listen, rabbitmq_url):
    app.conf.update(broker_transport=None, broker_url=rabbitmq_url)
    begin = time.monotonic()
    with app.connection_for_write() as connection:
        assert app.control.ping(timeout=30, connection=connection) == []
        assert time.monotonic() - begin < 10
        # And the connection is good for whoever comes next
        listen("one@host")
        assert app.control.ping(destination=["one@host"], timeout=30, connection=connection)
        assert not connection.default_channel.events["basic_return"]


def test_a_broker_that_knows_of_its_own_process_alone_is_not_believed():
    class Transport(virtual.Transport):
        driver_type = "cloud"

    class Local(virtual.Channel):
        supports_fanout = True

    class Shared(Local):
        def get_table(self, exchange):
            return [("", None, "one.pidbox"), ("", None, "two.pidbox")]

    connection = SimpleNamespace(state=virtual.BrokerState(), driver_type=Transport.driver_type)
    for kind, told in ((Local, None), (Shared, 2)):
        channel = object.__new__(kind)
        channel.connection, channel.deadletter_queue = connection, None
        channel.exchange_types = {"direct": virtual.exchange.DirectExchange(channel)}
        assert listeners(channel, "pidbox") == told


def test_nobody_answers_is_an_empty_list_and_none_of_inspect(app):
    assert app.control.ping(timeout=0.05) == []
    assert app.control.inspect(timeout=0.05).ping() is None


def test_an_error_of_a_handler_is_its_answer(app, listen):
    listen("one@host")
    (reply,) = app.control.broadcast("broken", reply=True, limit=1, timeout=5)
    assert reply == {"one@host": {"error": "ZeroDivisionError('division by zero')"}}


def test_a_destination_must_be_a_list(app):
    with pytest.raises(ValueError, match="must be a list of node names, not 'one@host'"):
        app.control.revoke("a", destination="one@host")


def test_a_connection_that_is_given_is_used_and_stays_open(app, listen):
    listen("one@host")
    with app.connection_for_write() as connection:
        connection.connect()
        app.connection_for_write = None  # nobody asks for another
        assert app.control.ping(connection=connection, limit=1, timeout=5)
        assert connection.connected


def test_two_threads_ask_at_once_and_each_has_its_own_answer(app, listen):
    listen("one@host")
    answers = {}

    def ask(number):
        answers[number] = app.control.broadcast("ask", {"number": number}, reply=True, limit=1, timeout=10)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert answers == {number: [{"one@host": {"ok": {"number": number}}}] for number in range(8)}


@pytest.mark.covers("exceptions.DuplicateNodenameWarning")
def test_two_answers_of_one_node_name_warn():
    replies = [{"a@h": 1}, {"b@h": 2}, {"a@h": 3}]
    with pytest.warns(DuplicateNodenameWarning, match="several workers answer to the name a@h"):
        assert flatten_reply(replies) == {"a@h": 3, "b@h": 2}


QUESTIONS = [
    ("active", (), {"safe": None}),
    ("reserved", (True,), {"safe": True}),
    ("scheduled", (), {"safe": None}),
    ("query_task", ("a", "b"), {"ids": ["a", "b"]}),
    ("query_task", (["a", "b"],), {"ids": ["a", "b"]}),
    ("query_task", ("a",), {"ids": ["a"]}),
    ("revoked", (), {}),
    ("registered", ("rate_limit",), {"taskinfoitems": ["rate_limit"]}),
    ("registered_tasks", (), {"taskinfoitems": []}),
    ("stats", (), {}),
    ("report", (), {}),
    ("conf", (True,), {"with_defaults": True}),
    ("active_queues", (), {}),
    ("clock", (), {}),
    ("hello", ("me@host", ["a"]), {"from_node": "me@host", "revoked": ["a"]}),
    ("memsample", (), {}),
    ("memdump", (3,), {"samples": 3}),
    ("objgraph", ("dict", 5), {"type": "dict", "num": 5, "max_depth": 10}),
    ("ping", (), {}),
]


@pytest.mark.parametrize(("method", "args", "sent"), QUESTIONS, ids=[row[0] for row in QUESTIONS])
@pytest.mark.covers(
    "app.control.Inspect.active",
    "app.control.Inspect.reserved",
    "app.control.Inspect.scheduled",
    "app.control.Inspect.query_task",
    "app.control.Inspect.revoked",
    "app.control.Inspect.registered",
    "app.control.Inspect.registered_tasks",
    "app.control.Inspect.stats",
    "app.control.Inspect.report",
    "app.control.Inspect.conf",
    "app.control.Inspect.active_queues",
    "app.control.Inspect.clock",
    "app.control.Inspect.hello",
    "app.control.Inspect.memsample",
    "app.control.Inspect.memdump",
    "app.control.Inspect.objgraph",
    "app.control.Inspect.ping",
)
def test_each_question_is_asked_with_its_arguments(app, listen, method, args, sent):
    listen("one@host")
    inspect = app.control.inspect(limit=1, timeout=5)
    assert getattr(inspect, method)(*args) == {"one@host": {"ok": sent}}


def test_asking_one_node_by_name_gives_its_answer_alone(app, listen):
    listen("one@host", "two@host")
    assert app.control.inspect("two@host", timeout=5).stats() == {"ok": {}}


@pytest.mark.covers(
    "app.control.Control", "app.control.Inspect", "app.control.Control.inspect", "app.control.Inspect.app"
)
def test_inspect_is_found_with_its_app_and_as_the_class(app):
    assert issubclass(app.control.inspect, Inspect)
    assert app.control.inspect().app is app
    assert Inspect(app=app).app is app
    assert isinstance(app.control, Control)


@pytest.mark.covers(
    "app.control.Control.Mailbox",
    "settings.control_queue_ttl",
    "settings.control_queue_expires",
    "settings.control_queue_exclusive",
    "settings.control_queue_durable",
    "settings.control_exchange",
)
def test_the_queues_are_declared_as_the_settings_say(app):
    app.conf.update(control_queue_ttl=7, control_queue_expires=8, control_queue_exclusive=False)
    queue = app.control.mailbox.get_queue("one@host")
    assert queue.name == f"one@host.{app.conf.control_exchange}.pidbox"
    assert (queue.message_ttl, queue.expires, queue.exclusive, queue.durable) == (7, 8, False, False)
    assert queue.auto_delete
    with Celery("proj", set_as_current=False, control_queue_durable=True, control_queue_exclusive=False) as other:
        durable = other.control.mailbox.get_queue("one@host")
        assert (durable.durable, durable.auto_delete) == (True, False)
    reply = app.control.mailbox.reply_queue
    assert (reply.expires, reply.exclusive, reply.durable) == (8, False, False)
    assert reply.exchange.name == f"reply.{app.conf.control_exchange}.pidbox"


@pytest.mark.covers("app.control.Control.purge", "app.control.Control.discard_all")
def test_purge_removes_the_messages_of_the_apps_queues_and_counts_them(app):
    name = app.conf.task_default_queue = f"queue-{uuid.uuid4()}"
    for _ in range(3):
        app.send_task("whatever")
    assert app.control.purge() == 3
    with app.connection_for_write() as connection:
        app.send_task("whatever")
        assert app.control.discard_all(connection) == 1
    with app.connection_for_read() as connection:
        app.amqp.queues[name](connection.default_channel).delete()


class Guarded:
    """A plugin whose guard does what the test wants."""

    def __init__(self, check):
        self.check = check

    @hookimpl
    def celeriac_command_guards(self):
        return [CommandGuard("names", lambda body: body.update(by="me"), self.check)]


def test_a_guard_marks_what_is_sent_and_what_it_refuses_or_fails_at_is_not_read(make_guarded):
    message = SimpleNamespace(content_type="application/json")
    for check, said in [
        (lambda body, *_: None if body["by"] == "me" else "of whom?", None),
        (lambda body, content_type, _: f"not {content_type} of {body['by']}", "not application/json of me"),
        (lambda body, content_type, data: f"not {data.decode()}", 'not {"method": ?"ping", ?"by": ?"me"}'),
        (lambda *_: 1 / 0, "the guard 'names' has failed"),
    ]:
        codec = make_guarded(Guarded(check))
        _, _, message.body = codec.encode_command({"method": "ping"})
        if said is None:
            assert codec.decode_command(message) == {"method": "ping", "by": "me"}
            continue
        with pytest.raises(SecurityError, match=said):
            codec.decode_command(message)


@pytest.fixture
def make_guarded():
    """Return ``make_guarded(plugin)``: the codec of an app with that plugin."""

    def make(plugin):
        app = Celery("proj", broker="memory://", set_as_current=False)
        app.plugins.register(plugin)
        return MailCodec(app)

    return make
