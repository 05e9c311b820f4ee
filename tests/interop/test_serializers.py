"""What we write with each serializer and compression, Celery reads as what it was."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from celeriac import Celery, chord

ECHO = Path(__file__).with_name("echo.py")
#: An interpreter with Celery, which `make interop` has made.
CELERY = os.environ.get("INTEROP_PYTHON")

pytestmark = pytest.mark.skipif(CELERY is None, reason="needs Celery beside Celeriac: run `make interop`")

PLAIN = ["grün \N{SNOWMAN}", 1, -2.5, None, True, {"nested": {"deep": []}}]
STAMP = datetime(2030, 1, 2, 3, 4, 5, 678900, tzinfo=UTC)
JSON = [*PLAIN, STAMP, date(2030, 1, 2), time(3, 4), Decimal("1.50"), UUID(int=7), b"text", b"\xff", 2**70]
SENT = {
    "json": JSON,
    "orjson": JSON,
    "pickle": [*PLAIN, {1, 2}, (1, 2), STAMP, Decimal("1.50"), b"\xff"],
    "yaml": [*PLAIN, date(2030, 1, 2), b"\xff", {1, 2}],
    "msgpack": [*PLAIN, b"\xff", 2**63],
}
COMPRESSIONS = ["gzip", "bzip2", "lzma", "zstd", "zstandard", "brotli"]


@pytest.fixture
def make(environment):
    """Return ``make(serializer, **settings)``: an app of ours that writes results with it."""
    apps = []

    def app_of(serializer, **settings):
        url, prefix = environment["URL"], environment["PREFIX"]
        app = Celery("echo", broker=url, backend=url, set_as_current=False)
        app.conf.update(
            broker_transport_options={"global_keyprefix": prefix},
            result_backend_transport_options={"global_keyprefix": prefix},
            task_default_queue="echo",
            accept_content=list(SENT),
            result_serializer=serializer,
            **settings,
        )
        apps.append(app)
        return app

    yield app_of
    for app in apps:
        app.close()


def test_celery_reads_what_we_write(spawn, environment, make):
    # Given a worker of Celery
    serving = spawn(
        CELERY, "-m", "celery", "-A", "echo", "worker", "-P", "solo", "-l", "INFO", env=environment, cwd=ECHO.parent
    )
    serving.wait_for_output("ready.")
    app = make("json")
    app.conf.accept_content = ["json"]

    # When tasks are sent to it with each serializer and each compression, then it has the very values
    told = {name: app.send_task("echo.told", (value,), serializer=name) for name, value in SENT.items()}
    for name, sent in told.items():
        assert sent.get(timeout=20) == repr(SENT[name]), name
    small = {name: app.send_task("echo.told", (PLAIN * 9,), compression=name) for name in COMPRESSIONS}
    for name, sent in small.items():
        assert sent.get(timeout=20) == repr(PLAIN * 9), name

    # And signatures that come along are followed
    for name in SENT:
        writer = make("json", task_serializer=name)
        add, total = writer.signature("echo.add"), writer.signature("echo.total")
        chained = (add.clone((1, 2)) | add.clone((3,)) | add.clone((4,))).apply_async()
        counted = chord([add.clone((1, 2)), add.clone((3, 4))], total.clone(), app=writer).apply_async()
        assert chained.get(timeout=20) == 10, name
        assert counted.get(timeout=20) == 10, name

    # And results that we store are read by its clients
    for name, value in SENT.items():
        backend = make(name).results
        id_, failed = str(uuid4()), str(uuid4())
        backend.store_state(id_, "SUCCESS", value)
        backend.store_state(failed, "FAILURE", KeyError("missing", 7))
        reader = "json" if name == "orjson" else name
        assert app.send_task("echo.read", (id_, reader)).get(timeout=20) == ["SUCCESS", repr(value)], name
        assert app.send_task("echo.read", (failed, reader)).get(timeout=20) == ["FAILURE", "KeyError('missing', 7)"]
