"""Picks one driver by kind and name: from the entry points of the index, through stevedore.

Only the distribution that is chosen is imported.  Every way to fail ends in one error that says what failed, whose it
is, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from celeriac.exceptions import PluginConflict, PluginLoadError, PluginNotFound
from celeriac.plugin import faults, known, targets
from celeriac.plugin.index import KERNEL, Index, Offer
from celeriac.plugin.spelling import did_you_mean

if TYPE_CHECKING:
    from celeriac.plugin.selection import Selection

#: The entry-point group of each kind of driver.
GROUPS: Final = {
    "broker": "celeriac.brokers",
    "backend": "celeriac.backends",
    "serializer": "celeriac.serializers",
    "pool": "celeriac.pools",
    "scheduler": "celeriac.schedulers",
    "loader": "celeriac.loaders",
    "command": "celeriac.commands",
    "almanac": "celeriac.almanacs",
    "compressor": "celeriac.compressors",
}

#: Kinds whose driver is an object, not a class.
_OBJECTS: Final = frozenset({"command"})


def group_of(kind: str) -> str:
    """The entry-point group of a kind.  Raises `ValueError` for a kind that does not exist."""
    try:
        return GROUPS[kind]
    except KeyError:
        raise ValueError(f"there are no drivers of kind {kind!r}, only {', '.join(GROUPS)}") from None


def kind_of(group: str) -> str | None:
    """The kind whose entry-point group this is, None where it is no group of drivers."""
    return next((kind for kind, name in GROUPS.items() if name == group), None)


def choose(index: Index, selection: Selection, kind: str, name: str) -> Offer | None:
    """The one offer under that name that takes part; None where nobody has ever offered it.

    Raises `PluginConflict` if several distributions offer different things, and `PluginNotFound` if all that offer
    it are disabled.
    """
    found = index.find(group_of(kind), name)
    reasons = {offer: selection.why_excluded(offer) for offer in found}
    offers = [offer for offer, reason in reasons.items() if reason is None]
    if len(offers) > 1:
        raise PluginConflict(faults.conflict(f"the {kind} {name!r}", offers))
    if found and not offers:
        owner, reason = found[0].owner, reasons[found[0]]
        raise PluginNotFound(f"the {kind} {name!r} is offered by {owner}, which is disabled: {reason}")
    return offers[0] if offers else None


def load_target(text: str) -> Any:
    """The driver that is named as ``package.module:object``.  Raises `PluginLoadError`."""
    try:
        return targets.load(text)
    except Exception as error:
        raise PluginLoadError(f"{text!r} cannot be loaded: {type(error).__name__}: {error}") from error


def load(kind: str, offer: Offer) -> Any:
    """Import the driver behind an offer.  Raises `PluginLoadError`, chained, naming distribution and version."""
    from celeriac.plugin.picker import OfferPicker  # stevedore costs 30 ms, and many processes never pick a driver

    try:
        return OfferPicker(offer).driver
    except Exception as error:
        raise faults.load_error(f"the {kind} {offer.name!r}", offer, error) from error


def verify(kind: str, name: str, driver: Any, owner: str) -> Any:
    """`driver` itself, if it can serve as one.

    Raises `PluginLoadError` naming `owner` if it is no class, leaves parts of its contract out, or states a version
    of the contract that this kernel does not serve.
    """
    if kind in _OBJECTS:
        return driver
    if not isinstance(driver, type):
        raise PluginLoadError(f"the {kind} {name!r} of {owner} must be a class, and is {driver!r}")
    if missing := sorted(getattr(driver, "__abstractmethods__", ())):
        raise PluginLoadError(f"the {kind} {name!r} of {owner} does not implement {', '.join(missing)}")
    served = _served(kind)
    stated = getattr(driver, "api_version", served)
    if stated != served:
        older = isinstance(stated, int) and stated < served
        upgrade = owner.partition(" ")[0] if older else KERNEL
        raise PluginLoadError(
            f"the {kind} {name!r} of {owner} is written for version {stated} of the {kind} contract, and this kernel "
            f"serves version {served}. Upgrade it: pip install --upgrade {upgrade}"
        )
    return driver


def _served(kind: str) -> int:
    """The version of the kind's contract that this kernel serves."""
    if kind == "broker":
        from celeriac.contracts.broker import BROKER_API  # who only lists names does without the contracts

        return BROKER_API
    return 1


def not_found(kind: str, name: str, offered: Iterable[str]) -> PluginNotFound:
    """The error for a name that nobody offers: what to install, or what was perhaps meant, and what there is."""
    names = sorted(set(offered))
    there_are = f" Installed: {', '.join(names)}." if names else f" No plugin with a {kind} is installed."
    if (remedy := known.remedy_for(kind, name)) is not None:
        return PluginNotFound(f"the {kind} {name!r} is not installed. {remedy}.{there_are}")
    hint = did_you_mean(name, {*names, *known.known_names(kind)})
    return PluginNotFound(f"no installed plugin offers the {kind} {name!r}.{hint}{there_are}")
