"""Made by `make stubs`: where each name is."""

from celeriac.app import *
from celeriac_celery.state import connect_on_app_finalize as connect_on_app_finalize
from celeriac_celery.state import disable_trace as disable_trace
from celeriac_celery.state import enable_trace as enable_trace
from celeriac_celery.state import pop_current_task as pop_current_task
from celeriac_celery.state import push_current_task as push_current_task
