"""Parts of a worker that start and stop in the order of what they need.

A *step* is one part; a *blueprint* knows all steps of a process or of its consumer, orders them by their `requires`,
starts them first to last and stops them last to first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
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
    #: Whether it takes part at all.
    enabled: bool = True
    #: Included only where `enabled` is set by an instance.
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
        """The worker stops; also called if `start` failed half way."""
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

    def get_consumers(self, channel: Any) -> list[Any]:
        """The ``kombu.Consumer`` objects to run, on this channel."""
        raise NotImplementedError(f"{type(self).__name__} must define get_consumers(channel)")

    def start(self, c: Any) -> None:
        channel = c.connection.channel()
        self.consumers = self.get_consumers(channel)
        for consumer in self.consumers or ():
            consumer.consume()

    def stop(self, c: Any) -> None:
        for consumer in self.consumers or ():
            consumer.cancel()
            consumer.channel.close()
        self.consumers = None

    shutdown = stop


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
        """Make all steps for `parent`, in order.  Raises `ImproperlyConfigured` for a missing step or a circle."""
        for kind in self.sorted_types():
            step = kind(parent, **kwargs)
            if step.include(parent):
                self.order.append(step)
                self.steps[kind.name] = step
        return self

    def sorted_types(self) -> list[type[Step]]:
        """The classes of the steps in the order in which they start."""
        by_name = {kind.name: kind for kind in self.types}
        by_alias = {kind.name.rpartition(".")[2]: kind for kind in self.types}
        graph: dict[str, list[str]] = {}
        for kind in by_name.values():
            needed = []
            for required in kind.requires:
                name = required if isinstance(required, str) else _step_class(required).name
                found = by_name.get(name) or by_alias.get(name)
                if found is None:
                    raise ImproperlyConfigured(
                        f"bootstep {kind.name} requires {name}, which is not part of the blueprint {self.name}"
                    )
                needed.append(found.name)
            graph[kind.name] = needed
        for kind in by_name.values():
            if kind.last:
                graph[kind.name] += [name for name, other in by_name.items() if not other.last]
        try:
            order = TopologicalSorter(graph).static_order()
            return [by_name[name] for name in order]
        except CycleError as error:
            circle = " -> ".join(error.args[1])
            raise ImproperlyConfigured(f"bootsteps of the blueprint {self.name} require each other: {circle}") from None

    def start(self, parent: Any) -> None:
        """Start all steps.  An error stops those that had started, and goes on."""
        self.state = RUN
        if self.on_start is not None:
            self.on_start()
        for place, step in enumerate(self.order):
            self.started = place + 1
            if hasattr(step, "start"):
                logger.debug("Starting %s", step.alias)
                step.start(parent)

    def close(self, parent: Any) -> None:
        """Tell all steps that the end is near."""
        if self.on_close is not None:
            self.on_close()
        self.send_all(parent, "close", reverse=False)

    def stop(self, parent: Any, close: bool = True, terminate: bool = False) -> None:
        """Stop what was started, last first; a step that fails to stop keeps no other from stopping."""
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


def _step_class(step: Any) -> Any:
    if not isinstance(step, str):
        return step
    module, _, attribute = step.replace(":", ".").rpartition(".")
    return getattr(import_module(module), attribute)
