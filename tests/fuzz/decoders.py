"""Every decoder that a stranger's bytes reach, as a function of bytes, and what it may raise."""

from __future__ import annotations

import logging
import math
import zlib
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple

import brokers
import expansion
import kept
import pickled
import signed

from celeriac import Celery
from celeriac.app.replies import flatten_reply
from celeriac.events import EventReceiver
from celeriac.exceptions import ImproperlyConfigured, ProtocolError, SecurityError, SerializationError
from celeriac.plugin.manager import PluginManager
from celeriac.protocol import json
from celeriac.protocol.message import decode_task
from celeriac.protocol.results import decode_exception, read_meta
from celeriac.worker.consumer.mingle import Inquiry, _take_in
from celeriac.worker.panel.node import PanelNode
from celeriac.worker.revocations import Revocations
from celeriac_amqp import link

#: What hostile bytes may end in; anything else is a finding.
TYPED = (ProtocolError, SecurityError)
#: Inputs are cut to this many bytes, and compressed ones may expand to no more than that.
LONGEST = 64 * 1024
EXPANDED = 1024 * 1024

logging.getLogger("celeriac").addHandler(logging.NullHandler())
logging.getLogger("celeriac").propagate = False


class Decoder(NamedTuple):
    run: Callable[[bytes], Any]
    #: Valid inputs, from which a fuzzer sets out.
    seeds: tuple[bytes, ...]
    #: What it may raise.
    typed: tuple[type[Exception], ...] = TYPED


ID = "d2b8f7f4-7c0e-4a6f-9a1a-0c8f2b7d5e11"
SIGNATURE = b'{"task":"t.add","args":[1],"kwargs":{},"options":{"task_id":"x"},"subtask_type":null,"immutable":false}'
HEADERS = (
    b'{"lang":"py","task":"t.add","id":"' + ID.encode() + b'","shadow":null,"eta":"2030-01-01T00:00:00+00:00",'
    b'"expires":null,"group":null,"group_index":null,"retries":0,"timelimit":[null,2.5],"root_id":"r",'
    b'"parent_id":null,"argsrepr":"(1,)","kwargsrepr":"{}","origin":"gen1@host","ignore_result":false,'
    b'"replaced_task_nesting":0,"stamped_headers":["s"],"stamps":{"s":["v"]}}'
)
BODY = b'[[1,"two"],{"x":null},{"callbacks":[' + SIGNATURE + b'],"errbacks":null,"chain":null,"chord":null}]'
V1 = (
    b'{"task":"t.add","id":"1","args":[1],"kwargs":{},"retries":1,"eta":"2030-01-01T00:00:00","expires":null,'
    b'"utc":true,"callbacks":null,"errbacks":null,"timelimit":[1,2],"taskset":null,"chord":null}'
)
META = (
    b'{"status":"FAILURE","result":{"exc_type":"KeyError","exc_message":["k"],"exc_module":"builtins",'
    b'"exc_notes":["n"],"exc_cause":{"exc_type":"ValueError","exc_message":[],"exc_module":"builtins"}},'
    b'"traceback":"Traceback","children":[[["a",null],null]],"date_done":"2030-01-01T00:00:00+00:00","task_id":"1"}'
)
EVENT = b'[{"type":"task-received","uuid":"1","hostname":"w@h","clock":7,"timestamp":1.5,"utcoffset":0,"pid":1}]'
COMMAND = (
    b'{"method":"ping","arguments":{"a":1},"destination":["w@h"],"pattern":"w*","matcher":"glob","ticket":"t",'
    b'"reply_to":null}'
)
ANSWERS = (
    b'{"w@other":{"ok":"pong"}}',
    b'{"w@other":{"clock":7,"revoked":["a","b"]},"w@third":{"clock":9,"revoked":{"c":1.5}}}',
    b'{"w@other":{"error":"ValueError()"}}',
)
EXTENDED = (
    b'[{"__type__":"datetime","__value__":"2030-01-01T00:00:00"},{"__type__":"decimal","__value__":"1.5"},'
    b'{"__type__":"uuid","__value__":{"hex":"12345678123456781234567812345678"}},'
    b'{"__type__":"base64","__value__":"/wA="},{"__type__":"set","__value__":[1,"a",{"__type__":"frozenset",'
    b'"__value__":[null,2.5]}]},{"__type__":"time","__value__":"12:30:01"},-1.5e300,12345678901234567890]'
)


