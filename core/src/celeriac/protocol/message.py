"""Which protocol a message speaks, and its headers and body whichever it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from celeriac.protocol.body import TaskBody, decode_body
from celeriac.protocol.headers import HEADER_KEYS, TaskHeaders, is_v2, read_headers
from celeriac.protocol.shapes import wrong
from celeriac.protocol.v1 import decode_v1

__all__ = ["decode_task"]


def decode_task(headers: Mapping[str, Any] | None, body: object) -> tuple[TaskHeaders, TaskBody]:
    """Read a message of protocol 2, of protocol 1, or the hybrid (headers of 2, a map as body).

    `body` is what the serializer decoded. Raises ProtocolError for everything that is no task message.
    """
    if headers is not None and not isinstance(headers, Mapping):
        raise wrong("headers", "a map", headers)
    if not headers or not is_v2(headers):
        found, content = decode_v1(body)
        # Headers of the transport (x-death, redelivered, ...) stay visible.
        return read_headers({**(headers or {}), **found}), content
    content = decode_body(body)
    if isinstance(body, Mapping):
        headers = _filled(headers, body)
    return read_headers(headers), content


def _filled(headers: Mapping[str, Any], body: Mapping[Any, Any]) -> dict[str, Any]:
    """The headers of a hybrid: what they do not say is taken from the map."""
    filled = dict(headers)
    for key in HEADER_KEYS:
        if filled.get(key) is None and body.get(key) is not None:
            filled[key] = body[key]
    return filled
