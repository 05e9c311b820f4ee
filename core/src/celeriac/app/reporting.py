"""What a bug report should say of an installation: versions, platform, what it talks to, and its settings."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import TYPE_CHECKING

import celeriac

if TYPE_CHECKING:
    from celeriac.app.base import Celery


def bugreport(app: Celery) -> str:
    """The report, with passwords masked."""
    lines = {
        "software": f"celeriac:{celeriac.__version__} kombu:{metadata.version('kombu')} py:{platform.python_version()}",
        "platform": f"system:{platform.system()} arch:{platform.machine()} kernel version:{platform.release()} "
        f"imp:{platform.python_implementation()}",
        "loader": f"{type(app.loader).__module__}.{type(app.loader).__qualname__}",
        "settings": f"transport:{_scheme(app, 'broker_url')} results:{_scheme(app, 'result_backend')}",
        **app.plugins.report(),
    }
    width = max(map(len, lines))
    head = "\n".join(f"{name:<{width}} -> {value}" for name, value in lines.items())
    return f"\n{head}\n\n{app.conf.humanize()}\n"


def _scheme(app: Celery, setting: str) -> str:
    value = app.conf[setting]
    first = value[0] if isinstance(value, (list, tuple)) and value else value
    return str(first).partition(":")[0] if first else "disabled"
