"""Made by `make stubs`: where each name is."""

from celeriac.app.base import *
from celeriac_celery.configuration import Option as Option
from celeriac_celery.configuration import PendingConfiguration as PendingConfiguration
from celeriac_celery.configuration import Settings as Settings
from celeriac_celery.configuration import appstr as appstr
from celeriac_celery.configuration import find as find
from celeriac_celery.configuration import flatten as flatten
from kombu.utils.url import maybe_sanitize_url as _sanitize_url

sanitize_url = _sanitize_url
