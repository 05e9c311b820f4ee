"""Children that begin as new interpreters: they share nothing with their parent but what they are given.

The parent writes down what the child is to do, in plain types, into an anonymous file; `main` is what the child runs.
"""

from __future__ import annotations

import marshal
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from multiprocessing import spawn
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from celeriac.exceptions import ImproperlyConfigured
from celeriac.pools import lifeline, process
from celeriac.pools.parcel import content_of, file_with

if TYPE_CHECKING:
    from celeriac.contracts.pool import Executor, PoolContext, Recipe

#: Of what `multiprocessing` tells its own children: where modules are found, and the module that was run.
_PREPARATIONS: Final = ("name", "sys_path", "sys_argv", "dir", "orig_dir", "init_main_from_name", "init_main_from_path")
_LIBRARY: Final = str(Path(__file__).parents[2])


def recipe_of(context: PoolContext) -> Recipe:
    """The recipe of the executor.  Raises `ImproperlyConfigured` where there is none."""
    if context.recipe is None:
        raise ImproperlyConfigured(
            "the start method 'spawn' needs an executor that can be made anew in another process; use 'fork'"
        )
    return context.recipe()


def start(entry: str, recipe: Recipe, arguments: tuple[Any, ...], descriptors: Sequence[int], name: str) -> int:
    """Start an interpreter that calls ``entry(make_executor, *descriptors, *arguments)``; gives its process id.

    `name` is what log records call the process.  The first three of the descriptors, which the child inherits, are the
    socket of its jobs, that of its reports, and its lifeline.  Raises `OSError`.
    """
    prepared = spawn.get_preparation_data(name)
    if not recipe.arguments or not str(recipe.arguments[0]).startswith("__mp_main__:"):
        prepared.pop("init_main_from_name", None)
        prepared.pop("init_main_from_path", None)
    plain = {key: value for key, value in prepared.items() if key in _PREPARATIONS}
    file = file_with(marshal.dumps((plain, entry, tuple(recipe), arguments)))
    inherited = (file, *descriptors)
    code = (
        f"import sys; sys.path.append({_LIBRARY!r}); from celeriac.pools.spawning import main; "
        f"main({', '.join(map(str, inherited))})"
    )
    try:
        for descriptor in inherited:
            os.set_inheritable(descriptor, True)
        return os.posix_spawn(
            sys.executable,
            [sys.executable, "-c", code],
            os.environ,
            setsigmask=[],
            setsigdef=[signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT, signal.SIGHUP],
        )
    finally:
        os.close(file)
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)


def main(file: int, jobs: int, reports: int, life: int, *more: int) -> NoReturn:
    """What the child does."""
    code = 1
    try:
        process.reset_signals()
        process.leave_terminal()
        lifeline.arm(life)
        prepared, entry, (maker, executor_arguments), arguments = marshal.loads(content_of(file))  # noqa: S302  # our parent's
        sys.path.remove(_LIBRARY)  # it was appended for this module, and all else comes by the parent's path
        spawn.prepare(prepared)

        def make_executor() -> Executor:
            made: Executor = _named(maker)(*executor_arguments)
            return made

        sockets = (socket.socket(fileno=jobs), socket.socket(fileno=reports))
        code = _named(entry)(make_executor, *sockets, *more, *arguments)
    except BaseException:  # noqa: BLE001  # as in a fork: whatever it is, it ends here
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError, AttributeError):  # closed, or never there
                continue
        os._exit(code)


def _named(text: str) -> Callable[..., Any]:
    module, _, name = text.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found
