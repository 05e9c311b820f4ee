"""Pages of scheduled tasks, to edit and run them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.contrib import admin, messages  # type: ignore[import-untyped]  # Django has no annotations
from django.core.exceptions import PermissionDenied  # type: ignore[import-untyped]  # as above
from django.http import JsonResponse  # type: ignore[import-untyped]  # as above
from django.urls import path  # type: ignore[import-untyped]  # as above
from django.utils.html import format_html, format_html_join  # type: ignore[import-untyped]  # as above

from celeriac import current_app
from celeriac_django.admin.schedule_form import KINDS, ScheduledTaskForm
from celeriac_django.models import ScheduledTask
from celeriac_django.moments import known, now
from celeriac_django.upcoming import in_words, next_runs, shown

if TYPE_CHECKING:
    from django.db.models import QuerySet  # type: ignore[import-untyped]  # as above
    from django.http import HttpRequest, HttpResponse

#: The button beside "Save".
_RUN: Final = "_run_now"


@admin.register(ScheduledTask)
class ScheduledTaskAdmin(admin.ModelAdmin):  # type: ignore[misc]  # as above
    """Scheduled tasks; a beat that runs follows a change in half a second."""

    class Media:
        css: ClassVar = {"all": ("celeriac_django/admin.css",)}
        js: ClassVar = ("celeriac_django/schedule.js",)

    form = ScheduledTaskForm
    change_form_template = "celeriac_django/schedule_form.html"
    actions = ("run_now", "pause", "resume")
    list_display = ("name", "task", "when", "next_run", "enabled", "last_run")
    list_filter = ("enabled", "kind", "configured")
    search_fields = ("name", "task")
    search_help_text = "Words of a name or of a task's name"
    readonly_fields = ("next_runs", "configured", "last_run", "total_run_count")
    _head = (None, {"fields": ("name", "task", "enabled")})
    _tail = (
        ("Call", {"fields": ("args", "kwargs", "options")}),
        ("If it is late", {"fields": ("missed", "deadline", "jitter", "run_at_start")}),
        ("Runs", {"fields": ("configured", "last_run", "total_run_count")}),
    )

    # -- the list -----------------------------------------------------------------------------------------------------

    @admin.display(description="when")  # type: ignore[untyped-decorator]  # as above
    def when(self, row: ScheduledTask) -> str:
        """Its timing in words."""
        return in_words(row)

    @admin.display(description="next run")  # type: ignore[untyped-decorator]  # as above
    def next_run(self, row: ScheduledTask) -> str:
        """When it runs next, if it is enabled."""
        if not row.enabled:
            return "paused"
        try:
            found = next_runs(row, current_app, 1)
        except Exception as error:  # noqa: BLE001  # one bad row must not take the page down
            return f"never: {error}"
        return shown(found[0]) if found else "never again"

    @admin.display(description="last run", ordering="last_run_at")  # type: ignore[untyped-decorator]  # as above
    def last_run(self, row: ScheduledTask) -> str:
        """When it ran last; before its first run the row has the moment that beat counts from."""
        return shown(known(row.last_run_at)) if row.total_run_count and row.last_run_at is not None else "never"

    # -- the form -----------------------------------------------------------------------------------------------------

    def get_fieldsets(self, request: HttpRequest, obj: ScheduledTask | None = None) -> Any:
        """A set of fields for each kind, of which the page shows that of the chosen one."""
        if obj is not None and (obj.configured or not self.has_change_permission(request, obj)):
            when = ("kind", "timing", "timezone", "relative", "next_runs")
            return (self._head, ("When", {"fields": when}), *self._tail)
        kinds: dict[str, tuple[str, ...]] = {**KINDS, "interval": (*KINDS["interval"], "relative")}
        rows = {kind: (fields,) if kind != "once" else fields for kind, fields in kinds.items()}
        return (
            self._head,
            ("When", {"fields": ("kind", "timezone")}),
            *(
                (ScheduledTask.Kind(kind).label.capitalize(), {"fields": row, "classes": (f"celeriac-kind-{kind}",)})
                for kind, row in rows.items()
            ),
            ("Next runs", {"fields": ("next_runs",), "classes": ("celeriac-next",)}),
            *(self._tail if obj is not None else self._tail[:-1]),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: ScheduledTask | None = None) -> tuple[str, ...]:
        """Of what stands in ``beat_schedule`` only whether it runs can be changed: beat would undo the rest."""
        if obj is None or not obj.configured:
            return self.readonly_fields
        editable = {field.name for field in ScheduledTask._meta.fields if field.editable} - {"id", "enabled"}
        return (*self.readonly_fields, *sorted(editable))

    @admin.display(description="next runs")  # type: ignore[untyped-decorator]  # as above
    def next_runs(self, row: ScheduledTask) -> Any:
        """The next moments, as the row was saved; the page replaces them while somebody edits."""
        lines = [] if row.pk is None else _lines(row)
        items = format_html_join("", "<li>{}</li>", [(line,) for line in lines])
        return format_html('<ul class="celeriac-runs">{}</ul>', items)

    def get_urls(self) -> list[Any]:
        preview = path("preview/", self.admin_site.admin_view(self.preview), name="celeriac_scheduledtask_preview")
        return [preview, *super().get_urls()]

    def preview(self, request: HttpRequest) -> HttpResponse:
        """The next runs of what is in the form, or what is wrong with it, as JSON."""
        if not (self.has_add_permission(request) or self.has_change_permission(request)):
            raise PermissionDenied
        # Its name may be that of the row that is being edited, which says nothing of when it runs.
        form = ScheduledTaskForm({**request.POST.dict(), "name": "preview", "task": "preview"})
        row, timing = form.instance, {"kind", "timezone", *(name for names in KINDS.values() for name in names)}
        wrong = [
            f"{form[name].label}: {error}" for name, errors in form.errors.items() if name in timing for error in errors
        ]
        return JsonResponse({"runs": [] if wrong else _lines(row), "wrong": wrong})

    def response_add(self, request: HttpRequest, obj: ScheduledTask, post_url_continue: str | None = None) -> Any:
        self._run_if_asked(request, obj)
        return super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: ScheduledTask) -> Any:
        self._run_if_asked(request, obj)
        return super().response_change(request, obj)

    def _run_if_asked(self, request: HttpRequest, row: ScheduledTask) -> None:
        if _RUN in request.POST:
            self._run(request, row)

    # -- actions ------------------------------------------------------------------------------------------------------

    @admin.action(description="Run now", permissions=["change"])  # type: ignore[untyped-decorator]  # as above
    def run_now(self, request: HttpRequest, queryset: QuerySet[ScheduledTask]) -> None:
        """Send the tasks as beat would, besides their schedule."""
        for row in queryset:
            self._run(request, row)

    def _run(self, request: HttpRequest, row: ScheduledTask) -> None:
        try:
            result = current_app.send_task(row.task, row.args, row.kwargs, **row.options)
        except Exception as error:  # noqa: BLE001  # whatever it is, the person at the page is told
            self.message_user(request, f"{row.name} could not be sent: {error}", messages.ERROR)
        else:
            self.message_user(request, f"{row.name} was sent, with the id {result.id}", messages.SUCCESS)

    @admin.action(description="Pause", permissions=["change"])  # type: ignore[untyped-decorator]  # as above
    def pause(self, request: HttpRequest, queryset: QuerySet[ScheduledTask]) -> None:
        """Have the tasks not sent until somebody resumes them."""
        self._set_enabled(request, queryset, False)

    @admin.action(description="Resume", permissions=["change"])  # type: ignore[untyped-decorator]  # as above
    def resume(self, request: HttpRequest, queryset: QuerySet[ScheduledTask]) -> None:
        """Have the tasks sent again, from now on."""
        self._set_enabled(request, queryset, True)

    def _set_enabled(self, request: HttpRequest, queryset: QuerySet[ScheduledTask], enabled: bool) -> None:
        changed = queryset.update(enabled=enabled, changed_at=now())
        self.message_user(request, f"{'Resumed' if enabled else 'Paused'}: {changed}", messages.SUCCESS)


def _lines(row: ScheduledTask) -> list[str]:
    try:
        return [shown(run) for run in next_runs(row, current_app)] or ["never again"]
    except Exception as error:  # noqa: BLE001  # a row that nobody has checked, or a plugin that is missing: it is said
        return [str(error)]
