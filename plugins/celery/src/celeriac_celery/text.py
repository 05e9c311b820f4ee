"""Text for people (``celery.utils.text``)."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from pprint import pformat
from typing import Any


def str_to_list(s: Any) -> list[str]:
    """The parts of a text between its commas; a list is itself."""
    return [part.strip() for part in s.split(",")] if isinstance(s, str) else s


def dedent_initial(s: str, n: int = 4) -> str:
    """Without the first `n` characters, if those are blank."""
    return s[n:] if s[:n] == " " * n else s


def dedent(s: str, sep: str = "\n") -> str:
    """Each line without the blanks at its begin."""
    return sep.join(dedent_initial(line) for line in s.splitlines())


def fill_paragraphs(s: str, width: int, sep: str = "\n") -> str:
    """Each line broken at `width`."""
    return sep.join(textwrap.fill(line, width) for line in s.split(sep))


def join(l: Iterable[str], sep: str = "\n") -> str:  # noqa: E741  # Celery's name
    """Those that are not empty, joined."""
    return sep.join(each for each in l if each)


def ensure_sep(sep: str, s: str, n: int = 2) -> str:
    """`s` with `sep` `n` times at its end."""
    return s + sep * (n - s.count(sep))


def ensure_newlines(s: str, n: int = 2) -> str:
    """`s` with `n` newlines at its end."""
    return ensure_sep("\n", s, n)


def abbr(S: str, max: int, ellipsis: str | bool = "...") -> str:
    """`S`, or as much of its begin as `max` characters hold, with an ellipsis."""
    if len(S) <= max:
        return S
    return S[: max - len(ellipsis)] + ellipsis if isinstance(ellipsis, str) and ellipsis else S[:max]


def abbrtask(S: str, max: int) -> str:
    """The name of a task, with less of its module where it is longer than `max`."""
    if len(S) <= max:
        return S
    module, _, name = S.rpartition(".")
    return f"{abbr(module, max - len(name), False)}[.]{name}"


def indent(t: str, indent: int = 0, sep: str = "\n") -> str:
    """Each line moved to the right."""
    return sep.join(" " * indent + line for line in t.split(sep))


def truncate(s: str, maxlen: int = 128, suffix: str = "...") -> str:
    """`s`, or its first `maxlen` characters and a suffix."""
    return s[:maxlen].rstrip() + suffix if maxlen and len(s) >= maxlen else s


def pluralize(n: float, text: str, suffix: str = "s") -> str:
    """`text` for so many."""
    return text if n == 1 else text + suffix


def pretty(value: Any, width: int = 80, nl_width: int = 80, sep: str = "\n", **kw: Any) -> str:
    """A value as a person reads it."""
    if isinstance(value, dict):
        return f"{{{sep} {pformat(value, 4, nl_width)[1:]}"
    if isinstance(value, tuple):
        return f"{sep}{' ' * 4}{pformat(value, width=nl_width, **kw)}"
    return pformat(value, width=width, **kw)


def match_case(s: str, other: str) -> str:
    """`s` in the case of `other`."""
    return s.upper() if other.isupper() else s.lower()


def simple_format(
    s: str,
    keys: Mapping[str, str | Callable[[], str]],
    pattern: re.Pattern[str] = re.compile("%([%\\w])"),
    expand: str = r"\1",
) -> str:
    """`s` with each ``%x`` replaced by what `keys` has for it.  Raises ValueError for one that is not there."""

    def replaced(match: re.Match[str]) -> str:
        key = match.expand(expand)
        found = {**keys, "%": "%"}.get(key)
        if found is None:
            raise ValueError(f"unknown format {match.group()!r} in {s!r}: there are {', '.join(sorted(keys))}")
        return found() if callable(found) else found

    return pattern.sub(replaced, s)


__all__ = [
    "abbr",
    "abbrtask",
    "dedent",
    "dedent_initial",
    "ensure_newlines",
    "ensure_sep",
    "fill_paragraphs",
    "indent",
    "join",
    "match_case",
    "pluralize",
    "pretty",
    "simple_format",
    "str_to_list",
    "truncate",
]
