"""How the failure of a plugin is told: what, whose, why, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celeriac.exceptions import PluginLoadError
from celeriac.plugin.index import KERNEL
from celeriac.plugin.selection import DISABLE

if TYPE_CHECKING:
    from celeriac.plugin.index import Offer


def load_error(what: str, offer: Offer, error: BaseException) -> PluginLoadError:
    """The error to raise from `error`, which came up while `what` was imported."""
    return PluginLoadError(
        f"{what} of {offer.owner} cannot be loaded: {type(error).__name__}: {error}. {_remedy(offer, error)}"
    )


def conflict(what: str, offers: list[Offer]) -> str:
    """What is wrong when distributions offer different things under one name."""
    owners = " and by ".join(f"{offer.owner} ({offer.value})" for offer in offers)
    return (
        f"{what} is offered by {owners}. Uninstall one of them, disable one with {DISABLE}, "
        "or name the one you want as 'package.module:object'"
    )


def is_missing_dependency(offer: Offer, error: BaseException | None) -> bool:
    """Whether the error, or one that it came from, is a module of somebody else that is not installed."""
    while error is not None:
        if isinstance(error, ModuleNotFoundError) and error.name is not None and not _is_own(offer, error.name):
            return True
        error = error.__cause__
    return False


def _remedy(offer: Offer, error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name is not None:
        if _is_own(offer, error.name):
            return f"Its files are missing: pip install --force-reinstall {offer.distribution}"
        return f"It needs the module {error.name!r}, which is not installed: pip install {offer.distribution}"
    upgrade = f"Upgrade it: pip install --upgrade {offer.distribution}"
    return upgrade if offer.distribution == KERNEL else f"{upgrade}; or disable it: {DISABLE}={offer.distribution}"


def _is_own(offer: Offer, module: str) -> bool:
    return module.partition(".")[0] == offer.module.partition(".")[0]
