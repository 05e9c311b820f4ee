"""Rewrites the old names of settings in a Python file, and nothing else of it."""

from __future__ import annotations

import ast
import os
import re
import shutil
import tokenize
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Final, NamedTuple

import click

_WORD: Final = re.compile(r"\w+")
#: What is computed in an f-string, which before Python 3.12 is one token.
_IN_BRACES: Final = re.compile(r"(?<!\{)\{[^{}'\"]+")


class Change(NamedTuple):
    """One name that was changed: `line` counts from 1."""

    line: int
    old: str
    new: str


class Rewriting(NamedTuple):
    """What was done; `backup` is the path of the copy, None where there is none."""

    changes: list[Change]
    backup: str | None


def rewrite(filename: str, namespaced: bool = False, backup: bool = True) -> Rewriting:
    """Rewrite the names in a file, whole or not at all.

    With `namespaced` the new names are in upper case behind ``CELERY_``.  Raises `click.ClickException` for a file that
    is not Python, or cannot be written.
    """
    path = Path(filename)
    new_names = _new_names(namespaced)
    try:
        source = path.read_bytes()
        text, changes = _rewritten(source, filename, new_names)
        if not changes:
            return Rewriting([], None)
        copy = path.with_name(path.name + ".old") if backup else None
        if copy is not None:
            shutil.copy2(path, copy)
        _replace(path, text)
    except (SyntaxError, tokenize.TokenError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{filename} cannot be read as Python: {error}; nothing was changed") from None
    except OSError as error:
        raise click.ClickException(f"{filename} cannot be rewritten: {error.strerror}; it is as it was") from None
    return Rewriting(changes, None if copy is None else str(copy))


def _new_names(namespaced: bool) -> dict[str, str]:
    """Old name to new, for the kernel's settings and those of plugins."""
    from celeriac.app.settings import kernel_schema
    from celeriac.plugin.manager import PluginManager

    found: dict[str, str] = {}
    for setting in (*kernel_schema(), *PluginManager().schema()):
        new = f"CELERY_{setting.name.upper()}" if namespaced else setting.name
        found.update({old: new for old in setting.old_names if old != new})
    return found


def _rewritten(source: bytes, filename: str, new_names: dict[str, str]) -> tuple[bytes, list[Change]]:
    """The source with new names of variables, keyword arguments and keys.

    Other strings stay, as the names of variables of the environment.
    """
    tree = ast.parse(source, filename)
    encoding, _ = tokenize.detect_encoding(BytesIO(source).readline)
    lines = source.decode(encoding).splitlines(keepends=True)
    names = {old: new for old, new in new_names.items() if old not in _of_elsewhere(tree)}
    places = {
        (row, len(lines[row - 1].encode()[:offset].decode())) for row, offset in _places(tree) if row <= len(lines)
    }
    rows_of_names = {node.lineno for node in ast.walk(tree) if isinstance(node, ast.Global | ast.Nonlocal)}
    changes = []
    # From the end, so that the places of what is before stay true.
    for token in reversed(list(tokenize.tokenize(BytesIO(source).readline))):
        (row, begin), (last, end) = token.start, token.end
        if token.type == tokenize.STRING and "f" in token.string[: _prefix(token.string)].lower():
            pattern = _IN_BRACES
        elif token.start in places or (token.type == tokenize.NAME and row in rows_of_names):
            pattern = _WORD
        else:
            continue
        text, found = _renamed(token.string, pattern, names)
        if not found:
            continue
        before, after = lines[row - 1][:begin], lines[last - 1][end:]
        lines[row - 1 : last] = (before + text + after).splitlines(keepends=True)
        changes += [Change(row, old, names[old]) for old in reversed(found)]
    rewritten = "".join(lines).encode(encoding)
    if source.startswith(b"\xef\xbb\xbf") and not rewritten.startswith(b"\xef\xbb\xbf"):
        rewritten = b"\xef\xbb\xbf" + rewritten
    if len(ast.parse(rewritten).body) != len(tree.body):  # pragma: no cover  # names do not change the structure
        raise SyntaxError("the file would be another")
    return rewritten, changes[::-1]


def _renamed(text: str, pattern: re.Pattern[str], names: dict[str, str]) -> tuple[str, list[str]]:
    """The text with new names in what the pattern finds, and the old ones that were there."""
    found: list[str] = []

    def new(match: re.Match[str]) -> str:
        if match[0] not in names:
            return match[0]
        found.append(match[0])
        return names[match[0]]

    return pattern.sub(lambda part: _WORD.sub(new, part[0]), text), found


def _prefix(string: str) -> int:
    """How many letters stand before the quotes of a string."""
    return min(string.find(quote) for quote in "'\"" if quote in string)


def _of_elsewhere(tree: ast.AST) -> set[str]:
    """Names that are not given their value here: another file, or the caller, has them."""
    found = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        for alias in getattr(node, "names", ())
        if isinstance(alias, ast.alias)
    }
    return found | {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}


def _places(tree: ast.AST) -> Iterator[tuple[int, int]]:
    """Where the name of a setting may stand: the line, and the bytes before it in that."""
    for node in ast.walk(tree):
        match node:
            case ast.Name() | ast.keyword(arg=str()):
                yield node.lineno, node.col_offset
            case ast.Dict():
                yield from ((key.lineno, key.col_offset) for key in node.keys if isinstance(key, ast.Constant))
            case ast.Subscript(slice=ast.Constant()) if _is_configuration(node.value):
                yield node.slice.lineno, node.slice.col_offset
            case ast.Attribute(end_lineno=int(row), end_col_offset=int(end)) if _is_configuration(node.value):
                yield row, end - len(node.attr.encode())


def _is_configuration(node: ast.AST) -> bool:
    """Whether it is called so, as in ``app.conf``."""
    name = getattr(node, "attr", None) or getattr(node, "id", "")
    return str(name).endswith(("conf", "config"))


def _replace(path: Path, text: bytes) -> None:
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        new.write_bytes(text)
        shutil.copymode(path, new)
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)
