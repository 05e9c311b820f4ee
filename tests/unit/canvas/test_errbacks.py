"""Errors reach every errback once."""

from __future__ import annotations

import pytest

from celeriac import chain, chord, group


@pytest.fixture
def called(worker, tasks, diary, wait_until):
    """Return ``called(canvas)``: how often which errback was called for it, after everything has come to an end."""

    def send(canvas):
        result = canvas.apply_async()
        leaves = result.results if hasattr(result, "results") else [result]
        for leaf in leaves:
            leaf.get(timeout=10, propagate=False)
        wait_until(lambda: not worker.consumer.running)
        tasks.identity.delay(0).get(timeout=10)
        noted = diary.take()
        return {key.split("'")[3] + "@" + key.split("'")[5]: count for key, count in noted.items() if "errback" in key}

    return send


def test_a_task_a_chain_and_each_member_of_a_group(tasks, called):
    t = tasks
    assert called(t.fail.s(1).on_error(t.errback.s("e"))) == {"e@fail": 1}
    assert called(chain(t.identity.s(1), t.fail.s(), t.identity.s()).on_error(t.errback.s("e"))) == {"e@fail": 1}
    assert called(chain(t.identity.s(1), t.identity.s()).on_error(t.errback.s("e"))) == {}
    assert called(group(t.identity.s(1), t.fail.s(1), t.fail.s(2)).on_error(t.errback.s("e"))) == {"e@fail": 2}


def test_a_chord_is_told_once_however_many_of_its_header_fail(tasks, called):
    t = tasks
    header = [t.fail.s(1), t.identity.s(1), t.fail.s(2)]
    assert called(chord(header, t.sum_up.s()).on_error(t.errback.s("e"))) == {"e@sum_up": 1}
    assert called(chord(header, t.sum_up.s().on_error(t.errback.s("b")))) == {"b@sum_up": 1}
    assert called(chord(header, (t.sum_up.s() | t.add.s(1)).on_error(t.errback.s("c")))) == {"c@sum_up": 1}
    assert called(chord([t.identity.s(1)], t.fail.s()).on_error(t.errback.s("e"))) == {"e@fail": 1}


def test_header_tasks_have_errbacks_of_their_own(tasks, called):
    t = tasks
    header = [t.fail.s(1).on_error(t.errback.s("h")), t.identity.s(1)]
    assert called(chord(header, t.sum_up.s()).on_error(t.errback.s("e"))) == {"h@fail": 1, "e@sum_up": 1}


@pytest.mark.covers("settings.task_allow_error_cb_on_chord_header")
def test_a_setting_has_the_header_tell_the_errbacks_of_the_chord(app, tasks, called):
    t = tasks
    app.conf.task_allow_error_cb_on_chord_header = True
    header = [t.fail.s(1), t.identity.s(1), t.fail.s(2)]
    assert called(chord(header, t.sum_up.s()).on_error(t.errback.s("e"))) == {"e@fail": 2, "e@sum_up": 1}


def test_nested_chords_fail_from_the_inside_out(tasks, called):
    t = tasks
    inner = chord([t.identity.s(1), t.fail.s(1)], t.sum_up.s().on_error(t.errback.s("inner")))
    outer = chord([inner, t.identity.s(1)], t.identity.s().on_error(t.errback.s("outer")))
    assert called(outer) == {"inner@sum_up": 1, "outer@identity": 1}


def test_errbacks_of_what_never_begins_are_not_called(tasks, called):
    t = tasks
    never = t.identity.s().on_error(t.errback.s("never"))
    assert called(chain(t.fail.s(1), never, chord([never], never))) == {}


def test_an_errback_of_one_argument_gets_the_id(worker, tasks, diary, wait_until):
    tasks.fail.s(1).on_error(tasks.errback_by_id.s()).delay()
    wait_until(lambda: diary.calls["('errback by id',)"] == 1)
