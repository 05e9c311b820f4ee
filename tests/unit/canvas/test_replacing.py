"""A running task that puts a canvas in its place, or adds to its chord."""

from __future__ import annotations

import pytest

from celeriac import chain, chord, group
from celeriac.exceptions import ImproperlyConfigured


@pytest.fixture
def replacing(app, tasks):
    """Return ``replacing(make)``: a task that is replaced by what `make` gives for its argument."""
    made = iter(range(100))

    def define(make):
        @app.task(bind=True, name=f"replacing-{next(made)}")
        def replaced(self, x):
            return self.replace(make(x))

        return replaced

    return define


CANVASES = {
    "a task": lambda t: lambda x: t.add.s(x, 10),
    "a chain": lambda t: lambda x: chain(t.add.s(x, 1), t.add.s(2)),
    "a group": lambda t: lambda x: group(t.add.s(x, 1), t.add.s(x, 2)),
    "a chain that ends with a group": lambda t: lambda x: chain(t.identity.s(x), group(t.add.s(1), t.add.s(2))),
    "a chord": lambda t: lambda x: chord([t.add.s(x, 1), t.add.s(x, 2)], t.sum_up.s()),
    "a chord with a group for a body": lambda t: (
        lambda x: chord([t.identity.s(x), t.identity.s(x)], group(t.sum_up.s(), t.identity.s()))
    ),
    "a task that fails": lambda t: t.fail.s,
}


@pytest.mark.covers("app.task.Task.replace")
@pytest.mark.usefixtures("worker")
@pytest.mark.covers("app.task.Task.replace")
@pytest.mark.parametrize("compat", [True, False], ids=["Celery's form", "short form"])
@pytest.mark.parametrize("name", CANVASES)
def test_what_follows_the_task_follows_what_replaces_it(app, tasks, replacing, outcome, name, compat):
    app.conf.task_protocol_compat = compat
    t = tasks
    task = replacing(CANVASES[name](t))
    for canvas in (
        task.s(5),
        chain(task.s(5), t.identity.s(), t.sum_up.s()),
        group(task.s(5), chain(t.identity.s(1), task.s()), t.identity.s(2)),
        chord([chain(t.identity.s(1), task.s()), group(task.s(5), t.identity.s(1))], t.identity.s()),
        chord([chord([task.s(5)], task.s())] if "group" not in name else [task.s(5)], t.sum_up.s()),
        chord([t.identity.s(2)], replacing(replacing(task.s).s).s()) if "group" not in name else task.s(5),
        chord([task.s(5), t.identity.s(1)], t.identity.s()),
        chord([t.identity.s(2), t.identity.s(1)], chain(t.sum_up.s(), task.s())),
        chain(t.identity.s(5), replacing(task.s).s(), t.identity.s()),
    ):
        assert outcome(canvas.apply_async()) == outcome(canvas.apply())


def test_the_replacement_has_the_id_and_counts_its_nesting(app, tasks, worker):
    seen = []

    @app.task(bind=True, name="inner")
    def inner(self):
        seen.append((self.request.id, self.request.root_id, self.request.replaced_task_nesting))
        return 1

    @app.task(bind=True, name="outer")
    def outer(self):
        seen.append((self.request.id, self.request.root_id, self.request.replaced_task_nesting))
        self.replace(inner.s())

    result = outer.delay()
    assert result.get(timeout=10) == 1
    assert seen == [(result.id, result.id, 0), (result.id, result.id, 1)]


@pytest.mark.covers("app.task.Task.add_to_chord")
def test_a_task_may_add_to_its_chord(app, tasks, worker):
    @app.task(bind=True, name="adding")
    def adding(self, x):
        self.add_to_chord(tasks.identity.s(x * 100))
        self.add_to_chord(chain(tasks.identity.s(x), tasks.add.s(1)), lazy=True).delay()
        return x

    result = chord([adding.s(1), adding.s(2)], tasks.identity.s())()
    found = result.get(timeout=10)
    assert found[:2] == [1, 2]
    assert sorted(found[2:]) == [2, 3, 100, 200]


def test_there_must_be_a_chord_to_add_to_and_something_to_replace_with(app, tasks, worker):
    @app.task(bind=True, name="wrong")
    def wrong(self, kind):
        return self.add_to_chord(tasks.identity.s(1)) if kind == "add" else self.replace(chain())

    with pytest.raises(ValueError, match="in no chord's header"):
        wrong.delay("add").get(timeout=10)
    with pytest.raises(ImproperlyConfigured, match="an empty chain"):
        wrong.delay("replace").get(timeout=10)


def test_a_retried_task_keeps_its_place(app, tasks, worker):
    @app.task(bind=True, name="third", max_retries=3)
    def third(self, x):
        if self.request.retries < 2:
            raise self.retry(countdown=0.01)
        return x

    assert chord([third.s(1), tasks.identity.s(2)], tasks.identity.s())().get(timeout=10) == [1, 2]
    assert chord([tasks.identity.s(1), tasks.identity.s(2)], third.s())().get(timeout=10) == [1, 2]
    assert chain(tasks.identity.s(1), third.s(), tasks.add.s(1))().get(timeout=10) == 2
    app.conf.task_protocol_compat = False
    assert chain(tasks.identity.s(1), third.s(), tasks.add.s(1))().get(timeout=10) == 2
