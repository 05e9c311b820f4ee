"""A call that has not been made: the task's name, arguments and options, as a map that JSON can carry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from celeriac.app.identifiers import uuid
from celeriac.canvas.call import Call
from celeriac.canvas.options import listed, merged
from celeriac.canvas.stamping import stamp, stamp_links
from celeriac.exceptions import ProtocolError
from celeriac.protocol.signatures import check_signature

if TYPE_CHECKING:
    from celeriac.canvas.launch import Launch
    from celeriac.canvas.stamping import StampingVisitor


class Signature(Call):
    """A dict of the wire's form: task, args, kwargs, options, subtask_type, immutable."""

    #: Composite kinds, by ``subtask_type``; each registers itself.
    TYPES: ClassVar[dict[str, type[Signature]]] = {}
    #: Kinds that the wire tells by the task's name alone.
    KINDS_BY_TASK: ClassVar[dict[str, type[Signature]]] = {}
    #: What ``|`` does; `celeriac.canvas.algebra` knows all kinds.
    JOIN: ClassVar[Callable[[Signature, Signature], Signature]]

    @classmethod
    def register_type(cls, name: str | None = None) -> Callable[[type[Signature]], type[Signature]]:
        """Let signatures of that ``subtask_type`` be read as the decorated class."""

        def register(kind: type[Signature]) -> type[Signature]:
            cls.TYPES[name or kind.__name__] = kind
            return kind

        return register

    @classmethod
    def from_dict(cls, d: Mapping[str, Any], app: Any = None) -> Signature:
        """The signature that a map of the wire stands for.

        Raises `ProtocolError` where something in it is damaged, or it is too deep.
        """
        check_signature(d, "signature")
        try:
            read_own: Any = cls._read
            return _read_map(d, app, cls) if read_own.__func__ is _READ else read_own(d, app)
        except RecursionError:
            raise ProtocolError("signatures are in each other deeper than this thread's stack allows") from None

    @classmethod
    def _read(cls, d: Mapping[str, Any], app: Any) -> Signature:
        """The same of a map that is checked, as one of this kind."""
        return Signature(d, app=app)

    def __reduce__(self) -> Any:
        return signature, (dict(self),)

    def flatten_links(self) -> list[Signature]:
        """This one, its callbacks and theirs."""
        found: list[Signature] = [self]
        for callback in listed(self["options"].get("link")):
            found += maybe_signature(callback, self._app).flatten_links()
        return found

    def stamp(self, visitor: StampingVisitor | None = None, append_stamps: bool = False, **headers: Any) -> Self:
        """Put stamps on it, and on what follows it; see `celeriac.canvas.stamping`."""
        stamp(self, visitor, append_stamps, headers)
        return self

    def stamp_links(self, visitor: StampingVisitor, append_stamps: bool = False, **headers: Any) -> None:
        """Put stamps on its callbacks and errbacks."""
        stamp_links(self, visitor, append_stamps, headers)

    # -- settling: every id known, nothing sent yet -------------------------------------------------------------------

    def settle(self, options: Mapping[str, Any]) -> Signature:
        """A copy that is ready to be sent: with ids, and with `options` where they belong.

        Those that say what comes after the whole (task_id, group_id, group_index, chord, chain, link) go to what is
        last in it, link_error to every task that may be the one that fails, all others to what is first.
        """
        all_options = merged(self["options"], options)
        if all_options.get("task_id") is None:
            all_options["task_id"] = uuid()
        return self._copy(options=all_options)

    def result(self) -> Any:
        """The result that a settled signature will have."""
        options = self["options"]
        task = self._known_task()
        made = self.AsyncResult(options["task_id"])
        ignored = options.get("ignore_result")
        if ignored is None:
            ignored = getattr(task, "ignore_result", None)
        made.ignored = bool(ignored)
        return made

    def launch(self, launch: Launch, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Add the messages of a settled signature to those that will be sent."""
        all_args, all_kwargs, options = self._merge(args, kwargs, {})
        launch.add_task(self._known_task(), self["task"], all_args, all_kwargs, options)

    def firsts(self) -> Iterator[Signature]:
        """The tasks that would be sent first, and those that would fail with them."""
        yield self

    def leaves(self) -> Iterator[Signature]:
        """All tasks of a settled signature that have results."""
        yield self
        for following in reversed(listed(self["options"].get("chain"))):
            yield from maybe_signature(following, self._app).leaves()

    def freeze(
        self,
        _id: str | None = None,
        group_id: str | None = None,
        chord: Any = None,
        root_id: str | None = None,
        parent_id: str | None = None,
        group_index: int | None = None,
    ) -> Any:
        """Settle all ids now; gives the result that it will have."""
        settled = self.settle(
            {
                key: value
                for key, value in (
                    ("task_id", self.id or _id),
                    ("group_id", group_id),
                    ("chord", chord),
                    ("root_id", root_id),
                    ("parent_id", parent_id),
                    ("group_index", group_index),
                )
                if value is not None
            }
        )
        self.update(settled)
        return settled.result()

    _freeze = freeze

    # -- calling ------------------------------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the task here and now, with these arguments before its own."""
        all_args, all_kwargs, _ = self._merge(args, kwargs, {})
        return self.type(*all_args, **all_kwargs)

    def delay(self, *partial_args: Any, **partial_kwargs: Any) -> Any:
        """Send it, with these arguments before its own."""
        return self.apply_async(partial_args, partial_kwargs)

    def apply_async(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        route_name: Any = None,
        **options: Any,
    ) -> Any:
        """Send it; arguments and errors as `Task.apply_async`."""
        all_args, all_kwargs, options = self._merge(args or (), kwargs or {}, options)
        task = self._known_task()
        if task is not None:
            return task.apply_async(all_args, all_kwargs, **options)
        return self.app.send_task(self["task"], all_args, all_kwargs, **options)

    def apply(self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """Run it here and now; see `Task.apply`."""
        all_args, all_kwargs, options = self._merge(args or (), kwargs or {}, options)
        return self.type.apply(all_args, all_kwargs, **options)

    def AsyncResult(self, task_id: str, **kwargs: Any) -> Any:
        """The result of an earlier call, by id."""
        task = self._known_task()
        if task is not None and task._makes_results:
            return task.AsyncResult(task_id, **kwargs)
        return self.app.AsyncResult(task_id, task_name=self["task"], **kwargs)

    def __or__(self, other: object) -> Signature:  # type: ignore[override]  # what it means for signatures, not for dicts
        if not isinstance(other, Signature):
            return NotImplemented
        return Signature.JOIN(self, other)

    def __ior__(self, other: object) -> Signature:  # type: ignore[override]  # as above
        return self.__or__(other)

    def __invert__(self) -> Any:
        """Send it and wait for what it returns."""
        return self.apply_async().get()

    def election(self) -> Any:
        """Have the workers elect one among them, which runs it; gives the result.

        The workers must know of each other by gossip; each of them hears of it, whatever queues it listens to.
        """
        task_id = self.id or uuid()
        self.app.control.election(task_id, "task", self.clone().set(task_id=task_id))
        return self.AsyncResult(task_id)

    def _known_task(self) -> Any:
        known = self.__dict__.get("_type")
        return known if known is not None else self.app.tasks.get(self["task"])


def read(d: Any, app: Any) -> Signature:
    """The signature that `d` is, or stands for as a map that is checked."""
    return _adopted(d, app) if isinstance(d, Signature) else _read_map(d, app)


def _read_map(d: Mapping[str, Any], app: Any, reader: type[Signature] | None = None) -> Signature:
    kind: Any = Signature.TYPES.get(d.get("subtask_type") or "") or Signature.KINDS_BY_TASK.get(d["task"])
    if kind is None or kind is reader:
        return Signature(d, app=app)
    own = kind.from_dict.__func__ is not _FROM_DICT  # of an application
    found: Signature = kind.from_dict(d, app=app) if own else kind._read(d, app)
    return found


#: What a kind that reads maps in its own way has replaced.
_FROM_DICT: Final[Any] = Signature.__dict__["from_dict"].__func__
_READ: Final[Any] = Signature.__dict__["_read"].__func__


def _adopted(found: Signature, app: Any) -> Signature:
    if app is not None and found._app is None:
        found.__dict__["_app"] = app
    return found


def signature(varies: Any, *args: Any, **kwargs: Any) -> Signature:
    """A signature of a task, a task's name, a map, or another signature (which is copied).

    Raises as `Signature.from_dict`.
    """
    app = kwargs.get("app")
    if isinstance(varies, Signature):
        return varies.clone()
    if isinstance(varies, Mapping):
        return Signature.from_dict(varies, app=app)
    return Signature(varies, *args, **kwargs)


def maybe_signature(d: Any, app: Any = None, clone: bool = False) -> Any:
    """A signature where `d` is the map of one, else `d`.  Raises as `Signature.from_dict`."""
    if isinstance(d, Signature):
        if clone:
            d = d.clone()
        return _adopted(d, app)
    return Signature.from_dict(d, app=app) if isinstance(d, Mapping) else d


subtask = signature
maybe_subtask = maybe_signature
