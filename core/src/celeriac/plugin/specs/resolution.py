"""Resolution: which class answers to a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celeriac.plugin.markers import hookspec

if TYPE_CHECKING:
    from kombu.transport.base import Transport

    from celeriac.contracts import Backend, Loader, Pool, Serializer


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
def celeriac_scheduler(app: Any, name: str) -> type[Any] | None:
    """Chooses the class of beat's scheduler, in code.

    - Called: in the process of beat, when it starts.
    - For: plugins that decide at run time. For a fixed name, an entry point in `celeriac.schedulers` is enough.
    - Parameters: `app` is the app, `name` the one of `--scheduler` or `beat_scheduler`.
    - Returns: a class with the methods of `celeriac.beat.Scheduler`, or None to leave the answer to others.
    - Default: the kernel, asked last, answers with the entry point of that name; it brings `persistent` and `store`.
    - Results: the first that is not None.
    - Since: 0.1.

    ```python
    @hookimpl
    def celeriac_scheduler(app, name):
        return DatabaseScheduler if name == "persistent" and app.conf.schedules_in_database else None
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
