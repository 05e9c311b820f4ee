"""Made by `make stubs`: where each name is."""

from celeriac.app.current import both_apps as both_apps
from celeriac.app.current import drop_running as drop_running
from celeriac.app.current import forget_app as forget_app
from celeriac.app.current import get_current_app as get_current_app
from celeriac.app.current import get_current_request as get_current_request
from celeriac.app.current import get_current_task as get_current_task
from celeriac.app.current import get_current_worker_task as get_current_worker_task
from celeriac.app.current import get_request_of as get_request_of
from celeriac.app.current import get_requests_of as get_requests_of
from celeriac.app.current import offer_default_app as offer_default_app
from celeriac.app.current import peek_current_app as peek_current_app
from celeriac.app.current import pop_running as pop_running
from celeriac.app.current import push_running as push_running
from celeriac.app.current import set_app_factory as set_app_factory
from celeriac.app.current import set_current_app as set_current_app
from celeriac.app.current import set_default_app as set_default_app
from celeriac.results.disabled import DisabledBackend as DisabledBackend
from celeriac.results.disabled import refuse as refuse
from celeriac_celery.key_value_backend import KeyValueStoreBackend as KeyValueStoreBackend
from celeriac_celery.result_backend import Backend as Backend
from celeriac_celery.result_backend import BaseBackend as BaseBackend
from celeriac_celery.result_backend import BaseDictBackend as BaseDictBackend
from celeriac_celery.result_backend import SyncBackendMixin as SyncBackendMixin
