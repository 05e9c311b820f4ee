"""Who of many workers is to do what one of them is to do."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from kombu.utils.functional import LRUCache

from celeriac.protocol import wall

if TYPE_CHECKING:
    from celeriac.contracts.loop import EventLoop
    from celeriac.events.dispatcher import EventDispatcher

logger = logging.getLogger("celeriac.worker.gossip")

#: So many elections are remembered.
_REMEMBERED: Final = 1000
#: Seconds for which acknowledgements are gathered: one answers all candidates who spoke meanwhile.
_ACK_PAUSE: Final = 0.1
#: Seconds until an election that everyone has acknowledged does without workers that are no candidates.
_PATIENCE: Final = 1.0
#: Seconds for which a candidacy counts.
_CURRENT: Final = 300.0
#: The version of the protocol that candidates speak.
_VERSION: Final = 1


class Election:
    """One election, as one worker sees it."""

    __slots__ = ("acked", "candidates", "is_ack_due", "is_candidate", "is_over", "is_patient")

    def __init__(self) -> None:
        #: Logical clock and id of each candidate, with the topic and the action: the least is the leader.
        self.candidates: dict[str, tuple[int, str, str, Any]] = {}
        #: The node names of those who know of it.
        self.acked: set[str] = set()
        self.is_candidate = False
        self.is_ack_due = False
        self.is_patient = True
        self.is_over = False


class Elections:
    """The elections that one worker takes part in.

    Every worker that is asked to hold an election stands in it, with its logical clock, and acknowledges those of the
    others.  When all who are alive have done so, the candidate with the least clock, and of equal ones the least id, is
    the leader in the eyes of all, and calls the handler of the topic with the action.
    """

    def __init__(
        self,
        me: tuple[str, int],
        loop: EventLoop,
        dispatcher: Callable[[], EventDispatcher | None],
        alive: Callable[[], Iterable[str]],
        handlers: dict[str, Callable[[Any], Any]],
    ) -> None:
        """`me` is node name and process id; `alive` gives the node names of the others."""
        self._hostname = me[0]
        self._id = f"{me[0]}.{me[1]}"
        self._loop = loop
        self._dispatcher = dispatcher
        self._alive = alive
        self._handlers = handlers
        self._elections: LRUCache = LRUCache(limit=_REMEMBERED)

    def hold(self, id: str, topic: str, action: Any = None) -> None:
        """Stand in an election, which everyone is asked to hold at the same time."""
        dispatcher = self._dispatcher()
        if dispatcher is None:
            return
        election = self._of(id)
        if not election.is_candidate:
            election.is_candidate = True
            dispatcher.send("worker-elect", id=id, topic=topic, action=action, cver=_VERSION)

    def on_elect(self, event: dict[str, Any]) -> None:
        """A worker stands in an election."""
        id, clock, hostname = event.get("id"), event.get("clock"), event.get("hostname")
        if type(id) is not str or type(clock) is not int or type(hostname) is not str:
            logger.error("A candidate said something that is no candidacy: %.200r", event)
            return
        said_at = event.get("timestamp")
        if not isinstance(said_at, (int, float)) or not wall.time() - said_at < _CURRENT:
            # Somebody shows an old one again, or a clock is far off; what it was about has been done.
            logger.warning("A candidacy of %s is too old, and passed over (election %.200s)", hostname, id)
            return
        election = self._of(id)
        node = f"{hostname}.{event.get('pid')}"
        election.candidates[hostname] = (clock, node, str(event.get("topic")), event.get("action"))
        if not election.is_ack_due:
            if not election.acked and not election.is_over:
                self._loop.call_later(_PATIENCE, self._lose_patience, id)
            election.is_ack_due = True
            self._loop.call_later(_ACK_PAUSE, self._acknowledge, id)

    def on_ack(self, event: dict[str, Any]) -> None:
        """A worker knows of an election."""
        id, hostname = event.get("id"), event.get("hostname")
        if type(id) is str and type(hostname) is str and id in self._elections.data:
            self._of(id).acked.add(hostname)
            self._decide(id)

    def look_again(self) -> None:
        """A worker has gone: what waited for it need not wait any more."""
        for id in list(self._elections.data):
            self._decide(id)

    def _of(self, id: str) -> Election:
        found = self._elections.data.get(id)
        if found is None:
            found = self._elections[id] = Election()
        election: Election = found
        return election

    def _acknowledge(self, id: str) -> None:
        dispatcher, election = self._dispatcher(), self._of(id)
        election.is_ack_due = False
        if dispatcher is not None:
            dispatcher.send("worker-elect-ack", id=id)

    def _lose_patience(self, id: str) -> None:
        self._of(id).is_patient = False
        self._decide(id)

    def _decide(self, id: str) -> None:
        election = self._of(id)
        voters = {self._hostname, *self._alive()}
        if election.is_over or not election.candidates or not voters <= election.acked:
            return
        if election.is_patient and not voters <= election.candidates.keys():
            return
        election.is_over = True
        _, leader, topic, action = min(election.candidates.values(), key=lambda candidate: candidate[:2])
        if leader != self._id:
            logger.info("Node %s was elected for %s (%s)", leader, topic, id)
            return
        handler = self._handlers.get(topic)
        if handler is None:
            logger.error("This node was elected for %s (%s), which it does not know", topic, id)
            return
        logger.info("This node was elected for %s (%s)", topic, id)
        try:
            handler(action)
        except Exception:
            logger.exception("What this node was elected for failed: %s (%s)", topic, id)
