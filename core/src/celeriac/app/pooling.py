"""The part of an app that keeps connections open: pools of Kombu connections and producers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from celeriac.app.connecting import ConnectedApp

if TYPE_CHECKING:
    from celeriac.signals import Signal


class PooledApp(ConnectedApp):
    """What a `Celery` lends to whoever talks to the broker through Kombu itself.

    Tasks are published through lanes (`celeriac.app.lanes`), which are kept apart from these.
    """

    on_after_fork: Signal
    _pool: Any = None
    _producer_pool: Any = None

    @property
    def pool(self) -> Any:
        """The pool of connections: at most ``broker_pool_limit``, each opened at its first use."""
        if self._pool is None:
            with self._lock:
                if self._pool is None:
                    self._pool = self.connection_for_write().Pool(limit=self.conf.broker_pool_limit or None)
        return self._pool

    @property
    def producer_pool(self) -> Any:
        """The pool of producers, over the connections of `pool`."""
        if self._producer_pool is None:
            from kombu.pools import ProducerPool

            connections = self.pool
            with self._lock:
                if self._producer_pool is None:
                    self._producer_pool = ProducerPool(connections, limit=connections.limit)
        return self._producer_pool

    @contextmanager
    def connection_or_acquire(self, connection: Any = None, pool: bool = True, *_: Any, **__: Any) -> Iterator[Any]:
        """`connection`, or one of the pool while the block runs; without `pool` a new one that is closed after it.

        Raises `kombu.exceptions.LimitExceeded` when none comes free within ``broker_pool_acquire_timeout``.
        """
        if connection is not None:
            yield connection
            return
        with self._acquire(self.pool) if pool else self.connection_for_write() as acquired:
            yield acquired

    @contextmanager
    def producer_or_acquire(self, producer: Any = None) -> Iterator[Any]:
        """`producer`, or one of the pool while the block runs; errors as `connection_or_acquire`."""
        if producer is not None:
            yield producer
            return
        with self._acquire(self.producer_pool) as acquired:
            yield acquired

    default_connection = connection_or_acquire
    default_producer = producer_or_acquire

    def _acquire(self, pool: Any) -> Any:
        return pool.acquire(block=True, timeout=self.conf.broker_pool_acquire_timeout)

    def close_pools(self) -> None:
        """Close the connections that are lent and those that are not; a later use opens new ones."""
        with self._lock:
            pools, self._pool, self._producer_pool = (self._producer_pool, self._pool), None, None
        for pool in pools:
            if pool is not None:
                pool.force_close_all()

    def after_fork(self) -> None:
        """In a forked child: a thread of the parent may have held a lock, and its connections are not ours."""
        self._lock = threading.RLock()
        self.conf.forget_lock()
        # Not closed, which would say goodbye in the parent's name, nor collected while that might do the same.
        self.__dict__.setdefault("_inherited", []).append((self._pool, self._producer_pool))
        self._pool = self._producer_pool = None
        self.on_after_fork.send(sender=self)
