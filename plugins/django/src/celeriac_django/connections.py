"""Connections to databases and caches, whose life Django ties to requests: here it is tied to tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from asgiref.sync import SyncToAsync
from django.core.cache import close_caches  # type: ignore[import-untyped]  # Django has no annotations
from django.db import (  # type: ignore[import-untyped]  # as above
    close_old_connections,
    connections,
    reset_queries,
)

#: What a child has of its parent.  It must neither use nor close it, so this keeps it from being collected:
#: some clients say goodbye to the server then, on the socket that the parent still uses.
_inherited: Final[list[Any]] = []


def before_task() -> None:
    """Close what is too old (``CONN_MAX_AGE``) or broken, and forget the queries that ``DEBUG`` has recorded.

    Connections in a transaction stay: a task that is called eagerly in one runs in it.
    """
    reset_queries()
    close_old_connections()


def after_task() -> None:
    """The same, and close the caches."""
    close_old_connections()
    close_caches()


def before_fork() -> None:
    """Close everything, so that the children of the pool inherit nothing."""
    for connection in connections.all(initialized_only=True):
        connection.close()
        close_pool = getattr(connection, "close_pool", None)  # PostgreSQL's, from Django 5.1
        if close_pool is not None:
            close_pool()
    close_caches()


def after_fork() -> None:
    """In a child: leave the parent's connections alone and begin with none."""
    for connection in connections.all(initialized_only=True):
        _inherited.append(connection)
        del connections[connection.alias]
    for alias in connections:
        pools = getattr(connections[alias], "_connection_pools", {})  # PostgreSQL's, from Django 5.1, of all threads
        if alias in pools:
            _inherited.append(pools.pop(alias))


def in_async_thread(action: Callable[[], None]) -> None:
    """Have it done in the thread in which Django runs the queries of coroutines, between two of them."""
    SyncToAsync.single_thread_executor.submit(action)
