"""The table of scheduled tasks."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError  # type: ignore[import-untyped]  # Django has no annotations
from django.core.validators import MinValueValidator  # type: ignore[import-untyped]  # as above
from django.db import models  # type: ignore[import-untyped]  # as above

from celeriac_django.models.exact import ExactField


class ScheduledTask(models.Model):  # type: ignore[misc]  # as above
    """A task that beat sends, and when it was sent last."""

    class Kind(models.TextChoices):  # type: ignore[misc]  # as above
        INTERVAL = "interval", "every so often"
        CRONTAB = "crontab", "by a crontab"
        SOLAR = "solar", "by the sun"
        ONCE = "once", "once"

    class Missed(models.TextChoices):  # type: ignore[misc]  # as above
        ONCE = "once", "run once for all of them"
        SKIP = "skip", "leave them out"
        ALL = "all", "run each of them"

    name = ExactField(max_length=200, unique=True)
    task = models.CharField("task name", max_length=255)
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.INTERVAL)
    timing = models.CharField(
        max_length=255,
        help_text=(
            "every so many seconds: 30; crontab: minute hour day-of-month month day-of-week, such as 0 4 * * mon-fri; "
            "by the sun: event latitude longitude, such as sunset 52.5 13.4; once: 2030-01-31T12:00:00+00:00"
        ),
    )
    timezone = models.CharField(
        "time zone",
        max_length=64,
        blank=True,
        help_text="Of the clock, such as Europe/Berlin; that of the app where empty.",
    )
    args = models.JSONField("arguments", default=list, blank=True)
    kwargs = models.JSONField("keyword arguments", default=dict, blank=True)
    options = models.JSONField(default=dict, blank=True, help_text='As of apply_async: {"queue": "reports"}')
    enabled = models.BooleanField(default=True)
    relative = models.BooleanField(
        "on the full unit",
        default=False,
        help_text="Every 10 minutes is then :00, :10, :20 and so on, whenever beat began.",
    )
    run_at_start = models.BooleanField(default=False, help_text="Run it also when beat starts.")
    missed = models.CharField(
        "missed runs", max_length=8, choices=Missed.choices, default=Missed.ONCE, help_text="Those while no beat ran."
    )
    deadline = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0.0)],
        help_text="Seconds that a run may be late; later ones are left out. Empty: as late as it likes.",
    )
    jitter = models.FloatField(
        default=0.0,
        validators=[MinValueValidator(0.0)],
        help_text="Each run is put off by up to so many seconds, at random.",
    )
    #: It stands in ``beat_schedule``, which decides about all but `enabled`.
    configured = models.BooleanField("in beat_schedule", default=False, editable=False)
    changed_at = models.DateTimeField(auto_now=True)
    last_run_at = models.DateTimeField(null=True, editable=False)
    total_run_count = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        ordering = ("name",)
        verbose_name = "scheduled task"

    def __str__(self) -> str:
        return f"{self.name}: {self.task}, {self.get_kind_display()}: {self.timing}"

    def clean(self) -> None:
        errors: dict[str, Any] = {}
        if not isinstance(self.args, list):
            errors["args"] = "a list, such as [1, 2]"
        for field in ("kwargs", "options"):
            if not isinstance(getattr(self, field), dict):
                errors[field] = 'a map, such as {"key": "value"}'
        errors.update(self._wrong_timing())
        if errors:
            raise ValidationError(errors)

    def _wrong_timing(self) -> dict[str, str]:
        from celeriac_django.timing import schedule_of

        if self.timezone:
            try:
                ZoneInfo(self.timezone)
            except (ValueError, LookupError, OSError):
                return {"timezone": f"there is no time zone {self.timezone!r}; one is Europe/Berlin, or UTC"}
        try:
            schedule_of(self)
        except (ValueError, TypeError) as error:
            return {"timing": str(error)}
        return {}


class TakenRun(models.Model):  # type: ignore[misc]  # as above
    """A run that a beat has taken and not said to have sent yet; it dies with its task."""

    scheduled = models.ForeignKey(ScheduledTask, models.CASCADE)
    run_at = models.DateTimeField()
    taken_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = "taken run"
        constraints = (models.UniqueConstraint(fields=("scheduled", "run_at"), name="celeriac_a_run_is_taken_once"),)

    def __str__(self) -> str:
        return f"{self.scheduled_id} at {self.run_at}"
