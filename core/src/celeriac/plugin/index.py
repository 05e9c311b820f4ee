"""Who offers what: the entry points of all installed distributions, read once per process.

Nothing is imported and nothing is written: the index lives in memory, is shared by all threads and apps, and is
inherited by forked children.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from importlib_metadata import Distribution, EntryPoint

#: The kernel's own distribution.
KERNEL: Final = "celeriac"
#: Entry points of modules or objects with hook implementations.
PLUGINS_GROUP: Final = "celeriac.plugins"

_GROUP_PREFIX: Final = "celeriac."
#: Entry points that say of another group (their name) as which of ours it counts (their value): nothing is imported.
GROUPS_GROUP: Final = "celeriac.groups"


def normalize(name: str) -> str:
    """A distribution's name as packaging compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@dataclass(frozen=True, slots=True)
class Offer:
    """One entry point: `value` is ``module`` or ``module:object`` without extras."""

    group: str
    name: str
    value: str
    distribution: str
    version: str

    @property
    def owner(self) -> str:
        """The distribution and its version, as error messages name them."""
        return f"{self.distribution} {self.version}"

    @property
    def module(self) -> str:
        """The module that loading it imports."""
        return self.value.partition(":")[0]

    def entry_point(self) -> EntryPoint:
        """The same as an object that can be loaded."""
        from importlib_metadata import EntryPoint  # costs 30 ms, and whoever loads one has scanned already

        return EntryPoint(name=self.name, value=self.value, group=self.group)


@dataclass(frozen=True, slots=True)
class Provider:
    """One distribution that offers something."""

    name: str
    version: str
    location: str
    offers: tuple[Offer, ...]


class Index:
    """The offers of all distributions, in the order (distribution, group, name)."""

    def __init__(self, providers: Iterable[Provider]) -> None:
        #: Sorted by name; a distribution that is found twice counts once, as Python imports it.
        self.providers: tuple[Provider, ...] = tuple(_first_of_each_name(providers))

    @cached_property
    def _by_group(self) -> dict[str, tuple[Offer, ...]]:
        groups: dict[str, dict[tuple[str, str], Offer]] = {}
        for provider in self.providers:
            for offer in provider.offers:
                # The same name with the same target is the same thing, whoever else declares it.
                groups.setdefault(offer.group, {}).setdefault((offer.name, offer.value), offer)
        return {group: tuple(offers.values()) for group, offers in groups.items()}

    def offers(self, group: str) -> tuple[Offer, ...]:
        """All offers of a group, e.g. ``celeriac.brokers``, in order."""
        return self._by_group.get(group, ())

    def find(self, group: str, name: str) -> list[Offer]:
        """The offers under one name: more than one is a conflict."""
        return [offer for offer in self.offers(group) if offer.name == name]

    def provider(self, name: str) -> Provider | None:
        """The distribution of that name, if it offers something."""
        wanted = normalize(name)
        return next((provider for provider in self.providers if normalize(provider.name) == wanted), None)


def _first_of_each_name(providers: Iterable[Provider]) -> list[Provider]:
    first: dict[str, Provider] = {}
    for provider in providers:
        first.setdefault(normalize(provider.name), provider)
    return [first[name] for name in sorted(first)]


def scan(path: list[str] | None = None) -> Index:
    """Read the metadata of all distributions on `path` (None: ``sys.path``), without importing any.  A few ms."""
    from importlib_metadata import distributions  # costs 30 ms: only who asks for a plugin pays

    found: Iterable[Any] = distributions() if path is None else distributions(path=path)
    read = [(distribution, text) for distribution in found if (text := distribution.read_text("entry_points.txt"))]
    groups = {
        name: value
        for _, text in read
        if GROUPS_GROUP in text
        for group, name, value in _entries(text)
        if group == GROUPS_GROUP
    }
    return Index(provider for each in read if (provider := _read(*each, groups)) is not None)


def _read(distribution: Distribution, text: str, groups: Mapping[str, str]) -> Provider | None:
    if _GROUP_PREFIX not in text and not any(group in text for group in groups):
        return None
    lines = [
        (groups.get(group, group), name, value)
        for group, name, value in _entries(text)
        if group in groups or (group.startswith(_GROUP_PREFIX) and group != GROUPS_GROUP)
    ]
    # What an interrupted uninstall leaves behind has entry points and no metadata.
    metadata = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO")
    if not lines or not metadata:
        return None
    # Without the parser for mail that the standard way would import: it costs more than all the rest.
    name, version = _header(metadata, "Name"), _header(metadata, "Version")
    return Provider(
        name=name,
        version=version,
        location=str(distribution.locate_file("")),
        offers=tuple(Offer(group, key, value, name, version) for group, key, value in sorted(lines)),
    )


def _header(metadata: str, name: str) -> str:
    """The value of a header of core metadata; empty where it is missing."""
    found = re.search(rf"^{name}:[ \t]*(.*?)\s*$", metadata.partition("\n\n")[0], re.MULTILINE)
    return "" if found is None else found.group(1)


def _entries(text: str) -> Iterator[tuple[str, str, str]]:
    """Group, name and value of each line of an ``entry_points.txt``."""
    group = ""
    for line in map(str.strip, text.splitlines()):
        if not line or line[0] in "#;":
            continue
        if line[0] == "[" and line[-1] == "]":
            group = line[1:-1].strip()
        elif "=" in line:
            name, _, value = line.partition("=")
            yield group, name.strip(), value.partition("[")[0].replace(" ", "")


_lock = threading.Lock()
_shared: Index | None = None


def shared_index() -> Index:
    """The index of this process; the first call scans, whichever thread or app makes it."""
    global _shared  # noqa: PLW0603  # one per process is the point
    if _shared is None:
        with _lock:
            if _shared is None:
                _shared = scan()
    return _shared


def forget() -> None:
    """Scan again at the next need: after ``sys.path`` or what is installed has changed."""
    global _shared  # noqa: PLW0603  # one per process is the point
    with _lock:
        _shared = None


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603  # the parent's may be held by a thread that does not exist here
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)
