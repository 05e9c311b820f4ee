"""Celeriac under Celery's name: each module of this package is one of Celeriac's, loaded when it is imported."""

from __future__ import annotations

from celeriac_celery import conflict, finder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: The release of Celery whose API this is.
__version__ = "5.7.0"
SERIES = "collider"

#: Nothing lies beside this file, and what another distribution has left there is not looked at.
__path__ = []

finder.install()
conflict.tell()


def __getattr__(name: str) -> Any:
    value = finder.name_of_celery(name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *finder.names_of_celery()})
