"""Every hook: documentation only, a module for each phase.

A plugin implements a hook by a function of the same name, marked ``@hookimpl``, with as many of the arguments as it
needs.  The text of each hook is, to the letter, its section in ``docs/reference/hooks.md``.

A hook without a first-party plugin that uses it does not exist.  Adding an argument to a hook is compatible.
"""

from __future__ import annotations

from typing import Any, Final

from celeriac.plugin.markers import PROJECT
from celeriac.plugin.specs import diagnosis, life, messages, resolution, worker

#: The modules, in the order of the reference page.
PHASES: Final = (life, resolution, worker, messages, diagnosis)

#: All hooks by name, in the order of the reference page.
HOOKS: Final[dict[str, Any]] = {
    name: spec for phase in PHASES for name, spec in vars(phase).items() if name.startswith(f"{PROJECT}_")
}
