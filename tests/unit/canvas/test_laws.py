"""What a worker makes of a canvas is what evaluating it here and now gives."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given

# Test modules have no package to import each other from.
_spec = importlib.util.spec_from_file_location("celeriac_canvases", Path(__file__).with_name("canvases.py"))
canvases = importlib.util.module_from_spec(_spec)
sys.modules["celeriac_canvases"] = canvases
_spec.loader.exec_module(canvases)


@pytest.fixture(params=[True, False], ids=["Celery's form", "short form"])
def form(request, app):
    app.conf.task_protocol_compat = request.param


@pytest.mark.timeout(60 + canvases.MORE)
@pytest.mark.usefixtures("form")
@canvases.law(150)
@given(spec=canvases.CANVASES)
def test_a_worker_gives_what_eager_evaluation_gives_and_calls_the_same_tasks(
    spec, worker, tasks, diary, outcome, wait_until
):
    canvases.law_holds(spec, worker, tasks, diary, outcome, wait_until)


@canvases.law(60)
@given(spec=canvases.CANVASES)
def test_a_canvas_that_crosses_the_wire_stays_what_it_is(spec, app, tasks, diary, outcome):
    canvas = canvases.build(tasks, spec)
    here = outcome(canvas.apply((2,))), diary.take()
    crossed = app.signature(json.loads(json.dumps(canvas)))
    assert (outcome(crossed.apply((2,))), diary.take()) == here
    assert type(crossed) is type(canvas)
