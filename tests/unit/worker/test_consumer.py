"""Every claimed message is accounted for, on each way through the worker and when broker, store or child fail on it."""

from __future__ import annotations

import itertools
import logging
import random
import time
from datetime import UTC, datetime, timedelta

import pytest
from kombu.exceptions import OperationalError

from celeriac import signals, states
from celeriac.contracts import LaneCapabilities, Report
from celeriac.contracts.outcome import OutcomeKind
from celeriac.exceptions import BackendGetMetaError, WorkerShutdown
from celeriac.worker import upkeep
from celeriac.worker.losses import Losses
from celeriac.worker.window import PrefetchWindow

BROKEN = [OperationalError("the broker is away"), ValueError("a fault of the lane's own")]


def in_future(seconds):
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def kinds(outcomes):
    return [outcome.kind for outcome in outcomes]


@pytest.fixture
def start(consumer, lane, settle_down, message):
    """Return ``start(count, **headers)``: starts the consumer, and lets it claim so many messages of ``proj.work``."""

    def start(count=0, first=1, **headers):
        if not lane.is_open:
            consumer.connect()
            consumer.begin()
        lane.put(*[message(number, **headers) for number in range(first, first + count)])
        settle_down()

    return start


# -- the straight way --------------------------------------------------------------------------------------------------


def test_a_message_acked_early_is_begun_before_the_pool_has_it_and_acked_when_it_has_ended(
    consumer, lane, pool, start, settle_down
):
    begun_before = []
    submit = pool.submit
    pool.submit = lambda jobs: (begun_before.append(list(lane.told["begin"])), submit(jobs))
    start(1)
    assert begun_before == [["tag-1"]]
    assert (consumer.held, consumer.running) == (1, 1)
    pool.end()
    settle_down()
    assert lane.told["ack"] == ["tag-1"]
    assert (consumer.held, consumer.running) == (0, 0)
    assert lane.claimed == {}


def test_a_message_acked_late_is_only_acked_when_it_has_ended(consumer, lane, pool, start, settle_down):
    start(1, task="proj.late")
    assert lane.told["begin"] == []
    pool.end()
    settle_down()
    assert lane.told["ack"] == ["tag-1"]
    assert consumer.held == 0


def test_a_backlog_is_claimed_handed_over_and_settled_in_batches(consumer, lane, pool, start, settle_down):
    start(8)
    assert pool.submitted == list(range(1, 9))
    calls = lane.calls
    pool.end()
    settle_down()
    assert lane.told["ack"] == ["tag-1", "tag-2"]
    assert lane.calls - calls <= 3


def test_the_worker_holds_no_more_than_its_window(consumer, lane, pool, start, settle_down):
    start(100)
    assert consumer.held == 8  # two at once, multiplier 4
    while lane.ready or pool.running():
        pool.end(runtime=10.0)
        settle_down()
        assert consumer.held <= 8
    assert consumer.held == 0
    assert len(lane.told["ack"]) == 100


def test_with_multiplier_1_no_child_is_idle_and_no_message_waits(consumer, lane, pool, start, settle_down):
    pool.context.concurrency = 4
    consumer.window = PrefetchWindow(1, 4)
    start(20)
    assert consumer.held == 4
    pool.end(1)
    settle_down()
    assert (consumer.held, len(pool.begun)) == (4, 4)


@pytest.mark.parametrize(
    ("kind", "fields", "told"),
    [
        (OutcomeKind.SUCCESS, {}, "ack"),
        (OutcomeKind.FAILURE, {}, "ack"),
        (OutcomeKind.RETRY, {}, "ack"),
        (OutcomeKind.IGNORED, {}, "ack"),
        (OutcomeKind.REJECTED, {}, "reject"),
        (OutcomeKind.REJECTED, {"requeue": True}, "redeliver"),
        (OutcomeKind.INVALID, {}, "reject"),
        (OutcomeKind.STORE_FAILED, {}, "redeliver"),
        (OutcomeKind.WORKER_LOST, {}, "ack"),
        (OutcomeKind.HARD_TIME_LIMIT, {}, "ack"),
    ],
)
def test_each_ending_of_a_late_acked_task_settles_its_message_once_and_is_told_once(
    consumer, lane, pool, outcomes, start, settle_down, kind, fields, told
):
    start(1, task="proj.late")
    pool.end(kind=kind, **fields)
    settle_down()
    assert {name: tags for name, tags in lane.told.items() if tags} == {told: ["tag-1"]}
    assert consumer.held == 0
    [outcome] = outcomes
    assert (outcome.kind, outcome.task_id, outcome.task) == (kind, "id-1", "proj.late")
    assert outcome.requeued is (told == "redeliver")


