from django.core.cache.backends.locmem import LocMemCache


class CountingCache(LocMemCache):
    closed = 0

    def close(self, **kwargs):
        type(self).closed += 1
