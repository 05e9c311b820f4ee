"""What the kernel calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from celeriac.plugin import Outcome, Setting, hookimpl


def _is_project() -> bool:
    return bool(os.environ.get("DJANGO_SETTINGS_MODULE"))


@hookimpl
def celeriac_settings() -> Iterable[Setting]:
    """What can be chosen."""
    yield Setting("django_mail_failures", bool, False, "Mail the ADMINS of the Django project about tasks that fail.")


@hookimpl
def celeriac_fixups(app: Any) -> Iterable[Any]:
    """The fixup, in programs that are Django's."""
    if not _is_project():
        return []
    from celeriac_django.fixup import DjangoFixup

    return [DjangoFixup(app)]


@hookimpl
def celeriac_configured(app: Any) -> None:
    """Naive dates are in the project's time zone, where the app names none; tasks of ``django.tasks`` can be run.

    What tests override in the settings of the project holds for the app.
    """
    if not _is_project():
        return
    from django.conf import settings  # type: ignore[import-untyped]  # Django has no annotations

    from celeriac_django import dispatch, overrides

    overrides.follow(app)
    if app.conf.timezone is None:
        app.conf.timezone = settings.TIME_ZONE
    if dispatch.is_wanted():
        dispatch.register(app)


@hookimpl
def celeriac_outcome_listeners(app: Any) -> Iterable[Callable[[Outcome], None]]:
    """Who mails about failures, where that is wanted."""
    if not (_is_project() and app.conf.django_mail_failures):
        return []
    from celeriac_django.mail import FailureMail

    return [FailureMail(app)]