def read_json(data: bytes) -> Any:
    """Whatever is read can be written, and is then the same."""
    value = json.loads(data)
    try:
        written = json.dumps(value)
    except SerializationError as error:
        raise AssertionError(f"what was read cannot be written: {error}") from error
    assert same(json.loads(written), value)


def task_v2(data: bytes) -> Any:
    """Headers and body, as two JSON texts with a byte of zero between."""
    headers, _, body = data.partition(b"\x00")
    return decode_task(json.loads(headers), json.loads(body or b"[[], {}, null]"))


def task_v1(data: bytes) -> Any:
    return decode_task({}, json.loads(data))


def result(data: bytes) -> Any:
    meta = read_meta(json.loads(data))
    if isinstance(meta["result"], dict) and "exc_type" in meta["result"]:
        repr(decode_exception(meta["result"]))
    return meta


@cache
def app() -> Celery:
    made = Celery("fuzz", broker="memory://", set_as_current=False)
    made.conf.accept_expanded_bytes = EXPANDED
    return made


def message(data: bytes) -> Any:
    return SimpleNamespace(
        body=data, headers={"clock": 3}, content_type="application/json", content_encoding="utf-8", errors=[]
    )


@cache
def receiver() -> EventReceiver:
    return EventReceiver(app().connection_for_read().default_channel, app=app())


def event(data: bytes) -> Any:
    """One that cannot be read is logged; nothing may be raised."""
    return list(receiver().events_in(message(data)))


@cache
def node() -> PanelNode:
    mailbox: Any = app().control.mailbox
    found = PanelNode("w@h", None, None, {"ping": lambda state, **_: {"ok": "pong"}}, mailbox=mailbox)
    found.reply = lambda *_, **__: None  # type: ignore[method-assign]  # there is no broker here
    return found


def control(data: bytes) -> None:
    """As an event."""
    node().on_message(message(data))


def reply(data: bytes) -> None:
    """An answer to a command, as whoever asked takes it; and as a worker that starts.  As an event."""
    mailbox: Any = app().control.mailbox
    given = message(data)
    answer = mailbox._read(given)
    if answer is not None:
        flatten_reply([answer])
    inquiry = Inquiry(app(), "w@h", [])
    given.headers["ticket"] = inquiry._ticket
    inquiry._take(given)
    asking: Any = SimpleNamespace(app=app(), revoking=SimpleNamespace(learn=Revocations().add_ids))
    for node, one in inquiry._answers.items():
        _take_in(asking, node, one)


@cache
def serializer(name: str) -> Any:
    return PluginManager().driver("serializer", name)()


def by(name: str) -> Callable[[bytes], Any]:
    def read(data: bytes) -> Any:
        found = serializer(name).loads(data)
        repr(found)[:10]
        return found

    return read


def orjson_beside_json(data: bytes) -> None:
    """The same value, or both refuse."""
    outcomes = []
    for read in (json.loads, serializer("orjson").loads):
        try:
            outcomes.append(("value", read(data)))
        except TYPED:
            outcomes.append(("refused", None))
    (kind, value), (other_kind, other) = outcomes
    assert kind == other_kind, (kind, other_kind)
    assert same(value, other), (value, other)
    if kind == "value":
        assert same(json.loads(serializer("orjson").dumps(value)), value)


def same(one: Any, other: Any) -> bool:
    """Equal in values and types; NaN equals itself.  Without recursion: values may be 500 levels deep."""
    pairs = [(one, other)]
    while pairs:
        one, other = pairs.pop()
        if type(one) is not type(other):
            return False
        if isinstance(one, dict):
            if list(one) != list(other):
                return False
            pairs.extend((one[key], other[key]) for key in one)
        elif isinstance(one, list):
            if len(one) != len(other):
                return False
            pairs.extend(zip(one, other, strict=True))
        elif isinstance(one, set | frozenset):
            pairs.append((sorted(map(repr, one)), sorted(map(repr, other))))
        elif isinstance(one, float):
            if not (one == other and math.copysign(1, one) == math.copysign(1, other)) and one == one:
                return False
        elif one != other and one == one:
            return False
    return True


def expander(kind: str) -> Callable[[bytes], Any]:
    def expand(data: bytes) -> Any:
        found = app().compression.expand(data, kind)
        assert len(found) <= EXPANDED
        return found

    return expand


