"""A call as a map: the keys of the wire as attributes, copies with more arguments, options, callbacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Self

from celeriac.app.current import get_current_app
from celeriac.canvas.options import listed, merged
from celeriac.protocol.reprs import safe_repr


class Key:
    """A key of the wire as an attribute, on the class too, where editors and programs look for it."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, call: Any, owner: type | None = None) -> Any:
        return self if call is None else call.get(self._name)

    def __set__(self, call: Any, value: Any) -> None:
        call[self._name] = value


class Call(dict[str, Any]):
    """What all signatures are; nothing here sends or runs anything."""

    _app: Any = None

    #: The task's name.
    task = Key()
    args = Key()
    kwargs = Key()
    #: What `apply_async` is called with, beside the arguments.
    options = Key()
    #: Which composite it is; None for one task.
    subtask_type = Key()
    #: Whether it takes no more arguments.
    immutable = Key()

    if TYPE_CHECKING:
        # What a composite has beside this is told by its subtask_type, not by its class.
        def __getattr__(self, name: str) -> Any: ...

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
            self["args"] = tuple(self.get("args") or ())
            self["kwargs"] = dict(self.get("kwargs") or {})
            self["options"] = dict(self.get("options") or {})
            self.setdefault("subtask_type", None)
            self["immutable"] = bool(self.get("immutable"))
            return
        known = task if hasattr(task, "name") else type
        if known is not None:
            self.__dict__["_type"] = known
            task = known.name
        super().__init__(
            task=task,
            args=tuple(args or ()),
            kwargs=dict(kwargs or {}),
            options={**(options or {}), **ex},
            subtask_type=subtask_type,
            immutable=immutable,
        )

    # -- as a map and as an object ------------------------------------------------------------------------------------

    @property
    def app(self) -> Any:
        """The app that will send it."""
        if self._app is not None:
            return self._app
        known = self.__dict__.get("_type")
        return getattr(known, "app", None) or get_current_app()

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
        return self._option("task_id")

    @property
    def parent_id(self) -> str | None:
        """The id of the task that calls it, where that is settled."""
        return self._option("parent_id")

    @property
    def root_id(self) -> str | None:
        """The id of the first task of the work, where that is settled."""
        return self._option("root_id")

    def _option(self, key: str) -> str | None:
        found: str | None = self["options"].get(key)
        return found

    def __repr__(self) -> str:
        try:
            return self.reprcall()
        except (RecursionError, LookupError, TypeError, AttributeError):  # of one that is too deep, or damaged
            return f"{self.get('task')}(...)"

    def reprcall(self, *args: Any, **kwargs: Any) -> str:
        """The call as Python would write it, with these arguments before its own."""
        all_args, all_kwargs, _ = self._merge(args, kwargs, {})
        parts = [shown(value) for value in all_args]
        parts += [f"{key}={shown(value)}" for key, value in all_kwargs.items()]
        return f"{self['task']}({', '.join(parts)})"

    def __json__(self) -> dict[str, Any]:
        """For serializers that ask."""
        return dict(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self.clone()

    # -- copies -------------------------------------------------------------------------------------------------------

    def clone(self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **opts: Any) -> Self:
        """A copy, with arguments before its own, and more keywords and options."""
        all_args, all_kwargs, options = self._merge(args or (), kwargs or {}, opts)
        immutable = options.pop("immutable", self["immutable"])
        return self._copy(
            args=tuple(all_args), kwargs=deepcopy(dict(all_kwargs)), options=deepcopy(options), immutable=immutable
        )

    def partial(self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **opts: Any) -> Self:
        """The same as `clone`."""
        return self.clone(args, kwargs, **opts)

    def replace(self, args: Any = None, kwargs: Any = None, options: Any = None) -> Self:
        """A copy with these in place of its own."""
        copy = self.clone()
        for key, value in (("args", args), ("kwargs", kwargs), ("options", options)):
            if value is not None:
                copy[key] = value
        return copy

    def _copy(self, **changes: Any) -> Self:
        """A shallow copy of the same kind."""
        made = type(self).__new__(type(self))
        dict.__init__(made, {**self, **changes})
        made.__dict__.update(self.__dict__)
        return made

    def _merge(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any], force: bool = False
    ) -> tuple[Sequence[Any], Mapping[str, Any], dict[str, Any]]:
        all_options = merged(self["options"], options)
        if self.get("immutable") and not force:
            return self["args"], self["kwargs"], all_options
        own_args, own_kwargs = self["args"], self["kwargs"]
        return (
            (*args, *own_args) if args else own_args,
            {**own_kwargs, **kwargs} if kwargs else own_kwargs,
            all_options,
        )

    # -- options ------------------------------------------------------------------------------------------------------

    def set(self, immutable: bool | None = None, **options: Any) -> Self:
        """Add options; gives this very signature."""
        if immutable is not None:
            self.set_immutable(immutable)
        self["options"] = {**self["options"], **options}
        return self

    def set_immutable(self, immutable: bool) -> None:
        """Take no more arguments from now on, or take them again."""
        self["immutable"] = immutable

    def link(self, callback: Any) -> Any:
        """Call `callback` with the result; gives the callback."""
        return self.append_to_list_option("link", callback)

    def link_error(self, errback: Any) -> Any:
        """Call `errback` if the task fails; gives the errback."""
        return self.append_to_list_option("link_error", errback)

    def on_error(self, errback: Any) -> Self:
        """`link_error` that gives this signature."""
        self.link_error(errback)
        return self

    def append_to_list_option(self, key: str, value: Any) -> Any:
        """Add `value` to the option, unless it is there; gives the value."""
        present = listed(self["options"].get(key))
        if value not in present:
            self["options"] = {**self["options"], key: [*present, value]}
        return value

    def extend_list_option(self, key: str, value: Any) -> None:
        """Add one or several values to the option."""
        self["options"] = {**self["options"], key: [*listed(self["options"].get(key)), *listed(value)]}


def shown(value: Any) -> str:
    """The repr of an argument; signatures in it as the calls that they are."""
    if isinstance(value, Call):
        return repr(value)
    if isinstance(value, list) and any(isinstance(each, Call) for each in value):
        return f"[{', '.join(map(repr, value))}]"
    return safe_repr(value)
