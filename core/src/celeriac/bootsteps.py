"""Parts of a worker that start and stop in the order of what they need.

A *step* is one part; a *blueprint* knows all steps of a process or of its consumer, orders them by their `requires`,
starts them first to last and stops them last to first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from typing import Any, ClassVar, Final

from celeriac.exceptions import ImproperlyConfigured

logger = logging.getLogger("celeriac.bootsteps")

RUN: Final = 0x1
CLOSE: Final = 0x2
TERMINATE: Final = 0x3

_STATE_NAMES: Final = {0: "initializing", RUN: "running", CLOSE: "closing", TERMINATE: "terminating"}


class Step:
    """A part that only has to be created."""

    #: Where it is looked up in ``requires``; ``module.Class`` unless given.
    name: ClassVar[str] = ""
    #: Steps (classes or names) that must be there and start before this one.
    requires: ClassVar[Iterable[Any]] = ()
    #: Whether it takes part at all; a step may set it in its constructor, by the options.
    enabled: bool = True
    #: Whether that depends on options or configuration; only told to people, decided by `include_if`.
    conditional: bool = False
    #: Starts after all that does not require it.
    last: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = f"{cls.__module__}.{cls.__qualname__}"

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        """`parent` is the worker or consumer; keywords are the options of its command."""

    @property
    def alias(self) -> str:
        """The short name, for logs."""
        return self.name.rpartition(".")[2]

    def include_if(self, parent: Any) -> bool:
        """Whether it takes part; may look at the parent."""
        return self.enabled

    def create(self, parent: Any) -> Any:
        """Make what the step is about; what it returns is the step's `obj`."""

    def include(self, parent: Any) -> bool:
        """Create it if it takes part; True if it did."""
        if not self.include_if(parent):
            return False
        self.obj = self.create(parent)
        return True

    def info(self, obj: Any) -> dict[str, Any]:
        """Facts for ``inspect stats``."""
        return {}

    def __repr__(self) -> str:
        return f"<step: {self.alias}>"


class StartStopStep(Step):
    """A part that runs from `start` to `stop`."""

    obj: Any = None

    def start(self, parent: Any) -> Any:
        """The worker starts."""
        if self.obj is not None and hasattr(self.obj, "start"):
            return self.obj.start()
        return None

    def stop(self, parent: Any) -> Any:
        """The worker stops; also called if `start` failed half way, and then harmless."""
        if self.obj is not None and hasattr(self.obj, "stop"):
            return self.obj.stop()
        return None

    def close(self, parent: Any) -> None:
        """The worker is about to stop: take nothing new."""

    def terminate(self, parent: Any) -> None:
        """Stop at once."""
        if self.obj is not None and hasattr(self.obj, "terminate"):
            self.obj.terminate()
        else:
            self.stop(parent)


class ConsumerStep(StartStopStep):
    """A part that consumes messages of its own through the plain Kombu API."""

    consumers: list[Any] | None = None
    _channel: Any = None

    def get_consumers(self, channel: Any) -> list[Any]:
        """The ``kombu.Consumer`` objects to run, on this channel."""
        raise NotImplementedError(f"{type(self).__name__} must define get_consumers(channel)")

    def start(self, c: Any) -> None:
        """The connection is there; also called when it has been lost and is there again."""
        self._channel = c.connection.channel()
        self.consumers = self.get_consumers(self._channel)
        for consumer in self.consumers or ():
            consumer.consume()

    def stop(self, c: Any) -> None:
        """The connection is about to end, or is lost."""
        consumers, channel = self.consumers, self._channel
        self.consumers = self._channel = None
        # On a lost connection all of these fail; then there is nothing to end, and amqp also raises AttributeError.
        errors = (*c.connection.connection_errors, *c.connection.channel_errors, AttributeError)
        endings = [consumer.cancel for consumer in consumers or ()]
        endings += [each.close for each in {id(each): each for each in _channels(channel, consumers)}.values()]
        for end in endings:
            with suppress(*errors):
                end()

    shutdown = stop


def _channels(own: Any, consumers: Iterable[Any] | None) -> list[Any]:
    return [channel for channel in (own, *(consumer.channel for consumer in consumers or ())) if channel is not None]


