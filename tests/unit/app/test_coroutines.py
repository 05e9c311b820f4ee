"""``async def`` is a task like any other, one at a time."""

from __future__ import annotations

import asyncio
import threading

import pytest

from celeriac.app.current import get_current_task


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
