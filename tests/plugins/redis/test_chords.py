"""Chords are counted on Celery's keys, each part once, and one caller is told to call the body."""

from __future__ import annotations

import json
import threading

import pytest

from celeriac.contracts import ChordPart, ChordStore, NewChord, StoredResult, Turn
from celeriac.exceptions import ProtocolError, SerializationError
from celeriac_redis.backend import RedisBackend

BODY = {"task": "sum", "args": [], "kwargs": {}, "options": {"task_id": "body"}}


@pytest.fixture
def backend(app, url):
    backend = RedisBackend(app, url)
    yield backend
    backend.close()


@pytest.fixture
def key(prefix):
    return lambda suffix, group="g": f"{prefix}celery-taskset-meta-{group}.{suffix}"


def part(number, state="SUCCESS", value=None, group="g"):
    return ChordPart(group, number, f"task-{number}", state, number if value is None else value)


def result(task_id):
    return StoredResult(task_id, "SUCCESS", {"status": "SUCCESS", "result": 1, "task_id": task_id})


def test_the_last_part_has_its_caller_call_the_body(backend):
    assert isinstance(backend, ChordStore)
    backend.start_chords([NewChord("g", 3, BODY)])
    assert backend.store_with_parts([result("task-2"), result("task-0")], [part(2), part(0)]) == {}
    assert backend.store_with_parts([], [part(1)]) == {"g": Turn.CLAIMED}
    assert backend.read_chord("g") == (BODY, [(f"task-{n}", "SUCCESS", n) for n in range(3)])
    assert set(backend.fetch(["task-0", "task-2"])) == {"task-0", "task-2"}
    backend.end_chords(["g"])
    assert backend.read_chord("g") == (None, [])


def test_the_keys_are_those_of_celery(backend, server, key):
    backend.start_chords([NewChord("g", 2, BODY)])
    backend.grow_chord("g")
    backend.store_with_parts(
        [], [part(1, value={"a": 1}), ChordPart("g", None, "task-x", "FAILURE", {"exc_type": "E"})]
    )
    assert server.get(key("s")) == b"2"
    assert server.get(key("t")) == b"1"
    found = [(json.loads(member), score) for member, score in server.zrange(key("j"), 0, -1, withscores=True)]
    assert found == [
        ([1, "task-1", "SUCCESS", {"a": 1}], 1.0),
        ([1, "task-x", "FAILURE", {"exc_type": "E"}], float("inf")),
    ]
    assert server.smembers(key("d")) == {b"task-1:1", b"task-x:+inf"}
    assert not server.exists(key("c"))
    for suffix in "jtsd":
        assert 86_000 < server.ttl(key(suffix)) <= 86_400
    assert backend.store_with_parts([], [part(2)]) == {"g": Turn.CLAIMED}
    assert 25 < server.ttl(key("c")) <= 30
    backend.end_chords(["g"])
    assert server.get(key("c")) == b"done"
    assert server.ttl(key("c")) >= 300
    assert not server.exists(*map(key, "jtsdb"))


def test_what_celery_has_written_is_counted_and_read(backend, server, key):
    server.set(key("s"), 2)
    server.zadd(key("j"), {json.dumps([1, "theirs", "SUCCESS", 5]): 0})
    assert backend.store_with_parts([], [part(1)]) == {"g": Turn.CLAIMED}
    assert backend.read_chord("g") == (None, [("theirs", "SUCCESS", 5), ("task-1", "SUCCESS", 1)])


def test_a_chord_that_celery_has_claimed_or_called_is_left_to_it(backend, server, key):
    backend.start_chords([NewChord("g", 1), NewChord("h", 1)])
    server.set(key("c"), "0123")
    server.set(key("c", "h"), "done")
    assert backend.store_with_parts([], [part(0), part(0, group="h")]) == {}
    assert backend.store_with_parts([], [part(0)]) == {"g": Turn.BUSY}
    assert backend.claim_chord("g") is Turn.BUSY
    assert backend.claim_chord("h") is None


