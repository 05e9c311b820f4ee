"""One task called with many arguments, in one message or in few."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from celeriac.app.current import get_current_app
from celeriac.canvas.group import group
from celeriac.canvas.signature import Signature, maybe_signature, read


class _Mapping(Signature):
    """A task of the kernel's that calls another one for each element of ``it``."""

    _task_name: str

    @classmethod
    def _read(cls, d: Mapping[str, Any], app: Any) -> Signature:
        inner = d["kwargs"]
        made = cls(_read_called(inner["task"], app), inner["it"], app=app)
        made["options"] = dict(d.get("options") or {})
        return made

    def __init__(self, task: Any, it: Iterable[Any], app: Any = None, **options: Any) -> None:
        kwargs = {"task": _called(task, app), "it": list(it)}
        super().__init__(self._task_name, (), kwargs, options, immutable=True, app=app)

    @property
    def app(self) -> Any:
        """The app of the task."""
        return self._app or self["kwargs"]["task"].app


class xmap(_Mapping):  # noqa: N801  # the name that Celery gave it
    """``[task(element) for element in it]``, as one task."""

    _task_name = "celery.map"

    def reprcall(self, *args: Any, **kwargs: Any) -> str:
        """As Python would write it."""
        return f"[{self['kwargs']['task']['task']}(x) for x in {self['kwargs']['it']!r:.100}]"


class xstarmap(_Mapping):  # noqa: N801  # as above
    """``[task(*element) for element in it]``, as one task."""

    _task_name = "celery.starmap"

    def reprcall(self, *args: Any, **kwargs: Any) -> str:
        """As Python would write it."""
        return f"[{self['kwargs']['task']['task']}(*x) for x in {self['kwargs']['it']!r:.100}]"


class chunks(Signature):  # noqa: N801  # as above
    """``[task(*element) for element in it]``, `n` elements in each message: a group of `xstarmap`."""

    @classmethod
    def _read(cls, d: Mapping[str, Any], app: Any) -> Signature:
        inner = d["kwargs"]
        made = cls(_read_called(inner["task"], app), inner["it"], inner["n"], app=app)
        made["options"] = dict(d.get("options") or {})
        return made

    def __init__(self, task: Any, it: Iterable[Any], n: int, app: Any = None, **options: Any) -> None:
        if n < 1:
            raise ValueError(f"chunks of {n} elements cannot be made: n must be at least 1")
        kwargs = {"task": _called(task, app), "it": list(it), "n": n}
        super().__init__("celery.chunks", (), kwargs, options, immutable=True, app=app)

    @property
    def app(self) -> Any:
        """The app of the task."""
        return self._app or self["kwargs"]["task"].app

    def __call__(self, **options: Any) -> Any:
        """Send the chunks."""
        return self.apply_async(**options)

    def group(self) -> group:
        """The group that is sent."""
        inner = self["kwargs"]
        parts = (xstarmap(inner["task"], part, app=self._app) for part in _parts(inner["it"], inner["n"]))
        return group(parts, app=self._app, **self["options"])

    def apply_async(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        route_name: Any = None,
        **options: Any,
    ) -> Any:
        """Send the chunks; gives a `GroupResult`."""
        return self.group().apply_async(**options)

    def apply(self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """Run all chunks here and now."""
        return self.group().apply(**options)

    def settle(self, options: Mapping[str, Any]) -> Signature:
        """See `Signature.settle`."""
        return self.group().settle(options)

    @classmethod
    def apply_chunks(cls, task: Any, it: Iterable[Any], n: int, app: Any = None) -> Any:
        """Send the chunks; what the task ``celery.chunks`` does."""
        return cls(task, it, n, app=app)()


def _called(task: Any, app: Any) -> Signature:
    """The signature of what is called: of a task, a name, or a signature as it is."""
    if isinstance(task, Mapping):
        found: Signature = maybe_signature(task, app)
        return found
    return Signature(task, app=app or getattr(task, "app", None) or get_current_app())


def _read_called(task: Any, app: Any) -> Any:
    """What is called, in a map that is checked: a signature, or a name."""
    return read(task, app) if isinstance(task, Mapping) else task


def _parts(it: Sequence[Any], n: int) -> Iterator[list[Any]]:
    source = iter(it)
    while part := list(islice(source, n)):
        yield part


Signature.KINDS_BY_TASK.update({"celery.map": xmap, "celery.starmap": xstarmap, "celery.chunks": chunks})
for _kind in (xmap, xstarmap, chunks):
    Signature.register_type()(_kind)

__all__ = ["chunks", "xmap", "xstarmap"]
