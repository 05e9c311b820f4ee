"""Moments as the database has them: naive ones in the project's time zone where ``USE_TZ`` is off."""

from __future__ import annotations

from datetime import UTC, datetime

from django.conf import settings  # type: ignore[import-untyped]  # Django has no annotations
from django.utils import timezone  # type: ignore[import-untyped]  # as above


def stored(moment: datetime) -> datetime:
    """An aware moment as a column has it."""
    if settings.USE_TZ:
        return moment.astimezone(UTC)
    return timezone.make_naive(moment)  # type: ignore[no-any-return]  # Django has no annotations


def known(moment: datetime) -> datetime:
    """The aware moment of a column."""
    if timezone.is_naive(moment):
        moment = timezone.make_aware(moment)
    return moment.astimezone(UTC)


def now() -> datetime:
    """This moment, as a column has it."""
    return stored(datetime.now(UTC))
