"""The broker driver."""

from __future__ import annotations

from typing import Any

from kombu.transport import virtual

from celeriac_sqlite.consumer import SqliteConsumerLane
from celeriac_sqlite.database import FileOptions
from celeriac_sqlite.place import path_of
from celeriac_sqlite.producer import SqliteProducerLane


class SqliteTransport(virtual.Transport):
    """Kombu's transport over one SQLite file."""

    api_version = 1
    can_parse_url = True
    driver_type = "sqlite"
    driver_name = "sqlite3"

    @classmethod
    def producer_lane(cls, connection: Any) -> SqliteProducerLane:
        """A lane into the file that the Kombu connection names."""
        options = connection.transport_options or {}
        return SqliteProducerLane(
            path_of(connection.hostname, options.get("app_name")),
            FileOptions.of(options),
            embedded=bool(options.get("embedded")),
        )

    @classmethod
    def consumer_lane(cls, connection: Any) -> SqliteConsumerLane:
        """A lane out of the file that the Kombu connection names."""
        options = connection.transport_options or {}
        return SqliteConsumerLane(path_of(connection.hostname, options.get("app_name")), FileOptions.of(options))
