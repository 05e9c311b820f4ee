"""What a store offers beyond results: values with a life time, counters, sorted sets, fenced locks, notices.

What several processes on several machines must agree on (who leads, what is revoked, which schedules there are) is
built of these.  A `Backend` that has them inherits `StorePrimitives` as well.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence


class Notices(ABC):
    """One subscription to a channel; used by one thread at a time."""

    @abstractmethod
    def wait(self, timeout: float) -> bool:
        """Whether somebody has notified the channel since the last call; waits up to `timeout` seconds for it.

        A notice may be missed while the store is out of reach, so look for news now and then without one.  Raises
        `StoreUnavailable`.
        """

    @abstractmethod
    def close(self) -> None:
        """End the subscription; tolerates being called twice."""


class StorePrimitives(ABC):
    """Each method is atomic, thread-safe, may block for a round trip, and raises `StoreUnavailable`.

    Keys and names are short texts; start them with the name of the part that uses them.  Values are bytes, and are
    never shown to anybody.  `expires` is in seconds from now, None for never.  Values, counters, sets and locks of the
    same name have nothing to do with each other.
    """

    # -- values -------------------------------------------------------------------------------------------------------

    @abstractmethod
    def get_values(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The values of those of the keys that have one, in one round trip."""

    @abstractmethod
    def set_values(self, values: Mapping[str, bytes], expires: float | None = None) -> None:
        """Keep all, each in the place of an earlier one."""

    @abstractmethod
    def compare_and_set(
        self, key: str, expected: bytes | None, value: bytes | None, expires: float | None = None
    ) -> bool:
        """Keep `value` if the key has the value `expected`; whether it had.  None: no value."""

    @abstractmethod
    def delete_values(self, keys: Sequence[str]) -> None:
        """Forget the values."""

    # -- counters -----------------------------------------------------------------------------------------------------

    @abstractmethod
    def increment(self, name: str, by: int = 1) -> int:
        """Add to a counter that begins at 0; what it is then."""

    # -- sorted sets --------------------------------------------------------------------------------------------------

    @abstractmethod
    def add_members(self, name: str, members: Mapping[str, float]) -> None:
        """Put members with their scores into a set; one that is there gets the new score."""

    @abstractmethod
    def remove_members(self, name: str, members: Sequence[str]) -> None:
        """Take members out of a set."""

    @abstractmethod
    def members_between(
        self, name: str, lowest: float, highest: float, limit: int | None = None
    ) -> list[tuple[str, float]]:
        """Members with a score from `lowest` to `highest`, both included, in the order of score and member."""

    # -- locks --------------------------------------------------------------------------------------------------------

    @abstractmethod
    def acquire_lock(self, name: str, owner: str, seconds: float) -> int | None:
        """Have the lock for so many seconds from now; the token, or None where another owner has it.

        An owner who has it renews it and gets the same token.  Each new holding has a greater token than all before.
        """

    @abstractmethod
    def release_lock(self, name: str, owner: str) -> bool:
        """Give the lock up; whether `owner` had it."""

    @abstractmethod
    def set_fenced(self, name: str, token: int, values: Mapping[str, bytes | None]) -> bool:
        """Keep values (None: forget) unless the lock has been given to another since; whether they were kept.

        This is what makes the lock safe: a holder that slept through its end cannot write over its successor.
        """

    # -- notices ------------------------------------------------------------------------------------------------------

    @abstractmethod
    def notify(self, channel: str) -> None:
        """Wake all who listen on the channel."""

    @abstractmethod
    def listen(self, channel: str) -> Notices:
        """Listen on a channel from now on."""


__all__ = ["Notices", "StorePrimitives"]
