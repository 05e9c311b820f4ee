"""What a message says about its deadline when it leaves."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

import celeriac_deadline
from celeriac.exceptions import ImproperlyConfigured


def near(seconds):
    """A deadline so many seconds from now; half a minute is what a slow machine may be late."""
    return pytest.approx(time.time() + seconds, abs=30)


def test_without_a_deadline_a_message_has_no_header(app, sent):
    @app.task
    def plain():
        pass

    plain.delay()
    assert "deadline" not in sent().headers


def test_the_deadline_of_a_task_is_stamped_on_each_message(app, sent):
    @app.task(deadline=1000)
    def bounded():
        pass

    bounded.delay()
    message = sent()
    assert message.headers["deadline"] == near(1000)
    assert "deadline" not in message.properties


def test_a_task_option_may_be_a_timedelta(app, sent):
    @app.task(deadline=timedelta(hours=1))
    def bounded():
        pass

    bounded.delay()
    assert sent().headers["deadline"] == near(3600)


def test_a_task_option_that_is_no_time_is_refused_where_it_is_written(app):
    with pytest.raises(ImproperlyConfigured, match=r"the task option deadline must be .*seconds"):

        @app.task(deadline="soon")
        def bounded():
            pass


def test_the_setting_holds_for_tasks_that_say_nothing(make_app, sent):
    app = make_app(deadline_default=1000)

    @app.task
    def plain():
        pass

    @app.task(deadline=2000)
    def bounded():
        pass

    plain.delay()
    assert sent().headers["deadline"] == near(1000)
    bounded.delay()
    assert sent().headers["deadline"] == near(2000)
    app.send_task("unknown.here")
    assert sent().headers["deadline"] == near(1000)


def test_a_call_says_its_own_in_seconds(app, sent):
    @app.task(deadline=1000)
    def bounded():
        pass

    bounded.apply_async(deadline=2000)
    message = sent()
    assert message.headers["deadline"] == near(2000)
    assert "deadline" not in message.properties


@pytest.mark.parametrize(
    "moment",
    [
        1_900_000_000,
        datetime.fromtimestamp(1_900_000_000, UTC),
        datetime.fromtimestamp(1_900_000_000, UTC).isoformat(),
    ],
)
def test_a_header_says_the_moment_itself(app, sent, moment):
    @app.task(deadline=1000)
    def bounded():
        pass

    bounded.apply_async(headers={"deadline": moment})
    assert sent().headers["deadline"] == 1_900_000_000


@pytest.mark.parametrize("nonsense", ["soon", True, float("nan"), [1]])
def test_a_header_that_is_no_moment_is_refused_before_anything_is_sent(app, sent, nonsense):
    with pytest.raises(ValueError, match=r"deadline|isoformat"):
        app.send_task("t", headers={"deadline": nonsense})


def test_the_budget_of_a_delayed_task_begins_when_it_may_start(app, sent):
    @app.task(deadline=1000)
    def bounded():
        pass

    bounded.apply_async(countdown=500)
    assert sent().headers["deadline"] == near(1500)
    bounded.apply_async(eta=datetime.now(UTC) - timedelta(hours=1))
    assert sent().headers["deadline"] == near(1000)


# -- inherited ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("outer", "inner", "effective"), [(1000, 5000, 1000), (5000, 1000, 1000), (1000, None, 1000)])
def test_the_earlier_of_the_callers_deadline_and_ones_own_counts(app, sent, outer, inner, effective):
    with celeriac_deadline.budget(outer):
        app.send_task("t", **({} if inner is None else {"deadline": inner}))
    assert sent().headers["deadline"] == near(effective)


def test_a_nested_budget_never_exceeds_the_outer_one():
    with celeriac_deadline.budget(1000):
        with celeriac_deadline.budget(5000):
            assert celeriac_deadline.remaining() <= 1000
        with celeriac_deadline.budget(10):
            assert celeriac_deadline.remaining() <= 10
        assert celeriac_deadline.remaining() > 10
    assert celeriac_deadline.remaining() is None


def test_a_lifted_deadline_is_not_inherited(app, sent):
    with celeriac_deadline.budget(1000), celeriac_deadline.budget(None):
        assert celeriac_deadline.remaining() is None
        app.send_task("t")
    assert "deadline" not in sent().headers


def test_a_task_gives_what_it_calls_the_rest_of_its_own_budget(app, sent):
    @app.task
    def child():
        pass

    @app.task
    def parent():
        child.apply_async(deadline=5000)
        return celeriac_deadline.remaining()

    moment = time.time() + 1000
    left = parent.apply(headers={"deadline": moment}).get()
    assert 0 < left <= 1000
    assert sent().headers["deadline"] == pytest.approx(moment, abs=0.001)


# -- in the task -------------------------------------------------------------------------------------------------------


def test_a_task_without_a_deadline_has_all_the_time(app):
    @app.task
    def plain():
        celeriac_deadline.check()
        return celeriac_deadline.remaining()

    assert plain.apply().get() is None


def test_a_task_whose_deadline_has_passed_does_not_start(app):
    started = []

    @app.task
    def late():
        started.append(True)

    with pytest.raises(celeriac_deadline.DeadlineExceeded, match=r"passed 1\d\.\d+ s before the task could start"):
        late.apply(headers={"deadline": time.time() - 10}).get()
    assert not started


def test_a_loop_stops_when_the_deadline_passes(app):
    @app.task
    def looping():
        while True:
            celeriac_deadline.check()

    result = looping.apply(headers={"deadline": time.time() + 0.05})
    with pytest.raises(celeriac_deadline.DeadlineExceeded, match="The deadline of the task"):
        result.get()


def test_an_eager_child_has_the_deadline_of_its_caller(app):
    @app.task
    def child():
        return celeriac_deadline.remaining()

    @app.task
    def parent():
        return child.apply().get(disable_sync_subtasks=False)

    assert parent.apply(headers={"deadline": time.time() + 1000}).get() > 0


def test_after_a_task_nothing_of_its_deadline_is_left(app):
    @app.task
    def failing():
        raise KeyError("no")

    failing.apply(headers={"deadline": time.time() + 1000})
    assert celeriac_deadline.remaining() is None
