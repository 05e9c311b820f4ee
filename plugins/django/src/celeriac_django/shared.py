"""What several processes agree on, in tables: values, counters, sorted sets, locks, each operation atomic.

Life times and leases are told by the clock of the database.  Called where `reach.apart` has chosen the connection.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from django.db import connections, models, router, transaction  # type: ignore[import-untyped]  # Django has no annotations

from celeriac_django import rows
from celeriac_django.models import SharedCounter, SharedLock, SharedMember, SharedValue
from celeriac_django.names import fitted
from celeriac_django.reach import clock


def get_values(keys: Sequence[str]) -> dict[str, bytes]:
    """The values of those of the keys that have one."""
    asked = {fitted(key): key for key in keys}
    found: dict[str, bytes] = {}
    using = router.db_for_write(SharedValue)  # what was written just now may not be at a replica yet
    now = clock(using)
    for batch in rows.batches(list(asked)):
        there = SharedValue.objects.using(using).filter(_kept(now), key__in=batch)
        found.update((asked[key], bytes(value)) for key, value in there.values_list("key", "value"))
    return found


def set_values(values: Mapping[str, bytes], expires: float | None) -> None:
    """Keep all."""
    _put(values, expires, router.db_for_write(SharedValue))


def compare_and_set(key: str, expected: bytes | None, value: bytes | None, expires: float | None) -> bool:
    """Whether the key had the expected value, and has the other now."""
    key, using = fitted(key), router.db_for_write(SharedValue)
    table, now = SharedValue.objects.using(using), clock(using)
    if expected is None:
        return _set_new(table, key, value, now, expires)
    as_expected = table.filter(_kept(now), key=key, value=expected)
    if value is None:
        return bool(as_expected.delete()[0])
    return bool(as_expected.update(value=value, expires=_end(now, expires), stamp=uuid4().hex))


def _set_new(table: Any, key: str, value: bytes | None, now: float, expires: float | None) -> bool:
    """Keep a value where there is none; whether there was none."""
    if value is None:
        return not table.filter(_kept(now), key=key).exists()
    columns = {"value": value, "expires": _end(now, expires), "stamp": uuid4().hex}
    with transaction.atomic(using=table.db, savepoint=False):
        if table.filter(key=key, expires__lte=now).update(**columns):
            return True
        table.bulk_create([SharedValue(key=key, **columns)], ignore_conflicts=True)
        return bool(table.filter(key=key, stamp=columns["stamp"]).exists())


def delete_values(keys: Sequence[str]) -> None:
    """Forget the values."""
    for batch in rows.batches([fitted(key) for key in keys]):
        SharedValue.objects.filter(key__in=batch).delete()


def increment(name: str, by: int) -> int:
    """What a counter is after adding to it."""
    using, name = router.db_for_write(SharedCounter), fitted(name)
    table = SharedCounter.objects.using(using)
    while True:
        with transaction.atomic(using=using, savepoint=False):
            if table.filter(name=name).update(value=models.F("value") + by):
                return int(table.values_list("value", flat=True).get(name=name))
        table.bulk_create([SharedCounter(name=name)], ignore_conflicts=True)


def count_of(name: str) -> int:
    """What a counter is."""
    table = SharedCounter.objects.using(router.db_for_write(SharedCounter))
    return int(table.filter(name=fitted(name)).values_list("value", flat=True).first() or 0)


def add_members(name: str, members: Mapping[str, float]) -> None:
    """Put members into a set, or give them another score."""
    name = fitted(name)
    # In one order, so that no two who add the same wait for each other.
    new = [SharedMember(name=name, key=fitted(each), member=each, score=members[each]) for each in sorted(members)]
    _upsert(SharedMember.objects.using(router.db_for_write(SharedMember)), new, ("name", "key"), ("score",))


def remove_members(name: str, members: Sequence[str]) -> None:
    """Take members out of a set."""
    for batch in rows.batches([fitted(member) for member in members]):
        SharedMember.objects.filter(name=fitted(name), key__in=batch).delete()


def members_between(name: str, lowest: float, highest: float, limit: int | None) -> list[tuple[str, float]]:
    """Members by score."""
    bounds = {"score__gte": lowest, "score__lte": highest}
    # Not every database has a number for infinity.
    finite = {bound: value for bound, value in bounds.items() if math.isfinite(value)}
    table = SharedMember.objects.using(router.db_for_write(SharedMember))
    found = table.filter(name=fitted(name), **finite).order_by("score", "key").values_list("member", "score")
    return [(member, float(score)) for member, score in found[:limit]]


def acquire_lock(name: str, owner: str, seconds: float) -> int | None:
    """The token of the lock; None where another owner has it."""
    using, name = router.db_for_write(SharedLock), fitted(name)
    while True:
        with transaction.atomic(using=using, savepoint=False):
            lock = _locked(name, using)
            if lock is not None:
                return _hold(lock, owner, seconds, using)
        SharedLock.objects.using(using).bulk_create([SharedLock(name=name)], ignore_conflicts=True)


def release_lock(name: str, owner: str) -> bool:
    """Whether the owner had the lock, which it now has no more."""
    using = router.db_for_write(SharedLock)
    held = SharedLock.objects.using(using).filter(name=fitted(name), owner=owner, until__gt=clock(using))
    return bool(held.update(until=0.0))


def set_fenced(name: str, token: int, values: Mapping[str, bytes | None]) -> bool:
    """Whether the lock has not been given to another since, so that the values were kept."""
    using = router.db_for_write(SharedLock)
    with transaction.atomic(using=using, savepoint=False):
        lock = _locked(fitted(name), using)
        if (0 if lock is None else lock.token) != token:
            return False
        _put({key: value for key, value in values.items() if value is not None}, None, using)
        gone = [fitted(key) for key, value in values.items() if value is None]
        SharedValue.objects.using(using).filter(key__in=gone).delete()
        return True


def delete_expired() -> None:
    """Remove values whose time has passed."""
    using = router.db_for_write(SharedValue)
    SharedValue.objects.using(using).filter(expires__lte=clock(using)).delete()


def _kept(now: float) -> Any:
    return models.Q(expires=None) | models.Q(expires__gt=now)


def _end(now: float, expires: float | None) -> float | None:
    return None if expires is None else now + expires


def _put(values: Mapping[str, bytes], expires: float | None, using: str) -> None:
    end = None if expires is None else clock(using) + expires
    # In one order, as above.
    new = [
        SharedValue(key=key, value=value, expires=end, stamp=uuid4().hex)
        for key, value in sorted((fitted(key), value) for key, value in values.items())
    ]
    _upsert(SharedValue.objects.using(using), new, ("key",), ("value", "expires", "stamp"))


def _upsert(table: Any, new: Sequence[Any], unique: Sequence[str], changed: Sequence[str]) -> None:
    """Add rows, or change those that are there."""
    named = connections[table.db].features.supports_update_conflicts_with_target
    table.bulk_create(
        new,
        batch_size=rows.BATCH,
        update_conflicts=True,
        update_fields=list(changed),
        **({"unique_fields": list(unique)} if named else {}),
    )


def _locked(name: str, using: str) -> SharedLock | None:
    """The row of a lock, which nobody else changes until the transaction ends."""
    table = SharedLock.objects.using(using).filter(name=name)
    if connections[using].features.has_select_for_update:
        table = table.select_for_update()
    else:
        table.update(name=name)  # SQLite locks where it writes, and only if it has not read before
    found: SharedLock | None = table.first()
    return found


def _hold(lock: SharedLock, owner: str, seconds: float, using: str) -> int | None:
    now = clock(using)
    # More is left than there ever was where a clock was set back, which must not keep it held for ever.
    is_held = 0 < lock.until - now <= lock.seconds
    if is_held and lock.owner != owner:
        return None
    lock.token += not is_held
    lock.owner, lock.until, lock.seconds = owner, now + seconds, seconds
    lock.save(using=using, update_fields=["owner", "token", "until", "seconds"])
    return int(lock.token)