def compressed(name: str) -> tuple[bytes, ...]:
    compress = app().compression.compress
    return tuple(compress(data, name)[1] for data in (b"", BODY * 20, bytes(EXPANDED + 1), bytes(range(256)) * 9))


def decoders() -> dict[str, Decoder]:
    """By name."""
    msgpack, yaml, signed_seeds = serializer("msgpack"), serializer("yaml"), signed.seeds()
    broker_seeds, kept_seeds = brokers.seeds(HEADERS, BODY, json.loads(HEADERS)), kept.seeds(SIGNATURE)
    value = [[1, -2.5, "text", b"bytes", None, True], {"key": [{}, []]}]
    return {
        "json": Decoder(read_json, (BODY, META, EXTENDED)),
        "task-v2": Decoder(task_v2, (HEADERS + b"\x00" + BODY, HEADERS)),
        "task-v1": Decoder(task_v1, (V1,)),
        "result": Decoder(result, (META,)),
        "event": Decoder(event, (EVENT, EVENT[1:-1])),
        "control": Decoder(control, (COMMAND,)),
        "orjson": Decoder(orjson_beside_json, (BODY, META, EXTENDED, b"[1e400,-0,-0.0,9223372036854775808]")),
        "yaml": Decoder(
            by("yaml"),
            (yaml.dumps(value), b"a: &x [1, 2]\nb: *x\nc: {<<: {d: 1:30:00}}\n", b"- 2030-01-01T00:00:00Z\n"),
        ),
        "msgpack": Decoder(by("msgpack"), (msgpack.dumps(value), b"\xd6\xff\x00\x00\x00\x01", b"\xdd\x00\x00\xff\xff")),
        "gzip": Decoder(expander("application/x-gzip"), compressed("gzip")),
        "bzip2": Decoder(expander("application/x-bz2"), compressed("bzip2")),
        "lzma": Decoder(expander("application/x-lzma"), compressed("lzma")),
        "zstd": Decoder(expander("application/zstd"), compressed("zstd")),
        "brotli": Decoder(expander("application/x-brotli"), compressed("brotli")),
        **{
            f"{name}-checked": Decoder(
                expansion.checked(app().compression.expand, kind, make, EXPANDED),
                (*expansion.seeds(expansion.PLAIN, b"", BODY), *expansion.seeds(expansion.RAW, *raw)),
            )
            for name, kind, make, raw in (
                ("gzip", "application/x-gzip", expansion.gzip, (zlib.compress(BODY * 9)[2:-4], b"x\x9c\x03\x00")),
                ("bzip2", "application/x-bz2", expansion.bzip2, (BODY,)),
                (
                    "zstd",
                    "application/zstd",
                    expansion.zstandard,
                    (b"\x00\x03\x00abc\xe1\xff\xffx", b"\x02\x08\x00" + BODY),
                ),
            )
        },
        "pickle": Decoder(pickled.read, pickled.seeds()),
        "reply": Decoder(reply, ANSWERS),
        "amqp": Decoder(brokers.amqp, broker_seeds["amqp"], link.ERRORS),
        "amqp-properties": Decoder(brokers.amqp_properties, broker_seeds["amqp-properties"], ()),
        "redis": Decoder(brokers.redis, broker_seeds["redis"], ()),
        "redis-result": Decoder(brokers.redis_result, broker_seeds["redis-result"]),
        "sqlite": Decoder(brokers.sqlite, broker_seeds["sqlite"], ()),
        "state-file": Decoder(kept.state_file, kept_seeds["state-file"], (ImproperlyConfigured,)),
        "schedule-file": Decoder(kept.schedule_file, kept_seeds["schedule-file"], ()),
        "stored-schedule": Decoder(kept.stored_schedule, kept_seeds["stored-schedule"], ()),
        "revoked": Decoder(kept.revoked, kept_seeds["revoked"], ()),
        "signature": Decoder(kept.signature, kept_seeds["signature"]),
        "auth": Decoder(signed.outside, signed_seeds["outside"]),
        "auth-packed": Decoder(signed.packed, signed_seeds["packed"]),
        "auth-inside": Decoder(signed.inside, signed_seeds["inside"]),
        "auth-sealed": Decoder(signed.sealed, signed_seeds["sealed"]),
        "auth-header": Decoder(signed.header, signed_seeds["header"]),
    }
