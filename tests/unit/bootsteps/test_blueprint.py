"""Steps start in the order of what they need, stop in the reverse, and an error in one keeps no other from stopping."""

from __future__ import annotations

import io
import random
import threading
from fractions import Fraction

import pytest

from celeriac.bootsteps import Blueprint, StartStopStep, Step
from celeriac.exceptions import ImproperlyConfigured
from celeriac.worker.components import Timer


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


@pytest.mark.covers(
    "bootsteps.Step.requires",
    "bootsteps.StartStopStep.requires",
    "bootsteps.ConsumerStep.requires",
)
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


@pytest.mark.covers(
    "bootsteps.Step.last",
    "bootsteps.StartStopStep.last",
    "bootsteps.ConsumerStep.last",
)
def test_a_last_step_starts_after_all_but_those_that_require_it():
    last = step("Last", last=True)
    after = step("After", last)
    after_that = step("AfterThat", after)
    assert order_of(after_that, last, after, step("A"), step("B")) == ["A", "B", "Last", "After", "AfterThat"]


def test_the_same_step_given_twice_is_one():
    a = step("A")
    assert order_of(a, a) == ["A"]


@pytest.mark.covers(
    "bootsteps.Step.name",
    "bootsteps.Step.alias",
    "bootsteps.StartStopStep.name",
    "bootsteps.StartStopStep.alias",
    "bootsteps.ConsumerStep.name",
    "bootsteps.ConsumerStep.alias",
)
def test_a_step_is_called_by_its_module_and_class_unless_it_says_otherwise():
    class Mine(Step):
        pass

    assert (
        Mine.name == f"{__name__}.test_a_step_is_called_by_its_module_and_class_unless_it_says_otherwise.<locals>.Mine"
    )
    assert Mine(None).alias == "Mine"
    assert repr(Mine(None)) == "<step: Mine>"


def test_steps_can_be_named_as_dotted_paths():
    blueprint = Blueprint(
        ["celeriac.worker.components:Timer", "celeriac.worker.components:Hub", "celeriac.worker.components.Pool"]
    )
    assert [kind.__name__ for kind in blueprint.sorted_types()] == ["Timer", "Hub", "Pool"]


@pytest.mark.covers("bootsteps.Blueprint.default_steps")
def test_a_blueprint_has_steps_that_are_always_there():
    class Always(Blueprint):
        default_steps = (step("A"), "celeriac.worker.components:Timer")

    assert [kind.name for kind in Always([step("B", "A")]).sorted_types()] == [
        "test.A",
        "celeriac.worker.components.Timer",
        "test.B",
    ]


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


@pytest.mark.covers("bootsteps.Step")
@pytest.mark.covers("bootsteps.Blueprint.apply", "bootsteps.Blueprint.name")
def test_options_reach_the_constructor_of_each_step_as_keywords():
    parent = Parent()
    blueprint = Blueprint([step("A"), step("B")]).apply(parent, speed=3)
    assert [made.options for made in blueprint.order] == [{"speed": 3}, {"speed": 3}]
    assert parent.told == ["made A", "created A", "made B", "created B"]


@pytest.mark.covers(
    "bootsteps.Step.include",
    "bootsteps.Step.include_if",
    "bootsteps.Step.enabled",
    "bootsteps.Step.conditional",
    "bootsteps.StartStopStep.include",
    "bootsteps.StartStopStep.include_if",
    "bootsteps.StartStopStep.enabled",
    "bootsteps.StartStopStep.conditional",
    "bootsteps.ConsumerStep.include",
    "bootsteps.ConsumerStep.include_if",
    "bootsteps.ConsumerStep.enabled",
    "bootsteps.ConsumerStep.conditional",
)
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


@pytest.mark.covers(
    "bootsteps.Step.create",
    "bootsteps.StartStopStep.create",
    "bootsteps.ConsumerStep.create",
    "bootsteps.StartStopStep.obj",
    "bootsteps.ConsumerStep.obj",
)
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


@pytest.mark.covers(
    "bootsteps.Step.info",
    "bootsteps.Blueprint.info",
    "bootsteps.StartStopStep.info",
    "bootsteps.ConsumerStep.info",
)
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


@pytest.mark.covers("bootsteps.Blueprint", "bootsteps.StartStopStep")
@pytest.mark.covers(
    "bootsteps.Blueprint.start",
    "bootsteps.Blueprint.stop",
    "bootsteps.Blueprint.close",
    "bootsteps.Blueprint.state",
    "bootsteps.Blueprint.human_state",
    "bootsteps.Blueprint.state_to_name",
    "bootsteps.StartStopStep.start",
    "bootsteps.StartStopStep.stop",
    "bootsteps.StartStopStep.close",
)
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


