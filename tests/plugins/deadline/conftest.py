"""An app, and what it would have sent."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest

from celeriac.app.base import Celery
from celeriac.contracts import OutgoingMessage
from celeriac.plugin import Middleware, hookimpl


class Recorder:
    """Keeps what leaves the app, behind every other layer."""

    def __init__(self) -> None:
        self.messages: list[OutgoingMessage] = []

    @hookimpl
    def celeriac_publish_middleware(self):
        yield Middleware(1000, self.keep, "recorder")

    def keep(self, message, call_next):
        self.messages.append(message)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def make_app(recorder):
    apps = []

    def make(**settings) -> Celery:
        url = f"memory://{uuid4().hex}"
        app = Celery("proj", broker=url, backend=url, set_as_current=False, **settings)
        app.plugins.register(recorder)
        apps.append(app)
        return app

    yield make
    for app in apps:
        app.close()


@pytest.fixture
def app(make_app) -> Celery:
    return make_app()


@pytest.fixture
def sent(recorder) -> Callable[[], OutgoingMessage]:
    """Return ``sent()``: the one message that was sent since the last call."""

    def take() -> OutgoingMessage:
        (message,) = recorder.messages
        recorder.messages.clear()
        return message

    return take
