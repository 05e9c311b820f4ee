"""Commands about the worker itself."""

from __future__ import annotations

import os
from typing import Any

from celeriac.worker.panel.plain import plain
from celeriac.worker.panel.registry import PanelState, control_command, inspect_command


@inspect_command(default_timeout=0.2)
def ping(state: PanelState, **_: Any) -> dict[str, str]:
    """Ask whether the worker is there."""
    return {"ok": "pong"}


@inspect_command(alias="dump_conf", args=[("with_defaults", bool)], signature="[include_defaults=False]")
def conf(state: PanelState, with_defaults: bool = False, **_: Any) -> Any:
    """The settings, without secrets."""
    return plain(state.app.conf.shown(with_defaults))


@inspect_command()
def report(state: PanelState) -> dict[str, str]:
    """What a bug report should say of this installation."""
    return {"ok": state.app.bugreport()}


@inspect_command()
def stats(state: PanelState) -> Any:
    """Figures: tasks run, process, uptime, prefetch, pool, broker, resources."""
    return plain(state.consumer.controller.stats())


@control_command()
def shutdown(state: PanelState, msg: str = "Got shutdown from remote", **_: Any) -> dict[str, str]:
    """Finish what runs, and end."""
    state.consumer.controller.stop()
    return {"ok": f"{state.hostname} (pid {os.getpid()}) stops: {msg}"}
