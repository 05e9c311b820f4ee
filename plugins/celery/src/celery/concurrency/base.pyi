"""Made by `make stubs`: where each name is."""

from celeriac_celery.pool_adapter import BasePool as BasePool
from celeriac_celery.pool_adapter import apply_target as apply_target
