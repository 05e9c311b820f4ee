"""Which distributions may take part: what the environment disables, and what a test allows."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from celeriac.plugin.index import KERNEL, Offer, normalize

DISABLE: Final = "CELERIAC_PLUGINS_DISABLE"
ALLOW: Final = "CELERIAC_PLUGINS_ALLOW"
STRICT: Final = "CELERIAC_PLUGINS_STRICT"

_PREFIX: Final = KERNEL + "-"


@dataclass(frozen=True, slots=True)
class Selection:
    """Names are those of distributions, with or without ``celeriac-``; `disabled` may also name entry points.

    `allowed` is None where everything is; the kernel itself always takes part.  `strict` makes the failure of any
    plugin an error.
    """

    disabled: frozenset[str] = frozenset()
    allowed: frozenset[str] | None = None
    strict: bool = False

    @classmethod
    def from_environment(
        cls, allow: Collection[str] | None = None, environ: Mapping[str, str] | None = None
    ) -> Selection:
        """What the environment says; `allow`, if given, in place of its allow-list."""
        environ = os.environ if environ is None else environ
        if allow is None and ALLOW in environ:
            allow = _words(environ[ALLOW])
        return cls(
            disabled=frozenset(map(normalize, _words(environ.get(DISABLE, "")))),
            allowed=None if allow is None else frozenset(map(normalize, allow)),
            strict=environ.get(STRICT, "").lower() in ("1", "true", "yes", "on"),
        )

    def why_excluded(self, offer: Offer) -> str | None:
        """The reason why this offer does not take part, None if it does."""
        return self.why_distribution_excluded(offer.distribution) or (
            f"{DISABLE} names {offer.name}"
            if normalize(offer.name) in self.disabled and normalize(offer.distribution) != KERNEL
            else None
        )

    def why_distribution_excluded(self, distribution: str) -> str | None:
        """The reason why nothing of this distribution takes part, None if it does."""
        name = normalize(distribution)
        if name == KERNEL:
            return None
        names = {name, name.removeprefix(_PREFIX)}
        if names & self.disabled:
            return f"{DISABLE} names {min(names & self.disabled)}"
        if self.allowed is not None and not names & self.allowed:
            return f"the allow-list ({ALLOW}) does not name it"
        return None


def _words(text: str) -> list[str]:
    return [word for word in text.replace(",", " ").split() if word]
