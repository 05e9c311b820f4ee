"""Chords where the result store can write and read, and count nothing: a task looks after them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from hypothesis import given

from celeriac import chain, chord
from celeriac.canvas import admission, launch
from celeriac.contracts import Backend
from celeriac_memory.backend import MemoryBackend

_spec = importlib.util.spec_from_file_location("celeriac_uncounted_canvases", Path(__file__).with_name("canvases.py"))
canvases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(canvases)


class Plain(Backend):
    """A store as simple as the contract allows, on top of that in memory."""

    def __init__(self, app, url):
        super().__init__(app, url)
        self._inner = MemoryBackend(app, app.conf.broker_url)
        for name in ("store", "fetch", "delete", "watch"):
            setattr(self, name, getattr(self._inner, name))

    def store(self, results): ...

    def fetch(self, task_ids): ...

    def delete(self, task_ids): ...

    def watch(self): ...


@pytest.fixture
def app(make_app, monkeypatch):
    # The first look is a second after the header was sent, where nobody says otherwise.
    watch = launch.Launch.watch_chord
    monkeypatch.setattr(launch.Launch, "watch_chord", lambda self, *args: watch(self, *args[:3], 0.02))
    monkeypatch.setattr(admission, "_SETTLING", 0.01)
    return make_app(backend=Plain, result_chord_retry_interval=0.02)


@pytest.mark.timeout(60 + canvases.MORE)
@canvases.law(60)
@given(spec=canvases.CANVASES)
def test_a_worker_gives_what_eager_evaluation_gives_and_calls_the_same_tasks(
    spec, worker, tasks, diary, outcome, wait_until
):
    canvases.law_holds(spec, worker, tasks, diary, outcome, wait_until)


def test_a_task_looks_after_the_chord(worker, tasks):
    t = tasks
    assert chord([t.add.s(n, n) for n in range(5)], t.sum_up.s())().get(timeout=10) == 20
    inner = chord([t.identity.si(1), t.identity.si(2)], t.sum_up.s())
    assert chord([inner, chain(t.identity.s(1), t.add.s(1))], t.identity.s())().get(timeout=10) == [3, 2]
    assert chain(t.identity.s(1), inner, t.add.s(1))().get(timeout=10) == 4


def test_a_failing_header_fails_the_body(worker, tasks):
    result = chord([tasks.identity.s(1), tasks.fail.s(1)], tasks.sum_up.s())()
    error = result.get(timeout=10, propagate=False)
    assert str(error) == f"Dependency {result.parent.results[1].id} raised ValueError('why not')"


def test_no_task_can_be_added(app, worker, tasks):
    @app.task(bind=True, name="adds")
    def adds(self):
        self.add_to_chord(tasks.identity.s(1))

    result = chord([adds.s()], tasks.sum_up.s())()
    assert "does not count the parts of a chord" in str(result.get(timeout=10, propagate=False))


def test_of_several_messages_of_a_body_the_first_is_admitted_and_admitted_again(app):
    assert [admission.is_admitted(app, "body", f"chord/{token}") for token in "abab"] == [True, False, True, False]
    assert admission.is_admitted(app, "another", "chord/b")
    assert admission.is_admitted(app, "body", "another/b")
