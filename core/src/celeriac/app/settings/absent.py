"""Settings of Celery that the kernel does not have, each with its reason."""

from __future__ import annotations

from typing import Final

_STORE: Final = "Belongs to the plugin of that result store, which brings its own settings."

#: Names (with a glob where a family shares the reason), and the reason.
ABSENT: Final = (
    ("`arangodb_*`, `azureblockblob_*`, `cassandra_*`, `cosmosdbsql_*`, `couchbase_*`", _STORE),
    ("`database_*`, `elasticsearch_*`, `gcs_*`, `mongodb_*`, `redis_*`, `s3_*`, `cache_backend*`", _STORE),
    ("`result_exchange`, `result_exchange_type`", "Belong to the plugin of the rpc result store."),
    ("`security_*`", "Belong to `celeriac-auth`, which signs messages."),
    ("`worker_timer`", "The loop has one timer, which is exact."),
)
