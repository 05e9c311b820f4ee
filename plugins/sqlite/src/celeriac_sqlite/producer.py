"""The producer lane."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from celeriac.contracts import OutgoingMessage, ProducerLane
from celeriac_sqlite.database import Database, FileOptions
from celeriac_sqlite.publisher import Publisher
from celeriac_sqlite.topology import Topology

logger = logging.getLogger("celeriac.sqlite")

_announced: set[Path] = set()


class SqliteProducerLane(ProducerLane):
    """Publishes into one file.

    `embedded`: the file is the one that is used when nothing is configured, which is said once per process.
    """

    def __init__(self, path: Path, options: FileOptions, *, embedded: bool = False) -> None:
        self._database = Database(path, options)
        self._publisher = Publisher(self._database, Topology(self._database))
        if embedded and path not in _announced:
            _announced.add(path)
            logger.info("no broker is configured: tasks go to the embedded queue in %s", path)

    def publish(self, messages: Sequence[OutgoingMessage]) -> None:
        self._publisher.publish(messages)

    def close(self) -> None:
        self._publisher.close()
        self._database.close()
