"""Pages of results, to look through: it was a worker that wrote them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin  # type: ignore[import-untyped]  # Django has no annotations
from django.utils.html import format_html  # type: ignore[import-untyped]  # as above

from celeriac_django.models import GroupResult, TaskResult

if TYPE_CHECKING:
    from django.http import HttpRequest  # type: ignore[import-untyped]  # as above

#: Characters of a call or a value in a list.
_SHORT = 60


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[misc]  # as above
    """What can be looked at and removed."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(TaskResult)
class TaskResultAdmin(ReadOnlyAdmin):
    """Results, the latest first."""

    class Media:
        css = {"all": ("celeriac_django/admin.css",)}  # noqa: RUF012  # as Django reads it

    date_hierarchy = "changed_at"
    list_display = ("task_name", "shown_state", "call", "value", "worker", "changed_at")
    list_filter = ("state", "changed_at", "task", "worker")
    search_fields = ("task_id", "task", "args", "kwargs", "result")
    search_help_text = "An id, a name, words of arguments, of a result or of an error"
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("task_id", "task", "shown_state", "changed_at", "expires_at")}),
        ("Call", {"fields": ("args", "kwargs", "queue", "worker", "retries")}),
        ("End", {"fields": ("shown_result", "shown_traceback")}),
    )
    readonly_fields = ("shown_state", "shown_result", "shown_traceback")

    @admin.display(description="task name", ordering="task")  # type: ignore[untyped-decorator]  # as above
    def task_name(self, row: TaskResult) -> str:
        """The name, which workers tell with ``result_extended`` alone."""
        name: str = row.task or "not told"
        return name

    @admin.display(description="state", ordering="state")  # type: ignore[untyped-decorator]  # as above
    def shown_state(self, row: TaskResult) -> Any:
        """The state, in its colour."""
        return format_html('<span class="celeriac-state celeriac-{}">{}</span>', row.state.lower(), row.state)

    @admin.display(description="arguments")  # type: ignore[untyped-decorator]  # as above
    def call(self, row: TaskResult) -> str:
        """What it was called with."""
        parts = [part for part in (row.args, row.kwargs) if part not in {"", "[]", "()", "{}"}]
        return _short(" ".join(parts))

    @admin.display(description="result or error")  # type: ignore[untyped-decorator]  # as above
    def value(self, row: TaskResult) -> str:
        """What came of it."""
        return _short(row.result)

    @admin.display(description="result or error")  # type: ignore[untyped-decorator]  # as above
    def shown_result(self, row: TaskResult) -> Any:
        """What came of it, in full."""
        return _block(row.result)

    @admin.display(description="traceback")  # type: ignore[untyped-decorator]  # as above
    def shown_traceback(self, row: TaskResult) -> Any:
        """Where it failed, line by line."""
        return _block(row.traceback)


@admin.register(GroupResult)
class GroupResultAdmin(ReadOnlyAdmin):
    """Groups that were saved."""

    list_display = ("group_id", "created_at", "expires_at")
    search_fields = ("group_id",)
    fields = ("group_id", "created_at", "expires_at")


def _short(text: str) -> str:
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}\N{HORIZONTAL ELLIPSIS}"


def _block(text: str) -> Any:
    return format_html('<pre class="celeriac-block">{}</pre>', text) if text else "-"
