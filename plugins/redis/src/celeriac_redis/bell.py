"""Being told that something has arrived, without taking it and without asking."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import RedisError

if TYPE_CHECKING:
    from celeriac_redis.address import Address
    from celeriac_redis.link import Link
    from celeriac_redis.scripts import Command

#: Where the server tells of keys that have changed since they were looked at (client-side caching).
_INVALIDATIONS: Final = b"__redis__:invalidate"


class Bell:
    """A subscribed connection: the server writes to it when a key changes that another connection has looked at.

    That other connection asks for it with `tracking`, and looks with `watch`; each look serves for one change.
    It works for any number of keys, tells within a fraction of a millisecond, and leaves messages where they are.
    Broadcast messages come the same way.
    """

    def __init__(self, link: Link, patterns: Sequence[str]) -> None:
        self._link = link
        self._patterns = list(patterns)
        self._client_id = 0

    def open(self) -> None:
        """Connect and subscribe."""
        self._link.close()
        self._link.connect()
        (self._client_id,) = self._link.ask(("CLIENT", "ID"))
        self._link.ask(("SUBSCRIBE", _INVALIDATIONS))
        if self._patterns:
            self._link.send(("PSUBSCRIBE", *self._patterns))  # the answers come with everything else

    @property
    def address(self) -> Address:
        """The server that tells."""
        return self._link.address

    def listen_to(self, pattern: str) -> None:
        """Subscribe to one more pattern of broadcast messages."""
        self._patterns.append(pattern)
        self._link.send(("PSUBSCRIBE", pattern))

    def listen_no_more(self, pattern: str) -> None:
        """End that."""
        self._patterns.remove(pattern)
        self._link.send(("PUNSUBSCRIBE", pattern))

    def fileno(self) -> int:
        """The descriptor that is readable when the bell has rung."""
        return self._link.fileno()

    def tracking(self, link: Link) -> Any:
        """Have the server tell this bell of what `link` watches; the server's error if it does not do that."""
        if not self._link.connected:
            return RedisError("the connection that is to be told does not exist")
        (answer,) = link.try_all(("CLIENT", "TRACKING", "ON", "REDIRECT", self._client_id, "OPTIN", "NOLOOP"))
        return answer if isinstance(answer, RedisError) else None

    def messages(self) -> Iterator[tuple[bytes, bytes]]:
        """Take what has come: pattern and message of each broadcast.  Raises what the link raises."""
        while self._link.waiting():
            answer = self._link.read()
            if isinstance(answer, list) and len(answer) == 4 and answer[0] == b"pmessage":
                yield answer[1], answer[3]

    def ping(self) -> None:
        """Have the server answer, so that a connection that is dead without a word is noticed."""
        self._link.send(("PING",))

    def close(self) -> None:
        """Disconnect; harmless when repeated."""
        self._link.close()


def watch(command: Command) -> tuple[Command, Command]:
    """The commands that read keys and have the next change to them told."""
    return ("CLIENT", "CACHING", "YES"), command
