"""Who holds claims, and whether they still live.

An owner is dead when its process has gone, seen at once by others of the same machine and process namespace, or when
its lease has run out. Leases are counted on the monotonic clock, which all processes of one boot share, so that neither
a corrected clock nor a suspended laptop kills anybody.
"""

from __future__ import annotations

import os
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from celeriac.contracts.hosts import boot_id
from celeriac_sqlite.topology import delete_queue

if TYPE_CHECKING:
    from collections.abc import Collection

    from celeriac_sqlite.database import Database


class Identity(NamedTuple):
    """What tells one process from every other, also after a reboot."""

    boot: str
    pid_namespace: str
    pid: int
    started: str


def this_process() -> Identity:
    """The identity of the calling process."""
    return _identity(os.getpid())


@cache
def _identity(pid: int) -> Identity:
    # Where there is no id of the boot, a lease from before a reboot is recognised by its time.
    return Identity(boot_id(), _pid_namespace(), pid, _started(pid) or "")


@cache
def _pid_namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _started(pid: int) -> str | None:
    """When the process was started, in the kernel's words; None if there is none, "" where that is not told."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return None if os.path.exists("/proc/self/stat") else _signalled(pid)
    except ProcessLookupError:
        return None
    except OSError:
        return ""
    # The second field, the name in brackets, may hold anything.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def _signalled(pid: int) -> str | None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:  # it exists and is another user's
        return ""
    return ""


def register(database: Database) -> int:
    """Add this process as an owner and return its number; within a transaction."""
    lease = database.options.lease
    cursor = database.execute(
        "INSERT INTO owner (boot, pid_namespace, pid, started, lease, lease_until) VALUES (?, ?, ?, ?, ?, ?)",
        (*this_process(), lease, time.monotonic() + lease),
    )
    return int(cursor.lastrowid or 0)


def renew(database: Database, owner: int) -> bool:
    """Extend the lease; False when it has run out and others have taken what was claimed.  Within a transaction."""
    cursor = database.execute(
        "UPDATE owner SET lease_until = ? WHERE id = ?", (time.monotonic() + database.options.lease, owner)
    )
    return bool(cursor.rowcount)


def renew_all(database: Database) -> None:
    """Extend the leases of all owners that this process is; within a transaction."""
    database.execute(
        "UPDATE owner SET lease_until = ? WHERE boot = ? AND pid_namespace = ? AND pid = ? AND started = ?",
        (time.monotonic() + database.options.lease, *this_process()),
    )


def is_registered(database: Database, owner: int) -> bool:
    """Whether the owner's claims are still its own; within a transaction."""
    return database.execute("SELECT 1 FROM owner WHERE id = ?", (owner,)).fetchone() is not None


def reap(database: Database, spared: Collection[int | None] = ()) -> bool:
    """Release what dead owners hold; whether there was any.  Looks without a lock, and locks only to release.

    Their claims become ready again, counted as deliveries, those of begun messages become orphans; their exclusive
    queues are deleted. `spared` are the caller's own, who live.
    """
    dead = _dead(database, spared)
    if not dead:
        return False
    with database:
        for owner in _dead(database, spared):  # again, now that nobody can renew
            remove(database, owner, counted=True)
    return True


def remove(database: Database, owner: int, *, counted: bool) -> None:
    """Delete an owner and release what it holds; within a transaction.

    `counted`: its messages count as delivered.
    """
    back = 0 if counted else 1
    database.execute(
        "INSERT INTO ready SELECT m.queue, m.rank, c.id, c.deliveries - ? FROM claim c JOIN message m ON m.id = c.id"
        " WHERE c.owner = ? AND NOT c.begun",
        (back, owner),
    )
    database.execute("DELETE FROM claim WHERE owner = ? AND NOT begun", (owner,))
    database.execute("UPDATE claim SET owner = NULL WHERE owner = ?", (owner,))
    for (queue,) in database.execute("SELECT name FROM queue WHERE owner = ?", (owner,)).fetchall():
        delete_queue(database, queue)
    database.execute("DELETE FROM owner WHERE id = ?", (owner,))


def _dead(database: Database, spared: Collection[int | None]) -> list[int]:
    now = time.monotonic()
    me = this_process()
    found = []
    for owner, boot, namespace, pid, started, lease, lease_until in database.rows(
        "SELECT id, boot, pid_namespace, pid, started, lease, lease_until FROM owner"
    ):
        # A lease that ends later than it may was written before a reboot.
        ran_out = boot != me.boot or not now <= lease_until <= now + lease + 1
        if owner not in spared and (ran_out or (namespace == me.pid_namespace and _started(pid) != started)):
            found.append(owner)
    return found
