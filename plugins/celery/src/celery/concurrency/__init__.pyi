"""Made by `make stubs`: where each name is."""

from celeriac_celery.pool_names import get_available_pool_names as get_available_pool_names
from celeriac_celery.pool_names import get_implementation as get_implementation
from celeriac_celery.pool_names import maybe_patch_concurrency as maybe_patch_concurrency
