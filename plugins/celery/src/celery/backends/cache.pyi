"""Made by `make stubs`: where each name is."""

from celeriac_memory.backend import MemoryBackend as _CacheBackend

CacheBackend = _CacheBackend
