"""The tables, and which version of them a file has.

The bodies of messages are written once and never touched until they are deleted; where a message is (ready, held back
until its time, claimed) is kept in small tables beside them, so that handing on a message moves a few bytes.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from celeriac_sqlite.errors import StorageError

#: "Celr": how `file` and SQLite know whose file it is.
APPLICATION_ID: Final = 0x43656C72
#: The version of the tables below, kept in the file as user_version.
VERSION: Final = 6

#: Names of the counters in `sequence`.
MESSAGES: Final = "message"
RESULTS: Final = "result"
TOPOLOGY: Final = "topology"

_TABLES: Final = (
    # Numbers that only ever grow; ids must never be used twice, or a late ack would hit a new message.
    "CREATE TABLE sequence (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    "INSERT INTO sequence VALUES ('message', 0), ('result', 0), ('topology', 0)",
    # rank is 9 - priority, so that ascending order is the order of delivery. expires: seconds since the epoch.
    """CREATE TABLE message (
        id INTEGER PRIMARY KEY,
        queue TEXT NOT NULL,
        rank INTEGER NOT NULL,
        expires REAL,
        headers TEXT NOT NULL,
        properties TEXT NOT NULL,
        body BLOB NOT NULL,
        content_type TEXT NOT NULL,
        content_encoding TEXT NOT NULL,
        exchange TEXT NOT NULL,
        routing_key TEXT NOT NULL
    )""",
    # deliveries: how often the message has been delivered before.
    """CREATE TABLE ready (
        queue TEXT NOT NULL,
        rank INTEGER NOT NULL,
        id INTEGER NOT NULL,
        deliveries INTEGER NOT NULL,
        PRIMARY KEY (queue, rank, id)
    ) WITHOUT ROWID""",
    """CREATE TABLE delayed (
        queue TEXT NOT NULL,
        eta REAL NOT NULL,
        id INTEGER NOT NULL,
        rank INTEGER NOT NULL,
        deliveries INTEGER NOT NULL,
        PRIMARY KEY (queue, eta, id)
    ) WITHOUT ROWID""",
    # owner is NULL for a begun message whose owner died.
    """CREATE TABLE claim (
        id INTEGER PRIMARY KEY,
        owner INTEGER,
        begun INTEGER NOT NULL,
        deliveries INTEGER NOT NULL
    )""",
    "CREATE INDEX claim_orphan ON claim (id) WHERE owner IS NULL",
    # lease_until is on the monotonic clock of the boot named in `boot`.
    """CREATE TABLE owner (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        boot TEXT NOT NULL,
        pid_namespace TEXT NOT NULL,
        pid INTEGER NOT NULL,
        started TEXT NOT NULL,
        lease REAL NOT NULL,
        lease_until REAL NOT NULL
    )""",
    """CREATE TABLE queue (
        name TEXT PRIMARY KEY,
        ttl REAL,
        idle_limit REAL,
        used REAL NOT NULL,
        owner INTEGER
    ) WITHOUT ROWID""",
    "CREATE TABLE exchange (name TEXT PRIMARY KEY, type TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE binding (
        exchange TEXT NOT NULL,
        routing_key TEXT NOT NULL,
        queue TEXT NOT NULL,
        PRIMARY KEY (exchange, routing_key, queue)
    ) WITHOUT ROWID""",
    # seq grows with each change, in the order of the commits: what is newer than the last seen is news.
    """CREATE TABLE result (
        seq INTEGER PRIMARY KEY,
        task_id TEXT NOT NULL UNIQUE,
        status TEXT NOT NULL,
        expires REAL,
        content_type TEXT NOT NULL,
        content_encoding TEXT NOT NULL,
        payload BLOB NOT NULL
    )""",
    "CREATE INDEX result_expires ON result (expires) WHERE expires IS NOT NULL",
)

