"""Copies of signed messages: the original runs, as often as it has to, and no copy does."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from uuid import uuid4

import pytest

from celeriac.contracts import Middleware, Outcome, OutcomeKind
from celeriac.exceptions import Ignore, StoreUnavailable
from celeriac.plugin import hookimpl
from celeriac_auth import replay
from celeriac_auth.header_signature import HEADER
from celeriac_auth.layers import RunOnce, guard_of
from celeriac_auth.replay import ProcessGuard, StoreGuard


@pytest.fixture
def app(make_app, make_signer, tmp_path):
    return make_app(make_signer(), backend=f"sqlite:///{tmp_path}/results.db", security_sign_headers=True)


@pytest.fixture
def guard(app):
    return StoreGuard(app.backend, 60)


@pytest.fixture
def message(app, claim):
    """Return ``message()``: a signed message, as a worker gets it."""

    def send():
        app.send_task("proj.note")
        (delivery,) = claim(app)
        return delivery

    return send


def outcome(delivery, kind, requeued=False):
    return Outcome(kind, "id", "task", "celery", headers=delivery.headers, requeued=requeued)


def nonce_of(delivery):
    return replay.proof_in(delivery.headers).nonce


def test_a_copy_is_told_from_the_original_in_any_process(app, guard):
    nonce = uuid4().hex
    assert guard.admit(nonce, 60, redelivered=False)
    for other in (guard, StoreGuard(app.backend, 60)):
        assert not other.admit(nonce, 60, redelivered=False)
    assert guard.admit(uuid4().hex, 60, redelivered=False)


def test_a_message_that_its_broker_delivers_again_runs_again_until_it_has_come_to_an_end(guard, message, wait_until):
    delivery = message()
    nonce = nonce_of(delivery)
    assert guard.admit(nonce, 60, redelivered=False)
    # As after the death of its worker
    assert guard.admit(nonce, 60, redelivered=True)
    guard.settle(outcome(delivery, OutcomeKind.SUCCESS))
    # And no more when it has succeeded, whatever the broker says
    wait_until(lambda: not guard.admit(nonce, 60, redelivered=True))
    assert not guard.admit(nonce, 60, redelivered=False)


@pytest.mark.parametrize(
    ("kind", "requeued"),
    [(OutcomeKind.WORKER_LOST, False), (OutcomeKind.REJECTED, True), (OutcomeKind.REJECTED, False)],
)
def test_what_goes_back_to_the_queue_or_to_the_dead_letters_may_come_again(guard, message, wait_until, kind, requeued):
    delivery = message()
    assert guard.admit(nonce_of(delivery), 60, redelivered=False)
    guard.settle(outcome(delivery, kind, requeued))
    wait_until(lambda: guard.admit(nonce_of(delivery), 60, redelivered=False))


@pytest.mark.parametrize("kind", [OutcomeKind.INVALID, OutcomeKind.IGNORED, OutcomeKind.EXPIRED])
def test_the_end_of_a_copy_or_of_a_forgery_says_nothing_of_the_original(guard, message, kind):
    delivery = message()
    assert guard.admit(nonce_of(delivery), 60, redelivered=False)
    guard.settle(outcome(delivery, kind))
    assert guard._thread is None


def test_a_store_that_is_away_is_waited_for(guard, monkeypatch, caplog):
    answers = [StoreUnavailable("away"), StoreUnavailable("away"), True]
    pauses = []

    def ask(*_):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(replay.time, "sleep", pauses.append)
    monkeypatch.setattr(guard._store, "compare_and_set", ask)
    assert guard.admit(uuid4().hex, 60, redelivered=False)
    assert len(pauses) == 2
    assert "waits for the result store" in caplog.text


def test_marks_go_with_the_time_for_which_the_signature_counts(app, guard, wait_until):
    nonce = uuid4().hex
    assert guard.admit(nonce, 0.2, redelivered=False)
    wait_until(lambda: guard.admit(nonce, 60, redelivered=False), timeout=10)


def test_a_process_remembers_by_itself_up_to_a_limit_of_which_it_tells(monkeypatch, caplog):
    monkeypatch.setattr(replay, "MOST", 3)
    guard = ProcessGuard()
    assert [guard.admit(str(number), 60, redelivered=False) for number in range(3)] == [True] * 3
    assert not guard.admit("0", 60, redelivered=False)
    assert guard.admit("0", 60, redelivered=True)
    assert "copies of older ones are not recognised" not in caplog.text
    assert [guard.admit(str(number), 60, redelivered=False) for number in range(3, 6)] == [True] * 3
    assert guard.admit("1", 60, redelivered=False)  # pushed out
    assert caplog.text.count("copies of older ones are not recognised") == 1
    assert guard.admit("short", -1, redelivered=False)
    assert guard.admit("short", 60, redelivered=False)


def test_a_store_that_cannot_remember_is_told_of(make_app, make_signer, caplog):
    app = make_app(make_signer(), backend="disabled://", security_sign_headers=True)
    # Asked for by each task in each thread
    guards = {id(RunOnce(app)._guard) for _ in range(3)} | {id(guard_of(app))}
    assert isinstance(guard_of(app), ProcessGuard)
    assert len(guards) == 1
    assert caplog.text.count("cannot remember which signed messages have run") == 1


def test_calls_without_a_message_are_not_asked_about(app):
    once = RunOnce(app)
    for request in (
        SimpleNamespace(headers=None, is_eager=False, called_directly=True),
        SimpleNamespace(headers={}, is_eager=True, called_directly=False),
    ):
        assert once.call(request, lambda _: "ran") == "ran"


async def awaited(request):
    return "ran"


def test_a_coroutine_is_guarded_as_a_function_is(app, message):
    delivery = message()
    request = SimpleNamespace(
        headers={HEADER: delivery.headers[HEADER]},
        is_eager=False,
        called_directly=False,
        eta=None,
        expires=None,
        delivery_info={"redelivered": False},
        task="proj.note",
        id="id",
    )
    once = RunOnce(app)
    assert asyncio.run(once.call_async(request, awaited)) == "ran"
    with pytest.raises(Ignore, match="this is a copy of it"):
        asyncio.run(once.call_async(request, awaited))
    with pytest.raises(Ignore):
        once.call(request, lambda _: "ran")


class Thief:
    """Copies what leaves the app, signed."""

    def __init__(self):
        self.copies = []

    @hookimpl
    def celeriac_publish_middleware(self):
        def layer(message, call_next):
            self.copies.append(replace(message, headers=dict(message.headers), properties=dict(message.properties)))
            return call_next(message)

        yield Middleware(1_001, layer, "thief")


def test_a_message_that_is_put_into_the_queue_once_more_runs_once(app, start_worker, wait_until, caplog):
    # Given a task that counts, and somebody who copies what is sent
    thief, ran = Thief(), []
    app.plugins.register(thief)

    @app.task(name="proj.note")
    def note():
        ran.append(1)
        return len(ran)

    start_worker(app)
    result = note.delay()
    assert result.get(timeout=10) == 1

    # When the message is published again, as it was
    (copy,) = thief.copies
    with app.publisher.lanes.lend() as lane:
        for _ in range(3):
            lane.publish([replace(copy, headers=dict(copy.headers), properties=dict(copy.properties))])

    # Then it does not run again, which is told, and the result stays
    wait_until(lambda: caplog.text.count("this is a copy of it") == 3)
    assert note.delay().get(timeout=10) == 2
    assert app.AsyncResult(result.id).get(timeout=10) == 1


def test_a_retry_is_a_message_of_its_own(app, start_worker):
    @app.task(name="proj.again", bind=True, max_retries=2, default_retry_delay=0)
    def again(self):
        if self.request.retries < 2:
            raise self.retry()
        return self.request.retries

    start_worker(app)
    assert again.delay().get(timeout=20) == 2
