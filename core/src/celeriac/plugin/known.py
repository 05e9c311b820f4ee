"""Names that people know from Celery, and what serves each here."""

from __future__ import annotations

from typing import Final

_DISTRIBUTIONS: Final[dict[str, dict[str, str]]] = {
    "almanac": {"ephem": "celeriac-solar"},
    "broker": {
        "amqp": "celeriac-amqp",
        "amqps": "celeriac-amqp",
        "memory": "celeriac-memory",
        "pyamqp": "celeriac-amqp",
        "redis": "celeriac-redis",
        "rediss": "celeriac-redis",
        "sentinel": "celeriac-redis",
        "sqlite": "celeriac-sqlite",
        "valkey": "celeriac-redis",
        "valkeys": "celeriac-redis",
    },
    "backend": {
        "cache+memory": "celeriac-memory",
        "django-db": "celeriac-django",
        "memory": "celeriac-memory",
        "redis": "celeriac-redis",
        "rediss": "celeriac-redis",
        "rpc": "celeriac-amqp",
        "sentinel": "celeriac-redis",
        "sqlite": "celeriac-sqlite",
        "valkey": "celeriac-redis",
        "valkeys": "celeriac-redis",
    },
    "compressor": {
        "application/x-brotli": "celeriac-compression",
        "application/zstd": "celeriac-compression",
        "brotli": "celeriac-compression",
        "zstandard": "celeriac-compression",
        "zstd": "celeriac-compression",
    },
    "serializer": {
        "auth": "celeriac-auth",
        "msgpack": "celeriac-msgpack",
        "orjson": "celeriac-orjson",
        "pickle": "celeriac-pickle",
        "yaml": "celeriac-yaml",
    },
    "pool": {
        "asyncio": "celeriac-asyncio",
        "eventlet": "celeriac-eventlet",
        "gevent": "celeriac-gevent",
        "prefork": "celeriac-prefork",
        "processes": "celeriac-prefork",
        "threads": "celeriac-threads",
    },
}

#: Brokers for which there is no plugin of ours, but a transport in Kombu that one line turns into a plugin.
_KOMBU_TRANSPORTS: Final = {
    "azureservicebus": "kombu.transport.azureservicebus:Transport",
    "azurestoragequeues": "kombu.transport.azurestoragequeues:Transport",
    "confluentkafka": "kombu.transport.confluentkafka:Transport",
    "consul": "kombu.transport.consul:Transport",
    "etcd": "kombu.transport.etcd:Transport",
    "filesystem": "kombu.transport.filesystem:Transport",
    "gcpubsub": "kombu.transport.gcpubsub:Transport",
    "mongodb": "kombu.transport.mongodb:Transport",
    "qpid": "kombu.transport.qpid:Transport",
    "sqlalchemy": "kombu.transport.sqlalchemy:Transport",
    "sqs": "kombu.transport.SQS:Transport",
    "zookeeper": "kombu.transport.zookeeper:Transport",
}


def remedy_for(kind: str, name: str) -> str | None:
    """What to do to have a driver that is not installed, None where we know nothing of it."""
    if (distribution := _DISTRIBUTIONS.get(kind, {}).get(name)) is not None:
        return f"It comes with {distribution}: pip install {distribution}"
    if kind == "broker" and (transport := _KOMBU_TRANSPORTS.get(name.lower())) is not None:
        return (
            f"Kombu has a transport for it; a plugin offers it by one line of its pyproject.toml: "
            f'[project.entry-points."celeriac.brokers"] {name} = "{transport}"'
        )
    return None


def known_names(kind: str) -> list[str]:
    """All names of that kind that `remedy_for` knows."""
    return [*_DISTRIBUTIONS.get(kind, ()), *(_KOMBU_TRANSPORTS if kind == "broker" else ())]
