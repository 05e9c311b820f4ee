"""The signals of a task queue: names, arguments and moments are those of ``celery.signals``.

A receiver takes keyword arguments only, ``def on_success(sender, result, **kwargs)``, and is called in the process
and thread in which the thing happens.  An error of a receiver is logged; it never changes what it watches.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable
from typing import Any, Final

Receiver = Callable[..., Any]

logger = logging.getLogger("celeriac.signals")


class Signal:
    """Something that happens, and those who want to know."""

    def __init__(self, name: str, providing_args: frozenset[str] = frozenset(), use_caching: bool = False) -> None:
        self.name = name
        self.providing_args = providing_args
        self.use_caching = use_caching
        #: Reentrant, because a receiver may be collected, and forgotten, in the middle of a `connect`.
        self._lock = threading.RLock()
        #: Read without the lock: it is replaced, never changed.  A dead weak reference is skipped.
        self._receivers: tuple[tuple[Any, Any, Callable[[], Receiver | None]], ...] = ()

    def __repr__(self) -> str:
        return f"<Signal: {self.name} providing_args={sorted(self.providing_args)}>"

    def __bool__(self) -> bool:
        """True when somebody listens; where a message passes, nobody pays for a signal without receivers."""
        return bool(self._receivers)

    @property
    def receivers(self) -> list[Receiver]:
        """All who listen now."""
        return [receiver for _, _, ref in self._receivers if (receiver := ref()) is not None]

    def connect(
        self,
        receiver: Receiver | None = None,
        sender: Any = None,
        weak: bool = True,
        dispatch_uid: Any = None,
        retry: bool = False,
    ) -> Any:
        """Call `receiver` whenever `sender` (None: anybody) sends this; usable as a decorator.

        With `weak` the receiver is forgotten when nothing else refers to it.  A second connection with the same
        `dispatch_uid` (or the same receiver and sender) changes nothing.  `retry` is accepted and not needed.
        """
        if receiver is None:
            return lambda function: self.connect(function, sender=sender, weak=weak, dispatch_uid=dispatch_uid)
        key = (dispatch_uid if dispatch_uid is not None else _identity(receiver), _sender_key(sender))
        ref = self._reference(receiver) if weak else (lambda: receiver)
        with self._lock:
            if not any(known == key and alive() is not None for known, _, alive in self._receivers):
                wanted = sender if _is_proxy(sender) else _sender_key(sender)
                self._receivers = (*self._receivers, (key, wanted, ref))
        return receiver

    def disconnect(
        self, receiver: Receiver | None = None, sender: Any = None, weak: bool | None = None, dispatch_uid: Any = None
    ) -> bool:
        """Undo `connect`; True when there was something to undo."""
        key = (dispatch_uid if dispatch_uid is not None else _identity(receiver), _sender_key(sender))
        with self._lock:
            kept = tuple(entry for entry in self._receivers if entry[0] != key)
            found = len(kept) != len(self._receivers)
            self._receivers = kept
        return found

    def has_listeners(self, sender: Any = None) -> bool:
        """True when `sender` would be heard."""
        key = _sender_key(sender)
        return any(_concerns(wanted, key) for _, wanted, _ in self._receivers)

    def send(self, sender: Any, **named: Any) -> list[tuple[Receiver, Any]]:
        """Call all receivers; what each returned, or the error that it raised."""
        if not self._receivers:
            return []
        key = _sender_key(sender)
        answers: list[tuple[Receiver, Any]] = []
        for _, wanted, ref in self._receivers:
            if not _concerns(wanted, key):
                continue
            receiver = ref()
            if receiver is None:
                continue
            try:
                answers.append((receiver, receiver(signal=self, sender=sender, **named)))
            except Exception as error:
                logger.exception("Receiver %r of signal %s raised", receiver, self.name)
                answers.append((receiver, error))
        return answers

    send_robust = send

    def _reference(self, receiver: Receiver) -> Callable[[], Receiver | None]:
        def forget(dead: Any) -> None:
            with self._lock:
                self._receivers = tuple(entry for entry in self._receivers if entry[2] is not dead)

        if getattr(receiver, "__self__", None) is not None and hasattr(receiver, "__func__"):
            return weakref.WeakMethod(receiver, forget)
        try:
            return weakref.ref(receiver, forget)
        except TypeError:  # a builtin cannot be referred to weakly, nor does it ever go away
            return lambda: receiver


def _identity(receiver: Any) -> Any:
    owner = getattr(receiver, "__self__", None)
    if owner is not None and hasattr(receiver, "__func__"):
        return id(owner), id(receiver.__func__)
    return id(receiver)


def _sender_key(sender: Any) -> int | str | None:
    """Senders are compared by identity, strings (task and node names) by value."""
    return sender if sender is None or isinstance(sender, str) else id(sender)


def _is_proxy(sender: Any) -> bool:
    return hasattr(type(sender), "_get_current_object")


def _concerns(wanted: Any, key: int | str | None) -> bool:
    """Whether somebody who wants to hear `wanted` hears the sender of that key."""
    if wanted is None or wanted is key or (isinstance(wanted, (int, str)) and wanted == key):
        return True
    # A shared task stands for another one in each app, which is not to be made only because somebody listens to it.
    return _is_proxy(wanted) and _sender_key(wanted._get_current_object()) == key


def _signal(name: str, *arguments: str) -> Signal:
    return Signal(name, frozenset(arguments))


_LOGGING: Final = ("loglevel", "logfile", "format", "colorize")

before_task_publish = _signal(
    "before_task_publish", "body", "exchange", "routing_key", "headers", "properties", "declare", "retry_policy"
)
after_task_publish = _signal("after_task_publish", "body", "exchange", "routing_key")
task_received = _signal("task_received", "request")
task_prerun = _signal("task_prerun", "task_id", "task", "args", "kwargs")
task_postrun = _signal("task_postrun", "task_id", "task", "args", "kwargs", "retval")
task_success = _signal("task_success", "result", "runtime")
task_retry = _signal("task_retry", "request", "reason", "einfo")
task_failure = _signal("task_failure", "task_id", "exception", "args", "kwargs", "traceback", "einfo")
task_internal_error = _signal(
    "task_internal_error", "task_id", "args", "kwargs", "request", "exception", "traceback", "einfo"
)
task_revoked = _signal("task_revoked", "request", "terminated", "signum", "expired")
task_rejected = _signal("task_rejected", "message", "exc")
task_unknown = _signal("task_unknown", "message", "exc", "name", "id")
celeryd_init = _signal("celeryd_init", "instance", "conf", "options")
celeryd_after_setup = _signal("celeryd_after_setup", "instance", "conf")
import_modules = _signal("import_modules")
worker_init = _signal("worker_init")
worker_before_create_process = _signal("worker_before_create_process")
worker_process_init = _signal("worker_process_init")
worker_process_shutdown = _signal("worker_process_shutdown")
worker_ready = _signal("worker_ready")
worker_shutdown = _signal("worker_shutdown")
worker_shutting_down = _signal("worker_shutting_down")
heartbeat_sent = _signal("heartbeat_sent")
setup_logging = _signal("setup_logging", *_LOGGING)
after_setup_logger = _signal("after_setup_logger", "logger", *_LOGGING)
after_setup_task_logger = _signal("after_setup_task_logger", "logger", *_LOGGING)
beat_init = _signal("beat_init")
beat_embedded_init = _signal("beat_embedded_init")
eventlet_pool_started = _signal("eventlet_pool_started")
eventlet_pool_preshutdown = _signal("eventlet_pool_preshutdown")
eventlet_pool_postshutdown = _signal("eventlet_pool_postshutdown")
eventlet_pool_apply = _signal("eventlet_pool_apply", "target", "args", "kwargs")
user_preload_options = _signal("user_preload_options", "app", "options")
