"""Counting the parts of chords: under a lock on the chord's row, so that of all who count one sees the last part."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import connections, models, router, transaction  # type: ignore[import-untyped]  # Django has no annotations

from celeriac.contracts import CLAIM_SECONDS, Turn
from celeriac_django import moments, rows
from celeriac_django.models import Admission, Chord, ChordPart, TaskResult
from celeriac_django.names import fitted
from celeriac_django.reach import clock


def start(chords: Sequence[Chord]) -> None:
    """Add chords; one that is there stays, or is told its size where it had none."""
    for batch in rows.batches(chords):
        Chord.objects.bulk_create(batch, ignore_conflicts=True)
        known = {chord.group_id: chord for chord in batch}
        unsized = Chord.objects.filter(group_id__in=list(known), size=None)
        for group_id in unsized.values_list("group_id", flat=True):
            Chord.objects.filter(group_id=group_id, size=None).update(
                size=known[group_id].size, body=known[group_id].body
            )


def grow(group_id: str, count: int, expires_at: datetime | None) -> None:
    """More parts complete it."""
    more = {"extra": models.F("extra") + count}
    if not Chord.objects.filter(group_id=group_id).update(**more):
        Chord.objects.bulk_create([Chord(group_id=group_id, expires_at=expires_at)], ignore_conflicts=True)
        Chord.objects.filter(group_id=group_id).update(**more)


def store_with_parts(
    results: Sequence[TaskResult], parts: Sequence[ChordPart], expires_at: datetime | None
) -> dict[str, Turn]:
    """Results and parts in one transaction; what the parts have led to."""
    turns: dict[str, Turn] = {}
    using = router.db_for_write(Chord)
    with transaction.atomic(using=using):
        rows.write(results)
        chords = _locked(sorted({part.group_id for part in parts}), using, expires_at)
        came_again = _add([part for part in parts if not chords[part.group_id].done], chords, using)
        came_again |= {part.group_id for part in parts if chords[part.group_id].done}
        for group_id, chord in chords.items():
            turn = _claim(chord, using)
            # A new part beyond the last one is of no interest to anybody; one that came again is a sign of trouble.
            if turn is Turn.CLAIMED or (turn is Turn.BUSY and group_id in came_again):
                turns[group_id] = turn
    return turns


def claim(group_id: str) -> Turn | None:
    """Whose turn it is to call the body."""
    using = router.db_for_write(Chord)
    with transaction.atomic(using=using):
        found = _lock([group_id], using)
        return _claim(found[group_id], using) if found else None


def read(group_id: str) -> tuple[bytes | None, list[ChordPart]]:
    """The body, and the parts in the order of the header."""
    using = router.db_for_write(Chord)  # what was written just now may not be at a replica yet
    chord = Chord.objects.using(using).filter(group_id=group_id).first()
    parts = ChordPart.objects.using(using).filter(group_id=group_id)
    ordered = list(parts.order_by(models.F("place").asc(nulls_last=True), "id"))
    return None if chord is None or chord.body is None else bytes(chord.body), ordered


def end(group_ids: Sequence[str]) -> None:
    """Their bodies have been sent: only that is remembered."""
    for batch in rows.batches(group_ids):
        Chord.objects.filter(group_id__in=batch).update(done=True, body=None)
        ChordPart.objects.filter(group_id__in=batch).delete()


def admit(call: str, token: str, expires_at: datetime | None) -> bool:
    """Whether the token is the first that was asked for."""
    call = fitted(call)
    Admission.objects.bulk_create([Admission(call=call, token=token, expires_at=expires_at)], ignore_conflicts=True)
    using = router.db_for_write(Admission)
    return bool(Admission.objects.using(using).filter(call=call, token=token).exists())


def delete_expired() -> None:
    """Remove what nobody will complete any more."""
    using, now = router.db_for_write(Chord), moments.now()
    gone = list(Chord.objects.using(using).filter(expires_at__lte=now).values_list("group_id", flat=True))
    for batch in rows.batches(gone):
        ChordPart.objects.filter(group_id__in=batch).delete()
        Chord.objects.filter(group_id__in=batch).delete()
    Admission.objects.filter(expires_at__lte=now).delete()


def _locked(group_ids: Sequence[str], using: str, expires_at: datetime | None) -> dict[str, Chord]:
    """The rows of the chords, which are made where nobody has: nobody else counts until the transaction ends."""
    found = _lock(group_ids, using)
    missing = [group_id for group_id in group_ids if group_id not in found]
    if missing:
        new = [Chord(group_id=group_id, expires_at=expires_at) for group_id in missing]
        Chord.objects.using(using).bulk_create(new, ignore_conflicts=True)
        found.update(_lock(missing, using))
    return found


def _lock(group_ids: Sequence[str], using: str) -> dict[str, Chord]:
    rows_ = Chord.objects.using(using).filter(group_id__in=group_ids)
    if connections[using].features.has_select_for_update:
        rows_ = rows_.select_for_update().order_by("group_id")  # in one order, so that no two wait for each other
    else:
        rows_.update(parts=models.F("parts"))  # SQLite locks where it writes, and only if it has not read before
    return {row.group_id: row for row in rows_.defer("body")}


def _add(parts: Sequence[ChordPart], chords: dict[str, Chord], using: str) -> set[str]:
    """Add and count what is new, to chords that are locked; the chords of which a part came again."""
    table = ChordPart.objects.using(using)
    task_ids = [part.task_id for part in parts]
    there: set[tuple[str, str]] = set()
    for batch in rows.batches(task_ids):
        known = table.filter(group_id__in=list(chords), task_id__in=batch)
        there.update(known.values_list("group_id", "task_id"))
    new: dict[tuple[str, str], ChordPart] = {}
    came_again: set[str] = set()
    for part in parts:
        key = (part.group_id, part.task_id)
        if key in there or key in new:
            came_again.add(part.group_id)
        else:
            new[key] = part
    table.bulk_create(list(new.values()), batch_size=rows.BATCH)
    for group_id in {group_id for group_id, _ in new}:
        count = sum(1 for chord, _ in new if chord == group_id)
        chords[group_id].parts += count
        Chord.objects.using(using).filter(group_id=group_id).update(parts=models.F("parts") + count)
    return came_again


def _claim(chord: Chord, using: str) -> Turn | None:
    """Whose turn it is, of a chord that is locked."""
    if chord.done or chord.size is None or chord.parts < chord.size + chord.extra:
        return None
    now = clock(using)
    # A clock that was set back must not keep a chord claimed for ever.
    if chord.claimed is not None and 0 <= now - chord.claimed < CLAIM_SECONDS:
        return Turn.BUSY
    Chord.objects.using(using).filter(group_id=chord.group_id).update(claimed=now)
    return Turn.CLAIMED


__all__ = ["admit", "claim", "delete_expired", "end", "grow", "read", "start", "store_with_parts"]
