"""The fixtures of ``celery.contrib.pytest``; that they work as the how-to says is tested in tests/docs."""

from __future__ import annotations

import pytest

CONFTEST = """
import pytest
pytest_plugins = ["celeriac.contrib.pytest"]
"""


@pytest.fixture
def run(pytester):
    """Return ``run(conftest, tests, *arguments)``: how the suite of these files went."""

    def run(conftest, tests, *arguments):
        pytester.makeconftest(CONFTEST + conftest)
        pytester.makepyfile(tests)
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", "--strict-markers", *arguments)

    return run


def test_what_a_suite_overrides_counts(run, pytester, monkeypatch):
    monkeypatch.syspath_prepend(pytester.path)
    pytester.makepyfile(
        included_tasks="from celeriac import shared_task\n@shared_task\ndef included(): return 'included'"
    )
    result = run(
        """
        @pytest.fixture(scope="session")
        def celery_config(): return {"result_extended": True, "broker_url": "memory://suite"}
        @pytest.fixture(scope="session")
        def celery_parameters(): return {"name": "suite"}
        @pytest.fixture(scope="session")
        def celery_includes(): return ["included_tasks"]
        @pytest.fixture(scope="session")
        def celery_worker_pool(): return "threads"
        @pytest.fixture(scope="session")
        def celery_worker_parameters(): return {"concurrency": 2, "hostname": "suite@here"}
        @pytest.fixture(scope="session")
        def celery_class_tasks():
            from celeriac import Task
            class Whole(Task):
                name = "suite.whole"
                def run(self): return "whole"
            return [Whole]
        @pytest.fixture(scope="session")
        def celery_enable_logging(): return True
        """.replace("\n        ", "\n"),
        """
        import pytest
        from celeriac.contrib.testing.app import UnitLogging

        def test_one(celery_session_app, celery_session_worker):
            from included_tasks import included
            app = celery_session_app
            assert app.main == "suite" and app.conf.result_extended
            assert celery_session_worker.hostname == "suite@here"
            assert celery_session_worker.concurrency == 2
            assert not isinstance(app.log, UnitLogging)
            assert app.tasks[included.name].delay().get(timeout=10) == "included"
            assert app.tasks["suite.whole"].delay().get(timeout=10) == "whole"

        def test_other(celery_session_app, celery_session_worker):
            assert not celery_session_worker.is_stopping()

        @pytest.mark.celery(result_extended=False)
        def test_marked(celery_app):
            assert not celery_app.conf.result_extended
        """,
    )
    result.assert_outcomes(passed=3)


def test_a_trap_is_set_for_the_current_app_where_that_is_wanted(run):
    result = run(
        """
@pytest.fixture(scope="session")
def use_celery_app_trap(): return True
""",
        """
        import pytest
        from celeriac import current_app

        def test_trapped(celery_app):
            with pytest.raises(RuntimeError, match="use_celery_app_trap"):
                current_app.send_task("any")

        def test_allowed(celery_app, depends_on_current_app):
            assert current_app.main == celery_app.main
        """,
    )
    result.assert_outcomes(passed=2)


def test_without_a_worker_of_its_own_a_suite_uses_another(run, monkeypatch):
    monkeypatch.setenv("NO_WORKER", "1")
    result = run("", "def test_none(celery_worker, celery_session_worker): assert celery_worker is None")
    result.assert_outcomes(passed=1)


def test_what_users_see_of_the_fixtures_is_in_the_list(run):
    result = run("", "", "--fixtures", "-q")
    listed = result.stdout.str()
    for name in (
        *("celery_app", "celery_worker", "celery_session_app", "celery_session_worker", "celery_config"),
        *("celery_parameters", "celery_worker_parameters", "celery_worker_pool", "celery_enable_logging"),
        *("celery_includes", "celery_class_tasks", "use_celery_app_trap", "depends_on_current_app"),
        *("celery_clock", "celery_published"),
    ):
        assert name in listed
