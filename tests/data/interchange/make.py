"""Writes the files beside it: what Celery itself puts on Redis.  Run by a Python that has Celery; see README.md."""

from __future__ import annotations

import base64
import datetime
import decimal
import json
import socket
import sys
import time
import uuid
from pathlib import Path

import redis

# Who made the files is nobody's business; before Celery is imported, which keeps the name.
socket.gethostname = lambda: "host"
import celery  # noqa: E402
import kombu  # noqa: E402
from celery.contrib.testing.worker import start_worker  # noqa: E402

HERE = Path(__file__).parent
URL = sys.argv[1] if len(sys.argv) > 1 else "redis://127.0.0.1:6379/0"
#: Keys that everybody has.
KEYS = HERE.parents[1] / "plugins" / "auth" / "data"
PREFIX = f"interchange-{uuid.uuid4().hex}:"


class Sender:
    """An app that writes with one serializer."""

    def __init__(self, serializer):
        self.app = app = celery.Celery("interchange", broker=URL, backend=URL)
        app.conf.update(
            broker_transport_options={"global_keyprefix": PREFIX},
            result_backend_transport_options={"global_keyprefix": PREFIX},
            task_default_queue="q",
            task_serializer=serializer,
            result_serializer=serializer,
            event_serializer=serializer,
            accept_content=["auth"] if serializer == "auth" else ["json", "pickle", "yaml", "msgpack"],
            task_send_sent_event=True,
            worker_send_task_events=True,
            worker_hijack_root_logger=False,
        )
        if serializer == "auth":
            app.conf.update(
                security_key=str(KEYS / "test-only.key"),
                security_certificate=str(KEYS / "test-only.pem"),
                security_cert_store=str(KEYS / "*.pem"),
            )
            app.setup_security()

        @app.task(name="t.add")
        def add(a, b):
            return a + b

        @app.task(name="t.total")
        def total(values):
            return sum(values)

        self.add, self.total = add, total


PLAIN = {"text": "grün \N{SNOWMAN}", "list": [1, -2, 2.5, None, True], "map": {"nested": {"deep": []}}}
STAMP = datetime.datetime(2030, 1, 2, 3, 4, 5, 678900, tzinfo=datetime.UTC)
#: What each serializer has beyond that.
MORE = {
    "json": {
        "datetime": STAMP,
        "naive": STAMP.replace(tzinfo=None),
        "date": datetime.date(2030, 1, 2),
        "time": datetime.time(3, 4, 5),
        "decimal": decimal.Decimal("1.50"),
        "uuid": uuid.UUID(int=7),
        "bytes": "grün".encode(),
        "binary": b"\xff\x00",
        "large": 2**70,
    },
    "pickle": {
        "set": {1, 2},
        "tuple": (1, (2,)),
        "decimal": decimal.Decimal("1.50"),
        "datetime": STAMP,
        "bytes": b"\xff",
    },
    "yaml": {"datetime": STAMP, "date": datetime.date(2030, 1, 2), "bytes": b"\xff\x00", "set": {1, 2}},
    "msgpack": {"bytes": b"\xff\x00", "large": 2**63},
}
COMPRESSIONS = ["gzip", "bzip2", "lzma", "zstd", "brotli"]


def main():
    server = redis.Redis.from_url(URL)
    try:
        for serializer in MORE:
            write(serializer, {**of_serializer(server, serializer), **of_worker(server, serializer)})
        write("auth", {**of_serializer(server, "auth"), **of_worker(server, "auth")})
        add = Sender("json").add
        write("compression", {name: sent(server, add, [[1], [2]], compression=name) for name in COMPRESSIONS})
        write("fanout", {"control": told(server)})
    finally:
        for key in server.scan_iter(f"{PREFIX}*", count=1000):
            server.delete(key)


def of_serializer(server, name):
    sender = Sender(name)
    app, add, total = sender.app, sender.add, sender.total
    value = {**PLAIN, **MORE.get(name, {})}
    tasks = {
        "plain": sent(server, add, [value, "b"], kwargs={}, headers={"my-header": "kept"}),
        "keywords": sent(server, add, [], kwargs={"a": value, "b": None}, shadow="other", priority=3),
        "eta": sent(server, add, [1, 2], eta=STAMP, expires=STAMP + datetime.timedelta(hours=1)),
        "stamped": sent(server, add, [1, 2], stamped_headers=["who"], who=["me"]),
    }
    if name != "yaml":  # in which Celery cannot write a signature
        tasks["linked"] = sent(server, add, [1, 2], link=add.s(3), link_error=total.si([4]))
        tasks["chain"] = canvas(server, add.s(1, 2) | add.s(3) | add.s(4))
        tasks["chord"] = canvas(server, celery.chord([add.s(1, 2), add.s(3, 4)], total.s()))
    results = {
        "success": stored(server, lambda id_: app.backend.store_result(id_, value, "SUCCESS")),
        "failure": stored(server, lambda id_: fail(app, id_, KeyError("missing", 7))),
        "own": stored(server, lambda id_: fail(app, id_, celery.exceptions.TimeoutError("late"))),
    }
    return {"tasks": tasks, "results": results}


