"""Made by `make stubs`: where each name is."""

from celeriac import AsyncResult as AsyncResult
from celeriac import Celery as Celery
from celeriac import GroupResult as GroupResult
from celeriac import ResultSet as ResultSet
from celeriac import Signature as Signature
from celeriac import Task as Task
from celeriac import bugreport as bugreport
from celeriac import chain as chain
from celeriac import chord as chord
from celeriac import chunks as chunks
from celeriac import current_app as current_app
from celeriac import current_task as current_task
from celeriac import get_current_app as get_current_app
from celeriac import group as group
from celeriac import maybe_signature as maybe_signature
from celeriac import shared_task as shared_task
from celeriac import signature as signature
from celeriac import subtask as subtask
from celeriac import uuid as uuid
from celeriac import xmap as xmap
from celeriac import xstarmap as xstarmap
from celeriac_celery.pool_names import maybe_patch_concurrency as maybe_patch_concurrency
from celeriac_celery.version import VERSION as VERSION
from celeriac_celery.version import VERSION_BANNER as VERSION_BANNER
from celeriac_celery.version import version_info_t as version_info_t

SERIES: str
__version__: str
version_info: version_info_t
