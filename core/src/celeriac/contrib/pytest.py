"""Fixtures for the tests of an application: an app and a worker for each test, or for all of them.

It is loaded by name, so that a suite with Celery's fixtures of the same names keeps those:
``pytest_plugins = ["celeriac.contrib.pytest"]`` in the ``conftest.py`` at the root, or ``-p celeriac.contrib.pytest``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from celeriac.contrib.testing.app import DEFAULT_TEST_CONFIG, TestApp, setup_default_app
from celeriac.contrib.testing.worker import start_worker
from celeriac.testing.clock import FakeClock
from celeriac.testing.published import Published, published

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.worker.boot import WorkController

#: With this in the environment no worker is started: the tests use one that runs already.
NO_WORKER: Final = "NO_WORKER"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", "celery(**settings): settings of the app of this test, on top of those of celery_config"
    )


@contextmanager
def _app(enable_logging: bool, use_trap: bool, parameters: Mapping[str, Any], config: Mapping[str, Any]) -> Any:
    app = TestApp(
        set_as_current=False,
        enable_logging=enable_logging,
        config={**DEFAULT_TEST_CONFIG, **config},
        **parameters,
    )
    with setup_default_app(app, use_trap=use_trap):
        yield app


def _worker(
    app: Celery,
    includes: Sequence[str],
    class_tasks: Sequence[Any],
    pool: Any,
    parameters: Mapping[str, Any],
) -> Iterator[WorkController | None]:
    for module in includes:
        app.loader.import_task_module(module)
    for task in class_tasks:
        app.register_task(task)
    if os.environ.get(NO_WORKER):
        yield None
        return
    with start_worker(app, pool=pool, **parameters) as worker:
        yield worker


# --- for one test -----------------------------------------------------------------------------------------------------


@pytest.fixture
def celery_app(
    request: pytest.FixtureRequest,
    celery_config: Mapping[str, Any],
    celery_parameters: Mapping[str, Any],
    celery_enable_logging: bool,
    use_celery_app_trap: bool,
) -> Iterator[Celery]:
    """An app for this test, configured by `celery_config` and the marker ``celery``."""
    marker = request.node.get_closest_marker("celery")
    config = {**celery_config, **(marker.kwargs if marker else {})}
    with _app(celery_enable_logging, use_celery_app_trap, celery_parameters, config) as app:
        yield app


@pytest.fixture
def celery_worker(
    celery_app: Celery,
    celery_includes: Sequence[str],
    celery_class_tasks: Sequence[Any],
    celery_worker_pool: Any,
    celery_worker_parameters: Mapping[str, Any],
) -> Iterator[WorkController | None]:
    """A worker of `celery_app`, in a thread, for as long as the test runs."""
    yield from _worker(celery_app, celery_includes, celery_class_tasks, celery_worker_pool, celery_worker_parameters)


@pytest.fixture
def depends_on_current_app(celery_app: Celery) -> None:
    """For tests of what uses the current app: `celery_app` is it, whatever `use_celery_app_trap` says."""
    celery_app.set_current()


@pytest.fixture
def celery_clock() -> Iterator[FakeClock]:
    """A clock that stands still until the test lets it go on; use it before `celery_worker`."""
    with FakeClock() as clock:
        yield clock


@pytest.fixture
def celery_published(celery_app: Celery) -> Iterator[Published]:
    """What `celery_app` sends while the test runs."""
    with published(celery_app) as sent:
        yield sent


# --- for all tests ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def celery_session_app(
    celery_config: Mapping[str, Any],
    celery_parameters: Mapping[str, Any],
    celery_enable_logging: bool,
    use_celery_app_trap: bool,
) -> Iterator[Celery]:
    """One app for all tests."""
    with _app(celery_enable_logging, use_celery_app_trap, celery_parameters, celery_config) as app:
        yield app


@pytest.fixture(scope="session")
def celery_session_worker(
    celery_session_app: Celery,
    celery_includes: Sequence[str],
    celery_class_tasks: Sequence[Any],
    celery_worker_pool: Any,
    celery_worker_parameters: Mapping[str, Any],
) -> Iterator[WorkController | None]:
    """One worker for all tests."""
    yield from _worker(
        celery_session_app, celery_includes, celery_class_tasks, celery_worker_pool, celery_worker_parameters
    )


# --- to be overridden -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def celery_config() -> Mapping[str, Any]:
    """Settings of the apps; without ``broker_url`` and ``result_backend`` each has an in-memory one of its own."""
    return {}


@pytest.fixture(scope="session")
def celery_parameters() -> Mapping[str, Any]:
    """Arguments of the constructor of the apps."""
    return {}


@pytest.fixture(scope="session")
def celery_worker_parameters() -> Mapping[str, Any]:
    """Arguments of `celeriac.contrib.testing.worker.start_worker`, options of the worker among them."""
    return {}


@pytest.fixture(scope="session")
def celery_worker_pool() -> Any:
    """The pool of the workers."""
    return "solo"


@pytest.fixture(scope="session")
def celery_includes() -> Sequence[str]:
    """Modules with tasks that are imported before a worker starts."""
    return ()


@pytest.fixture(scope="session")
def celery_class_tasks() -> Sequence[Any]:
    """Tasks, written as classes, that are registered before a worker starts."""
    return ()


@pytest.fixture(scope="session")
def celery_enable_logging() -> bool:
    """Whether workers set up logs."""
    return False


@pytest.fixture(scope="session")
def use_celery_app_trap() -> bool:
    """Whether tests fail that use the current app without `depends_on_current_app`."""
    return False
