"""Modules of Celery's that hold one result store or one pool: here those are plugins, found by their names."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any, Final, NamedTuple

from kombu.utils.imports import symbol_by_name

from celeriac.plugin.manager import PluginManager


class _Driven(NamedTuple):
    """Which driver each class of a module is."""

    kind: str
    names: Mapping[str, str]


def _store(**names: str) -> _Driven:
    return _Driven("backend", names)


def _pool(name: str) -> _Driven:
    return _Driven("pool", {"TaskPool": name})


DRIVEN: Final[Mapping[str, _Driven]] = {
    "celery.backends.arangodb": _store(ArangoDbBackend="arangodb"),
    "celery.backends.azureblockblob": _store(AzureBlockBlobBackend="azureblockblob"),
    "celery.backends.cache": _store(CacheBackend="cache+memory"),
    "celery.backends.cassandra": _store(CassandraBackend="cassandra"),
    "celery.backends.consul": _store(ConsulBackend="consul"),
    "celery.backends.cosmosdbsql": _store(CosmosDBSQLBackend="cosmosdbsql"),
    "celery.backends.couchbase": _store(CouchbaseBackend="couchbase"),
    "celery.backends.couchdb": _store(CouchBackend="couchdb"),
    "celery.backends.database": _store(DatabaseBackend="database"),
    "celery.backends.dynamodb": _store(DynamoDBBackend="dynamodb"),
    "celery.backends.elasticsearch": _store(ElasticsearchBackend="elasticsearch"),
    "celery.backends.filesystem": _store(FilesystemBackend="file"),
    "celery.backends.gcs": _store(GCSBackend="gs"),
    "celery.backends.mongodb": _store(MongoBackend="mongodb"),
    "celery.backends.redis": _store(RedisBackend="redis", SentinelBackend="sentinel"),
    "celery.backends.rpc": _store(RPCBackend="rpc"),
    "celery.backends.s3": _store(S3Backend="s3"),
    "celery.concurrency.eventlet": _pool("eventlet"),
    "celery.concurrency.gevent": _pool("gevent"),
    "celery.concurrency.prefork": _pool("prefork"),
    "celery.concurrency.solo": _pool("solo"),
    "celery.concurrency.thread": _pool("threads"),
}


class DriverModule(ModuleType):
    """A module whose classes are drivers, loaded when somebody asks for one."""

    def __init__(self, name: str) -> None:
        super().__init__(name, f"{name}: {', '.join(DRIVEN[name].names)}, of the plugin that has it.")

    def __getattr__(self, name: str) -> Any:
        kind, names = DRIVEN[self.__name__]
        if name == "__all__":
            return list(names)
        if name in names:
            return PluginManager().driver(kind, names[name])
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        return sorted({*self.__dict__, *DRIVEN[self.__name__].names})


def missing(module: str) -> str | None:
    """Why none of the drivers of `module` is here, and what to install; None where one is."""
    kind, names = DRIVEN[module]
    known = {*PluginManager().driver_names(kind)}
    if not known.isdisjoint(names.values()):
        return None
    name = next(iter(names.values()))
    what = "result store" if kind == "backend" else "pool"
    remedy = symbol_by_name("celeriac.plugin.known:remedy_for")(kind, name)
    return f"the {what} {name!r} is a plugin that is not installed. " + (
        remedy or f"No plugin of ours has it; docs/how-to/write-a-{kind}.md says how one is written"
    )


__all__ = ["DRIVEN", "DriverModule", "missing"]
