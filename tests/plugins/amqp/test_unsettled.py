"""What the broker is told is what was said, whatever is said of how many at once."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from celeriac_amqp.frames import Frame, Verb, settling
from celeriac_amqp.unsettled import Unsettled


class Broker:
    """As a broker hears frames: one with `multiple` is of all that is open up to its tag."""

    def __init__(self):
        self.open = set()
        self.heard = {}

    def hear(self, frames):
        for verb, tag, multiple in frames:
            tags = [each for each in self.open if each <= tag] if multiple else [tag]
            assert tag in self.open, "a tag that is not open closes the channel"
            for each in tags:
                self.open.discard(each)
                self.heard[each] = verb


steps = st.lists(
    st.one_of(
        st.integers(1, 30),  # so many are delivered
        st.lists(st.tuples(st.sampled_from(list(Verb)), st.floats(0, 1, exclude_max=True)), max_size=30),
        st.just("the oldest half"),
    ),
    max_size=20,
)


@given(steps)
def test_nothing_is_acked_that_was_not_said_to_be(steps):
    unsettled, broker, said, last = Unsettled(), Broker(), {}, 0
    for step in steps:
        if isinstance(step, int):
            for tag in range(last + 1, last + step + 1):
                unsettled.delivered(tag)
                broker.open.add(tag)
            last += step
            continue
        still_open = sorted(broker.open)
        batch = {}
        if step == "the oldest half":
            batch = dict.fromkeys(still_open[: len(still_open) // 2], Verb.ACK)
        else:
            for verb, where in step:
                if still_open:
                    batch.setdefault(still_open[int(where * len(still_open))], verb)
        said.update(batch)
        lists = {verb: [tag for tag, each in batch.items() if each is verb] for verb in Verb}
        broker.hear(unsettled.settle(lists[Verb.ACK], lists[Verb.REJECT], lists[Verb.REQUEUE]))
        assert broker.heard == said
        assert len(unsettled) == len(broker.open)


def test_one_frame_acks_a_run_of_messages():
    unsettled = Unsettled()
    for tag in range(1, 1001):
        unsettled.delivered(tag)

    assert unsettled.settle(range(1, 901)) == [Frame(Verb.ACK, 900, multiple=True)]
    # 901 still runs.
    assert unsettled.settle(range(902, 905)) == [Frame(Verb.ACK, tag) for tag in (902, 903, 904)]
    assert unsettled.settle([901, 905]) == [Frame(Verb.ACK, 905, multiple=True)]


def test_a_tag_that_is_not_open_is_never_named():
    unsettled = Unsettled()
    for tag in (1, 2, 3):
        unsettled.delivered(tag)
    unsettled.settle([1])
    assert unsettled.settle([1, 7], rejected=[8], requeued=[0]) == []


def test_the_frames_are_those_of_the_protocol():
    sent = settling(5, [Frame(Verb.ACK, 7, multiple=True), Frame(Verb.REQUEUE, 8), Frame(Verb.REJECT, 9)])
    frames = [struct.unpack(">BHIHHQBB", sent[start : start + 21]) for start in (0, 21, 42)]
    assert frames == [
        (1, 5, 13, 60, 80, 7, 1, 0xCE),
        (1, 5, 13, 60, 120, 8, 2, 0xCE),
        (1, 5, 13, 60, 120, 9, 0, 0xCE),
    ]
