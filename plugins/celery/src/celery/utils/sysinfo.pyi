"""Made by `make stubs`: where each name is."""

from celeriac_celery.operating_system import AUTO_CONCURRENCY as AUTO_CONCURRENCY
from celeriac_celery.operating_system import EX_FAILURE as EX_FAILURE
from celeriac_celery.operating_system import EX_OK as EX_OK
from celeriac_celery.operating_system import EX_UNAVAILABLE as EX_UNAVAILABLE
from celeriac_celery.operating_system import EX_USAGE as EX_USAGE
from celeriac_celery.operating_system import IS_WINDOWS as IS_WINDOWS
from celeriac_celery.operating_system import IS_macOS as IS_macOS
from celeriac_celery.operating_system import LockFailed as LockFailed
from celeriac_celery.operating_system import SIGMAP as SIGMAP
from celeriac_celery.operating_system import SYSTEM as SYSTEM
from celeriac_celery.operating_system import available_cpu_count as available_cpu_count
from celeriac_celery.operating_system import df as df
from celeriac_celery.operating_system import get_errno_name as get_errno_name
from celeriac_celery.operating_system import ignore_errno as ignore_errno
from celeriac_celery.operating_system import is_auto_concurrency as is_auto_concurrency
from celeriac_celery.operating_system import isatty as isatty
from celeriac_celery.operating_system import load_average as load_average
from celeriac_celery.operating_system import maybe_drop_privileges as maybe_drop_privileges
from celeriac_celery.operating_system import parse_gid as parse_gid
from celeriac_celery.operating_system import parse_uid as parse_uid
from celeriac_celery.operating_system import pyimplementation as pyimplementation
from celeriac_celery.operating_system import set_mp_process_title as set_mp_process_title
from celeriac_celery.operating_system import set_process_title as set_process_title
from celeriac_celery.operating_system import signal_name as signal_name
from celeriac_celery.operating_system import signals as signals
