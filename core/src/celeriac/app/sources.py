"""Where settings come from: configuration objects, maps, modules, functions; each read once, when it is needed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from typing import Any, Final

from celeriac.exceptions import ImproperlyConfigured

_NOTHING: Final[Mapping[str, Any]] = {}


class Lazy:
    """A function that makes a map of settings, called once, by whoever needs the map first.

    While it runs, other threads wait for it, and what it asks for itself finds nothing here.  An error is raised at
    each use, until the function succeeds.
    """

    def __init__(self, make: Callable[[], Mapping[str, Any]]) -> None:
        self._make = make
        self._lock = threading.RLock()
        self._making = False
        self._made: Mapping[str, Any] | None = None

    def __call__(self) -> Mapping[str, Any]:
        made = self._made
        if made is not None:
            return made
        with self._lock:
            made = self._made
            if made is None:
                if self._making:
                    return _NOTHING
                self._making = True
                try:
                    made = self._made = self._make()
                finally:
                    self._making = False
            return made

    def forget(self) -> None:
        """Have it called again, for who needs the map next."""
        self._made = None


def configuration(source: Any, namespace: str | None, silent: bool) -> Callable[[], Mapping[str, Any]]:
    """The settings of the configuration object `source`: an object, a map, or the dotted name of either.

    With a `namespace` only names that begin with it count, and lose it.  Reading raises `ImproperlyConfigured`,
    chained, for what cannot be imported, unless `silent`: then there are no settings.
    """
    return partial(_read, source, namespace, silent)


def _read(source: Any, namespace: str | None, silent: bool) -> Mapping[str, Any]:
    if isinstance(source, str):
        try:
            source = _by_name(source)
        except (ImportError, AttributeError) as error:
            if silent:
                return _NOTHING
            raise ImproperlyConfigured(f"the configuration {source!r} cannot be imported: {error}") from error
    is_map = isinstance(source, Mapping)
    names = [name for name in (source if is_map else dir(source)) if not name.startswith("_")]
    keys = {name: name for name in names}
    if namespace:
        prefix = namespace.upper().rstrip("_") + "_"
        keys = {name[len(prefix) :].lower(): name for name in names if name.upper().startswith(prefix)}
    # Only what counts is looked at: a property that nobody asked for may do anything.
    return {key: source[name] if is_map else getattr(source, name) for key, name in keys.items()}


def _by_name(path: str) -> Any:
    """The module or attribute of ``module``, ``module.attribute`` or ``module:attribute``."""
    module, colon, attribute = path.partition(":")
    if not colon:
        try:
            return import_module(path)
        except ModuleNotFoundError as error:
            # A module that is there and needs one that is not must not be told of as missing itself.
            module, _, attribute = path.rpartition(".")
            if not module or error.name is None or not (path + ".").startswith(error.name + "."):
                raise
    found: Any = import_module(module)
    for part in attribute.split("."):
        found = getattr(found, part)
    return found
