"""What the kernel calls.  Nothing is measured, and no client library loaded, unless an address is configured."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from celeriac.contracts import ControlCommand, Service
from celeriac.plugin import Outcome, Setting, hookimpl

if TYPE_CHECKING:
    import click

    from celeriac_prometheus.metrics import Metrics


class PrometheusPlugin:
    """One per app, and with it one registry of metrics: two apps in a process do not mix."""

    def __init__(self) -> None:
        self._task_names: list[str] = []
        self._metrics: Metrics | None = None

    @hookimpl
    def celeriac_settings(self) -> Iterable[Setting]:
        """Where to serve, and what to measure."""
        yield Setting(
            "prometheus_address",
            str,
            None,
            "HOST:PORT at which the worker serves its metrics; None: nothing is measured.",
        )
        yield Setting(
            "prometheus_depth_interval",
            "seconds",
            15.0,
            "Seconds between two looks at the depth of the worker's queues; 0: never.",
            minimum=0,
        )
        yield Setting(
            "prometheus_runtime_buckets",
            tuple,
            (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0),
            "Upper bounds, in seconds, of the classes in which runtimes are counted.",
        )

    @hookimpl
    def celeriac_cli_options(self, command: str) -> Iterable[click.Parameter]:
        """``celeriac worker --metrics-address``."""
        if command != "worker":
            return
        import click

        yield click.Option(
            ["--metrics-address", "prometheus_address"],
            metavar="HOST:PORT",
            help="Serve metrics for Prometheus there, e.g. 127.0.0.1:9540.",
        )

    @hookimpl
    def celeriac_finalized(self, app: Any) -> None:
        """Now the tasks are known, so that each has its series before the first of them fails."""
        self._task_names = sorted(app.tasks)
        if self._metrics is not None:
            self._metrics.expect(self._task_names)

    @hookimpl
    def celeriac_outcome_listeners(self, app: Any) -> Iterable[Callable[[Outcome], None]]:
        """Count how deliveries end."""
        metrics = self._metrics_of(app)
        return [] if metrics is None else [metrics.count]

    @hookimpl
    def celeriac_worker_services(self, app: Any) -> Iterable[Service]:
        """Serve what was counted."""
        metrics = self._metrics_of(app)
        if metrics is None:
            return []
        from celeriac_prometheus.server import MetricsServer, MetricsService

        return [MetricsService(MetricsServer(metrics, app.conf.prometheus_address))]

    @hookimpl
    def celeriac_consumer_steps(self, app: Any) -> Iterable[type[Any]]:
        """Look at the queues."""
        metrics = self._metrics_of(app)
        if metrics is None:
            return []
        from celeriac_prometheus.sampling import sampling_step

        return [sampling_step(metrics, app.conf.prometheus_depth_interval)]

    @hookimpl
    def celeriac_control_commands(self, app: Any) -> Iterable[ControlCommand]:
        """``celeriac inspect metrics``: what a worker serves, for those who cannot reach its address."""

        def metrics(_: Any) -> dict[str, str]:
            found = self._metrics_of(app)
            if found is None:
                return {"error": "nothing is measured: the setting prometheus_address is not set"}
            return {"ok": found.exposition()}

        return [ControlCommand("metrics", metrics, "inspect", help="What is measured, as Prometheus reads it.")]

    def _metrics_of(self, app: Any) -> Metrics | None:
        if self._metrics is None and app.conf.prometheus_address:
            from celeriac_prometheus.metrics import Metrics

            self._metrics = Metrics(app.conf.prometheus_runtime_buckets)
            self._metrics.expect(self._task_names)
        return self._metrics
