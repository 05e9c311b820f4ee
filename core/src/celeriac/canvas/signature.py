"""A call that has not been made: the task's name, arguments and options, as a map that JSON can carry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any, ClassVar

from celeriac.app.current import get_current_app
from celeriac.app.identifiers import uuid


class Signature(dict[str, Any]):
    """A dict of the wire's form: task, args, kwargs, options, subtask_type, immutable."""

    #: Composite kinds, by ``subtask_type``; each registers itself.
    TYPES: ClassVar[dict[str, type[Signature]]] = {}
    _app: Any = None

    @classmethod
    def register_type(cls, name: str | None = None) -> Callable[[type[Signature]], type[Signature]]:
        """Let signatures of that ``subtask_type`` be read as the decorated class."""

        def register(kind: type[Signature]) -> type[Signature]:
            cls.TYPES[name or kind.__name__] = kind
            return kind

        return register

    @classmethod
    def from_dict(cls, d: Mapping[str, Any], app: Any = None) -> Signature:
        """The signature that a map of the wire stands for."""
        kind = cls.TYPES.get(d.get("subtask_type") or "")
        if kind is not None and kind is not cls:
            return kind.from_dict(d, app=app)
        return Signature(d, app=app)

    def __init__(
        self,
        task: Any = None,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        type: Any = None,
        subtask_type: str | None = None,
        immutable: bool = False,
        app: Any = None,
        **ex: Any,
    ) -> None:
        self.__dict__["_app"] = app
        if isinstance(task, Mapping):
            super().__init__(task)
            return
        if hasattr(task, "name"):
            self.__dict__["_type"] = task
            task = task.name
        super().__init__(
            task=task,
            args=tuple(args or ()),
            kwargs=dict(kwargs or {}),
            options={**(options or {}), **ex},
            subtask_type=subtask_type,
            immutable=immutable,
        )

    def __getattr__(self, name: str) -> Any:
        if name in {"task", "args", "kwargs", "options", "subtask_type", "immutable"}:
            return self.get(name)
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in {"task", "args", "kwargs", "options", "subtask_type", "immutable"}:
            self[name] = value
        else:
            object.__setattr__(self, name, value)

    @property
    def app(self) -> Any:
        """The app that will send it."""
        return self._app or get_current_app()

    @property
    def type(self) -> Any:
        """The task, where it is known here."""
        known = self.__dict__.get("_type")
        return known if known is not None else self.app.tasks[self["task"]]

    @property
    def name(self) -> str:
        """The task's name."""
        name: str = self["task"]
        return name

    @property
    def id(self) -> str | None:
        """The id that the task will have, once frozen."""
        found: str | None = self["options"].get("task_id")
        return found

    def __repr__(self) -> str:
        arguments = [repr(value) for value in self["args"]]
        arguments += [f"{key}={value!r}" for key, value in self["kwargs"].items()]
        return f"{self['task']}({', '.join(arguments)})"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the task here and now, with these arguments before its own."""
        all_args, all_kwargs, _ = self._merge(args, kwargs, {})
        return self.type(*all_args, **all_kwargs)

    def __reduce__(self) -> Any:
        return signature, (dict(self),)

    def __deepcopy__(self, memo: dict[int, Any]) -> Signature:
        return self.clone()

    def clone(self, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None, **options: Any) -> Signature:
        """A copy, with arguments before its own, and more keywords and options."""
        args, kwargs, options = self._merge(args, kwargs or {}, options)
        copy = dict(self)
        copy.update(args=tuple(args), kwargs=deepcopy(dict(kwargs)) if kwargs else {}, options=dict(options))
        made = Signature.from_dict(copy, app=self._app)
        known = self.__dict__.get("_type")
        if known is not None:
            made.__dict__["_type"] = known
        return made

    partial = clone

    def _merge(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any], force: bool = False
    ) -> tuple[Sequence[Any], Mapping[str, Any], dict[str, Any]]:
        merged = {**self["options"], **options}
        if self.get("immutable") and not force:
            return self["args"], self["kwargs"], merged
        own_args, own_kwargs = self["args"], self["kwargs"]
        return (
            (*args, *own_args) if args else own_args,
            {**own_kwargs, **kwargs} if kwargs else own_kwargs,
            merged,
        )

    def set(self, immutable: bool | None = None, **options: Any) -> Signature:
        """Add options; gives this very signature."""
        if immutable is not None:
            self["immutable"] = immutable
        self["options"] = {**self["options"], **options}
        return self

    def set_immutable(self, immutable: bool) -> None:
        """Take no more arguments from now on, or take them again."""
        self["immutable"] = immutable

    def link(self, callback: Any) -> Any:
        """Call `callback` with the result; gives the callback."""
        return self._append("link", callback)

    def link_error(self, errback: Any) -> Any:
        """Call `errback` if the task fails; gives the errback."""
        return self._append("link_error", errback)

    def on_error(self, errback: Any) -> Signature:
        """`link_error` that gives this signature."""
        self.link_error(errback)
        return self

    def _append(self, key: str, value: Any) -> Any:
        linked = self["options"].get(key) or []
        linked = list(linked) if isinstance(linked, (list, tuple)) else [linked]
        if value not in linked:
            linked.append(value)
        self["options"] = {**self["options"], key: linked}
        return value

    def freeze(
        self,
        _id: str | None = None,
        group_id: str | None = None,
        chord: Any = None,
        root_id: str | None = None,
        parent_id: str | None = None,
        group_index: int | None = None,
    ) -> Any:
        """Settle the task's id now; gives the result that it will have."""
        options = dict(self["options"])
        options["task_id"] = options.get("task_id") or _id or uuid()
        settled = {"root_id": root_id, "parent_id": parent_id, "group_id": group_id, "chord": chord}
        options.update((key, value) for key, value in settled.items() if value is not None)
        if group_index is not None:
            options["group_index"] = group_index
        self["options"] = options
        return self.app.AsyncResult(options["task_id"])

    def delay(self, *args: Any, **kwargs: Any) -> Any:
        """Send it, with these arguments before its own."""
        return self.apply_async(args, kwargs)

    def apply_async(
        self, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None, route_name: Any = None, **options: Any
    ) -> Any:
        """Send it; arguments and errors as `Task.apply_async`."""
        args, kwargs, options = self._merge(args or (), kwargs or {}, options)
        task = self._known_task()
        if task is not None:
            return task.apply_async(args, kwargs, **options)
        return self.app.send_task(self["task"], args, kwargs, **options)

    def apply(self, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """Run it here and now; see `Task.apply`."""
        args, kwargs, options = self._merge(args or (), kwargs or {}, options)
        return self.type.apply(args, kwargs, **options)

    def _known_task(self) -> Any:
        known = self.__dict__.get("_type")
        return known if known is not None else self.app.tasks.get(self["task"])


def signature(varies: Any, *args: Any, **kwargs: Any) -> Signature:
    """A signature of a task, a task's name, a map, or another signature (which is copied)."""
    app = kwargs.get("app")
    if isinstance(varies, Signature):
        return varies.clone()
    if isinstance(varies, Mapping):
        return Signature.from_dict(varies, app=app)
    return Signature(varies, *args, **kwargs)


def maybe_signature(d: Any, app: Any = None, clone: bool = False) -> Any:
    """A signature where `d` is the map of one, else `d`."""
    if isinstance(d, Signature):
        return d.clone() if clone else d
    return Signature.from_dict(d, app=app) if isinstance(d, Mapping) else d