@pytest.mark.parametrize("kind", [kind for kind in OutcomeKind if kind not in {"revoked", "expired", "unknown-task"}])
def test_an_early_acked_task_is_never_delivered_again_however_it_ends(
    consumer, lane, pool, outcomes, start, settle_down, kind
):
    start(1)
    pool.end(kind=kind, requeue=True)
    settle_down()
    assert {name: tags for name, tags in lane.told.items() if tags} == {"begin": ["tag-1"], "ack": ["tag-1"]}
    assert kinds(outcomes) == [kind]
    assert consumer.held == 0


@pytest.mark.covers("app.task.Task.reject_on_worker_lost", "settings.task_reject_on_worker_lost")
def test_a_task_that_must_not_be_lost_with_its_worker_is_delivered_again(
    app, consumer, lane, pool, outcomes, store, start, settle_down
):
    app.tasks["proj.late"].reject_on_worker_lost = True
    start(1, task="proj.late")
    pool.end(kind=OutcomeKind.WORKER_LOST)
    settle_down()
    assert lane.told["redeliver"] == ["tag-1"]
    assert outcomes[0].requeued
    assert store.results == {}
    assert consumer.held == 0


def test_a_task_that_is_tried_again_is_not_said_to_be_kept_or_dropped(app, consumer, pool, start, settle_down, caplog):
    # Given a task that has killed its process once too often, and asks for another try
    task = app.tasks["proj.late"]
    task.reject_on_worker_lost = task.retry_on_worker_lost = True
    consumer._losses = Losses(1)
    start(1, task="proj.late")

    pool.end(kind=OutcomeKind.WORKER_LOST, is_suspect=True)
    settle_down()

    assert "is tried again" in caplog.text
    assert "dead letter" not in caplog.text
    assert "not run again" not in caplog.text


def test_a_report_of_an_unknown_job_changes_nothing(consumer, pool, start, settle_down):
    start(1)
    numbers = pool.end()
    pool.on_reports([Report(number, OutcomeKind.SUCCESS, 0.001, "detail") for number in (*numbers, 999)])
    settle_down()
    assert consumer.held == 0


# -- messages that do not run ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "kind", "told", "state"),
    [
        ({"task": "proj.nowhere"}, OutcomeKind.UNKNOWN_TASK, "reject", "FAILURE"),
        ({"retries": -1}, OutcomeKind.INVALID, "reject", "FAILURE"),
        ({"expires": "2001-01-01T00:00:00+00:00"}, OutcomeKind.EXPIRED, "ack", "REVOKED"),
    ],
)
def test_a_message_that_cannot_run_is_told_of_once_and_settled_after_its_result_was_stored(
    consumer, lane, outcomes, store, start, settle_down, headers, kind, told, state
):
    store.is_away = True
    start(1, **headers)
    assert kinds(outcomes) == [kind]
    assert not any(lane.told.values())
    assert consumer.held == 1
    store.is_away = False
    assert consumer.endings.debts.pay()
    settle_down()
    assert {name: tags for name, tags in lane.told.items() if tags} == {told: ["tag-1"]}
    assert store.results["id-1"]["status"] == state
    assert consumer.held == 0
    assert kinds(outcomes) == [kind]


