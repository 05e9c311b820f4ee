"""Messages that are held for long are left on channels of their own, and all else is as on one channel."""

from __future__ import annotations

import logging
import struct

import pytest
from kombu import Exchange, Queue

from celeriac import Celery
from celeriac.contracts import Settlements

#: So many are held: more than are left where they are.
HELD = 300


def tags(deliveries):
    return [delivery.tag for delivery in deliveries]


@pytest.fixture
def said(monkeypatch):
    """Return ``said(lane)``: a list to which the frames are added that it says from now on: (channel, multiple)."""

    def listen(lane):
        frames, wire = [], lane._intake.wire
        say = wire.say

        def heard(data):
            for start in range(0, len(data), 21):
                _, channel, *_, multiple, _ = struct.unpack_from(">BHIHHQBB", data, start)
                frames.append((channel, multiple))
            say(data)

        monkeypatch.setattr(wire, "say", heard)
        return frames

    return listen


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_what_is_acked_beside_many_that_are_held_came_on_another_channel(
    producer, consume, claim, new_queue, message, ready, prefix, hold, said, kind
):
    # Given a lane that holds many messages
    queue = new_queue(x_queue_type=kind)
    lane = consume(queue, prefetch=HELD + 100, delayed_delivery_prefix=prefix)
    old = lane._intake.channels.current.channel.channel_id
    held = hold(lane, queue, HELD)

    # When others come and are settled
    producer.publish([message(number, queue) for number in range(100)])
    frames = said(lane)
    found = claim(lane, 100)
    assert not set(tags(found)) & set(tags(held))
    assert [each.headers["id"] for each in found] == [str(number) for number in range(100)]
    lane.settle(Settlements(ack=tags(found)))

    # Then it is on a channel on which nothing is held: one word is enough
    ((channel, multiple),) = frames
    assert channel != old
    assert multiple

    # And those that were held are settled where they came, whatever else is said with them, and their channel is closed
    producer.publish([message("last", queue)])
    (last,) = claim(lane, 1)
    lane.settle(Settlements(ack=[last.tag, *tags(held[:-3])], reject=[held[-2].tag], requeue=[held[-3].tag]))
    (again,) = claim(lane, 1)
    assert again.headers["id"] == held[-3].headers["id"]
    assert len(lane._intake.channels) == 2
    lane.settle(Settlements(ack=[again.tag, held[-1].tag]))
    assert len(lane._intake.channels) == 1
    assert old not in lane._intake.wire.channels
    lane.close()
    assert ready(queue) == 0


def test_thousands_that_come_before_any_other_are_spread_over_channels(producer, consume, claim, queue, message, ready):
    producer.publish([message(number, queue) for number in range(3000)])
    lane = consume(queue, prefetch=50)
    held = []
    while len(held) < 3000:  # as a worker does that holds what waits for its time
        lane.prefetch(50 + len(held))
        held += claim(lane, min(50, 3000 - len(held)))
    open_on = [len(each.unsettled) for each in lane._intake.channels._open.values()]
    assert sum(open_on) == 3000
    assert max(open_on) < 1200
    # However they become due
    for start in range(7):
        lane.settle(Settlements(ack=tags(held[start::7])))
    assert len(lane._intake.channels) == 1
    lane.close()
    assert ready(queue) == 0


