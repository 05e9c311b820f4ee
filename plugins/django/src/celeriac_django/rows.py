"""Results as rows of the table: what is written of each, and how a success stays."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import router, transaction  # type: ignore[import-untyped]  # Django has no annotations

from celeriac_django import moments
from celeriac_django.models import TaskResult

if TYPE_CHECKING:
    from celeriac.contracts import StoredResult

#: Rows of one statement: databases have limits on how many values that may name.
BATCH: Final = 200
#: Of what is there for people to read, at most so many characters.
_SHOWN: Final = 10_000
_WRITTEN: Final = tuple(field.name for field in TaskResult._meta.concrete_fields if not field.primary_key)


def batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """The items, `BATCH` at a time."""
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


def row_of(result: StoredResult, content_type: str, payload: bytes, expires_at: datetime | None) -> TaskResult:
    """The row of a result."""
    meta = result.meta
    return TaskResult(
        task_id=result.task_id,
        state=result.state,
        task=_text(meta.get("name"), 255),
        worker=_text(meta.get("worker"), 255),
        queue=_text(meta.get("queue"), 255),
        args=_text(meta.get("args")),
        kwargs=_text(meta.get("kwargs")),
        result=_shown(meta.get("result")),
        traceback=_text(meta.get("traceback")),
        retries=meta.get("retries") if isinstance(meta.get("retries"), int) else None,
        changed_at=moments.now(),
        expires_at=expires_at,
        payload=payload,
        content_type=content_type,
        stamp=time.time_ns(),
    )


def write(rows: Iterable[TaskResult]) -> None:
    """Write rows in two statements for many: what is new is added, what is there is replaced unless it is a success."""
    latest: dict[str, TaskResult] = {}
    for row in rows:
        before = latest.get(row.task_id)
        if before is None or before.state != "SUCCESS":
            latest[row.task_id] = row
    using = router.db_for_write(TaskResult)
    # In one order, so that no two who write the same wait for each other.
    for batch in batches([latest[task_id] for task_id in sorted(latest)]):
        with transaction.atomic(using=using, savepoint=False):
            # It writes first, so that SQLite locks at once and never has to turn a reader into a writer.
            TaskResult.objects.using(using).bulk_create(batch, ignore_conflicts=True)
            _replace(batch, using)


def _replace(batch: Sequence[TaskResult], using: str) -> None:
    """Of rows that were to be added, put those that were there already in the place of what is no success."""
    replaceable = TaskResult.objects.using(using).exclude(state="SUCCESS")
    there = dict(replaceable.filter(task_id__in=[row.task_id for row in batch]).values_list("task_id", "stamp"))
    older = [row for row in batch if there.get(row.task_id, row.stamp) != row.stamp]
    if len(older) == 1:
        (row,) = older
        replaceable.filter(task_id=row.task_id).update(**{name: getattr(row, name) for name in _WRITTEN})
    elif older:
        replaceable.bulk_update(older, _WRITTEN)


def read(task_ids: Sequence[str]) -> list[TaskResult]:
    """The rows of those of the tasks that have one that has not expired."""
    found: list[TaskResult] = []
    now = moments.now()
    for batch in batches(task_ids):
        rows = TaskResult.objects.filter(task_id__in=batch).only(
            "task_id", "payload", "content_type", "expires_at", "stamp"
        )
        found += [row for row in rows if row.expires_at is None or row.expires_at > now]
    return found


def expiry(seconds: float | timedelta | None) -> datetime | None:
    """When something is forgotten that is kept for so long; None for never, which 0 stands for as well."""
    if isinstance(seconds, timedelta):
        seconds = seconds.total_seconds()
    return moments.stored(datetime.now(UTC) + timedelta(seconds=seconds)) if seconds else None


def _shown(value: Any) -> str:
    if isinstance(value, dict) and "exc_type" in value:
        message = value.get("exc_message")
        parts = message if isinstance(message, (list, tuple)) else [message]
        return _text(f"{value['exc_type']}: {', '.join(str(part) for part in parts)}")
    return "" if value is None else _text(repr(value))


def _text(value: Any, most: int = _SHOWN) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else repr(value)
    # PostgreSQL has no text with a NUL in it.
    return text[:most].replace("\x00", "\ufffd")
