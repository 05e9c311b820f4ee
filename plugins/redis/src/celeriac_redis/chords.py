"""The state of chords, on the keys of Celery 5.7."""

from __future__ import annotations

from collections.abc import Sequence
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

from celeriac.contracts import CLAIM_SECONDS, ChordPart, NewChord, Turn
from celeriac.exceptions import ProtocolError
from celeriac_redis.scripts import Command, Script

if TYPE_CHECKING:
    from collections.abc import Callable

    from celeriac_redis.payload import Codec

_start: Final = Script("chord_start")
_part: Final = Script("chord_part")
_end: Final = Script("chord_end")

_TURNS: Final = {1: Turn.CLAIMED, 2: Turn.BUSY}
_CLAIM_MS: Final = int(CLAIM_SECONDS * 1000)
#: Milliseconds for which it is remembered at least that a body has been called, and where chords are kept for ever.
_REMEMBERED_LEAST: Final = 300_000
_REMEMBERED: Final = 86_400_000


class ChordKeys:
    """The keys of one chord; all but the last are Celery's.

    Parts in the order of their places, how many have been added to the size, the size, the names of the parts, who is
    about to call the body (or ``done``), the body.
    """

    def __init__(self, group_key: str) -> None:
        self.parts, self.extra, self.size = f"{group_key}.j", f"{group_key}.t", f"{group_key}.s"
        self.names, self.claim, self.body = f"{group_key}.d", f"{group_key}.c", f"{group_key}.b"


class Chords:
    """Commands about chords, and what their answers mean."""

    def __init__(self, codec: Codec, group_key: Callable[[str], str]) -> None:
        self._codec = codec
        self._group_key = group_key

    def _keys(self, group_id: str) -> ChordKeys:
        return ChordKeys(self._group_key(group_id))

    def start(self, chord: NewChord) -> Command:
        """Have the size and the body kept."""
        keys = self._keys(chord.group_id)
        body = b"" if chord.body is None else self._codec.encode(chord.body)
        return _start([keys.size, keys.claim, keys.body], chord.size, body, self._codec.chord_kept(chord.expires))

    def grow(self, group_id: str, count: int) -> list[Command]:
        """Add to the size."""
        keys, kept = self._keys(group_id), self._codec.chord_kept()
        expiry: list[Command] = [("PEXPIRE", keys.extra, kept)] if kept else []
        return [("INCRBY", keys.extra, count), *expiry]

    def add(self, part: ChordPart) -> Command:
        """Add a part; `turn` tells what the answer means."""
        place = "+inf" if part.place is None else str(part.place)
        member = self._codec.encode_plain([1, part.task_id, part.state, part.result])
        return self._turn_command(part.group_id, member, place, f"{part.task_id}:{place}")

    def ask(self, group_id: str) -> Command:
        """Ask whose turn it is."""
        return self._turn_command(group_id, b"", "0", "")

    def _turn_command(self, group_id: str, member: bytes, place: str, name: str) -> Command:
        keys = self._keys(group_id)
        return _part(
            [keys.parts, keys.extra, keys.size, keys.names, keys.claim, keys.body],
            member,
            place,
            name,
            self._codec.chord_kept(),
            token_hex(16),
            _CLAIM_MS,
        )

    @staticmethod
    def turn(answer: int) -> Turn | None:
        """Whose turn it is to call the body."""
        return _TURNS.get(answer)

    def read(self, group_id: str) -> list[Command]:
        """Ask for the body and the parts; `found` tells what the answers mean."""
        keys = self._keys(group_id)
        return [("GET", keys.body), ("ZRANGE", keys.parts, 0, -1)]

    def found(
        self, body: bytes | None, parts: Sequence[bytes]
    ) -> tuple[dict[str, Any] | None, list[tuple[str, str, Any]]]:
        """The body, and task id, state and result of the parts.  Raises ProtocolError."""
        members = []
        for part in parts:
            try:
                _, task_id, state, result = self._codec.decode(part)
            except (TypeError, ValueError):
                raise ProtocolError(f"a part of a chord has another form than Celery's: {part[:200]!r}") from None
            members.append((str(task_id), str(state), result))
        return (None if body is None else self._codec.decode(body)), members

    def end(self, group_id: str) -> Command:
        """Forget all but that the body has been called."""
        keys = self._keys(group_id)
        return _end([keys.claim, keys.parts, keys.extra, keys.size, keys.names, keys.body], self._remembered())

    def admit(self, call: str, token: str) -> list[Command]:
        """Keep the token, if it is the first, and ask for the one that is kept."""
        key = f"{self._group_key(call)}.a"
        return [("SET", key, token, "NX", "PX", self._remembered()), ("GET", key)]

    def _remembered(self) -> int:
        return max(_REMEMBERED_LEAST, int(self._codec.chord_kept() or _REMEMBERED))
