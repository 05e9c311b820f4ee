"""Calls that are made together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from celeriac.app.current import get_current_app, get_current_request
from celeriac.app.identifiers import uuid
from celeriac.canvas.signature import Signature, maybe_signature


class group(Signature):  # noqa: N801  # the name that Celery gave it
    """Tasks that run side by side; all their messages leave in one batch."""

    @classmethod
    def from_dict(cls, d: Mapping[str, Any], app: Any = None) -> Signature:
        """The group that a map of the wire stands for."""
        made = cls([maybe_signature(task, app) for task in d["kwargs"]["tasks"]], app=app)
        made["options"] = dict(d.get("options") or {})
        return made

    def __init__(self, *tasks: Any, app: Any = None, **options: Any) -> None:
        if len(tasks) == 1 and not isinstance(tasks[0], Signature):
            given = tasks[0]
            tasks = tuple(given) if isinstance(given, Iterable) and not isinstance(given, Mapping) else (given,)
        members = [maybe_signature(task, app) for task in tasks]
        super().__init__("celery.group", (), {"tasks": members}, options, subtask_type="group", app=app)

    @property
    def tasks(self) -> list[Any]:
        """The members."""
        members: list[Any] = self["kwargs"]["tasks"]
        return members

    @property
    def app(self) -> Any:
        """The app of the first member that knows one."""
        if self._app is not None:
            return self._app
        return (
            next((task.app for task in self.tasks if task._app is not None), None) or get_current_app()
        )  # a sibling's

    def __len__(self) -> int:
        return len(self.tasks)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"group({self.tasks!r})"

    def clone(self, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None, **options: Any) -> Signature:
        """A copy, with copies of the members."""
        made = group([task.clone() for task in self.tasks], app=self._app)
        made["options"] = {**self["options"], **options}
        return made

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Send all members, with these arguments before their own."""
        return self.apply_async(args, **options)

    def apply_async(  # type: ignore[override]  # a group has results of its own
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        add_to_parent: bool = True,
        producer: Any = None,
        link: Any = None,
        link_error: Any = None,
        **options: Any,
    ) -> Any:
        """Send all members as one batch; gives a `GroupResult`."""
        app = self.app
        options = {**self["options"], **options}
        group_id = options.pop("task_id", None) or uuid()
        for key, value in (("link", link), ("link_error", link_error)):
            if value is not None:
                options[key] = value
        if app.conf.task_always_eager:
            return self.apply(args or (), kwargs, **options)
        sent = [
            self._prepared(app, task, args or (), kwargs or {}, {**options, "group_id": group_id, "group_index": index})
            for index, task in enumerate(self.tasks)
        ]
        app.publisher.send([message for _, message in sent], options)
        result = app.GroupResult(group_id, [app.AsyncResult(task_id) for task_id, _ in sent])
        parent = get_current_request()
        if parent is not None and add_to_parent:
            parent.children.append(result)
        return result

    def _prepared(
        self, app: Any, signature: Any, args: Sequence[Any], kwargs: Mapping[str, Any], options: dict[str, Any]
    ) -> tuple[str, Any]:
        """The id and the message of one member."""
        args, kwargs, options = signature._merge(args, kwargs, options)  # a sibling's
        task = signature._known_task()  # as above
        if task is not None:
            task.check_arguments(args, kwargs)
            options = {**task.exec_options(), **options}
        name = signature["task"]
        router = app.amqp.router
        if router:
            options = router.route(options, name, args, kwargs, task)
        task_id = options.pop("task_id", None) or uuid()
        return task_id, app.publisher.build(name, args, kwargs, task_id, options)

    def apply(self, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """Run all members here and now."""
        options.pop("task_id", None)
        return self.app.GroupResult(uuid(), [task.apply(args, kwargs, **options) for task in self.tasks])


Signature.TYPES["group"] = group
