"""What the lanes are told by ``broker_transport_options`` and by the settings of the app."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from celeriac.exceptions import ImproperlyConfigured

#: Seconds that the server may take for an answer.
PATIENCE: Final = 60.0
#: Options of this plugin; all others are the client library's.
OWN: Final = ("confirm_timeout", "delayed_delivery_prefix")


@dataclass(frozen=True, slots=True)
class LaneOptions:
    """How lanes use the server."""

    #: Seconds that the server may take to confirm a batch of messages.
    confirm_timeout: float = PATIENCE
    #: Set before the names of the exchanges and queues in which messages wait for their time.
    prefix: str = ""
    #: The type of these queues.
    delay_queue_type: str = "quorum"
    #: Whether queues are looked at for being quorum queues.
    detects_quorum: bool = True
    #: Heartbeats are looked after that many times in their interval.
    heartbeat_rate: float = 3.0
    #: Whether begun tasks, which the server takes for settled, count for the prefetch limit.
    is_strict: bool = False


def lane_options(connection: Any) -> LaneOptions:
    """The options of a Kombu connection, and of its app where it has one.  Raises `ImproperlyConfigured`."""
    given = connection.transport_options or {}
    conf = getattr(getattr(connection, "app", None), "conf", None)
    timeout = given.get("confirm_timeout", PATIENCE)
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or timeout <= 0:
        raise ImproperlyConfigured(f"broker_transport_options: confirm_timeout must be seconds, not {timeout!r}")
    own = LaneOptions(float(timeout), str(given.get("delayed_delivery_prefix") or ""))
    if conf is None:
        return own
    kind = conf.broker_native_delayed_delivery_queue_type
    if kind not in {"quorum", "classic"}:
        raise ImproperlyConfigured(
            f"setting 'broker_native_delayed_delivery_queue_type' is quorum or classic, not {kind!r}"
        )
    return replace(
        own,
        delay_queue_type=kind,
        detects_quorum=bool(conf.worker_detect_quorum_queues),
        heartbeat_rate=conf.broker_heartbeat_checkrate,
        is_strict=conf.worker_disable_prefetch,
    )


def is_quorum(queue: Any) -> bool:
    """Whether a Kombu queue is declared as a quorum queue."""
    return (getattr(queue, "queue_arguments", None) or {}).get("x-queue-type") == "quorum"
