"""The file of the schedule."""

from __future__ import annotations

import resource
import shelve
import signal
import sys
from datetime import UTC, datetime
from zlib import crc32

import pytest

from celeriac.beat import PersistentScheduler
from celeriac.beat.record import Record
from celeriac.exceptions import ImproperlyConfigured

RUN = {"last_run_at": "2024-05-15T12:00:00+00:00", "total_run_count": 1}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "celerybeat-schedule"


def test_a_file_cut_at_any_byte_has_what_was_whole(path):
    # Given a file to which much was added
    record = Record(path)
    record.replace({"a": RUN})
    for count in range(2, 6):
        record.add({"a": {**RUN, "total_run_count": count}, "b": {**RUN, "total_run_count": count}})
    record.close()
    whole = path.read_bytes()
    header = whole.index(b"\n") + 1
    counts = []
    for length in range(header, len(whole) + 1):
        # When it is cut
        path.write_bytes(whole[:length])
        found = Record(path).read()
        # Then each entry is as one of the lines before has it
        assert found.keys() <= {"a", "b"}
        counts.append(found.get("a", {}).get("total_run_count", 0))
        # and can be added to
        again = Record(path)
        again.add({"c": RUN})
        again.close()
        assert Record(path).read() == {**found, "c": RUN}
    assert counts == sorted(counts)
    assert set(counts) == {0, 1, 2, 3, 4, 5}


def test_a_changed_line_is_passed_over(path):
    record = Record(path)
    record.replace({"a": RUN, "b": RUN})
    path.write_bytes(path.read_bytes().replace(b'"a"', b'"x"'))
    assert Record(path).read() == {"b": RUN}


@pytest.mark.parametrize("text", [b"[]", b"7", b"{", b"\xff", b"[" * 100_000])
def test_a_line_that_is_no_map_is_passed_over_whatever_its_checksum(path, text):
    record = Record(path)
    record.replace({"a": RUN})
    with path.open("ab") as file:
        file.write(b"%08x %b\n" % (crc32(text), text))
    assert Record(path).read() == {"a": RUN}


@pytest.mark.parametrize(
    "known",
    [{}, {"last_run_at": 7}, {**RUN, "last_run_at": "2024-05-15T12:00:00"}, {**RUN, "total_run_count": float("inf")}],
)
def test_a_last_run_that_cannot_be_read_is_told_of_and_counts_from_now_on(make_app, path, caplog, known):
    app = make_app(beat_schedule={"tick": {"task": "t", "schedule": 60}}, beat_schedule_filename=str(path))
    Record(path).replace({"tick": known})
    before = datetime.now(UTC)
    entry = PersistentScheduler(app).schedule["tick"]
    assert entry.last_run_at >= before
    assert entry.total_run_count == 0
    assert "when 'tick' ran last cannot be read" in caplog.text


