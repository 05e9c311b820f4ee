"""The app: what a program creates, configures, defines tasks on and calls them by."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from functools import cached_property
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from celeriac.app import current
from celeriac.app.amqp import AMQP
from celeriac.app.configuration import Settings, read_source
from celeriac.app.identifiers import uuid
from celeriac.app.registry import TaskRegistry
from celeriac.app.sharing import connect_shared, forget_app, remember_app, shared_definitions
from celeriac.exceptions import ImproperlyConfigured
from celeriac.signals import Signal

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

    from celeriac.app.publishing import Publisher
    from celeriac.app.serialization import Serializers
    from celeriac.app.task import Task
    from celeriac.contracts.backend import Backend
    from celeriac.contracts.fixup import Fixup
    from celeriac.contracts.loader import Loader
    from celeriac.plugin.manager import PluginManager
    from celeriac.plugin.settings import Schema
    from celeriac.results.async_result import AsyncResult
    from celeriac.results.eager import EagerResult
    from celeriac.results.group_result import GroupResult
    from celeriac.results.service import Results

P = ParamSpec("P")
R = TypeVar("R")


class Celery:
    """A Celeriac application.

    `main` names it (and the tasks of a ``__main__`` module); `broker` and `backend` are URLs; other keywords are
    settings.  Nothing is read, scanned or connected until it is needed.
    """

    def __init__(
        self,
        main: str | None = None,
        loader: Any = None,
        backend: Any = None,
        amqp: Any = None,
        events: Any = None,
        log: Any = None,
        control: Any = None,
        set_as_current: bool = True,
        tasks: Any = None,
        broker: Any = None,
        include: Sequence[str] | None = None,
        changes: Mapping[str, Any] | None = None,
        config_source: Any = None,
        fixups: Any = None,
        task_cls: Any = None,
        autofinalize: bool = True,
        namespace: str | None = None,
        strict_typing: bool = True,
        **kwargs: Any,
    ) -> None:
        self.main = main
        self.clock: Any = None
        self.autofinalize = autofinalize
        self.namespace = namespace
        self.strict_typing = strict_typing
        self.set_as_current = set_as_current
        self.finalized = False
        self.configured = False
        #: Extra steps of users, by blueprint.
        self.steps: dict[str, set[Any]] = {"worker": set(), "consumer": set()}
        #: Extra click options of users, by command.
        self.user_options: dict[str, set[Any]] = {}
        self.on_configure = Signal("app.on_configure")
        self.on_after_configure = Signal("app.on_after_configure", frozenset({"source"}))
        self.on_after_finalize = Signal("app.on_after_finalize")
        self.on_after_fork = Signal("app.on_after_fork")
        self._loader_name = loader or os.environ.get("CELERY_LOADER") or "app"
        self._task_cls = task_cls
        self._amqp_cls = amqp
        self._fixups = fixups
        self._lock = threading.RLock()
        self._tasks = tasks if isinstance(tasks, TaskRegistry) else TaskRegistry(tasks or {})
        self._publisher: Publisher | None = None
        self._discoveries: list[Callable[[], None]] = []
        self.conf = Settings(self._plugin_settings, self._on_configuration_read)
        given = {"broker_url": broker, "result_backend": backend, "include": include}
        self.conf.update(changes or {}, {key: value for key, value in given.items() if value is not None}, kwargs)
        if config_source:
            self.config_from_object(config_source)
        if set_as_current:
            self.set_current()
        self.on_init()
        remember_app(self)
        if os.environ.get("DJANGO_SETTINGS_MODULE") or fixups:
            self.install_fixups()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.main or '__main__'}>"

    def __enter__(self) -> Celery:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> Any:
        return _current_app, ()

    def on_init(self) -> None:
        """Called at the end of construction; for subclasses."""

    # -- configuration ------------------------------------------------------------------------------------------------

    def config_from_object(
        self, obj: Any, silent: bool = False, force: bool = False, namespace: str | None = None
    ) -> None:
        """Take the configuration from an object, a map, or the dotted name of either; read when it is needed.

        With `namespace` only names that begin with it count (``CELERY_BROKER_URL`` with ``"CELERY"``).  `force` reads
        it now.  Raises `ImproperlyConfigured` if it cannot be imported, unless `silent`.
        """
        source = read_source(obj, namespace or self.namespace, silent)
        self.conf.set_source(source)
        if force:
            source()

    def config_from_envvar(self, variable_name: str, silent: bool = False, force: bool = False) -> bool:
        """The same, with the name taken from an environment variable.  Raises `ImproperlyConfigured` if it is unset."""
        name = os.environ.get(variable_name)
        if name:
            self.config_from_object(name, silent=silent, force=force)
            return True
        if silent:
            return False
        raise ImproperlyConfigured(f"the environment variable {variable_name} does not name a configuration module")

    def add_defaults(self, fun: Mapping[str, Any] | Callable[[], Mapping[str, Any]]) -> Any:
        """Add settings that hold where nobody says otherwise: a map, or a function that makes one when needed."""
        self.conf.add_defaults(fun)
        return fun

    def _plugin_settings(self) -> Schema:
        return self.plugins.schema()

    def _on_configuration_read(self, conf: Settings) -> None:
        """The moment before the first setting is read: loader and plugins have their say."""
        self.configured = True
        self.on_configure.send(sender=self)
        conf.add_defaults(self.loader.read_configuration)
        self.plugins.load(conf.plugins)
        self.plugins.hook.tell("celeriac_configured", app=self)
        self.on_after_configure.send(sender=self, source=conf)

    @cached_property
    def plugins(self) -> PluginManager:
        """The plugins of this app."""
        from celeriac.plugin.manager import PluginManager

        return PluginManager(self)

    @cached_property
    def loader(self) -> Loader:
        """Where configuration and task modules come from."""
        from celeriac.contracts.loader import Loader

        found = self._loader_name
        if isinstance(found, Loader):
            return found
        made: Loader = self.plugins.driver("loader", found)(self)
        return made

    @cached_property
    def fixups(self) -> list[Fixup]:
        """The integrations of frameworks that are in use here."""
        return list(self.plugins.fixups())

    def install_fixups(self) -> None:
        """Let each fixup prepare its framework; once."""
        if not self.__dict__.get("_fixups_installed"):
            self.__dict__["_fixups_installed"] = True
            for fixup in self.fixups:
                fixup.install()

    # -- parts --------------------------------------------------------------------------------------------------------

    @cached_property
    def amqp(self) -> Any:
        """Queues and routes."""
        return (self._amqp_cls or AMQP)(self)

    @cached_property
    def serializers(self) -> Serializers:
        """What this app writes and agrees to read."""
        from celeriac.app.serialization import Serializers

        return Serializers(self)

    @property
    def publisher(self) -> Publisher:
        """Builds and sends messages."""
        found = self._publisher
        if found is None:
            with self._lock:
                if self._publisher is None:
                    from celeriac.app.publishing import Publisher

                    self.finalize(auto=True)
                    self._publisher = Publisher(self)
                found = self._publisher
        return found

    @cached_property
    def results(self) -> Results:
        """Stores results, finds them, waits for them."""
        from celeriac.results.service import Results

        return Results(self)

    @property
    def backend(self) -> Backend:
        """The result store."""
        return self.results.backend

    @cached_property
    def connection_errors(self) -> tuple[type[BaseException], ...]:
        """What a broker that is out of reach raises."""
        from kombu.exceptions import OperationalError

        errors = getattr(self.broker_transport, "connection_errors", ()) or ()
        return (OperationalError, *errors)

    @cached_property
    def broker_transport(self) -> type[Any]:
        """The Kombu transport class that serves the broker's URL."""
        return self.transport_for(self.broker_url())

    def transport_for(self, url: Any) -> type[Any]:
        """The transport class for a URL.  Raises `PluginNotFound`."""
        from celeriac.contracts.urls import scheme_of

        wanted = self.conf.broker_transport
        first = url[0] if isinstance(url, (list, tuple)) else url
        return self.plugins.driver("broker", wanted or scheme_of(first))

    def broker_url(self, write: bool = True) -> Any:
        """The URL of the broker.  Raises `ImproperlyConfigured` where there is none."""
        conf = self.conf
        url = (conf.broker_write_url if write else conf.broker_read_url) or conf.broker_url
        if not url and conf.broker_transport:
            url = f"{conf.broker_transport}://"
        if not url:
            raise ImproperlyConfigured(
                "no broker is configured, and no installed plugin offers one of its own. For the embedded queue: "
                "pip install celeriac-sqlite; for any other, set broker_url, as in Celery('proj', broker='redis://')"
            )
        return url

    def connection_for_write(self, url: Any = None, **kwargs: Any) -> Any:
        """A Kombu connection for publishing; it connects when it is used."""
        return self._connection(url or self.broker_url(write=True), **kwargs)

    def connection_for_read(self, url: Any = None, **kwargs: Any) -> Any:
        """A Kombu connection for consuming."""
        return self._connection(url or self.broker_url(write=False), **kwargs)

    connection = connection_for_write
    broker_connection = connection_for_write

    def _connection(self, url: Any, **kwargs: Any) -> Any:
        from kombu import Connection

        conf = self.conf
        options = {
            "transport": self.transport_for(url),
            "ssl": conf.broker_use_ssl or False,
            "heartbeat": conf.broker_heartbeat,
            "connect_timeout": conf.broker_connection_timeout,
            "login_method": conf.broker_login_method,
            "failover_strategy": conf.broker_failover_strategy,
            "transport_options": dict(conf.broker_transport_options),
            **kwargs,
        }
        given = {"userid": conf.broker_user, "password": conf.broker_password, "port": conf.broker_port}
        options.update({key: value for key, value in given.items() if value is not None and key not in options})
        connection = Connection(url, **options)
        connection.app = self  # lanes and channels find their settings here
        return connection

    # -- tasks --------------------------------------------------------------------------------------------------------

    @property
    def tasks(self) -> TaskRegistry:
        """All tasks by name; asking finalizes the app."""
        self.finalize(auto=True)
        return self._tasks

    @cached_property
    def Task(self) -> type[Any]:
        """The base class of this app's tasks."""
        from celeriac.app.task import Task

        base = self._task_cls or Task
        if isinstance(base, str):
            from celeriac.app.names import symbol

            base = symbol(base)
        return type("Task", (base,), {"app": self, "abstract": True, "__module__": base.__module__})

    @overload
    def task(self, function: Callable[P, R], /) -> Task[P, R]: ...

    @overload
    def task(self, **options: Any) -> Callable[[Callable[..., R]], Task[..., R]]: ...

    def task(self, *args: Any, **options: Any) -> Any:
        """Make a task of a function: ``@app.task`` or ``@app.task(bind=True, max_retries=5, ...)``.

        Raises TypeError for an option that neither the kernel, nor a plugin, nor the task's base knows.
        """
        from celeriac.app.definition import define

        if not args:
            return lambda function: self.task(function, **options)
        if len(args) > 1 or not callable(args[0]):
            raise TypeError("@app.task takes a function, or keyword arguments")
        function = args[0]
        shared = options.pop("shared", True)
        options.pop("lazy", None)
        task = define(self, function, options)
        if shared:
            named = {**options, "name": task.name}
            connect_shared(lambda app: define(app, function, named), owner=self)
        return task

    def register_task(self, task: Any, **options: Any) -> Any:
        """Add an instance (or class) of a `Task` subclass."""
        from celeriac.app.definition import adopt

        return adopt(self, task, options)

    def gen_task_name(self, name: str, module: str) -> str:
        """The name of a task that was given none: ``module.name``."""
        if module == "__main__":
            module = self.main or _main_module_name() or module
        return f"{module}.{name}" if module else name

    def finalize(self, auto: bool = False) -> None:
        """Bind all tasks to the configuration; happens by itself at the first use of `tasks`."""
        if self.finalized:
            return
        with self._lock:
            if self.finalized:
                return
            if auto and not self.autofinalize:
                raise RuntimeError("Contract breach: the app must be finalized before it is used; call app.finalize()")
            self.finalized = True
            from celeriac.app.builtins import define_builtins

            define_builtins(self)
            for make in shared_definitions():
                make(self)
            while self._discoveries:
                self._discoveries.pop(0)()
            for task in list(self._tasks.values()):
                task.bind(self)
            self.plugins.hook.tell("celeriac_finalized", app=self)
            self.on_after_finalize.send(sender=self)

    def autodiscover_tasks(self, packages: Any = None, related_name: str | None = "tasks", force: bool = False) -> None:
        """Import the module `related_name` of each package (a list, or a function that gives one).

        Without packages the fixups say where to look.  Happens when the worker or `tasks` needs them, or now with
        `force`.
        """
        from celeriac.app.discovery import discover

        def look() -> None:
            names = packages() if callable(packages) else packages
            if names is None:
                names = [name for fixup in self.fixups for name in fixup.autodiscover_modules()]
            discover(names, related_name)

        if force or self.finalized:
            look()
        else:
            self._discoveries.append(look)

    # -- calling ------------------------------------------------------------------------------------------------------

    def send_for(
        self,
        task: Task[Any, Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        task_id: str | None,
        options: dict[str, Any],
    ) -> AsyncResult[Any]:
        """Send a task that is known here: its own options under those of the call."""
        name = task.name or ""
        merged = {**task.exec_options(), **options}
        router = self.amqp.router
        if router:
            merged = router.route(merged, name, args, kwargs, task)
        return self._send(name, args, kwargs, task_id or uuid(), merged, ignored=bool(merged.get("ignore_result")))

    def send_task(
        self,
        name: str,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        countdown: float | None = None,
        eta: datetime | None = None,
        task_id: str | None = None,
        producer: Any = None,
        connection: Any = None,
        router: Any = None,
        result_cls: Any = None,
        expires: Any = None,
        publisher: Any = None,
        link: Any = None,
        link_error: Any = None,
        add_to_parent: bool = True,
        group_id: str | None = None,
        group_index: int | None = None,
        retries: int = 0,
        chord: Any = None,
        reply_to: str | None = None,
        time_limit: float | None = None,
        soft_time_limit: float | None = None,
        root_id: str | None = None,
        parent_id: str | None = None,
        route_name: str | None = None,
        shadow: str | None = None,
        chain: Any = None,
        task_type: Any = None,
        replaced_task_nesting: int = 0,
        **options: Any,
    ) -> AsyncResult[Any]:
        """Send a task by name, known here or not.  Errors as `Task.apply_async`."""
        named = {
            "countdown": countdown,
            "eta": eta,
            "expires": expires,
            "link": link,
            "link_error": link_error,
            "group_id": group_id,
            "group_index": group_index,
            "retries": retries or None,
            "chord": chord,
            "reply_to": reply_to,
            "time_limit": time_limit,
            "soft_time_limit": soft_time_limit,
            "root_id": root_id,
            "parent_id": parent_id,
            "shadow": shadow,
            "chain": chain,
            "replaced_task_nesting": replaced_task_nesting or None,
        }
        options.update((key, value) for key, value in named.items() if value is not None)
        options.setdefault("priority", 0)
        args, kwargs = args or (), kwargs or {}
        options = (router or self.amqp.router).route(options, route_name or name, args, kwargs, task_type)
        ignored = bool(options.get("ignore_result"))
        return self._send(name, args, kwargs, task_id or uuid(), options, add_to_parent, ignored)

    def _send(
        self,
        name: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        task_id: str,
        options: dict[str, Any],
        add_to_parent: bool = True,
        ignored: bool = False,
    ) -> AsyncResult[Any]:
        parent = current.get_current_request()
        publisher = self.publisher
        publisher.send([publisher.build(name, args, kwargs, task_id, options, parent)], options)
        result = self.AsyncResult(task_id, task_name=name)
        if ignored:
            result.ignored = True
        if parent is not None and add_to_parent and options.get("add_to_parent", True):
            task = current.get_current_task()
            if task is not None and task.trail:
                parent.children.append(result)
        return result

    def run_eagerly(
        self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]
    ) -> EagerResult[Any]:
        """What ``task.apply`` does."""
        from celeriac.results.eager import run

        return run(self, task, args, kwargs, options)

    def AsyncResult(self, id: str, **kwargs: Any) -> AsyncResult[Any]:
        """The result of a task, by id."""
        from celeriac.results.async_result import AsyncResult

        return AsyncResult(id, app=self, **kwargs)

    def GroupResult(self, id: str | None = None, results: Any = None, **kwargs: Any) -> GroupResult:
        """The results of a group."""
        from celeriac.results.group_result import GroupResult

        return GroupResult(id, results, app=self, **kwargs)

    def signature(self, *args: Any, **kwargs: Any) -> Any:
        """A call of one of this app's tasks that has not been made."""
        from celeriac.canvas.signature import signature

        kwargs["app"] = self
        return signature(*args, **kwargs)

    # -- running ------------------------------------------------------------------------------------------------------

    def Worker(self, **options: Any) -> Any:
        """A worker of this app, not yet started."""
        from celeriac.app.names import symbol

        return symbol("celeriac.worker.boot:WorkController")(app=self, **options)

    WorkController = Worker

    def worker_main(self, argv: Sequence[str] | None = None) -> None:
        """Run ``celeriac worker`` with these arguments (default: the program's own)."""
        arguments = list(sys.argv[1:] if argv is None else argv)
        if "worker" not in arguments:
            raise ValueError("worker_main needs the word 'worker' among its arguments, as in ['worker', '-l', 'INFO']")
        self.start(arguments)

    def start(self, argv: Sequence[str] | None = None) -> None:
        """Run the ``celeriac`` command line for this app."""
        from celeriac.app.names import symbol

        symbol("celeriac.cli.main:run")(self, list(sys.argv[1:] if argv is None else argv))

    # -- time, identity, life -----------------------------------------------------------------------------------------

    @cached_property
    def timezone(self) -> tzinfo:
        """The time zone of naive dates.  Raises `ImproperlyConfigured` for a name that nobody knows."""
        import zoneinfo

        name = self.conf.timezone
        if not name or name.upper() == "UTC":
            return UTC
        try:
            return zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
            raise ImproperlyConfigured(
                f"the setting timezone names no time zone that is known here: {name!r}"
            ) from error

    def now(self) -> datetime:
        """The time in the app's time zone."""
        from datetime import datetime

        return datetime.now(UTC).astimezone(self.timezone)

    @property
    def oid(self) -> str:
        """An id of this app in this process."""
        from celeriac.protocol.origin import oid_from

        return oid_from(self, threads=False)

    @property
    def thread_oid(self) -> str:
        """An id of this app in this thread: where replies go."""
        ident = (os.getpid(), threading.get_ident())
        known = self.__dict__.get("_thread_oid")
        if known is not None and known[0] == ident:
            oid: str = known[1]
            return oid
        from celeriac.protocol.origin import oid_from

        oid = oid_from(self, threads=True)
        self.__dict__["_thread_oid"] = (ident, oid)
        return oid

    def set_current(self) -> None:
        """Make this the current app of this thread."""
        current.set_current_app(self)
        current.offer_default_app(self)

    def set_default(self) -> None:
        """Make this the app of all threads that have none."""
        current.set_default_app(self)

    @property
    def current_task(self) -> Any:
        """The task that runs here now."""
        return current.get_current_task()

    def close(self) -> None:
        """Release connections, forget this app where it was current."""
        if self._publisher is not None:
            self._publisher.close()
        if "results" in self.__dict__:
            self.results.close()
        current.forget_app(self)
        forget_app(self)

    def uuid(self) -> str:
        """A new task id."""
        return uuid()


def _current_app() -> Celery:
    return current.get_current_app()


def _main_module_name() -> str | None:
    """What ``__main__`` would be called if it were imported."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name:
        return str(spec.name).removesuffix(".__main__")
    path = getattr(main, "__file__", None)
    return os.path.splitext(os.path.basename(path))[0] if path else None


current.set_app_factory(Celery)
