"""An app on its way to another process: the app of the same name there, else one made like it."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from celeriac.app.current import peek_current_app

if TYPE_CHECKING:
    from celeriac.app.base import Celery

#: Attributes that become arguments of the constructor, under the name of the argument.
_ARGUMENTS: Final = {
    "main": "main",
    "loader": "loader_cls",
    "amqp": "amqp_cls",
    "events": "events_cls",
    "log": "log_cls",
    "control": "control_cls",
    "task_cls": "task_cls",
    "fixups": "fixups_given",
    "config_source": "config_source",
    "autofinalize": "autofinalize",
    "namespace": "namespace",
    "strict_typing": "strict_typing",
}


class AppPickler:
    """Says what of an app is pickled, and makes an app of it; for subclasses (``Celery.Pickler``).

    A pickled app holds the settings that were made on it, passwords in URLs included.
    """

    def build_kwargs(self, app: Celery) -> dict[str, Any]:
        """Arguments of the constructor, with the settings that were made on the app itself."""
        kwargs = {argument: getattr(app, attribute) for argument, attribute in _ARGUMENTS.items()}
        if isinstance(kwargs["config_source"], ModuleType):
            kwargs["config_source"] = kwargs["config_source"].__name__
        return {**kwargs, "changes": app.conf.changes, "set_as_current": False}

    def construct(self, cls: type[Celery], **kwargs: Any) -> Celery:
        """The app of these arguments."""
        return cls(**kwargs)

    def __call__(self, cls: type[Celery], kwargs: dict[str, Any]) -> Celery:
        # With its tasks, which are not pickled.
        here = peek_current_app()
        if type(here) is cls and here.main == kwargs.get("main"):
            return here
        return self.construct(cls, **kwargs)


def restore(pickler: type[AppPickler], cls: type[Celery], kwargs: dict[str, Any]) -> Celery:
    """What a pickled app is read by."""
    return pickler()(cls, kwargs)
