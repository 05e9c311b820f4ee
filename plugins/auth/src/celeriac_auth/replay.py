"""What keeps a signed message from being run a second time by whoever has copied it."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import OrderedDict
from typing import Final, Protocol

from celeriac.contracts import Outcome, OutcomeKind, StorePrimitives
from celeriac.exceptions import BackendError
from celeriac_auth.header_signature import proof_in

logger = logging.getLogger("celeriac_auth")

_BEGUN: Final = b"begun"
_DONE: Final = b"done"
#: Seconds between two tries to reach the store.
_AGAIN: Final = 1.0
#: The message is never to be run again.
_KINDS_DONE: Final = frozenset({OutcomeKind.SUCCESS, OutcomeKind.FAILURE, OutcomeKind.RETRY})
#: The message may be run again: it is delivered once more, or somebody takes it out of the dead letters.
_KINDS_AGAIN: Final = frozenset(
    {OutcomeKind.REJECTED, OutcomeKind.WORKER_LOST, OutcomeKind.HARD_TIME_LIMIT, OutcomeKind.STORE_FAILED}
)
#: Most messages that a process remembers by itself.
MOST: Final = 100_000

REPLAYED: Final = "its message was received before: this is a copy of it"


class Guard(Protocol):
    """Remembers which messages have begun to run."""

    def admit(self, nonce: str, seconds: float, redelivered: bool) -> bool:
        """Whether a message may run now; it is remembered for so many seconds.  May block.

        One that has begun before may begin again where the broker has delivered it again, and its first run has not
        come to an end.
        """


class StoreGuard:
    """Remembers in the result store, for all workers that share it; `seconds` is how long a message can come again."""

    def __init__(self, store: StorePrimitives, seconds: float) -> None:
        self._store = store
        self._seconds = seconds
        self._ended: queue.SimpleQueue[tuple[str, bool]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def admit(self, nonce: str, seconds: float, redelivered: bool) -> bool:
        """Ask the store, for as long as it takes to reach it."""
        while True:
            try:
                return self._admitted(_key(nonce), seconds, redelivered)
            except BackendError as error:
                logger.error("A signed message waits for the result store, which knows whether it is a copy: %s", error)
                time.sleep(_AGAIN)

    def _admitted(self, key: str, seconds: float, redelivered: bool) -> bool:
        if self._store.compare_and_set(key, None, _BEGUN, seconds):
            return True
        return redelivered and self._store.get_values([key]).get(key, _BEGUN) != _DONE

    def settle(self, outcome: Outcome) -> None:
        """An outcome listener: what has come to its end is never admitted again.  Does not block."""
        is_done = outcome.kind in _KINDS_DONE and not outcome.requeued
        if not is_done and outcome.kind not in _KINDS_AGAIN and not outcome.requeued:
            return  # it has not begun, or is a copy of one that has
        proof = proof_in(outcome.headers)
        if proof is None:
            return
        self._ended.put((_key(proof.nonce), is_done))
        if self._thread is None:
            self._thread = threading.Thread(target=self._write, name="auth-replay", daemon=True)
            self._thread.start()

    def _write(self) -> None:
        while True:
            ended = [self._ended.get()]
            while not self._ended.empty():
                ended.append(self._ended.get())
            try:
                if done := {key: _DONE for key, is_done in ended if is_done}:
                    self._store.set_values(done, self._seconds)
                if again := [key for key, is_done in ended if not is_done]:
                    self._store.delete_values(again)
            except BackendError as error:  # they stay begun, and are admitted again only if delivered again
                logger.warning(
                    "The result store was not told that %d signed messages have ended: %s", len(ended), error
                )


class ProcessGuard:
    """Remembers in this process alone, where the result store cannot: copies that reach another one run there.

    Also bounded, so that `MOST` newer messages push an older one out.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: OrderedDict[str, float] = OrderedDict()
        self._told = False

    def admit(self, nonce: str, seconds: float, redelivered: bool) -> bool:
        """Look, and remember."""
        now = time.monotonic()
        with self._lock:
            until = self._until.pop(nonce, 0.0)
            self._until[nonce] = now + seconds
            if len(self._until) > MOST:
                _, oldest = self._until.popitem(last=False)
                if oldest > now and not self._told:
                    self._told = True
                    logger.warning(
                        "More than %d signed messages came within security_max_age: copies of older ones are not "
                        "recognised. A result store that all workers share recognises them (sqlite, redis)",
                        MOST,
                    )
        return until <= now or redelivered


def _key(nonce: str) -> str:
    return f"auth-message-{nonce}"
