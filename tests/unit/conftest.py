"""What the tests of app, results and canvas share: apps on memory of their own, what they have sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from celeriac.app.base import Celery
from celeriac.app.current import set_current_app, set_default_app
from celeriac.contracts import Middleware, OutgoingMessage
from celeriac.plugin import hookimpl


@pytest.fixture
def memory_url() -> str:
    """A broker and a result store that no other test has."""
    return f"memory://{uuid4().hex}"


@pytest.fixture
def make_app(memory_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Celery]]:
    """Return ``make_app(main="proj", **settings)``: an app on `memory_url`, closed when the test ends.

    Of the plugins that are installed only ``memory`` takes part.  The app is not the current one, unless asked.
    """
    monkeypatch.setenv("CELERIAC_PLUGINS_ALLOW", "memory")
    made: list[Celery] = []
    _no_app_is_current()

    def make(main: str | None = "proj", **options: Any) -> Celery:
        given = {"broker": memory_url, "backend": memory_url, "set_as_current": False, **options}
        made.append(Celery(main, **given))
        return made[-1]

    yield make
    for app in made:
        app.close()
    _no_app_is_current()


def _no_app_is_current() -> None:
    set_current_app(None)
    set_default_app(None)


@pytest.fixture
def app(make_app: Callable[..., Celery]) -> Celery:
    return make_app()


class Recorder:
    """A plugin that notes each message on its way out."""

    def __init__(self) -> None:
        self.messages: list[OutgoingMessage] = []

    def note(self, message: Any, call_next: Callable[[Any], Any]) -> Any:
        self.messages.append(message)
        return call_next(message)

    @hookimpl
    def celeriac_publish_middleware(self) -> list[Middleware]:
        return [Middleware(100, self.note, "recorder")]


@pytest.fixture(scope="session")
def record() -> Callable[[Celery], list[OutgoingMessage]]:
    """Return ``record(app)``: the list to which each message that the app sends from now on is added."""

    def start(app: Celery) -> list[OutgoingMessage]:
        recorder = Recorder()
        app.plugins.register(recorder)
        return recorder.messages

    return start
