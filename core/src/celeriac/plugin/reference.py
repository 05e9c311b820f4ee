"""The reference page of the hooks, from the hooks themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from celeriac.plugin.specs import HOOKS, PHASES


def signature_of(hook: str) -> str:
    """A hook as it is defined: ``celeriac_broker(app: Any, scheme: str) -> type[Transport] | None``."""
    found = inspect.signature(HOOKS[hook])
    parameters = ", ".join(f"{parameter.name}: {parameter.annotation}" for parameter in found.parameters.values())
    return f"{hook}({parameters}) -> {found.return_annotation}"


def section_of(hook: str) -> str:
    """The section of one hook in Markdown: a heading with its exact signature, and its text."""
    return f"### `{signature_of(hook)}`\n\n{text_of(hook)}\n"


def text_of(hook: str) -> str:
    """What there is to say of a hook, in Markdown."""
    return inspect.getdoc(HOOKS[hook]) or ""


def render() -> str:
    """All sections in Markdown, under a heading for each phase."""
    return "\n".join(_blocks())


def _blocks() -> Iterator[str]:
    for phase in PHASES:
        yield f"## {(phase.__doc__ or '').removesuffix('.')}\n"
        for hook in HOOKS:
            if hasattr(phase, hook):
                yield section_of(hook)