@pytest.mark.parametrize(
    ("kind", "told", "state"),
    [
        (OutcomeKind.REVOKED, "ack", "REVOKED"),
        (OutcomeKind.IGNORED, "ack", None),
        (OutcomeKind.REJECTED, "reject", None),
    ],
)
def test_a_message_that_a_plugin_ends_is_settled_as_it_says_and_told_of_once(
    consumer, lane, outcomes, store, start, settle_down, kind, told, state
):
    consumer.strategy._layers = lambda delivery: kind
    start(1)
    settle_down()
    assert kinds(outcomes) == [kind]
    assert {name: tags for name, tags in lane.told.items() if tags} == {told: ["tag-1"]}
    assert store.results.get("id-1", {}).get("status") == state
    assert consumer.held == 0


def test_a_listener_that_raises_keeps_no_other_from_hearing(app, consumer, outcomes, pool, start, caplog):
    def fail(outcome):
        raise LookupError("of a listener")

    consumer.endings._listeners = (fail, outcomes.append)
    start(1)
    pool.end()
    assert kinds(outcomes) == [OutcomeKind.SUCCESS]
    assert "of a listener" in caplog.text


def test_a_message_whose_result_nobody_wants_leaves_none(app, consumer, lane, store, start):
    start(1, expires="2001-01-01T00:00:00+00:00", ignore_result=True)
    app.tasks["proj.work"].ignore_result = True
    start(1, first=2, expires="2001-01-01T00:00:00+00:00")
    assert lane.told["ack"] == ["tag-1", "tag-2"]
    assert store.results == {}


def test_a_message_that_expires_while_it_waits_for_the_pool_does_not_run(
    consumer, lane, pool, outcomes, start, settle_down, wait_until
):
    pool.ahead = 0
    start(2)
    start(2, first=3, expires=in_future(0.05))
    ready_at = time.time() + 0.06
    wait_until(lambda: time.time() > ready_at)
    pool.end()
    settle_down()
    assert kinds(outcomes) == [OutcomeKind.SUCCESS] * 2 + [OutcomeKind.EXPIRED] * 2
    assert pool.submitted == [1, 2]
    assert sorted(lane.told["ack"]) == ["tag-1", "tag-2", "tag-3", "tag-4"]
    assert consumer.held == 0


def test_signals_tell_of_messages_that_are_received_unknown_invalid_and_expired(consumer, start):
    heard = []
    named = ("task_received", "task_unknown", "task_rejected", "task_revoked")
    for name in named:
        getattr(signals, name).connect(lambda which=name, **_: heard.append(which), weak=False, dispatch_uid=name)
    try:
        start(1)
        start(1, first=2, task="proj.nowhere")
        start(1, first=3, retries="x")
        start(1, first=4, expires="2001-01-01T00:00:00+00:00")
    finally:
        for name in named:
            getattr(signals, name).disconnect(dispatch_uid=name)
    assert heard == list(named)


# -- messages with an ETA ----------------------------------------------------------------------------------------------


def test_a_message_with_an_eta_waits_for_it_and_takes_no_room_from_others(consumer, lane, pool, start, turn_until):
    start(20, eta=in_future(0.2))
    assert consumer.held == 20
    assert pool.submitted == []
    start(8, first=21)
    assert len(pool.submitted) == 8
    pool.ahead = 100
    turn_until(lambda: len(pool.submitted) == 28)


def test_a_message_with_an_eta_runs_within_10_ms_of_it(consumer, pool, start, turn_until):
    moment = datetime.now(UTC) + timedelta(seconds=0.2)
    start(1, eta=moment.isoformat())
    turn_until(lambda: pool.submitted)
    late = time.time() - moment.timestamp()
    assert late >= -0.001
    # The machine may be busy; the loop itself must not be what is late.
    assert late < 0.5


def test_there_is_a_limit_to_the_messages_with_an_eta_that_are_held(consumer, lane, start):
    consumer._eta_limit = 10
    start(50, eta=in_future(3600))
    assert consumer.held <= 10 + consumer.window.size
    assert len(lane.ready) >= 50 - 18


def test_messages_that_wait_for_their_eta_go_back_at_once_when_the_worker_stops(consumer, lane, start):
    start(5, eta=in_future(3600))
    consumer.stop_claiming()
    assert lane.told["requeue"] == [f"tag-{number}" for number in range(1, 6)]
    assert consumer.held == 0
    assert len(consumer.stock.later) == 0


