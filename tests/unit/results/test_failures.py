"""Errors of tasks through a worker and a store: what survives the way, and what cannot be smuggled in."""

from __future__ import annotations

import asyncio
import os
import sys
import types
from datetime import timedelta

import pytest

from celeriac.contracts import StoredResult
from celeriac.exceptions import ProtocolError, SecurityError, TaskRevokedError


class Broken(Exception):
    """An error with more than one argument."""


@pytest.fixture
def stored(app):
    """Return ``stored(exc_type, exc_message, exc_module)``: the result of a failure that a stranger has written."""

    def put(exc_type, exc_message=(), exc_module="builtins", **more):
        error = {"exc_type": exc_type, "exc_message": list(exc_message), "exc_module": exc_module, **more}
        app.backend.store(
            [StoredResult("hostile", "FAILURE", {"status": "FAILURE", "result": error, "task_id": "hostile"})]
        )
        return app.AsyncResult("hostile")

    return put


# -- what survives -----------------------------------------------------------------------------------------------------


def test_an_error_keeps_type_arguments_notes_and_cause(app, start_worker):
    @app.task
    def fail():
        try:
            {}["key"]
        except KeyError as missing:
            error = Broken("two", 2)
            error.add_note("found in the cellar")
            raise error from missing

    start_worker(app)
    result = fail.delay()
    with pytest.raises(Broken) as raised:
        result.get(timeout=10)
    assert raised.value.args == ("two", 2)
    assert "found in the cellar" in raised.value.__notes__
    assert type(raised.value.__cause__) is KeyError
    assert raised.value.__cause__.args == ("key",)
    assert "KeyError: 'key'" in result.traceback

    async def main():
        with pytest.raises(Broken):
            await app.AsyncResult(result.id)

    asyncio.run(main())


def test_a_group_of_errors_can_be_taken_apart(app, start_worker):
    @app.task
    async def both():
        async with asyncio.TaskGroup() as group:
            group.create_task(fail(Broken("one", 1)))
            group.create_task(fail(LookupError("other")))

    async def fail(error):
        raise error

    start_worker(app)
    caught = []
    try:
        both.delay().get(timeout=10)
    except* Broken as group:
        caught += group.exceptions
    except* LookupError as group:
        caught += group.exceptions
    assert [repr(error) for error in caught] == ["Broken('one', 1)", "LookupError('other')"]


def test_an_error_of_a_class_that_is_not_here_has_its_name(stored):
    with pytest.raises(Exception, match="text") as raised:
        stored("Unheard", ["text"], "no.such.module").get(timeout=5)
    assert type(raised.value).__name__ == "Unheard"
    assert "no.such.module" not in sys.modules


# -- what must not end the one who waits -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("SystemExit", "builtins"),
        ("KeyboardInterrupt", "builtins"),
        ("GeneratorExit", "builtins"),
        ("CancelledError", "asyncio.exceptions"),
        ("WorkerShutdown", "celery.exceptions"),
    ],
)
def test_what_would_end_the_process_is_an_ordinary_error_of_that_name(app, stored, name, module):
    result = stored(name, [3], module, exc_notes=["noted"])
    for _ in range(2):
        with pytest.raises(Exception, match="3") as raised:
            result.get(timeout=5)
        assert isinstance(raised.value, Exception)
        assert type(raised.value).__name__ == name
        assert type(raised.value.__cause__).__name__ == name
        assert "noted" in raised.value.__notes__
    assert isinstance(result.result, Exception)

    async def main():
        with pytest.raises(Exception, match="3"):
            await app.AsyncResult("hostile")

    asyncio.run(main())


# -- what cannot be smuggled in (CVE-2021-23727 and its neighbours) ----------------------------------------------------


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("system", "os"),
        ("path", "os"),
        ("Popen", "subprocess"),
        ("exec", "builtins"),
        ("type", "builtins"),
        ("object", "builtins"),
        ("BaseException.__subclasses__", "builtins"),
        ("Exception.with_traceback", "builtins"),
        ("ProtocolError.__reduce__", "celeriac.exceptions"),
    ],
)
def test_what_is_no_exception_class_is_refused_and_not_called(stored, name, module, monkeypatch):
    called = []
    monkeypatch.setattr(os, "system", called.append)
    with pytest.raises(SecurityError):
        stored(name, ["touch /nowhere"], module).get(timeout=5)
    assert called == []


