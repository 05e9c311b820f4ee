"""Why a child is ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from celeriac.contracts.outcome import OutcomeKind


class Kill(NamedTuple):
    """Which job its child is to be ended for, by which signal, and how the job is to be reported then."""

    number: int
    signum: int
    kind: OutcomeKind
    detail: str
