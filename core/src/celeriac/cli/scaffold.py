"""Writes a new plugin distribution, or a new project, from a template."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from typing import Final, NamedTuple

import click

from celeriac.plugin.index import KERNEL, shared_index

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:[+-][a-z0-9]+)*")


class _Driver(NamedTuple):
    """What a new distribution is told of its kind: how people call that, what the name is, and the class."""

    what: str
    called: str
    driver: str


#: The kinds of drivers that a distribution can be written for.
KINDS: Final = {
    "broker": _Driver("broker", "the scheme of the URL", "Transport"),
    "backend": _Driver("result store", "the scheme of the URL", "Store"),
    "serializer": _Driver("serializer", "what task_serializer and accept_content say", "CompressedSerializer"),
    "pool": _Driver("pool", "what --pool says", "ThreadPool"),
}

#: The templates that all kinds share.
_SHARED: Final = "plugin"
_SUFFIX: Final = ".tmpl"
#: In the path of a template: the name of the package.
_PACKAGE: Final = "__package__"


def write_plugin(kind: str, name: str, directory: str | None = None) -> list[str]:
    """Write the distribution ``celeriac-<name>``; gives the paths of its files.

    Raises `click.ClickException` if the name cannot be a driver's or the directory has something in it.
    """
    if not _NAME.fullmatch(name):
        raise click.ClickException(
            f"{name!r} cannot be the name of a driver: use small letters and digits, in words joined by + or -"
        )
    slug = name.replace("+", "-")
    values = {
        "kind": kind,
        "name": name,
        "distribution": f"{KERNEL}-{slug}",
        "package": f"{KERNEL}_{slug.replace('-', '_')}",
        "celeriac_version": _kernel_version(),
        **KINDS[kind]._asdict(),
    }
    target = Path(directory or values["distribution"])
    return write([_SHARED, kind], target, values, "name another with --directory")


def write(templates: Sequence[str], target: Path, values: Mapping[str, str], remedy: str) -> list[str]:
    """Write the files of these templates into the directory `target`; gives their paths, sorted.

    Raises `click.ClickException`, with `remedy`, if the directory has something in it, or cannot be written.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise click.ClickException(f"{target} is not empty; {remedy}")
    written = []
    for name in templates:
        for relative, template in _templates(files("celeriac.cli") / "templates" / name):
            path = target / relative.removesuffix(_SUFFIX).replace(_PACKAGE, values["package"])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(Template(template.read_text(encoding="utf-8")).substitute(values), encoding="utf-8")
            written.append(str(path))
    return sorted(written)


def _templates(directory: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    for entry in sorted(directory.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _templates(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(_SUFFIX):
            yield prefix + entry.name, entry


def _kernel_version() -> str:
    kernel = shared_index().provider(KERNEL)
    return "0.1" if kernel is None else kernel.version
