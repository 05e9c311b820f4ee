"""Signed headers: what a stranger can do with a message that somebody else has signed, which is to lose it."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import pytest

from celeriac import group
from celeriac.app.dead_letters import DeadLetters
from celeriac.contracts import Delivery, Middleware, OutcomeKind
from celeriac.exceptions import SecurityError
from celeriac.plugin import hookimpl
from celeriac.signals import before_task_publish
from celeriac.worker.strategy import Strategy
from celeriac_auth.header_signature import HEADER


@pytest.fixture
def app(make_app, make_signer):
    """An app that signs headers, with a task that it knows."""
    app = make_app(make_signer(), security_sign_headers=True, task_ignore_result=True)

    @app.task(name="proj.add")
    def add(x, y):
        return x + y

    return app


@pytest.fixture
def add(app):
    return app.tasks["proj.add"]


@pytest.fixture
def judge(app):
    """Return ``judge(delivery)``: the reason why the worker refuses it, None where it would run it."""
    strategy = Strategy(app)

    def reason(delivery):
        found = strategy.judge(delivery, 1)
        if getattr(found, "kind", None) is None:
            return None
        assert found.kind is OutcomeKind.INVALID
        assert isinstance(found.error, SecurityError)
        return str(found.error)

    return reason


class Recorder:
    """Keeps what leaves the app, signed."""

    def __init__(self):
        self.messages = []

    @hookimpl
    def celeriac_publish_middleware(self):
        yield Middleware(1_001, lambda message, _: self.messages.append(message), "recorder")


@pytest.fixture
def sent(app, add):
    """Return ``sent(**options)``: what a call of the task looks like when it reaches a worker."""
    recorder = Recorder()
    app.plugins.register(recorder)

    def send(*args, **options):
        add.apply_async(args or (1, 2), **options)
        one = recorder.messages.pop()
        # Through JSON, as through most brokers: lists for tuples.
        headers = json.loads(json.dumps(one.headers))
        kinds = one.body, one.content_type, one.content_encoding
        return Delivery(1, "celery", headers, one.properties, *kinds, one.exchange, one.routing_key, False, 1)

    return send


def test_a_message_passes_as_it_was_sent(sent, judge):
    eta = datetime.now(UTC) + timedelta(hours=30)
    for options in (
        {},
        {"eta": eta, "expires": eta + timedelta(days=1)},
        {"headers": {"tenant": "blue", "nested": {"b": [1, 2.5, None], "a": True}}, "priority": 3},
        {"stamped_headers": ["order"], "order": "A1", "shadow": "plus", "time_limit": 5},
        {"compression": "gzip", "queue": "celery", "reply_to": "somebody"},
    ):
        assert judge(sent(**options)) is None


ALTERED = {
    "task": "proj.other",
    "id": "another",
    "eta": "2001-01-01T00:00:00+00:00",
    "expires": None,
    "group": "another",
    "root_id": "another",
    "parent_id": "another",
    "retries": 7,
    "timelimit": [None, 1],
    "ignore_result": False,
    "stamps": {"a": ["b"]},
    "shadow": "innocent",
    "tenant": "red",
    "compression": "application/x-gzip",
    "added": 1,
}


@pytest.mark.parametrize("name", ALTERED)
def test_an_altered_header_is_refused(sent, judge, name):
    delivery = sent(expires=60, headers={"tenant": "blue"})
    assert judge(delivery) is None
    assert delivery.headers.get(name) != ALTERED[name]
    delivery.headers[name] = ALTERED[name]
    assert "altered" in judge(delivery)


def test_a_header_that_is_taken_out_is_refused(sent, judge):
    delivery = sent(headers={"tenant": "blue"})
    for name in [name for name in delivery.headers if name not in ("task", "id")]:
        assert judge(delivery._replace(headers={k: v for k, v in delivery.headers.items() if k != name}))


@pytest.mark.parametrize(
    "change",
    [
        {"body": b"[[3, 4], {}, {}]"},
        {"content_encoding": "binary"},
        {"properties": {"reply_to": "me", "correlation_id": "id"}},
    ],
)
def test_an_altered_body_or_address_of_the_answer_is_refused(sent, judge, change):
    assert "altered" in judge(sent()._replace(**change))


def test_the_body_of_one_message_in_another_is_refused(sent, judge):
    one, other = sent(1, 2), sent(3, 4)
    assert "altered" in judge(one._replace(body=other.body))
    assert "altered" in judge(one._replace(headers={**one.headers, HEADER: other.headers[HEADER]}))


def test_what_brokers_add_on_the_way_is_no_alteration(sent, judge):
    delivery = sent()
    delivery.headers.update(
        {"redelivered": True, "x-death": [{"count": 1}], "x-first-death-queue": "q", "x-delivery-count": 2}
    )
    assert judge(delivery) is None


def test_a_message_without_the_header_or_in_plain_json_is_refused(app, make_app, add, claim, judge):
    # Given a message of one who signs bodies only, and one of somebody who signs nothing
    make_app(security_sign_headers=False).send_task("proj.add", (1, 2))
    make_app(set_up=False, task_serializer="json", result_serializer="json").send_task("proj.add", (1, 2))
    bodies_only, plain = claim(app)
    assert "its headers are not signed" in judge(bodies_only)
    assert "accept_content does not name 'json'" in judge(plain)
    # And one that claims to be what is signed
    plain = plain._replace(content_type="application/data")
    assert "its headers are not signed" in judge(plain)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "1",
        "1..",
        "1.e30=.e30=",
        "2.W10=.",
        "1." + "A" * 20_000 + ".AA==",
        7,
        None,
        ["1"],
        {"a": 1},
        "1.ü.",
        b"1.W10=.W10=",
    ],
)
def test_a_header_of_another_form_is_refused(sent, judge, value):
    delivery = sent()
    delivery.headers[HEADER] = value
    assert judge(delivery)


def test_a_header_that_is_cut_short_anywhere_is_refused(sent, judge):
    delivery = sent()
    whole = delivery.headers[HEADER]
    for end in range(len(whole.rstrip("="))):
        delivery.headers[HEADER] = whole[:end]
        assert judge(delivery)


@pytest.mark.parametrize("at", [float("nan"), float("inf"), "soon", None, -1e300])
def test_a_moment_that_is_none_is_refused(app, sent, judge, at):
    delivery = sent()
    _, head, signature = delivery.headers[HEADER].split(".")
    signer, _, nonce = json.loads(urlsafe_b64decode(head))
    told = urlsafe_b64encode(json.dumps([signer, at, nonce]).encode()).decode()
    delivery.headers[HEADER] = f"1.{told}.{signature}"
    assert judge(delivery)


def test_a_signature_counts_for_a_time_which_an_eta_puts_off(app, sent, judge, monkeypatch):
    app.conf.security_max_age = 100.0
    now = time.time()
    plain, later = sent(), sent(eta=datetime.fromtimestamp(now + 1_000, UTC))
    strategy = Strategy(app)
    monkeypatch.setattr("celeriac_auth.header_signature.time.time", lambda: now + 90)
    assert not hasattr(strategy.judge(plain, 1), "error")
    monkeypatch.setattr("celeriac_auth.header_signature.time.time", lambda: now + 500)
    assert "security_max_age" in str(strategy.judge(plain, 1).error)
    assert not hasattr(strategy.judge(later, 1), "error")
    monkeypatch.setattr("celeriac_auth.header_signature.time.time", lambda: now + 1_500)
    assert "security_max_age" in str(strategy.judge(later, 1).error)


def test_clocks_may_differ_a_little(app, sent, judge, monkeypatch):
    delivery = sent()
    now = time.time()
    monkeypatch.setattr("celeriac_auth.header_signature.time.time", lambda: now - 50)
    assert judge(delivery) is None
    monkeypatch.setattr("celeriac_auth.header_signature.time.time", lambda: now - 70)
    assert "in the future: set the clocks right" in judge(delivery)


def test_the_signature_covers_what_receivers_and_other_plugins_change(app, sent, judge):
    class Late:
        @hookimpl
        def celeriac_publish_middleware(self):
            def layer(message, call_next):
                message.headers["trace"] = "t-1"
                return call_next(message)

            yield Middleware(50, layer, "trace")

    def receive(headers, body, **_):
        headers["tenant"] = "blue"
        body[0].append(9)

    app.plugins.register(Late())
    before_task_publish.connect(receive)
    try:
        delivery = sent(1, 2)
    finally:
        before_task_publish.disconnect(receive)
    assert (delivery.headers["tenant"], delivery.headers["trace"]) == ("blue", "t-1")
    assert app.serializers.decode(delivery.body, delivery.content_type)[0] == [1, 2, 9]
    assert judge(delivery) is None


def test_a_chain_and_a_group_are_signed_message_by_message(app, add, claim, judge):
    (add.s(1, 2) | add.s(3)).delay()
    group(add.s(1, 2), add.s(3, 4)).delay()
    deliveries = claim(app)
    assert len(deliveries) == 3
    assert [judge(each) for each in deliveries] == [None] * 3
    assert len({each.headers[HEADER] for each in deliveries}) == 3


def test_an_error_in_the_verification_lets_nothing_pass(app, sent, judge, monkeypatch):
    delivery = sent()
    monkeypatch.setattr(type(app.serializers.get("auth").content.trust), "verify", lambda *_: 1 / 0)
    assert "its headers cannot be verified" in judge(delivery)


def test_a_dead_letter_that_is_sent_again_is_still_signed(app, add, start_worker, wait_until, claim, judge):
    # Given a message whose task nobody knows, and which was kept
    unknown = add.s(1, 2).clone()
    unknown["task"] = "proj.unknown"
    app.conf.task_dead_letters = ("unknown-task",)
    start_worker(app)
    app.send_task("proj.unknown", (1, 2))
    letters = DeadLetters(app)
    wait_until(lambda: letters.counts(["celery"]) == {"celery": 1})
    # When it is known and sent again
    ran = []
    app.task(name="proj.unknown")(lambda x, y: ran.append(x + y))
    app.tasks["proj.unknown"].bind(app)
    letters.requeue("celery")
    # Then it runs
    wait_until(lambda: ran == [3])