class Blueprint:
    """The steps of one parent, in order."""

    #: Steps that are always there, as classes or dotted names.
    default_steps: ClassVar[Iterable[Any]] = ()
    name = ""

    def __init__(
        self,
        steps: Iterable[Any] | None = None,
        name: str | None = None,
        on_start: Callable[[], None] | None = None,
        on_close: Callable[[], None] | None = None,
        on_stopped: Callable[[], None] | None = None,
    ) -> None:
        self.name = name or self.name or type(self).__name__
        self.types = [*map(_step_class, self.default_steps), *map(_step_class, steps or ())]
        self.on_start, self.on_close, self.on_stopped = on_start, on_close, on_stopped
        self.state: int = 0
        self.started = 0
        self.order: list[Any] = []
        self.steps: dict[str, Any] = {}

    def apply(self, parent: Any, **kwargs: Any) -> Blueprint:
        """Make all steps for `parent`, in order; keywords are options, given to the constructor of each.

        Raises `ImproperlyConfigured` for a missing step, two of one name, or a circle.
        """
        for kind in self.sorted_types():
            step = kind(parent, **kwargs)
            if step.include(parent):
                self.order.append(step)
                self.steps[kind.name] = step
        return self

    def sorted_types(self) -> list[type[Step]]:
        """The classes of the steps in the order in which they start."""
        by_name = self._by_name()
        graph = {name: self._required(kind, by_name) for name, kind in by_name.items()}
        for kind in by_name.values():
            if kind.last:
                after = _dependents(kind.name, graph)
                graph[kind.name] += [name for name, other in by_name.items() if not other.last and name not in after]
        try:
            return [by_name[name] for name in TopologicalSorter(graph).static_order()]
        except CycleError as error:
            circle = " -> ".join(reversed(error.args[1]))
            raise ImproperlyConfigured(
                f"bootsteps of the blueprint {self.name} require each other in a circle: {circle}"
            ) from None

    def _by_name(self) -> dict[str, type[Step]]:
        found: dict[str, type[Step]] = {}
        for kind in self.types:
            if found.setdefault(kind.name, kind) is not kind:
                raise ImproperlyConfigured(
                    f"two bootsteps of the blueprint {self.name} are both called {kind.name}: give one of them "
                    "another name, by its attribute `name`"
                )
        return found

    def _required(self, kind: type[Step], by_name: Mapping[str, type[Step]]) -> list[str]:
        """The names of the steps that `kind` requires, in full."""
        names = []
        for required in kind.requires:
            wanted = required if isinstance(required, str) else _step_class(required).name
            wanted = wanted.replace(":", ".")
            found = [name for name in by_name if name == wanted or name.rpartition(".")[2] == wanted]
            if wanted in by_name:
                found = [wanted]
            if len(found) != 1:
                what = f"could be any of {', '.join(found)}" if found else "is not there"
                raise ImproperlyConfigured(
                    f"bootstep {kind.name} requires {wanted}, which {what} in the blueprint {self.name} "
                    f"(its steps: {', '.join(by_name)})"
                )
            names += found
        return names

    def start(self, parent: Any) -> None:
        """Start all steps.  One that fails stops those that had started, itself included, and its error is raised."""
        self.state = RUN
        try:
            if self.on_start is not None:
                self.on_start()
            for place, step in enumerate(self.order):
                self.started = place + 1
                if hasattr(step, "start"):
                    logger.debug("Starting %s", step.alias)
                    step.start(parent)
        except BaseException:
            self.stop(parent)
            raise

    def close(self, parent: Any) -> None:
        """Tell all steps that the end is near."""
        if self.on_close is not None:
            self.on_close()
        self.send_all(parent, "close", reverse=False)

    def stop(self, parent: Any, close: bool = True, terminate: bool = False) -> None:
        """Stop what was started, last first; a step that fails to stop keeps no other from stopping.

        Tolerates never started and twice.
        """
        if self.state in {CLOSE, TERMINATE}:
            return
        self.state = TERMINATE if terminate else CLOSE
        if close:
            self.close(parent)
        self.send_all(parent, "terminate" if terminate else "stop")
        if self.on_stopped is not None:
            self.on_stopped()

    def send_all(
        self, parent: Any, method: str, description: str | None = None, reverse: bool = True, args: Iterable[Any] = ()
    ) -> None:
        """Call `method` of all steps that have started and know it."""
        steps = self.order[: self.started]
        for step in reversed(steps) if reverse else steps:
            function = getattr(step, method, None)
            if function is not None:
                try:
                    function(parent, *args)
                except Exception:
                    logger.exception("%s: %s failed", step.alias, description or method)

    def info(self, parent: Any) -> dict[str, Any]:
        """Facts of all steps."""
        found: dict[str, Any] = {}
        for step in self.order:
            found.update(step.info(parent) or {})
        return found

    def human_state(self) -> str:
        """The state in a word."""
        return _STATE_NAMES[self.state]

    def __getitem__(self, name: str) -> Any:
        return self.steps[name]


def in_order(steps: Iterable[Any]) -> list[Any]:
    """A set of steps, as classes or dotted names, in an order that is the same in every process."""
    return sorted(steps, key=lambda step: step.replace(":", ".") if isinstance(step, str) else step.name)


def _dependents(name: str, graph: Mapping[str, Sequence[str]]) -> set[str]:
    """The steps that require `name`, or require one that does."""
    found = {name}
    while more := {other for other, required in graph.items() if other not in found and found.intersection(required)}:
        found |= more
    return found


def _step_class(step: Any) -> Any:
    if not isinstance(step, str):
        return step
    module, _, attribute = step.replace(":", ".").rpartition(".")
    return getattr(import_module(module), attribute)
