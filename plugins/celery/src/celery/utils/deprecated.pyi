"""Made by `make stubs`: where each name is."""

from celeriac_celery.deprecated import Callable as Callable
from celeriac_celery.deprecated import Property as Property
from celeriac_celery.deprecated import warn as warn
