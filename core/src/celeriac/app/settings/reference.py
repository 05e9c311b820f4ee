"""The reference page of the kernel's settings, from the table itself."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from celeriac.app.settings import beat, broker, general, result, task, worker
from celeriac.app.settings.absent import ABSENT
from celeriac.app.settings.old_names import old_names_of

if TYPE_CHECKING:
    from celeriac.plugin import values

_FAMILIES: Final = (
    ("General", general),
    ("Broker", broker),
    ("Results", result),
    ("Tasks", task),
    ("Worker", worker),
    ("Beat", beat),
)
_HEAD: Final = """# Settings

Every setting of the kernel; plugins add their own, which `celeriac plugins show NAME` lists and their README explains.
Set them on `app.conf`, in a configuration object (`app.config_from_object`), or as keywords of `Celery(...)`. A value
is checked when it is first read. This page is made from the table in the source; a test holds the two equal.
"""


def render() -> str:
    """The whole page, in Markdown."""
    parts = [_HEAD]
    for title, family in _FAMILIES:
        parts.append(f"\n## {title}\n\n| setting | type | default | meaning | old names |\n|---|---|---|---|---|\n")
        for setting in family.SETTINGS:
            old = ", ".join(f"`{name}`" for name in old_names_of(setting.name))
            parts.append(
                f"| `{setting.name}` | {_type(setting.type)} | `{_shown(setting.default)}` | {setting.doc} | {old} |\n"
            )
    parts.append("\n## Deliberately absent\n\nSettings of Celery that this kernel does not know, and why.\n\n")
    parts.append("| setting | reason |\n|---|---|\n")
    parts += [f"| {names} | {reason} |\n" for names, reason in ABSENT]
    return "".join(parts)


def _type(kind: values.ValueType) -> str:
    return kind if isinstance(kind, str) else kind.__name__


def _shown(default: Any) -> str:
    return f"{default.total_seconds():g} s" if isinstance(default, timedelta) else repr(default)


if __name__ == "__main__":
    print(render(), end="")  # noqa: T201  # this is the program that writes the page
