"""What leaves together when a canvas is sent: its messages, and what the result store must know before them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from celeriac import states
from celeriac.app.current import get_current_request, get_current_task
from celeriac.app.identifiers import uuid
from celeriac.canvas.admission import ADMISSION
from celeriac.canvas.kept import keeps, stub_of, to_keep
from celeriac.contracts.chords import ChordStore, NewChord

if TYPE_CHECKING:
    from celeriac.contracts.backend import StoredResult
    from celeriac.contracts.broker import OutgoingMessage

#: The task that looks after a chord; it may run as often as it likes.
UNLOCK: Final = "celery.chord_unlock"


class Launch:
    """Gathers first, then sends as one batch: where something in a canvas is wrong, nothing of it is on its way."""

    def __init__(self, app: Any) -> None:
        self.app = app
        #: Marks the messages that are added from now on, where the same may have been sent before.
        self.admission: str | None = None
        self._messages: list[OutgoingMessage] = []
        self._own: list[Callable[[], Any]] = []
        self._chords: list[NewChord] = []
        self._stored: list[StoredResult] = []
        self._parent = get_current_request()

    def add_task(
        self, task: Any, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]
    ) -> None:
        """One message.  Raises TypeError for arguments that the task does not take, `SerializationError`."""
        if self.admission is not None and name != UNLOCK:
            options = {**options, "headers": {**(options.get("headers") or {}), ADMISSION: self.admission}}
        if task is not None and task.overrides("apply_async"):
            # The task has its own idea of being sent.
            own = {**options, "add_to_parent": False}
            self._own.append(lambda: task.apply_async(args, kwargs, **own))
            return
        chosen = dict(options)
        if task is not None:
            task.check_arguments(args, kwargs)
            chosen = {**task.exec_options(), **chosen}
            if "shadow" not in chosen and (shadow := task.shadow_name(args, kwargs, chosen)):
                chosen["shadow"] = shadow
        chosen = dict(self.app.amqp.routed(chosen, name, args, kwargs, task))
        task_id = chosen.pop("task_id", None) or uuid()
        priority = 0 if task is None else None  # as `send_task`
        self._messages.append(self.app.publisher.build(name, args, kwargs, task_id, chosen, self._parent, priority))

    def take(self, other: Launch) -> None:
        """Send with this what another one has gathered."""
        if other.admission is not None:
            self.admission = other.admission
        self._messages += other._messages
        self._own += other._own
        self._chords += other._chords
        self._stored += other._stored

    def body_of_chord(self, body: Any, header: Any) -> Any:
        """A settled chord whose header is added as well: what each header task is to carry as the body."""
        group_id = header["options"]["task_id"]
        if keeps(self.app):
            self._chords.append(NewChord(group_id, len(header.tasks), dict(body)))
            return stub_of(body)
        if isinstance(self.app.backend, ChordStore):
            self._chords.append(NewChord(group_id, len(header.tasks)))
        elif self.app.backend.replies_to_sender:
            raise NotImplementedError(
                f"the result store {self.app.backend.as_uri()} sends results to whoever asked for them, where no "
                "worker can count them, so chords do not work with it; use another result_backend, as redis://"
            )
        else:
            self.watch_chord(group_id, body, header.result(), 1)
        return body

    def watch_chord(self, group_id: str, body: Any, result: Any, countdown: float) -> None:
        """Have a task look after the chord: where the store cannot count, or whoever has counted may have died."""
        interval = self.app.conf.result_chord_retry_interval
        members = [member.as_tuple() for member in result] if result is not None else None
        kwargs = {"interval": interval, "max_retries": None, "result": members}
        known = ("queue", "priority", "exchange", "routing_key")
        options = {key: body["options"][key] for key in known if body["options"].get(key) is not None}
        self.add_task(self.app.tasks[UNLOCK], UNLOCK, (group_id, body), kwargs, {**options, "countdown": countdown})

    def rest_of_chain(self, steps: Sequence[Any]) -> list[Any]:
        """The settled steps that follow one, as its message carries them: in reverse."""
        if not keeps(self.app):
            return self._addressed(reversed(steps))
        following, kept = to_keep(steps)
        self._stored += kept
        return following

    def _addressed(self, steps: Iterable[Any]) -> list[Any]:
        """The steps, with where their results go: whoever sends them later is not who waits."""
        if not self.app.backend.replies_to_sender:
            return list(steps)
        parent = self._parent
        reply_to = parent.reply_to if parent is not None and parent.reply_to else self.app.thread_oid
        return [{**step, "options": {"reply_to": reply_to, **step["options"]}} for step in steps]

    def _unbegun(self) -> list[StoredResult]:
        """What is to be stored, less what was sent before and has begun or ended since."""
        metas = self.app.results.fetch([each.task_id for each in self._stored]) if self._stored else {}
        begun = {task_id for task_id, meta in metas.items() if meta["status"] != states.PENDING}
        return [each for each in self._stored if each.task_id not in begun]

    def send(self, options: Mapping[str, Any] | None = None) -> None:
        """Send.  Raises `OperationalError` when the broker stays out of reach, `StoreUnavailable` for the store."""
        stored = self._stored if self.admission is None else self._unbegun()
        if stored:
            self.app.results.store(stored)
        if self._chords:
            self.app.backend.start_chords(self._chords)
        if self._messages:
            self.app.publisher.send(self._messages, options)
        for send in self._own:
            send()


def launched(app: Any, settled: Any, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]) -> Any:
    """Send a settled signature; its result, which the running task (if one runs) counts among its children."""
    launch = Launch(app)
    settled.launch(launch, args, kwargs)
    launch.send(options)
    result = settled.result()
    parent, task = get_current_request(), get_current_task()
    if parent is not None and task is not None and task.trail and options.get("add_to_parent", True):
        parent.children.append(result)
    return result


__all__ = ["Launch", "launched"]
