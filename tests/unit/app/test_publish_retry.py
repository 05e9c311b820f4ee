"""A broker that does not answer at once: how often a publish is tried again, what is lost (nothing) and sent twice."""

from __future__ import annotations

import pytest
from kombu import Producer, Queue
from kombu.exceptions import OperationalError

from celeriac.canvas.group import group

DOWN = ConnectionResetError("the broker went away")


def arrived(app, queue="celery"):
    found = []
    with app.connection_for_read() as connection:
        bound = Queue(queue).bind(connection.default_channel)
        while (message := bound.get(no_ack=True)) is not None:
            found.append(message)
    return found


@pytest.mark.parametrize("failures", [0, 1, 3])
def test_a_publish_is_tried_again_and_arrives_once(flaky, broker, failures):
    app = flaky()
    broker.failures.extend([DOWN] * failures)
    result = app.send_task("t", (1,))
    assert [message.headers["id"] for message in arrived(app)] == [result.id]
    assert broker.tries() == failures + 1


def test_when_the_tries_are_used_up_the_error_names_the_broker_and_not_its_password(flaky, broker):
    app = flaky()
    broker.failures.extend([DOWN] * 4)
    with pytest.raises(OperationalError) as caught:
        app.send_task("t")
    assert str(caught.value) == "cannot reach the broker flaky://user:**@host//: the broker went away"
    assert caught.value.__cause__ is DOWN
    assert broker.tries() == 4
    assert arrived(app) == []


@pytest.mark.covers("settings.task_publish_retry")
@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ({"task_publish_retry": False}, {}),
        ({}, {"retry": False}),
        ({}, {"retry_policy": {"max_retries": 0}}),
    ],
)
def test_it_may_be_told_not_to_try_again(flaky, broker, settings, options):
    app = flaky(**settings)
    broker.failures.append(DOWN)
    with pytest.raises(OperationalError):
        app.send_task("t", **options)
    assert broker.tries() == 1


@pytest.mark.covers("settings.task_publish_retry_policy")
@pytest.mark.parametrize(
    ("settings", "options", "tries"),
    [
        ({"task_publish_retry": False}, {"retry": True, "retry_policy": {"max_retries": 1}}, 2),
        ({}, {"retry_policy": {"max_retries": 5}}, 6),
        ({"task_publish_retry_policy": {"max_retries": 1}}, {}, 2),
    ],
)
def test_a_call_may_have_a_policy_of_its_own(flaky, broker, settings, options, tries):
    app = flaky(**settings)
    broker.failures.extend([DOWN] * 9)
    with pytest.raises(OperationalError):
        app.send_task("t", **options)
    assert broker.tries() == tries


def test_it_may_try_for_ever(flaky, broker):
    app = flaky()
    broker.failures.extend([DOWN] * 50)
    app.send_task("t", retry_policy={"max_retries": None})
    assert len(arrived(app)) == 1


def test_the_pauses_grow_up_to_their_limit(flaky, broker):
    app = flaky()
    broker.failures.extend([DOWN] * 4)
    told = []
    policy = {"max_retries": 4, "interval_start": 0, "interval_step": 0.002, "interval_max": 0.005}
    app.send_task("t", retry_policy={**policy, "errback": lambda error, pause: told.append((error, pause))})
    assert [pause for _, pause in told] == [0, 0.002, 0.004, 0.005]
    assert {error for error, _ in told} == {DOWN}


def test_an_error_that_is_not_the_connections_is_raised_at_once(flaky, broker):
    app = flaky()
    broker.failures.append(LookupError("of another kind"))
    with pytest.raises(LookupError):
        app.send_task("t")
    assert broker.tries() == 1


def test_a_connection_that_failed_is_not_used_again_and_one_that_did_not_is(flaky, broker):
    app = flaky()
    app.send_task("t")
    app.send_task("t")
    assert broker.connections() == 1
    broker.failures.append(DOWN)
    app.send_task("t")
    assert broker.connections() == 2
    assert len(arrived(app)) == 3


def test_of_a_batch_that_fails_half_way_only_the_rest_is_sent_again(flaky, broker):
    app = flaky()

    @app.task(name="t")
    def job(x):
        pass

    broker.failures.extend([None, None, DOWN, None, DOWN])
    result = group(job.s(number) for number in range(6)).apply_async()
    assert [message.headers["id"] for message in arrived(app)] == [member.id for member in result.results]


def test_a_connection_or_a_producer_of_the_callers_is_the_way_and_stays_open(flaky, make_app, claim):
    app, other = flaky(), make_app()
    connection = other.connection_for_write()

    @app.task(name="t")
    def job():
        pass

    job.apply_async(connection=connection)
    producer = Producer(connection.channel())
    job.apply_async(producer=producer)
    app.send_task("t", producer=producer)
    assert connection.connected
    assert len(claim(other)) == 3
    assert arrived(app) == []
    connection.release()
