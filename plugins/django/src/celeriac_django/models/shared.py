"""The tables of what several processes must agree on: values, counters, sorted sets, locks.

Names have the form that `names.fitted` gives them.  Times are seconds since the epoch, as the clock of the database has
them.
"""

from __future__ import annotations

from django.db import models  # type: ignore[import-untyped]  # Django has no annotations

from celeriac_django.models.exact import ExactField


class SharedValue(models.Model):  # type: ignore[misc]  # as above
    """A value, and until when it is kept."""

    key = ExactField(max_length=255, primary_key=True)
    value = models.BinaryField()
    expires = models.FloatField(null=True, db_index=True)
    #: Another one whenever it is written: tells whose insertion it was that came first.
    stamp = models.CharField(max_length=32)

    def __str__(self) -> str:
        return self.key


class SharedCounter(models.Model):  # type: ignore[misc]  # as above
    """A number that is added to."""

    name = ExactField(max_length=255, primary_key=True)
    value = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return self.name


class SharedMember(models.Model):  # type: ignore[misc]  # as above
    """A member of a sorted set."""

    name = ExactField(max_length=255)
    #: The fitted name of the member.
    key = ExactField(max_length=255)
    member = models.TextField()
    score = models.FloatField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("name", "key"), name="celeriac_one_score_of_a_member"),)
        indexes = (models.Index(fields=("name", "score"), name="celeriac_members_by_score"),)

    def __str__(self) -> str:
        return f"{self.member} in {self.name}"


class SharedLock(models.Model):  # type: ignore[misc]  # as above
    """Who has a lock, and until when; `token` grows with each new holding."""

    name = ExactField(max_length=255, primary_key=True)
    owner = models.CharField(max_length=255)
    token = models.BigIntegerField(default=0)
    until = models.FloatField(default=0.0)
    #: How long it was taken for.
    seconds = models.FloatField(default=0.0)

    def __str__(self) -> str:
        return self.name