# -- stopping ----------------------------------------------------------------------------------------------------------


def test_when_it_stops_what_has_begun_is_finished_and_all_else_goes_back_in_its_order(
    consumer, lane, pool, outcomes, start, settle_down
):
    pool.ahead = 3
    start(1, first=7, eta=in_future(3600))
    start(6)
    consumer.stop_claiming()
    assert not lane.receives
    assert lane.told["requeue"] == ["tag-3", "tag-4", "tag-5", "tag-6", "tag-7"]
    assert (consumer.held, consumer.running) == (2, 2)
    lane.put(lane.given_back[0])
    settle_down()
    assert consumer.held == 2
    pool.end()
    settle_down()
    assert sorted(lane.told["ack"]) == ["tag-1", "tag-2"]
    assert (consumer.held, consumer.running) == (0, 0)
    consumer.close()
    assert lane.claimed == {}
    assert kinds(outcomes) == [OutcomeKind.SUCCESS] * 2


def test_stopping_and_closing_twice_says_nothing_twice(consumer, lane, pool, start):
    start(5)
    consumer.stop_claiming()
    consumer.stop_claiming()
    consumer.abandon_running()
    consumer.close()
    consumer.close()
    settled = list(itertools.chain.from_iterable(tags for name, tags in lane.told.items() if name != "begin"))
    assert sorted(settled) == [f"tag-{number}" for number in range(1, 6)]
    assert consumer.held == 0


def test_a_cold_stop_gives_back_what_was_acked_late_and_tells_of_the_rest_as_lost(
    consumer, lane, pool, outcomes, store, start
):
    pool.ahead = 0
    start(1)
    start(1, first=2, task="proj.late")
    consumer.stop_claiming()
    pool.terminate()
    consumer.abandon_running()
    consumer.close()
    assert lane.told["redeliver"] == ["tag-2"]
    assert lane.told["ack"] == ["tag-1"]
    assert store.results["id-1"]["status"] == "FAILURE"
    assert store.results["id-1"]["result"]["exc_type"] == "WorkerLostError"
    assert "id-2" not in store.results
    assert sorted((outcome.task_id, outcome.kind, outcome.requeued) for outcome in outcomes) == [
        ("id-1", OutcomeKind.WORKER_LOST, False),
        ("id-2", OutcomeKind.WORKER_LOST, True),
    ]
    assert (consumer.held, consumer.running) == (0, 0)


def test_a_consumer_that_never_started_can_be_closed(consumer, lane):
    consumer.close()
    assert lane.calls == 0


# -- the broker is away ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", BROKEN, ids=repr)
def test_what_the_broker_could_not_be_told_is_told_once_when_it_is_back(
    consumer, lane, pool, start, turn_until, caplog, error
):
    start(4)
    lane.failures.extend([error] * 3)
    pool.end()
    turn_until(lambda: len(lane.told["ack"]) == 2)
    pool.end()
    turn_until(lambda: len(lane.told["ack"]) == 4)
    assert sorted(lane.told["ack"]) == [f"tag-{number}" for number in range(1, 5)]
    assert consumer.held == 0
    assert "out of reach" in caplog.text


@pytest.mark.parametrize("error", BROKEN, ids=repr)
def test_a_message_that_cannot_be_begun_waits_and_keeps_its_place(consumer, lane, pool, start, turn_until, error):
    consumer.connect()
    consumer.begin()
    # The claim succeeds, the settlement of `begin` that follows does not.
    lane.failures.extend([None] * 2 + [error] * 2)
    start(4)
    turn_until(lambda: pool.submitted)
    assert pool.submitted == [1, 2, 3, 4]
    assert lane.told["begin"] == [f"tag-{number}" for number in range(1, 5)]
    assert consumer.held == 4


