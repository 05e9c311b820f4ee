"""What the headers of a message say of its task, for a result that is stored without running it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celeriac.app.context import Context
from celeriac.protocol.headers import HEADER_KEYS

if TYPE_CHECKING:
    from celeriac.contracts.broker import Delivery
    from celeriac.contracts.pool import Job


def unread_request(message: Job | Delivery, hostname: str | None = None) -> Context:
    """The request of a task whose arguments nobody has read; `message` has checked headers."""
    headers = message.headers
    told = getattr(message, "delivery_info", None) or {"routing_key": getattr(message, "routing_key", None)}
    return Context(
        id=headers["id"],
        task=headers["task"],
        group=headers.get("group"),
        parent_id=headers.get("parent_id"),
        retries=headers.get("retries") or 0,
        stamped_headers=headers.get("stamped_headers"),
        stamps=headers.get("stamps"),
        headers={key: headers[key] for key in headers.keys() - HEADER_KEYS},
        reply_to=message.properties.get("reply_to"),
        delivery_info=told,
        hostname=hostname,
    )
