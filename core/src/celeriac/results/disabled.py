"""The result store of an app that has none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NoReturn

from celeriac.contracts.backend import Backend, ResultWatcher, StoredResult


class DisabledBackend(Backend):
    """Stores nothing; asking it for results is an error that says what to configure."""

    disabled: ClassVar[bool] = True
    persistent: ClassVar[bool] = False

    def store(self, results: Sequence[StoredResult]) -> None:
        return

    def fetch(self, task_ids: Sequence[str]) -> Mapping[str, dict[str, Any]]:
        refuse()

    def delete(self, task_ids: Sequence[str]) -> None:
        refuse()

    def watch(self) -> ResultWatcher:
        refuse()

    def store_group(self, group_id: str, meta: dict[str, Any], expires: float | None = None) -> None:
        refuse()

    def fetch_group(self, group_id: str) -> dict[str, Any] | None:
        refuse()

    def delete_group(self, group_id: str) -> None:
        refuse()

    def as_uri(self, include_password: bool = False) -> str:
        return "disabled://"


def refuse() -> NoReturn:
    """Tell the user what is missing."""
    raise NotImplementedError(
        "No result backend is configured, so results are not kept. Set result_backend, as in "
        "Celery('proj', broker=..., backend='redis://'), or mark the task with ignore_result=True and do not ask."
    )
