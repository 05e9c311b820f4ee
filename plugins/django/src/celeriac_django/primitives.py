"""The store primitives, for all who reach the database."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Final

from celeriac.contracts import Notices, StorePrimitives
from celeriac_django.reach import apart

#: Seconds between two looks at whether there is a notice: at first, at most, and by how much it grows.
_FIRST: Final = 0.02
_MOST: Final = 0.5
_GROWTH: Final = 1.5


class DjangoPrimitives(StorePrimitives):
    """The part of the store that is no results; the tables are there only once Django has been set up."""

    def get_values(self, keys: Sequence[str]) -> dict[str, bytes]:
        from celeriac_django import shared

        with apart():
            return shared.get_values(keys)

    def set_values(self, values: Mapping[str, bytes], expires: float | None = None) -> None:
        from celeriac_django import shared

        with apart():
            shared.set_values(values, expires)

    def compare_and_set(
        self, key: str, expected: bytes | None, value: bytes | None, expires: float | None = None
    ) -> bool:
        from celeriac_django import shared

        with apart():
            return shared.compare_and_set(key, expected, value, expires)

    def delete_values(self, keys: Sequence[str]) -> None:
        from celeriac_django import shared

        with apart():
            shared.delete_values(keys)

    def increment(self, name: str, by: int = 1) -> int:
        from celeriac_django import shared

        with apart():
            return shared.increment(name, by)

    def add_members(self, name: str, members: Mapping[str, float]) -> None:
        from celeriac_django import shared

        with apart():
            shared.add_members(name, members)

    def remove_members(self, name: str, members: Sequence[str]) -> None:
        from celeriac_django import shared

        with apart():
            shared.remove_members(name, members)

    def members_between(
        self, name: str, lowest: float, highest: float, limit: int | None = None
    ) -> list[tuple[str, float]]:
        from celeriac_django import shared

        with apart():
            return shared.members_between(name, lowest, highest, limit)

    def acquire_lock(self, name: str, owner: str, seconds: float) -> int | None:
        from celeriac_django import shared

        with apart():
            return shared.acquire_lock(name, owner, seconds)

    def release_lock(self, name: str, owner: str) -> bool:
        from celeriac_django import shared

        with apart():
            return shared.release_lock(name, owner)

    def set_fenced(self, name: str, token: int, values: Mapping[str, bytes | None]) -> bool:
        from celeriac_django import shared

        with apart():
            return shared.set_fenced(name, token, values)

    def notify(self, channel: str) -> None:
        self.increment(_notice(channel))

    def listen(self, channel: str) -> Notices:
        return DjangoNotices(channel)


class DjangoNotices(Notices):
    """Looks at a counter, ever more rarely while nothing happens: databases of all kinds can do that."""

    def __init__(self, channel: str) -> None:
        self._name = _notice(channel)
        self._seen = self._count()

    def wait(self, timeout: float) -> bool:
        monotonic_deadline, pause = time.monotonic() + timeout, _FIRST
        while (count := self._count()) == self._seen:
            left = monotonic_deadline - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(left, pause))
            pause = min(pause * _GROWTH, _MOST)
        self._seen = count
        return True

    def close(self) -> None:
        return None

    def _count(self) -> int:
        from celeriac_django import shared

        with apart():
            return shared.count_of(self._name)


def _notice(channel: str) -> str:
    return f"notice:{channel}"