@pytest.mark.covers("bootsteps.StartStopStep.terminate", "bootsteps.ConsumerStep.terminate")
def test_terminate_reaches_all_steps():
    parent = Parent()
    blueprint = Blueprint([step("A"), step("B")]).apply(parent)
    blueprint.start(parent)
    parent.told.clear()
    blueprint.stop(parent, terminate=True)
    assert parent.told == ["close A", "close B", "terminate B", "terminate A"]
    assert blueprint.human_state() == "terminating"


@pytest.mark.covers("bootsteps.Blueprint.join")
def test_another_thread_can_wait_until_all_has_stopped():
    parent = Parent()
    blueprint = Blueprint([step("A")]).apply(parent)
    blueprint.start(parent)
    assert not blueprint.join(timeout=0.01)
    waited = threading.Thread(target=lambda: parent.told.append(f"joined {blueprint.join(timeout=10)}"))
    waited.start()
    blueprint.stop(parent)
    waited.join(10)
    assert parent.told[-1] == "joined True"


@pytest.mark.covers("bootsteps.Blueprint.restart", "bootsteps.Blueprint.started")
def test_after_a_restart_the_steps_can_be_started_anew():
    parent = Parent()
    blueprint = Blueprint([step("A"), step("B")]).apply(parent)
    blueprint.start(parent)
    parent.told.clear()
    blueprint.restart(parent)
    assert blueprint.started == 0
    blueprint.start(parent)
    assert parent.told == ["stop B", "stop A", "start A", "start B"]
    assert blueprint.human_state() == "running"


@pytest.mark.covers("bootsteps.Blueprint.send_all")
def test_what_a_step_raises_is_passed_on_or_logged_as_the_caller_says(caplog):
    def fail(self, parent, word):
        raise ValueError(word)

    parent = Parent()
    blueprint = Blueprint([step("A", tell=lambda self, parent, word: parent.told.append(word)), step("B", tell=fail)])
    blueprint.apply(parent)
    blueprint.start(parent)
    with pytest.raises(ValueError, match="hello"):
        blueprint.send_all(parent, "tell", args=("hello",))
    assert "hello" not in parent.told
    blueprint.send_all(parent, "tell", "telling", propagate=False, args=("hello",))
    assert parent.told[-1] == "hello"
    assert "B: telling failed" in caplog.text


# -- names and drawings ------------------------------------------------------------------------------------------------


def test_steps_that_were_written_for_celery_find_ours_by_its_names():
    ours = type("Pool", (Step,), {"name": "celeriac.worker.components.Pool"})
    for required in ("celery.worker.components:Pool", "celery.worker.components.Pool"):
        assert order_of(step("Mine", required), ours) == ["celeriac.worker.components.Pool", "Mine"]


@pytest.mark.covers(
    "bootsteps.Blueprint.claim_steps",
    "bootsteps.Blueprint.load_step",
    "bootsteps.Blueprint.alias",
)
def test_a_blueprint_tells_its_steps_by_name_before_they_are_made():
    a = step("A")
    blueprint = Blueprint([a, "celeriac.worker.components:Timer"], name="proj.Mine")
    assert blueprint.claim_steps() == {"test.A": a, "celeriac.worker.components.Timer": Timer}
    assert blueprint.load_step("celeriac.worker.components:Timer") == ("celeriac.worker.components.Timer", Timer)
    assert blueprint.alias == "Mine"


@pytest.mark.covers(
    "bootsteps.Step.instantiate",
    "bootsteps.StartStopStep.instantiate",
    "bootsteps.ConsumerStep.instantiate",
)
def test_a_step_makes_objects_of_classes_that_settings_name():
    assert Step(None).instantiate("fractions:Fraction", 1, 2) == Fraction(1, 2)
    assert Step(None).instantiate(Fraction, 1) == Fraction(1)


@pytest.mark.covers(
    "bootsteps.Blueprint.connect_with",
    "bootsteps.Blueprint.GraphFormatter",
    "bootsteps.Step.label",
    "bootsteps.StartStopStep.label",
    "bootsteps.ConsumerStep.label",
)
def test_two_blueprints_are_drawn_as_one_graph():
    first = Blueprint([step("A"), step("B", "A", conditional=True)]).apply(Parent())
    second = Blueprint([step("C", label="Sea"), step("D", "C")]).apply(Parent())
    first.connect_with(second)
    drawn = io.StringIO()
    first.graph.to_dot(drawn)
    for edge in ('"B" -> "A"', '"Sea" -> "B"', '"D" -> "Sea"'):
        assert edge in drawn.getvalue()
    assert '"B" [style="filled,dashed"' in drawn.getvalue()
    assert second.order[0].alias == "Sea"
