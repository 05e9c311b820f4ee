"""The reference page of the hooks, from the hooks themselves."""

from __future__ import annotations

import inspect
import re
from typing import Any, Final

from celeriac.plugin import specs
from celeriac.plugin.registration import HOOKS

_PHASE: Final = re.compile(r"^# --- (.+?) -+$", re.MULTILINE)


def signature_of(hook: str) -> str:
    """A hook as it is defined: ``celeriac_broker(app: Any, scheme: str) -> type[Transport] | None``."""
    found = inspect.signature(getattr(specs, hook))
    parameters = ", ".join(f"{parameter.name}: {parameter.annotation}" for parameter in found.parameters.values())
    return f"{hook}({parameters}) -> {found.return_annotation}"


def section_of(hook: str) -> str:
    """The section of one hook in Markdown: a heading with its exact signature, and its text."""
    spec: Any = getattr(specs, hook)
    return f"### `{signature_of(hook)}`\n\n{inspect.cleandoc(spec.__doc__)}\n"


def render() -> str:
    """All sections in Markdown, under a heading for each phase, in the order of `celeriac.plugin.specs`."""
    source = inspect.getsource(specs)
    phases = [(found.start(), found.group(1)) for found in _PHASE.finditer(source)]
    blocks = [(start, f"## {phase[0].upper()}{phase[1:]}\n") for start, phase in phases]
    blocks += [(source.index(f"def {hook}("), section_of(hook)) for hook in HOOKS]
    return "\n".join(block for _, block in sorted(blocks))
