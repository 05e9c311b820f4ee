"""What a task may know about the message that called it: ``task.request``."""

from __future__ import annotations

from typing import Any


class Context:
    """The request of one execution.  Unknown message headers are found in `headers`."""

    _children: list[Any] | None = None
    _protected = 0
    args: Any = None
    callbacks: Any = None
    called_directly = True
    chain: Any = None
    chord: Any = None
    correlation_id: str | None = None
    delivery_info: dict[str, Any] | None = None
    errbacks: Any = None
    eta: str | None = None
    expires: str | None = None
    group: str | None = None
    group_index: int | None = None
    headers: dict[str, Any] | None = None
    hostname: str | None = None
    id: str | None = None
    ignore_result: bool | None = False
    is_eager = False
    kwargs: Any = None
    kwargsrepr: str | None = None
    argsrepr: str | None = None
    lang: str | None = None
    logfile: str | None = None
    loglevel: int | None = None
    #: What the run itself has said of it, by ``retry(max_retries=...)``.
    max_retries: int | None = None
    origin: str | None = None
    parent_id: str | None = None
    properties: dict[str, Any] | None = None
    replaced_task_nesting: int = 0
    reply_to: str | None = None
    retries: int = 0
    root_id: str | None = None
    shadow: str | None = None
    stamped_headers: list[str] | None = None
    stamps: dict[str, Any] | None = None
    task: str | None = None
    taskset: str | None = None
    timelimit: Any = None
    utc: bool | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.update(*args, **kwargs)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set fields from a map or keywords."""
        self.__dict__.update(*args, **kwargs)

    def clear(self) -> None:
        """Back to the defaults."""
        self.__dict__.clear()

    def get(self, key: str, default: Any = None) -> Any:
        """The field `key`, or `default` where it has none."""
        return getattr(self, key, default)

    def __repr__(self) -> str:
        return f"<Context: {self.task}[{self.id}] retries={self.retries}>"

    @property
    def children(self) -> list[Any]:
        """Results of the tasks that this one has called."""
        if self._children is None:
            self._children = []
        return self._children

    @property
    def priority(self) -> int | None:
        """The priority that the message arrived with."""
        value = (self.delivery_info or {}).get("priority")
        return value if value is not None else (self.properties or {}).get("priority")

    def as_execution_options(self) -> dict[str, Any]:
        """What another message must carry to stand in this one's place."""
        limit_hard, limit_soft = self.timelimit or (None, None)
        return {
            "task_id": self.id,
            "root_id": self.root_id,
            "parent_id": self.parent_id,
            "group_id": self.group,
            "group_index": self.group_index,
            "shadow": self.shadow,
            "chord": self.chord,
            "chain": self.chain,
            "link": self.callbacks,
            "link_error": self.errbacks,
            "expires": self.expires,
            "soft_time_limit": limit_soft,
            "time_limit": limit_hard,
            "headers": _without_death(self.headers),
            "retries": self.retries,
            "reply_to": self.reply_to,
            "replaced_task_nesting": self.replaced_task_nesting,
            "origin": self.origin,
            "ignore_result": self.ignore_result,
            "stamped_headers": self.stamped_headers,
            "stamps": self.stamps,
        }


def _without_death(headers: dict[str, Any] | None) -> dict[str, Any] | None:
    """`headers` less those in which RabbitMQ notes the dead letters of one message: the next is another."""
    if not headers:
        return None
    return {key: value for key, value in headers.items() if not key.startswith(("x-death", "x-first-death"))}
