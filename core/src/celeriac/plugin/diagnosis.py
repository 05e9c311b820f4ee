"""The state of every distribution that offers something: what `celeriac plugins` shows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from celeriac.exceptions import PluginError
from celeriac.plugin import drivers, faults
from celeriac.plugin.index import KERNEL, PLUGINS_GROUP, Index, Offer, Provider
from celeriac.plugin.registration import Plugin, hooks_of
from celeriac.plugin.state import PluginState, State

if TYPE_CHECKING:
    from celeriac.plugin.discovery import Discovery
    from celeriac.plugin.resolution import Resolver
    from celeriac.plugin.selection import Selection


class Diagnosis:
    """Looks at one app's plugins; with `check_drivers` it imports every driver."""

    def __init__(
        self, index: Index, selection: Selection, discovery: Discovery, resolver: Resolver, check_drivers: bool
    ) -> None:
        self._index = index
        self._selection = selection
        self._discovery = discovery
        self._resolver = resolver
        self._check_drivers = check_drivers

    def states(self, plugins: list[Plugin]) -> list[PluginState]:
        """One state per distribution, the kernel first, then per object that was registered in this process."""
        providers = sorted(self._index.providers, key=lambda provider: provider.name != KERNEL)
        found = [
            self._of_distribution(provider, [plugin for plugin in plugins if plugin.distribution == provider.name])
            for provider in providers
        ]
        found.extend(
            PluginState(plugin.key, "", State.READY, hooks=hooks_of(plugin.instance))
            for plugin in plugins
            if not plugin.distribution
        )
        if self._resolver.registered:
            names: dict[str, list[str]] = {}
            for kind, name in sorted(self._resolver.registered):
                names.setdefault(kind, []).append(name)
            found.append(PluginState("registered in this process", "", State.READY, drivers=_frozen(names)))
        return found

    def _of_distribution(self, provider: Provider, plugins: Iterable[Plugin]) -> PluginState:
        names: dict[str, list[str]] = {}
        for offer in provider.offers:
            if (kind := drivers.kind_of(offer.group)) is not None:
                names.setdefault(kind, []).append(offer.name)
        state, reason = self._judge(provider)
        hooks = {hook for plugin in plugins for hook in hooks_of(plugin.instance)}
        return PluginState(
            provider.name,
            provider.version,
            state,
            reason,
            tuple(sorted(hooks)),
            _frozen(names),
            provider.location,
        )

    def _judge(self, provider: Provider) -> tuple[State, str]:
        if (reason := self._selection.why_distribution_excluded(provider.name)) is not None:
            return State.DISABLED, reason
        for offer in provider.offers:
            if (error := self._error_of(offer)) is not None:
                missing = faults.is_missing_dependency(offer, error)
                return State.MISSING_DEPENDENCY if missing else State.FAILED, str(error)
        for offer in provider.offers:
            if offer.group != PLUGINS_GROUP and (reason := self._conflict_of(offer)) is not None:
                return State.CONFLICT, reason
        return State.READY, ""

    def _error_of(self, offer: Offer) -> PluginError | None:
        if self._selection.why_excluded(offer) is not None:
            return None
        if offer.group == PLUGINS_GROUP:
            return self._discovery.failures.get(offer)
        kind = drivers.kind_of(offer.group)
        if kind is None or not self._check_drivers:
            return None
        try:
            drivers.verify(kind, offer.name, drivers.load(kind, offer), offer.owner)
        except PluginError as error:
            return error
        return None

    def _conflict_of(self, offer: Offer) -> str | None:
        taking_part = [
            other for other in self._index.find(offer.group, offer.name) if self._selection.why_excluded(other) is None
        ]
        if len(taking_part) < 2:
            return None
        return faults.conflict(f"the {drivers.kind_of(offer.group) or offer.group} {offer.name!r}", taking_part)


def _frozen(names: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {kind: tuple(found) for kind, found in names.items()}
