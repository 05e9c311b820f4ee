"""The producer lane."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from celeriac.contracts import OutgoingMessage, ProducerLane
from celeriac_sqlite.database import Database
from celeriac_sqlite.publisher import Publisher
from celeriac_sqlite.topology import Topology

if TYPE_CHECKING:
    from celeriac_sqlite.options import FileOptions


class SqliteProducerLane(ProducerLane):
    """Publishes into one file."""

    def __init__(self, path: Path, options: FileOptions) -> None:
        self._database = Database(path, options)
        self._publisher = Publisher(self._database, Topology(self._database))

    def publish(self, messages: Sequence[OutgoingMessage]) -> None:
        self._publisher.publish(messages)

    def close(self) -> None:
        self._publisher.close()
        self._database.close()
