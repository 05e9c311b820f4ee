"""Made by `make stubs`: where each name is."""

from celeriac_celery.threads import Local as Local
from celeriac_celery.threads import LocalManager as LocalManager
from celeriac_celery.threads import LocalStack as LocalStack
from celeriac_celery.threads import bgThread as bgThread
from celeriac_celery.threads import default_socket_timeout as default_socket_timeout
from threading import get_ident as get_ident
