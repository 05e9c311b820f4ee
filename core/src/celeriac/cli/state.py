"""What the global options of the command line say."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from celeriac.cli.global_options import global_options
from celeriac.exceptions import BackendError, CeleryError

if TYPE_CHECKING:
    from celeriac.app.base import Celery

#: What a global option sets on the app.
_SETTINGS = {
    "broker": ("broker_url", "broker_read_url", "broker_write_url"),
    "result_backend": ("result_backend",),
}


class State:
    """Found by commands as ``context.obj``."""

    def __init__(self, app: Celery | None = None) -> None:
        self._app = app
        self._options: dict[str, Any] = {}
        self._is_app_ready = False
        self.no_color = "NO_COLOR" in os.environ

    def take(self, options: Mapping[str, Any]) -> None:
        """Global options of this call; also several times, then the last one counts."""
        for name, value in options.items():
            if value and self._options.get(name) != value:
                self._options[name] = value
                self._act_on(name, value)

    def _act_on(self, name: str, value: Any) -> None:
        if name == "no_color":
            self.no_color = True
        elif name == "workdir":
            try:
                os.chdir(value)
            except OSError as error:
                raise click.BadParameter(f"cannot work in {value}: {error.strerror}", param_hint="--workdir") from None
        elif name == "config":
            os.environ["CELERY_CONFIG_MODULE"] = value
        elif name == "skip_checks":
            os.environ["CELERY_SKIP_CHECKS"] = "true"
        elif name == "loader":
            os.environ["CELERY_LOADER"] = value
        elif name in _SETTINGS and self._is_app_ready:
            self._configure(self.app)

    @property
    def debug(self) -> bool:
        """Whether errors are shown with their traceback."""
        return bool(self._options.get("debug") or os.environ.get("CELERIAC_DEBUG"))

    @property
    def quiet(self) -> bool:
        """Whether to say less."""
        return bool(self._options.get("quiet"))

    def words(self) -> list[str]:
        """The global options as words, for a command line that is to be the same; the directory is not among them."""
        found = []
        for option in global_options():
            value = self._options.get(option.name or "")
            if value and option.name != "workdir":
                found += [option.opts[-1]] if option.is_flag else [option.opts[-1], str(value)]
        return found

    # -- the app ------------------------------------------------------------------------------------------------------

    @property
    def app_path(self) -> str | None:
        """What ``-A`` named, if anything."""
        path: str | None = self._options.get("app") or os.environ.get("CELERY_APP")
        return path

    @property
    def has_app(self) -> bool:
        """Whether somebody has said which app it is."""
        return self._app is not None or self.app_path is not None

    @property
    def app(self) -> Celery:
        """The app that ``-A`` names, else the default one, with the broker and store of the command line.

        Raises `ImproperlyConfigured` where there is none of that name, or it cannot be imported.
        """
        if self._app is None:
            from celeriac.app.current import get_current_app
            from celeriac.app.finding import find_app

            self._app = find_app(self.app_path) if self.app_path else get_current_app()
        if not self._is_app_ready:
            self._is_app_ready = True
            self._app.set_current()
            self._configure(self._app)
        return self._app

    def _configure(self, app: Celery) -> None:
        for option, settings in _SETTINGS.items():
            value = self._options.get(option)
            if value:
                app.conf.update(dict.fromkeys(settings, value))

    def configure(self, command: click.Command, options: Mapping[str, Any]) -> None:
        """Give the values of options that plugins have added to the settings of the same name."""
        conf = self.app.conf
        added = getattr(command, "plugin_options", None) or ()
        conf.update({name: options[name] for name in added if options.get(name) is not None and name in conf})

    # -- printing, as commands that were written for Celery do it -----------------------------------------------------

    def echo(self, message: Any = None, **options: Any) -> None:
        """Print."""
        self.secho(message, **options)

    def secho(self, message: Any = None, **options: Any) -> None:
        """Print in colours, where those are wanted."""
        click.secho(message, **{**options, "color": False if self.no_color else None})

    def style(self, message: Any = None, **options: Any) -> Any:
        """`message` in colours, where those are wanted."""
        return message if self.no_color else click.style(message, **options)

    def error(self, message: Any = None, **options: Any) -> None:
        """Print to stderr, in red."""
        self.secho(message, err=True, **{"fg": "red", **options})

    # -- errors -------------------------------------------------------------------------------------------------------

    def explain(self, error: Exception) -> int:
        """Show an error in a line, with what to do; gives the exit code.  Those of click show themselves."""
        from celeriac.cli.unreachable import explained  # not before something has gone wrong

        found = explained(error, self._app)
        click.echo(f"Error: {found[0] if found else describe(error)}", err=True)
        if found:
            click.echo(found[1], err=True)
        elif not is_told_for_people(error):
            click.echo("Run it again with --debug for the traceback.", err=True)
        return 1


def describe(error: Exception) -> str:
    """An error in a line; one that is not ours also by its type."""
    if is_told_for_people(error):
        return str(error)
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def is_told_for_people(error: Exception) -> bool:
    """Whether the message of the error says all that there is to know."""
    kombu = sys.modules.get("kombu.exceptions")  # where it is not loaded, it has raised nothing
    ours = (CeleryError, BackendError, *([kombu.OperationalError] if kombu else []))
    return isinstance(error, ours) and bool(str(error))
