"""``@app.task(pydantic=True)``: arguments arrive as models, what is returned leaves as a map."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from celeriac.exceptions import ImproperlyConfigured


class Point(BaseModel):
    x: int
    y: int = 0


class Sum(BaseModel):
    value: float
    at: datetime | None = None


class Named(BaseModel):
    name: str = Field(alias="the-name")


class Placed(BaseModel):
    task: str = ""
    app: str = ""
    tenant: str = ""

    @field_validator("task")
    @classmethod
    def told(cls, value, info):
        return f"{info.context['celery_task_name']} of {info.context['celery_app'].main} for {info.context['tenant']}"


@dataclass
class Plain:
    x: int


@dataclass
class Order:
    id: int
    due: datetime
    lines: list[Plain]


def test_maps_become_models_and_a_model_becomes_a_map_through_a_worker(app, start_worker):
    @app.task(pydantic=True)
    def shift(point: Point, by: int = 1) -> Sum:
        assert isinstance(point, Point)
        return Sum(value=point.x + by, at=datetime(2031, 1, 1, tzinfo=UTC))

    start_worker(app)
    expected = {"value": 3.0, "at": "2031-01-01T00:00:00Z"}
    assert shift.delay({"x": 1}, by=2).get(timeout=10) == expected
    assert shift.delay({"x": "1"}, 2).get(timeout=10) == expected
    assert shift.delay(Point(x=1), 2).get(timeout=10) == expected
    assert shift.s(Point(x=1)).delay(by=2).get(timeout=10) == expected


def test_maps_become_dataclasses_and_these_become_maps_through_a_worker(app, start_worker):
    @app.task(pydantic=True)
    def place(order: Order, others: list[Order]) -> Order:
        assert isinstance(order, Order)
        assert isinstance(order.lines[0], Plain)
        return Order(others[0].id + order.id, order.due, [Plain(x=9)])

    start_worker(app)
    order = Order(1, datetime(2031, 1, 1, tzinfo=UTC), [Plain(2)])
    expected = {"id": 2, "due": "2031-01-01T00:00:00Z", "lines": [{"x": 9}]}
    assert place.delay(order, [order]).get(timeout=10) == expected
    as_map = {"id": 1, "due": "2031-01-01T00:00:00Z", "lines": [{"x": 2}]}
    assert place.delay(as_map, others=[as_map]).get(timeout=10) == expected


def test_a_dataclass_crosses_without_pydantic_as_a_map(app, start_worker):
    @app.task
    def same(order):
        return order

    start_worker(app)
    due = datetime(2031, 1, 1, tzinfo=UTC)
    assert same.delay(Order(1, due, [Plain(2)])).get(timeout=10) == {"id": 1, "due": due, "lines": [{"x": 2}]}


def test_what_is_no_such_model_is_the_tasks_failure_and_says_why(app, start_worker):
    @app.task(pydantic=True)
    def shift(point: Point) -> int:
        return point.x

    start_worker(app)
    result = shift.delay({"x": "one"})
    error = result.get(timeout=10, propagate=False)
    assert type(error).__name__ == "ValidationError"
    assert "Input should be a valid integer" in str(error)
    assert result.state == "FAILURE"


def test_models_may_be_optional_and_stand_inside_of_other_types(app):
    @app.task(pydantic=True)
    def count(first: Point | None = None, *points: Point, by_name: dict[str, list[Point]] | None = None) -> list[Sum]:
        found = [first, *points, *(point for many in (by_name or {}).values() for point in many)]
        assert all(point is None or isinstance(point, Point) for point in found)
        return [Sum(value=len(found))]

    assert count.apply().get() == [{"value": 1.0, "at": None}]
    assert count.apply((None,)).get() == [{"value": 1.0, "at": None}]
    assert count.apply(({"x": 1}, {"x": 2}), {"by_name": {"a": [{"x": 3}]}}).get() == [{"value": 3.0, "at": None}]
    assert count.s(Point(x=1), Point(x=2), by_name={"a": [Point(x=3)]}).kwargs == {"by_name": {"a": [{"x": 3, "y": 0}]}}


def test_other_arguments_stay_as_they_came(app):
    @app.task(pydantic=True)
    def kinds(point: Point, plain: dict, number: int, untyped):
        return [type(value).__name__ for value in (point, plain, number, untyped)]

    assert kinds.apply(({"x": 1}, {"x": 1}, "3", [1])).get() == ["Point", "dict", "str", "list"]


def test_a_bound_task_a_coroutine_and_one_that_retries_have_models_too(app):
    @app.task(pydantic=True, bind=True)
    def bound(self, point: Point) -> Sum:
        return Sum(value=point.x + self.request.retries)

    @app.task(pydantic=True, autoretry_for=(LookupError,), retry_kwargs={"countdown": 0}, bind=True)
    async def patient(self, point: Point) -> Sum:
        if self.request.retries < 2:
            raise LookupError
        return Sum(value=point.x + self.request.retries)

    assert bound.apply(({"x": 1},)).get() == {"value": 1.0, "at": None}
    assert patient.apply(({"x": 1},)).get() == {"value": 3.0, "at": None}


def test_strictness_is_the_tasks_or_the_models_own(app):
    class Strict(Point):
        model_config = ConfigDict(strict=True)

    def loose(point: Point):
        return point.x

    def own(point):
        return point.x

    own.__annotations__["point"] = Strict
    lenient = app.task(pydantic=True, name="lenient")(loose)
    strict = app.task(pydantic=True, pydantic_strict=True, name="strict")(loose)
    by_model = app.task(pydantic=True, name="by-model")(own)
    assert lenient.apply(({"x": "1"},)).get() == 1
    for task in (strict, by_model):
        with pytest.raises(ValidationError, match="valid integer"):
            task.apply(({"x": "1"},)).get()


def test_validators_know_the_app_the_task_and_what_the_task_tells_them(app):
    @app.task(pydantic=True, pydantic_context={"tenant": "acme"}, name="place")
    def place(placed: Placed):
        return placed.task

    assert place.apply(({"task": "?"},)).get() == "place of proj for acme"


def test_how_a_result_is_dumped_may_be_said(app):
    @app.task(pydantic=True, pydantic_dump_kwargs={"exclude_none": True, "by_alias": True})
    def job() -> Sum:
        return Sum(value=1)

    @app.task(pydantic=True, pydantic_dump_kwargs={"mode": "python"})
    def python(at) -> Sum:
        return Sum(value=1, at=at)

    moment = datetime(2031, 1, 1, tzinfo=UTC)
    assert job.apply().get() == {"value": 1.0}
    assert python.apply((moment,)).get() == {"value": 1.0, "at": moment}


def test_a_model_that_is_sent_is_read_by_its_aliases(make_app, record):
    app = make_app()
    sent = record(app)

    @app.task(pydantic=True)
    def greet(whom: Named) -> str:
        return whom.name

    greet.delay(Named(**{"the-name": "you"}))
    assert b'{"the-name": "you"}' in sent[0].body.replace(b'":"', b'": "')
    assert greet.apply(({"the-name": "you"},)).get() == "you"


def test_arguments_that_the_function_does_not_take_are_refused_before_anything_is_sent(app, record):
    sent = record(app)

    @app.task(pydantic=True)
    def shift(point: Point) -> int:
        return point.x

    with pytest.raises(TypeError, match="missing a required argument"):
        shift.delay()
    assert sent == []


def test_without_pydantic_the_task_is_refused_with_the_line_that_mends_it(app, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydantic", None)
    with pytest.raises(ImproperlyConfigured, match=r"task 'job' asks for pydantic.*pip install 'pydantic>=2'"):

        @app.task(pydantic=True, name="job")
        def job():
            pass


def test_an_annotation_that_names_nothing_is_told_of_by_the_task(app):
    @app.task(pydantic=True, name="job")
    def job(point: Missing):  # noqa: F821  # that is the point
        pass

    assert "task 'job': an annotation cannot be read: name 'Missing'" in str(job.apply((1,)).result)
