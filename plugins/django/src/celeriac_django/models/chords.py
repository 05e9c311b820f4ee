"""The tables in which the parts of chords are counted."""

from __future__ import annotations

from django.db import models  # type: ignore[import-untyped]  # Django has no annotations

from celeriac_django.models.exact import ExactField


class Chord(models.Model):  # type: ignore[misc]  # as above
    """How many parts complete a chord, how many there are, and who calls its body."""

    group_id = ExactField(max_length=255, primary_key=True)
    #: None while nobody has said it.
    size = models.PositiveIntegerField(null=True)
    #: Parts that were added to it while it ran.
    extra = models.PositiveIntegerField(default=0)
    parts = models.PositiveIntegerField(default=0)
    body = models.BinaryField(null=True)
    #: Seconds since the epoch, as the clock of the database has them.
    claimed = models.FloatField(null=True)
    #: Its body has been called.
    done = models.BooleanField(default=False)
    expires_at = models.DateTimeField(null=True, db_index=True)

    class Meta:
        verbose_name = "chord"

    def __str__(self) -> str:
        return f"chord {self.group_id}"


class ChordPart(models.Model):  # type: ignore[misc]  # as above
    """How one task of a header ended.  No foreign key: it would lock the chord's row before its time."""

    group_id = ExactField(max_length=255)
    task_id = ExactField(max_length=255)
    #: In the header; None: after all others.
    place = models.PositiveIntegerField(null=True)
    state = models.CharField(max_length=50)
    payload = models.BinaryField()
    content_type = models.CharField(max_length=64)

    class Meta:
        verbose_name = "part of a chord"
        constraints = (models.UniqueConstraint(fields=("group_id", "task_id"), name="celeriac_one_part_of_a_task"),)

    def __str__(self) -> str:
        return f"{self.task_id} of {self.group_id}"


class Admission(models.Model):  # type: ignore[misc]  # as above
    """Which of several messages that call the same task runs it."""

    call = ExactField(max_length=255, primary_key=True)
    token = models.CharField(max_length=255)
    expires_at = models.DateTimeField(null=True, db_index=True)

    class Meta:
        verbose_name = "admission"

    def __str__(self) -> str:
        return self.call