def test_while_the_broker_is_away_it_is_asked_by_a_timer_and_not_by_each_report(
    consumer, lane, pool, start, settle_down
):
    pool.ahead = 100
    consumer.window = PrefetchWindow(50, 2)
    start(100)
    lane.failures.extend([BROKEN[0]] * 1000)
    calls = lane.calls
    for _ in range(50):
        pool.end()
        settle_down()
    assert lane.calls - calls <= 3


def test_a_worker_that_has_no_room_finds_out_that_the_broker_is_away_and_that_it_is_back(
    consumer, lane, start, turn_until, monkeypatch, caplog
):
    start(50)
    assert consumer.is_claiming
    assert not consumer._appetite()
    # When it looks for the tasks of the dead, as it does every few seconds
    monkeypatch.setattr(lane, "lost", lambda: lane._fail() or [])
    lane.failures.extend([BROKEN[0]] * 3)
    consumer._upkeep._find_lost()
    assert not consumer.is_claiming
    turn_until(lambda: not lane.failures)
    assert not consumer.is_claiming
    turn_until(lambda: consumer.is_claiming)
    assert "Connected to the broker again, after" in caplog.text


def test_what_cannot_be_said_at_the_end_is_tried_again_and_then_told_of(consumer, lane, pool, start, caplog):
    start(2)
    pool.end()
    lane.failures.extend([BROKEN[0]] * 2)
    consumer.close()
    assert sorted(lane.told["ack"]) == ["tag-1", "tag-2"]
    assert "was not told" not in caplog.text


def test_a_worker_whose_broker_stays_away_at_the_end_says_so_and_ends(consumer, lane, pool, start, caplog):
    start(2)
    pool.end()
    lane.failures.extend([BROKEN[0]] * 100)
    consumer.close()
    assert "was not told what became of 2 messages" in caplog.text
    assert not lane.is_open


def test_a_request_to_stop_is_heard_while_the_broker_is_out_of_reach(app, consumer, lane, hub):
    lane.failures.extend([BROKEN[0]] * 100)
    stopping = []
    consumer.broker._is_stopping = lambda: bool(stopping)
    hub.call_later(0.05, stopping.append, True)
    started = time.monotonic()
    with pytest.raises(WorkerShutdown):
        consumer.connect()
    assert time.monotonic() - started < 5
    assert not consumer.broker.is_open


def test_a_worker_that_finds_its_broker_at_the_second_try_begins(consumer, lane, pool, start, caplog):
    lane.failures.append(BROKEN[0])
    start(1)
    assert pool.submitted == [1]
    assert "Cannot reach the broker told://" in caplog.text


@pytest.mark.covers("settings.broker_connection_retry_on_startup")
def test_a_broker_that_stays_away_is_an_error_that_names_it_without_its_password(app, consumer, lane):
    app.conf.update(broker_url="told://user:secret@somewhere//", broker_connection_retry_on_startup=False)
    lane.failures.append(BROKEN[0])
    with pytest.raises(OperationalError, match=r"cannot reach the broker told://user:\*\*@somewhere//: the broker is"):
        consumer.connect()
    consumer.close()


@pytest.mark.covers("settings.broker_connection_max_retries")
def test_there_is_an_end_to_the_tries_at_the_start(app, consumer, lane):
    app.conf.broker_connection_max_retries = 1
    lane.failures.extend([BROKEN[0]] * 100)
    with pytest.raises(OperationalError, match="cannot reach"):
        consumer.connect()
    assert lane.calls == 2


class Controlled:
    """A worker of which only the end is asked for."""

    def __init__(self):
        self.exit_codes = []

    def stop(self, exitcode=None):
        self.exit_codes.append(exitcode)


@pytest.fixture
def worker(consumer):
    consumer.controller = Controlled()
    return consumer.controller


@pytest.mark.covers("settings.broker_connection_retry")
def test_where_a_lost_connection_is_not_to_be_made_again_the_worker_ends(
    app, consumer, lane, pool, start, settle_down, worker, caplog
):
    app.conf.broker_connection_retry = False
    start(2)
    lane.failures.extend([BROKEN[0]] * 100)
    pool.end()
    settle_down()
    assert worker.exit_codes == [1]
    assert "broker_connection_retry is off: the worker ends" in caplog.text
    assert not consumer.broker.is_away, "nobody waits for it any more"


