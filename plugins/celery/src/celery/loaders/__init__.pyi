"""Made by `make stubs`: where each name is."""

from celeriac.loaders import *
from celeriac_celery.loader_names import LOADER_ALIASES as LOADER_ALIASES
from celeriac_celery.loader_names import get_loader_cls as get_loader_cls
