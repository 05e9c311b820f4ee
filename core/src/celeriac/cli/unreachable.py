"""What is told when a broker or a result store does not answer, or refuses: whose URL it was, and what to do."""

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
    if app is None:
        return None
    if not _is_of_a_connection(error, app):
        return _refused(error, app)
    is_store = isinstance(error, StoreUnavailable)
    what, url = ("result store", app.backend.as_uri()) if is_store else ("broker", app.broker_uri())
    told = in_a_line(error)
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


def _refused(error: BaseException, app: Celery) -> tuple[str, str] | None:
    """Of an error with which the broker's client says what the server has against it."""
    if isinstance(error, CeleryError):
        return None
    kombu = sys.modules.get("kombu.exceptions")
    # Kombu wraps those of clients in one of its own, without a word more.
    is_wrapped = kombu is not None and isinstance(error, kombu.OperationalError) and str(error) == str(error.__cause__)
    refusals = tuple(
        kind for kind in app.broker_transport.channel_errors or () if not issubclass(kind, OSError | LookupError)
    )
    if not is_wrapped and not isinstance(error, refusals):
        return None
    return f"the broker {app.broker_uri()} refuses: {in_a_line(error)}", (
        "Is its URL right? -b names another one; `celeriac doctor` looks for what is at fault."
    )


def in_a_line(error: BaseException) -> str:
    """What an error says, or which it is, without the ends of lines in it."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
