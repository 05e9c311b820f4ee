"""Tasks of a canvas that have no end of their own: whoever waits for them is told."""

from __future__ import annotations

import pytest

from celeriac import chain, chord
from celeriac.exceptions import ChordError, NotRegistered, TaskRevokedError


def test_an_expired_task_of_a_header_fails_the_chord(app, tasks, start_worker):
    result = chord([tasks.identity.s(1), tasks.identity.s(2).set(expires=0.001)], tasks.sum_up.s())()
    start_worker(app)
    with pytest.raises(ChordError, match=r"raised TaskRevokedError\('expired'\)"):
        result.get(timeout=10)


def test_an_unknown_task_of_a_header_fails_the_chord(app, tasks, start_worker):
    result = chord([tasks.identity.s(1), app.signature("no.such.task")], tasks.sum_up.s())()
    start_worker(app)
    with pytest.raises(ChordError, match=r"no\.such\.task"):
        result.get(timeout=10)


@pytest.mark.parametrize("compat", [True, False], ids=["Celery's form", "short form"])
@pytest.mark.parametrize(
    ("first", "error"),
    [
        (lambda t, app: t.identity.s(1).set(expires=0.001), TaskRevokedError),
        (lambda t, app: app.signature("no.such.task"), NotRegistered),
        (lambda t, app: t.fail.s(1), ValueError),
    ],
)
def test_all_that_follows_a_task_that_never_ran_has_its_error(app, tasks, start_worker, compat, first, error):
    app.conf.task_protocol_compat = compat
    result = chain(first(tasks, app), tasks.add.s(1), chord([tasks.add.s(1)], tasks.sum_up.s()), tasks.add.s(1))()
    start_worker(app)
    last = app.AsyncResult(result.id)  # without what it knows of those before it
    assert isinstance(last.get(timeout=10, propagate=False), error)
    member = result.parent.parent.results[0]
    assert isinstance(member.get(timeout=10, propagate=False), error)


def test_a_result_that_cannot_be_stored_fails_the_chord(app, tasks, start_worker):
    @app.task(name="unspeakable")
    def unspeakable():
        return object()

    result = chord([unspeakable.s(), tasks.identity.s(1)], tasks.sum_up.s())()
    start_worker(app)
    with pytest.raises(ChordError, match="object"):
        result.get(timeout=10)
