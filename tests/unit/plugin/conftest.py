"""Distributions on disk: what the plugin kernel finds is written there, not mocked."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from celeriac.plugin import discovery
from celeriac.plugin import index as index_module
from celeriac.plugin.index import Index, scan
from celeriac.plugin.manager import PluginManager


def write_distribution(
    directory: Path,
    name: str,
    version: str = "1.0",
    entry_points: Mapping[str, Mapping[str, str]] | None = None,
    modules: Mapping[str, str] | None = None,
    *,
    metadata: bool = True,
    kind: str = "dist-info",
) -> Path:
    """Write what an installer would: modules, and metadata with entry points by group and name."""
    for module, text in (modules or {}).items():
        path = directory / f"{module.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
    info = directory / f"{name.replace('-', '_')}-{version}.{kind}"
    info.mkdir(parents=True)
    if metadata:
        file = "METADATA" if kind == "dist-info" else "PKG-INFO"
        (info / file).write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = []
    for group, points in (entry_points or {}).items():
        lines += [f"[{group}]", *(f"{key} = {value}" for key, value in points.items()), ""]
    (info / "entry_points.txt").write_text("\n".join(lines))
    return info


class Site:
    """A directory of installed distributions that is on ``sys.path``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def install(self, name: str, *args: object, **kwargs: object) -> Path:
        """`write_distribution` into this directory."""
        return write_distribution(self.directory, name, *args, **kwargs)  # type: ignore[arg-type]  # passed on as given

    def install_plugin(self, name: str, text: str, version: str = "1.0") -> Path:
        """A distribution ``celeriac-<name>`` whose module of hooks has that text."""
        module = f"celeriac_{name}_plugin"
        imports = "from celeriac.plugin import Middleware, Setting, TaskOption, hookimpl\n"
        return self.install(
            f"celeriac-{name}", version, {"celeriac.plugins": {name: module}}, {module: imports + dedent(text)}
        )

    @property
    def index(self) -> Index:
        """What a scan of this directory alone finds."""
        return scan([str(self.directory)])


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """An empty site, forgotten with all that was imported from it when the test ends."""
    directory = tmp_path / "site-packages"
    directory.mkdir()
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(directory))
    monkeypatch.setattr(discovery, "_reported", set())
    index_module.forget()
    yield Site(directory)
    index_module.forget()
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


class App:
    """All that a manager asks of an app: that it is one."""


@pytest.fixture
def manager(site: Site) -> Callable[..., PluginManager]:
    """Return ``manager(**options)``: the plugins of an app in a process where only `site` has distributions."""

    def make(**options: object) -> PluginManager:
        return PluginManager(App(), index=site.index, **options)  # type: ignore[arg-type]  # passed on as given

    return make
