"""What must happen before anything is imported: pools that patch the standard library do so here.

An entry point in the group ``celeriac.patches``, with the name of the pool, is a function without arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

GROUP: Final = "celeriac.patches"
#: Those that ``celeriac shell`` has an option for.
OF_SHELL: Final = ("gevent", "eventlet")


def patch_for_pool(argv: Sequence[str]) -> None:
    """Call the patch of the pool that the command line names, if it has one."""
    name = _option_in(argv) if "shell" in argv else _pool_in(argv) if "worker" in argv else None
    if name is not None:
        patch(name)


def patch(name: str) -> bool:
    """Call the patch of a pool; whether it has one.  Harmless when repeated."""
    from importlib.metadata import entry_points

    patches = [found.load() for found in entry_points(group=GROUP, name=name)]
    for each in patches:
        each()
    return bool(patches)


def _option_in(argv: Sequence[str]) -> str | None:
    """The one of `OF_SHELL` that is asked for by an option of its name."""
    return next((name for name in OF_SHELL if f"--{name}" in argv), None)


def _pool_in(argv: Sequence[str]) -> str | None:
    """The value of ``-P`` or ``--pool``, the last one where there are several."""
    named = None
    for index, word in enumerate(argv):
        if word in {"-P", "--pool"} and index + 1 < len(argv):
            named = argv[index + 1]
        elif word.startswith("--pool="):
            named = word.removeprefix("--pool=")
        elif word.startswith("-P") and not word.startswith("--"):
            named = word[2:] or named
    return named
