"""A message is judged by its headers alone: it gives a job or a refusal, whatever it holds."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeriac.app.base import Celery
from celeriac.contracts import Middleware
from celeriac.contracts.outcome import OutcomeKind
from celeriac.exceptions import NotRegistered, ProtocolError, SecurityError, TaskRevokedError
from celeriac.plugin import hookimpl
from celeriac.protocol.compression import compress
from celeriac.protocol.headers import HEADER_KEYS
from celeriac.worker.open_jobs import OpenJob
from celeriac.worker.strategy import Strategy

KINDS = {OutcomeKind.INVALID, OutcomeKind.UNKNOWN_TASK, OutcomeKind.EXPIRED}


@pytest.fixture
def strategy(app):
    app.task(name="proj.work")(lambda: None)
    app.task(name="proj.late", acks_late=True)(lambda: None)
    return Strategy(app)


def moment(seconds):
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


# -- jobs --------------------------------------------------------------------------------------------------------------


def test_a_message_becomes_a_job_that_carries_all_that_the_child_needs(strategy, message):
    delivery = message(7, retries=2, tenant="a")._replace(
        exchange="e",
        routing_key="r",
        redelivered=True,
        properties={"priority": 3, "reply_to": "q", "correlation_id": "c"},
    )
    found = strategy.judge(delivery, 99)
    assert isinstance(found, OpenJob)
    assert (found.number, found.tag, found.queue, found.early, found.delay) == (99, "tag-7", "celery", True, None)
    assert (found.id, found.name) == ("id-7", "proj.work")
    assert found.job.number == 99
    assert found.job.headers["tenant"] == "a"
    assert found.job.body == delivery.body
    assert found.job.delivery_info == {"exchange": "e", "routing_key": "r", "priority": 3, "redelivered": True}
    assert found.job.properties == {"reply_to": "q", "correlation_id": "c"}
    assert repr(found) == "<Request: proj.work[id-7]>"


def test_the_body_is_not_read(strategy, message):
    assert isinstance(strategy.judge(message(1, body=b"\xff not JSON"), 1), OpenJob)


def test_a_task_says_whether_its_ack_is_late(strategy, message):
    assert not strategy.judge(message(1, task="proj.late"), 1).early


@pytest.mark.parametrize(("seconds", "low", "high"), [(100, 90, 100), (-100, None, None)])
def test_an_eta_in_the_future_is_a_delay(strategy, message, seconds, low, high):
    found = strategy.judge(message(1, eta=moment(seconds)), 1)
    assert found.delay is None if low is None else low < found.delay <= high


def test_an_expiry_is_kept_for_the_time_of_waiting(strategy, message):
    expires = datetime.now(UTC) + timedelta(seconds=100)
    assert strategy.judge(message(1, expires=expires.isoformat()), 1).expires == expires.timestamp()


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_an_expired_message_is_refused(strategy, message):
    kind, error, _ = strategy.judge(message(1, expires=moment(-1)), 1)
    assert kind is OutcomeKind.EXPIRED
    assert isinstance(error, TaskRevokedError)


def test_an_unknown_task_is_refused_with_the_nearest_name(strategy, message):
    kind, error, _ = strategy.judge(message(1, task="proj.wrok"), 1)
    assert kind is OutcomeKind.UNKNOWN_TASK
    assert isinstance(error, NotRegistered)
    assert "Did you mean 'proj.work'?" in str(error)


@pytest.mark.parametrize("content_type", ["application/x-python-serialize", "", "nonsense", ["a", "list"], None])
def test_content_that_is_not_accepted_is_refused_before_it_is_read(strategy, message, content_type):
    kind, error, _ = strategy.judge(message(1)._replace(content_type=content_type), 1)
    assert kind is OutcomeKind.INVALID
    assert isinstance(error, SecurityError | ProtocolError)


@pytest.mark.parametrize("headers", [None, {}, [], "task", {"task": "proj.work"}, {"id": "1"}, ["task", "id"], 7])
def test_headers_that_are_none_are_refused(strategy, message, headers):
    kind, error, _ = strategy.judge(message(1)._replace(headers=headers, body=b"no map of protocol 1"), 1)
    assert kind is OutcomeKind.INVALID
    assert str(error)


# -- protocol 1 --------------------------------------------------------------------------------------------------------


def test_a_message_of_protocol_1_becomes_a_job_like_any_other(strategy, message):
    old = {"task": "proj.work", "id": "old", "args": [1, "ü"], "kwargs": {"a": 2}, "retries": 1, "eta": None}
    found = strategy.judge(message(1)._replace(headers={}, body=json.dumps(old).encode()), 1)
    assert (found.id, found.name, found.job.headers["retries"]) == ("old", "proj.work", 1)
    assert json.loads(found.job.body)[:2] == [[1, "ü"], {"a": 2}]
    assert found.job.content_type == "application/json"


def test_a_message_of_protocol_1_may_be_compressed_and_is_refused_by_name_like_any_other(strategy, message):
    old = {"task": "proj.nowhere", "id": "old", "args": [], "kwargs": {}}
    kind, body = compress(json.dumps(old).encode(), "gzip")
    found = strategy.judge(message(1)._replace(headers={"compression": kind}, body=body), 1)
    assert found.kind is OutcomeKind.UNKNOWN_TASK
    assert (found.message.headers["id"], found.message.headers["task"]) == ("old", "proj.nowhere")


def test_a_moment_of_protocol_1_may_be_one_of_the_apps_time_zone(app, message):
    app.conf.timezone = "Pacific/Kiritimati"  # fourteen hours ahead
    app.task(name="proj.work")(lambda: None)
    local = (datetime.now(UTC) + timedelta(hours=14, seconds=100)).replace(tzinfo=None).isoformat()
    old = {"task": "proj.work", "id": "old", "args": [], "kwargs": {}, "eta": local, "utc": False}
    found = Strategy(app).judge(message(1)._replace(headers={}, body=json.dumps(old).encode()), 1)
    assert 50 < found.delay < 110


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[" * 100_000,
        b"null",
        b"[]",
        b'{"task": "proj.work"}',
        b'{"task": 7, "id": "x"}',
        b'{"task": "proj.work", "id": "x", "args": 7}',
        b'{"task": "proj.work", "id": "x", "eta": "yesterday"}',
    ],
    ids=lambda body: body[:40],
)
def test_what_is_neither_protocol_is_refused(strategy, message, body):
    kind, error, _ = strategy.judge(message(1)._replace(headers={}, body=body), 1)
    assert kind is OutcomeKind.INVALID
    assert str(error)


# -- hostile messages --------------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
header_maps = st.dictionaries(st.sampled_from(sorted(HEADER_KEYS)) | st.text(max_size=8), json_values, max_size=12)


@pytest.fixture(scope="module")
def shared_strategy():
    app = Celery("proj", broker="memory://", set_as_current=False)
    app.task(name="proj.work")(lambda: None)
    yield Strategy(app)
    app.close()


@given(headers=header_maps, names=st.booleans())
def test_any_headers_give_a_job_or_a_refusal(shared_strategy, message, headers, names):
    if names:
        headers = {**headers, "task": "proj.work", "id": "some-id"}
    found = shared_strategy.judge(message(1)._replace(headers=headers), 1)
    if isinstance(found, OpenJob):
        assert found.id == headers["id"]
        assert isinstance(found.job.headers, dict)
    else:
        assert found[0] in KINDS
        assert isinstance(found[1], Exception)


@given(value=json_values)
def test_any_json_as_a_message_of_protocol_1_gives_a_job_or_a_refusal(shared_strategy, message, value):
    body = json.dumps(value).encode()
    found = shared_strategy.judge(message(1)._replace(headers={}, body=body), 1)
    assert isinstance(found, OpenJob) or found[0] in KINDS


@given(body=st.binary(max_size=200), content_type=st.sampled_from(["application/json", "text/plain", ""]))
def test_any_bytes_without_headers_are_refused(shared_strategy, message, body, content_type):
    found = shared_strategy.judge(message(1)._replace(headers={}, body=body, content_type=content_type), 1)
    assert isinstance(found, OpenJob) or found[0] in KINDS


# -- layers of plugins -------------------------------------------------------------------------------------------------


@pytest.fixture
def layered(app):
    """Return ``layered(*calls)``: a strategy with these consume middlewares."""

    def make(*calls):
        class Layers:
            @hookimpl
            def celeriac_consume_middleware(self, app):
                return [Middleware(number, call) for number, call in enumerate(calls)]

        app.plugins.register(Layers())
        app.task(name="proj.work")(lambda: None)
        return Strategy(app)

    return make


@pytest.mark.parametrize("kind", list(OutcomeKind))
def test_a_layer_may_end_a_message_as_it_says(layered, message, kind):
    strategy = layered(lambda delivery, call_next: kind)
    found = strategy.judge(message(1), 1)
    assert found.kind is kind


def test_layers_see_the_message_outermost_first_and_may_let_it_pass(layered, message):
    seen = []

    def first(delivery, call_next):
        seen.append(("first", delivery.headers["id"]))
        return call_next(delivery)

    def second(delivery, call_next):
        seen.append(("second", delivery.headers["id"]))
        return call_next(delivery)

    assert isinstance(layered(first, second).judge(message(1), 1), OpenJob)
    assert seen == [("first", "id-1"), ("second", "id-1")]


@pytest.mark.parametrize("answer", ["no such kind", 7, True, object()])
def test_an_answer_that_is_none_lets_the_message_pass_and_is_told_of(layered, message, caplog, answer):
    strategy = layered(lambda delivery, call_next: answer)
    assert isinstance(strategy.judge(message(1), 1), OpenJob)
    assert "Consume middleware failed on task id-1, which runs" in caplog.text


def test_a_layer_that_raises_lets_the_message_pass_and_is_told_of(layered, message, caplog):
    def fail(delivery, call_next):
        raise LookupError("the plugin's own")

    assert isinstance(layered(fail).judge(message(1), 1), OpenJob)
    assert "the plugin's own" in caplog.text


def test_a_message_without_a_content_type_is_none_of_ours_and_the_error_says_so(strategy, message):
    found = strategy.judge(message(1)._replace(content_type=""), 1)
    assert found.kind is OutcomeKind.INVALID
    assert "names no content type" in str(found.error)
