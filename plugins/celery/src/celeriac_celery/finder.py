"""The modules of ``celery``: aliases of Celeriac's, found when somebody imports them."""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType
    from typing import Any

PREFIX = "celery."
_OURS = "celeriac"
#: What the package itself has, and Celeriac's has elsewhere or otherwise: where it is.
_OWN = {
    "VERSION": "version:VERSION",
    "VERSION_BANNER": "version:VERSION_BANNER",
    "maybe_patch_concurrency": "pool_names:maybe_patch_concurrency",
    "version_info": "version:VERSION",
    "version_info_t": "version:version_info_t",
}


class Finder:
    """Answers for the submodules of ``celery``, before anybody looks into directories.

    No subclass of the classes in ``importlib.abc``, which take longer to import than all the rest.

    First, because an alias of a package has that package's directory, in which Python would find its modules once more.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(PREFIX):
            return None
        # Here, because a bare import of the package needs none of it.
        from importlib.util import find_spec

        from celeriac_celery.absences import ABSENT
        from celeriac_celery.doors import ALIASES, DOORS, PACKAGES
        from celeriac_celery.driver_modules import DRIVEN

        if fullname in DOORS:
            loader: Any = DoorLoader()
            return ModuleSpec(fullname, loader, is_package=fullname in PACKAGES)
        if fullname in DRIVEN:
            return ModuleSpec(fullname, DriverLoader())  # type: ignore[arg-type]  # no subclass: see above
        if fullname in ABSENT:
            raise ModuleNotFoundError(f"No module named {fullname!r}: {ABSENT[fullname]}", name=fullname)
        ours = ALIASES.get(fullname, _OURS + fullname[len(PREFIX) - 1 :])
        try:
            known = find_spec(ours)
        except ModuleNotFoundError:  # not even its package
            known = None
        if known is None:
            return None
        loader = AliasLoader(ours)
        return ModuleSpec(fullname, loader, is_package=known.submodule_search_locations is not None)


class AliasLoader:
    """Puts the module itself where its other name is looked for: there is one of it."""

    def __init__(self, ours: str) -> None:
        self._ours = ours

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = importlib.import_module(self._ours)


class DoorLoader:
    """Makes a module whose names are in several modules of ours."""

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        from celeriac_celery.doors import Door, homes_of

        return Door(spec.name, homes_of(spec.name))

    def exec_module(self, module: ModuleType) -> None:
        """All is there: a door finds its names when somebody asks."""


class DriverLoader:
    """Makes a module whose classes are drivers of plugins.

    Raises ModuleNotFoundError where there is no such plugin.
    """

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        from celeriac_celery.driver_modules import DriverModule, missing

        if (why := missing(spec.name)) is not None:
            raise ModuleNotFoundError(f"No module named {spec.name!r}: {why}", name=spec.name)
        return DriverModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """All is there."""


def install() -> None:
    """Find the modules of ``celery`` from now on; tolerates being called twice."""
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, Finder())


def name_of_celery(name: str) -> Any:
    """What ``celery.<name>`` is.  Raises AttributeError."""
    if name in _OWN:
        module, _, attribute = _OWN[name].partition(":")
        return getattr(importlib.import_module(f"celeriac_celery.{module}"), attribute)
    if name.startswith("__"):
        raise AttributeError(f"module 'celery' has no attribute {name!r}")
    ours = importlib.import_module(_OURS)
    found = getattr(ours, name, None)
    if found is not None and not isinstance(found, type(sys)):
        return found
    try:
        return importlib.import_module(PREFIX + name)
    except ModuleNotFoundError as error:
        if error.name != PREFIX + name:
            raise
    raise AttributeError(f"module 'celery' has no attribute {name!r}")


def names_of_celery() -> list[str]:
    """The names that ``celery`` has, besides its modules."""
    return [*importlib.import_module(_OURS).__all__, *_OWN]
