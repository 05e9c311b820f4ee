"""The worker and its command line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from celeriac.plugin.markers import hookspec

if TYPE_CHECKING:
    import click

    from celeriac.contracts import CommandGuard, ControlCommand, Service


@hookspec
def celeriac_worker_steps(app: Any) -> Iterable[type[Any]]:
    """Adds bootsteps to the worker's blueprint: what starts and stops with the worker.

    - Called: once per worker, in its main process and thread, when the blueprint is built, before anything starts.
    - For: plugins that run something beside the tasks: a server, a cleaner.
    - Parameters: `app` is the app, finalized.
    - Returns: classes of `celeriac.bootsteps`; `requires` orders them among the kernel's own.
    - Default: no steps.
    - Results: all are added.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_worker_steps(app):
        return [MetricsServer] if app.conf.prometheus_address else []
    ```
    """
    raise NotImplementedError  # pragma: no cover


@hookspec
def celeriac_consumer_steps(app: Any) -> Iterable[type[Any]]:
    """Adds bootsteps to the consumer's blueprint: what starts and stops with the connection to the broker.

    - Called: once per worker, in its main process and thread; the steps start anew after each reconnection.
    - For: plugins that need the open connection or its queues.
    - Parameters: `app` is the app, finalized.
    - Returns: classes of `celeriac.bootsteps`.
    - Default: no steps.
    - Results: all are added.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_consumer_steps(app):
        return [QueueDepth]
    ```
    """
    raise NotImplementedError  # pragma: no cover


@hookspec
def celeriac_worker_services(app: Any) -> Iterable[Service]:
    """Adds services: what runs in a thread of the worker's main process, and again after a pause when it has failed.

    - Called: once per worker, in its main process and thread, when the consumer's blueprint is built.
    - For: plugins whose server, watcher or sender waits for something, which a step in the worker's loop must not.
    - Parameters: `app` is the app, finalized.
    - Returns: objects of `celeriac.contracts.Service`. They are started once the broker is reached and before tasks are
      consumed, and stopped after that has ended, all together within five seconds.
    - Default: no services.
    - Results: all are started.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_worker_services(app):
        return [MetricsService(app.conf.prometheus_address)] if app.conf.prometheus_address else []
    ```
    """
    raise NotImplementedError  # pragma: no cover


@hookspec
def celeriac_control_commands(app: Any) -> Iterable[ControlCommand]:
    """Adds commands of remote control: what `celeriac control` and `celeriac inspect` can send to a worker.

    - Called: once per worker, in its main process and thread, when it starts; and by the command line, to list and
      send them. Never per command.
    - For: plugins with something to ask of a running worker, or to change in it.
    - Parameters: `app` is the app, finalized in a worker.
    - Returns: the commands. A handler is called as `handler(state, **arguments)` in the thread of the worker's loop
      and must not block; what it raises becomes the answer `{"error": ...}`. A name that there is already is an error
      naming the plugin.
    - Default: no commands.
    - Results: all are added.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_control_commands(app):
        return [ControlCommand("metrics", lambda state: {"ok": exposition()}, "inspect", help="What is measured.")]
    ```
    """
    raise NotImplementedError  # pragma: no cover


@hookspec
def celeriac_command_guards(app: Any) -> Iterable[CommandGuard]:
    """Guards remote control: marks commands that are sent, refuses commands that arrive.

    - Called: once per process that sends or obeys commands, when it does so first, in any thread. Never per command.
    - For: plugins that let workers tell who has sent a command, and when.
    - Parameters: `app` is the app.
    - Returns: guards, each with a name, a `mark(body)` that adds to the body of a command before it is encoded, and a
      `check(body, content_type, data)` that returns why a command, read from `data`, is refused, or None. What a guard
      refuses is logged and dropped. Answers are not guarded.
    - Default: what can be read is obeyed.
    - Results: all are asked, and one refusal is enough.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_command_guards(app):
        def sign(body):
            body["by"] = app.conf.my_name

        return [CommandGuard("names", sign, lambda body, *_: None if body.get("by") else "nobody says who sent it")]
    ```
    """
    raise NotImplementedError  # pragma: no cover


@hookspec
def celeriac_cli_options(command: str) -> Iterable[click.Parameter]:
    """Adds options to a command of the command line.

    - Called: when the command is about to parse its arguments or show its help, before the app is configured.
    - For: plugins that can be set from the command line. Two plugins that add one option are an error naming both.
    - Parameters: `command` is the command's name: `worker`, `inspect`...
    - Returns: click parameters. The value goes to the setting of the parameter's name where one exists, and is
      passed to the worker's steps as a keyword argument.
    - Default: no options.
    - Results: all are added.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_cli_options(command):
        if command == "worker":
            yield click.Option(["--prometheus-address"], help="Serve metrics there.")
    ```
    """
    raise NotImplementedError  # pragma: no cover
