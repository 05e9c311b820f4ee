"""The checks of ``celeriac doctor``: each looks at one thing and gives what it has found."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple
from uuid import uuid4

from celeriac.cli.state import describe
from celeriac.cli.unreachable import in_a_line
from celeriac.exceptions import StoreUnavailable

if TYPE_CHECKING:
    from celeriac.app.base import Celery

#: Seconds by which a worker's clock may be off before tasks with an ETA are noticeably late or early.
_SKEW: Final = 2.0
#: Seconds that messages may wait while a worker is there.
_OLD: Final = 300.0


class Finding(NamedTuple):
    """What one check has found; `remedy` says what to do about it."""

    subject: str
    verdict: Literal["ok", "warning", "fault"]
    text: str
    remedy: str = ""


def examine(app: Celery, timeout: float, on_look: Callable[[str], object]) -> Iterator[Finding]:
    """All findings, one by one; a check that fails is a fault of what it looks at.

    Workers are waited for `timeout` seconds at most.  `on_look` is called with what is looked at next.
    """
    nodes: list[str] = []
    checks: dict[str, Callable[[], Iterator[Finding]]] = {
        "configuration": lambda: _configuration(app),
        "plugins": lambda: _plugins(app),
        "result store": lambda: _store(app),
        "health": lambda: _health(app),
        "broker": lambda: _broker(app),
        "queues": lambda: _queues(app),
        "dead letters": lambda: _dead_letters(app),
        "workers": lambda: _workers(app, timeout, nodes),
        "unsettled messages": lambda: _leftovers(app, timeout, nodes),
        "clocks": lambda: _clocks(app, timeout, nodes),
    }
    for subject, check in checks.items():
        on_look(subject)
        findings = list(_careful(subject, check))
        yield from findings
        if subject == "broker" and any(finding.verdict == "fault" for finding in findings):
            return  # what follows asks through it


def _careful(subject: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from check()
    except Exception as error:  # noqa: BLE001  # what a broken check tells is the finding
        yield Finding(subject, "fault", describe(error))


# -- this process ------------------------------------------------------------------------------------------------------


def _configuration(app: Celery) -> Iterator[Finding]:
    unknown = app.conf.unknown()
    for complaint in unknown:
        yield Finding("configuration", "warning", complaint)
    wrong = list(_wrong_settings(app))
    yield from wrong
    if not unknown and not wrong:
        yield Finding("configuration", "ok", f"app {app.main or '(no name)'}, all settings are known and of their type")


def _wrong_settings(app: Celery) -> Iterator[Finding]:
    for setting in app.plugins.schema():
        try:
            getattr(app.conf, setting.name)
        except Exception as error:  # noqa: BLE001  # as above
            yield Finding("configuration", "fault", describe(error), f"correct {setting.name}")


def _plugins(app: Celery) -> Iterator[Finding]:
    states = app.plugins.states(check_drivers=True)
    broken = [state for state in states if state.reason]
    for state in broken:
        yield Finding(
            "plugins",
            "warning",
            f"{state.distribution} {state.version}: {state.reason}",
            f"celeriac plugins show {state.distribution}",
        )
    if not broken:
        yield Finding("plugins", "ok", f"{len(states)} distributions, all can be loaded")


def _health(app: Celery) -> Iterator[Finding]:
    for name, check in app.plugins.health_checks():
        fault = check()
        yield Finding(f"health of {name}", "fault" if fault else "ok", fault or "well")


# -- what it talks to --------------------------------------------------------------------------------------------------


def _broker(app: Celery) -> Iterator[Finding]:
    begin = time.perf_counter()
    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1)
            connection.default_channel.close()
    except app.connection_errors as error:
        yield Finding("broker", "fault", f"{app.broker_uri()}: {in_a_line(error)}", "start it, or correct broker_url")
        return
    except app.broker_transport.channel_errors as error:
        remedy = "correct broker_url, or what its user is permitted to do"
        yield Finding("broker", "fault", f"{app.broker_uri()} refuses: {in_a_line(error)}", remedy)
        return
    milliseconds = (time.perf_counter() - begin) * 1000
    yield Finding("broker", "ok", f"{app.broker_uri()} is reached in {milliseconds:.0f} ms")


def _store(app: Celery) -> Iterator[Finding]:
    if not app.conf.result_backend:
        yield Finding(
            "result store",
            "warning",
            "none is configured, so that nobody learns how tasks end",
            "set result_backend, unless nobody waits for results",
        )
        return
    task_id = f"celeriac-doctor-{uuid4()}"
    uri = app.backend.as_uri()
    begin = time.perf_counter()
    try:
        app.results.store_state(task_id, "SUCCESS", "well")
        try:
            found = app.AsyncResult(task_id).result
        finally:
            app.AsyncResult(task_id).forget()
    except StoreUnavailable as error:
        yield Finding("result store", "fault", f"{uri}: {in_a_line(error)}", "start it, or correct result_backend")
        return
    milliseconds = (time.perf_counter() - begin) * 1000
    if found == "well":
        yield Finding("result store", "ok", f"{uri} stores and gives a result in {milliseconds:.0f} ms")
    else:
        yield Finding("result store", "fault", f"{uri} has lost a result at once", "check its memory limit")


def _queues(app: Celery) -> Iterator[Finding]:
    from celeriac.app.queue_figures import figures_of

    for queue, figures in figures_of(app, list(app.amqp.queues)).items():
        text = f"{figures.ready} ready"
        if figures.held is not None:
            text += f", {figures.held} held until their time"
        if figures.claimed is not None:
            text += f", {figures.claimed} claimed and not settled"
        if figures.oldest is not None and figures.oldest > _OLD:
            yield Finding(
                f"queue {queue}",
                "warning",
                f"{text}; the oldest waits for {figures.oldest:.0f} s",
                f"start more workers: celeriac worker -Q {queue}",
            )
        else:
            yield Finding(f"queue {queue}", "ok", text)


def _dead_letters(app: Celery) -> Iterator[Finding]:
    from celeriac.app.dead_letters import DeadLetters

    counts = {queue: count for queue, count in DeadLetters(app).counts().items() if count}
    for queue, count in counts.items():
        yield Finding(
            "dead letters", "warning", f"{count} of queue {queue} will not be run", f"celeriac dlq show {queue}"
        )
    if not counts:
        yield Finding("dead letters", "ok", "none")


# -- workers -----------------------------------------------------------------------------------------------------------


def _workers(app: Celery, timeout: float, nodes: list[str]) -> Iterator[Finding]:
    """Who is there; `nodes` gets their names, so that what follows waits for these and no others."""
    queues = app.control.inspect(timeout=timeout).active_queues() or {}
    nodes += queues
    if not queues:
        yield Finding("workers", "warning", "none has answered", "celeriac worker, with this -A")
        return
    yield Finding("workers", "ok", f"{len(queues)} online: {', '.join(sorted(queues))}")
    served = {queue["name"] for listed in queues.values() for queue in listed}
    for name in sorted(set(app.amqp.queues) - served):
        yield Finding("workers", "warning", f"none listens to the queue {name}", f"celeriac worker -Q {name}")


def _leftovers(app: Celery, timeout: float, nodes: list[str]) -> Iterator[Finding]:
    """Messages that are claimed although no worker says that it holds them."""
    from celeriac.app.queue_figures import figures_of

    claimed = sum(figures.claimed or 0 for figures in figures_of(app, list(app.amqp.queues)).values())
    if not claimed:
        return
    inspect = app.control.inspect(nodes, timeout=timeout)
    questions = (inspect.active, inspect.reserved, inspect.scheduled) if nodes else ()
    answers = [answer for ask in questions if (answer := ask())]
    held = sum(len(tasks) for answer in answers for tasks in answer.values())
    if claimed > held:
        yield Finding(
            "unsettled messages",
            "warning",
            f"{claimed} are claimed, and the workers that answer hold {held}",
            "they come back when their lease has run out; look for workers that hang or have died",
        )
    else:
        yield Finding("unsettled messages", "ok", f"{claimed}, all held by workers that answer")


def _clocks(app: Celery, timeout: float, nodes: list[str]) -> Iterator[Finding]:
    """How far the clocks of these workers are off, by heartbeats that they are asked for."""
    if not nodes:
        return
    offsets: dict[str, float] = {}

    def heard(event: dict[str, Any]) -> None:
        if isinstance(event.get("timestamp"), int | float):
            offset = event["timestamp"] - time.time()
            name = str(event.get("hostname"))
            offsets[name] = min(offset, offsets.get(name, offset), key=abs)

    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"worker-heartbeat": heard}, routing_key="worker.#")
        monotonic_end = time.monotonic() + timeout
        try:
            for _ in receiver.itercapture(limit=None, timeout=timeout, wakeup=True):
                if offsets.keys() >= set(nodes) or time.monotonic() >= monotonic_end:
                    break
        except TimeoutError:
            pass  # nothing more has come
    for name, offset in sorted(offsets.items()):
        if abs(offset) > _SKEW:
            ahead = "ahead of" if offset > 0 else "behind"
            yield Finding(
                "clocks", "warning", f"that of {name} is {abs(offset):.1f} s {ahead} this machine's", "run NTP on both"
            )
        else:
            yield Finding("clocks", "ok", f"that of {name} agrees within {abs(offset):.1f} s")
