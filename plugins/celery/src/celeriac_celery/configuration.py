"""The settings, and what is shown of an app (``celery.app.utils``, ``celery.app.defaults``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from kombu.utils.imports import symbol_by_name
from kombu.utils.url import maybe_sanitize_url as sanitize_url

Settings: Any = symbol_by_name("celeriac.app.configuration:Settings")
#: What configuration is before it is read: it is the same object afterwards.
PendingConfiguration = Settings


def appstr(app: Any) -> str:
    """What an app is called in messages."""
    return f"{app.main or '__main__'} at {id(app):#x}"


class Option(NamedTuple):
    """One setting."""

    default: Any
    type: Any
    doc: str


def _schema() -> Any:
    return symbol_by_name("celeriac.app.settings:kernel_schema")()


def flatten(*_: Any, **__: Any) -> Iterator[tuple[str, Option]]:
    """Name and description of each setting of the kernel."""
    for setting in _schema():
        yield setting.name, Option(setting.default, setting.type, setting.doc)


def find(name: str, namespace: str = "") -> tuple[str, str, Any]:
    """Namespace, rest of the name and description of a setting.  Raises KeyError."""
    known = dict(flatten())
    wanted = f"{namespace}_{name}".lower().strip("_")
    found = wanted if wanted in known else name.lower()
    option = known[found]
    head, _, rest = found.partition("_")
    return head, rest, option


_LOG_FORMATS = {"DEFAULT_PROCESS_LOG_FMT": "worker_log_format", "DEFAULT_TASK_LOG_FMT": "worker_task_log_format"}


def __getattr__(name: str) -> Any:
    if name in _LOG_FORMATS:
        return dict(flatten())[_LOG_FORMATS[name]].default
    if name == "NAMESPACES":
        spaces: dict[str, Any] = {}
        for key, option in flatten():
            head, _, rest = key.partition("_")
            spaces.setdefault(head, {})[rest] = option
        return spaces
    if name == "DEFAULTS":
        return {key: option.default for key, option in flatten()}
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["Option", "PendingConfiguration", "Settings", "appstr", "find", "flatten", "sanitize_url"]
