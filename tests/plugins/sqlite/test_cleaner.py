"""A worker removes expired results from the file."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from celeriac import Celery
from celeriac.contracts import StoredResult
from celeriac_sqlite.cleaner import ResultCleaner
from celeriac_sqlite.plugin import celeriac_worker_steps


@pytest.fixture
def worker(url, loop):
    app = Celery("proj", set_as_current=False, broker="memory://", backend=url)
    yield SimpleNamespace(app=app, hub=loop.hub)
    app.close()


def store(worker, count, expires):
    worker.app.backend.store([StoredResult(f"{n}-{expires}", "SUCCESS", {}, expires) for n in range(count)])


def test_expired_results_are_removed_in_portions(worker, loop, query):
    store(worker, 1200, 0.001)
    store(worker, 3, 100)
    step = ResultCleaner(worker)
    assert step.include(worker)
    step.start(worker)
    loop.turn_until(lambda: query("SELECT count(*) FROM result") == [(3,)])
    step.stop(worker)
    step.stop(worker)


def test_the_room_of_what_has_expired_is_given_back_to_the_file_system(worker, query):
    body = "x" * 10_000
    backend = worker.app.backend
    backend.store([StoredResult(f"{n}", "SUCCESS", {"result": body}, 0.001) for n in range(2000)])
    kept = StoredResult("kept", "SUCCESS", {"result": body}, 100)
    backend.store([kept])
    ((before,),) = query("PRAGMA page_count")
    backend.cleanup()
    ((after,),) = query("PRAGMA page_count")
    assert before > 5000
    assert after < 2500
    assert query("PRAGMA integrity_check") == [("ok",)]
    assert set(backend.fetch(["kept", "1"])) == {"kept"}


def test_a_store_out_of_reach_is_logged_and_tried_again(worker, loop, query, caplog):
    store(worker, 1, 0.001)
    worker.app.conf.sqlite_cleanup_interval = 0.05
    query("CREATE TRIGGER fail BEFORE DELETE ON result BEGIN SELECT RAISE(ABORT, 'as wanted'); END")
    step = ResultCleaner(worker)
    with caplog.at_level(logging.WARNING, "celeriac.sqlite"):
        step.start(worker)
        loop.turn_until(lambda: "could not be removed" in caplog.text)
    query("DROP TRIGGER fail")
    loop.turn_until(lambda: query("SELECT count(*) FROM result") == [(0,)])
    step.stop(worker)


def test_an_interval_of_zero_means_never(worker):
    worker.app.conf.sqlite_cleanup_interval = 0
    assert not ResultCleaner(worker).include(worker)


def test_only_workers_with_results_in_a_file_have_the_step(worker):
    assert celeriac_worker_steps(worker.app) == [ResultCleaner]
    assert celeriac_worker_steps(Celery("other", set_as_current=False, broker="memory://", backend="disabled")) == []
