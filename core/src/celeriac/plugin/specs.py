"""Every hook: documentation only.

A plugin implements a hook by a function of the same name, marked ``@hookimpl``, with as many of the arguments as it
needs.  The text of each hook is, to the letter, its section in ``docs/reference/hooks.md``.

A hook without a first-party plugin that uses it does not exist.  Adding an argument to a hook is compatible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from celeriac.plugin.markers import hookspec

if TYPE_CHECKING:
    import click
    from kombu.transport.base import Transport

    from celeriac.contracts import Backend, Fixup, Loader, Middleware, Outcome, Pool, Serializer
    from celeriac.plugin.options import TaskOption
    from celeriac.plugin.settings import Setting

# --- the life of an app -----------------------------------------------------------------------------------------------


@hookspec(historic=True)
def celeriac_app_created(app: Any) -> None:
    """Tells that an app exists and its plugins are loaded; its configuration is not read yet.

    - Called: once per app, in the process and thread that first needs a plugin of it. A plugin registered later is
      told at once.
    - For: plugins that prepare the app before its configuration is read, or that note that it exists.
    - Parameters: `app` is the app. Reading `app.conf` here would read the configuration too early: don't.
    - Returns: nothing.
    - Default: nothing happens.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_app_created(app):
        app.config_from_object("django.conf:settings", namespace="CELERY")
    ```
    """


@hookspec
def celeriac_settings() -> Iterable[Setting]:
    """Adds settings: each becomes `app.conf.<name>`, is converted and validated, and is known to the reference page.

    - Called: once per app, when a setting is first read that is not the kernel's, in any thread.
    - For: every plugin with something to configure. Two plugins that define one name are an error naming both.
    - Parameters: none.
    - Returns: the settings, each with name, type, default and one sentence of documentation. Start the names with
      the plugin's own.
    - Default: no settings.
    - Results: all are joined.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_settings():
        yield Setting("prometheus_address", str, "", "Where the worker serves its metrics; empty: nowhere.")
    ```
    """
    raise NotImplementedError  # pragma: no cover


@hookspec(historic=True)
def celeriac_configured(app: Any) -> None:
    """Tells that the configuration of an app is complete; the last chance to set what nobody has set.

    - Called: once per app, after its configuration was read and before anything uses it, in the thread that needs it
      first. A plugin registered later is told at once.
    - For: plugins with defaults that depend on other settings.
    - Parameters: `app` is the app; `app.conf` may be read and written.
    - Returns: nothing. Raise `ImproperlyConfigured` for a combination of settings that cannot work.
    - Default: nothing happens.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_configured(app):
        if not app.conf.broker_url:
            app.conf.broker_url = "sqlite://"
    ```
    """


@hookspec(historic=True)
def celeriac_finalized(app: Any) -> None:
    """Tells that the tasks of an app are known: decorators have been evaluated, built-in tasks are there.

    - Called: once per app, at its finalization, in the thread that causes it. A worker has imported its task modules
      by then. A plugin registered later is told at once.
    - For: plugins that look at `app.tasks`.
    - Parameters: `app` is the app.
    - Returns: nothing.
    - Default: nothing happens.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_finalized(app):
        for name in app.tasks:
            counter.labels(task=name)
    ```
    """


# --- resolution: which class answers to a name ------------------------------------------------------------------------


@hookspec(firstresult=True)
def celeriac_broker(app: Any, scheme: str) -> type[Transport] | None:
    """Chooses the broker's transport class for the scheme of a URL, in code.

    - Called: when a name is first resolved for an app, in any thread; the answer is kept.
    - For: plugins that decide at run time. To serve a fixed scheme, an entry point in `celeriac.brokers` is enough
      and needs no import.
    - Parameters: `app` is the app, `scheme` what stands before `://`.
    - Returns: a `kombu` Transport class, or None to leave the answer to others.
    - Default: the kernel, asked last, answers with the entry point of that name.
    - Results: the first that is not None.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_broker(app, scheme):
        if scheme == "sqlite" and app.conf.sqlite_queue_in_memory:
            return MemoryTransport
    ```
    """


@hookspec(firstresult=True)
def celeriac_backend(app: Any, scheme: str) -> type[Backend] | None:
    """Chooses the class of the result store for the scheme of a URL, in code.

    - Called: when a name is first resolved for an app, in any thread; the answer is kept.
    - For: plugins that decide at run time. To serve a fixed scheme, an entry point in `celeriac.backends` is enough.
    - Parameters: `app` is the app, `scheme` what stands before `://`, or the whole word where there is no URL.
    - Returns: a `celeriac.contracts.Backend` class, or None to leave the answer to others.
    - Default: the kernel, asked last, answers with the entry point of that name.
    - Results: the first that is not None.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_backend(app, scheme):
        return DatabaseBackend if scheme.startswith("db+") else None
    ```
    """


@hookspec(firstresult=True)
def celeriac_serializer(app: Any, name: str) -> type[Serializer] | None:
    """Chooses the class of a serializer, in code.

    - Called: when a name is first resolved for an app, in any thread; the answer is kept.
    - For: plugins that decide at run time. For a fixed name, an entry point in `celeriac.serializers` is enough.
    - Parameters: `app` is the app, `name` the one of `task_serializer`, `result_serializer` or `accept_content`.
    - Returns: a `celeriac.contracts.Serializer` class, or None to leave the answer to others.
    - Default: the kernel, asked last, answers with the entry point of that name; it brings `json`.
    - Results: the first that is not None.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_serializer(app, name):
        return FastJson if name == "json" and app.conf.fastjson_enabled else None
    ```
    """


@hookspec(firstresult=True)
def celeriac_pool(app: Any, name: str) -> type[Pool] | None:
    """Chooses the class of the worker's pool, in code.

    - Called: in the main process of the worker, when it starts.
    - For: plugins that decide at run time. For a fixed name, an entry point in `celeriac.pools` is enough.
    - Parameters: `app` is the app, `name` the one of `--pool` or `worker_pool`.
    - Returns: a `celeriac.contracts.Pool` class, or None to leave the answer to others.
    - Default: the kernel, asked last, answers with the entry point of that name; it brings `solo`.
    - Results: the first that is not None.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_pool(app, name):
        return ThreadPool if name == "auto" and app.conf.worker_concurrency > 1 else None
    ```
    """


@hookspec(firstresult=True)
def celeriac_loader(app: Any, name: str) -> type[Loader] | None:
    """Chooses the class of the loader, in code.

    - Called: when the app first needs its loader, before its configuration is read, in any thread.
    - For: plugins that decide at run time. For a fixed name, an entry point in `celeriac.loaders` is enough.
    - Parameters: `app` is the app, `name` the one that was given to it or stands in `CELERY_LOADER`.
    - Returns: a `celeriac.contracts.Loader` class, or None to leave the answer to others.
    - Default: the kernel, asked last, answers with the entry point of that name; it brings `app` and `default`.
    - Results: the first that is not None.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_loader(app, name):
        return DjangoLoader if name == "default" and "DJANGO_SETTINGS_MODULE" in os.environ else None
    ```
    """


# --- frameworks -------------------------------------------------------------------------------------------------------


@hookspec
def celeriac_fixups(app: Any) -> Iterable[Fixup]:
    """Integrates a framework into an app.

    - Called: once per app, after `celeriac_app_created`, in the same process and thread.
    - For: plugins for frameworks. Return nothing where the framework is not in use: importing it to find out is too
      much, looking at its environment variable or `sys.modules` is right.
    - Parameters: `app` is the app.
    - Returns: the fixups; the kernel calls `install()` on each.
    - Default: no fixups.
    - Results: all are used, in the order of the plugins.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_fixups(app):
        if "DJANGO_SETTINGS_MODULE" in os.environ:
            from celeriac_django.fixup import DjangoFixup

            return [DjangoFixup(app)]
        return []
    ```
    """
    raise NotImplementedError  # pragma: no cover


# --- the worker -------------------------------------------------------------------------------------------------------


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


# --- tasks and messages -----------------------------------------------------------------------------------------------


@hookspec
def celeriac_task_options() -> Iterable[TaskOption]:
    """Adds keyword arguments to `@app.task` and `apply_async`.

    - Called: once per app, when the first task is bound to it, in any thread.
    - For: plugins whose middleware behaves differently from task to task. An option that nobody owns is refused with
      the nearest spelling; one that two plugins own is an error naming both.
    - Parameters: none.
    - Returns: the options, each with name, type, default and one sentence of documentation. A value given to the task
      becomes its attribute; one given to `apply_async` reaches publish middleware as `message.properties[name]`, which
      takes it out.
    - Default: no options.
    - Results: all are joined.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_task_options():
        yield TaskOption("deadline", "seconds", None, "Drop the task when it was not started by then.")
    ```
    """
    raise NotImplementedError  # pragma: no cover


@hookspec
def celeriac_publish_middleware(app: Any) -> Iterable[Middleware]:
    """Wraps the way of a message from `apply_async` to the broker's lane.

    - Called: once per app and process, when its first message is published, in any thread. Never per message: the
      layers are bound into one callable, and there is none where no plugin has a layer.
    - For: plugins that add to, change or stop outgoing messages.
    - Parameters: `app` is the app.
    - Returns: layers. Each is called as `call(message, call_next)` with an `OutgoingMessage`, in the thread that
      publishes; lower priorities are further out.
    - Default: no layers.
    - Results: all are sorted by priority.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_publish_middleware(app):
        def add_deadline(message, call_next):
            message.headers["deadline"] = time.time() + 60
            return call_next(message)

        return [Middleware(50, add_deadline, "deadline")]
    ```
    """
    raise NotImplementedError  # pragma: no cover


@hookspec
def celeriac_consume_middleware(app: Any) -> Iterable[Middleware]:
    """Wraps the way of a message from the broker's lane to the pool.

    - Called: once per worker, in its main process, when it starts. Never per message.
    - For: plugins that decide by the headers alone whether a message goes on. The body is not decoded here.
    - Parameters: `app` is the app.
    - Returns: layers. Each is called as `call(delivery, call_next)` with a `Delivery`, in the thread of the worker's
      loop, and must not block. It returns what `call_next` returns, or the `OutcomeKind` as which the delivery ends
      there.
    - Default: no layers.
    - Results: all are sorted by priority.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_consume_middleware(app):
        def drop_if_late(delivery, call_next):
            if delivery.headers.get("deadline", math.inf) < time.time():
                return OutcomeKind.EXPIRED
            return call_next(delivery)

        return [Middleware(50, drop_if_late, "deadline")]
    ```
    """
    raise NotImplementedError  # pragma: no cover


@hookspec
def celeriac_execute_middleware(app: Any) -> Iterable[Middleware]:
    """Wraps the running of a task where it runs.

    - Called: once per process that runs tasks (with threads: once per worker), when it starts. Never per task.
    - For: plugins that set something up around a task's code, or keep it from running.
    - Parameters: `app` is the app.
    - Returns: layers. Each is called as `call(request, call_next)` with the task's request, in the process and
      thread that runs the task; `call_next` returns what the task returned and raises what it raised.
    - Default: no layers.
    - Results: all are sorted by priority.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_execute_middleware(app):
        def bind_tenant(request, call_next):
            with tenant(request.headers.get("tenant")):
                return call_next(request)

        return [Middleware(50, bind_tenant, "tenant")]
    ```
    """
    raise NotImplementedError  # pragma: no cover


@hookspec
def celeriac_outcome_listeners(app: Any) -> Iterable[Callable[[Outcome], None]]:
    """Listens to how deliveries end.

    - Called: once per worker, in its main process, when it starts.
    - For: plugins that count, log or report. Every delivery ends in exactly one outcome.
    - Parameters: `app` is the app.
    - Returns: callables. Each is called with an `Outcome`, exactly once per delivery, in the thread of the worker's
      loop; it must not block. What it raises is logged and changes nothing.
    - Default: nobody listens.
    - Results: all are called, in the order of the plugins.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_outcome_listeners(app):
        return [lambda outcome: counter.labels(outcome.task, outcome.kind).inc()]
    ```
    """
    raise NotImplementedError  # pragma: no cover


# --- diagnosis --------------------------------------------------------------------------------------------------------


@hookspec
def celeriac_report(app: Any) -> Mapping[str, str]:
    """Adds lines to `celeriac report`: facts that help whoever reads a bug report.

    - Called: by `celeriac report`, in its process.
    - For: every plugin that knows versions, files or capabilities. Never return secrets. What it raises becomes a
      line of the report.
    - Parameters: `app` is the app.
    - Returns: names and values, both short.
    - Default: no lines.
    - Results: all are shown, in the order of the plugins, the kernel's own first.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_report(app):
        return {"sqlite library": sqlite3.sqlite_version, "queue file": str(queue_path(app))}
    ```
    """
    raise NotImplementedError  # pragma: no cover
