"""The house as data: its distributions, their modules, and who imports whom. The tests beside this file judge it."""

from __future__ import annotations

import ast
import graphlib
import itertools
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Import:
    """One import statement of one module, wherever it stands."""

    importer: str
    imported: str
    line: int
    #: Inside a function: done when called. False for what happens when the module is imported.
    deferred: bool

    def __str__(self) -> str:
        where = " in a function" if self.deferred else ""
        return f"{self.importer} line {self.line} imports {self.imported}{where}"


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", None)
    return name == "TYPE_CHECKING"


def _import_module_argument(node: ast.AST) -> str | None:
    """Return the name in ``import_module("name")``, which is an import however it is spelled."""
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
        if function in {"import_module", "__import__"} and isinstance(node.args[0].value, str):
            return node.args[0].value
    return None


@dataclass(frozen=True)
class Module:
    """One source file."""

    name: str
    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    def imports(self, known: Callable[[str], bool]) -> Iterator[Import]:
        """Yield what it imports, but for what only a type checker sees.

        `known` tells of a dotted name whether it is a module: ``from a import b`` imports ``a.b`` if that is one,
        and else ``a``.
        """
        yield from self._imports(ast.parse(self.text, self.path), known, deferred=False)

    def _imports(self, node: ast.AST, known: Callable[[str], bool], *, deferred: bool) -> Iterator[Import]:
        children: list[ast.AST] = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(self.name, alias.name, node.lineno, deferred)
        elif isinstance(node, ast.ImportFrom):
            base = self._base(node)
            for alias in node.names:
                name = f"{base}.{alias.name}"
                yield Import(self.name, name if known(name) else base, node.lineno, deferred)
        elif isinstance(node, ast.If) and _is_type_checking(node.test):
            children = list(node.orelse)
        elif (name := _import_module_argument(node)) is not None:
            yield Import(self.name, name, node.lineno, deferred)
        inside = deferred or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in children:
            yield from self._imports(child, known, deferred=inside)

    def _base(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        keep = len(parts) - node.level + self.is_package
        return ".".join([*parts[:keep], *([node.module] if node.module else [])])


@dataclass(frozen=True)
class Distribution:
    """A directory that becomes a wheel: core, or one of plugins/*."""

    directory: Path

    @property
    def name(self) -> str:
        return self.directory.name

    @property
    def package(self) -> str:
        return "celeriac" if self.name == "core" else f"celeriac_{self.name.replace('-', '_')}"

    @property
    def source(self) -> Path:
        return self.directory / "src"

    @cached_property
    def project(self) -> Mapping[str, Any]:
        with (self.directory / "pyproject.toml").open("rb") as file:
            return tomllib.load(file)["project"]

    @cached_property
    def modules(self) -> list[Module]:
        found = []
        for path in sorted(self.source.rglob("*.py")):
            parts = path.relative_to(self.source).with_suffix("").parts
            found.append(Module(".".join(parts[:-1] if parts[-1] == "__init__" else parts), path))
        return found


def _with_packages(name: str) -> Iterator[str]:
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        yield ".".join(parts[:length])


@dataclass(frozen=True)
class House:
    """All source below one root."""

    root: Path
    distributions: list[Distribution] = field(init=False)

    def __post_init__(self) -> None:
        directories = [self.root / "core", *sorted((self.root / "plugins").glob("*"))]
        distributions = [Distribution(path) for path in directories if (path / "pyproject.toml").is_file()]
        object.__setattr__(self, "distributions", distributions)

    @property
    def core(self) -> Distribution:
        return self.distributions[0]

    @property
    def plugins(self) -> list[Distribution]:
        return self.distributions[1:]

    @cached_property
    def modules(self) -> dict[str, Module]:
        return {module.name: module for distribution in self.distributions for module in distribution.modules}

    def imports_of(self, distribution: Distribution) -> Iterator[Import]:
        for module in distribution.modules:
            yield from module.imports(self.modules.__contains__)

    def circle(self) -> list[str]:
        """Return the imports that make up a circle of modules, if there is one, be they done when called or at once."""
        return self._circle_of(lambda each: [each.imported])

    def circle_at_import(self) -> list[str]:
        """Return the imports that make up a circle while modules are being imported, if there is one.

        Importing ``a.b.c`` runs ``a`` and ``a.b`` too, so those count, unless the importer lies in them itself and
        they are under way already.
        """

        def run_by(each: Import) -> list[str]:
            if each.deferred:
                return []
            own = set(_with_packages(each.importer))
            return [name for name in _with_packages(each.imported) if name == each.imported or name not in own]

        return self._circle_of(run_by)

    def _circle_of(self, imported_by: Callable[[Import], list[str]]) -> list[str]:
        """Each line is one step, the last leads back to the first."""
        steps: dict[tuple[str, str], Import] = {}
        graph: dict[str, set[str]] = {}
        for distribution in self.distributions:
            for each in self.imports_of(distribution):
                for name in imported_by(each):
                    if name in self.modules and name != each.importer:
                        graph.setdefault(each.importer, set()).add(name)
                        steps.setdefault((each.importer, name), each)
        try:
            graphlib.TopologicalSorter(graph).prepare()
        except graphlib.CycleError as error:
            # graphlib lists each node before the one that depends on it.
            names = list(reversed(error.args[1]))
            return [str(steps[pair]) for pair in itertools.pairwise(names)]
        return []


@pytest.fixture(scope="session")
def house(pytestconfig: pytest.Config) -> House:
    """Return this house; a house without a core would make every rule hold for nothing."""
    found = House(pytestconfig.rootpath)
    assert found.distributions, "no distribution found: is core/pyproject.toml there?"
    assert found.core.name == "core"
    assert len(found.core.modules) > 1, "core has no modules to judge"
    return found


@pytest.fixture
def build_house(tmp_path: Path) -> Callable[[dict[str, str]], House]:
    """Return ``build_house({path: text})``: a house of these files, for tests that a rule can be broken."""

    def build(files: dict[str, str]) -> House:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return House(tmp_path)

    return build
