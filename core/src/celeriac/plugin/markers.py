"""The two marks of the hook system: `hookspec` on what may be asked, `hookimpl` on an answer."""

from __future__ import annotations

from typing import Final

import pluggy

#: The name under which pluggy knows this project.
PROJECT: Final = "celeriac"

#: Marks a function of `celeriac.plugin.specs` as a hook.
hookspec: Final = pluggy.HookspecMarker(PROJECT)

#: Marks a function or method of a plugin as the implementation of the hook whose name it bears.
hookimpl: Final = pluggy.HookimplMarker(PROJECT)