def test_a_large_prefetch_alone_needs_no_other_channel(producer, consume, claim, queue, message):
    producer.publish([message(number, queue) for number in range(2000)])
    lane = consume(queue, prefetch=1000)
    for _ in range(20):
        lane.settle(Settlements(ack=tags(claim(lane, 100))))
        assert len(lane._intake.channels) == 1


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_the_prefetch_counts_what_is_held_on_all_channels(
    producer, consume, claim, new_queue, message, ready, loop, prefix, hold, kind
):
    queue = new_queue(x_queue_type=kind)
    lane = consume(queue, prefetch=HELD + 10, delayed_delivery_prefix=prefix)
    held = hold(lane, queue, HELD)
    producer.publish([message(number, queue) for number in range(50)])
    found = claim(lane, 10)
    loop.calm()
    assert lane.claim(50) == []
    assert ready(queue) == 40

    # What was held elsewhere makes room here when it is settled, where nothing else does; a consumer of a quorum queue
    # has its new limit beside what came to the one before
    room = 5 if kind == "classic" else 15
    lane.settle(Settlements(ack=tags(held[:5])))
    found += claim(lane, room)
    loop.calm()
    assert (lane.claim(50), ready(queue)) == ([], 40 - room)

    # And where the limit is lower than what is held, nothing comes
    lane.prefetch(HELD - 50)
    lane.settle(Settlements(ack=[*tags(found), *tags(held[5:10])]))
    loop.calm()
    assert (lane.claim(50), ready(queue)) == ([], 40 - room)
    lane.settle(Settlements(ack=tags(held[10:61])))
    assert len(claim(lane, 1)) == 1


@pytest.mark.covers("settings.worker_disable_prefetch")
@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_without_prefetch_what_is_held_elsewhere_takes_its_place(
    producer, consume, claim, new_queue, message, ready, loop, prefix, hold, kind
):
    queue = new_queue(x_queue_type=kind)
    app = Celery("strict", set_as_current=False)
    app.conf.worker_disable_prefetch = True
    lane = consume(queue, prefetch=HELD + 2, app=app, delayed_delivery_prefix=prefix)
    hold(lane, queue, HELD)
    assert len(lane._intake.channels) == 2
    producer.publish([message(number, queue) for number in range(8)])
    running = claim(lane, 2)
    lane.settle(Settlements(begin=tags(running)))
    loop.calm()
    assert (lane.claim(5), ready(queue)) == ([], 6)
    lane.settle(Settlements(ack=[running[0].tag]))
    assert len(claim(lane, 1)) == 1
    loop.calm()
    assert (lane.claim(5), ready(queue)) == ([], 5)


@pytest.mark.parametrize("which", ["current", "left"])
def test_all_channels_end_together(producer, consume, claim, queue, message, loop, ready, hold, caplog, which):
    # Given a lane with messages on two channels
    told = []
    lane = consume(queue, prefetch=HELD + 10, on_void=lambda void: told.append(set(void)) or {running.tag, held[0].tag})
    held = hold(lane, queue, HELD)
    producer.publish([message("running", queue)])
    (running,) = claim(lane, 1)
    left, current = lane._intake.channels._open.values()

    # When the server closes one of them, as it does after consumer_timeout
    with caplog.at_level(logging.ERROR):
        (current if which == "current" else left).channel.basic_ack(999)
        loop.turn_until(lambda: told)

    # Then all claims are void, on both
    assert told == [{running.tag, *tags(held)}]
    assert "Connection to the broker lost" in caplog.text

    # And all messages come again but those that run, which are settled by their old tags
    lane.prefetch(0)
    again = claim(lane, HELD - 1)
    assert {each.headers["id"] for each in again} == {each.headers["id"] for each in held[1:]}
    assert not set(tags(again)) & set(tags([running, *held]))
    lane.settle(Settlements(ack=[running.tag, held[0].tag, *tags(again)]))
    loop.calm()
    assert lane.claim(5) == []
    lane.close()
    assert ready(queue) == 0


def test_a_queue_with_one_active_consumer_keeps_it(consume, new_queue, hold):
    queue = new_queue(x_single_active_consumer=True)
    lane = consume(queue, prefetch=HELD + 10)
    hold(lane, queue, HELD)
    assert len(lane._intake.channels) == 1


def test_a_queue_that_goes_with_its_last_consumer_stays(producer, consume, claim, message, hold, url):
    queue = Queue("celeriac-test-auto-delete", Exchange(""), auto_delete=True)
    lane = consume(queue, prefetch=HELD + 10)
    hold(lane, queue, HELD)
    assert len(lane._intake.channels) == 2
    producer.publish([message("after", None, routing_key=queue.name)])
    assert claim(lane, 1)[0].headers["id"] == "after"