def test_there_is_an_end_to_the_tries_after_a_lost_connection(
    app, consumer, lane, pool, start, turn_until, worker, caplog
):
    app.conf.broker_connection_max_retries = 2
    start(2)
    lane.failures.extend([BROKEN[0]] * 100)
    calls = lane.calls
    pool.end()
    turn_until(lambda: worker.exit_codes)
    assert lane.calls - calls == 3
    assert "was tried 2 times (broker_connection_max_retries)" in caplog.text


# -- the store is away -------------------------------------------------------------------------------------------------


def test_a_lost_task_is_acked_only_when_its_failure_was_stored(consumer, lane, pool, store, start, turn_until):
    start(2)
    store.is_away = True
    pool.end(kind=OutcomeKind.WORKER_LOST)
    turn_until(lambda: len(consumer.endings.debts) == 2)
    assert lane.told["ack"] == []
    assert consumer.held == 2
    # Nothing happens but time, and the store is back
    store.is_away = False
    turn_until(lambda: len(lane.told["ack"]) == 2)
    assert store.results["id-1"]["result"]["exc_type"] == "WorkerLostError"
    assert store.batches == [2]
    assert consumer.held == 0


def test_a_store_that_stays_away_at_the_end_gives_late_acked_messages_back_and_the_others_are_told_of(
    consumer, lane, pool, store, start, caplog
):
    pool.ahead = 0
    start(1)
    start(1, first=2, task="proj.late")
    store.is_away = True
    pool.end(kind=OutcomeKind.WORKER_LOST)
    consumer.close()
    assert lane.told["redeliver"] == ["tag-2"]
    assert lane.told["ack"] == []
    assert "id-1, which was lost, and must not run again" in caplog.text
    # It leaves its trace in the broker, so the next worker tells of it
    assert list(lane.claimed) == ["tag-1"]


def test_a_result_that_the_store_cannot_keep_holds_up_no_other(consumer, lane, pool, store, start, settle_down, caplog):
    start(2)
    store.refuses = {"id-1"}
    pool.end(kind=OutcomeKind.WORKER_LOST)
    settle_down()
    assert sorted(lane.told["ack"]) == ["tag-1", "tag-2"]
    assert list(store.results) == ["id-2"]
    assert "cannot take the result of task id-1" in caplog.text


def test_a_hundred_lost_tasks_are_stored_in_one_batch(consumer, lane, store, message, settle_down):
    lane.dead = [message(number) for number in range(100)]
    consumer.connect()
    consumer.begin()
    settle_down()
    assert store.batches == [100]
    assert len(lane.told["ack"]) == 100


# -- workers that died -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"task": "proj.nowhere"},
        {"task": "proj.late"},
        {"expires": "2001-01-01T00:00:00+00:00"},
        {"eta": "2990-01-01T00:00:00+00:00"},
    ],
    ids=str,
)
def test_a_task_that_died_with_another_worker_is_lost_whatever_its_headers_say(
    consumer, lane, outcomes, store, message, settle_down, headers
):
    lane.dead = [message(1, **headers)]
    consumer.connect()
    consumer.begin()
    settle_down()
    assert kinds(outcomes) == [OutcomeKind.WORKER_LOST]
    assert store.results["id-1"]["result"]["exc_type"] == "WorkerLostError"
    assert lane.told["ack"] == ["tag-1"]
    assert (consumer.held, consumer.running) == (0, 0)


def test_one_that_died_and_cannot_even_be_read_is_acked(consumer, lane, outcomes, message, settle_down):
    lane.dead = [message(1, retries="many")]
    consumer.connect()
    consumer.begin()
    settle_down()
    assert kinds(outcomes) == [OutcomeKind.INVALID]
    assert lane.told["ack"] == ["tag-1"]
    assert consumer.held == 0


