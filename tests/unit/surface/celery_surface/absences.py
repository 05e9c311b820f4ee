"""The one table of excuses: names of Celery's that are not here, differ, or are shown by no test, each with a reason.

A row may be a pattern, for all names that it matches.  A row that excuses nothing fails the test, so that the table
can only shrink.
"""

from __future__ import annotations

from typing import Final

_STORE: Final = "belongs to the plugin of that result store"
_BROKER: Final = "belongs to the plugin of that broker"

#: Not here, on purpose or because the plugin that brings it is not in this repository.
ABSENT: Final[dict[str, str]] = {
    **dict.fromkeys(
        (
            *(
                f"settings.{store}_*"
                for store in ("arangodb", "azureblockblob", "cassandra", "cosmosdbsql", "couchbase")
            ),
            *(f"settings.{store}_*" for store in ("database", "elasticsearch", "gcs", "mongodb", "s3")),
            "settings.cache_backend*",
            *(f"backends.{store}" for store in ("arangodb", "azureblockblob", "cache", "cassandra", "consul")),
            *(f"backends.{store}" for store in ("cosmosdbsql", "couchbase", "couchdb", "database", "db", "dynamodb")),
            *(f"backends.{store}" for store in ("elasticsearch", "file", "gs", "mongodb", "riak", "s3", "sentinel")),
        ),
        _STORE,
    ),
    **dict.fromkeys(
        ("backends.rpc", "settings.result_exchange", "settings.result_exchange_type"),
        "belongs to the plugin of RabbitMQ, as results that are messages do",
    ),
    **dict.fromkeys(
        (
            *(f"transports.{scheme}" for scheme in ("amqp", "amqps", "pyamqp", "librabbitmq", "qpid")),
            *(f"transports.{scheme}" for scheme in ("confluentkafka", "kafka", "SQS", "sqs", "SLMQ", "slmq")),
            *(f"transports.{scheme}" for scheme in ("mongodb", "zookeeper", "sqlalchemy", "sqla", "filesystem")),
            *(f"transports.{scheme}" for scheme in ("sentinel", "consul", "etcd", "pyro", "gcpubsub", "pgmq")),
            *(f"transports.{scheme}" for scheme in ("azurestoragequeues", "azureservicebus")),
        ),
        _BROKER,
    ),
    "backends.disabled": "no driver: it is what there is where no result store is configured",
    "settings.worker_agent": "actors have been unmaintained for years; a bootstep does what an agent did",
    "settings.worker_timer": "the loop has one timer, which is exact",
}

#: Here, and takes something else than Celery's.
DIFFERENT: Final[dict[str, str]] = {
    "canvas.chain.clone": "names what it takes; Celery's hands on whatever it is given to that of all signatures",
    "canvas._chord.clone": "the same",
    "settings.beat_scheduler": "a driver's name in place of a class",
    "settings.worker_pool": "the kernel itself has no other; `celeriac-suite` brings prefork",
}

#: Here, and shown by no test that would not be one of Python's own behaviour.
UNSHOWN: Final[dict[str, str]] = {
    "signals.eventlet_pool_*": "sent by the plugin of that pool",
}

#: Parts that are being completed: excuses every gap, until there is none.
ARRIVING: Final[dict[str, str]] = {
    "app.base.Celery.Beat": "arrives with beat",
    "schedules.*": "arrives with beat",
    "bootsteps.*": "arrives with the whole of bootsteps",
    "signals.beat_*": "arrives with beat",
    "signals.heartbeat_sent": "arrives with events",
    "signals.worker_before_create_process": "arrives with the pools",
    "settings.*": "arrives with the part that it is for",
    "cli*": "arrives with the whole of the command line",
    "backends.*": "arrives with the tests of each driver",
    "transports.*": "arrives with the tests of each driver",
    "pools.*": "arrives with the other pools",
}
