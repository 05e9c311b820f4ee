"""Turning on signed messages: by the serializer ``auth``, which a plugin brings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from celeriac.exceptions import ImproperlyConfigured, PluginNotFound

if TYPE_CHECKING:
    from celeriac.app.base import Celery

NAME: Final = "auth"


def set_up(app: Celery, allowed_serializers: Iterable[str] | None, serializer: str, options: dict[str, Any]) -> None:
    """Let messages be signed and refuse those that are not.

    Raises `ImproperlyConfigured` where no plugin signs, or the setting ``task_serializer`` is not ``auth``.
    """
    try:
        driver = app.plugins.driver("serializer", NAME)
    except PluginNotFound as error:
        raise ImproperlyConfigured(f"messages cannot be signed: {error}") from error
    turn_on = getattr(driver, "set_up", None)
    if turn_on is None:
        raise ImproperlyConfigured(f"messages cannot be signed: the serializer {driver!r} has no method set_up")
    turn_on(app, serializer=serializer, **options)
    conf = app.conf
    if conf.task_serializer != NAME:
        raise ImproperlyConfigured("to send signed messages, set task_serializer (and event_serializer) to 'auth'")
    conf.update(accept_content=[*dict.fromkeys([NAME, *(allowed_serializers or ())])])
    app.__dict__.pop("serializers", None)  # what was accepted before is accepted no more
