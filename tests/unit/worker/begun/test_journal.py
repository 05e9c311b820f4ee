"""The file is readable at whatever byte its writer is killed."""

from __future__ import annotations

import mmap
import os
import random

import pytest

from celeriac.worker.begun.journal import BEGUN, DOUBTFUL, STEP, Full, Journal, Trace, grown, unended


class Cut(bytearray):
    """Memory that is looked at after each byte that is written."""

    look = None

    def __setitem__(self, at, value):
        if isinstance(at, int):
            at, value = slice(at, at + 1), bytes((value,))
        assert at.stop - at.start == len(value)
        for offset, byte in enumerate(value):
            super().__setitem__(at.start + offset, byte)
            if self.look is not None:
                self.look()


@pytest.fixture
def memory():
    return Cut(STEP)


@pytest.fixture
def journal(memory):
    return Journal(memory, -1)


@pytest.fixture
def file(tmp_path):
    """The descriptor of an empty file."""
    descriptor = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield descriptor
    os.close(descriptor)


def found(memory):
    return {each.delivery.headers["id"]: each.state for each in unended(memory)}


def test_what_was_written_is_read_again_with_all_that_it_is(journal, memory, message):
    many = [message(1, b"\x00\xff", stamps={"a": ["b", None]}), message(2, b"", "other", retries=3)]
    journal.write(many)
    assert [each.delivery for each in unended(memory)] == [each._replace(tag=None) for each in many]


@pytest.mark.parametrize("seed", range(4))
def test_at_each_byte_that_is_written_all_is_there_that_was_there_and_nothing_that_was_never(
    journal, memory, message, seed
):
    # Given a journal that is written and cleared at random, and a look at it after each byte
    chance = random.Random(seed)
    certain, open_traces, number = {}, {}, 0
    allowed: set[str] = set()

    def look():
        seen = found(memory)
        assert seen.items() >= certain.items() if not changing else seen.keys() >= certain.keys() - changing
        assert seen.keys() <= certain.keys() | allowed

    changing: set[str] = set()
    memory.look = look
    for _ in range(12):
        count = chance.randrange(1, 6)
        batch = [message(number + each, b"x" * chance.choice([0, 5, 90])) for each in range(count)]
        number += count
        ids = [each.headers["id"] for each in batch]

        # When a batch is about to begin: all of it comes into being in one step
        allowed |= {*ids}
        region = journal.write(batch)
        certain.update(dict.fromkeys(ids, DOUBTFUL))
        allowed.clear()
        assert found(memory).items() >= certain.items()

        # and has begun: each is the one or the other
        changing |= {*ids}
        journal.begun(region)
        changing.clear()
        certain.update(dict.fromkeys(ids, BEGUN))
        look()

        # and some of all end: each of those is there or gone, and all others stay
        open_traces.update({each: Trace(region, place) for place, each in enumerate(ids)})
        ended = chance.sample(sorted(open_traces), chance.randrange(len(open_traces) + 1))
        changing |= {*ended}
        allowed |= {*ended}
        journal.end([open_traces.pop(each) for each in ended])
        for each in ended:
            del certain[each]
        changing.clear()
        allowed.clear()
        look()


def test_places_of_what_has_ended_are_used_again(journal, memory, message):
    for _ in range(1000):
        region = journal.write([message(number) for number in range(10)])
        journal.end([Trace(region, number) for number in range(10)])
    assert found(memory) == {}
    assert not journal
    assert journal._end < STEP // 10


def test_the_file_grows_for_what_is_large_and_shrinks_when_it_has_ended(file, message):
    journal = Journal(grown(file, None, 0, STEP), file)
    small, large = journal.write([message(1)]), journal.write([message(2, b"x" * 3 * STEP)])
    assert os.fstat(file).st_size > 3 * STEP
    # Written, not only promised: a page for which there is no room would kill the process that touches it
    assert os.fstat(file).st_blocks * 512 >= os.fstat(file).st_size
    with mmap.mmap(file, 0) as read:
        assert [len(each.delivery.body) for each in unended(read)] == [2, 3 * STEP]
    journal.end([Trace(small, 0), Trace(large, 0)])
    assert os.fstat(file).st_size == STEP
    journal.write([message(3)])
    with mmap.mmap(file, 0) as read:
        assert found(read) == {"id-3": DOUBTFUL}


def test_beyond_its_bound_a_message_is_noted_without_its_body(file, message):
    journal = Journal(grown(file, None, 0, STEP), file, most=2 * STEP)
    journal.write([message(1), message(2, b"x" * 3 * STEP)])
    with mmap.mmap(file, 0) as read:
        assert [(each.delivery.headers["id"], each.delivery.body) for each in unended(read)] == [
            ("id-1", b""),
            ("id-2", b""),
        ]


def test_what_does_not_fit_at_all_is_an_error_and_leaves_all_as_it_was(file, message):
    journal = Journal(grown(file, None, 0, STEP), file, most=STEP)
    journal.write([message(1)])
    with pytest.raises(Full):
        journal.write([message(2, argsrepr="x" * STEP)])
    journal.write([message(3)])
    with mmap.mmap(file, 0) as read:
        assert found(read) == {"id-1": DOUBTFUL, "id-3": DOUBTFUL}
    assert os.fstat(file).st_size == STEP


def test_headers_for_which_json_has_no_word_do_not_keep_others_from_being_noted(journal, memory, message):
    circle = []
    circle.append(circle)
    deep = []
    for _ in range(100_000):
        deep = [deep]
    journal.write([message(1, own=b"\xff"), message(2, own=circle), message(3, own=deep), message(4, own="well")])
    headers = [each.delivery.headers for each in unended(memory)]
    assert [each["id"] for each in headers] == ["id-1", "id-2", "id-3", "id-4"]
    assert headers[3]["own"] == "well"


@pytest.mark.parametrize("seed", range(3))
def test_no_damage_is_more_than_a_value_error(journal, memory, message, seed):
    chance = random.Random(seed)
    journal.write([message(1), message(2)])
    journal.begun(journal.write([message(3)]))
    end = journal._end
    for _ in range(2000):
        damaged = bytearray(memory[: chance.choice([end, chance.randrange(end)])])
        for _ in range(chance.randrange(1, 4)):
            if damaged:
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            seen = found(damaged)
        except ValueError:
            continue
        assert set(seen) <= {"id-1", "id-2", "id-3"}