def test_one_that_had_succeeded_before_its_worker_died_is_not_told_as_lost(
    consumer, lane, outcomes, store, message, settle_down, app, caplog
):
    caplog.set_level(logging.INFO)
    # Given a task whose success is stored, and others that the store knows nothing of, or of which an error
    store.store([app.results.entry("id-1", states.SUCCESS, 42), app.results.entry("id-2", states.FAILURE, KeyError())])
    lane.dead = [message(number) for number in (1, 2, 3)]
    # When their worker has died
    consumer.connect()
    consumer.begin()
    settle_down()
    # Then all are acked, and the others are lost
    assert sorted(lane.told["ack"]) == ["tag-1", "tag-2", "tag-3"]
    told = {outcome.task_id: outcome.kind for outcome in outcomes}
    lost = OutcomeKind.WORKER_LOST
    assert told == {"id-1": OutcomeKind.SUCCESS, "id-2": lost, "id-3": lost}
    assert "Task proj.work[id-1] had succeeded before its worker died: 42" in caplog.text
    assert store.results["id-1"]["result"] == 42
    assert (consumer.held, consumer.running) == (0, 0)


def test_whether_one_had_succeeded_is_asked_until_the_store_answers(
    consumer, lane, outcomes, store, message, settle_down, monkeypatch, turn_until, app
):
    # Given a store that is away while a worker dies, two of whose tasks had begun
    monkeypatch.setattr(upkeep, "_LOST_INTERVAL", 0.01)
    store.store([app.results.entry("id-1", states.SUCCESS, 42)])
    store.is_away = True
    lane.dead = [message(1), message(2)]
    consumer.connect()
    consumer.begin()
    settle_down()
    assert (outcomes, consumer.held) == ([], 0)
    # When it is back
    store.is_away = False
    # Then each is told as what it is, once
    turn_until(lambda: len(lane.told["ack"]) == 2)
    told = [(outcome.task_id, outcome.kind) for outcome in outcomes]
    assert told == [("id-1", OutcomeKind.SUCCESS), ("id-2", OutcomeKind.WORKER_LOST)]
    assert consumer.held == 0


def test_where_a_result_cannot_be_read_its_task_is_lost(consumer, lane, outcomes, store, message, settle_down, caplog):
    store.fetch = lambda _: (_ for _ in ()).throw(BackendGetMetaError("damaged"))
    lane.dead = [message(1)]
    consumer.connect()
    consumer.begin()
    settle_down()
    assert kinds(outcomes) == [OutcomeKind.WORKER_LOST]
    assert "damaged" in caplog.text


def test_what_ends_while_the_broker_is_away_is_said_to_the_lane_which_may_note_it(
    consumer, lane, pool, start, settle_down
):
    noted = []
    lane.ended = lambda tags: noted.append([*tags])
    # Given tasks that have begun, and a broker that does not answer
    start(2)
    lane.failures.extend([OperationalError("away")] * 9)
    pool.end(1)
    settle_down()
    # When another ends
    pool.end(1)
    # Then its lane knows of both
    assert noted[-1] == ["tag-1", "tag-2"]
    assert consumer.broker.is_away


# -- what was claimed too much -----------------------------------------------------------------------------------------


def test_what_was_claimed_while_tasks_were_fast_goes_back_when_they_are_slow(
    consumer, lane, pool, start, settle_down, turn_until
):
    # Given tasks of a microsecond, for which the window grows
    start(2000)
    while len(lane.told["ack"]) < 500:
        pool.end(runtime=0.000001)
        settle_down()
    assert consumer.held > 100
    # When the two that run take long
    turn_until(lambda: lane.given_back)
    # Then the worker keeps what it may hold, and the last that it has claimed have gone back
    assert consumer.held == 8
    kept = set(lane.claimed)
    assert {f"tag-{job.number}" for job in pool.begun} <= kept
    assert max(int(tag.removeprefix("tag-")) for tag in kept) < min(
        int(delivery.tag.removeprefix("tag-")) for delivery in lane.given_back
    )
    # And does not claim them again
    settle_down()
    assert consumer.held == 8


