"""What the errors of the server mean and what mends them."""

from __future__ import annotations

from typing import Final

from redis import exceptions

#: First word of an error of the server -> what to do.
_REMEDIES: Final = {
    "NOAUTH": "the server wants a password; put it into the URL (redis://user:password@host)",
    "WRONGPASS": "user name or password is wrong; correct them in the URL",
    "NOPERM": "the ACL of the server forbids this; see the README of celeriac-redis for the rights that are needed",
    "OOM": "the server's memory is full; raise maxmemory, or remove what nobody needs",
    "READONLY": "this server is a replica; connect to the primary",
    "MISCONF": "the server cannot save its data to its disk, and refuses to take more; free some space there",
    "NOREPLICAS": "the server has too few replicas to accept writes",
    "WRONGTYPE": "a key that Celeriac uses holds something else; give Celeriac a database or a global_keyprefix of its"
    " own",
    "CROSSSLOT": "the server is a node of a cluster; say so in the URL: redis+cluster://",
    "MOVED": "the server is a node of a cluster; say so in the URL: redis+cluster://",
    "ASK": "keys are being moved between nodes of the cluster; try again",
    "TRYAGAIN": "keys are being moved between nodes of the cluster; try again",
    "CLUSTERDOWN": "the cluster has lost a node and nobody has taken its place; see `redis-cli --cluster check`",
}


def explain(error: BaseException, where: object) -> str:
    """What happened, at which server, and what to do about it."""
    text = str(error) or type(error).__name__
    remedy = next((what for word, what in _REMEDIES.items() if word in text.split(" ", 1)[0]), None)
    # redis-py takes the first word off some errors and makes a class of it.
    if remedy is None:
        remedy = next((_REMEDIES[word] for kind, word in _CLASSES.items() if isinstance(error, kind)), None)
    return f"Redis at {where}: {text}" + (f" ({remedy})" if remedy else "")


_CLASSES: Final[dict[type[BaseException], str]] = {
    exceptions.NoPermissionError: "NOPERM",
    exceptions.AuthenticationError: "WRONGPASS",
    exceptions.ReadOnlyError: "READONLY",
    exceptions.OutOfMemoryError: "OOM",
    exceptions.ClusterDownError: "CLUSTERDOWN",
    exceptions.ClusterCrossSlotError: "CROSSSLOT",
    exceptions.TryAgainError: "TRYAGAIN",
    exceptions.MovedError: "MOVED",
}
