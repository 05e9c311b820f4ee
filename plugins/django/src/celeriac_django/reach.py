"""Operations on the tables: on which connection, with errors as the kernel knows them, by which clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.apps import apps  # type: ignore[import-untyped]  # Django has no annotations
from django.db import (  # type: ignore[import-untyped]  # as above
    DatabaseError,
    InterfaceError,
    connections,
    router,
)

from celeriac.exceptions import StoreUnavailable

#: What tells the seconds since the epoch; of SQLite all users are on one machine, whose clock is as good.
_CLOCKS: Final = {
    "postgresql": "SELECT extract(epoch FROM clock_timestamp())",
    "mysql": "SELECT unix_timestamp(now(6))",
}


@contextmanager
def connected() -> Iterator[None]:
    """A connection that is not broken, and errors as the kernel knows them.  Raises `StoreUnavailable`.

    How old it may be is decided where a request or a task ends: its caller may be in the midst of using it.
    """
    for connection in connections.all(initialized_only=True):
        if connection.errors_occurred and not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
    try:
        yield
    except (DatabaseError, InterfaceError) as error:
        raise StoreUnavailable(f"the result store in Django's database is out of reach: {error}") from error


@contextmanager
def apart() -> Iterator[None]:
    """The same, and what is done is done at once, whatever becomes of the transaction that the caller is in.

    There it has a connection of its own: workers must see a chord before its header is sent, and go on counting it
    where the caller rolls back.  SQLite has one writer at a time, which the caller may be: there it is part of the
    transaction.
    """
    with connected():
        busy = [each for each in connections.all(initialized_only=True) if each.in_atomic_block]
        busy = [each for each in busy if each.vendor != "sqlite" and each.alias in _aliases()] if busy else []
        for connection in busy:
            connections[connection.alias] = _another(connection)
        try:
            yield
        finally:
            for connection in busy:
                connections[connection.alias].close()
                connections[connection.alias] = connection


def _aliases() -> set[str]:
    return {router.db_for_write(model) for model in apps.get_app_config("celeriac").get_models()}


def _another(connection: Any) -> Any:
    """A connection to the same database, beside the pool: all of that may be waiting for this one."""
    another = connection.copy()
    another.settings_dict["OPTIONS"] = {
        key: value for key, value in another.settings_dict["OPTIONS"].items() if key != "pool"
    }
    return another


def clock(using: str) -> float:
    """Seconds since the epoch, by the one clock that all users of the database share."""
    query = _CLOCKS.get(connections[using].vendor)
    if query is None:
        return time.time()
    with connections[using].cursor() as cursor:
        cursor.execute(query)
        return float(cursor.fetchone()[0])
