"""Made by `make stubs`: where each name is."""

from celeriac.app import app_or_default as app_or_default
from celeriac.app import bugreport as bugreport
from celeriac.app.base import Celery as Celery
from celeriac.app.finding import find_app as find_app
from celeriac.app.masking import masked as _filter_hidden_settings
from celeriac.app.pickling import AppPickler as AppPickler
from celeriac.app.shared import shared_task as shared_task
from celeriac_celery.configuration import Option as Option
from celeriac_celery.configuration import PendingConfiguration as PendingConfiguration
from celeriac_celery.configuration import Settings as Settings
from celeriac_celery.configuration import appstr as appstr
from celeriac_celery.configuration import find as find
from celeriac_celery.configuration import flatten as flatten
from kombu.utils.url import maybe_sanitize_url as _sanitize_url
from typing import Any as Any

default_app: Any
filter_hidden_settings = _filter_hidden_settings
sanitize_url = _sanitize_url
