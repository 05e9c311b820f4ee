"""``celeriac shell``: a Python session with the app at hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import click

from celeriac.cli.early import patch

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.cli.state import State

_CANVAS: Final = ("chain", "chord", "chunks", "group", "signature", "subtask", "xmap", "xstarmap")


@click.command("shell")
@click.option("-I", "--ipython", "kind", flag_value="ipython", help="In IPython.")
@click.option("-B", "--bpython", "kind", flag_value="bpython", help="In bpython.")
@click.option("--python", "kind", flag_value="python", help="In Python's own.")
@click.option("-T", "--without-tasks", is_flag=True, help="Do not put the tasks in by their names.")
@click.option("--eventlet", "library", flag_value="eventlet", help="With eventlet's patches of the standard library.")
@click.option("--gevent", "library", flag_value="gevent", help="With gevent's patches of the standard library.")
@click.pass_obj
def shell(state: State, /, kind: str | None, without_tasks: bool, library: str | None) -> None:
    """Open a Python session: app, its tasks by their names, and everything to call them with.

    Without an option the first of IPython, bpython and Python that is installed.
    """
    if library and not patch(library):  # done before anything was imported, where this is the whole command line
        raise click.ClickException(f"{library} is not installed: pip install celeriac-{library}")
    names = names_for(state.app, with_tasks=not without_tasks)
    if kind is not None:
        _SHELLS[kind](names)
        return
    for shell in _SHELLS.values():
        try:
            shell(names)
        except _NotInstalledError:
            continue
        return


class _NotInstalledError(click.ClickException):
    """A shell that is not there."""


def names_for(app: Celery, with_tasks: bool = True) -> dict[str, Any]:
    """What the session knows."""
    import celeriac
    from celeriac.canvas import maps

    app.install_fixups()
    app.loader.import_task_modules(dict.fromkeys((*app.conf.imports, *app.conf.include)))
    app.finalize()
    names: dict[str, Any] = {"app": app, "celery": app, "Task": app.Task, "AsyncResult": app.AsyncResult}
    for name in _CANVAS:
        names[name] = getattr(celeriac, name, None) or getattr(maps, name)
    if with_tasks:
        for name, task in app.tasks.items():
            if not name.startswith("celery."):
                names.setdefault(name.rpartition(".")[2], task)
    return names


def _ipython(names: Mapping[str, Any]) -> None:
    _module("IPython", "ipython").start_ipython(argv=[], user_ns=dict(names))


def _bpython(names: Mapping[str, Any]) -> None:
    _module("bpython", "bpython").embed(locals_=dict(names))


def _python(names: Mapping[str, Any]) -> None:
    import code
    import sys

    known = dict(names)
    if sys.stdin.isatty():
        import readline
        import rlcompleter

        readline.set_completer(rlcompleter.Completer(known).complete)
        readline.parse_and_bind("tab: complete")
    code.interact(local=known, banner=f"{names['app']!r}: {', '.join(sorted(names))}", exitmsg="")


def _module(name: str, distribution: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise _NotInstalledError(f"{name} is not installed: pip install {distribution}") from None


#: By name, in the order in which they are tried.
_SHELLS: Final[dict[str, Callable[[Mapping[str, Any]], None]]] = {
    "ipython": _ipython,
    "bpython": _bpython,
    "python": _python,
}