def test_no_module_is_imported_and_no_module_is_asked(app, stored, tmp_path, monkeypatch):
    # Given a module that would do harm when it is imported, and one that would when it is asked for a name
    (tmp_path / "harmful_on_import.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    asked = []
    lazy = types.ModuleType("harmful_when_asked")
    lazy.__getattr__ = asked.append
    monkeypatch.setitem(sys.modules, "harmful_when_asked", lazy)
    for module in ("harmful_on_import", "harmful_when_asked"):
        with pytest.raises(Exception, match="text") as raised:
            stored("Error", ["text"], module).get(timeout=5)
        assert type(raised.value).__name__ == "Error"
    assert asked == []
    assert "harmful_on_import" not in sys.modules


def test_arguments_stay_what_they_are(stored):
    with pytest.raises(ValueError, match="__reduce__") as raised:
        stored("ValueError", [{"__reduce__": ["os.system", ["true"]]}, ["x"]]).get(timeout=5)
    assert raised.value.args == ({"__reduce__": ["os.system", ["true"]]}, ["x"])


def test_a_cause_is_read_as_carefully(stored):
    hostile = {"exc_type": "system", "exc_message": ["true"], "exc_module": "os"}
    with pytest.raises(SecurityError):
        stored("ValueError", ["x"], exc_cause=hostile).get(timeout=5)


def test_what_is_no_error_at_all_is_refused(app):
    for result in ("text", 5, ["list"], {"exc_type": 5}, {"exc_type": "A" * 100_000}):
        app.backend.store([StoredResult("odd", "FAILURE", {"status": "FAILURE", "result": result, "task_id": "odd"})])
        with pytest.raises(ProtocolError):
            app.AsyncResult("odd").get(timeout=5)


# -- how long a result is kept -----------------------------------------------------------------------------------------


@pytest.mark.covers("settings.result_expires")
@pytest.mark.parametrize(("asked", "kept"), [(60, 60.0), (timedelta(minutes=2), 120.0), (0, 0.0), (None, None)])
def test_a_call_may_say_how_long_its_result_is_kept(app, start_worker, monkeypatch, asked, kept):
    seen = {}
    store = app.backend.store

    def note(results):
        seen.update({result.task_id: result.expires for result in results})
        store(results)

    monkeypatch.setattr(app.backend, "store", note)

    @app.task(bind=True, max_retries=1, default_retry_delay=0)
    def again(self):
        if self.request.retries == 0:
            raise self.retry()
        return 1

    start_worker(app)
    result = again.apply_async(result_expires=asked)
    assert result.get(timeout=10) == 1
    assert seen[result.id] == kept


def test_the_result_of_a_task_that_did_not_run_says_whose_it_is(make_app, start_worker, monkeypatch):
    app = make_app(result_extended=True)
    seen = []
    store = app.backend.store
    monkeypatch.setattr(app.backend, "store", lambda results: (seen.extend(results), store(results)))
    app.task(name="late")(lambda: None)
    start_worker(app)

    result = app.tasks["late"].apply_async(
        expires=-1, group_id="g", parent_id="p", reply_to="r", result_expires=60, retries=2, stamps={"order": "5"}
    )

    with pytest.raises(TaskRevokedError, match="expired"):
        result.get(timeout=10)
    assert (result.name, result.retries, result.queue, result.state) == ("late", 2, "celery", "REVOKED")
    [stored] = seen
    assert (stored.expires, stored.reply_to) == (60.0, "r")
    assert (stored.meta["group_id"], stored.meta["parent_id"]) == ("g", "p")


@pytest.mark.parametrize("wrong", ["60", True, -1, float("inf"), float("nan")])
def test_what_is_no_time_is_refused_before_anything_is_sent(app, record, wrong):
    sent = record(app)

    @app.task
    def add():
        return 1

    with pytest.raises(TypeError, match="result_expires must be seconds"):
        add.apply_async(result_expires=wrong)
    assert sent == []


def test_a_header_that_makes_no_sense_is_passed_over(app, start_worker):
    @app.task
    def one():
        return 1

    start_worker(app)
    for value in ("soon", -5, True, [1]):
        assert one.apply_async(headers={"result_expires": value}).get(timeout=10) == 1


# -- calling from an event loop ----------------------------------------------------------------------------------------


def test_tasks_are_sent_and_awaited_in_a_loop(app, start_worker):
    @app.task
    def add(x, y):
        return x + y

    @app.task
    async def total():
        await asyncio.sleep(0)
        return 3

    start_worker(app)

    async def main():
        first = await add.adelay(2, 2)
        second = await add.aapply_async((3,), {"y": 4}, countdown=0)
        with pytest.raises(TypeError, match="y"):
            await add.adelay(1)
        return await asyncio.gather(first, second, await total.adelay())

    assert asyncio.run(main()) == [4, 7, 3]
