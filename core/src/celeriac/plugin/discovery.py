"""Loads the plugins that installed distributions offer, and remembers which could not be and why."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from celeriac.exceptions import PluginConflict, PluginError, PluginLoadError, PluginNotFound, PluginWarning
from celeriac.plugin import faults
from celeriac.plugin.index import PLUGINS_GROUP, Index, Offer, normalize
from celeriac.plugin.registration import Plugin

if TYPE_CHECKING:
    from celeriac.plugin.selection import Selection

_log: Final = logging.getLogger(__name__)

_lock: Final = threading.Lock()
#: What has been reported in this process; a second app says nothing new about the same plugin.
_reported: Final[set[Offer]] = set()


class Discovery:
    """The plugins of the entry-point group ``celeriac.plugins`` that take part in one app."""

    def __init__(self, index: Index, selection: Selection) -> None:
        self._index = index
        self._selection = selection
        #: Why each of the plugins that failed is not there.
        self.failures: dict[Offer, PluginError] = {}

    def load(self, add: Callable[[Plugin], None]) -> None:
        """Import every plugin and give it to `add`, in such an order that pluggy asks them by (distribution, name).

        A failure is kept in `failures`; if the selection is strict, it is raised.
        """
        # pluggy asks last who was registered first.
        for offer in reversed(self._index.offers(PLUGINS_GROUP)):
            if self._selection.why_excluded(offer) is not None:
                continue
            try:
                add(Plugin(f"{offer.distribution}:{offer.name}", _load(offer), offer.distribution, offer.version))
            except PluginError as error:
                if self._selection.strict:
                    raise
                self.failures[offer] = error

    def announce_failures(self) -> None:
        """Log and warn of each failure, once per process."""
        for offer, error in sorted(self.failures.items(), key=lambda failure: failure[0].distribution):
            with _lock:
                if offer in _reported:
                    continue
                _reported.add(offer)
            _log.warning("%s", error)
            warnings.warn(PluginWarning(str(error)), stacklevel=4)

    def require(self, name: str) -> bool:
        """Whether an entry point or a distribution has that name; the plugins behind it then have been loaded.

        Raises `PluginLoadError` if one of them could not be, `PluginNotFound` if it is disabled, `PluginConflict` if
        several distributions use the name for different plugins.
        """
        wanted = normalize(name)
        offers = [offer for offer in self._index.offers(PLUGINS_GROUP) if offer.name == name]
        if len(offers) > 1:
            raise PluginConflict(faults.conflict(f"the plugin {name!r}", offers))
        offers = offers or [
            offer for offer in self._index.offers(PLUGINS_GROUP) if normalize(offer.distribution) == wanted
        ]
        for offer in offers:
            if (reason := self._selection.why_excluded(offer)) is not None:
                raise PluginNotFound(
                    f"the setting plugins names {name!r}, which {offer.owner} offers, but it is disabled: {reason}"
                )
            if (failure := self.failures.get(offer)) is not None:
                raise PluginLoadError(str(failure)) from failure
        return bool(offers)


def _load(offer: Offer) -> Any:
    try:
        found = offer.entry_point().load()
        return found() if isinstance(found, type) else found
    except Exception as error:
        raise faults.load_error(f"the plugin {offer.name!r}", offer, error) from error
