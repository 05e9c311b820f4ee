"""In which order steps start: each after those that it requires."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from celeriac.bootsteps.steps import Step, named_class
from celeriac.exceptions import ImproperlyConfigured

#: What the names of steps begin with in code that was written for Celery, and here.
_CELERY, _OURS = "celery.", "celeriac."


class StepOrder:
    """The classes of the steps of one blueprint, and what they require of each other."""

    def __init__(self, blueprint: str, kinds: Iterable[type[Step]]) -> None:
        """Raises `ImproperlyConfigured` for two steps of one name, and for one that is required and not there."""
        self.blueprint = blueprint
        self.by_name = self._by_name(kinds)
        #: The names of the steps that each step waits for.
        self.required = {name: self._required(kind) for name, kind in self.by_name.items()}

    def sorted(self) -> list[type[Step]]:
        """In the order in which they start.  Raises `ImproperlyConfigured` for a circle."""
        graph = {name: list(required) for name, required in self.required.items()}
        for kind in self.by_name.values():
            if kind.last:
                after = _dependents(kind.name, graph)
                graph[kind.name] += [
                    name for name, other in self.by_name.items() if not other.last and name not in after
                ]
        try:
            return [self.by_name[name] for name in TopologicalSorter(graph).static_order()]
        except CycleError as error:
            circle = " -> ".join(reversed(error.args[1]))
            raise ImproperlyConfigured(
                f"bootsteps of the blueprint {self.blueprint} require each other in a circle: {circle}"
            ) from None

    def _by_name(self, kinds: Iterable[type[Step]]) -> dict[str, type[Step]]:
        found: dict[str, type[Step]] = {}
        for kind in kinds:
            if found.setdefault(kind.name, kind) is not kind:
                raise ImproperlyConfigured(
                    f"two bootsteps of the blueprint {self.blueprint} are both called {kind.name}: give one of them "
                    "another name, by its attribute `name`"
                )
        return found

    def _required(self, kind: type[Step]) -> list[str]:
        """The names of the steps that `kind` requires, in full."""
        names = []
        for required in kind.requires:
            wanted = required if isinstance(required, str) else named_class(required).name
            wanted = wanted.replace(":", ".")
            if wanted.startswith(_CELERY):
                wanted = _OURS + wanted.removeprefix(_CELERY)
            found = [name for name in self.by_name if name.rpartition(".")[2] == wanted]
            if wanted in self.by_name:
                found = [wanted]
            if len(found) != 1:
                what = f"could be any of {', '.join(found)}" if found else "is not there"
                raise ImproperlyConfigured(
                    f"bootstep {kind.name} requires {wanted}, which {what} in the blueprint {self.blueprint} "
                    f"(its steps: {', '.join(self.by_name)})"
                )
            names += found
        return names


def in_order(steps: Iterable[Any]) -> list[Any]:
    """A set of steps, as classes or dotted names, in an order that is the same in every process."""
    return sorted(steps, key=lambda step: step.replace(":", ".") if isinstance(step, str) else step.name)


def _dependents(name: str, graph: Mapping[str, Sequence[str]]) -> set[str]:
    """The steps that require `name`, or require one that does."""
    found = {name}
    while more := {other for other, required in graph.items() if other not in found and found.intersection(required)}:
        found |= more
    return found