def test_the_old_contents_are_there_until_the_new_are(path, monkeypatch):
    record = Record(path)
    record.replace({"a": RUN})
    monkeypatch.setattr("os.fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(ImproperlyConfigured, match=r"cannot be used: .*No space left on device"):
        record.replace({"b": RUN})
    assert Record(path).read() == {"a": RUN}


def test_a_file_of_another_program_is_moved_aside(path, caplog):
    with shelve.open(str(path)) as other:
        other["entries"] = {}
    made = next(each for each in path.parent.glob("celerybeat-schedule*"))
    made.rename(path)
    assert Record(path).read() == {}
    assert path.with_name("celerybeat-schedule.old").exists()
    assert "is not a schedule of Celeriac" in caplog.text


def test_a_place_that_cannot_be_written_is_told(make_app, tmp_path):
    app = make_app(beat_schedule={})
    with pytest.raises(ImproperlyConfigured, match="name another with --schedule"):
        PersistentScheduler(app, schedule_filename=str(tmp_path / "absent" / "file"))


@pytest.mark.covers("settings.beat_schedule_filename", "settings.beat_sync_every")
def test_a_run_is_known_after_a_crash(make_app, path):
    entries = {"tick": {"task": "t", "schedule": 60}}
    app = make_app(beat_schedule=entries, beat_schedule_filename=str(path))
    first = PersistentScheduler(app)
    run = datetime(2024, 5, 15, 12, tzinfo=UTC)
    first.reserve(first.schedule["tick"], run)
    first._record.close()
    # When it ends without a word, and another begins
    second = PersistentScheduler(app)
    # Then that knows of the run
    assert second.schedule["tick"].last_run_at == run
    assert second.schedule["tick"].total_run_count == 1


def test_a_last_run_in_the_future_is_taken_for_now(make_app, path):
    app = make_app(beat_schedule={"tick": {"task": "t", "schedule": 60}}, beat_schedule_filename=str(path))
    scheduler = PersistentScheduler(app)
    scheduler.reserve(scheduler.schedule["tick"], datetime(2999, 1, 1, tzinfo=UTC))
    scheduler._record.close()
    entry = PersistentScheduler(app).schedule["tick"]
    assert entry.last_run_at <= entry.default_now()


def test_the_file_is_written_anew_when_it_has_grown(make_app, tmp_path):
    file = tmp_path / "schedule"
    app = make_app(beat_schedule={"tick": {"task": "t", "schedule": 1}})
    scheduler = PersistentScheduler(app, schedule_filename=str(file))

    def lines():
        return len(file.read_bytes().splitlines())

    # Given a run or two, of which each adds a line
    for _ in range(3):
        scheduler.reserve(scheduler.schedule["tick"])
    scheduler.sync()
    assert lines() > 4
    # When there are more of them than it takes to tell
    for _ in range(1100):
        scheduler.reserve(scheduler.schedule["tick"])
    scheduler.sync()
    # Then the file says the same in as many lines as there are entries, and a title
    assert lines() == 2
    scheduler.close()
    assert PersistentScheduler(app, schedule_filename=str(file)).schedule["tick"].total_run_count == 1103


def test_beat_goes_on_while_its_disk_is_full_and_writes_again_after_that(make_app, path, caplog):
    # Given a file that takes no more, in the midst of a line
    entries = {"tick": {"task": "t", "schedule": 60}, "tock": {"task": "t", "schedule": 60}}
    scheduler = PersistentScheduler(make_app(beat_schedule=entries, beat_schedule_filename=str(path)))
    runs = [datetime(2024, 5, 15, 12, minute, tzinfo=UTC) for minute in range(3)]
    _, limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, limit))
    try:
        scheduler.reserve(scheduler.schedule["tick"], runs[0])
        scheduler.reserve(scheduler.schedule["tock"], runs[1])
        scheduler.sync()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        signal.signal(signal.SIGXFSZ, handler)
    # Then beat has gone on, has said so once, and what it knew before is there
    assert scheduler.schedule["tock"].last_run_at == runs[1]
    assert caplog.text.count("the file of the schedule cannot be used") == 1
    assert [fault.partition(":")[0] for fault in scheduler.faults()] == ["the file of the schedule cannot be used"]
    assert Record(path).read().keys() == {"tick", "tock"}
    # When there is room again, then all is written
    scheduler._monotonic_try = 0.0
    scheduler.reserve(scheduler.schedule["tock"], runs[2])
    assert "is written again" in caplog.text
    assert scheduler.faults() == []
    found = {name: datetime.fromisoformat(known["last_run_at"]) for name, known in Record(path).read().items()}
    assert found == {"tick": runs[0], "tock": runs[2]}
    scheduler.close()


HOLDER = """
import signal, sys
from pathlib import Path
from celeriac.beat.record import Record
Record(Path(sys.argv[1])).claim()
print("held", flush=True)
signal.pause()
"""


def test_two_processes_do_not_use_one_file(make_app, path, spawn):
    app = make_app(beat_schedule={}, beat_schedule_filename=str(path))
    other = spawn(sys.executable, "-c", HOLDER, str(path))
    other.wait_for_output("held")
    with pytest.raises(ImproperlyConfigured, match=f"another beat, process {other.pid}, uses the file"):
        PersistentScheduler(app)
    # When that process dies, however, then this one does
    other.kill()
    other.wait()
    PersistentScheduler(app).close()
    again = spawn(sys.executable, "-c", HOLDER, str(path))
    again.wait_for_output("held")
