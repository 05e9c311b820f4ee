"""The steps of one worker or consumer: made, started and stopped in order."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Final

from celeriac.bootsteps.order import StepOrder
from celeriac.bootsteps.steps import Step, named_class
from celeriac.graph import DependencyGraph, GraphFormatter

logger = logging.getLogger("celeriac.bootsteps")

RUN: Final = 0x1
CLOSE: Final = 0x2
TERMINATE: Final = 0x3


class StepFormatter(GraphFormatter):
    """Draws steps by their short names; those that depend on options or configuration are dashed."""

    def label(self, obj: Any) -> str:
        return obj.label or obj.name.rpartition(".")[2] if _is_step(obj) else str(obj)

    def node(self, obj: Any, **attrs: Any) -> str:
        return super().node(obj, **self._style(obj), **attrs)

    def terminal_node(self, obj: Any, **attrs: Any) -> str:
        return super().terminal_node(obj, **self._style(obj), **attrs)

    def _style(self, obj: Any) -> dict[str, str]:
        return {"style": "filled,dashed"} if getattr(obj, "conditional", False) else {}


def _is_step(obj: Any) -> bool:
    return isinstance(obj, type) and issubclass(obj, Step)


class Blueprint:
    """The steps of one parent, in order."""

    GraphFormatter: ClassVar[type[GraphFormatter]] = StepFormatter

    #: Steps that are always there, as classes or dotted names.
    default_steps: ClassVar[Iterable[Any]] = ()
    name: str | None = None
    #: `RUN`, `CLOSE` or `TERMINATE`; None before the start.
    state: int | None = None
    #: How many steps have been started, counted from the first.
    started: int = 0
    state_to_name: ClassVar[dict[int, str]] = {
        0: "initializing",
        RUN: "running",
        CLOSE: "closing",
        TERMINATE: "terminating",
    }

    def __init__(
        self,
        steps: Iterable[Any] | None = None,
        name: str | None = None,
        on_start: Callable[[], None] | None = None,
        on_close: Callable[[], None] | None = None,
        on_stopped: Callable[[], None] | None = None,
    ) -> None:
        self.name = name or self.name or type(self).__name__
        self.types: list[Any] = [*self.default_steps, *(steps or ())]
        self.on_start, self.on_close, self.on_stopped = on_start, on_close, on_stopped
        self.order: list[Any] = []
        self.steps: dict[str, Any] = {}
        #: Which step, as a class, waits for which.
        self.graph = DependencyGraph(formatter=self.GraphFormatter())
        self.shutdown_complete = threading.Event()

    # -- making -------------------------------------------------------------------------------------------------------

    def load_step(self, step: Any) -> tuple[str, type[Step]]:
        """The name and the class of a step, which is given as such or by its dotted name."""
        kind: type[Step] = named_class(step)
        return kind.name, kind

    def claim_steps(self) -> dict[str, type[Step]]:
        """All steps by name.  Raises `ImproperlyConfigured` as `apply` does."""
        return self._order().by_name

    def apply(self, parent: Any, **kwargs: Any) -> Blueprint:
        """Make all steps for `parent`, in order; keywords are options, given to the constructor of each.

        Raises `ImproperlyConfigured` for a missing step, two of one name, or a circle.
        """
        found = self._order()
        kinds = found.sorted()
        self.graph.update((kind, [found.by_name[name] for name in found.required[kind.name]]) for kind in kinds)
        for kind in kinds:
            step = kind(parent, **kwargs)
            if step.include(parent):
                self.order.append(step)
                self.steps[kind.name] = step
        return self

    def sorted_types(self) -> list[type[Step]]:
        """The classes of the steps in the order in which they start."""
        return self._order().sorted()

    def _order(self) -> StepOrder:
        return StepOrder(str(self.name), [self.load_step(step)[1] for step in self.types])

    def connect_with(self, other: Blueprint) -> None:
        """Draw `other`, whose first step waits for the last one of this, in one graph with it."""
        self.graph.connect(other.graph)
        if self.order and other.order:
            self.graph.add_edge(type(other.order[0]), type(self.order[-1]))

    # -- running ------------------------------------------------------------------------------------------------------

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

    def restart(
        self, parent: Any, method: str = "stop", description: str = "restarting", propagate: bool = False
    ) -> None:
        """Call `method` of all steps that have started, last first; `start` may then begin anew."""
        self.send_all(parent, method, description, propagate=propagate)
        self.started = 0

    def close(self, parent: Any) -> None:
        """Tell all steps that the end is near."""
        if self.on_close is not None:
            self.on_close()
        self.send_all(parent, "close", "closing", reverse=False, propagate=False)

    def stop(self, parent: Any, close: bool = True, terminate: bool = False) -> None:
        """Stop what was started, last first; a step that fails to stop keeps no other from stopping.

        Tolerates never started and twice.
        """
        if self.state in {CLOSE, TERMINATE}:
            return
        self.state = TERMINATE if terminate else CLOSE
        if close:
            self.close(parent)
        self.send_all(parent, "terminate" if terminate else "stop", propagate=False)
        try:
            if self.on_stopped is not None:
                self.on_stopped()
        finally:
            self.shutdown_complete.set()

    def join(self, timeout: float | None = None) -> bool:
        """Wait, in another thread, until all steps have stopped; False if `timeout` seconds were not enough."""
        return self.shutdown_complete.wait(timeout)

    def send_all(
        self,
        parent: Any,
        method: str,
        description: str | None = None,
        reverse: bool = True,
        propagate: bool = True,
        args: Iterable[Any] = (),
    ) -> None:
        """Call `method` of all steps that have started and know it.

        What one raises ends that with `propagate`; without, it is logged and the next one is called.
        """
        steps = self.order[: self.started]
        for step in reversed(steps) if reverse else steps:
            function = getattr(step, method, None)
            if function is None:
                continue
            try:
                function(parent, *args)
            except Exception:
                if propagate:
                    raise
                logger.exception("%s: %s failed", step.alias, description or method)

    # -- facts --------------------------------------------------------------------------------------------------------

    def info(self, parent: Any) -> dict[str, Any]:
        """Facts of all steps."""
        found: dict[str, Any] = {}
        for step in self.order:
            found.update(step.info(parent) or {})
        return found

    def human_state(self) -> str:
        """The state in a word."""
        return self.state_to_name[self.state or 0]

    @property
    def alias(self) -> str:
        """The short name, for logs."""
        return str(self.name).rpartition(".")[2]

    def __getitem__(self, name: str) -> Any:
        return self.steps[name]
