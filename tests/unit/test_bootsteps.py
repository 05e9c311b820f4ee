"""Steps start in the order of what they need, stop in the reverse, and an error in one keeps no other from stopping."""

from __future__ import annotations

import random

import pytest

from celeriac.bootsteps import Blueprint, StartStopStep, Step
from celeriac.exceptions import ImproperlyConfigured


class Parent:
    def __init__(self):
        self.told = []


class Telling(StartStopStep):
    """Tells its parent what happens to it."""

    def __init__(self, parent, **options):
        super().__init__(parent, **options)
        self.options = options
        parent.told.append(f"made {self.alias}")

    def create(self, parent):
        parent.told.append(f"created {self.alias}")
        return

    def start(self, parent):
        parent.told.append(f"start {self.alias}")

    def stop(self, parent):
        parent.told.append(f"stop {self.alias}")

    def close(self, parent):
        parent.told.append(f"close {self.alias}")

    def terminate(self, parent):
        parent.told.append(f"terminate {self.alias}")


def step(short, /, *requires, last=False, **attributes):
    return type(short, (Telling,), {"name": f"test.{short}", "requires": requires, "last": last, **attributes})


def order_of(*steps):
    return [kind.name.removeprefix("test.") for kind in Blueprint(steps, name="Test").sorted_types()]


# -- order -------------------------------------------------------------------------------------------------------------


def test_a_step_starts_after_those_that_it_requires():
    a = step("A")
    b = step("B", a)
    c = step("C", "test.B")
    assert order_of(c, b, a) == ["A", "B", "C"]


def test_a_requirement_is_a_class_a_name_or_the_last_part_of_one():
    a = step("A")
    for required in (a, "test.A", "test:A", "A"):
        assert order_of(step("B", required), a) == ["A", "B"]


def test_steps_that_need_nothing_of_each_other_keep_the_order_in_which_they_were_given():
    steps = [step(name) for name in "DBACE"]
    assert order_of(*steps) == list("DBACE")


def test_any_order_of_the_same_steps_respects_what_they_require():
    requires = {"A": "", "B": "A", "C": "A", "D": "BC", "E": "", "F": "DE"}
    steps = [step(name, *(f"test.{other}" for other in others)) for name, others in requires.items()]
    for seed in range(20):
        random.Random(seed).shuffle(steps)
        order = order_of(*steps)
        assert sorted(order) == sorted(requires)
        for name, others in requires.items():
            assert all(order.index(other) < order.index(name) for other in others)


def test_a_last_step_starts_after_all_but_those_that_require_it():
    last = step("Last", last=True)
    after = step("After", last)
    after_that = step("AfterThat", after)
    assert order_of(after_that, last, after, step("A"), step("B")) == ["A", "B", "Last", "After", "AfterThat"]


def test_the_same_step_given_twice_is_one():
    a = step("A")
    assert order_of(a, a) == ["A"]


def test_a_step_is_called_by_its_module_and_class_unless_it_says_otherwise():
    class Mine(Step):
        pass

    assert (
        Mine.name == f"{__name__}.test_a_step_is_called_by_its_module_and_class_unless_it_says_otherwise.<locals>.Mine"
    )
    assert Mine(None).alias == "Mine"
    assert repr(Mine(None)) == "<step: Mine>"


def test_steps_can_be_named_as_dotted_paths():
    blueprint = Blueprint(["celeriac.worker.steps:HubPart", "celeriac.worker.steps.PoolPart"])
    assert [kind.__name__ for kind in blueprint.sorted_types()] == ["HubPart", "PoolPart"]


# -- errors of the graph -----------------------------------------------------------------------------------------------


def test_a_requirement_that_is_not_there_is_an_error_that_names_both_and_what_there_is():
    with pytest.raises(ImproperlyConfigured, match=r"test\.B requires nowhere\.A, which is not there .*Test.*test\.C"):
        order_of(step("B", "nowhere.A"), step("C"))


def test_an_ambiguous_short_name_is_an_error_that_names_the_candidates():
    first, second = (step("A", name=f"{where}.A") for where in ("one", "two"))
    with pytest.raises(ImproperlyConfigured, match=r"could be any of one\.A, two\.A"):
        order_of(first, second, step("B", "A"))


def test_a_circle_is_an_error_that_shows_it():
    with pytest.raises(ImproperlyConfigured, match="in a circle: ") as raised:
        order_of(step("A", "test.B"), step("B", "test.C"), step("C", "test.A"), step("D"))
    circle = str(raised.value).partition("in a circle: ")[2].split(" -> ")
    assert circle[0] == circle[-1]
    assert set(circle) == {"test.A", "test.B", "test.C"}
    assert "test.A -> test.B" in str(raised.value)


def test_two_steps_of_one_name_are_an_error():
    with pytest.raises(ImproperlyConfigured, match=r"both called test\.A"):
        order_of(step("A"), step("A"))


# -- making ------------------------------------------------------------------------------------------------------------


