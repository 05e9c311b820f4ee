"""What Celery 5.6 and 5.7 have written, byte for byte, is read as what it was."""

from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import pytest

from celeriac import Celery
from celeriac.events import EventReceiver
from celeriac.exceptions import TimeoutError as CeleryTimeoutError
from celeriac.protocol.message import decode_task
from celeriac.protocol.results import decode_exception, read_meta

#: With which those of ``auth`` are signed; everybody has them.
KEYS = Path(__file__).parents[2] / "plugins" / "auth" / "data"
FILES = Path(__file__).parents[2] / "data" / "interchange"
STAMP = datetime(2030, 1, 2, 3, 4, 5, 678900, tzinfo=UTC)
PLAIN = {"text": "grün \N{SNOWMAN}", "list": [1, -2, 2.5, None, True], "map": {"nested": {"deep": []}}}
#: By serializer, what the script has sent.
SENT = {
    "json": {
        **PLAIN,
        "datetime": STAMP,
        "naive": STAMP.replace(tzinfo=None),
        "date": date(2030, 1, 2),
        "time": time(3, 4, 5),
        "decimal": Decimal("1.50"),
        "uuid": UUID(int=7),
        "bytes": "grün".encode(),
        "binary": b"\xff\x00",
        "large": 2**70,
    },
    "pickle": {
        **PLAIN,
        "set": {1, 2},
        "tuple": (1, (2,)),
        "decimal": Decimal("1.50"),
        "datetime": STAMP,
        "bytes": b"\xff",
    },
    "yaml": {**PLAIN, "datetime": STAMP, "date": date(2030, 1, 2), "bytes": b"\xff\x00", "set": {1, 2}},
    "msgpack": {**PLAIN, "bytes": b"\xff\x00", "large": 2**63},
    "auth": PLAIN,
}
VERSIONS = ["5.6", "5.7"]
#: Each serializer, and orjson, which reads what json does.
READERS = [*((name, name) for name in SENT), ("json", "orjson")]

every_file = pytest.mark.parametrize("version", VERSIONS)
every_reader = pytest.mark.parametrize(("serializer", "reader"), READERS, ids=lambda name: name)


@pytest.fixture
def app():
    with Celery("interchange", set_as_current=False) as app:
        yield app


def accept(app, reader):
    """Have the app read what `reader` writes, and nothing else."""
    app.conf.update(result_serializer=reader, event_serializer=reader, accept_content=[reader])
    if reader == "auth":
        app.conf.update(
            task_serializer="auth",
            security_key=str(KEYS / "test-only.key"),
            security_certificate=str(KEYS / "test-only.pem"),
            security_cert_store=str(KEYS / "*.pem"),
        )
        app.setup_security()


def raw(message):
    """A message as Kombu hands it out."""
    return SimpleNamespace(
        body=base64.b64decode(message["body"]),
        headers=message["headers"],
        content_type=message["content-type"],
        errors=[],
    )


@pytest.fixture
def read(app):
    """Return ``read(message)``: headers and body, as a worker of the app reads them."""

    def decode(message):
        headers = message["headers"]
        data = base64.b64decode(message["body"])
        if "compression" in headers:
            data = app.compression.expand(data, headers["compression"])
        return decode_task(headers, app.serializers.decode(data, message["content-type"]))

    return decode


def content(version, name):
    return json.loads((FILES / f"celery-{version}-{name}.json").read_text())


@every_file
@every_reader
def test_tasks(app, read, version, serializer, reader):
    accept(app, reader)
    tasks, value = content(version, serializer)["tasks"], SENT[serializer]

    headers, body = read(tasks["plain"])
    assert headers.task == "t.add"
    assert list(body.args) == [value, "b"]
    assert body.kwargs == {}
    assert tasks["plain"]["headers"]["my-header"] == "kept"

    headers, body = read(tasks["keywords"])
    assert headers.shadow == "other"
    assert body.kwargs == {"a": value, "b": None}

    headers, body = read(tasks["eta"])
    assert (headers.eta, headers.expires) == (STAMP, STAMP + timedelta(hours=1))
    assert list(body.args) == [1, 2]

    headers, _ = read(tasks["stamped"])
    assert headers.stamped_headers == ["who"]
    assert headers.stamps == {"who": ["me"]} or headers.stamps == {"who": "me"}


