"""What the documentation shows, through a worker."""

from __future__ import annotations

import pytest

from celeriac import chain, chord, chunks, group, subtask, xmap, xstarmap
from celeriac.exceptions import ChordError

pytestmark = pytest.mark.usefixtures("worker")


def test_a_sum_is_piped_into_another(tasks):
    assert (tasks.add.s(2, 2) | tasks.add.s(4))().get(timeout=10) == 8
    assert ~(tasks.add.s(2, 2) | tasks.add.s(4)) == 8


def test_a_chord_sums_what_its_header_gives(tasks):
    assert chord([tasks.add.s(2, 2), tasks.add.s(4, 4)])(tasks.sum_up.s()).get(timeout=10) == 12
    assert chord((tasks.add.s(n, n) for n in range(10)), tasks.sum_up.s())().get(timeout=10) == 90
    assert (group(tasks.add.s(n, n) for n in range(10)) | tasks.sum_up.s())().get(timeout=10) == 90


def test_a_chain_may_come_from_a_generator(tasks):
    assert chain(tasks.add.s(n) for n in range(5))(0).get(timeout=10) == 10


def test_options_are_set_one_after_the_other(tasks):
    found = tasks.add.s(2, 2).set(countdown=1).set(expires=60)
    assert found.options == {"countdown": 1, "expires": 60}
    assert tasks.add.s(2, 2).set(countdown=0.01).set(expires=60).delay().get(timeout=10) == 4


@pytest.mark.covers("app.task.Task.s", "app.task.Task.si")
def test_partials_take_arguments_before_their_own_and_immutable_ones_take_none(tasks):
    assert tasks.add.s(2).delay(4).get(timeout=10) == 6
    assert (tasks.identity.s(1) | tasks.add.si(2, 2) | tasks.add.s(1))().get(timeout=10) == 5
    assert subtask("add", (2, 2), app=tasks.add.app).delay().get(timeout=10) == 4


def test_results_know_what_was_before_them(tasks):
    result = chain(tasks.add.s(4, 4), tasks.mul.s(8), tasks.mul.s(10))()
    assert result.get(timeout=10) == 640
    assert result.parent.get(timeout=10) == 64
    assert result.parent.parent.get(timeout=10) == 8
    assert result.parent.parent.parent is None


def test_a_chord_tells_which_of_its_header_failed(tasks):
    result = chord([tasks.add.s(4, 4), tasks.fail.s(1, "something"), tasks.add.s(8, 8)])(tasks.sum_up.s())
    with pytest.raises(ChordError) as caught:
        result.get(timeout=10)
    failed = result.parent.results[1]
    assert str(caught.value) == f"Dependency {failed.id} raised ValueError('something')"
    assert result.state == "FAILURE"


@pytest.mark.covers("app.task.Task.map", "app.task.Task.starmap")
def test_maps_call_one_task_many_times(tasks):
    assert tasks.sum_up.map([[1, 2], [3]]).delay().get(timeout=10) == [3, 3]
    assert tasks.add.starmap(zip(range(3), range(3), strict=True)).delay().get(timeout=10) == [0, 2, 4]
    assert xmap(tasks.sum_up, ([n] for n in range(3))).apply_async().get(timeout=10) == [0, 1, 2]
    assert xstarmap(tasks.add.s(), [(1, 1)]).apply_async().get(timeout=10) == [2]


@pytest.mark.covers("app.task.Task.chunks")
def test_chunks_send_a_part_of_the_work_in_each_message(tasks):
    found = tasks.add.chunks(zip(range(10), range(10), strict=True), 3)
    result = found()
    assert len(result.results) == 4
    assert result.get(timeout=10) == [[0, 2, 4], [6, 8, 10], [12, 14, 16], [18]]
    assert (found | tasks.sum_up.s())().get(timeout=10) == 90
    skewed = found.group().skew(start=0.01, stop=0.02, step=0.01)
    assert [task.options["countdown"] for task in skewed.tasks] == [0.01, 0.02, 0.02, 0.02]
    assert skewed().get(timeout=10)[3] == [18]
    with pytest.raises(ValueError, match="must be at least 1"):
        chunks(tasks.add, [], 0)


def test_a_frozen_canvas_is_sent_with_the_ids_that_its_result_has(tasks):
    found = chain(tasks.add.s(1, 1), group(tasks.add.s(1), tasks.add.s(2)), tasks.sum_up.s())
    frozen = found.freeze()
    result = found.apply_async()
    assert result.id == frozen.id == found.id
    assert [member.id for member in result.parent.results] == [member.id for member in frozen.parent.results]
    assert frozen.get(timeout=10) == 7


def test_an_empty_chain_gives_nothing_and_an_empty_header_an_empty_list(app, tasks):
    assert chain()() is None
    assert chord([], tasks.identity.s())().get(timeout=10) == []
    assert (tasks.identity.s(1) | group([]) | tasks.sum_up.s())().get(timeout=10) == 0


def test_a_chord_without_a_body_says_what_is_missing(tasks):
    for use in (lambda c: c.apply_async(), lambda c: c.link(tasks.callback.s()), lambda c: c.link_error("e")):
        with pytest.raises(TypeError, match="this chord has no body yet"):
            use(chord([tasks.add.s(1, 1)]))


def test_a_group_has_no_callback_of_its_own(tasks):
    found = group(tasks.add.s(1, 1), tasks.add.s(2, 2))
    with pytest.raises(TypeError, match="use a chord"):
        found.apply_async(link=tasks.callback.s())
    with pytest.raises(TypeError, match="link it to the members"):
        found.apply_async(link_error=tasks.errback.s())
    with pytest.raises(ValueError, match="cannot link to an empty group"):
        group([]).link(tasks.callback.s())


def test_steps_and_chords_can_be_sent_by_hand(tasks):
    t = tasks
    steps, results = chain().prepare_steps((1,), {}, [t.add.s(1), t.add.s(2)], last_task_id="the-last")
    assert [repr(step) for step in steps] == ["add(2)", "add(1)"]
    assert results[0].id == "the-last"
    assert chain(t.add.s(1), t.add.s(2)).run((1,), task_id="another").get(timeout=10) == 4
    assert chord([]).run([t.add.s(1, 1)], t.sum_up.s(), interval=1, countdown=1).get(timeout=10) == 2
    assert chord([]).run([t.add.s(1)], t.sum_up.s(), (1,), eager=True).get() == 2