def test_a_batch_that_has_just_come_is_not_given_back(consumer, lane, pool, start, settle_down):
    start(2000)
    while len(lane.told["ack"]) < 500:
        pool.end(runtime=0.000001)
        settle_down()
    consumer.window.note_silence(10.0)
    consumer.give_back_excess(waited=1.0)
    assert lane.given_back == []


def test_a_lane_that_counts_what_is_given_back_keeps_what_it_gave(consumer, lane, pool, hub, start, turn_until):
    lane.capabilities = LaneCapabilities.BEGIN_TRACE
    start(8)
    consumer.window.size = 2
    over = []
    hub.call_later(1.2, over.append, True)
    turn_until(lambda: over)
    assert lane.given_back == []


# -- where an early ack leaves no trace --------------------------------------------------------------------------------


def test_where_an_early_ack_leaves_no_trace_only_what_can_start_is_begun(consumer, lane, pool, start, settle_down):
    lane.capabilities = LaneCapabilities.NONE
    start(8)
    assert lane.told["begin"] == ["tag-1", "tag-2"]
    assert pool.running() == 2
    pool.end(1)
    settle_down()
    assert lane.told["begin"] == ["tag-1", "tag-2", "tag-3"]
    # Late-acked messages lose nothing by being handed ahead
    consumer.stop_claiming()
    assert lane.told["requeue"] == [f"tag-{number}" for number in range(4, 9)]


def test_late_acked_messages_are_handed_ahead_everywhere(consumer, lane, pool, start):
    lane.capabilities = LaneCapabilities.NONE
    start(8, task="proj.late")
    assert pool.running() == 8


# -- a lane whose claims become void -----------------------------------------------------------------------------------


def test_void_claims_that_wait_are_dropped_and_those_that_run_are_kept(
    consumer, lane, pool, outcomes, start, settle_down
):
    lane.capabilities = LaneCapabilities.NONE
    pool.ahead = 2
    start(1, first=7, task="proj.late", eta=in_future(3600))
    start(6, task="proj.late")
    tags = list(lane.claimed)
    kept = consumer._void(tags)
    assert set(kept) == {"tag-1", "tag-2"}
    assert consumer.held == 2
    assert len(consumer.stock.later) == 0
    for tag in set(tags) - set(kept):
        del lane.claimed[tag]
    pool.end()
    settle_down()
    assert lane.told["ack"] == ["tag-1", "tag-2"]
    assert consumer.held == 0
    assert len(outcomes) == 2


# -- books -------------------------------------------------------------------------------------------------------------


def test_the_books_are_right_after_a_thousand_messages_of_all_kinds_and_many_failures(
    consumer, lane, pool, outcomes, store, start, settle_down, turn_until, message
):
    chance = random.Random(7)
    consumer.connect()
    consumer.begin()
    pool.ahead = 20
    variants = [
        {},
        {"task": "proj.late"},
        {"task": "proj.nowhere"},
        {"retries": "x"},
        {"expires": "2001-01-01T00:00:00+00:00"},
        {"eta": in_future(0.3)},
    ]
    endings = [kind for kind in OutcomeKind if kind not in {"revoked", "expired", "unknown-task"}]
    sent = 0
    while sent < 1000:
        count = chance.randrange(1, 40)
        lane.put(*[message(sent + number, **chance.choice(variants)) for number in range(count)])
        sent += count
        if chance.random() < 0.2:
            lane.failures.extend([None] * chance.randrange(3) + [chance.choice(BROKEN)])
        store.is_away = chance.random() < 0.2
        settle_down()
        pool.end(chance.randrange(5), kind=chance.choice(endings), requeue=chance.random() < 0.5)
        assert consumer.held >= consumer.running
    store.is_away = False
    consumer.broker._backoff._longest = 0.01

    def idle():
        pool.end()
        return not lane.ready and not consumer.held and not len(consumer._ledger)

    turn_until(idle, timeout=30)
    assert lane.claimed == {}
    settled = [tag for name in ("ack", "reject", "redeliver", "requeue") for tag in lane.told[name]]
    assert sorted(settled) == sorted(f"tag-{number}" for number in range(sent))
    assert len(outcomes) == sent
