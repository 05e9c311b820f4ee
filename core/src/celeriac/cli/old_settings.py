"""Rewrites the old names of settings in a Python file, and nothing else of it."""

from __future__ import annotations

import ast
import os
import shutil
import tokenize
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import click


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
        text, changes = _rewritten(source, new_names)
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


def _rewritten(source: bytes, new_names: dict[str, str]) -> tuple[bytes, list[Change]]:
    """The source with new names: of variables, keyword arguments and keys."""
    tree_before = ast.parse(source)
    encoding, _ = tokenize.detect_encoding(BytesIO(source).readline)
    lines = source.decode(encoding).splitlines(keepends=True)
    changes = []
    # From the end, so that the places of what is before stay true.
    for token in reversed(list(tokenize.tokenize(BytesIO(source).readline))):
        old = _name_in(token)
        if old not in new_names:
            continue
        (row, begin), (_, end) = token.start, token.end
        line = lines[row - 1]
        lines[row - 1] = line[:begin] + token.string.replace(old, new_names[old]) + line[end:]
        changes.append(Change(row, old, new_names[old]))
    text = "".join(lines).encode(encoding)
    if source.startswith(b"\xef\xbb\xbf") and not text.startswith(b"\xef\xbb\xbf"):
        text = b"\xef\xbb\xbf" + text
    if len(ast.parse(text).body) != len(tree_before.body):  # pragma: no cover  # names do not change the structure
        raise SyntaxError("the file would be another")
    return text, changes[::-1]


def _name_in(token: tokenize.TokenInfo) -> str:
    if token.type == tokenize.NAME:
        return token.string
    if token.type == tokenize.STRING and token.string[:1] in {"'", '"'}:
        return token.string.strip("'\"")  # a key, as in app.conf["BROKER_URL"]
    return ""


def _replace(path: Path, text: bytes) -> None:
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        new.write_bytes(text)
        shutil.copymode(path, new)
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)
