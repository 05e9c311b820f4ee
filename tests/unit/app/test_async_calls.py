"""Calling and waiting in asyncio: the event loop goes on beating whatever the broker and the store do."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar

import pytest

from celeriac import group
from celeriac.contracts import Middleware
from celeriac.plugin import hookimpl


async def beats(number):
    """Let the loop come round so often; a loop that is blocked never gets here."""
    for _ in range(number):
        await asyncio.sleep(0.001)


@pytest.fixture
def add(app):
    @app.task(name="add")
    def add(x, y):
        return x + y

    return add


class Slow:
    """A broker that takes nothing until it is let."""

    def __init__(self):
        self.entered, self.released = threading.Event(), threading.Event()
        self.threads = set()

    def wait(self, message, call_next):
        self.threads.add(threading.get_ident())
        self.entered.set()
        assert self.released.wait(20), "the event loop was blocked"
        return call_next(message)

    @hookimpl
    def celeriac_publish_middleware(self):
        return [Middleware(100, self.wait, "slow")]


@pytest.mark.parametrize("how", ["adelay", "aapply_async"])
def test_sending_does_not_block_the_loop(app, add, start_worker, how):
    slow = Slow()
    app.plugins.register(slow)

    async def main():
        sending = asyncio.ensure_future(add.adelay(1, 2) if how == "adelay" else add.aapply_async((1, 2)))
        # Given a broker that hangs, the loop beats on, and only then lets the broker go on
        while not slow.entered.is_set():
            await beats(1)
        await beats(50)
        assert not sending.done()
        slow.released.set()
        return await (await sending).aget(timeout=10)

    start_worker(app)
    assert asyncio.run(main()) == 3
    assert threading.get_ident() not in slow.threads


def test_waiting_for_a_result_and_for_the_members_of_a_group_does_not_block_the_loop(app, start_worker):
    released = threading.Event()

    @app.task(name="held")
    def held(x):
        assert released.wait(20), "the event loop was blocked"
        return x

    async def main():
        one, many = await held.adelay(1), group(held.s(number) for number in range(5)).apply_async()

        waiting = asyncio.gather(one, many.aget(timeout=20))
        await beats(50)
        assert not waiting.done()
        released.set()
        return await waiting

    start_worker(app)
    assert asyncio.run(main()) == [1, [0, 1, 2, 3, 4]]


def test_a_groups_results_are_iterated_as_they_come_while_the_loop_beats(app, start_worker):
    released = threading.Event()

    @app.task(name="held")
    def held(x):
        if x == 2:
            assert released.wait(20), "the event loop was blocked"
        return x

    async def main():
        found = []
        async for member in group(held.s(number) for number in range(3)).apply_async():
            found.append(await member)
            if len(found) == 2:  # the last one waits for us
                await beats(20)
                released.set()
        return found

    start_worker(app)
    assert sorted(asyncio.run(main())) == [0, 1, 2]


def test_loops_in_several_threads_call_and_wait_at_once(app, add, start_worker):
    start_worker(app)
    found = {}

    def run(name):
        async def main():
            results = await asyncio.gather(*(add.adelay(name, number) for number in range(10)))
            return await asyncio.gather(*results)

        found[name] = asyncio.run(main())

    threads = [threading.Thread(target=run, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == {name: [name + number for number in range(10)] for name in range(4)}


def test_what_a_coroutine_task_calls_is_its_child_and_sees_its_context(app, add, start_worker):
    tenant = ContextVar("tenant", default="nobody")
    seen = []

    class Noting:
        @hookimpl
        def celeriac_publish_middleware(self):
            def note(message, call_next):
                seen.append((tenant.get(), message.headers["task"], message.headers["parent_id"]))
                return call_next(message)

            return [Middleware(100, note, "noting")]

    app.plugins.register(Noting())

    @app.task(name="calls")
    async def calls():
        tenant.set("acme")
        result = await add.adelay(1, 2)
        return result.id

    start_worker(app)
    outer = calls.delay()
    inner = outer.get(timeout=10)
    assert seen == [("nobody", "calls", None), ("acme", "add", outer.id)]
    assert [child.id for child in app.AsyncResult(outer.id).children] == [inner]


def test_a_cancelled_call_ends_at_once_and_the_task_may_have_been_sent_all_the_same(app, add, claim):
    slow = Slow()
    app.plugins.register(slow)

    async def main():
        sending = asyncio.ensure_future(add.adelay(1, 2))
        while not slow.entered.is_set():
            await beats(1)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        slow.released.set()

    asyncio.run(main())
    assert len(claim(app)) == 1
