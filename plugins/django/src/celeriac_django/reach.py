"""Operations on the tables of results, with errors as the kernel knows them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import (  # type: ignore[import-untyped]  # Django has no annotations
    DatabaseError,
    InterfaceError,
    connections,
)

from celeriac.exceptions import StoreUnavailable


@contextmanager
def connected() -> Iterator[None]:
    """A connection that is not too old, and errors as the kernel knows them.  Raises `StoreUnavailable`."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
    try:
        yield
    except (DatabaseError, InterfaceError) as error:
        raise StoreUnavailable(f"the result store in Django's database is out of reach: {error}") from error
