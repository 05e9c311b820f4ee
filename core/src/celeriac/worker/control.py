"""The commands of remote control, and the decorators by which users add their own."""

from __future__ import annotations

from celeriac.contracts.control import ControlCommand
from celeriac.worker.panel import events, facts, memory, pools, queues, tasks
from celeriac.worker.panel.registry import (
    Panel,
    PanelState,
    commands_of,
    control_command,
    handlers_of,
    inspect_command,
)

__all__ = [
    "ControlCommand",
    "Panel",
    "PanelState",
    "commands_of",
    "control_command",
    "handlers_of",
    "inspect_command",
]

#: The modules whose commands every worker has.
OWN = (events, facts, memory, pools, queues, tasks)
