"""The kernel's settings: one typed table, from which the reference page is generated."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from celeriac.app.settings import beat, broker, general, result, task, worker
from celeriac.app.settings.old_names import old_names_of
from celeriac.plugin.settings import Schema

__all__ = ["kernel_schema"]


@cache
def kernel_schema() -> Schema:
    """All settings of the kernel, made once per process and never changed."""
    families = (general, broker, result, task, worker, beat)
    return Schema(
        replace(setting, old_names=old_names_of(setting.name)) for family in families for setting in family.SETTINGS
    )
