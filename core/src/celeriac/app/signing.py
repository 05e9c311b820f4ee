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

    Raises `ImproperlyConfigured` where no plugin signs, or a setting would have unsigned content sent, or have content
    sent that is not accepted.
    """
    try:
        driver = app.plugins.driver("serializer", NAME)
    except PluginNotFound as error:
        raise ImproperlyConfigured(f"messages cannot be signed: {error}") from error
    make = getattr(driver, "set_up", None)
    if make is None:
        raise ImproperlyConfigured(f"messages cannot be signed: the serializer {driver!r} has no method set_up")
    accepted = (NAME, *(allowed_serializers or ()))
    _check(app, accepted)
    made = make(app, serializer=serializer, allowed=accepted[1:], **options)
    app.conf.update(accept_content=[*dict.fromkeys(accepted)])
    app.serializers.put(made)  # what was accepted before is accepted no more


def _check(app: Celery, accepted: tuple[str, ...]) -> None:
    conf = app.conf
    if conf.task_serializer != NAME:
        raise ImproperlyConfigured("to send signed messages, set task_serializer (and event_serializer) to 'auth'")
    if conf.event_serializer not in accepted:
        raise ImproperlyConfigured(
            f"event_serializer is {conf.event_serializer!r}: workers act on each other's events, so set it to 'auth', "
            "or name it in allowed_serializers"
        )
    readable = accepted if conf.result_accept_content is None else conf.result_accept_content
    if conf.result_backend and conf.result_serializer not in readable:
        raise ImproperlyConfigured(
            f"result_serializer is {conf.result_serializer!r}, which would not be read: set it to 'auth', or name it "
            "in result_accept_content (then whoever can write to the result store can forge results)"
        )
