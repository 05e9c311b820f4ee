"""Which tests say that they show which names: read from their source, without importing any."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_WORDS = re.compile(r"[^\s=,;'\"]+")


class MarkerError(Exception):
    """A marker that cannot be read."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A test with the names that it shows, and the words of all texts in its source."""

    test: str
    names: tuple[str, ...]
    words: frozenset[str]


def scan(tests: Path) -> list[Shown]:
    """All tests below `tests` that carry the marker."""
    found: list[Shown] = []
    for path in sorted(tests.rglob("test_*.py")):
        text = path.read_text()
        if "covers" in text:
            found += read(text, str(path.relative_to(tests.parent)))
    return found


def read(text: str, place: str) -> list[Shown]:
    """The tests in the source `text` of a module that carry the marker, or stand in a class or module that does."""
    tree = ast.parse(text)
    return list(_within(tree.body, place, place, _own(tree.body, place)))


def _within(body: list[ast.stmt], place: str, prefix: str, inherited: tuple[str, ...]) -> Iterator[Shown]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            named = (*inherited, *_marked(node.decorator_list, place))
            if named:
                yield Shown(f"{prefix}::{node.name}", named, frozenset(_words(node)))
        elif isinstance(node, ast.ClassDef):
            named = (*inherited, *_marked(node.decorator_list, place), *_own(node.body, place))
            yield from _within(node.body, place, f"{prefix}::{node.name}", named)


def _own(body: list[ast.stmt], place: str) -> tuple[str, ...]:
    """What ``pytestmark`` says of a whole module or class."""
    found: list[str] = []
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in targets):
            found += _marked([node.value], place)
    return tuple(found)


def _marked(nodes: list[ast.expr], place: str) -> list[str]:
    found = []
    for node in nodes:
        for call in ast.walk(node):
            if not isinstance(call, ast.Call) or ast.unparse(call.func) != "pytest.mark.covers":
                continue
            for argument in call.args:
                if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
                    raise MarkerError(f"{place}:{call.lineno}: the names of a marker must be written out")
                found.append(argument.value)
    return found


def _words(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield from _WORDS.findall(inner.value)
