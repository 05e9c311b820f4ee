"""The worker's loop: nothing scheduled waits, nothing cancelled stays, whatever happens wakes it, else it sleeps."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import threading
import time
import weakref

import pytest
from kombu.asynchronous import get_event_loop, set_event_loop

from celeriac.worker.hub import WorkerHub


@pytest.fixture
def hub():
    hub = WorkerHub()
    yield hub
    hub.close()


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    yield ours, theirs
    ours.close()
    theirs.close()


def turn_until(hub, condition, timeout=10.0):
    """Turn the loop until `condition` holds; gives the number of turns."""
    expired = []
    deadline = hub.call_later(timeout, expired.append, True)
    turns = 0
    while not condition():
        assert not expired, "the loop never came to it"
        hub.run_once()
        turns += 1
    deadline.cancel()
    return turns


# -- scheduling --------------------------------------------------------------------------------------------------------


def test_what_a_callback_schedules_is_called_without_a_sleep(hub):
    called = []
    hub.call_soon(lambda: hub.call_soon(called.append, "second"))
    started = time.monotonic()
    assert turn_until(hub, lambda: called) <= 2
    assert time.monotonic() - started < 5


def test_a_timer_is_not_late_by_the_unit_of_the_poller(hub):
    def lateness():
        due, called = time.monotonic() + 0.00205, []
        hub.call_later(0.00205, called.append, True)
        turn_until(hub, lambda: called)
        return time.monotonic() - due

    late = [lateness() for _ in range(30)]
    assert min(late) >= 0
    assert min(late) < 0.0005, "rounded up to a whole millisecond it would be 0.95 ms"


def test_what_wakes_the_loop_does_so_also_in_the_last_millisecond_before_a_timer(hub, pair):
    ours, theirs = pair
    heard = []
    hub.add_reader(ours, lambda: heard.append(ours.recv(1)))
    theirs.send(b"!")
    hub.call_later(0.0009, heard.append, b"late")
    hub.run_once()
    assert heard[:1] == [b"!"]


def test_calls_are_made_in_the_order_in_which_they_were_scheduled(hub):
    called = []
    for number in range(100):
        hub.call_soon(called.append, number)
    hub.run_once()
    assert called == list(range(100))


def test_a_thousand_timers_that_are_due_together_are_fired_in_one_turn(hub):
    called = []
    for number in range(1000):
        hub.call_later(0, called.append, number)
    hub.call_soon(lambda: None)
    hub.run_once()
    assert called == list(range(1000))


def test_more_timers_than_fit_into_a_turn_leave_descriptors_their_turn(hub, pair):
    ours, theirs = pair
    seen = []
    hub.add_reader(ours, lambda: (ours.recv(1), seen.append(len(called))))
    called = []
    hub.call_later(0, theirs.send, b"x")
    for number in range(2500):
        hub.call_later(0, called.append, number)
    turn_until(hub, lambda: len(called) == 2500)
    assert seen[0] < 2500


def test_a_timer_is_fired_when_it_is_due_and_not_before(hub):
    called = []
    started = time.monotonic()
    hub.call_later(0.05, lambda: called.append(time.monotonic() - started))
    turn_until(hub, lambda: called)
    assert 0.05 <= called[0] < 1


def test_a_repeated_call_goes_on_after_an_error_and_ends_when_cancelled(hub, caplog):
    called = []

    def fail():
        called.append(1)
        raise ValueError("on purpose")

    timer = hub.call_repeatedly(0.01, fail)
    turn_until(hub, lambda: len(called) == 3)
    assert caplog.text.count("ValueError: on purpose") == 3
    timer.cancel()
    done = []
    hub.call_later(0.05, done.append, True)
    turn_until(hub, lambda: done)
    assert len(called) == 3


def test_a_cancelled_timer_is_not_fired_and_cancelling_again_is_harmless(hub):
    called = []
    timer = hub.call_later(0.01, called.append, "never")
    timer.cancel()
    timer.cancel()
    hub.call_later(0.03, called.append, "end")
    turn_until(hub, lambda: called)
    assert called == ["end"]


def test_cancelled_timers_that_are_due_in_an_hour_are_forgotten_now(hub):
    class Held:
        def call(self):
            raise AssertionError

    kept = [hub.call_later(3600, lambda: None) for _ in range(10)]
    watched = []
    for _ in range(20_000):
        held = Held()
        watched.append(weakref.ref(held))
        hub.call_later(3600, held.call).cancel()
    del held
    gc.collect()
    assert len(hub.timer) < 2000
    assert sum(ref() is not None for ref in watched) < 2000
    assert all(not timer.canceled for timer in kept)
    assert sum(not scheduled.entry.canceled for scheduled in hub.timer._queue) == 10


def test_timers_keep_their_order_when_the_cancelled_are_forgotten(hub):
    called = []
    timers = [hub.call_later(0.0001 * number, called.append, number) for number in range(3000)]
    for number, timer in enumerate(timers):
        if number % 3:
            timer.cancel()
    turn_until(hub, lambda: len(called) == 1000)
    assert called == list(range(0, 3000, 3))


# -- errors ------------------------------------------------------------------------------------------------------------


def test_an_error_of_a_callback_ends_neither_the_turn_nor_the_loop(hub, pair, caplog):
    ours, theirs = pair
    called = []

    def fail(where):
        raise RuntimeError(f"failed {where}")

    def fail_at_tick():
        fail("tick")

    hub.call_soon(fail, "soon")
    hub.call_soon(called.append, "soon")
    hub.call_later(0, fail, "timer")
    hub.call_later(0, called.append, "timer")
    hub.on_tick.add(fail_at_tick)
    hub.add_reader(ours, lambda: (ours.recv(1), called.append("reader"), fail("reader")))
    theirs.send(b"x")
    hub.run_once()
    assert called == ["reader", "timer", "soon"]
    for where in ("soon", "timer", "tick", "reader"):
        assert f"failed {where}" in caplog.text


def test_what_ends_the_process_passes(hub):
    def leave():
        raise SystemExit(3)

    hub.call_soon(leave)
    with pytest.raises(SystemExit):
        hub.run_once()


def test_a_descriptor_whose_callback_always_fails_is_left_alone_in_the_end(hub, pair, caplog):
    ours, theirs = pair
    calls = []

    def fail():  # and reads nothing, so the descriptor stays readable
        calls.append(1)
        raise OSError("broken")

    hub.add_reader(ours, fail)
    theirs.send(b"x")
    done = []
    hub.call_later(0.1, done.append, True)
    turn_until(hub, lambda: done)
    assert len(calls) == 10
    assert "left alone" in caplog.text
    # And it may be watched again
    hub.add_reader(ours, lambda: calls.append(ours.recv(1)))
    turn_until(hub, lambda: calls[-1] == b"x")


# -- descriptors -------------------------------------------------------------------------------------------------------


def test_a_callback_may_remove_its_own_descriptor(hub, pair, caplog):
    ours, theirs = pair
    called = []
    hub.add_reader(ours, lambda: (called.append(1), hub.remove_reader(ours.fileno())))
    theirs.send(b"x")
    done = []
    hub.call_later(0.05, done.append, True)
    turns = turn_until(hub, lambda: done)
    assert called == [1]
    assert turns < 10
    assert caplog.records == []


def test_a_callback_may_remove_another_descriptor_that_is_ready_in_the_same_turn(hub, caplog):
    pairs = [socket.socketpair() for _ in range(2)]
    called = []

    def close_both(mine):
        called.append(mine)
        for ours, _ in pairs:
            hub.remove(ours.fileno())
            ours.close()

    for number, (ours, theirs) in enumerate(pairs):
        hub.add_reader(ours, close_both, number)
        theirs.send(b"x")
    done = []
    hub.call_later(0.05, done.append, True)
    turn_until(hub, lambda: done)
    assert len(called) == 1
    assert caplog.records == []
    for _, theirs in pairs:
        theirs.close()


def test_one_descriptor_can_be_watched_for_both_ways_and_each_ends_by_itself(hub, pair):
    ours, theirs = pair
    called = []
    hub.add_reader(ours, lambda: called.append(ours.recv(1)))
    hub.add_writer(ours, lambda: (called.append("writable"), hub.remove_writer(ours.fileno())))
    theirs.send(b"x")
    turn_until(hub, lambda: len(called) == 2)
    assert sorted(called, key=str) == [b"x", "writable"]
    theirs.send(b"y")
    turn_until(hub, lambda: len(called) == 3)
    assert called[-1] == b"y"
    hub.add_writer(ours, lambda: called.append("again"))
    hub.remove_reader(ours.fileno())
    theirs.send(b"z")
    turn_until(hub, lambda: "again" in called)
    assert b"z" not in called


def test_a_descriptor_whose_number_is_reused_is_watched_anew(hub):
    called = []
    first, other = socket.socketpair()
    number = first.fileno()
    hub.add_reader(first, called.append, "first")
    first.close()  # without a word to the loop
    other.close()
    second, writer = socket.socketpair()
    if second.fileno() != number:
        os.dup2(second.fileno(), number)
    hub.add_reader(number, lambda: called.append(os.read(number, 1)))
    writer.send(b"x")
    turn_until(hub, lambda: called)
    assert called == [b"x"]
    hub.remove(number)
    if second.fileno() != number:
        os.close(number)
    second.close()
    writer.close()


def test_a_generator_may_serve_a_descriptor_as_kombu_does_it(hub, pair):
    ours, _ = pair
    called = []

    def writer():
        called.append(1)
        yield
        called.append(2)
        hub.remove_writer(ours.fileno())

    hub.add_writer(ours, writer())
    turn_until(hub, lambda: len(called) == 2)
    assert ours.fileno() not in hub.writers


# -- sleeping and waking -----------------------------------------------------------------------------------------------


def test_the_loop_sleeps_while_nothing_happens(hub):
    done = []
    hub.call_later(0.3, done.append, True)
    assert turn_until(hub, lambda: done) <= 2


def test_another_thread_wakes_the_loop(hub, pair):
    called = []
    thread = threading.Timer(0.05, lambda: hub.call_soon(called.append, threading.get_ident()))
    thread.start()
    started = time.monotonic()
    turn_until(hub, lambda: called, timeout=30)
    thread.join()
    assert time.monotonic() - started < 5
    assert called == [thread.ident]


def test_many_threads_lose_no_call(hub):
    called = []

    def call(start):
        for number in range(start, start + 1000):
            hub.call_soon(called.append, number)

    threads = [threading.Thread(target=call, args=(1000 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    turn_until(hub, lambda: len(called) == 4000)
    for thread in threads:
        thread.join()
    assert sorted(called) == list(range(4000))


def test_a_signal_handler_wakes_the_loop(hub):
    called = []
    before = signal.signal(signal.SIGUSR1, lambda *_: (called.append(1), hub.wake_up()))
    try:
        timer = threading.Timer(0.05, os.kill, [os.getpid(), signal.SIGUSR1])
        timer.start()
        started = time.monotonic()
        turn_until(hub, lambda: called, timeout=30)
        timer.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert time.monotonic() - started < 5


# -- the end -----------------------------------------------------------------------------------------------------------


def test_closing_releases_all_descriptors_and_may_be_repeated():
    def open_descriptors():
        return set(os.listdir("/proc/self/fd"))

    gc.collect()
    before = open_descriptors()
    hub = WorkerHub()
    hub.call_later(1, lambda: None)
    assert open_descriptors() > before
    hub.close()
    hub.close()
    assert open_descriptors() <= before
    # And whoever is late does no harm
    hub.wake_up()
    hub.call_soon(lambda: None)
    hub.remove_reader(5)
    threading.Thread(target=hub.call_soon, args=(print,)).run()
    assert open_descriptors() <= before


def test_a_closed_hub_is_no_longer_kombus_loop():
    hub = WorkerHub()
    set_event_loop(hub)
    hub.close()
    assert get_event_loop() is None


def test_kombus_loop_of_somebody_else_stays(caplog):
    caplog.set_level(logging.DEBUG)
    other, hub = WorkerHub(), WorkerHub()
    set_event_loop(other)
    try:
        hub.close()
        assert get_event_loop() is other
    finally:
        other.close()
