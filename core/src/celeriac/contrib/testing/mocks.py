"""Messages as a consumer would get them, for tests of what reads messages."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from unittest.mock import MagicMock, Mock
from uuid import uuid4


def TaskMessage(
    name: str,
    id: str | None = None,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    callbacks: Any = None,
    errbacks: Any = None,
    chain: Any = None,
    shadow: str | None = None,
    utc: bool | None = None,  # noqa: ARG001  # moments are in UTC anyway
    **options: Any,
) -> Any:
    """A task message of protocol 2; `options` are further headers."""
    message = _message(id)
    message.headers = {"id": message.task_id, "task": name, "shadow": shadow, **options}
    embed = {"callbacks": callbacks, "errbacks": errbacks, "chain": chain}
    message.payload = (args, dict(kwargs or {}), embed)
    return _encoded(message)


def TaskMessage1(
    name: str,
    id: str | None = None,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    callbacks: Any = None,
    errbacks: Any = None,
    chain: Any = None,
    **options: Any,
) -> Any:
    """A task message of protocol 1, in which everything is in the body."""
    message = _message(id)
    message.headers = {}
    message.payload = {
        "task": name,
        "id": message.task_id,
        "args": args,
        "kwargs": dict(kwargs or {}),
        "callbacks": callbacks,
        "errbacks": errbacks,
        "chain": chain,
        **options,
    }
    return _encoded(message)


def task_message_from_sig(
    app: Any,  # noqa: ARG001  # the signature knows its app
    sig: Any,
    utc: bool = True,
    TaskMessage: Callable[..., Any] = TaskMessage,
    **options: Any,
) -> Any:
    """The message of a signature."""
    sig.freeze()
    given = {
        "callbacks": sig.options.get("link") or None,
        "errbacks": sig.options.get("link_error") or None,
        "expires": sig.options.get("expires"),
        "eta": sig.options.get("eta"),
        **options,
    }
    return TaskMessage(sig.task, id=sig.id, args=sig.args, kwargs=sig.kwargs, utc=utc, **given)


def ContextMock(*args: Any, **kwargs: Any) -> MagicMock:
    """A mock that is a context manager, and lets errors of its block pass."""
    mock = MagicMock(*args, **kwargs)
    mock.__enter__.return_value = mock
    mock.__exit__.return_value = None
    return mock


def _message(id: str | None) -> Any:
    task_id = id or str(uuid4())
    message = Mock(name=f"TaskMessage-{task_id}")
    message.task_id = task_id
    message.properties = {"correlation_id": task_id}
    message.delivery_info = {"exchange": "", "routing_key": "celery", "redelivered": False}
    return message


def _encoded(message: Any) -> Any:
    message.content_type, message.content_encoding = "application/json", "utf-8"
    message.body = json.dumps(message.payload)
    return message


__all__ = ["ContextMock", "TaskMessage", "TaskMessage1", "task_message_from_sig"]
