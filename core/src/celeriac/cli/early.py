"""What must happen before anything is imported: pools that patch the standard library do so here.

An entry point in the group ``celeriac.patches``, with the name of the pool, is a function without arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

GROUP: Final = "celeriac.patches"


def patch_for_pool(argv: Sequence[str]) -> None:
    """Call the patch of the pool that the command line names, if it has one."""
    if "worker" not in argv or (name := _pool_in(argv)) is None:
        return
    from importlib.metadata import entry_points

    for found in entry_points(group=GROUP, name=name):
        found.load()()


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
