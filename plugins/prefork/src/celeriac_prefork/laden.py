"""Which children have more to do than they have begun."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from celeriac_prefork.child import Child


def most_laden(children: Iterable[Child]) -> list[Child]:
    """The children that have jobs which they cannot have begun, that with most of them first."""
    laden = [child for child in children if child.not_begun > 0]
    laden.sort(key=_not_begun, reverse=True)
    return laden


def _not_begun(child: Child) -> int:
    return child.not_begun
