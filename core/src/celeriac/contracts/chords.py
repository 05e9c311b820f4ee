"""What a result store must be able to do for chords to need no polling: count the parts of a header, once each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from celeriac.contracts.backend import Backend, StoredResult

#: Seconds for which a claim keeps others from calling the body; then its holder counts as dead.
CLAIM_SECONDS: Final = 30.0


class NewChord(NamedTuple):
    """A chord whose header is about to be sent.

    `size` is the number of parts that complete it, `body` the signature to call then (None where each header task
    carries it), `expires` the seconds that its state is kept (None: the store's default, ``result_chord_expires``).
    """

    group_id: str
    size: int
    body: dict[str, Any] | None = None
    expires: float | None = None


class ChordPart(NamedTuple):
    """How one task of a header ended.

    `place` is its place in the header (None: after all others), `result` what the meta of its result says. `body`
    (the chord's, where the task carried it) and `root_id` are for whoever calls the body; no store keeps them.
    """

    group_id: str
    place: int | None
    task_id: str
    state: str
    result: Any
    body: dict[str, Any] | None = None
    root_id: str | None = None


class Turn(StrEnum):
    """What a part, or the question of `claim_chord`, has led to."""

    #: The chord is complete and the asker is the one who calls the body, then `end_chords`.
    CLAIMED = "claimed"
    #: The chord is complete and somebody else is about to call the body.
    BUSY = "busy"


class ChordStore(ABC):
    """What a `Backend` inherits as well if it can count.  Each method is atomic and raises `StoreUnavailable`.

    A part is told by (`group_id`, `task_id`): the first report of a task counts, all later ones are ignored.  A chord
    whose body has been called is remembered until it expires, so that a late part finds it done.
    """

    @abstractmethod
    def start_chords(self, chords: Sequence[NewChord]) -> None:
        """Called before the header is sent.  A chord that is known already stays as it is."""

    @abstractmethod
    def grow_chord(self, group_id: str, count: int = 1) -> None:
        """`count` more parts complete the chord; called from one of its header tasks before that has ended."""

    @abstractmethod
    def store_with_parts(self, results: Sequence[StoredResult], parts: Sequence[ChordPart]) -> dict[str, Turn]:
        """`Backend.store` and the parts, all in one transaction where the store has such a thing, else results first.

        Gives the chords that these parts have completed (claimed for the caller for `CLAIM_SECONDS`), and the busy
        ones of which a part came again: its task has been redelivered, so whoever had claimed them may be dead.
        """

    @abstractmethod
    def claim_chord(self, group_id: str) -> Turn | None:
        """Ask again for a chord that was busy.  None: not complete, done, or unknown."""

    @abstractmethod
    def read_chord(self, group_id: str) -> tuple[dict[str, Any] | None, list[tuple[str, str, Any]]]:
        """The body given to `start_chords`, and (task id, state, result) of all parts in the order of the header."""

    @abstractmethod
    def end_chords(self, group_ids: Sequence[str]) -> None:
        """The bodies have been sent: forget the parts, and that they were due."""

    @abstractmethod
    def admit(self, call: str, token: str) -> bool:
        """Whether the message with that token is the one that runs the call; asked before a body runs.

        `call` names the chord and the task.  Whoever sends a body may die before `end_chords`, and another then sends
        it again: the same call in a message with another token.  The first token that is asked for is the one, as often
        as it is asked for: its message may be delivered again.  It is remembered as long as chords are.
        """


class Deposit(NamedTuple):
    """What a task leaves to be stored when it has ended.

    `elsewhere` are the results of tasks that name a store of their own, with that store; all else is the app's.
    """

    results: list[StoredResult]
    parts: list[ChordPart]
    elsewhere: Sequence[tuple[Backend, StoredResult]] = ()


__all__ = ["CLAIM_SECONDS", "ChordPart", "ChordStore", "Deposit", "NewChord", "Turn"]
