"""Parts of a worker that start and stop in the order of what they need.

A *step* is one part; a *blueprint* knows all steps of a process or of its consumer, orders them by their `requires`,
starts them first to last and stops them last to first.
"""

from __future__ import annotations

from celeriac.bootsteps.blueprint import CLOSE, RUN, TERMINATE, Blueprint, StepFormatter
from celeriac.bootsteps.order import in_order
from celeriac.bootsteps.steps import ConsumerStep, StartStopStep, Step

__all__ = [
    "CLOSE",
    "RUN",
    "TERMINATE",
    "Blueprint",
    "ConsumerStep",
    "StartStopStep",
    "Step",
    "StepFormatter",
    "in_order",
]
