"""Which routing keys a binding of a topic exchange takes."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

EXCHANGE_TYPES: Final = frozenset({"direct", "topic", "fanout"})


@lru_cache(maxsize=4096)
def topic_matches(pattern: str, routing_key: str) -> bool:
    """Whether `pattern` takes `routing_key`: ``*`` stands for one word, ``#`` for any number of words."""
    words = routing_key.split(".")
    # after[n]: the pattern so far takes the first n words.
    after = [True] + [False] * len(words)
    for part in pattern.split("."):
        if part == "#":
            first = after.index(True) if True in after else len(after)
            after = [n >= first for n in range(len(after))]
        else:
            after = [False] + [taken and part in ("*", word) for taken, word in zip(after, words, strict=False)]
    return after[-1]
