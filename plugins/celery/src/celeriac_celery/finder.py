"""The modules of ``celery``: aliases of Celeriac's, found when somebody imports them."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from celeriac_celery.doors import DOORS, PACKAGES, Door, homes_of
from celeriac_celery.version import VERSION, version_info_t

PREFIX: Final = "celery."
_OURS: Final = "celeriac"
#: What the package itself has, and Celeriac's has elsewhere or otherwise.
_OWN: Final[dict[str, Any]] = {"VERSION": VERSION, "version_info": VERSION, "version_info_t": version_info_t}


class Finder(MetaPathFinder):
    """Answers for the submodules of ``celery``, before anybody looks into directories.

    First, because an alias of a package has that package's directory, in which Python would find its modules once more.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(PREFIX):
            return None
        if fullname in DOORS:
            return ModuleSpec(fullname, DoorLoader(), is_package=fullname in PACKAGES)
        ours = _OURS + fullname[len(PREFIX) - 1 :]
        try:
            known = find_spec(ours)
        except ModuleNotFoundError:  # not even its package
            known = None
        if known is None:
            return None
        return ModuleSpec(fullname, AliasLoader(ours), is_package=known.submodule_search_locations is not None)


class AliasLoader(Loader):
    """Puts the module itself where its other name is looked for: there is one of it."""

    def __init__(self, ours: str) -> None:
        self._ours = ours

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = importlib.import_module(self._ours)


class DoorLoader(Loader):
    """Makes a module whose names are in several modules of ours."""

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return Door(spec.name, homes_of(spec.name))

    def exec_module(self, module: ModuleType) -> None:
        """All is there: a door finds its names when somebody asks."""


def install() -> None:
    """Find the modules of ``celery`` from now on; tolerates being called twice."""
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, Finder())


def name_of_celery(name: str) -> Any:
    """What ``celery.<name>`` is.  Raises AttributeError."""
    if name in _OWN:
        return _OWN[name]
    if name.startswith("__"):
        raise AttributeError(f"module 'celery' has no attribute {name!r}")
    ours = importlib.import_module(_OURS)
    if hasattr(ours, name) and not isinstance(getattr(ours, name), ModuleType):
        return getattr(ours, name)
    try:
        return importlib.import_module(PREFIX + name)
    except ModuleNotFoundError as error:
        if error.name != PREFIX + name:
            raise
    raise AttributeError(f"module 'celery' has no attribute {name!r}")


def names_of_celery() -> list[str]:
    """The names that ``celery`` has, besides its modules."""
    return [*importlib.import_module(_OURS).__all__, *_OWN]


def tell_of_others(file: str) -> None:
    """Warn, in one line, where files of Celery itself lie beside ours: pip has mixed two distributions."""
    if Path(file).with_name("app").is_dir():
        warnings.warn(CONFLICT, stacklevel=3)


CONFLICT: Final = (
    "celery and celeriac-celery are both installed, and both are the package `celery`; Celeriac's is in use. "
    "Keep one: pip uninstall celery && pip install --force-reinstall --no-deps celeriac-celery"
)
