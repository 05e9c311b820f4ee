"""Calls that are made one after the other, each with what the one before it returned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from celeriac import states
from celeriac.canvas.algebra import flattened
from celeriac.canvas.composite import Composite
from celeriac.canvas.group import app_of, group, members_of
from celeriac.canvas.launch import launched
from celeriac.canvas.options import merged, needs_one_end, portions
from celeriac.canvas.signature import Signature, maybe_signature, read
from celeriac.canvas.unstarted import failed_result

if TYPE_CHECKING:
    from celeriac.canvas.launch import Launch


@Signature.register_type()
class chain(Composite):  # noqa: N801  # the name that Celery gave it
    """Tasks that run one after the other.

    Takes signatures, or one iterable of them, which may be a generator: it is read now.  A group that something
    follows becomes a chord with that as its body.
    """

    @classmethod
    def _read(cls, d: Mapping[str, Any], app: Any) -> Signature:
        made = cls(app=app)
        made.update(
            args=tuple(d.get("args") or ()),
            kwargs={**d["kwargs"], "tasks": [read(task, app) for task in d["kwargs"]["tasks"]]},
            options=dict(d.get("options") or {}),
            immutable=bool(d.get("immutable")),
        )
        return made

    def __init__(self, *tasks: Any, app: Any = None, **options: Any) -> None:
        steps = flattened(maybe_signature(task, app) for task in members_of(tasks))
        super().__init__("celery.chain", (), {"tasks": steps}, options, subtask_type="chain", app=app)

    @property
    def tasks(self) -> list[Any]:
        """The steps."""
        steps: list[Any] = self["kwargs"]["tasks"]
        return steps

    @property
    def app(self) -> Any:
        """The app of the first step that knows one."""
        return self._app or app_of(self.tasks)

    def __len__(self) -> int:
        return len(self.tasks)

    def __bool__(self) -> bool:
        return True

    def reprcall(self, *args: Any, **kwargs: Any) -> str:
        """The steps with bars between them, the first with these arguments before its own."""
        if not self.tasks:
            return f"<{type(self).__name__}: empty>"
        first, *rest = self.tasks
        return " | ".join([first.reprcall(*args, **kwargs), *map(repr, rest)])

    def unchain_tasks(self) -> list[Signature]:
        """Copies of the steps, with the chain's callbacks and errbacks on them."""
        return [step.clone() for step in self.steps()]

    def steps(self) -> list[Signature]:
        """The steps as they stand by themselves: with the chain's own arguments, options, callbacks and errbacks."""
        steps = list(self.tasks)
        kwargs = self["kwargs"].get("kwargs")
        if not steps or not (self["options"] or self["args"] or kwargs or self["immutable"]):
            return steps
        first, every, last = portions(self["options"])
        if every:
            steps = [with_options(step, every) for step in steps]
        if self["args"] or kwargs or first or self["immutable"]:
            steps[0] = steps[0].clone(self["args"], kwargs, **first)
            if self["immutable"]:
                steps[0].set_immutable(True)
        last.pop("task_id", None)
        if last:
            steps[-1] = with_options(steps[-1], last)
        return steps

    # -- settling -----------------------------------------------------------------------------------------------------

    def settle(self, options: Mapping[str, Any]) -> Signature:
        """See `Signature.settle`."""
        all_options = merged(self["options"], options)
        outer = all_options.pop("chain", None)
        first, every, last = portions(all_options)
        steps = flattened(self.tasks)
        if not steps:
            return self._copy(kwargs={"tasks": []}, options={})
        if isinstance(steps[-1], group) and (outer or needs_one_end(last)):
            steps[-1] = steps[-1].collected()
        settled = []
        for index, step in enumerate(steps):
            its = dict(every)
            if index == 0:
                its.update(first)
            if index == len(steps) - 1:
                its = merged(its, last)
            settled.append(step.settle(its))
        settled += [_settled(maybe_signature(step, self._app)) for step in reversed(outer or ())]
        return self._copy(
            kwargs={**self["kwargs"], "tasks": settled}, options={"task_id": settled[-1]["options"]["task_id"]}
        )

    def result(self) -> Any:
        """The result of the last step; those before it are its parents."""
        found: Any = None
        for step in self.tasks:
            result = step.result()
            oldest(result).parent = found
            found = result
        return found

    def launch(self, launch: Launch, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Add the first step, which carries the rest in reverse."""
        if not self.tasks:
            return
        all_args, all_kwargs, _ = self._merge(args, kwargs, {})
        first, *rest = self.tasks
        if rest:
            first = first.settle({"chain": launch.rest_of_chain(rest)})
        first.launch(launch, all_args, all_kwargs)

    def firsts(self) -> Iterator[Signature]:
        """What the first step begins with."""
        if self.tasks:
            yield from self.tasks[0].firsts()

    def leaves(self) -> Iterator[Signature]:
        """The tasks of all steps."""
        for step in self.tasks:
            yield from step.leaves()

    # -- calling ------------------------------------------------------------------------------------------------------

    def apply_async(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        route_name: Any = None,
        **options: Any,
    ) -> Any:
        """Send the first step; gives the result of the last one, None for an empty chain."""
        return super().apply_async(args, kwargs, route_name, **options) if self.tasks else None

    def prepare_steps(
        self,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        tasks: Sequence[Any],
        root_id: str | None = None,
        parent_id: str | None = None,
        link_error: Any = None,
        app: Any = None,
        last_task_id: str | None = None,
        group_id: str | None = None,
        chord_body: Any = None,
        clone: bool = True,
        from_dict: Any = Signature.from_dict,
        group_index: int | None = None,
    ) -> tuple[list[Signature], list[Any]]:
        """The steps as they would be sent, and their results, both in reverse.

        `clone` and `from_dict` change nothing: what is given is never changed.
        """
        wanted = _stated(
            root_id=root_id,
            parent_id=parent_id,
            link_error=link_error,
            task_id=last_task_id,
            group_id=group_id,
            chord=chord_body,
            group_index=group_index,
        )
        settled = chain(*tasks, app=app or self._app).clone(args, kwargs).settle(wanted)
        results = [settled.result()]
        while results[-1] is not None and results[-1].parent is not None:
            results.append(results[-1].parent)
        return list(reversed(settled["kwargs"]["tasks"])), results

    def run(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        group_id: str | None = None,
        chord: Any = None,
        task_id: str | None = None,
        link: Any = None,
        link_error: Any = None,
        publisher: Any = None,
        producer: Any = None,
        root_id: str | None = None,
        parent_id: str | None = None,
        app: Any = None,
        group_index: int | None = None,
        **options: Any,
    ) -> Any:
        """`apply_async`, whatever ``task_always_eager`` says."""
        options |= _stated(
            group_id=group_id,
            chord=chord,
            task_id=task_id,
            link=link,
            link_error=link_error,
            producer=producer or publisher,
            root_id=root_id,
            parent_id=parent_id,
            group_index=group_index,
        )
        return launched(app or self.app, self.settle(options), args or (), kwargs or {}, options)

    def apply(self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """Run all steps here and now; gives the result of the last one."""
        throw = {"throw": options.pop("throw")} if "throw" in options else {}
        settled = self.settle(options)
        all_args, all_kwargs, _ = settled._merge(args or (), kwargs or {}, {})
        found: Any = None
        failure: Any = None
        for step in settled["kwargs"]["tasks"]:
            if failure is None:
                result = step.apply(all_args, all_kwargs, **throw)
                failure = failed_one(result)
            else:
                result = failed_result(step.result(), failure.result, failure.state)
            oldest(result).parent = found
            found = result
            if failure is None:
                all_args, all_kwargs = (result.get(),), {}
        return found


def _stated(**options: Any) -> dict[str, Any]:
    """The options that say something."""
    return {key: value for key, value in options.items() if value is not None}


def _settled(step: Signature) -> Signature:
    """A step that comes after the whole: settled already, but where somebody has written the message by hand."""
    is_settled = step["subtask_type"] is None and step["options"].get("task_id")
    return step if is_settled else step.settle({})


def with_options(step: Signature, options: Mapping[str, Any]) -> Signature:
    """A copy of `step` that has these as well."""
    copy = step.clone()
    copy["options"] = merged(copy["options"], options)
    return copy


def oldest(result: Any) -> Any:
    """The first of the results that `result` comes from."""
    while result.parent is not None:
        result = result.parent
    return result


def failed_one(result: Any) -> Any:
    """What keeps a chain from going on after an eager step: the first result in it that did not succeed."""
    members = getattr(result, "results", None)
    if members is None:
        return result if result.state != states.SUCCESS else None
    return next((found for member in members if (found := failed_one(member)) is not None), None)


__all__ = ["chain", "failed_one", "oldest", "with_options"]
