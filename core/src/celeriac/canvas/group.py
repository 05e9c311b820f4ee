"""Calls that are made together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from celeriac.app.current import get_current_app
from celeriac.app.identifiers import uuid
from celeriac.canvas.composite import Composite
from celeriac.canvas.options import merged, needs_one_end, portions
from celeriac.canvas.signature import Signature, maybe_signature, read

if TYPE_CHECKING:
    from celeriac.canvas.launch import Launch

#: The task that gives a list of results as it is.
ACCUMULATE = "celery.accumulate"


@Signature.register_type()
class group(Composite):  # noqa: N801  # the name that Celery gave it
    """Tasks that run side by side; all their messages leave in one batch.

    Takes signatures, or one iterable of them, which may be a generator: it is read now.
    """

    @classmethod
    def _read(cls, d: Mapping[str, Any], app: Any) -> Signature:
        made = cls(app=app)
        made.update(
            kwargs={**d["kwargs"], "tasks": [read(task, app) for task in d["kwargs"]["tasks"]]},
            args=tuple(d.get("args") or ()),
            options=dict(d.get("options") or {}),
            immutable=bool(d.get("immutable")),
        )
        return made

    def __init__(self, *tasks: Any, app: Any = None, **options: Any) -> None:
        members = [maybe_signature(task, app) for task in members_of(tasks)]
        super().__init__("celery.group", (), {"tasks": members}, options, subtask_type="group", app=app)

    @property
    def tasks(self) -> list[Any]:
        """The members."""
        members: list[Any] = self["kwargs"]["tasks"]
        return members

    @property
    def app(self) -> Any:
        """The app of the first member that knows one."""
        return self._app or app_of(self.tasks)

    def __len__(self) -> int:
        return len(self.tasks)

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Any]:
        return dict.__iter__(self)

    def reprcall(self, *args: Any, **kwargs: Any) -> str:
        """The members, the first with these arguments before its own."""
        if not self.tasks:
            return "group(<empty>)"
        return f"group(({', '.join(repr(task) for task in self.tasks)}))"

    # -- options ------------------------------------------------------------------------------------------------------

    def link(self, sig: Any) -> Any:
        """Call `sig`, with no argument, when the first member succeeds; a chord waits for all of them."""
        if not self.tasks:
            raise ValueError("cannot link to an empty group: no member of it would ever call the callback")
        first: Signature = self.tasks[0]
        return first.link(maybe_signature(sig, self._app, clone=True).set(immutable=True))

    def link_error(self, sig: Any) -> Any:
        """Call `sig` for each member that fails."""
        return tuple(task.link_error(maybe_signature(sig, self._app, clone=True)) for task in self.tasks)

    def set_immutable(self, immutable: bool) -> None:
        """Have all members take no more arguments, or take them again."""
        for task in self.tasks:
            task.set_immutable(immutable)

    def skew(self, start: float = 1.0, stop: float | None = None, step: float = 1.0) -> group:
        """Let the members start one after the other, `start`, `start + step`, ... seconds from now.

        Those after the last step up to `stop` start with it.
        """
        countdown = float(start)
        for index, task in enumerate(self.tasks):
            latest = start + index * step
            if stop is None or latest <= stop:
                countdown = float(latest)
            task.set(countdown=countdown)
        return self

    # -- settling -----------------------------------------------------------------------------------------------------

    def members(self) -> Iterator[Signature]:
        """The members, groups among them replaced by theirs."""
        for task in self.tasks:
            if isinstance(task, group):
                for inner in task.members():
                    yield pushed_down(inner, task)
            elif task.get("task") == "celery.chunks":
                yield from task.group().members()
            else:
                yield task

    def collected(self) -> Signature:
        """A chord that ends with one task, which returns the list of all results."""
        _, _, after = portions(self["options"])
        kept = {key: value for key, value in self["options"].items() if key not in after or key == "task_id"}
        after.pop("task_id", None)
        end = Signature(ACCUMULATE, (), {"index": 0}, after, app=self._app)
        chord: Any = Signature.TYPES["chord"]
        made: Signature = chord(self._copy(options=kept), end, app=self._app)
        return made

    def settle(self, options: Mapping[str, Any]) -> Signature:
        """See `Signature.settle`."""
        all_options = merged(self["options"], options)
        if needs_one_end(all_options):
            task_id = {"task_id": all_options.pop("task_id")} if all_options.get("task_id") else {}
            found = self._copy(options=all_options)
            assert isinstance(found, group)
            return found.collected().settle(task_id)
        group_id = all_options.pop("task_id", None) or uuid()
        # What a group is in when it is a member itself is left behind: the members are in this group.
        all_options.pop("group_index", None)
        members = [
            task.settle({**all_options, "group_id": group_id, "group_index": index})
            for index, task in enumerate(self.members())
        ]
        return self._copy(kwargs={**self["kwargs"], "tasks": members}, options={"task_id": group_id})

    def result(self) -> Any:
        """The results of the members."""
        return self.app.GroupResult(self["options"]["task_id"], [task.result() for task in self.tasks])

    def launch(self, launch: Launch, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Add all members."""
        all_args, all_kwargs, _ = self._merge(args, kwargs, {})
        for task in self.tasks:
            task.launch(launch, all_args, all_kwargs)

    def firsts(self) -> Iterator[Signature]:
        """All members begin at once."""
        for task in self.tasks:
            yield from task.firsts()

    def leaves(self) -> Iterator[Signature]:
        """All members' tasks."""
        for task in self.tasks:
            yield from task.leaves()

    # -- calling ------------------------------------------------------------------------------------------------------

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Send all members, with these arguments before their own."""
        return self.apply_async(args, **options)

    def apply_async(  # type: ignore[override]  # the arguments that Celery's group has
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        add_to_parent: bool = True,
        producer: Any = None,
        link: Any = None,
        link_error: Any = None,
        **options: Any,
    ) -> Any:
        """Send all members as one batch; gives a `GroupResult`.

        Raises TypeError for callbacks and errbacks, which a group does not have: its members may, and a chord's body.
        """
        if link is not None:
            raise TypeError("a group has no callback: use a chord, which calls one with all results")
        if link_error is not None:
            raise TypeError("a group has no errback of its own: link it to the members (group.link_error does)")
        if not add_to_parent:
            options["add_to_parent"] = False
        return super().apply_async(args, kwargs, **options)

    def apply(self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """Run all members here and now."""
        throw = {"throw": options.pop("throw")} if "throw" in options else {}
        settled = self.settle(options)
        if not isinstance(settled, group):  # something follows: it became a chord
            return settled.apply(args, kwargs, **throw)
        all_args, all_kwargs, _ = settled._merge(args or (), kwargs or {}, {})
        results = [task.apply(all_args, all_kwargs, **throw) for task in settled.tasks]
        return self.app.GroupResult(settled["options"]["task_id"], results)


def members_of(given: Sequence[Any]) -> list[Any]:
    """What was given to a group or a chain: signatures, or one iterable of them."""
    if len(given) == 1 and not isinstance(given[0], Mapping):
        (only,) = given
        return list(only) if isinstance(only, Iterable) else [only]
    return list(given)


def app_of(signatures: Iterable[Any]) -> Any:
    """The app of the first signature that knows one."""
    for signature in signatures:
        if isinstance(signature, Signature):
            known = signature.__dict__.get("_app") or getattr(signature.__dict__.get("_type"), "app", None)
            if known is not None:
                return known
            if type(signature) is not Signature:  # it may be known by what it is made of
                return signature.app
    return get_current_app()


def pushed_down(member: Signature, outer: Signature) -> Signature:
    """A member of a group that dissolves, with what the group knew."""
    options = {key: value for key, value in outer["options"].items() if key not in {"task_id", "group_id"}}
    if not options and not outer["args"] and not outer["immutable"]:
        return member
    return member.clone(() if outer["immutable"] else outer["args"], None, **options)


__all__ = ["ACCUMULATE", "app_of", "group", "members_of"]
