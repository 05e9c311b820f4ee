"""Pages of the admin: results to look through, scheduled tasks to edit and run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms  # type: ignore[import-untyped]  # Django has no annotations
from django.contrib import admin, messages  # type: ignore[import-untyped]  # as above

from celeriac import current_app
from celeriac_django.models import GroupResult, ScheduledTask, TaskResult

if TYPE_CHECKING:
    from django.db.models import QuerySet  # type: ignore[import-untyped]  # as above
    from django.http import HttpRequest  # type: ignore[import-untyped]  # as above


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[misc]  # as above
    """What can be looked at and removed: it was a worker that wrote it."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(TaskResult)
class TaskResultAdmin(ReadOnlyAdmin):
    """Results, the latest first."""

    date_hierarchy = "changed_at"
    list_display = ("task_id", "task", "state", "worker", "changed_at")
    list_filter = ("state", "changed_at", "task", "worker")
    search_fields = ("task_id", "task", "args", "kwargs", "result")
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("task_id", "task", "state", "changed_at", "expires_at")}),
        ("Call", {"fields": ("args", "kwargs", "queue", "worker", "retries")}),
        ("End", {"fields": ("result", "traceback")}),
    )


@admin.register(GroupResult)
class GroupResultAdmin(ReadOnlyAdmin):
    """Groups that were saved."""

    list_display = ("group_id", "created_at", "expires_at")
    search_fields = ("group_id",)
    fields = ("group_id", "created_at", "expires_at")


class ScheduledTaskForm(forms.ModelForm):  # type: ignore[misc]  # as above
    """A scheduled task, with the names of the tasks that the project knows."""

    class Meta:
        model = ScheduledTask
        fields = "__all__"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "task" in self.fields:  # not where it can only be read
            self.fields["task"].widget = TaskNames(attrs={"class": "vTextField", "size": 60})


class TaskNames(forms.TextInput):  # type: ignore[misc]  # as above
    """A line of text that the names of tasks are offered for; others may be written."""

    template_name = "celeriac_django/task_names.html"

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, {**(attrs or {}), "list": f"{name}-names"})
        current_app.loader.import_default_modules()
        context["names"] = sorted(known for known in current_app.tasks if not known.startswith("celery."))
        return context


@admin.register(ScheduledTask)
class ScheduledTaskAdmin(admin.ModelAdmin):  # type: ignore[misc]  # as above
    """Scheduled tasks; a beat that runs follows a change in half a second."""

    form = ScheduledTaskForm
    actions = ("run_now", "enable", "disable")
    list_display = ("name", "task", "kind", "timing", "enabled", "last_run_at", "total_run_count")
    list_filter = ("enabled", "kind", "configured")
    search_fields = ("name", "task")
    readonly_fields = ("configured", "last_run_at", "total_run_count")
    fieldsets = (
        (None, {"fields": ("name", "task", "enabled")}),
        ("When", {"fields": ("kind", "timing", "timezone", "relative", "run_at_start")}),
        ("Call", {"fields": ("args", "kwargs", "options")}),
        ("If it is late", {"fields": ("missed", "deadline", "jitter")}),
        ("Runs", {"fields": ("configured", "last_run_at", "total_run_count")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: ScheduledTask | None = None) -> tuple[str, ...]:
        """Of what stands in ``beat_schedule`` only whether it runs can be changed: beat would undo the rest."""
        if obj is None or not obj.configured:
            return self.readonly_fields
        editable = {field.name for field in ScheduledTask._meta.fields if field.editable} - {"id", "enabled"}
        return (*self.readonly_fields, *sorted(editable))

    @admin.action(description="Run now", permissions=["change"])  # type: ignore[untyped-decorator]  # as above
    def run_now(self, request: HttpRequest, queryset: QuerySet[ScheduledTask]) -> None:
        """Send the tasks as beat would, besides their schedule."""
        for row in queryset:
            try:
                result = current_app.send_task(row.task, row.args, row.kwargs, **row.options)
            except Exception as error:  # noqa: BLE001  # whatever it is, the person at the page is told
                self.message_user(request, f"{row.name} could not be sent: {error}", messages.ERROR)
            else:
                self.message_user(request, f"{row.name} was sent, with the id {result.id}", messages.SUCCESS)

    @admin.action(description="Enable", permissions=["change"])  # type: ignore[untyped-decorator]  # as above
    def enable(self, request: HttpRequest, queryset: QuerySet[ScheduledTask]) -> None:
        """Have the tasks sent again, from now on."""
        self._set_enabled(request, queryset, True)

    @admin.action(description="Disable", permissions=["change"])  # type: ignore[untyped-decorator]  # as above
    def disable(self, request: HttpRequest, queryset: QuerySet[ScheduledTask]) -> None:
        """Have the tasks not sent until somebody enables them."""
        self._set_enabled(request, queryset, False)

    def _set_enabled(self, request: HttpRequest, queryset: QuerySet[ScheduledTask], enabled: bool) -> None:
        from celeriac_django.moments import now

        changed = queryset.update(enabled=enabled, changed_at=now())
        self.message_user(request, f"{'Enabled' if enabled else 'Disabled'}: {changed}")
