"""Waiting for tasks of workers that run elsewhere, and asserting what they do: for tests against a real broker."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Final

from celeriac import states
from celeriac.exceptions import TimeoutError

#: Seconds between two questions.
_INTERVAL: Final = 0.1
_HELD: Final = ("active", "reserved", "scheduled")


class Sentinel(Exception):
    """What was waited for has not come."""


class ManagerMixin:
    """What a `Manager` can do; `app` is the app whose workers are asked."""

    app: Any
    no_join: bool = False

    def remark(self, s: str, sep: str = "-") -> None:
        """Say something on stderr."""
        print(f"{sep}{s}", file=sys.stderr)  # noqa: T201  # meant for whoever runs the test

    def missing_results(self, r: Any) -> Sequence[str]:
        """The ids of those results of a set that are not stored."""
        return [result.id for result in r if not result.exists()]

    def wait_for(
        self,
        fun: Callable[[], Any],
        catch: type[BaseException] | tuple[type[BaseException], ...],
        desc: str = "thing",
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
        errback: Callable[..., Any] | None = None,
        max_retries: int | None = 10,
        interval_start: float = 0.1,
        interval_step: float = 0.5,
        interval_max: float = 5.0,
        emit_warning: bool = False,
        **options: Any,
    ) -> Any:
        """What `fun` gives, asked again while it raises `catch`.  Raises that, after `max_retries`."""
        tries, pause = 0, interval_start
        while True:
            try:
                return fun(*args, **(kwargs or {}))
            except catch as error:
                tries += 1
                if max_retries is not None and tries > max_retries:
                    raise
                if errback is not None:
                    errback(error, pause, tries)
                if emit_warning and tries == 1:
                    self.remark(f"Waiting for {desc}: {error!r}")
                time.sleep(pause)
                pause = min(pause + interval_step, interval_max)

    def ensure_not_for_a_while(
        self,
        fun: Callable[[], Any],
        catch: type[BaseException],
        desc: str = "thing",
        max_retries: int = 20,
        interval_start: float = 0.1,
        interval_step: float = 0.02,
        interval_max: float = 1.0,
        emit_warning: bool = False,
        **options: Any,
    ) -> None:
        """Nothing of what `fun` raises (`catch`) has come so far, nor comes in the meantime.  Raises AssertionError."""
        try:
            self.wait_for(
                fun,
                catch,
                desc,
                max_retries=max_retries,
                interval_start=interval_start,
                interval_step=interval_step,
                interval_max=interval_max,
                emit_warning=emit_warning,
            )
        except catch:
            return
        raise AssertionError(f"{desc} was not to happen, and has")

    def retry_over_time(self, *args: Any, **kwargs: Any) -> Any:
        """As `wait_for`."""
        return self.wait_for(*args, **kwargs)

    def join(self, r: Any, propagate: bool = False, max_retries: int = 10, timeout: float = 10.0, **kwargs: Any) -> Any:
        """The values of a set of results.  Raises AssertionError where one does not come."""
        if self.no_join:
            return None
        for _ in range(max_retries):
            try:
                return r.get(propagate=propagate, timeout=timeout, **kwargs)
            except TimeoutError:
                self.remark(f"Still waiting for {len(self.missing_results(r))} results", "!")
        raise AssertionError(f"the results have not come: {self.missing_results(r)}")

    def inspect(self, timeout: float = 3.0) -> Any:
        """To ask the workers by remote control."""
        return self.app.control.inspect(timeout=timeout)

    def query_tasks(self, ids: Iterable[str], timeout: float = 0.5) -> Iterable[tuple[str, Any]]:
        """What each worker knows of these tasks."""
        tasks = self.inspect(timeout).query_task(*ids) or {}
        yield from tasks.items()

    def query_task_states(self, ids: Iterable[str], timeout: float = 0.5) -> dict[str, set[str]]:
        """The ids of the tasks that some worker has, by what it does with them."""
        found: dict[str, set[str]] = defaultdict(set)
        for _, reply in self.query_tasks(ids, timeout):
            for task_id, (state, _) in reply.items():
                found[state].add(task_id)
        return found

    def assert_accepted(self, ids: Collection[str], interval: float = 0.5, desc: str = "tasks", **policy: Any) -> Any:
        """Wait until workers run these tasks.  Raises `Sentinel`."""
        return self.assert_task_worker_state(self.is_accepted, ids, interval=interval, desc=desc, **policy)

    def assert_received(self, ids: Collection[str], interval: float = 0.5, desc: str = "tasks", **policy: Any) -> Any:
        """Wait until workers have these tasks.  Raises `Sentinel`."""
        return self.assert_task_worker_state(self.is_received, ids, interval=interval, desc=desc, **policy)

    def assert_result_tasks_in_progress_or_completed(
        self, async_results: Iterable[Any], interval: float = 0.5, desc: str = "tasks", **policy: Any
    ) -> Any:
        """Wait until all have begun or ended.  Raises `Sentinel`."""
        return self.assert_task_state_from_result(
            self.is_result_task_in_progress, async_results, interval=interval, desc=desc, **policy
        )

    def assert_task_state_from_result(
        self, fun: Any, results: Iterable[Any], interval: float = 0.5, **policy: Any
    ) -> Any:
        """Wait until ``fun(results)`` is true.  Raises `Sentinel`."""
        return self.wait_for(
            lambda: self.true_or_raise(fun, results, timeout=interval), (Sentinel,), **{"interval_start": 0.1, **policy}
        )

    @staticmethod
    def is_result_task_in_progress(results: Iterable[Any], timeout: float = 0.5) -> bool:  # noqa: ARG004  # as those that ask workers
        """Whether all have begun or ended."""
        return all(result.state in {states.STARTED, *states.READY_STATES} for result in results)

    def assert_task_worker_state(self, fun: Any, ids: Collection[str], interval: float = 0.5, **policy: Any) -> Any:
        """Wait until ``fun(ids)`` is true.  Raises `Sentinel`."""
        return self.wait_for(
            lambda: self.true_or_raise(fun, ids, timeout=interval), (Sentinel,), **{"interval_start": 0.1, **policy}
        )

    def is_received(self, ids: Collection[str], **kwargs: Any) -> bool:
        """Whether some worker has each of them."""
        return self._ids_matches_state(_HELD, ids, **kwargs)

    def is_accepted(self, ids: Collection[str], **kwargs: Any) -> bool:
        """Whether some worker runs each of them."""
        return self._ids_matches_state(("active",), ids, **kwargs)

    def _ids_matches_state(self, expected_states: Iterable[str], ids: Collection[str], timeout: float = 0.5) -> bool:
        by_state = self.query_task_states(ids, timeout=timeout)
        return set(ids) <= {task_id for state in expected_states for task_id in by_state.get(state, ())}

    def true_or_raise(self, fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What `fun` gives, if that is true.  Raises `Sentinel`."""
        found = fun(*args, **kwargs)
        if not found:
            raise Sentinel
        return found

    def wait_until_idle(self) -> None:
        """Wait until no worker has a task."""
        while any(self._held(name) for name in _HELD):
            time.sleep(_INTERVAL)

    def _held(self, name: str) -> list[Any]:
        answers = getattr(self.inspect(), name)() or {}
        return [task for tasks in answers.values() for task in tasks]


class Manager(ManagerMixin):
    """Waits for, and asks, the workers of one app."""

    def __init__(self, app: Any, **kwargs: Any) -> None:
        self.app = app
        self.no_join = bool(kwargs.get("no_join"))


__all__ = ["Manager", "ManagerMixin", "Sentinel"]
