"""``async def`` is a task like any other, one at a time."""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import contextmanager, suppress
from contextvars import ContextVar

import pytest

from celeriac.app.current import get_current_task
from celeriac.exceptions import SoftTimeLimitExceeded


def test_a_coroutine_is_run_to_its_end_eagerly_and_by_a_worker(app, start_worker):
    @app.task
    async def add(x, y):
        await asyncio.sleep(0)
        return x + y

    assert add.apply((1, 2)).get() == 3
    start_worker(app)
    assert add.delay(2, 3).get(timeout=10) == 5


def test_an_error_in_a_coroutine_is_the_tasks(app):
    @app.task
    async def broken():
        await asyncio.sleep(0)
        raise LookupError("a")

    assert isinstance(broken.apply().result, LookupError)


def test_an_error_in_a_coroutine_keeps_its_cause(app):
    @app.task
    async def broken():
        raise LookupError("a") from KeyError("b")

    assert repr(broken.apply().result.__cause__) == "KeyError('b')"


def test_each_coroutine_sees_its_own_request_and_not_that_of_the_first(app):
    @app.task(bind=True)
    async def who(self):
        await asyncio.sleep(0)
        assert get_current_task() is self
        return self.request.id

    first, second = who.apply(), who.apply()
    assert (first.get(), second.get()) == (first.id, second.id)


def test_one_loop_serves_all_coroutines_of_a_thread_and_each_thread_has_its_own(app):
    @app.task
    async def loop():
        return asyncio.get_running_loop()

    here = loop.apply().get()
    assert loop.apply().get() is here
    found = []

    def elsewhere():
        from celeriac.app.coroutines import close_loop

        found.append(loop.apply().get())
        close_loop()

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join(10)
    assert found[0] is not here
    assert found[0].is_closed()


def test_a_coroutine_of_a_class_with_a_call_of_its_own(app):
    class Counted(app.Task):
        calls = 0

        def __call__(self, *args, **kwargs):
            self.calls += 1
            return super().__call__(*args, **kwargs)

    @app.task(base=Counted)
    async def job(x):
        return x

    assert job.apply((3,)).get() == 3
    assert job.calls == 1


def test_where_a_loop_runs_already_it_is_an_error_that_says_what_to_do(app):
    @app.task
    async def job():
        return 1

    async def main():
        result = job.apply()
        assert "await task.run" in str(result.result)
        return await job.run()

    assert asyncio.run(main()) == 1
    assert asyncio.run(main()) == 1


@pytest.fixture(autouse=True)
def no_loop_is_left():
    from celeriac.app.coroutines import close_loop

    yield
    close_loop()


# -- interruptions -----------------------------------------------------------------------------------------------------


@contextmanager
def interrupted_by(error, seconds=0.05):
    """Raise `error` in this thread, as a soft time limit does, after `seconds`."""

    def strike(signum, frame):
        raise error

    before = signal.signal(signal.SIGALRM, strike)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_soft_time_limit_is_raised_where_the_coroutine_waits_and_it_may_clean_up(app):
    told = []

    @app.task
    async def job():
        try:
            await asyncio.sleep(50)
        except SoftTimeLimitExceeded:
            await asyncio.sleep(0.01)
            told.append("cleaned up")
            return "late"

    with interrupted_by(SoftTimeLimitExceeded(1)):
        assert job.apply().get() == "late"
    assert told == ["cleaned up"]


def test_an_interrupted_coroutine_has_ended_when_its_task_has_and_haunts_no_later_one(app):
    told = []

    @app.task
    async def job():
        try:
            await asyncio.gather(asyncio.sleep(50), asyncio.sleep(60))
        finally:
            told.append("ended")

    @app.task
    async def later():
        await asyncio.sleep(0.01)
        told.append("later")
        return len(asyncio.all_tasks())

    with interrupted_by(SoftTimeLimitExceeded(1)):
        assert isinstance(job.apply().result, SoftTimeLimitExceeded)
    assert told == ["ended"]
    assert later.apply().get() == 1
    assert told == ["ended", "later"]


def test_an_interruption_in_a_callback_of_the_loop_reaches_the_coroutine(app):
    @app.task
    async def job():
        def strikes_here():
            raise SoftTimeLimitExceeded(1)

        asyncio.get_running_loop().call_soon(strikes_here)
        await asyncio.sleep(50)

    assert isinstance(job.apply().result, SoftTimeLimitExceeded)


def test_what_ends_the_process_ends_the_coroutine_first(app):
    told = []

    @app.task
    async def job():
        try:
            await asyncio.sleep(50)
        finally:
            told.append("ended")

    with interrupted_by(KeyboardInterrupt()), pytest.raises(KeyboardInterrupt):
        job.apply()
    assert told == ["ended"]


def test_a_cancellation_of_its_own_making_is_left_as_it_is(app):
    @app.task
    async def job():
        inner = asyncio.create_task(asyncio.sleep(50))
        inner.cancel()
        with suppress(asyncio.CancelledError):
            await inner
        try:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(50)
        except TimeoutError:
            return "timed out"

    assert job.apply().get() == "timed out"


# -- what is left behind -----------------------------------------------------------------------------------------------


def test_a_generator_that_is_dropped_is_closed_before_the_task_has_ended(app):
    told = []

    async def numbers():
        try:
            for number in range(10):
                yield number
        finally:
            await asyncio.sleep(0.01)
            told.append("closed")

    @app.task
    async def job():
        async for number in numbers():
            if number == 2:
                return number
        return None

    assert (job.apply().get(), told) == (2, ["closed"])


def test_context_variables_of_the_caller_are_seen_and_those_that_are_set_stay_inside(app):
    tenant = ContextVar("tenant", default="nobody")

    @app.task
    async def job(name):
        before = tenant.get()
        tenant.set(name)
        await asyncio.sleep(0)
        return before, await asyncio.create_task(_read(tenant))

    tenant.set("caller")
    assert job.apply(("first",)).get() == ("caller", "first")
    assert job.apply(("second",)).get() == ("caller", "second")
    assert tenant.get() == "caller"


async def _read(variable):
    return variable.get()
