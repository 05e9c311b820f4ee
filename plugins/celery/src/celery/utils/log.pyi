"""Made by `make stubs`: where each name is."""

from celeriac.utils.log import *
from celeriac_celery.logs import LOG_LEVELS as LOG_LEVELS
from celeriac_celery.logs import base_logger as base_logger
from celeriac_celery.logs import get_multiprocessing_logger as get_multiprocessing_logger
from celeriac_celery.logs import in_sighandler as in_sighandler
from celeriac_celery.logs import reset_multiprocessing_logger as reset_multiprocessing_logger
from celeriac_celery.logs import set_in_sighandler as set_in_sighandler
from celeriac_celery.logs import task_logger as task_logger
from celeriac_celery.logs import worker_logger as worker_logger
