"""A group, and what is called with the list of its results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from celeriac.canvas.chain import failed_one, oldest, with_options
from celeriac.canvas.composite import Composite
from celeriac.canvas.ends import one_end
from celeriac.canvas.group import app_of, group
from celeriac.canvas.options import AFTER, WHEN, merged, portions
from celeriac.canvas.signature import Signature, maybe_signature, read
from celeriac.canvas.unstarted import chord_error, fail_eagerly

if TYPE_CHECKING:
    from celeriac.canvas.launch import Launch


@Signature.register_type()
class chord(Composite):  # noqa: N801  # the name that Celery gave it
    """``chord(header)(body)`` or ``chord(header, body)``: body is called once, with the list of results."""

    @classmethod
    def _read(cls, d: Mapping[str, Any], app: Any) -> Signature:
        inner = d["kwargs"]
        header, body = inner["header"], inner.get("body")
        parts = read(header, app) if isinstance(header, Mapping) else [read(each, app) for each in header]
        made = cls(parts, None if body is None else read(body, app), kwargs=inner.get("kwargs"), app=app)
        made.update(
            args=tuple(d.get("args") or ()), options=dict(d.get("options") or {}), immutable=bool(d.get("immutable"))
        )
        return made

    def __init__(
        self,
        header: Any,
        body: Any = None,
        task: str = "celery.chord",
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        app: Any = None,
        **options: Any,
    ) -> None:
        given = maybe_signature(header, app)
        if not isinstance(given, group):
            given = [maybe_signature(each, app) for each in given] if not isinstance(given, Signature) else [given]
        content = {"header": given, "body": maybe_signature(body, app), "kwargs": dict(kwargs or {})}
        super().__init__(task, args, content, options, subtask_type="chord", app=app)

    @property
    def tasks(self) -> Any:
        """The header."""
        return self["kwargs"]["header"]

    @tasks.setter
    def tasks(self, header: Any) -> None:
        self["kwargs"]["header"] = header

    @property
    def body(self) -> Any:
        """What is called with the results."""
        return self["kwargs"]["body"]

    @body.setter
    def body(self, body: Any) -> None:
        self["kwargs"]["body"] = body

    @property
    def app(self) -> Any:
        """The app of the body, or of the first in the header that knows one."""
        if self._app is not None:
            return self._app
        return app_of([self.body, self.header_group()] if self.body is not None else [self.header_group()])

    def header_group(self) -> group:
        """The header as a group."""
        header = self.tasks
        return header if isinstance(header, group) else group(header, app=self._app)

    def __len__(self) -> int:
        """How many parts complete it."""
        return sum(1 for _ in self.header_group().members())

    def __bool__(self) -> bool:
        return True

    def reprcall(self, *args: Any, **kwargs: Any) -> str:
        """The body, called with the header."""
        header = self.header_group().tasks
        if self.body is None:
            return f"<chord without body: {header!r}>"
        return f"%{self.body.reprcall(header)}"

    # -- options ------------------------------------------------------------------------------------------------------

    def link(self, callback: Any) -> Any:
        """Call `callback` with what the body returns."""
        self._needs_body()
        # Not to the body, which is the user's own, and which may be a group, whose callbacks are something else.
        return self.append_to_list_option("link", callback)

    def link_error(self, errback: Any) -> Any:
        """Call `errback` if the body fails, which it does when the header fails.

        With ``task_allow_error_cb_on_chord_header`` it is also called for each header task that fails.
        """
        self._needs_body()
        if self.app.conf.task_allow_error_cb_on_chord_header:
            for task in self.header_group().tasks:
                task.link_error(maybe_signature(errback, self._app, clone=True))
        self.body.link_error(errback)
        return errback

    def set_immutable(self, immutable: bool) -> None:
        """Have the header take no more arguments, or take them again."""
        for task in self.header_group().tasks:
            task.set_immutable(immutable)

    def _needs_body(self) -> None:
        if self.body is None:
            raise TypeError("this chord has no body yet: call it with one, chord(header)(body), or chord(header, body)")

    def followed_by(self, step: Signature) -> Signature:
        """The chord whose body goes on with `step`; what was to come after the chord comes after its present body."""
        if self.body is None:
            return self._copy(kwargs={**self["kwargs"], "body": step})
        _, _, after = portions(self["options"])
        after.pop("task_id", None)
        kept = {key: value for key, value in self["options"].items() if key not in AFTER}
        body = with_options(self.body, after) if after else self.body
        return self._copy(kwargs={**self["kwargs"], "body": body | step}, options=kept)

    # -- settling -----------------------------------------------------------------------------------------------------

    def settle(self, options: Mapping[str, Any]) -> Signature:
        """See `Signature.settle`."""
        self._needs_body()
        all_options = merged(self["options"], options)
        header = self.header_group()
        # What a client of Celery has frozen names the body once more, as if it were to follow the header's end.
        own = {key: value for key, value in header["options"].items() if key not in AFTER or key == "task_id"}
        for_header = {key: value for key, value in all_options.items() if key not in AFTER and key != "link_error"}
        if all_options.get("link_error") and self.app.conf.task_allow_error_cb_on_chord_header:
            for_header["link_error"] = all_options["link_error"]
        body = self.body.settle({key: value for key, value in all_options.items() if key not in WHEN})
        # Each member is one part.
        parts = header._copy(
            kwargs={**header["kwargs"], "tasks": [one_end(task) for task in header.members()]}, options=own
        )
        settled = parts.settle(for_header)
        inner = {**self["kwargs"], "header": settled, "body": body}
        return self._copy(kwargs=inner, options={"task_id": body["options"].get("task_id")})

    def result(self) -> Any:
        """The result of the body; that of the header is its parent."""
        result = self.body.result()
        oldest(result).parent = self.tasks.result()
        return result

    def launch(self, launch: Launch, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Add the header, each task of which carries the body."""
        all_args, all_kwargs, _ = self._merge(args, kwargs, {})
        header = self.tasks
        members = header.tasks
        if not members:
            self.body.launch(launch, ([],), {})
            return
        group_id = header["options"]["task_id"]
        body = launch.body_of_chord(self.body, header)
        for index, task in enumerate(members):
            part = task.settle({"chord": body, "group_id": group_id, "group_index": index})
            part.launch(launch, (*all_args, *header["args"]), all_kwargs)

    def firsts(self) -> Iterator[Signature]:
        """The header, and the body, which fails with it."""
        yield from self.tasks.firsts()
        yield from self.body.firsts()

    def leaves(self) -> Iterator[Signature]:
        """All tasks of header and body."""
        yield from self.header_group().leaves()
        if self.body is not None:
            yield from self.body.leaves()

    # -- calling ------------------------------------------------------------------------------------------------------

    def __call__(self, body: Any = None, **options: Any) -> Any:
        """Send it, with this body where it has none."""
        return self.apply_async((), {"body": body} if body is not None else {}, **options)

    def apply_async(  # type: ignore[override]  # the arguments that Celery's chord has
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        task_id: str | None = None,
        producer: Any = None,
        publisher: Any = None,
        connection: Any = None,
        router: Any = None,
        result_cls: Any = None,
        **options: Any,
    ) -> Any:
        """Send the header; gives the result of the body, whose id `task_id` is.

        `connection`, `router` and `result_cls` change nothing, as in Celery.
        """
        if task_id is not None:
            options["task_id"] = task_id
        if producer is not None or publisher is not None:
            options["producer"] = producer if producer is not None else publisher
        return self._with_body(kwargs)._sent(args, _without_body(kwargs), options)

    def _sent(self, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        return super().apply_async(args, kwargs, **options)

    def run(
        self,
        header: Any,
        body: Any,
        partial_args: Sequence[Any] = (),
        app: Any = None,
        interval: float | None = None,
        countdown: float = 1,
        max_retries: int | None = None,
        eager: bool = False,
        task_id: str | None = None,
        kwargs: Mapping[str, Any] | None = None,
        header_delay: float | None = None,
        **options: Any,
    ) -> Any:
        """Send a chord of this header and this body.

        What Celery takes for its polling of chords (`interval`, `countdown`, `max_retries`, `header_delay`) changes
        nothing here: stores count, and where one cannot, ``result_chord_retry_interval`` says how often to look.
        """
        if task_id is not None:
            options["task_id"] = task_id
        if eager:
            return chord(header, body, app=app or self._app).apply(partial_args, kwargs, **options)
        return chord(header, body, app=app or self._app).apply_async(partial_args, kwargs, **options)

    def apply(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        propagate: bool = True,
        body: Any = None,
        **options: Any,
    ) -> Any:
        """Run header and body here and now; gives the result of the body."""
        throw = {"throw": options.pop("throw")} if "throw" in options else {}
        given = _without_body(kwargs)
        found = self._with_body({"body": body} if body is not None else kwargs)
        settled = found.settle(options)
        all_args, all_kwargs, _ = settled._merge(args or (), given, {})
        header = settled["kwargs"]["header"].apply(all_args, all_kwargs, **throw)
        failure = failed_one(header)
        last = settled["kwargs"]["body"]
        if failure is None:
            result = last.apply(([each.get() for each in header],), **throw)
        else:
            result = fail_eagerly(self.app, last, chord_error(failure.id, failure.result))
        oldest(result).parent = header
        return result

    def _with_body(self, kwargs: Mapping[str, Any] | None) -> chord:
        given = (kwargs or {}).get("body")
        if given is None:
            return self
        body = maybe_signature(given, self._app)
        made = self._copy(kwargs={**self["kwargs"], "body": body})
        assert isinstance(made, chord)
        return made


def _without_body(kwargs: Mapping[str, Any] | None) -> dict[str, Any]:
    return {key: value for key, value in (kwargs or {}).items() if key != "body"}


_chord = chord

__all__ = ["chord"]
