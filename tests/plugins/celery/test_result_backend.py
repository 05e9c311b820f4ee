"""A result store that was written for Celery does what a store must."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from celeriac import Celery
from celeriac.testing.conformance import BackendHarness, BackendSuite, VerdictKind, run

EXISTING = Path(__file__).parents[3] / "examples" / "existing"


@pytest.fixture
def file_backend(monkeypatch):
    monkeypatch.syspath_prepend(EXISTING)
    from shopkit.files import FileBackend

    yield FileBackend
    for name in ("shopkit", "shopkit.files"):
        sys.modules.pop(name, None)


#: This store is cleaned by nobody; each of these would wait for ten seconds.
NEVER_EXPIRES = (
    "test_a_result_expires_when_its_time_is_over",
    "test_results_expire_as_the_settings_say",
    "test_a_group_expires",
)


@pytest.fixture
def app(file_backend, tmp_path):
    with Celery("proj", broker="memory://", set_as_current=False) as app:
        app.plugins.register_driver("backend", "files", file_backend)
        app.conf.result_backend = f"files://{tmp_path / 'results'}"
        yield app


def test_it_passes_the_suite(file_backend, tmp_path):
    def harness():
        app = Celery("kit", broker="memory://", set_as_current=False)
        app.plugins.register_driver("backend", "files", file_backend)
        return BackendHarness(f"files://{tmp_path}/results", app)

    assert all(hasattr(BackendSuite, name) for name in NEVER_EXPIRES)
    without = dict.fromkeys(NEVER_EXPIRES, lambda _: None)
    case = type("Case", (BackendSuite,), {"make_harness": lambda _: harness(), **without})
    failed = {verdict.test: verdict.detail for verdict in run(case) if verdict.kind is VerdictKind.FAILED}
    assert failed == {}


def test_programs_ask_it_as_they_ask_celerys(app):
    backend = app.backend
    backend.mark_as_started("1", pid=7)
    assert backend.get_status("1") == "STARTED"
    backend.mark_as_done("1", {"x": 1})
    assert (backend.get_state("1"), backend.get_result("1")) == ("SUCCESS", {"x": 1})
    backend.mark_as_failure("2", KeyError("gone"), traceback="Traceback ...")
    assert isinstance(backend.get_result("2"), KeyError)
    assert backend.get_traceback("2") == "Traceback ..."
    backend.forget("1")
    assert backend.get_task_meta("1")["status"] == "PENDING"
    assert backend.expires == 86400


def test_what_it_writes_is_what_celery_reads(app, tmp_path):
    app.conf.result_extended = True

    @app.task
    def add(x, y):
        return x + y

    from celeriac.testing import start_worker

    with start_worker(app):
        result = add.delay(1, 2)
        assert result.get(timeout=10) == 3
    stored = app.backend.decode(app.backend.get(f"celery-task-meta-{result.id}"))
    assert stored["status"] == "SUCCESS"
    assert stored["name"] == add.name
    assert (stored["args"], stored["queue"]) == ([1, 2], "celery")
    assert stored["date_done"].startswith("20")
