"""Whatever is wrong with the file, the error names it and what mends it, and nothing is lost."""

from __future__ import annotations

import logging
import os
import pickle
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from kombu import Connection
from kombu.exceptions import OperationalError

from celeriac.contracts import StoredResult
from celeriac.exceptions import StoreUnavailable
from celeriac_sqlite.backend import SqliteBackend
from celeriac_sqlite.broker import SqliteTransport
from celeriac_sqlite.place import url_of

NOBODY = 65534


def error_of(path, user=None, message=None):
    """Return what opening a lane there, and publishing, raises; as an ordinary user if the test runs as root."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        if os.geteuid() == 0:
            os.setuid(NOBODY)
        answer = "no error"
        try:
            lane = SqliteTransport.producer_lane(Connection(url_of(path), transport=SqliteTransport))
            lane.publish([message] if message else [])
        except OperationalError as error:
            answer = str(error)
        finally:
            os.write(writing, pickle.dumps(answer))
            os._exit(0)
    os.waitpid(pid, 0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        return pickle.loads(pipe.read())


@pytest.fixture
def public():
    """Return a directory that every user may enter, which pytest's are not."""
    directory = Path(tempfile.mkdtemp(prefix="celeriac-test-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def path(public):
    return public / "queue.db"


def test_a_directory_that_may_not_be_written_is_named(public):
    public.chmod(0o555)
    found = error_of(public / "new.db")
    assert f"{public / 'new.db'} cannot be made, because directory {public} is not writable by user" in found
    assert "give this user write permission on it, or name another file in broker_url" in found


def test_a_file_that_may_not_be_written_is_named(path, producer, message):
    producer.publish([message()])
    producer.close()
    path.chmod(0o444)
    path.parent.chmod(0o777)
    found = error_of(path, message=message())
    assert f"{path} is not writable by user" in found
    assert "give this user" in found


def test_a_missing_directory_is_named(path):
    found = error_of(path / "deeper" / "queue.db")
    assert found.endswith(
        f"because there is no directory {path}/deeper; make it (mkdir -p {path}/deeper) or name another"
    )


def test_a_directory_is_no_file(public, connect):
    with pytest.raises(OperationalError, match="that is a directory; name a file in it"):
        SqliteTransport.producer_lane(Connection(url_of(public), transport=SqliteTransport))


def test_a_file_of_something_else_is_left_alone(path, connect):
    path.write_bytes(b"These are my notes, not a database.\n" * 50)
    with pytest.raises(OperationalError, match=f"{path} is not an SQLite file; name another"):
        SqliteTransport.producer_lane(connect())
    assert path.read_bytes().startswith(b"These are my notes")


def test_a_database_of_another_application_is_left_alone(path, connect):
    with closing(sqlite3.connect(path)) as theirs:
        theirs.execute("CREATE TABLE bookmarks (url TEXT)")
    before = path.read_bytes()
    with pytest.raises(OperationalError, match=f"{path} belongs to another application"):
        SqliteTransport.producer_lane(connect())
    assert path.read_bytes() == before


def test_a_file_of_a_newer_version_is_refused(path, connect, producer, query):
    query("PRAGMA user_version = 99")
    with pytest.raises(OperationalError, match=r"newer celeriac-sqlite \(its tables have version 99.*pip install -U"):
        SqliteTransport.producer_lane(connect())


def test_a_damaged_file_is_said_to_be_damaged(path, connect, producer, message):
    producer.publish([message(os.urandom(2000)) for _ in range(200)])
    producer.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 300_000)
    # Where it is seen, when opening it or when writing, depends on what was hit
    with pytest.raises(OperationalError, match=r"is damaged; stop all processes.*\.recover"):
        SqliteTransport.producer_lane(connect()).publish([message()])


def test_a_full_disk_loses_nothing_and_is_survived(producer, consume, message, tables):
    producer.publish([message()] * 3)
    database = producer._database
    ((pages,),) = database.rows("PRAGMA page_count")
    database.rows(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(OperationalError, match="the disk is full; free some space"):
        producer.publish([message(b"x" * 100_000)])
    assert tables().message == 3

    database.rows("PRAGMA max_page_count = 1000000")
    producer.publish([message(b"x" * 100_000)])
    assert len(consume().claim(10)) == 4


def test_the_result_store_says_so_too(app, path):
    path.write_bytes(b"These are my notes, not a database.\n" * 50)
    backend = SqliteBackend(app, url_of(path))
    with pytest.raises(StoreUnavailable, match=f"{path} is not an SQLite file"):
        backend.store([StoredResult("a", "SUCCESS", {})])


def test_a_file_that_was_made_can_only_be_read_by_its_user(producer, path):
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.with_name("queue.db.wake").exists() is False  # nobody listens yet


def test_sockets_are_in_a_directory_of_their_user(consume, path):
    consume()
    assert path.with_name("queue.db.wake").stat().st_mode & 0o777 == 0o700


def test_a_directory_of_sockets_that_others_can_write_is_not_used(path, consume, producer, message, loop):
    path.with_name("queue.db.wake").mkdir()
    path.with_name("queue.db.wake").chmod(0o777)
    lane = consume()
    assert list(path.with_name("queue.db.wake").iterdir()) == []
    loop.turn_until(lambda: loop.calls)
    before = loop.calls
    producer.publish([message()])
    loop.turn_until(lambda: loop.calls > before)  # the safety net
    assert len(lane.claim(1)) == 1


def test_a_file_that_is_removed_under_a_worker_is_missed_aloud(path, consume, loop, caplog):
    consume()
    path.rename(path.with_name("moved.db"))
    with caplog.at_level(logging.ERROR, "celeriac.sqlite"):
        loop.turn_until(lambda: caplog.records)
    assert f"{path} was removed or replaced" in caplog.text
