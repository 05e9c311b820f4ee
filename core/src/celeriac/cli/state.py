"""What the global options of the command line say."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from celeriac.exceptions import BackendError, CeleryCommandException, CeleryError

if TYPE_CHECKING:
    from celeriac.app.base import Celery


class State:
    """Found by commands as ``context.obj``."""

    def __init__(self, app: Celery | None = None) -> None:
        self._app = app
        self._options: Mapping[str, Any] = {}
        self.debug = False
        self.quiet = False
        self.no_color = "NO_COLOR" in os.environ

    def take(self, options: Mapping[str, Any]) -> None:
        """The global options of this call."""
        self._options = options
        self.debug = bool(options["debug"])
        self.quiet = bool(options["quiet"])
        self.no_color = self.no_color or bool(options["no_color"])
        if options["workdir"]:
            os.chdir(options["workdir"])
        if options["config"]:
            os.environ["CELERY_CONFIG_MODULE"] = options["config"]
        if options["loader"]:
            os.environ["CELERY_LOADER"] = options["loader"]

    @property
    def app_path(self) -> str | None:
        """What ``-A`` named, if anything."""
        path: str | None = self._options.get("app") or os.environ.get("CELERY_APP")
        return path

    @property
    def app(self) -> Celery:
        """The app that ``-A`` names, else the default one, with the broker and store of the command line."""
        if self._app is None:
            from celeriac.app.current import get_current_app
            from celeriac.app.finding import find_app

            self._app = find_app(self.app_path) if self.app_path else get_current_app()
        self._app.set_current()
        for option, setting in (("broker", "broker_url"), ("result_backend", "result_backend")):
            if self._options.get(option):
                self._app.conf.update({setting: self._options[option]})
        return self._app

    def configure(self, command: click.Command, options: Mapping[str, Any]) -> None:
        """Give the values of options that plugins have added to the settings of the same name."""
        conf = self.app.conf
        added = getattr(command, "plugin_options", None) or ()
        conf.update({name: options[name] for name in added if options.get(name) is not None and name in conf})

    def explain(self, error: Exception) -> int:
        """Show an error in a line, with what to do; gives the exit code."""
        click.echo(f"Error: {describe(error)}", err=True)
        if not isinstance(error, CeleryError):
            click.echo("Run it again with --debug for the traceback.", err=True)
        return error.exit_code if isinstance(error, CeleryCommandException) else 1


def describe(error: Exception) -> str:
    """An error in a line; one that is not ours also by its type."""
    if isinstance(error, (CeleryError, BackendError, CeleryCommandException)):
        return str(error)
    return f"{type(error).__name__}: {error}"
