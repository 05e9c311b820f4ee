"""``task_annotations``: attributes of tasks that the configuration sets, by name, for all, or as code says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from celeriac.app.names import symbol
from celeriac.exceptions import ImproperlyConfigured


class Annotation(Protocol):
    """What a list in ``task_annotations`` may hold besides maps."""

    def annotate(self, task: Any) -> Mapping[str, Any] | None:
        """The attributes that `task` is to have; None for none."""


class MapAnnotation:
    """Task names to attributes; ``*`` is all tasks, and is overruled by a task's own name."""

    def __init__(self, attributes: Mapping[str, Any]) -> None:
        wrong = [name for name, value in attributes.items() if not isinstance(value, Mapping)]
        if wrong:
            raise ImproperlyConfigured(f"the setting task_annotations: {wrong[0]!r} has no map of attributes")
        self._attributes = dict(attributes)

    def annotate_any(self) -> Mapping[str, Any] | None:
        """The attributes of all tasks."""
        return self._attributes.get("*")

    def annotate(self, task: Any) -> Mapping[str, Any] | None:
        """The attributes of this task alone."""
        return self._attributes.get(task.name)


def prepare(annotations: Any) -> list[Any]:
    """The annotations of the setting: a map, an object with ``annotate``, a dotted name of either, or a list of these.

    Raises `ImproperlyConfigured` for anything else.
    """
    if not annotations:
        return []
    if not isinstance(annotations, (list, tuple)):
        annotations = [annotations]
    return [_prepare(each) for each in annotations]


def _prepare(annotation: Any) -> Any:
    if isinstance(annotation, str):
        try:
            annotation = symbol(annotation)
        except (ImportError, ValueError) as error:
            raise ImproperlyConfigured(f"the setting task_annotations names {annotation!r}: {error}") from error
    if isinstance(annotation, type):
        annotation = annotation()
    if isinstance(annotation, Mapping):
        return MapAnnotation(annotation)
    if not hasattr(annotation, "annotate"):
        raise ImproperlyConfigured(
            f"the setting task_annotations has {annotation!r}, which is no map and no object with annotate"
        )
    return annotation


def resolve_all(annotations: list[Any], task: Any) -> Iterator[Mapping[str, Any]]:
    """The maps of attributes that apply to `task`, in the order in which they are to be set."""
    for annotation in annotations:
        for found in (_of_all(annotation), annotation.annotate(task)):
            if found:
                yield found


def _of_all(annotation: Any) -> Mapping[str, Any] | None:
    ask = getattr(annotation, "annotate_any", None)
    found: Mapping[str, Any] | None = ask() if ask is not None else None
    return found
