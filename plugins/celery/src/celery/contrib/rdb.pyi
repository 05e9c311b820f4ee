"""Made by `make stubs`: where each name is."""

from celeriac.contrib.rdb import *
from celeriac.worker.debugger import DEFAULT_HOST as _CELERY_RDB_HOST
from celeriac.worker.debugger import DEFAULT_PORT as _CELERY_RDB_PORT
from celeriac.worker.debugger import Rdb as _debugger

CELERY_RDB_HOST = _CELERY_RDB_HOST
CELERY_RDB_PORT = _CELERY_RDB_PORT
debugger = _debugger
