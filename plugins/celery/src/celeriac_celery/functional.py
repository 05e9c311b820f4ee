"""Small functions on functions and iterables (``celery.utils.functional``); others are Kombu's own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from kombu.utils.functional import LRUCache, dictfilter, is_list, lazy, maybe_evaluate, maybe_list, memoize

T = TypeVar("T")


class mlazy(lazy):  # noqa: N801  # Celery's name
    """A call that is made when its value is needed, once."""

    evaluated = False
    _value: Any = None

    def evaluate(self) -> Any:
        """The value."""
        if not self.evaluated:
            self._value = super().evaluate()  # type: ignore[no-untyped-call]  # Kombu has few types
            self.evaluated = True
        return self._value


def noop(*_args: Any, **_kwargs: Any) -> None:
    """Do nothing."""


def maybe(typ: Callable[[Any], T], val: Any) -> T | None:
    """`val` as a `typ`; None stays None."""
    return None if val is None else typ(val)


def first(predicate: Callable[[Any], Any], it: Iterable[T]) -> T | None:
    """The first for which `predicate` is true."""
    return next((each for each in it if predicate(each)), None)


def firstmethod(method: str, on_call: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """A function that calls `method` of each of its first argument's items, until one gives something."""

    def call(it: Iterable[Any], *args: Any, **kwargs: Any) -> Any:
        for each in it:
            found = getattr(maybe_evaluate(each), method)
            answer = found(*args, **kwargs) if on_call is None else on_call(found, *args, **kwargs)
            if answer is not None:
                return answer
        return None

    return call


def chunks(it: Iterator[T], n: int) -> Iterator[list[T]]:
    """Lists of `n` of the iterator's items; the last may be shorter."""
    for each in it:
        yield [each, *islice(it, n - 1)]


def padlist(container: Sequence[Any], size: int, default: Any = None) -> list[Any]:
    """The first `size` items, with `default` for those that are missing."""
    return [*container[:size], *[default] * (size - len(container))]


def mattrgetter(*attrs: str) -> Callable[[Any], dict[str, Any]]:
    """A function that gives a map of these attributes of an object, None for one that it does not have."""
    return lambda obj: {attr: getattr(obj, attr, None) for attr in attrs}


def uniq(it: Iterable[T]) -> Generator[T, None, None]:
    """Each item once, in order."""
    yield from dict.fromkeys(it)


class _Regen(list[Any]):
    """The items of a generator, which can be gone through again."""


def regen(it: Any) -> Any:
    """`it` itself where it can be gone through twice, else a list of it."""
    return it if isinstance(it, (list, tuple)) else _Regen(it)


def fun_accepts_kwargs(fun: Callable[..., Any]) -> bool:
    """Whether the function takes any keyword."""
    return any(each.kind is each.VAR_KEYWORD for each in inspect.signature(fun).parameters.values())


def head_from_fun(fun: Callable[..., Any], bound: bool = False) -> Callable[..., Any]:
    """A function that takes what `fun` takes (`bound`: without its first argument), and gives the arguments."""
    signature = inspect.signature(fun)
    if bound:
        signature = signature.replace(parameters=list(signature.parameters.values())[1:])

    def head(*args: Any, **kwargs: Any) -> inspect.BoundArguments:
        return signature.bind(*args, **kwargs)

    return head


__all__ = [
    "LRUCache",
    "chunks",
    "dictfilter",
    "first",
    "firstmethod",
    "fun_accepts_kwargs",
    "head_from_fun",
    "is_list",
    "lazy",
    "mattrgetter",
    "maybe",
    "maybe_evaluate",
    "maybe_list",
    "memoize",
    "mlazy",
    "noop",
    "padlist",
    "regen",
    "uniq",
]
