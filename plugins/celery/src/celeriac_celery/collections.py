"""Maps and sets (``celery.utils.collections``)."""

from __future__ import annotations

import heapq
import time
from collections import ChainMap, OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any


class AttributeDictMixin:
    """A map whose items are its attributes as well."""

    def __getattr__(self, k: str) -> Any:
        try:
            return self[k]  # type: ignore[index]  # mixed into a map
        except KeyError:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {k!r}") from None

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value


class AttributeDict(dict[Any, Any], AttributeDictMixin):
    """A dict whose items are its attributes as well."""


class DictAttribute:
    """The attributes of an object, as a map."""

    obj: Any = None

    def __init__(self, obj: Any) -> None:
        object.__setattr__(self, "obj", obj)

    def __getattr__(self, key: str) -> Any:
        return getattr(self.obj, key)

    def __setattr__(self, key: str, value: Any) -> None:
        setattr(self.obj, key, value)

    def get(self, key: str, default: Any = None) -> Any:
        """The item, or `default`."""
        return getattr(self.obj, key, default)

    def setdefault(self, key: str, default: Any = None) -> None:
        """Set the item where there is none."""
        if key not in self:
            self[key] = default

    def __getitem__(self, key: str) -> Any:
        try:
            return getattr(self.obj, key)
        except AttributeError:
            raise KeyError(key) from None

    def __setitem__(self, key: str, value: Any) -> None:
        setattr(self.obj, key, value)

    def __contains__(self, key: str) -> bool:
        return hasattr(self.obj, key)

    def __iter__(self) -> Iterator[str]:
        return iter(dir(self.obj))

    keys = __iter__

    def values(self) -> Iterator[Any]:
        """The values of all items."""
        return (getattr(self.obj, key) for key in self)

    def items(self) -> Iterator[tuple[str, Any]]:
        """Name and value of all items."""
        return ((key, getattr(self.obj, key)) for key in self)


class ConfigurationView(AttributeDictMixin, ChainMap[Any, Any]):
    """Changes, and below them defaults: settings as items and as attributes; what is set goes into the changes.

    `keys` are functions, each of which gives another name for a key; `prefix` is put before each key.
    """

    def __init__(
        self,
        changes: dict[Any, Any],
        defaults: Sequence[Mapping[Any, Any]] | None = None,
        keys: Sequence[Callable[[str], str]] | None = None,
        prefix: str | None = None,
    ) -> None:
        maps: list[Any] = [changes, *(defaults or ())]
        self.__dict__.update(
            maps=maps, changes=changes, defaults=maps[1:], prefix=f"{prefix.rstrip('_')}_" if prefix else "", _keys=keys
        )

    def _names(self, key: Any) -> list[Any]:
        full = self.prefix + key if self.prefix and not key.startswith(self.prefix) else key
        return list(dict.fromkeys((full, *(other(full) for other in self._keys or ()))))

    def __getitem__(self, key: Any) -> Any:
        for name in self._names(key):
            if name in self.maps[0] or super().__contains__(name):
                return super().__getitem__(name)
        return self.__missing__(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.changes[self._names(key)[0]] = value

    def __contains__(self, key: Any) -> bool:
        return any(super(ConfigurationView, self).__contains__(name) for name in self._names(key))

    def get(self, key: Any, default: Any = None) -> Any:
        """The value, or `default`."""
        try:
            return self[key]
        except KeyError:
            return default

    def first(self, *keys: Any) -> Any:
        """The first of these that is set to something but None."""
        return next((self[key] for key in keys if self.get(key) is not None), None)

    def clear(self) -> None:
        """Take the changes back."""
        self.changes.clear()

    def add_defaults(self, d: Any) -> None:
        """Defaults that come before those there are."""
        self.maps.insert(1, force_mapping(d))
        self.defaults[:] = self.maps[1:]

    def swap_with(self, other: ConfigurationView) -> None:
        """Have what the other one has."""
        self.__dict__.update(vars(other))


class LimitedSet:
    """A set that forgets its oldest members beyond `maxlen`, and those that are older than `expires` seconds."""

    def __init__(self, maxlen: int = 0, expires: float = 0, data: Any = None, minlen: int = 0) -> None:
        self.maxlen = maxlen
        self.minlen = minlen
        self.expires = expires
        self._since: dict[Any, float] = {}
        self._heap: list[tuple[float, Any]] = []
        if data:
            self.update(data)

    def add(self, item: Any, now: float | None = None) -> None:
        """Add a member, of now or of that time."""
        self._since[item] = since = now or time.time()
        heapq.heappush(self._heap, (since, _Last(item)))
        self.purge()

    def update(self, other: Any) -> None:
        """Add all of another set, of a map from members to their times, or of anything with members."""
        known: Any = other._since if isinstance(other, LimitedSet) else other
        if isinstance(known, Mapping):
            for item, since in known.items():
                self.add(item, since["inserted"] if isinstance(since, Mapping) else since)
        else:
            for item in known:
                self.add(item)

    def discard(self, item: Any) -> None:
        """Forget a member, if it is one."""
        self._since.pop(item, None)

    pop_value = discard

    def clear(self) -> None:
        """Forget all."""
        self._since.clear()
        self._heap.clear()

    def pop(self, default: Any = None) -> Any:
        """Take out the oldest."""
        while self._heap:
            since, last = heapq.heappop(self._heap)
            if self._since.get(last.item) == since:
                del self._since[last.item]
                return last.item
        return default

    def purge(self, now: float | None = None) -> None:
        """Forget what is beyond the limits."""
        moment = now or time.time()
        while self.maxlen and len(self._since) > self.maxlen:
            self.pop()
        while self.expires and len(self._since) > self.minlen and self._heap[0][0] + self.expires <= moment:
            self.pop()
        if len(self._heap) > 2 * len(self._since) + 16:
            self._heap = [(since, _Last(item)) for item, since in self._since.items()]
            heapq.heapify(self._heap)

    def as_dict(self) -> dict[Any, float]:
        """Each member with its time."""
        return dict(self._since)

    def __contains__(self, key: Any) -> bool:
        return key in self._since

    def __len__(self) -> int:
        return len(self._since)

    def __iter__(self) -> Iterator[Any]:
        return iter(sorted(self._since, key=self._since.__getitem__))

    def __bool__(self) -> bool:
        return bool(self._since)

    def __repr__(self) -> str:
        return f"<LimitedSet({len(self)}): maxlen={self.maxlen}, expires={self.expires}>"


class _Last:
    """A member in a heap: never compared, whatever it is."""

    __slots__ = ("item",)

    def __init__(self, item: Any) -> None:
        self.item = item

    def __lt__(self, other: object) -> bool:
        return False


def force_mapping(m: Any) -> Any:
    """A map; the attributes of what is none."""
    return m if isinstance(m, Mapping) else DictAttribute(m)


def lpmerge(L: dict[Any, Any], R: Mapping[Any, Any]) -> dict[Any, Any]:
    """`L`, with what of `R` is not None."""
    L.update({key: value for key, value in R.items() if value is not None})
    return L


__all__ = [
    "AttributeDict",
    "AttributeDictMixin",
    "ChainMap",
    "ConfigurationView",
    "DictAttribute",
    "LimitedSet",
    "OrderedDict",
    "force_mapping",
    "lpmerge",
]
