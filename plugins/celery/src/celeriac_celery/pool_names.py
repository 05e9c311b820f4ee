"""Pools by name (``celery.concurrency``)."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from kombu.utils.imports import symbol_by_name

from celeriac.plugin.manager import PluginManager


def get_implementation(cls: Any) -> Any:
    """The class of the pool of that name.  Raises `PluginNotFound`."""
    return PluginManager().driver("pool", cls) if isinstance(cls, str) else cls


def get_available_pool_names() -> tuple[str, ...]:
    """The names of the pools that are installed."""
    return tuple(PluginManager().driver_names("pool"))


def maybe_patch_concurrency(
    argv: Sequence[str] | None = None,
    short_opts: Sequence[str] = ("-P",),
    long_opts: Sequence[str] = ("--pool",),
    patches: Mapping[str, Any] | None = None,
) -> None:
    """Let the pool that the last of these options names replace what blocks in the standard library, if it does so.

    `patches` says what else is called for a pool of that name.
    """
    words = list(sys.argv if argv is None else argv)
    name = _value_of(words, (*short_opts, *long_opts))
    if name is not None and name in (patches or {}):
        (patches or {})[name]()
    elif name is not None:
        symbol_by_name("celeriac.cli.early:patch")(name)


def _value_of(words: Sequence[str], options: Sequence[str]) -> str | None:
    """What follows the last of these options, as a word of its own or after ``=``."""
    found = None
    for word, after in zip(words, [*words[1:], None], strict=True):
        name, is_joined, value = word.partition("=")
        if name in options:
            found = value if is_joined else after
    return found


__all__ = ["get_available_pool_names", "get_implementation", "maybe_patch_concurrency"]
