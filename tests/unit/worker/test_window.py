"""How many messages a worker holds: a batch where tasks are fast, what was configured where they are slow."""

from __future__ import annotations

import pytest

from celeriac.worker.window import PrefetchWindow


def test_it_begins_with_what_is_configured():
    window = PrefetchWindow(4, 2)
    assert (window.size, window.appetite(0)) == (8, 8)


def test_it_grows_with_fast_tasks_up_to_a_bound():
    window = PrefetchWindow(4, 2)
    for _ in range(20):
        window.note(0.0001, 100)
    assert window.size == 500
    window.note(0.0, 100)
    assert window.size == 500


def test_it_stays_at_what_is_configured_for_slow_tasks():
    window = PrefetchWindow(4, 2)
    window.note(10.0, 1)
    assert window.size == 8


def test_one_slow_task_among_many_fast_ones_shrinks_it_at_once():
    window = PrefetchWindow(4, 2)
    for _ in range(20):
        window.note(0.001, 100)
    assert window.size > 100
    window.note(10.0, 1)
    assert window.size == 8


def test_silence_shrinks_it_before_any_slow_task_has_ended():
    window = PrefetchWindow(4, 2)
    for _ in range(20):
        window.note(0.001, 100)
    window.note_silence(0.00001)
    assert window.size > 100
    window.note_silence(1.0)
    assert window.size == 8


def test_it_grows_again_when_tasks_are_fast_again():
    window = PrefetchWindow(4, 2)
    window.note(10.0, 1)
    for _ in range(100):
        window.note(0.0001, 32)
    assert window.size == 500


def test_a_claim_carries_a_batch():
    window = PrefetchWindow(4, 2)
    assert [window.appetite(held) for held in range(10)] == [8, 7, 6, 5, 4, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("window", [PrefetchWindow(1, 4), PrefetchWindow(9, 4, disabled=True)], ids=["1", "disabled"])
def test_a_strict_window_never_grows_and_leaves_no_child_idle(window):
    window.note(0.0, 1000)
    window.note_silence(0.0)
    assert window.size == 4
    assert [window.appetite(held) for held in range(6)] == [4, 3, 2, 1, 0, 0]


def test_multiplier_0_is_without_limit():
    window = PrefetchWindow(0, 4)
    assert window.size == 0
    assert window.appetite(100_000) > 0
    assert window.excess(100_000) == 0


def test_excess_is_what_is_beyond_it():
    window = PrefetchWindow(4, 2)
    assert [window.excess(held) for held in (0, 8, 9, 20)] == [0, 0, 1, 12]


def test_no_reports_say_nothing():
    window = PrefetchWindow(4, 2)
    window.note(0.0, 0)
    assert window.size == 8