@every_file
@pytest.mark.parametrize(
    ("serializer", "reader"), [pair for pair in READERS if pair[0] != "yaml"], ids=lambda name: name
)
def test_signatures_that_come_along(app, read, version, serializer, reader):
    accept(app, reader)
    tasks = content(version, serializer)["tasks"]

    _, body = read(tasks["linked"])
    assert [(each["task"], list(each["args"]), each["immutable"]) for each in body.callbacks] == [("t.add", [3], False)]
    assert [(each["task"], list(each["args"]), each["immutable"]) for each in body.errbacks] == [
        ("t.total", [[4]], True)
    ]

    [first] = tasks["chain"]
    _, body = read(first)
    assert [(each["task"], list(each["args"])) for each in body.chain] == [("t.add", [4]), ("t.add", [3])]
    assert app.signature(body.chain[-1]).options["task_id"]

    parts = [read(message) for message in tasks["chord"]]
    assert [list(body.args) for _, body in parts] == [[1, 2], [3, 4]]
    assert {body.chord["task"] for _, body in parts} == {"t.total"}
    assert {headers.group_index for headers, _ in parts} == {0, 1}
    assert len({headers.group for headers, _ in parts}) == 1


@every_file
@every_reader
def test_results(app, version, serializer, reader):
    accept(app, reader)
    kind = app.serializers.get(reader).content_type
    stored = content(version, serializer)["results"]

    def meta(name):
        return read_meta(app.serializers.decode_result(base64.b64decode(stored[name]), kind))

    assert (meta("success")["status"], meta("success")["result"]) == ("SUCCESS", SENT[serializer])
    failure = meta("failure")
    assert failure["status"] == "FAILURE"
    error = decode_exception(failure["result"])
    assert (type(error), error.args) == (KeyError, ("missing", 7))
    own = decode_exception(meta("own")["result"])
    assert isinstance(own, CeleryTimeoutError)
    assert own.args == ("late",)


@every_file
@pytest.mark.parametrize("name", ["gzip", "bzip2", "lzma", "zstd", "brotli"])
def test_compressed_messages(read, version, name):
    message = content(version, "compression")[name]
    _, body = read(message)
    assert (
        message["headers"]["compression"]
        == {
            "gzip": "application/x-gzip",
            "bzip2": "application/x-bz2",
            "lzma": "application/x-lzma",
            "zstd": "application/zstd",
            "brotli": "application/x-brotli",
        }[name]
    )
    assert list(body.args) == [[1], [2]]


@every_file
def test_commands(app, version):
    command = app.control.mailbox.codec.decode_command(raw(content(version, "fanout")["control"]))
    assert command["method"] == "rate_limit"
    assert command["arguments"] == {"task_name": "t.add", "rate_limit": "1/s"}
    assert command["destination"] == ["w@h"]


@every_file
@every_reader
def test_a_command_and_its_answer(app, version, serializer, reader):
    accept(app, reader)
    told = content(version, serializer)["control"]
    codec = app.control.mailbox.codec
    command = codec.decode_command(raw(told["command"]))
    assert (command["method"], command["destination"], command["ticket"]) == ("ping", ["w@host"], "a-ticket")
    assert command["reply_to"].keys() == {"exchange", "routing_key"}
    assert told["answer"]["headers"]["ticket"] == "a-ticket"
    assert app.control.mailbox._read(raw(told["answer"])) == {"w@host": {"ok": "pong"}}


@every_file
@every_reader
def test_events(app, version, serializer, reader):
    accept(app, reader)
    told = content(version, serializer)["events"]
    receiver = EventReceiver(app.connection_for_read().default_channel, app=app)
    found = {
        kind: next(event for type_, event in receiver.events_in(raw(message)) if type_ == kind)
        for kind, message in told.items()
    }
    assert found.keys() == {
        *("task-sent", "task-received", "task-started", "task-succeeded", "worker-online", "worker-heartbeat")
    }
    assert (found["task-sent"]["name"], found["task-sent"]["queue"]) == ("t.add", "q")
    assert found["task-sent"]["uuid"] == found["task-received"]["uuid"] == found["task-succeeded"]["uuid"]
    assert found["task-received"]["args"] == "(1, 2)"
    assert found["task-succeeded"]["result"] == "3"
    assert found["task-succeeded"]["runtime"] > 0
    assert found["worker-heartbeat"]["hostname"] == "w@host"
    # And they tell the same as our own would
    state = app.events.State()
    for event in found.values():
        state.event(event)
    assert state.workers["w@host"].sw_ident == "py-celery"
    task = state.tasks[found["task-sent"]["uuid"]]
    assert (task.state, task.name, task.worker.hostname) == ("SUCCESS", "t.add", "w@host")


@every_file
@every_reader
def test_what_is_kept_of_groups_and_chords(app, version, serializer, reader):
    accept(app, reader)
    kind = app.serializers.get(reader).content_type
    found = {
        name: app.serializers.decode_result(base64.b64decode(text), kind)
        for name, text in content(version, serializer)["kept"].items()
        if text is not None
    }
    member = read_meta(found["member"])
    assert (member["status"], member["result"], member["children"]) == ("SUCCESS", 3, [])
    group = app.results.from_tuple(found["group"]["result"])
    assert group.id == member["group_id"]
    assert group.results[0].id == member["task_id"]
    assert len(group.results) == 2
    if serializer != "yaml":
        _, task_id, state, value = found["part"]
        assert (len(task_id), state, value) == (36, "SUCCESS", 3)
