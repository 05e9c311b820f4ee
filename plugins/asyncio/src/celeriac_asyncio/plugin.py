"""The hook: the setting of this pool."""

from __future__ import annotations

from collections.abc import Iterable

from celeriac.plugin import Setting, hookimpl


@hookimpl
def celeriac_settings() -> Iterable[Setting]:
    """How many processes share the coroutines."""
    yield Setting(
        "worker_asyncio_children",
        int,
        None,
        "Child processes of the pool asyncio, which share worker_concurrency; None: one per processor.",
        minimum=1,
    )
