"""The body of a chord is called once, however often the tasks of its header are delivered."""

from __future__ import annotations

import pytest

from celeriac import chain, chord
from celeriac.canvas import launch
from celeriac.contracts import Backend, OutgoingMessage
from celeriac_memory import chords
from celeriac_memory.backend import MemoryBackend


@pytest.fixture
def deliver_again(app):
    """Return ``deliver_again(deliveries)``: put claimed messages into the queue again."""

    def put(deliveries):
        app.publisher.send(
            [
                OutgoingMessage(
                    each.body,
                    each.content_type,
                    each.content_encoding,
                    each.headers,
                    each.properties,
                    "",
                    each.queue,
                    None,
                    None,
                )
                for each in deliveries
            ]
        )

    return put


@pytest.mark.parametrize("compat", [True, False], ids=["Celery's form", "short form"])
def test_a_header_that_is_delivered_three_times_calls_the_body_once(
    app, tasks, diary, claim, deliver_again, start_worker, wait_until, compat
):
    # Given the header of a chord, each message of which is delivered three times
    app.conf.task_protocol_compat = compat
    result = chord([tasks.add.s(n, n) for n in range(5)], chain(tasks.sum_up.s(), tasks.callback.s()))()
    header = claim(app)
    assert len(header) == 5
    deliver_again(header)
    deliver_again(reversed(header))
    deliver_again(header)

    # When a worker has run them all
    worker = start_worker(app)
    result.get(timeout=10)
    wait_until(lambda: sum(count for call, count in diary.calls.items() if "add" in call) == 15)
    wait_until(lambda: not worker.consumer.running)

    # Then the body was called once
    assert [count for call, count in diary.calls.items() if "sum_up" in call] == [1]
    assert [count for call, count in diary.calls.items() if "callback" in call] == [1]


def test_a_header_of_which_one_fails_and_is_delivered_again_tells_the_errback_once(
    app, tasks, diary, claim, deliver_again, start_worker, wait_until
):
    result = chord([tasks.fail.s(1), tasks.identity.s(1)], tasks.sum_up.s()).on_error(tasks.errback.s("e"))()
    header = claim(app)
    deliver_again([*header, *header])
    worker = start_worker(app)
    result.get(timeout=10, propagate=False)
    wait_until(lambda: sum(count for call, count in diary.calls.items() if "identity" in call) == 2)
    wait_until(lambda: not worker.consumer.running)
    assert [count for call, count in diary.calls.items() if "errback" in call] == [1]


def test_a_body_that_could_not_be_sent_is_sent_when_the_last_task_comes_again(
    app, tasks, diary, claim, deliver_again, start_worker, wait_until, monkeypatch
):
    # Given a worker that claims a chord and dies before it has sent the body
    result = chord([tasks.identity.s(1), tasks.identity.s(2)], tasks.sum_up.s())()
    header = claim(app)
    store = app.backend.store_with_parts
    worker = start_worker(app)
    monkeypatch.setattr(app.backend, "store_with_parts", lambda results, parts: (store(results, parts), {})[1])
    deliver_again(header)
    wait_until(lambda: app.backend.claim_chord(result.parent.id) is not None)
    monkeypatch.undo()

    # When the claim runs out, and a task of the header is delivered again
    monkeypatch.setattr(chords, "CLAIM_SECONDS", 0)
    deliver_again(header[-1:])

    # Then the body is called
    assert result.get(timeout=10) == 3
    wait_until(lambda: not worker.consumer.running)
    assert [count for call, count in diary.calls.items() if "sum_up" in call] == [1]


@pytest.mark.covers("settings.result_chord_retry_interval")
def test_while_somebody_may_be_sending_the_body_a_task_is_sent_to_look_later(
    app, tasks, claim, deliver_again, start_worker, wait_until, monkeypatch
):
    # Given a chord that somebody has claimed, and then died
    result = chord([tasks.identity.s(1)], tasks.sum_up.s())()
    header = claim(app)
    store = app.backend.store_with_parts
    start_worker(app)
    monkeypatch.setattr(app.backend, "store_with_parts", lambda results, parts: (store(results, parts), {})[1])
    deliver_again(header)
    wait_until(lambda: app.backend.claim_chord(result.parent.id) is not None)
    monkeypatch.undo()

    # When its task is delivered again while the claim holds
    monkeypatch.setattr("celeriac.canvas.completion.CLAIM_SECONDS", -0.9)
    deliver_again(header)

    # Then nobody calls the body before the claim has run out
    wait_until(lambda: app.results.meta(result.parent.results[0].id)["status"] == "SUCCESS")
    assert result.state == "PENDING"
    monkeypatch.setattr(chords, "CLAIM_SECONDS", 0)
    app.conf.result_chord_retry_interval = 0.05

    # And then somebody does
    assert result.get(timeout=20) == 1


# -- stores that cannot count ------------------------------------------------------------------------------------------


class Plain(Backend):
    """A store as simple as the contract allows, on top of that in memory."""

    def __init__(self, app, url):
        super().__init__(app, url)
        self._inner = MemoryBackend(app, "memory://plain")
        for name in ("store", "fetch", "delete", "watch"):
            setattr(self, name, getattr(self._inner, name))

    def store(self, results): ...

    def fetch(self, task_ids): ...

    def delete(self, task_ids): ...

    def watch(self): ...


@pytest.fixture
def plain_app(make_app):
    return make_app(backend=Plain, result_chord_retry_interval=0.02)


@pytest.fixture
def plain(plain_app, monkeypatch):
    from importlib import util
    from pathlib import Path

    spec = util.spec_from_file_location("celeriac_canvas_tasks", Path(__file__).with_name("conftest.py"))
    conftest = util.module_from_spec(spec)
    spec.loader.exec_module(conftest)
    # The first look is a second after the header was sent, where nobody says otherwise.
    watch = launch.Launch.watch_chord
    monkeypatch.setattr(launch.Launch, "watch_chord", lambda self, *args: watch(self, *args[:3], 0.02))
    return conftest.define_tasks(plain_app, conftest.Diary())


def test_where_the_store_cannot_count_a_task_looks_after_the_chord(plain_app, plain, start_worker):
    start_worker(plain_app)
    t = plain
    assert chord([t.add.s(n, n) for n in range(5)], t.sum_up.s())().get(timeout=10) == 20
    inner = chord([t.identity.si(1), t.identity.si(2)], t.sum_up.s())
    assert chord([inner, chain(t.identity.s(1), t.add.s(1))], t.identity.s())().get(timeout=10) == [3, 2]
    assert chain(t.identity.s(1), inner, t.add.s(1))().get(timeout=10) == 4


def test_where_the_store_cannot_count_a_failing_header_fails_the_body(plain_app, plain, start_worker):
    start_worker(plain_app)
    result = chord([plain.identity.s(1), plain.fail.s(1)], plain.sum_up.s())()
    error = result.get(timeout=10, propagate=False)
    assert str(error) == f"Dependency {result.parent.results[1].id} raised ValueError('why not')"


def test_where_the_store_cannot_count_no_task_can_be_added(plain_app, plain, start_worker):
    @plain_app.task(bind=True, name="adds")
    def adds(self):
        self.add_to_chord(plain.identity.s(1))

    start_worker(plain_app)
    result = chord([adds.s()], plain.sum_up.s())()
    assert "does not count the parts of a chord" in str(result.get(timeout=10, propagate=False))
