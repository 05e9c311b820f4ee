"""Where a task's message goes: ``task_routes`` read once, asked per task name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import translate
from typing import Any

from celeriac.app.names import symbol
from celeriac.exceptions import ImproperlyConfigured, QueueNotFound

Route = Mapping[str, Any]
RouteFunction = Callable[..., Any]


class MapRoute:
    """Task names, globs and compiled patterns to routes; an exact name wins, then the order of the map."""

    def __init__(self, routes: Mapping[Any, Any] | Iterable[tuple[Any, Any]]) -> None:
        pairs = list(routes.items() if isinstance(routes, Mapping) else routes)
        wrong = [pair for pair in pairs if not (isinstance(pair, (list, tuple)) and len(pair) == 2)]
        if wrong:
            raise ImproperlyConfigured(f"the setting task_routes: {wrong[0]!r} is no pair of a task's name and a route")
        self.exact: dict[str, Any] = {}
        self.patterns: list[tuple[re.Pattern[str], Any]] = []
        for key, route in pairs:
            if isinstance(key, re.Pattern):
                self.patterns.append((key, route))
            elif any(sign in key for sign in "*?["):
                self.patterns.append((re.compile(translate(key)), route))
            else:
                self.exact[key] = route

    def __call__(self, name: str, *_: Any, **__: Any) -> Any:
        if name in self.exact:
            return self.exact[name]
        for pattern, route in self.patterns:
            if pattern.match(name):
                return route
        return None


def prepare_routes(routes: Any) -> list[RouteFunction]:
    """The routers of the setting ``task_routes``.

    It is a map, a function, an object with ``route_for_task``, a dotted name, or a list of these.
    """
    if not routes:
        return []
    if isinstance(routes, (Mapping, str)) or callable(routes) or hasattr(routes, "route_for_task"):
        routes = [routes]
    routes = list(routes)
    if all(_is_pair(route) for route in routes):  # one ordered map, without the list around it
        routes = [routes]
    return [_prepare(route) for route in routes]


def _is_pair(route: Any) -> bool:
    return isinstance(route, (list, tuple)) and len(route) == 2 and isinstance(route[0], (str, re.Pattern))


def _prepare(route: Any) -> RouteFunction:
    if isinstance(route, str):
        try:
            route = symbol(route)
        except (ImportError, ValueError) as error:
            raise ImproperlyConfigured(f"the setting task_routes names {route!r}: {error}") from error
    if isinstance(route, type):
        route = route()
    if hasattr(route, "route_for_task"):
        return _from_method(route.route_for_task)
    if isinstance(route, (Mapping, list, tuple)):
        return MapRoute(route)
    if not callable(route):
        raise ImproperlyConfigured(
            f"the setting task_routes has {route!r}, which is no map, no function, and no object with route_for_task"
        )
    function: RouteFunction = route
    return function


def _from_method(method: Callable[..., Any]) -> RouteFunction:
    def route(name: str, args: Any = None, kwargs: Any = None, *_: Any, **__: Any) -> Any:
        return method(name, args=args, kwargs=kwargs)

    return route


class Router:
    """Adds to a call's options those of the first router that knows the task.

    `queues` and the default queue are the app's, where one is given.
    """

    def __init__(self, routes: Any = None, queues: Any = None, create_missing: bool = True, app: Any = None) -> None:
        """`queues` is a map of names to Kombu queues; of one that makes none itself, `create_missing` does."""
        self.app = app
        self.create_missing = create_missing
        self.routes = prepare_routes(routes)
        self._queues = queues

    @property
    def queues(self) -> Any:
        """The queues by name."""
        if self._queues is None:
            self._queues = {} if self.app is None else self.app.amqp.queues
        return self._queues

    @property
    def static(self) -> bool:
        """True where the answer depends on the task's name alone."""
        return all(isinstance(route, MapRoute) for route in self.routes)

    def route(
        self, options: Mapping[str, Any], name: str, args: Any = (), kwargs: Any = None, task_type: Any = None
    ) -> dict[str, Any]:
        """The options of a call, and in ``queue`` the Kombu queue to which it goes: where none is named, the app's.

        Raises `QueueNotFound` for one that is not configured and must not be made.
        """
        found = self.expand_destination(self.choose(options, name, args, kwargs, task_type))
        if found.get("queue") is None and self.app is not None:
            found["queue"] = self.queues[self.app.conf.task_default_queue]
        return found

    def expand_destination(self, route: Mapping[str, Any] | str) -> dict[str, Any]:
        """A route as options, with the Kombu queue in place of its name.  Raises `QueueNotFound`."""
        options: dict[str, Any] = {"queue": route} if isinstance(route, str) else dict(route)
        if isinstance(name := options.get("queue"), str):
            try:
                options["queue"] = self.queues[name]
            except QueueNotFound:
                raise
            except KeyError as error:
                if not self.create_missing:
                    raise QueueNotFound(f"queue '{name}' is not among those of the router") from error
                from kombu import Queue  # loaded by the first message, not by the app

                options["queue"] = Queue(name, name, name)
        return options

    def choose(
        self, options: Mapping[str, Any], name: str, args: Any = (), kwargs: Any = None, task_type: Any = None
    ) -> dict[str, Any]:
        """`options` on top of what the routers say for `name`; an option that is None does not hide a route's.

        Queues stay as they were named.
        """
        found = self.lookup_route(name, args, kwargs, options, task_type)
        if not found:
            return dict(options)
        return {**found, **{key: value for key, value in options.items() if value is not None or key not in found}}

    def lookup_route(
        self, name: str, args: Any = None, kwargs: Any = None, options: Any = None, task_type: Any = None
    ) -> dict[str, Any]:
        """The first router's answer, as options."""
        for route in self.routes:
            answer = route(name, args, kwargs or {}, options, task=task_type)
            if answer:
                return {"queue": answer} if isinstance(answer, str) else dict(answer)
        return {}