def of_worker(server, name):
    """What is said while a worker runs: events, a command and its answer, and what is kept of groups and chords."""
    sender = Sender(name)
    app, add = sender.app, sender.add
    with server.pubsub(ignore_subscribe_messages=True) as listener:
        listener.psubscribe("*celeryev*", "*celery.pidbox*")
        listener.get_message(timeout=1)
        options = {"hostname": "w@host", "queues": ["q"], "without_heartbeat": False}
        with start_worker(app, pool="solo", perform_ping_check=False, **options):
            group = celery.group(add.s(1, 2), add.s(3, 4)).apply_async()
            group.save()
            assert group.get(timeout=20) == [3, 7]
            answer = asked(server, app)
            part = None
            if name != "yaml":
                chord = celery.chord([add.s(1, 2), add.s(3, 4).set(queue="of-nobody")], sender.total.s())
                waiting = chord.apply_async().parent
                waiting[0].get(timeout=20)
                [part] = until(lambda: server.zrange(key_of(server, f"*{waiting.id}.j"), 0, -1))
            heard = {}
            until(lambda: hear(listener, app, heard))
    return {
        "events": {kind: heard[kind] for kind in EVENTS},
        "control": {"command": heard["command"], "answer": answer},
        "kept": {
            "member": kept(server, f"*celery-task-meta-{group[0].id}"),
            "group": kept(server, f"*celery-taskset-meta-{group.id}"),
            "part": part and base64.b64encode(part).decode(),
        },
    }


#: Of each kind the first that is heard.
EVENTS = ["task-sent", "task-received", "task-started", "task-succeeded", "worker-online", "worker-heartbeat"]


def hear(listener, app, heard):
    """Add what was published, by the kinds of events, and the first command; whether all has been heard."""
    accepted = kombu.serialization.prepare_accept_content(app.conf.accept_content)
    while (message := listener.get_message(timeout=1)) is not None:
        if PREFIX.encode() not in message["channel"]:
            continue
        found = json.loads(message["data"])
        if b"pidbox" in message["channel"]:
            heard.setdefault("command", found)
            continue
        data = base64.b64decode(found["body"])
        body = kombu.serialization.loads(data, found["content-type"], found["content-encoding"], accepted)
        for event in body if isinstance(body, list) else [body]:
            heard.setdefault(event["type"], found)
    return set(EVENTS) <= set(heard)


def asked(server, app):
    """The answer of the worker to a ping, taken from its queue before anybody else does."""
    with app.connection_for_write() as connection:
        mailbox = app.control.mailbox(connection)
        queue = mailbox.reply_queue(connection.default_channel)
        queue.declare()
        mailbox._publish(
            "ping", {}, destination=["w@host"], reply_ticket="a-ticket", channel=connection.default_channel
        )
        return json.loads(until(lambda: server.rpop(f"{PREFIX}{queue.name}")))


def key_of(server, pattern):
    return next(iter(server.scan_iter(pattern, count=1000)), "none")


def kept(server, pattern):
    return base64.b64encode(server.get(key_of(server, pattern))).decode()


def until(look):
    """What `look` gives, as soon as it gives something."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.05)
    raise RuntimeError(f"it did not come: {look}")


def fail(app, id_, error):
    try:
        raise error
    except Exception as caught:  # noqa: BLE001  # it was made to be caught
        app.backend.mark_as_failure(id_, caught, traceback="Traceback (most recent call last): ...")


def sent(server, task, args, **options):
    task.apply_async(args, **options)
    return taken(server)[0]


def canvas(server, signature):
    signature.apply_async()
    return taken(server)


def taken(server):
    """The messages that are in the queue, oldest first, taken out."""
    found = []
    for key in server.scan_iter(f"{PREFIX}q*"):
        while (raw := server.rpop(key)) is not None:
            found.append(json.loads(raw))
    return found


def stored(server, store):
    id_ = str(uuid.uuid4())
    store(id_)
    raw = server.get(f"{PREFIX}celery-task-meta-{id_}") or server.get(
        f"{PREFIX.removesuffix(':')}:celery-task-meta-{id_}"
    )
    return base64.b64encode(raw).decode()


def told(server):
    control = Sender("json").app.control
    with server.pubsub(ignore_subscribe_messages=True) as listener:
        listener.psubscribe("*celery.pidbox*")
        listener.get_message(timeout=1)
        control.broadcast("rate_limit", arguments={"task_name": "t.add", "rate_limit": "1/s"}, destination=["w@h"])
        while (message := listener.get_message(timeout=5)) is not None:
            if PREFIX.encode() in message["channel"]:
                return json.loads(message["data"])
    raise RuntimeError("nothing was heard")


def write(name, content):
    version = ".".join(celery.__version__.split(".")[:2])
    made_by = {"celery": celery.__version__, "kombu": kombu.__version__, "python": sys.version.split()[0]}
    path = HERE / f"celery-{version}-{name}.json"
    path.write_text(json.dumps({"made_by": made_by, **content}, indent=1, sort_keys=True) + "\n")
    print(path.name)


if __name__ == "__main__":
    main()