_GROUPS: Final = (
    # What GroupResult.save keeps: which results belong together.
    """CREATE TABLE taskset (
        id TEXT PRIMARY KEY,
        expires REAL,
        content_type TEXT NOT NULL,
        content_encoding TEXT NOT NULL,
        payload BLOB NOT NULL
    )""",
    "CREATE INDEX taskset_expires ON taskset (expires) WHERE expires IS NOT NULL",
)

_CHORDS: Final = (
    # size + extra parts complete it; claimed: when somebody began to send the body, in seconds since the epoch.
    """CREATE TABLE chord (
        id TEXT PRIMARY KEY,
        size INTEGER,
        extra INTEGER NOT NULL DEFAULT 0,
        parts INTEGER NOT NULL DEFAULT 0,
        claimed REAL,
        done INTEGER NOT NULL DEFAULT 0,
        expires REAL,
        body BLOB
    )""",
    "CREATE INDEX chord_expires ON chord (expires) WHERE expires IS NOT NULL",
    """CREATE TABLE chord_part (
        id INTEGER PRIMARY KEY,
        chord TEXT NOT NULL,
        task_id TEXT NOT NULL,
        place INTEGER,
        state TEXT NOT NULL,
        content_type TEXT NOT NULL,
        content_encoding TEXT NOT NULL,
        payload BLOB NOT NULL,
        UNIQUE (chord, task_id)
    )""",
)

_ADMISSIONS: Final = (
    # Of several messages that call the body of a chord, the one that runs it.
    "CREATE TABLE chord_admission (call TEXT PRIMARY KEY, token TEXT NOT NULL, expires REAL) WITHOUT ROWID",
    "CREATE INDEX chord_admission_expires ON chord_admission (expires) WHERE expires IS NOT NULL",
)

_PRIMITIVES: Final = (
    # What processes agree on: values, sorted sets, locks. `until` is on the monotonic clock of the machine.
    "CREATE TABLE entry (key TEXT PRIMARY KEY, value BLOB NOT NULL, expires REAL)",
    "CREATE INDEX entry_expires ON entry (expires) WHERE expires IS NOT NULL",
    "CREATE TABLE member (name TEXT NOT NULL, member TEXT NOT NULL, score REAL NOT NULL, PRIMARY KEY (name, member))",
    "CREATE INDEX member_score ON member (name, score, member)",
    """CREATE TABLE lock (
        name TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        token INTEGER NOT NULL,
        until REAL NOT NULL,
        seconds REAL NOT NULL
    )""",
)

#: When a message was sent, in seconds since the epoch; NULL for those of before.
_TIMES: Final = ("ALTER TABLE message ADD COLUMN sent REAL",)

#: The statements that lead from one version to the next, beginning with those for an empty file.
_STEPS: Final = (_TABLES, _GROUPS, _CHORDS, _ADMISSIONS, _PRIMITIVES, _TIMES)


def check(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the file has all tables; False for an empty one and for one of an older version.

    Raises StorageError for a file of another application and for one of a newer version.
    """
    # One statement, so that what another process is making at this moment is seen whole or not at all.
    application_id, version, has_tables = connection.execute(
        "SELECT application_id, user_version, EXISTS (SELECT 1 FROM sqlite_master)"
        " FROM pragma_application_id, pragma_user_version"
    ).fetchone()
    if application_id == APPLICATION_ID:
        if version > VERSION:
            raise StorageError(
                f"SQLite file {path} was made by a newer celeriac-sqlite (its tables have version {version}, this one"
                f" knows {VERSION}); upgrade with `pip install -U celeriac-sqlite`, or name another file"
            )
        return bool(version == VERSION)
    if has_tables or application_id or version:
        raise StorageError(
            f"SQLite file {path} belongs to another application; name another file in broker_url and result_backend"
        )
    return False


def create(connection: sqlite3.Connection) -> None:
    """Make the tables that are missing, within the caller's transaction."""
    ((version,),) = connection.execute("PRAGMA user_version")
    for step in _STEPS[version:]:
        for statement in step:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
