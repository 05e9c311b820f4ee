"""The hook by which results find their way: where they go is declared before the task is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celeriac.contracts.urls import scheme_of
from celeriac.plugin import Middleware, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable


@hookimpl
def celeriac_publish_middleware(app: Any) -> Iterable[Middleware]:
    """Far out, and only where results are messages."""
    url = app.conf.result_backend
    if isinstance(url, str) and url and scheme_of(url) == "rpc":
        from celeriac_amqp.addressing import address

        yield Middleware(10, address(app), "rpc")
