"""Arguments and results as pydantic models or dataclasses: ``@app.task(pydantic=True)``.

Pydantic is no dependency of ours: it is loaded for the first task that asks for it.
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, wraps
from typing import Any

from celeriac.app.names import symbol
from celeriac.exceptions import ImproperlyConfigured


class Models:
    """The models among the parameters of one function, and that of what it returns.

    Annotations are read when the first call needs them, since they may name what their module defines further down.
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        bound: bool,
        strict: bool,
        context: Mapping[str, Any],
        dump: Mapping[str, Any],
    ) -> None:
        """`name` is the task's; `bound`: the first parameter is the task; `strict`, `context`, `dump` are pydantic's.

        Raises `ImproperlyConfigured` where pydantic (from version 2) is not installed.
        """
        self.name = name
        self._function = function
        self._bound = bound
        # Not False: that would overrule models that are strict themselves.
        self._strict = True if strict else None
        self._context = dict(context)
        self._dump = {"mode": "json", **dump}
        try:
            self._model = symbol("pydantic:BaseModel")
            self._adapter = symbol("pydantic:TypeAdapter")
            self._invalid = symbol("pydantic:ValidationError")
        except ImportError as error:
            raise ImproperlyConfigured(
                f"task {name!r} asks for pydantic, and version 2 or newer is not installed: pip install 'pydantic>=2'"
            ) from error

    @cached_property
    def _signature(self) -> inspect.Signature:
        """The parameters that a caller gives, with their annotations as types."""
        try:
            found = inspect.signature(self._function, eval_str=True)
        except NameError as error:
            raise ImproperlyConfigured(f"task {self.name!r}: an annotation cannot be read: {error}") from error
        parameters = list(found.parameters.values())
        return found.replace(parameters=parameters[1:] if self._bound else parameters)

    @cached_property
    def _parameters(self) -> dict[str, Any]:
        """Name to pydantic's adapter, for the parameters with models in them."""
        return {
            name: self._adapter(parameter.annotation)
            for name, parameter in self._signature.parameters.items()
            if self._has_model(parameter.annotation)
        }

    @cached_property
    def _returned(self) -> Any:
        """The adapter of what the function says that it returns; None where no model is in it."""
        annotation = self._signature.return_annotation
        return self._adapter(annotation) if self._has_model(annotation) else None

    def _has_model(self, annotation: Any) -> bool:
        if isinstance(annotation, type) and (
            issubclass(annotation, self._model) or dataclasses.is_dataclass(annotation)
        ):
            return True
        return any(self._has_model(part) for part in typing.get_args(annotation))

    def received(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """Arguments of a message as the function takes them.  Raises pydantic's ``ValidationError``, TypeError."""
        return self._changed(args, kwargs, self._validated)

    def _validated(self, model: Any, value: Any) -> Any:
        try:
            return model.validate_python(value, strict=self._strict, context=self._context)
        except self._invalid as error:
            error.args = (str(error),)  # it has none, and they are what crosses to whoever waits for the result
            raise

    def outgoing(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """Arguments as a message carries them: models as maps that make the same model again."""
        return self._changed(args, kwargs, self._dumped)

    def _dumped(self, _: Any, value: Any) -> Any:
        if isinstance(value, self._model):
            return value.model_dump(mode="json", by_alias=True, round_trip=True)
        if _is_record(value):
            return self._adapter(type(value)).dump_python(value, mode="json", by_alias=True, round_trip=True)
        if isinstance(value, dict):
            return {key: self._dumped(_, each) for key, each in value.items()}
        return [self._dumped(_, each) for each in value] if isinstance(value, (list, tuple)) else value

    def _changed(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], change: Callable[[Any, Any], Any]
    ) -> tuple[Sequence[Any], Mapping[str, Any]]:
        if not self._parameters:
            return args, kwargs
        given = self._signature.bind_partial(*args, **kwargs)  # a signature has some of them only
        for name, model in self._parameters.items():
            if name not in given.arguments:
                continue
            value = given.arguments[name]
            kind = self._signature.parameters[name].kind
            if kind is inspect.Parameter.VAR_POSITIONAL:
                value = tuple(change(model, each) for each in value)
            elif kind is inspect.Parameter.VAR_KEYWORD:
                value = {key: change(model, each) for key, each in value.items()}
            else:
                value = change(model, value)
            given.arguments[name] = value
        return given.args, given.kwargs

    def returned(self, value: Any) -> Any:
        """What the function has returned as a result that can be stored."""
        if isinstance(value, self._model):
            return value.model_dump(**self._dump)
        if _is_record(value):
            return self._adapter(type(value)).dump_python(value, **self._dump)
        return value if self._returned is None else self._returned.dump_python(value, **self._dump)

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function` with its arguments made models, and what it returns a map."""
        first = 1 if self._bound else 0

        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def awaiting(*args: Any, **kwargs: Any) -> Any:
                taken, named = self.received(args[first:], kwargs)
                return self.returned(await function(*args[:first], *taken, **named))

            return awaiting

        @wraps(function)
        def validated(*args: Any, **kwargs: Any) -> Any:
            taken, named = self.received(args[first:], kwargs)
            return self.returned(function(*args[:first], *taken, **named))

        return validated


def _is_record(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def models_of(app: Any, name: str, function: Callable[..., Any], options: Mapping[str, Any]) -> Models | None:
    """Those of a task that asks for pydantic among its `options`."""
    if not options.get("pydantic"):
        return None
    context = {"celery_app": app, "celery_task_name": name, **(options.get("pydantic_context") or {})}
    return Models(
        name,
        function,
        bool(options.get("bind")),
        bool(options.get("pydantic_strict")),
        context,
        options.get("pydantic_dump_kwargs") or {},
    )
