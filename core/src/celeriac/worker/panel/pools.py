"""Commands about the pool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from celeriac.worker.panel.registry import PanelState, control_command


@control_command(args=[("n", int)], signature="[N=1]")
def pool_grow(state: PanelState, n: int = 1, **_: Any) -> dict[str, str]:
    """Run more tasks at once."""
    autoscaler = _autoscaler(state)
    if autoscaler is not None:
        autoscaler.force_scale_up(n)
    else:
        state.consumer.pool.grow(n)
        state.consumer.pool_resized()
    return {"ok": "pool will grow"}


@control_command(args=[("n", int)], signature="[N=1]")
def pool_shrink(state: PanelState, n: int = 1, **_: Any) -> dict[str, str]:
    """Run fewer tasks at once."""
    autoscaler = _autoscaler(state)
    if autoscaler is not None:
        autoscaler.force_scale_down(n)
    else:
        state.consumer.pool.shrink(n)
        state.consumer.pool_resized()
    return {"ok": "pool will shrink"}


@control_command()
def pool_restart(
    state: PanelState, modules: Sequence[str] | None = None, reload: bool = False, reloader: Any = None, **_: Any
) -> dict[str, str]:
    """Replace the processes of the pool."""
    if not state.app.conf.worker_pool_restarts:
        raise ValueError("Pool restarts not enabled: the setting worker_pool_restarts is off")
    if reloader is not None:
        raise ValueError("a reloader cannot be sent to a worker: modules are reloaded by Python's own importlib")
    state.consumer.pool.restart(modules, reload)
    return {"ok": "reload started"}


@control_command(args=[("max", int), ("min", int)], signature="[max [min]]")
def autoscale(state: PanelState, max: int | None = None, min: int | None = None, **_: Any) -> dict[str, str]:
    """Change the bounds between which the worker scales itself."""
    autoscaler = _autoscaler(state)
    if autoscaler is None:
        raise ValueError("Autoscale not enabled: start the worker with --autoscale")
    most, least = autoscaler.update(max, min)
    return {"ok": f"autoscale now max={most} min={least}"}


def _autoscaler(state: PanelState) -> Any:
    return getattr(state.consumer.controller, "autoscaler", None)
