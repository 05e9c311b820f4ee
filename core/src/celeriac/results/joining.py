"""Which of several results have come, and when that decides what the whole of them is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from celeriac import states

if TYPE_CHECKING:
    from celeriac.results.service import Results
    from celeriac.results.task_result import TaskResult


class Joining:
    """Collects what arrives for the `members` of a set, which are results of tasks or of groups.

    With `propagate` it is over as soon as one fails: the first that is told of, or with `in_order` the first in the
    order of the members.  `on_complete` gets the place of each member when all of it has come, in that same order.
    """

    def __init__(
        self,
        members: Sequence[Any],
        propagate: bool,
        in_order: bool = False,
        on_complete: Callable[[int], Any] | None = None,
    ) -> None:
        self.members = members
        #: Whom to wait for: the results with that id.
        self.watched: dict[str, list[TaskResult[Any]]] = {}
        self._propagate = propagate
        self._in_order = in_order
        self._on_complete = on_complete
        #: Of each member, how many of its tasks have not ended, and the one that makes it fail.
        self._left = [0] * len(members)
        self._failed: dict[int, TaskResult[Any]] = {}
        #: The members that an id matters to, and whether it is one of their own tasks.
        self._matters: dict[str, dict[int, bool]] = {}
        self._place = 0
        self._told = 0
        self._failure: TaskResult[Any] | None = None
        for index, member in enumerate(members):
            self._enroll(index, member)
        self.over = self._begin()

    def _enroll(self, index: int, member: Any) -> None:
        for leaf in leaves_of(member):
            if not leaf.is_pending:
                if leaf.is_known_to_fail:
                    self._fail(index, leaf)
                continue
            if leaf.ignored:
                continue
            if not self._matters.get(leaf.id, {}).get(index):
                self._left[index] += 1
            self._watch(leaf, index, own=True)
            if self._propagate:
                for parent in leaf.ancestors():
                    if parent.is_known_to_fail:
                        self._fail(index, parent)
                    elif parent.is_pending and not parent.ignored:
                        self._watch(parent, index, own=False)

    def _fail(self, index: int, because: TaskResult[Any]) -> None:
        if index not in self._failed:
            self._failed[index] = because

    def _watch(self, result: TaskResult[Any], index: int, own: bool) -> None:
        self.watched.setdefault(result.id, []).append(result)
        matters = self._matters.setdefault(result.id, {})
        matters[index] = own or matters.get(index, False)

    def _begin(self) -> bool:
        if self._in_order:
            return self._advance()
        return self._tell(index for index in range(len(self.members)) if self._is_known(index))

    def _is_known(self, index: int) -> bool:
        return not self._left[index] or (self._propagate and index in self._failed)

    def take(self, meta: dict[str, Any]) -> bool:
        """Note what has arrived; whether that was enough."""
        results = self.watched[meta["task_id"]]
        for result in results:
            result.keep(meta)
        fails = meta["status"] in states.PROPAGATE_STATES
        complete = []
        for index, own in self._matters[meta["task_id"]].items():
            if own:
                self._left[index] -= 1
            if fails:
                self._fail(index, results[0])
            if self._is_known(index):
                complete.append(index)
        self.over = self._advance() if self._in_order else self._tell(complete)
        return self.over

    def _tell(self, places: Iterable[int]) -> bool:
        return any(self._decided(index) for index in places) or self._told == len(self.members)

    def _advance(self) -> bool:
        while self._place < len(self.members) and self._is_known(self._place):
            if self._decided(self._place):
                return True
            self._place += 1
        return self._place == len(self.members)

    def _decided(self, index: int) -> bool:
        """Tell of a member that is known; whether it decides about all."""
        if self._failure is not None:
            return True
        if self._propagate and index in self._failed:
            self._failure = self._failed[index]
            return True
        self._told += 1
        if self._on_complete is not None:
            self._on_complete(index)
        return False

    def outcome(self) -> list[Any]:
        """The values in order.  Raises the exception of the member that decided."""
        self.check()
        return [value_known(member) for member in self.members]

    def check(self) -> None:
        """Raise the exception of the member that decided, if one did."""
        if self._failure is not None:
            self._failure.maybe_throw()

    def services(self) -> Iterator[tuple[Results, list[str]]]:
        """The ids to wait for, by who is to be asked."""
        found: dict[int, tuple[Results, list[str]]] = {}
        for task_id, results in self.watched.items():
            service = results[0].service
            found.setdefault(id(service), (service, []))[1].append(task_id)
        yield from found.values()


def leaves_of(result: Any) -> Iterator[TaskResult[Any]]:
    """The results of tasks that `result`, of a task or of a group, stands for."""
    members = getattr(result, "results", None)
    if members is None:
        yield result
        return
    for member in members:
        yield from leaves_of(member)


def value_known(result: Any) -> Any:
    """The value of a result that has come, an exception where it failed; a list for a group."""
    members = getattr(result, "results", None)
    if members is not None:
        return [value_known(member) for member in members]
    return None if result.ignored and result.is_pending else result.result
