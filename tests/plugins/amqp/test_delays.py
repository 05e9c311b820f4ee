"""How messages wait in the server for their time: how long, in which queue, and how they get there."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu import Exchange, Queue

from celeriac.contracts import Settlements
from celeriac_amqp.delays import BITS, LONGEST, Delays

QUEUE = Queue("q", Exchange("x", type="topic"), routing_key="some.#")


@given(st.floats(0.001, 2.0 * LONGEST))
def test_a_message_waits_until_a_few_seconds_before_its_time(seconds):
    exchange, key = Delays("p").way(seconds, QUEUE, "x", "some.key")
    digits, rest = key[: 2 * BITS], key[2 * BITS :]
    waits = int(digits.replace(".", ""), 2)

    # Long enough before, where there is so much time, and not much longer
    assert waits == 1 or waits <= seconds - 2
    assert waits > min(seconds, LONGEST) - 10
    # It enters where it is held first
    assert exchange == f"p_celery_delayed_{waits.bit_length() - 1}"
    assert rest == "some.key"


@pytest.mark.parametrize(
    ("seconds", "waits"), [(0.5, 1), (3.9, 1), (7, 4), (9.9, 4), (10, 8), (17.9, 8), (18, 16), (3602, 3600)]
)
def test_a_message_passes_through_few_queues(seconds, waits):
    _, key = Delays().way(seconds, QUEUE, "", "q")
    assert int(key[: 2 * BITS].replace(".", ""), 2) == waits


def test_a_delayed_message_needs_none_of_the_exchanges_above_the_queue_that_holds_it(
    produce, consume, claim, new_queue, message, ready, prefix, plain
):
    # Given a server on which the exchanges have gone that a message for half a minute would be handed down through
    queue = new_queue(x_queue_type="quorum")
    lane = produce(delayed_delivery_prefix=prefix)
    worker = consume(queue, delayed_delivery_prefix=prefix)
    delays = Delays(prefix)
    for number in range(5, BITS):
        plain.exchange_delete(delays.level(number))

    # When one is sent, then it waits where it is held first, and one for a moment comes
    lane.publish([message(number, queue, eta=time.time() + 30) for number in range(500)])
    lane.publish([message("soon", queue, eta=time.time() + 0.2)])
    assert ready(delays.level(4)) == 500
    (found,) = claim(worker, 1)
    assert (found.headers["id"], found.routing_key) == ("soon", queue.name)
    worker.settle(Settlements(ack=[found.tag]))
