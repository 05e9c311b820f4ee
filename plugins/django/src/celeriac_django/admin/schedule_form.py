"""The form of a scheduled task: fields of its own for each kind of timing."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django import forms  # type: ignore[import-untyped]  # Django has no annotations
from django.contrib.admin.widgets import AdminSplitDateTime  # type: ignore[import-untyped]  # as above
from django.utils import timezone  # type: ignore[import-untyped]  # as above

from celeriac import current_app
from celeriac.schedules import crontab
from celeriac_django.models import ScheduledTask
from celeriac_django.timing import SUN_EVENTS
from celeriac_django.upcoming import UNITS, split_interval

#: The fields of a crontab in the order of its line, and what may stand in each.
_CRONTAB: Final = {
    "minute": "0-59",
    "hour": "0-23",
    "day_of_month": "1-31",
    "month_of_year": "1-12 or jan-dec",
    "day_of_week": "0-6 or sun-sat; 0 is sunday",
}
#: The fields of each kind, of which the first is told what is wrong with all.
KINDS: Final = {
    "interval": ("every", "unit"),
    "crontab": tuple(_CRONTAB),
    "solar": ("event", "latitude", "longitude"),
    "once": ("at",),
}


class ScheduledTaskForm(forms.ModelForm):  # type: ignore[misc]  # as above
    """A scheduled task, with the names of the tasks that the project knows."""

    every = forms.FloatField(required=False, min_value=0.001, help_text="More than 0.")
    unit = forms.ChoiceField(required=False, choices=[(unit, unit) for unit in reversed(UNITS)], initial="seconds")
    minute, hour, day_of_month, month_of_year, day_of_week = (
        forms.CharField(required=False, max_length=100, help_text=numbers, widget=forms.TextInput(attrs={"size": 12}))
        for numbers in _CRONTAB.values()
    )
    event = forms.ChoiceField(required=False, choices=[(name, name.replace("_", " ")) for name in SUN_EVENTS])
    latitude = forms.FloatField(required=False, min_value=-90, max_value=90, help_text="-90 to 90, north is positive.")
    longitude = forms.FloatField(
        required=False, min_value=-180, max_value=180, help_text="-180 to 180, east is positive."
    )
    at = forms.SplitDateTimeField(
        required=False,
        widget=AdminSplitDateTime(),
        help_text="On the clock of the time zone above it, or of this page.",
    )

    class Meta:
        model = ScheduledTask
        exclude = ("timing",)  # it is written from the fields of the kind

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "task" in self.fields:  # not where it can only be read
            self.fields["task"].widget = TaskNames(attrs={"class": "vTextField", "size": 60})
        for name in {"args", "kwargs", "options"} & self.fields.keys():
            self.fields[name].widget.attrs["rows"] = 2
        for name, value in self._parts().items():
            self.initial.setdefault(name, value)

    def _parts(self) -> dict[str, Any]:
        """What the fields of the kind show of the timing of a row."""
        row = self.instance
        if not row.timing:
            return dict.fromkeys(_CRONTAB, "*")
        match row.kind:
            case "interval":
                every, unit = split_interval(row.timing)
                return {**dict.fromkeys(_CRONTAB, "*"), "every": f"{every:.10g}", "unit": unit}
            case "crontab":
                return dict(zip(_CRONTAB, row.timing.split(), strict=False))
            case "solar":
                return dict(zip(KINDS["solar"], row.timing.split(), strict=False))
        try:
            return {"at": _here(datetime.fromisoformat(row.timing), row.timezone)}
        except ValueError:
            return {}

    def clean(self) -> dict[str, Any]:
        """Write the timing from the fields of the kind."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        kind = cleaned.get("kind")
        if kind in KINDS:
            missing = [name for name in KINDS[kind] if cleaned.get(name) in (None, "")]
            for name in missing:
                if name not in self.errors:
                    self.add_error(name, _needed(name, kind))
            if not missing:
                self.instance.timing = self._timing(kind, cleaned)
        return cleaned

    def _timing(self, kind: str, cleaned: dict[str, Any]) -> str:
        given = [cleaned[name] for name in KINDS[kind]]
        match kind:
            case "interval":
                return f"{given[0] * UNITS[given[1]]:.10g}"
            case "crontab":
                for name, value in zip(_CRONTAB, given, strict=True):
                    try:
                        crontab(**{name: value})
                    except (ValueError, TypeError) as error:
                        self.add_error(name, str(error))
                return " ".join(value.replace(" ", "") for value in given)
            case "solar":
                return f"{given[0]} {given[1]:g} {given[2]:g}"
        moment: datetime = given[0]
        if cleaned.get("timezone"):  # what was written is the clock of that zone, not of this page
            moment = timezone.localtime(moment).replace(tzinfo=None) if timezone.is_aware(moment) else moment
        elif timezone.is_naive(moment):
            moment = timezone.make_aware(moment)
        return moment.isoformat()

    def _update_errors(self, errors: Any) -> None:
        """What the row says of its timing is said beside a field of the kind, unless that has been said already."""
        found = getattr(errors, "error_dict", {})
        wrong = found.pop("timing", None)
        super()._update_errors(errors)
        kind = self.cleaned_data.get("kind")
        if wrong and kind in KINDS and not any(name in self.errors for name in KINDS[kind]):
            self.add_error(KINDS[kind][0], wrong)


class TaskNames(forms.TextInput):  # type: ignore[misc]  # as above
    """A line of text that the names of tasks are offered for; others may be written."""

    template_name = "celeriac_django/task_names.html"

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, {**(attrs or {}), "list": f"{name}-names"})
        current_app.loader.import_default_modules()
        context["names"] = sorted(known for known in current_app.tasks if not known.startswith("celery."))
        return context


def _needed(name: str, kind: str) -> str:
    if kind == "crontab":
        return f"{name.replace('_', ' ')} is {_CRONTAB[name]}; * for all"
    return "This is needed for a task of that kind."


def _here(moment: datetime, zone: str) -> datetime:
    """A moment as the form shows it: as it was written where it has a zone of its own."""
    if timezone.is_aware(moment) and not zone:
        return timezone.localtime(moment)  # type: ignore[no-any-return]  # Django has no annotations
    return moment.replace(tzinfo=None)
