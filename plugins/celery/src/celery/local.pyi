"""Made by `make stubs`: where each name is."""

from celeriac_celery.proxies import PromiseProxy as PromiseProxy
from celeriac_celery.proxies import Proxy as Proxy
from celeriac_celery.proxies import class_property as class_property
from celeriac_celery.proxies import maybe_evaluate as maybe_evaluate
from celeriac_celery.proxies import try_import as try_import
