"""The body of a task message, protocol 2: ``[args, kwargs, embed]``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from celeriac.exceptions import ProtocolError
from celeriac.protocol.shapes import wrong
from celeriac.protocol.signatures import signature, signatures

__all__ = ["EMBED_KEYS", "TaskBody", "decode_body", "encode_body"]

EMBED_KEYS: Final = ("callbacks", "errbacks", "chain", "chord")


class TaskBody(NamedTuple):
    """What a task is called with and what follows it. Signatures are the maps of the wire."""

    args: list[Any]
    kwargs: dict[str, Any]
    #: Signatures called with the result (``link``).
    callbacks: list[dict[str, Any]] | None = None
    #: Signatures called on failure (``link_error``).
    errbacks: list[dict[str, Any]] | None = None
    #: The rest of the chain in reverse: the LAST is called next.
    chain: list[dict[str, Any]] | None = None
    #: The body of the chord that this task is a part of.
    chord: dict[str, Any] | None = None


def encode_body(
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    callbacks: Sequence[Any] | None = None,
    errbacks: Sequence[Any] | None = None,
    chain: Sequence[Any] | None = None,
    chord: Any = None,
) -> tuple[Sequence[Any], Mapping[str, Any], dict[str, Any]]:
    """The three elements for the serializer. `chain` is in reverse already; nothing is copied."""
    return args, kwargs, {"callbacks": callbacks, "errbacks": errbacks, "chain": chain, "chord": chord}


def decode_body(value: object) -> TaskBody:
    """Check a body that the serializer has decoded.

    Accepted: the three elements, with null for embed, and the map with ``args`` that a protocol 2
    message may carry instead. Unknown keys are tolerated. Raises ProtocolError for everything else.
    """
    if isinstance(value, (list, tuple)):
        if len(value) != 3:
            raise ProtocolError(f"task body: expected the 3 elements [args, kwargs, embed], found {len(value)}")
        args, kwargs, embed = value
        if embed is None:
            return TaskBody(_args(args), _kwargs(kwargs))
    elif isinstance(value, Mapping):
        if "args" not in value:
            raise wrong("task body", "[args, kwargs, embed], or a map with 'args'", value)
        args, kwargs, embed = value["args"], value.get("kwargs"), value
    else:
        raise wrong("task body", "[args, kwargs, embed]", value)
    if not isinstance(embed, Mapping):
        raise wrong("task body, embed", "a map or null", embed)
    get = embed.get
    return TaskBody(
        _args(args),
        _kwargs(kwargs),
        signatures(get("callbacks"), "callbacks"),
        signatures(get("errbacks"), "errbacks"),
        signatures(get("chain"), "chain"),
        signature(get("chord"), "chord"),
    )


def _args(value: Any) -> list[Any]:
    if type(value) is list:
        return value
    if value is None:
        return []
    if not isinstance(value, (list, tuple)):
        raise wrong("task body, args", "a list", value)
    return list(value)


def _kwargs(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise wrong("task body, kwargs", "a map", value)
    for key in value:
        if not isinstance(key, str):
            raise wrong("task body, kwargs", "names as keys", key)
    return value if type(value) is dict else dict(value)
