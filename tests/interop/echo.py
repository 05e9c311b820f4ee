"""A worker of Celery that says what it has been sent, and what it reads of results that others have stored."""

from __future__ import annotations

import os

from celery import Celery

URL, PREFIX = os.environ["URL"], os.environ["PREFIX"]
SERIALIZERS = ["json", "pickle", "yaml", "msgpack"]


def make(serializer):
    app = Celery("echo", broker=URL, backend=URL, set_as_current=serializer == "json")
    app.conf.update(
        broker_transport_options={"global_keyprefix": PREFIX},
        result_backend_transport_options={"global_keyprefix": PREFIX},
        task_default_queue="echo",
        accept_content=SERIALIZERS,
        result_serializer=serializer,
    )
    return app


app = make("json")
readers = {name: make(name) for name in SERIALIZERS}


@app.task(name="echo.told")
def told(value):
    return repr(value)


@app.task(name="echo.add")
def add(a, b):
    return a + b


@app.task(name="echo.total")
def total(values):
    return sum(values)


@app.task(name="echo.read")
def read(task_id, serializer):
    """What a client of Celery with this serializer makes of a result."""
    result = readers[serializer].AsyncResult(task_id)
    value = result.backend.get_task_meta(task_id)
    return [value["status"], repr(value["result"])]
