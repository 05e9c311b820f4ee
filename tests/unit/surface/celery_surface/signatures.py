"""Whether one function takes every call that another takes."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from inspect import Parameter
from typing import Any

#: How the reference list shows a default that is no literal.
_UNSPOKEN = re.compile(r"<(?:[^<>]|<[^<>]*>)*>")
#: A default that cannot be compared, or is none of the caller's business.
OPAQUE = object()


def parse(signature: str) -> list[Parameter]:
    """The parameters of a signature in the reference list, without the first, which is the object."""
    text = _UNSPOKEN.sub("...", signature)
    [function] = ast.parse(f"def name{text}: ...").body
    assert isinstance(function, ast.FunctionDef)
    given = function.args
    found = []
    placed = [*given.posonlyargs, *given.args]
    defaults: list[ast.expr | None] = [*[None] * (len(placed) - len(given.defaults)), *given.defaults]
    for argument, default in zip(placed, defaults, strict=True):
        kind = Parameter.POSITIONAL_ONLY if argument in given.posonlyargs else Parameter.POSITIONAL_OR_KEYWORD
        found.append(Parameter(argument.arg, kind, default=_literal(default)))
    if given.vararg:
        found.append(Parameter(given.vararg.arg, Parameter.VAR_POSITIONAL))
    found += [
        Parameter(argument.arg, Parameter.KEYWORD_ONLY, default=_literal(default))
        for argument, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
    ]
    if given.kwarg:
        found.append(Parameter(given.kwarg.arg, Parameter.VAR_KEYWORD))
    return found[1:] if found and found[0].name in {"self", "cls"} else found


def _literal(default: ast.expr | None) -> Any:
    if default is None:
        return Parameter.empty
    try:
        value = ast.literal_eval(default)
    except ValueError:
        return OPAQUE
    return OPAQUE if value is ... else value


def refusals(theirs: list[Parameter], ours: Callable[..., Any]) -> list[str]:
    """What a caller of theirs may write and ours does not take, or takes for something else; empty when all is well."""
    try:
        parameters = list(inspect.signature(ours).parameters.values())
    except ValueError:  # one of Python's own, written in C
        return []
    if parameters and parameters[0].name in {"self", "cls"}:
        parameters = parameters[1:]
    mine = {parameter.name: parameter for parameter in parameters}
    placed = [one for one in parameters if one.kind in {Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD}]
    any_place = any(one.kind is Parameter.VAR_POSITIONAL for one in parameters)
    any_name = any(one.kind is Parameter.VAR_KEYWORD for one in parameters)
    found = []
    for place, wanted in enumerate(theirs):
        if wanted.kind is Parameter.VAR_POSITIONAL:
            found += [] if any_place else [f"takes no *{wanted.name}"]
        elif wanted.kind is Parameter.VAR_KEYWORD:
            found += [] if any_name else [f"takes no **{wanted.name}"]
        else:
            found += _about(wanted, place, mine, placed, any_place, any_name)
    needed = {one.name for one in theirs if one.default is Parameter.empty}
    variable = {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD}
    found += [
        f"needs {one.name}"
        for one in parameters
        if one.default is Parameter.empty and one.kind not in variable and one.name not in needed
    ]
    return found


def _about(
    wanted: Parameter, place: int, mine: dict[str, Parameter], placed: list[Parameter], any_place: bool, any_name: bool
) -> list[str]:
    found = []
    own = mine.get(wanted.name)
    if wanted.kind is not Parameter.KEYWORD_ONLY:
        there = placed[place] if place < len(placed) else None
        if there is None and not any_place:
            found.append(f"{wanted.name} is not taken as argument {place + 1}")
        elif there is not None and there.name != wanted.name:
            found.append(f"argument {place + 1} is {there.name}, not {wanted.name}")
    if wanted.kind is not Parameter.POSITIONAL_ONLY and not any_name:
        if own is None:
            found.append(f"takes no {wanted.name}=")
        elif own.kind is Parameter.POSITIONAL_ONLY:
            found.append(f"{wanted.name} is not taken by its name")
    if own is not None and _differ(own.default, wanted.default):
        found.append(f"{wanted.name}={own.default!r}, not {wanted.default!r}")
    return found


def _differ(own: Any, wanted: Any) -> bool:
    if wanted is Parameter.empty or wanted is OPAQUE:
        return False
    return own is Parameter.empty or own != wanted
