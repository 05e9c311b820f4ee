"""The chords of one in-memory store; whoever calls holds the store's lock."""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

from celeriac.contracts import CLAIM_SECONDS, Turn


@dataclass(frozen=True, slots=True)
class Member:
    """One encoded part."""

    task_id: str
    place: int | None
    state: str
    content_type: str
    data: bytes


@dataclass(slots=True)
class Chord:
    """The state of one chord.  Times are on the monotonic clock."""

    #: How many parts complete it; None as long as nobody has said.
    size: int | None = None
    extra: int = 0
    body: dict[str, Any] | None = None
    members: dict[str, Member] = field(default_factory=dict)
    claimed: float | None = None
    is_done: bool = False

    def add(self, member: Member, now: float) -> Turn | None:
        """One more part; what that leads to."""
        if self.is_done:
            return None
        is_new = member.task_id not in self.members
        if is_new:
            self.members[member.task_id] = member
        turn = self.claim(now)
        # A new part beyond the last one is of no interest to anybody; one that came again is a sign of trouble.
        return None if turn is Turn.BUSY and is_new else turn

    def claim(self, now: float) -> Turn | None:
        """The turn of whoever asks."""
        if self.is_done or self.size is None or len(self.members) < self.size + self.extra:
            return None
        if self.claimed is not None and now - self.claimed < CLAIM_SECONDS:
            return Turn.BUSY
        self.claimed = now
        return Turn.CLAIMED

    def in_order(self) -> list[Member]:
        """The parts in the order of the header, those without a place last."""
        return sorted(self.members.values(), key=lambda each: (each.place is None, each.place or 0))

    def end(self) -> None:
        """Its body has been called; only that is remembered."""
        self.is_done = True
        self.members.clear()
        self.body = None


class Chords:
    """Chords by group id, until they expire."""

    def __init__(self) -> None:
        self._chords: dict[str, Chord] = {}
        self._expiries: list[tuple[float, str]] = []
        self._admitted: dict[str, str] = {}
        self._admission_expiries: list[tuple[float, str]] = []

    def get(self, group_id: str) -> Chord | None:
        """The chord, if it is known."""
        return self._chords.get(group_id)

    def find(self, group_id: str, expires: float | None) -> Chord:
        """The chord, made where it is not known."""
        chord = self._chords.get(group_id)
        if chord is None:
            chord = self._chords[group_id] = Chord()
            if expires is not None:
                heappush(self._expiries, (expires, group_id))
        return chord

    def start(self, group_id: str, size: int, body: dict[str, Any] | None, expires: float | None) -> None:
        """Say how many parts complete it."""
        chord = self.find(group_id, expires)
        if chord.size is None:
            chord.size, chord.body = size, body

    def admit(self, call: str, token: str, expires: float | None) -> bool:
        """Whether the token is the first that was asked for."""
        admitted = self._admitted.get(call)
        if admitted is None:
            admitted = self._admitted[call] = token
            if expires is not None:
                heappush(self._admission_expiries, (expires, call))
        return admitted == token

    def sweep(self, now: float) -> None:
        """Drop what has expired."""
        while self._expiries and self._expiries[0][0] <= now:
            self._chords.pop(heappop(self._expiries)[1], None)
        while self._admission_expiries and self._admission_expiries[0][0] <= now:
            self._admitted.pop(heappop(self._admission_expiries)[1], None)
