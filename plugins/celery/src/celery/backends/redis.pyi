"""Made by `make stubs`: where each name is."""

from celeriac_redis.backend import RedisBackend as RedisBackend
from celeriac_redis.backend import RedisBackend as _SentinelBackend

SentinelBackend = _SentinelBackend