def test_a_part_counts_once(backend):
    backend.start_chords([NewChord("g", 2)])
    assert backend.store_with_parts([], [part(0), part(0)]) == {}
    assert backend.store_with_parts([], [part(0, "FAILURE")]) == {}
    assert backend.store_with_parts([], [part(1), part(0)]) == {"g": Turn.CLAIMED}
    assert backend.read_chord("g")[1] == [("task-0", "SUCCESS", 0), ("task-1", "SUCCESS", 1)]


def test_a_claim_that_came_to_nothing_passes_to_who_asks_later(backend, server, key):
    backend.start_chords([NewChord("g", 1)])
    assert backend.claim_chord("g") is None
    assert backend.store_with_parts([], [part(0)]) == {"g": Turn.CLAIMED}
    assert backend.store_with_parts([], [part(0)]) == {"g": Turn.BUSY}
    server.delete(key("c"))  # as its time to live does
    assert backend.claim_chord("g") is Turn.CLAIMED
    backend.end_chords(["g"])
    assert backend.claim_chord("g") is None
    assert backend.store_with_parts([], [part(0), part(7)]) == {}


def test_a_chord_whose_size_is_not_known_waits_for_it(backend):
    assert backend.store_with_parts([], [part(0)]) == {}
    backend.grow_chord("g", 2)
    backend.start_chords([NewChord("g", 1, BODY)])
    backend.start_chords([NewChord("g", 9, None)])
    assert backend.store_with_parts([], [part(1)]) == {}
    assert backend.store_with_parts([], [part(2)]) == {"g": Turn.CLAIMED}
    assert backend.read_chord("g")[0] == BODY


def test_a_called_chord_does_not_start_again(backend, server, key):
    backend.end_chords(["g"])
    backend.start_chords([NewChord("g", 1)])
    assert not server.exists(key("s"))


@pytest.mark.covers("settings.result_chord_expires")
def test_chords_are_kept_as_long_as_is_asked(backend, server, key, app):
    backend.start_chords([NewChord("g", 2, BODY, expires=50)])
    assert {48, 49, 50} >= {server.ttl(key("s")), server.ttl(key("b"))}
    app.conf.result_chord_expires = 100
    backend.store_with_parts([], [part(0)])
    assert 95 <= server.ttl(key("j")) <= 100


def test_nothing_is_stored_when_something_cannot_be_encoded(backend, server, key):
    with pytest.raises(SerializationError):
        backend.store_with_parts([result("a")], [part(0), part(1, value=object())])
    assert not backend.fetch(["a"])
    assert not server.exists(key("j"))


def test_a_part_of_another_form_is_an_error_that_says_so(backend, server, key):
    server.zadd(key("j"), {"[1, 2]": 0})
    with pytest.raises(ProtocolError, match="a part of a chord"):
        backend.read_chord("g")


def test_of_many_threads_one_calls_the_body(backend):
    backend.start_chords([NewChord("g", 64)])
    turns = []

    def add(start):
        for number in range(start, start + 8):
            turns.extend(backend.store_with_parts([], [part(number)] * 2).values())

    threads = [threading.Thread(target=add, args=(start,)) for start in range(0, 64, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert turns.count(Turn.CLAIMED) == 1
    assert len(backend.read_chord("g")[1]) == 64


def test_compressed_results_leave_parts_readable_to_all(app, backend, server, key):
    app.conf.result_compression = "gzip"
    backend.start_chords([NewChord("g", 1, BODY)])
    assert backend.store_with_parts([result("a")], [part(0)]) == {"g": Turn.CLAIMED}
    (member,) = server.zrange(key("j"), 0, -1)
    assert json.loads(member) == [1, "task-0", "SUCCESS", 0]
    assert backend.read_chord("g")[0] == BODY
