"""Finding what dead workers have left: claims go back to their queues, begun messages to whoever reports them.

A command whose answer was lost may be carried out later, so each names what it takes by tags and numbers that are used
once, and by the time up to which their owner was heard of: where somebody was faster, or the owner lives, it finds
nothing.  What it finds is noted under numbers that were set aside for it, and looked at until it cannot come any more.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import RedisError

from celeriac_redis.claims import ON_ITS_WAY
from celeriac_redis.envelope import priority_of, redelivered, written
from celeriac_redis.scripts import Script

if TYPE_CHECKING:
    from celeriac.contracts import Delivery
    from celeriac_redis.claims import Claims
    from celeriac_redis.link import Link
    from celeriac_redis.options import BrokerOptions
    from celeriac_redis.routes import Routes

logger = logging.getLogger("celeriac.redis")

_look: Final = Script("look")
_inherit: Final = Script("inherit")
_restore: Final = Script("restore")
_unlock: Final = Script("unlock")
_forget: Final = Script("forget")

_AT_ONCE: Final = 100
#: So much of an owner's name tells it from all others that anybody will meet.
_SHOWN: Final = 21


class Abandoned:
    """One consumer's look at what others have left behind.  Every method raises what the link raises."""

    def __init__(self, link: Link, claims: Claims, routes: Routes, options: BrokerOptions) -> None:
        self._link = link
        self._claims = claims
        self._routes = routes
        self._keys = claims.keys
        self._lease = options.lease
        self._visibility_timeout = options.visibility_timeout
        self._mutex_expire = options.unacked_mutex_expire
        #: First numbers of what may have been inherited by commands whose answers were lost, and until when to look.
        self._unsure: dict[int, float] = {}
        self._warned = False

    def look(self) -> list[Delivery]:
        """Give back abandoned claims; begun messages of dead owners, each handed out once."""
        keys = self._keys
        (answer,) = self._link.ask(
            _look([keys.owners, keys.unacked_index], self._lease, self._visibility_timeout),
        )
        now, old, *silent = answer
        if old:
            self._restore_old(float(now) - self._visibility_timeout)
        found = self._unheard_of() if self._unsure else []
        names = [name.decode() for name in silent if name.decode() != self._claims.owner]
        for owner in self._dead(names):
            found += self._bury(owner, float(now) - self._lease)
        return found

    def _dead(self, silent: list[str]) -> list[str]:
        """Those that are not connected either: one whose process is busy with a long task is silent and lives."""
        if not silent:
            return []
        (clients,) = self._link.try_all(("CLIENT", "LIST"))
        if isinstance(clients, RedisError):
            if not self._warned:
                self._warned = True
                logger.warning(
                    "the server does not tell who is connected (%s): workers that are busy for longer than %g s in"
                    " their main thread are taken for dead; grant `+client|list`",
                    clients,
                    self._lease,
                )
            return silent
        return [owner for owner in silent if owner.encode() not in clients]

    # -- dead owners ------------------------------------------------------------------------------

    def _bury(self, owner: str, heard_of_before: float) -> list[Delivery]:
        found = self._inherit(owner, heard_of_before)
        keys = self._keys
        returned = 0
        for tags in self._tags_of(owner):
            returned += self._give_back(tags, heard_of_before)
        if returned or found:
            logger.warning(
                "worker %s has died: %d messages went back to their queues, %d had begun and not ended",
                owner[:_SHOWN],
                returned,
                len(found),
            )
        # What is begun and not ours waits for a worker that has its queue.
        self._link.ask(_forget([keys.owners, keys.begun(owner)], owner, repr(heard_of_before)))
        return found

    def _inherit(self, owner: str, heard_of_before: float) -> list[Delivery]:
        claims, keys = self._claims, self._keys
        first = claims.numbers(_AT_ONCE)
        self._unsure[first] = time.monotonic() + ON_ITS_WAY
        (notes,) = self._link.ask(
            _inherit(
                [keys.unacked, keys.begun(owner), claims.begun_key, keys.owners],
                owner,
                claims.owner,
                first,
                _AT_ONCE,
                repr(heard_of_before),
                *claims.tails.values(),
            )
        )
        del self._unsure[first]
        return claims.inherited(notes, first)

    def _unheard_of(self) -> list[Delivery]:
        """What was inherited by commands whose answers have not come."""
        claims, monotonic_now = self._claims, time.monotonic()
        (begun,) = self._link.ask(("SMEMBERS", claims.begun_key))
        # Others may be our own that have begun, if only that answer was lost.
        numbers = [
            number
            for number in map(int, begun)
            if not claims.is_begun(number) and any(first <= number < first + _AT_ONCE for first in self._unsure)
        ]
        found: list[Delivery] = []
        if numbers:
            (notes,) = self._link.ask(("HMGET", self._keys.unacked, *map(claims.tag, numbers)))
            for number, note in zip(numbers, notes, strict=True):
                found += claims.inherited([note], number) if note is not None else []
        self._unsure = {first: end for first, end in self._unsure.items() if end > monotonic_now}
        return found

    def _tags_of(self, owner: str) -> Iterator[list[bytes]]:
        cursor: Any = b"0"
        while True:
            ((cursor, found),) = self._link.ask(
                ("ZSCAN", self._keys.unacked_index, cursor, "MATCH", f"{owner}.*", "COUNT", 1000)
            )
            # Messages that are held back until they are due are nobody's any more.
            tags = [tag for tag in found[::2] if b":" not in tag]
            if tags:
                yield tags
            if int(cursor) == 0:
                return

    # -- claims -----------------------------------------------------------------------------------

    def _restore_old(self, claimed_before: float) -> None:
        """Give back what Celery's workers would give back, in turn with them."""
        keys, link = self._keys, self._link
        token = token_hex(16)
        (mine,) = link.ask(("SET", keys.unacked_mutex, token, "NX", "PX", int(self._mutex_expire * 1000)))
        if not mine:
            return
        try:
            (tags,) = link.ask(
                ("ZRANGEBYSCORE", keys.unacked_index, "-inf", repr(claimed_before), "LIMIT", 0, _AT_ONCE),
            )
            # What is held back is moved by the next claim, when it is due.
            (held,) = link.ask(("ZMSCORE", keys.eta, *tags)) if tags else ([],)
            self._give_back([tag for tag, eta in zip(tags, held, strict=True) if eta is None], claimed_before)
        finally:
            link.ask(_unlock([keys.unacked_mutex], token))

    def _give_back(self, tags: list[bytes], claimed_before: float) -> int:
        """Give these back to where they came from, marked and counted as delivered; how many were still there."""
        if not tags:
            return 0
        keys = self._keys
        (notes,) = self._link.ask(("HMGET", keys.unacked, *tags))
        commands = []
        for tag, note in zip(tags, notes, strict=True):
            places: list[Any] = []
            if note is not None:
                try:
                    message, exchange, routing_key = redelivered(note)
                except ValueError:
                    logger.error("the note of claim %r cannot be read and is left as it is: %.200r", tag, note)
                    continue
                for queue in self._routes.queues_for(exchange, routing_key):
                    places += [keys.list_for(queue, priority_of(message)), written(message)]
                if not places:
                    logger.error(
                        "an abandoned message is left where it is, because no queue is bound to exchange %r with"
                        " routing key %r any more",
                        exchange,
                        routing_key,
                    )
                    continue
            commands.append(_restore([keys.unacked, keys.unacked_index], tag, repr(claimed_before), *places))
        return sum(self._link.ask(*commands)) if commands else 0
