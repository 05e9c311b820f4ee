"""A task message of protocol 2: its headers, properties and body under one roof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from celeriac.protocol.body import EMBED_KEYS, TaskBody, decode_body, encode_body
from celeriac.protocol.header_plan import UNSET, HeaderPlan, build_headers
from celeriac.protocol.headers import HEADER_KEYS, TaskHeaders, is_v2, read_headers
from celeriac.protocol.properties import build_properties, expiration

__all__ = [
    "EMBED_KEYS",
    "HEADER_KEYS",
    "UNSET",
    "HeaderPlan",
    "TaskBody",
    "TaskHeaders",
    "TaskMessage",
    "build_headers",
    "build_properties",
    "decode_body",
    "encode_body",
    "expiration",
    "is_v2",
    "read_headers",
]


class TaskMessage(NamedTuple):
    """A message ready for the serializer and the broker."""

    headers: dict[str, Any]
    properties: dict[str, Any]
    #: The three elements of `encode_body`, or the one map of protocol 1 (then `headers` is empty).
    body: tuple[Sequence[Any], Mapping[str, Any], dict[str, Any]] | dict[str, Any]
