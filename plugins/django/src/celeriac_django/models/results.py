"""The tables of results: of tasks, and of groups that were saved."""

from __future__ import annotations

from django.db import models  # type: ignore[import-untyped]  # Django has no annotations

from celeriac_django.models.exact import ExactField


class TaskResult(models.Model):  # type: ignore[misc]  # as above
    """The result of one task: as it was encoded, and, for people who look at it, in words."""

    task_id = ExactField(max_length=255, primary_key=True)
    state = models.CharField(max_length=50, db_index=True)
    task = models.CharField("task name", max_length=255, blank=True, db_index=True)
    worker = models.CharField(max_length=255, blank=True)
    queue = models.CharField(max_length=255, blank=True)
    args = models.TextField(blank=True)
    kwargs = models.TextField(blank=True)
    result = models.TextField("result or error", blank=True)
    traceback = models.TextField(blank=True)
    retries = models.PositiveIntegerField(null=True)
    changed_at = models.DateTimeField(db_index=True)
    expires_at = models.DateTimeField(null=True, db_index=True)
    payload = models.BinaryField()
    content_type = models.CharField(max_length=64)
    #: Another one whenever the row is written, and a later one, as clocks go: nanoseconds since the epoch.
    stamp = models.BigIntegerField(db_index=True)

    class Meta:
        ordering = ("-changed_at",)
        verbose_name = "task result"

    def __str__(self) -> str:
        return f"{self.task or 'task'} {self.task_id}: {self.state}"


class GroupResult(models.Model):  # type: ignore[misc]  # as above
    """The members of a group that was saved."""

    group_id = ExactField(max_length=255, primary_key=True)
    payload = models.BinaryField()
    content_type = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, db_index=True)

    class Meta:
        ordering = ("-created_at",)
        verbose_name = "group result"

    def __str__(self) -> str:
        return f"group {self.group_id}"
