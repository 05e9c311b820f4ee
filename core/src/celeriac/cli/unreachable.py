"""What is told when a broker or a result store does not answer: whose URL it was, and what to do."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from celeriac.exceptions import CeleryError, StoreUnavailable

if TYPE_CHECKING:
    from celeriac.app.base import Celery

_ANSWERS_NOTHING: Final = (ConnectionError, TimeoutError, socket.gaierror)


def explained(error: BaseException, app: Celery | None) -> tuple[str, str] | None:
    """The error in a line, and a hint; None for one that is about something else."""
    if app is None or not _is_of_a_connection(error, app):
        return None
    is_store = isinstance(error, StoreUnavailable)
    what, url = ("result store", app.backend.as_uri()) if is_store else ("broker", app.broker_uri())
    told = str(error).rstrip(".") or type(error).__name__
    option = "--result-backend" if is_store else "-b"
    text = told if f"the {what}" in told else f"cannot reach the {what} {url}: {told}"
    return text, f"Is it running? {option} names another one; `celeriac doctor` looks for what is at fault."


def _is_of_a_connection(error: BaseException, app: Celery) -> bool:
    if isinstance(error, CeleryError) and not isinstance(error, StoreUnavailable):
        return False
    if isinstance(error, StoreUnavailable):
        return True
    kombu = sys.modules.get("kombu.exceptions")
    wrapper = (kombu.OperationalError,) if kombu else ()
    # What a transport counts among errors of its connection may be all of OSError, and of files.
    clients = tuple(kind for kind in app.connection_errors if not issubclass(kind, (OSError, *wrapper)))
    return any(isinstance(each, (*_ANSWERS_NOTHING, *clients)) for each in _chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
