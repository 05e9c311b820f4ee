"""From a name to a driver: what was registered in this process, then hooks, then entry points."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from celeriac.exceptions import PluginConflict
from celeriac.plugin import drivers, targets

if TYPE_CHECKING:
    from celeriac.plugin.index import Index
    from celeriac.plugin.selection import Selection

#: Kinds that a hook may resolve in code, and what the hook calls the name.
HOOK_ARGUMENTS: Final[Mapping[str, str]] = {
    "broker": "scheme",
    "backend": "scheme",
    "serializer": "name",
    "pool": "name",
    "scheduler": "name",
    "loader": "name",
}

_HERE: Final = "this process"


class Resolver:
    """The drivers of one app; an answer is kept until something is registered.

    ``ask(kind, name)`` calls the hook of a kind.
    """

    def __init__(self, index: Callable[[], Index], selection: Selection, ask: Callable[[str, str], Any]) -> None:
        self._index = index
        self._selection = selection
        self._ask = ask
        self._lock = threading.Lock()
        self._answers: dict[tuple[str, str], Any] = {}
        #: What was registered in this process, by kind and name.
        self.registered: dict[tuple[str, str], Any] = {}

    def register(self, kind: str, name: str, driver: Any) -> None:
        """Let `driver` answer to a name.  Raises `PluginConflict` if another one does so already."""
        drivers.group_of(kind)
        with self._lock:
            holder = self.registered.setdefault((kind, name), driver)
            self._answers.clear()
        if holder is not driver:
            raise PluginConflict(f"the {kind} {name!r} is registered already in this process, as {holder!r}")

    def forget(self) -> None:
        """Ask again for each name, because who answers may have changed."""
        with self._lock:
            self._answers.clear()

    def resolve(self, kind: str, name: Any) -> Any:
        """The driver of that name.  Raises `PluginNotFound`, `PluginConflict` or `PluginLoadError`."""
        drivers.group_of(kind)
        if not isinstance(name, str):
            return drivers.verify(kind, getattr(name, "__name__", repr(name)), name, _HERE)
        # Two threads may both find out; they find the same.
        answer = self._answers.get((kind, name))
        if answer is None:
            answer = self._answers[kind, name] = self._find(kind, name)
        return answer

    def _find(self, kind: str, name: str) -> Any:
        if targets.is_target(name):
            return drivers.verify(kind, name, drivers.load_target(name), _HERE)
        if (registered := self.registered.get((kind, name))) is not None:
            return drivers.verify(kind, name, registered, _HERE)
        if kind not in HOOK_ARGUMENTS:
            answer = self.entry_point(kind, name)
        elif (answer := self._ask(kind, name)) is not None:
            # An entry point was verified in its owner's name; this is for what hooks return.
            answer = drivers.verify(kind, name, answer, f"a plugin that implements celeriac_{kind}")
        if answer is not None:
            return answer
        if targets.is_dotted(name):
            return drivers.verify(kind, name, drivers.load_target(name), _HERE)
        raise drivers.not_found(kind, name, self.names(kind))

    def entry_point(self, kind: str, name: str) -> Any:
        """What an installed distribution offers under the name, imported; None where none does."""
        offer = drivers.choose(self._index(), self._selection, kind, name)
        return None if offer is None else drivers.verify(kind, name, drivers.load(kind, offer), offer.owner)

    def names(self, kind: str) -> list[str]:
        """The names that are registered, or offered by distributions that take part, sorted."""
        offers = self._index().offers(drivers.group_of(kind))
        names = {offer.name for offer in offers if self._selection.why_excluded(offer) is None}
        return sorted(names | {name for of_kind, name in self.registered if of_kind == kind})
