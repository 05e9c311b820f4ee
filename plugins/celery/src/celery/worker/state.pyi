"""Made by `make stubs`: where each name is."""

from celeriac_celery.worker_state import *
