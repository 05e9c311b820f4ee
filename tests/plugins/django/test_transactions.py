"""What the result store writes while its caller is in a transaction, and how exact names are."""

from __future__ import annotations

import uuid

import pytest

from celeriac import Celery
from celeriac.contracts import ChordPart, NewChord, Turn

SERVERS = pytest.mark.parametrize("alias", ["postgres", "mariadb"])
ALL = pytest.mark.parametrize("alias", ["default", "postgres", "mariadb"])


@pytest.fixture
def app(tables, alias, monkeypatch):
    monkeypatch.setattr(tables, "alias", alias)
    with Celery("transactions", broker="memory://", backend="django-db", set_as_current=False) as app:
        yield app


@pytest.fixture
def new_id(app):
    made = []

    def new():
        made.append(uuid.uuid4().hex)
        return made[-1]

    yield new
    app.backend.delete(made)


@SERVERS
def test_a_chord_is_counted_though_the_transaction_that_began_it_is_rolled_back(app, alias, new_id):
    from django.db import connections, transaction

    # Given a chord that is begun inside of a transaction
    chord_id, part = new_id(), new_id()
    with transaction.atomic(using=alias):
        app.backend.start_chords([NewChord(chord_id, 1, {"task": "body"})])
        # Then another connection sees it before that ends
        inside = connections[alias]
        another = inside.copy()
        with another.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM celeriac_chord WHERE group_id = %s", [chord_id])
            assert cursor.fetchone()[0] == 1
        another.close()
        assert inside.in_atomic_block
        transaction.set_rollback(True, using=alias)

    # And its last part claims it, although that was rolled back
    found = app.backend.store_with_parts([], [ChordPart(chord_id, 0, part, "SUCCESS", 1)])
    assert found == {chord_id: Turn.CLAIMED}


@SERVERS
def test_progress_is_seen_while_a_task_is_in_a_transaction(app, alias, new_id):
    from django.db import connections, transaction

    from celeriac_django.models import TaskResult

    task_id = new_id()
    with transaction.atomic(using=alias):
        app.results.store_state(task_id, "PROGRESS", {"done": 1})
        another = connections[alias].copy()
        with another.cursor() as cursor:
            cursor.execute("SELECT state FROM celeriac_taskresult WHERE task_id = %s", [task_id])
            assert cursor.fetchone() == ("PROGRESS",)
        another.close()
        transaction.set_rollback(True, using=alias)
    assert TaskResult.objects.filter(task_id=task_id).exists()


def test_on_sqlite_what_is_stored_is_part_of_the_transaction(tables, monkeypatch):
    from django.db import transaction

    monkeypatch.setattr(tables, "alias", "default")
    with Celery("transactions", backend="django-db", set_as_current=False) as app:
        task_id = uuid.uuid4().hex
        with transaction.atomic():
            app.results.store_state(task_id, "SUCCESS", 1)
            transaction.set_rollback(True)
        assert app.results.fetch([task_id]) == {}


@ALL
def test_ids_that_differ_in_case_alone_are_two(app, new_id):
    first = new_id()
    app.results.store_state(first, "SUCCESS", 1)
    assert set(app.results.fetch([first, first.upper()])) == {first}
    app.results.store_state(first.upper(), "SUCCESS", 2)
    assert {app.results.meta(each)["result"] for each in (first, first.upper())} == {1, 2}
    app.backend.delete([first.upper()])


@ALL
def test_names_that_no_column_takes_are_told_apart(app, new_id):
    store, base = app.backend, new_id()
    names = [base, f"{base} ", f"{base}\x00", base.upper(), f"{base}\N{SNOWMAN}", base * 50, base * 50 + "x"]
    store.set_values({name: str(number).encode() for number, name in enumerate(names)})
    found = store.get_values(names)
    store.delete_values(names)
    assert found == {name: str(number).encode() for number, name in enumerate(names)}
    assert store.get_values(names) == {}
