"""One app for both: the same tasks and the same client, run by Celery or by Celeriac, as `FRAMEWORK` says.

``python fleet.py CALL...`` is the client: it calls, waits, and prints what its results say, as JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import sys

framework = importlib.import_module(os.environ["FRAMEWORK"])
result_module = importlib.import_module(os.environ["FRAMEWORK"] + ".result")

options = {"global_keyprefix": os.environ["PREFIX"]}
app = framework.Celery(
    "fleet",
    broker=os.environ["URL"],
    backend=os.environ["URL"],
    broker_transport_options=options,
    result_backend_transport_options=options,
    result_extended=True,
    broker_connection_retry_on_startup=True,
    task_default_queue="fleet",
)


class OutOfStock(Exception):
    """An error of the project's own."""


class Warehouse:
    class Closed(OutOfStock):
        """One that is defined in a class."""


@app.task(name="add")
def add(x, y):
    return x + y


@app.task(name="built_in")
def built_in():
    return {}["missing"]


@app.task(name="own")
def own():
    raise OutOfStock("no bolts left", 5, ["M6", None])


@app.task(name="nested")
def nested():
    raise Warehouse.Closed("closed")


@app.task(name="strange")
def strange():
    from only_at_the_worker import Unheard

    raise Unheard("text", 1)


@app.task(name="unwritable")
def unwritable():
    raise ValueError("cannot be written", {1, 2})


@app.task(name="explained")
def explained():
    try:
        _ = {}["cause"]
    except KeyError as cause:
        error = OutOfStock("because")
        error.add_note("found in the cellar")
        raise error from cause


@app.task(name="again", bind=True, max_retries=2, default_retry_delay=0)
def again(self):
    if self.request.retries < 2:
        raise self.retry()
    return self.request.retries


@app.task(name="too_often", bind=True, max_retries=0)
def too_often(self):
    raise self.retry(exc=OutOfStock("at last"))


@app.task(name="caller")
def caller():
    add.delay(1, 2)
    add.delay(3, 4)


def call(name):
    """Send what is called `name`; its result."""
    if name == "group":
        sent = framework.group(add.s(1, 1), add.s(2, 2), own.s()).apply_async()
        sent.save()
        return sent
    if name == "chain":
        return (add.s(1, 1) | add.s(2) | own.si()).apply_async()
    if name == "chord":
        return framework.chord([add.s(1, 1), add.s(2, 2)])(app.signature("total"))
    return app.tasks[name].apply_async(**{"add": {"args": (2, 2)}, "expired": {"expires": -1}}.get(name, {}))


@app.task(name="total")
def total(values):
    return sum(values)


@app.task(name="expired")
def expired():
    return None


def told(error):
    """What a client can see of an error."""
    if not isinstance(error, BaseException):
        return error
    kind = type(error)
    module = kind.__module__.replace("celeriac.", "celery.")
    return {"type": kind.__qualname__, "module": module, "args": list(error.args)}


def seen(result):
    """What a client can see of a result."""
    value = result.get(timeout=30, propagate=False)
    if result.children and not isinstance(result, result_module.GroupResult):
        value = [child.get(timeout=30) for child in result.children]
    if isinstance(result, result_module.GroupResult):
        restored = result_module.GroupResult.restore(result.id, app=app)
        return {
            "values": [told(each) for each in value],
            "restored": [member.id for member in restored.results] == [member.id for member in result.results],
            "completed": result.completed_count(),
        }
    fresh = app.AsyncResult(result.id)
    return {
        "state": fresh.state,
        "value": told(fresh.result),
        "traceback": bool(fresh.traceback) and "Traceback (most recent call last)" in fresh.traceback,
        "name": fresh.name,
        "children": value if fresh.children else [],
        "done": fresh.date_done is not None,
        "ancestors": [told(parent.get(timeout=30, propagate=False)) for parent in ancestors(result)],
    }


def ancestors(result):
    while result.parent is not None:
        result = result.parent
        yield result


if __name__ == "__main__":
    sys.modules["fleet"] = sys.modules["__main__"]  # where a worker says that the errors are
    for kind in (OutOfStock, Warehouse, Warehouse.Closed):
        kind.__module__ = "fleet"
    results = {name: call(name) for name in sys.argv[1:]}
    print("SEEN", json.dumps({name: seen(result) for name, result in results.items()}))