def test_options_reach_the_constructor_of_each_step_as_keywords():
    parent = Parent()
    blueprint = Blueprint([step("A"), step("B")]).apply(parent, speed=3)
    assert [made.options for made in blueprint.order] == [{"speed": 3}, {"speed": 3}]
    assert parent.told == ["made A", "created A", "made B", "created B"]


def test_a_step_is_left_out_where_its_class_its_instance_or_its_condition_says_so():
    class ByOption(Telling):
        name = "test.ByOption"
        conditional = True

        def __init__(self, parent, fast=False, **options):
            super().__init__(parent, **options)
            self.enabled = fast

    class ByParent(Telling):
        name = "test.ByParent"

        def include_if(self, parent):
            return parent.wanted

    parent = Parent()
    parent.wanted = False
    kinds = [step("Never", enabled=False), ByOption, ByParent, step("After", ByOption)]
    assert [made.alias for made in Blueprint(kinds).apply(parent).order] == ["After"]
    parent.wanted = True
    assert [made.alias for made in Blueprint(kinds).apply(parent, fast=True).order] == ["ByOption", "ByParent", "After"]
    assert "created Never" not in parent.told


def test_what_create_returns_is_the_steps_object_and_is_started_stopped_and_terminated():
    class Thing:
        def __init__(self):
            self.told = []

        def start(self):
            self.told.append("start")

        def stop(self):
            self.told.append("stop")

        def terminate(self):
            self.told.append("terminate")

    class Holder(StartStopStep):
        def create(self, parent):
            return Thing()

    for terminate, end in ((False, "stop"), (True, "terminate")):
        blueprint = Blueprint([Holder]).apply(None)
        blueprint.start(None)
        blueprint.stop(None, terminate=terminate)
        assert blueprint.order[0].obj.told == ["start", end]


def test_a_step_without_start_is_only_created_and_told_of_by_info():
    class Fact(Step):
        name = "test.Fact"

        def info(self, obj):
            return {"fact": obj}

    blueprint = Blueprint([Fact, step("A")]).apply(Parent())
    blueprint.start(Parent())
    assert blueprint.info("parent") == {"fact": "parent"}
    assert blueprint["test.Fact"].alias == "Fact"


# -- starting and stopping ---------------------------------------------------------------------------------------------


def test_steps_start_first_to_last_close_first_to_last_and_stop_last_to_first():
    parent = Parent()
    told = []
    blueprint = Blueprint(
        [step("A"), step("B")],
        on_start=lambda: told.append("on_start"),
        on_close=lambda: told.append("on_close"),
        on_stopped=lambda: told.append("on_stopped"),
    ).apply(parent)
    assert blueprint.human_state() == "initializing"
    parent.told.clear()
    blueprint.start(parent)
    assert blueprint.human_state() == "running"
    blueprint.stop(parent)
    assert blueprint.human_state() == "closing"
    assert parent.told == ["start A", "start B", "close A", "close B", "stop B", "stop A"]
    assert told == ["on_start", "on_close", "on_stopped"]


def test_stopping_twice_and_without_a_start_is_harmless():
    parent = Parent()
    blueprint = Blueprint([step("A")]).apply(parent)
    parent.told.clear()
    blueprint.stop(parent)
    blueprint.stop(parent, terminate=True)
    assert parent.told == []
    blueprint = Blueprint([step("B")]).apply(parent)
    blueprint.start(parent)
    blueprint.stop(parent)
    blueprint.stop(parent)
    assert parent.told.count("stop B") == 1


@pytest.mark.parametrize("error", [ValueError("on purpose"), SystemExit(3)])
def test_a_step_that_fails_at_start_stops_itself_and_those_before_it_and_no_other(error):
    def fail(self, parent):
        raise error

    parent = Parent()
    kinds = [step("A"), step("B", "A", start=fail), step("C", "B")]
    blueprint = Blueprint(kinds).apply(parent)
    parent.told.clear()
    with pytest.raises(type(error)):
        blueprint.start(parent)
    assert parent.told == ["start A", "close A", "close B", "stop B", "stop A"]


def test_a_step_that_fails_to_stop_keeps_no_other_from_stopping(caplog):
    def fail(self, parent):
        raise ValueError("on purpose")

    parent = Parent()
    blueprint = Blueprint([step("A"), step("B", stop=fail, close=fail), step("C")]).apply(parent)
    blueprint.start(parent)
    parent.told.clear()
    blueprint.stop(parent)
    assert parent.told == ["close A", "close C", "stop C", "stop A"]
    assert "B: stop failed" in caplog.text


def test_terminate_reaches_all_steps():
    parent = Parent()
    blueprint = Blueprint([step("A"), step("B")]).apply(parent)
    blueprint.start(parent)
    parent.told.clear()
    blueprint.stop(parent, terminate=True)
    assert parent.told == ["close A", "close B", "terminate B", "terminate A"]
    assert blueprint.human_state() == "terminating"
