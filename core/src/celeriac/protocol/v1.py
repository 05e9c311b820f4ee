"""Protocol 1: a task message that is one map, without headers. Read always, written when ``task_protocol`` is 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from typing import Any, Final

from celeriac.protocol.body import TaskBody, decode_body
from celeriac.protocol.reprs import safe_repr
from celeriac.protocol.shapes import wrong
from celeriac.protocol.timestamps import parse_moment, to_iso

__all__ = ["decode_v1", "encode_v1"]

#: Headers of protocol 2 that have the same name and meaning in the map.
_SAME: Final = ("task", "id", "group_index", "retries", "timelimit")
#: Names that a newer sender may put into the map as well.
_NEWER: Final = ("lang", "root_id", "parent_id", "shadow", "origin", "ignore_result", "replaced_task_nesting")


def decode_v1(body: object, local: tzinfo | None = None) -> tuple[dict[str, Any], TaskBody]:
    """Read the map of protocol 1 as the headers and the body of protocol 2.

    Moments without offset are UTC, or in zone `local` (None: that of this host) where the map says
    ``utc: false``. The headers are for `read_headers`, which checks them. Raises ProtocolError where
    the map or the body is malformed.
    """
    if not isinstance(body, Mapping):
        raise wrong("message without task headers", "the map of protocol 1", body)
    if "task" not in body or "id" not in body:
        raise wrong("message without task headers", "the map of protocol 1 with 'task' and 'id'", body)
    naive = UTC if body.get("utc", True) else local
    headers: dict[str, Any] = {"lang": "py"}
    for key in _SAME:
        headers[key] = body.get(key)
    for key in _NEWER:
        if key in body:
            headers[key] = body[key]
    headers["group"] = body.get("group") or body.get("taskset")
    for key in ("eta", "expires"):
        moment = parse_moment(body.get(key), f"protocol 1, {key!r}", naive)
        headers[key] = None if moment is None else to_iso(moment)
    content = decode_body({"args": body.get("args"), "kwargs": body.get("kwargs"), **_embed(body)})
    headers["argsrepr"] = safe_repr(content.args)
    headers["kwargsrepr"] = safe_repr(content.kwargs)
    return headers, content


def _embed(body: Mapping[str, Any]) -> dict[str, Any]:
    return {key: body.get(key) for key in ("callbacks", "errbacks", "chord")}


def encode_v1(headers: Mapping[str, Any], body: Sequence[Any]) -> dict[str, Any]:
    """The map of protocol 1 for `headers` (of `HeaderPlan.headers`) and `body` (of `encode_body`).

    Protocol 1 has no chain: the rest of one becomes callbacks, each linked to the one before.
    """
    args, kwargs, embed = body
    callbacks = embed["callbacks"]
    rest = _linked(embed["chain"])
    if rest is not None:
        callbacks = [*(callbacks or ()), rest]
    return {
        "task": headers["task"],
        "id": headers["id"],
        "args": args,
        "kwargs": kwargs,
        "group": headers["group"],
        "group_index": headers["group_index"],
        "retries": headers["retries"],
        "eta": headers["eta"],
        "expires": headers["expires"],
        "utc": True,
        "callbacks": callbacks,
        "errbacks": embed["errbacks"],
        "timelimit": headers["timelimit"],
        "taskset": headers["group"],
        "chord": embed["chord"],
    }


def _linked(chain: Sequence[Mapping[str, Any]] | None) -> dict[str, Any] | None:
    """The signature that runs next, with those after it as nested links; `chain` is in reverse."""
    linked: dict[str, Any] | None = None
    for step in chain or ():
        options = dict(step.get("options") or {})
        if linked is not None:
            link = options.get("link") or []
            options["link"] = [*(link if isinstance(link, (list, tuple)) else [link]), linked]
        linked = {**step, "options": options}
    return linked
