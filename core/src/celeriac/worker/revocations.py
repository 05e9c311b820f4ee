"""Which tasks are not to run: by id, and by stamps that they carry."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from celeriac.worker.revoked import Revoked

#: How many ids a worker remembers and for how many seconds, unless the environment says otherwise.
_MOST: Final = 50_000
_SECONDS: Final = 10_800.0


class Revocations:
    """One per worker; asked for each message, so it answers at once where nothing is revoked."""

    def __init__(self, most: int | None = None, seconds: float | None = None) -> None:
        """What is None comes from ``CELERY_WORKER_REVOKES_MAX`` and ``CELERY_WORKER_REVOKE_EXPIRES``."""
        most = _from_environment("CELERY_WORKER_REVOKES_MAX", int, _MOST) if most is None else most
        if seconds is None:
            seconds = _from_environment("CELERY_WORKER_REVOKE_EXPIRES", float, _SECONDS)
        self.ids: Revoked[str] = Revoked(most, seconds)
        #: Pairs of a stamp's name and its value as text.
        self.stamps: Revoked[tuple[str, str]] = Revoked(most, seconds)
        #: Whether anything may be revoked; a plain attribute, as this is read for every message.
        self.is_any = False
        #: Called when something was added.
        self.on_change: Callable[[], None] | None = None

    def add_ids(self, ids: Iterable[str], since: float | None = None) -> None:
        """Revoke these tasks, as of now or of `since` (seconds since the epoch)."""
        for task_id in ids:
            self.ids.add(task_id, since)
        self._changed()

    def add_stamps(self, stamps: Mapping[str, Any], since: float | None = None) -> None:
        """Revoke all that carry one of these: name to value, or to a list of values."""
        for pair in pairs_of(stamps):
            self.stamps.add(pair, since)
        self._changed()

    def _changed(self) -> None:
        self.is_any = bool(self.ids) or bool(self.stamps)
        if self.on_change is not None:
            self.on_change()

    def cover(self, headers: Mapping[str, Any]) -> bool:
        """Whether a task with these headers is revoked."""
        if str(headers.get("id")) in self.ids:
            return True
        return bool(self.stamps) and any(pair in self.stamps for pair in stamps_of(headers))

    def purge(self) -> None:
        """Forget what has expired."""
        self.ids.purge()
        self.stamps.purge()
        self.is_any = bool(self.ids) or bool(self.stamps)


def pairs_of(stamps: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and value, as text, of each stamp; a list of values makes one pair of each."""
    return [(str(name), str(value)) for name, values in stamps.items() for value in _listed(values)]


def stamps_of(headers: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The same, of the stamps that a message carries."""
    names, stamps = headers.get("stamped_headers"), headers.get("stamps")
    if not isinstance(stamps, Mapping) or not isinstance(names, Iterable):
        return []
    return pairs_of({name: stamps[name] for name in names if isinstance(name, str) and name in stamps})


def _listed(values: Any) -> list[Any]:
    return list(values) if isinstance(values, (list, tuple, set, frozenset)) else [values]


def _from_environment(name: str, kind: type[Any], default: Any) -> Any:
    text = os.environ.get(name)
    return kind(text) if text else default
