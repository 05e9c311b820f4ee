"""The body of a chord is called once, however often the tasks of its header are delivered."""

from __future__ import annotations

import pytest

from celeriac import chain, chord
from celeriac.contracts import OutgoingMessage, Settlements
from celeriac.worker import upkeep
from celeriac.worker.hub import WorkerHub
from celeriac_memory import chords


@pytest.fixture
def deliver_again(app):
    """Return ``deliver_again(deliveries)``: put claimed messages into the queue again."""

    def put(deliveries):
        app.publisher.send(
            [
                OutgoingMessage(
                    each.body,
                    each.content_type,
                    each.content_encoding,
                    each.headers,
                    each.properties,
                    "",
                    each.queue,
                    None,
                    None,
                )
                for each in deliveries
            ]
        )

    return put


@pytest.mark.parametrize("compat", [True, False], ids=["Celery's form", "short form"])
def test_a_header_that_is_delivered_three_times_calls_the_body_once(
    app, tasks, diary, claim, deliver_again, start_worker, wait_until, compat
):
    # Given the header of a chord, each message of which is delivered three times
    app.conf.task_protocol_compat = compat
    result = chord([tasks.add.s(n, n) for n in range(5)], chain(tasks.sum_up.s(), tasks.callback.s()))()
    header = claim(app)
    assert len(header) == 5
    deliver_again(header)
    deliver_again(reversed(header))
    deliver_again(header)

    # When a worker has run them all
    worker = start_worker(app)
    result.get(timeout=10)
    wait_until(lambda: sum(count for call, count in diary.calls.items() if "add" in call) == 15)
    wait_until(lambda: not worker.consumer.running)

    # Then the body was called once
    assert [count for call, count in diary.calls.items() if "sum_up" in call] == [1]
    assert [count for call, count in diary.calls.items() if "callback" in call] == [1]


def test_a_header_of_which_one_fails_and_is_delivered_again_tells_the_errback_once(
    app, tasks, diary, claim, deliver_again, start_worker, wait_until
):
    result = chord([tasks.fail.s(1), tasks.identity.s(1)], tasks.sum_up.s()).on_error(tasks.errback.s("e"))()
    header = claim(app)
    deliver_again([*header, *header])
    worker = start_worker(app)
    result.get(timeout=10, propagate=False)
    wait_until(lambda: sum(count for call, count in diary.calls.items() if "identity" in call) == 2)
    wait_until(lambda: not worker.consumer.running)
    assert [count for call, count in diary.calls.items() if "errback" in call] == [1]


def test_a_body_that_could_not_be_sent_is_sent_when_the_last_task_comes_again(
    app, tasks, diary, claim, deliver_again, start_worker, wait_until, monkeypatch
):
    # Given a worker that claims a chord and dies before it has sent the body
    result = chord([tasks.identity.s(1), tasks.identity.s(2)], tasks.sum_up.s())()
    header = claim(app)
    store = app.backend.store_with_parts
    worker = start_worker(app)
    monkeypatch.setattr(app.backend, "store_with_parts", lambda results, parts: (store(results, parts), {})[1])
    deliver_again(header)
    wait_until(lambda: app.backend.claim_chord(result.parent.id) is not None)
    monkeypatch.undo()

    # When the claim runs out, and a task of the header is delivered again
    monkeypatch.setattr(chords, "CLAIM_SECONDS", 0)
    deliver_again(header[-1:])

    # Then the body is called
    assert result.get(timeout=10) == 3
    wait_until(lambda: not worker.consumer.running)
    assert [count for call, count in diary.calls.items() if "sum_up" in call] == [1]


def test_a_body_that_could_not_be_sent_is_sent_when_the_worker_that_ran_the_last_task_has_died(
    app, tasks, diary, deliver_again, start_worker, wait_until, monkeypatch
):
    # Given a worker that has begun the tasks of a chord, for good as far as the broker is concerned
    result = chord([tasks.identity.s(1), tasks.identity.s(2)], tasks.sum_up.s().on_error(tasks.errback.s("e")))()
    connection, hub = app.connection_for_read(), WorkerHub()
    lane = connection.transport_cls.consumer_lane(connection)
    lane.open([app.amqp.queues["celery"]], hub, lambda: None)
    header = lane.claim(2)
    lane.settle(Settlements(begin=[each.tag for each in header]))

    # That claims it, and dies before it has sent the body, or told the broker of the end of its tasks
    store = app.backend.store_with_parts
    monkeypatch.setattr(upkeep, "_LOST_INTERVAL", 0.02)
    worker = start_worker(app)
    with monkeypatch.context() as dying:
        dying.setattr(app.backend, "store_with_parts", lambda results, parts: (store(results, parts), {})[1])
        deliver_again(header)
        wait_until(lambda: app.backend.claim_chord(result.parent.id) is not None)
    monkeypatch.setattr(chords, "CLAIM_SECONDS", 0)
    lane.close()
    hub.close()

    # Then another calls the body, with what the tasks have returned, and nothing is said to have failed
    assert result.get(timeout=10) == 3
    wait_until(lambda: not worker.consumer.held)
    assert [each.get(timeout=10) for each in result.parent.results] == [1, 2]
    assert [count for call, count in diary.calls.items() if "sum_up" in call] == [1]
    assert not [call for call in diary.calls if "errback" in call]


@pytest.mark.covers("settings.result_chord_retry_interval")
def test_while_somebody_may_be_sending_the_body_a_task_is_sent_to_look_later(
    app, tasks, claim, deliver_again, start_worker, wait_until, monkeypatch
):
    # Given a chord that somebody has claimed, and then died
    result = chord([tasks.identity.s(1)], tasks.sum_up.s())()
    header = claim(app)
    store = app.backend.store_with_parts
    start_worker(app)
    monkeypatch.setattr(app.backend, "store_with_parts", lambda results, parts: (store(results, parts), {})[1])
    deliver_again(header)
    wait_until(lambda: app.backend.claim_chord(result.parent.id) is not None)
    monkeypatch.undo()

    # When its task is delivered again while the claim holds
    monkeypatch.setattr("celeriac.canvas.completion.CLAIM_SECONDS", -0.9)
    deliver_again(header)

    # Then nobody calls the body before the claim has run out
    wait_until(lambda: app.results.meta(result.parent.results[0].id)["status"] == "SUCCESS")
    assert result.state == "PENDING"
    monkeypatch.setattr(chords, "CLAIM_SECONDS", 0)
    app.conf.result_chord_retry_interval = 0.05

    # And then somebody does
    assert result.get(timeout=20) == 1
