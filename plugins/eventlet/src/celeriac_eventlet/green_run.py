"""One job in a green thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, final

from celeriac.pools.greenlet_run import GreenletRun
from celeriac_eventlet.library import eventlet, hubs


@final
class GreenRun(GreenletRun):
    """Runs a job; `on_end` is called once, in a green thread, with its report."""

    called: ClassVar[str] = "green thread"

    #: An exception that is raised now reaches the task, and neither what comes before nor what comes after it.
    _is_in_task = False

    def _spawn(self) -> Any:
        return eventlet.spawn_n(self._run)

    def _run(self) -> None:
        if self._verdict is not None:  # before it could begin
            self._end(self._report_of_ended())
            return
        self._enter()
        self._watch()
        try:
            self._is_in_task = True
            report = self._executor.run(self._job)
            self._is_in_task = False
        except BaseException as error:  # noqa: BLE001  # must be reported, whatever it is: a Timeout is no Exception
            self._is_in_task = False
            report = self._report_of(error)
        self._end(report)

    def _later(self, seconds: float, call: Callable[[], None]) -> Any:
        # In a green thread of its own: in the hub, where timers call, nothing may wait.
        return hubs.get_hub().schedule_call_global(seconds, eventlet.spawn_n, call)

    def _cancel(self, timer: Any) -> None:
        timer.cancel()

    def _raise_in_task(self, error: type[BaseException]) -> None:
        # By the hub, so that whoever asks for it goes on at once.
        hubs.get_hub().schedule_call_global(0, self._throw, error)

    def _throw(self, error: type[BaseException]) -> None:
        if self._is_in_task:
            self._greenlet.throw(error)
