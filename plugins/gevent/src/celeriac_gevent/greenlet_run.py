"""One job in a greenlet."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, final

import gevent

from celeriac.pools.greenlet_run import GreenletRun

if TYPE_CHECKING:
    from celeriac.contracts.pool import Report


@final
class GeventRun(GreenletRun):
    """Runs a job; `on_end` is called once, in a greenlet, with its report."""

    called: ClassVar[str] = "greenlet"

    def _spawn(self) -> Any:
        greenlet = gevent.spawn(self._run)
        # Whoever kills a greenlet that has not begun leaves nothing of it that could tell.
        greenlet.link(self._on_dead)
        return greenlet

    def _run(self) -> None:
        if self._verdict is not None:  # before it could begin
            self._end(self._report_of_ended())
            return
        report: Report | None = None
        try:
            self._watch()
            self._enter()
            try:
                report = self._executor.run(self._job)
            except BaseException as error:  # noqa: BLE001  # must be reported: also a GreenletExit
                report = self._report_of(error)
            self._unwatch()
        except BaseException as late:  # noqa: BLE001  # came between the end of the task and the end of this
            report = report or self._report_of(late)
        self._end(report)

    def _on_dead(self, _: Any) -> None:
        if not self._has_ended:
            self._end(self._report_of_ended())

    def _later(self, seconds: float, call: Callable[[], None]) -> Any:
        return gevent.spawn_later(seconds, call)

    def _cancel(self, timer: Any) -> None:
        timer.kill(block=False)

    def _raise_in_task(self, error: type[BaseException]) -> None:
        if self._greenlet.started and self._greenlet.gr_frame is not None:
            self._greenlet.kill(error, block=False)
