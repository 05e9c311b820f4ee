"""Made by `make stubs`: where each name is."""

from celeriac.app.routing import MapRoute as MapRoute
from celeriac.app.routing import Route as Route
from celeriac.app.routing import RouteFunction as RouteFunction
from celeriac.app.routing import Router as Router
from celeriac.app.routing import prepare_routes as _prepare
from celeriac.app.routing import prepare_routes as prepare_routes
from celeriac_celery.imports import instantiate as _expand_router_string

prepare = _prepare
expand_router_string = _expand_router_string
