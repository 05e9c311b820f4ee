"""Messages that kill their process are bounded; those that merely were there are not."""

from __future__ import annotations

import uuid

import pytest

from celeriac.app.base import Celery
from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import Report
from celeriac.exceptions import StoreUnavailable
from celeriac.worker.losses import Losses
from celeriac.worker.settlement import Verdict


def lost(*, is_suspect=True):
    return Report(1, OutcomeKind.WORKER_LOST, None, "the process ended", is_suspect=is_suspect)


def verdicts(losses, times, task_id="a", **report):
    return [losses.bound(task_id, lost(**report), Verdict.REDELIVER)[1] for _ in range(times)]


def test_a_message_that_kills_each_time_goes_back_until_it_has_killed_too_often():
    losses = Losses(3)

    assert verdicts(losses, 3) == [Verdict.REDELIVER, Verdict.REDELIVER, Verdict.BURY]
    assert len(losses) == 0


def test_the_last_report_says_how_often_and_names_the_setting():
    losses = Losses(1)

    report, _ = losses.bound("a", lost(), Verdict.REDELIVER)

    assert report.detail == (
        "the process ended; its process has died 1 times (task_max_worker_losses), so it is not run again"
    )


def test_a_message_whose_process_died_of_another_goes_back_however_often():
    losses = Losses(3)

    assert set(verdicts(losses, 50, is_suspect=False)) == {Verdict.REDELIVER}
    assert len(losses) == 0


def test_each_message_is_counted_by_itself():
    losses = Losses(2)

    assert verdicts(losses, 1, "a") + verdicts(losses, 1, "b") == [Verdict.REDELIVER, Verdict.REDELIVER]


def test_a_message_that_has_ended_meanwhile_is_forgiven():
    losses = Losses(2)
    verdicts(losses, 1)

    losses.forget("a")

    assert verdicts(losses, 1) == [Verdict.REDELIVER]


def test_without_a_bound_it_goes_back_for_ever():
    assert set(verdicts(Losses(None), 100)) == {Verdict.REDELIVER}


@pytest.mark.parametrize("decided", [Verdict.ACK, Verdict.REJECT])
def test_what_does_not_go_back_anyway_is_left_as_it_is(decided):
    assert Losses(1).bound("a", lost(), decided) == (lost(), decided)


# -- with a store that all workers share -------------------------------------------------------------------------------


@pytest.fixture
def store():
    url = f"memory://{uuid.uuid4()}"
    with Celery("proj", broker=url, backend=url, set_as_current=False) as app:
        yield app.results.backend


def test_workers_that_share_a_store_count_together_and_a_new_one_goes_on(store):
    one, two = Losses(3, store), Losses(3, store)
    assert verdicts(one, 1) + verdicts(two, 1) + verdicts(Losses(3, store), 1) == [
        Verdict.REDELIVER,
        Verdict.REDELIVER,
        Verdict.BURY,
    ]
    # One that comes again, because its worker died before it was kept as a dead letter, has used up its tries
    assert verdicts(Losses(3, store), 1) == [Verdict.BURY]


def test_a_task_that_has_ended_where_its_death_was_counted_is_forgiven_by_all(store):
    one = Losses(2, store)
    verdicts(one, 1)
    one.forget("a")
    assert verdicts(Losses(2, store), 1) == [Verdict.REDELIVER]


def test_while_the_store_is_away_each_worker_counts_for_itself(store, monkeypatch, caplog):
    def away(*_):
        raise StoreUnavailable("the store is away")

    for name in ("get_values", "delete_values"):
        monkeypatch.setattr(store, name, away)
    assert verdicts(Losses(2, store), 2) == [Verdict.REDELIVER, Verdict.BURY]
    assert "is counted here alone: the store is away" in caplog.text
