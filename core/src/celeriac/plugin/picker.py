"""stevedore's driver manager, fed from our index.

stevedore would scan all metadata itself and keep what it found in a file of the user's cache directory; here it
loads the one entry point that was chosen, and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stevedore.driver import DriverManager

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from celeriac.plugin.index import Offer


class OfferPicker(DriverManager[Any]):
    """Loads one offer; `driver` is what it names.  Making one raises whatever importing raises."""

    def __init__(self, offer: Offer) -> None:
        self._offer = offer
        super().__init__(namespace=offer.group, name=offer.name)

    def list_entry_points(self) -> list[EntryPoint]:
        """The one entry point there is to choose from."""
        return [self._offer.entry_point()]  # type: ignore[list-item]  # importlib_metadata's twin of the class
