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
            *(f"backends.{store}" for store in ("elasticsearch", "file", "gs", "mongodb", "riak", "s3")),
        ),
        _STORE,
    ),
    **dict.fromkeys(
        ("settings.result_exchange", "settings.result_exchange_type"),
        "results that are messages go to the queue of whoever asked, past any exchange, as Celery's do",
    ),
    **dict.fromkeys(
        (
            *(f"transports.{scheme}" for scheme in ("librabbitmq", "qpid")),
            *(f"transports.{scheme}" for scheme in ("confluentkafka", "kafka", "SQS", "sqs", "SLMQ", "slmq")),
            *(f"transports.{scheme}" for scheme in ("mongodb", "zookeeper", "sqlalchemy", "sqla", "filesystem")),
            *(f"transports.{scheme}" for scheme in ("consul", "etcd", "pyro", "gcpubsub", "pgmq")),
            *(f"transports.{scheme}" for scheme in ("azurestoragequeues", "azureservicebus")),
        ),
        _BROKER,
    ),
    "backends.disabled": "no driver: it is what there is where no result store is configured",
    "pools.custom": "no driver: -P custom is the class that CELERY_CUSTOM_WORKER_POOL names",
    **dict.fromkeys(
        (*(f"settings.redis_{name}" for name in ("db", "host", "password", "port", "username")),),
        "the URL of the store says it",
    ),
    "settings.redis_max_connections": "a connection is one thread's, for one call; there is nothing to bound",
    "settings.redis_retry_on_timeout": "who stores or reads a result tries again, whatever went wrong",
    "settings.worker_timer": "the loop has one timer, which is exact",
}

#: Here, and takes something else than Celery's.
DIFFERENT: Final[dict[str, str]] = {
    "canvas.chain.clone": "names what it takes; Celery's hands on whatever it is given to that of all signatures",
    "canvas._chord.clone": "the same",
    **dict.fromkeys(
        ("schedules.crontab", "schedules.solar"),
        "names what it takes besides: nowfun, app and tz; Celery's hands on whatever it is given",
    ),
    "settings.broker_channel_error_retry": "on by default: a task that runs into `consumer_timeout` ends no worker",
    "settings.beat_scheduler": "a driver's name in place of a class",
    "settings.redis_socket_keepalive": "on by default: a server that has gone without a word is noticed",
    "settings.worker_pool": "the kernel itself has no other; `celeriac-suite` brings prefork",
}

#: Here, and shown by no test that would not be one of Python's own behaviour.
UNSHOWN: Final[dict[str, str]] = {
    "settings.result_cache_max": "accepted; a client keeps no results, so there is nothing to bound",
    "settings.result_chord_join_timeout": "accepted; the parts of a chord are counted, and nobody waits for them",
    "settings.worker_enable_prefetch_count_reduction": "accepted; what runs counts for the prefetch at any time",
    "settings.worker_lost_wait": "accepted; the end of a process is seen when it comes, with all that it has said",
    "settings.worker_pool_putlocks": "accepted; what a process is handed is always bounded",
    "settings.worker_timer_precision": "accepted; the loop wakes when something is due",
}

#: Parts that are being completed: excuses every gap of the names, until there is none.
ARRIVING: Final[dict[str, str]] = {}
