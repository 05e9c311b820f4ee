"""How fast a bare loop consumes messages like ours, and sends one: what could be reached at best. `python limits.py`.

Each loop decodes every message with orjson and calls a no-op, one process or two side by side. No task protocol, no
time limits, retries, routing or isolation: a ceiling, not a worker. Needs hiredis and orjson.
"""

from __future__ import annotations

import argparse
import base64
import multiprocessing
import socket
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import hiredis
import hops
import orjson
import servers
from report import cell

QUEUE, UNACKED, SEQUENCE = b"limit", b"limit.unacked", b"limit.sequence"
BATCH = 200
BODY = b'[[], {}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]'


def headers(task_id: str) -> dict[str, Any]:
    empty = dict.fromkeys(("shadow", "eta", "expires", "group", "group_index", "parent_id", "stamped_headers"))
    known = {"lang": "py", "task": "noop", "id": task_id, "retries": 0, "timelimit": [None, None], "root_id": task_id}
    shown = {"argsrepr": "()", "kwargsrepr": "{}", "origin": "gen1@vm", "ignore_result": True, "stamps": {}}
    return {**empty, **known, **shown, "replaced_task_nesting": 0}


def envelope() -> bytes:
    """A message as Celery has it in Redis."""
    task_id = str(uuid.uuid4())
    delivery = {"delivery_info": {"exchange": "", "routing_key": "celery"}, "delivery_tag": str(uuid.uuid4())}
    known = {"correlation_id": task_id, "reply_to": str(uuid.uuid4()), "delivery_mode": 2, "priority": 0}
    content = {"body": base64.b64encode(BODY).decode(), "content-encoding": "utf-8", "content-type": "application/json"}
    properties = {**known, **delivery, "body_encoding": "base64"}
    return orjson.dumps({**content, "headers": headers(task_id), "properties": properties})


def noop() -> None:
    pass


TASKS = {"noop": noop}


def run(task: str, body: bytes) -> None:
    args, kwargs, _ = orjson.loads(body)
    TASKS[task](*args, **kwargs)


def run_envelope(raw: bytes) -> str:
    message = orjson.loads(raw)
    run(message["headers"]["task"], base64.b64decode(message["body"]))
    return str(message["headers"]["id"])


# --- Redis ------------------------------------------------------------------------------------------------------------

# One call acknowledges the last batch and takes the next, keeping it in a hash until then.
TAKE = b"""
if #ARGV > 1 then redis.call('HDEL', KEYS[2], unpack(ARGV, 2)) end
local got = redis.call('RPOP', KEYS[1], ARGV[1])
if not got then return {} end
local base = redis.call('INCRBY', KEYS[3], #got) - #got
local set = {}
for i, m in ipairs(got) do set[2*i-1] = base + i; set[2*i] = m end
redis.call('HSET', KEYS[2], unpack(set))
return {base, got}
"""


class Raw:
    """The barest Redis client: one blocking socket and hiredis."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = hiredis.Reader()

    def call(self, *commands: tuple[bytes, ...]) -> list[Any]:
        self.socket.sendall(b"".join(map(hiredis.pack_command, commands)))
        return [self._answer() for _ in commands]

    def _answer(self) -> Any:
        while (answer := self.reader.gets()) is False:
            self.reader.feed(self.socket.recv(1 << 20))
        return answer


def fill_redis(port: int, n: int) -> None:
    raw = Raw(port)
    raw.call((b"FLUSHALL",))
    for start in range(0, n, BATCH):
        raw.call((b"LPUSH", QUEUE, *(envelope() for _ in range(min(BATCH, n - start)))))


def redis_acked(port: int, *, results: bool = False) -> int:
    """At least once: each batch is kept until the next one is taken."""
    raw, done, acks = Raw(port), 0, []
    [script] = raw.call((b"SCRIPT", b"LOAD", TAKE))
    while True:
        [answer] = raw.call((b"EVALSHA", script, b"3", QUEUE, UNACKED, SEQUENCE, b"%d" % BATCH, *acks))
        if not answer:
            return done
        base, got = answer
        acks = [b"%d" % (base + number) for number in range(1, len(got) + 1)]
        task_ids = [run_envelope(message) for message in got]
        done += len(got)
        if results:
            stored = {"status": "SUCCESS", "result": None, "traceback": None, "children": []}
            commands = []
            for task_id in task_ids:
                value = orjson.dumps({**stored, "date_done": "2026-11-22T00:00:00", "task_id": task_id})
                key = b"celery-task-meta-" + task_id.encode()
                commands += [(b"SETEX", key, b"86400", value), (b"PUBLISH", key, value)]
            raw.call(*commands)


def redis_acked_with_results(port: int) -> int:
    return redis_acked(port, results=True)


# --- SQLite -----------------------------------------------------------------------------------------------------------


def opened(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None, timeout=30)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    return database


def fill_sqlite(path: Path, n: int) -> None:
    path.unlink(missing_ok=True)
    database = opened(path)
    database.execute(
        "CREATE TABLE message (id INTEGER PRIMARY KEY, claimed INTEGER, task TEXT, headers TEXT, body BLOB)"
    )
    database.execute("CREATE INDEX ready ON message (id) WHERE claimed IS NULL")
    rows = [("noop", orjson.dumps(headers(str(uuid.uuid4()))).decode(), BODY) for _ in range(n)]
    with database:
        database.execute("BEGIN")
        database.executemany("INSERT INTO message (task, headers, body) VALUES (?, ?, ?)", rows)
    database.close()


def sqlite_acked(path: Path) -> int:
    """At least once: one transaction deletes the last batch and claims the next."""
    database, done, last = opened(path), 0, []
    while True:
        database.execute("BEGIN IMMEDIATE")
        database.executemany("DELETE FROM message WHERE id = ?", last)
        got = database.execute(
            "UPDATE message SET claimed = 1"
            " WHERE id IN (SELECT id FROM message WHERE claimed IS NULL ORDER BY id LIMIT ?)"
            " RETURNING id, task, headers, body",
            (BATCH,),
        ).fetchall()
        database.execute("COMMIT")
        if not got:
            return done
        for _, task, text, body in got:
            orjson.loads(text)
            run(task, body)
        done += len(got)
        last = [(row[0],) for row in got]


# --- measuring --------------------------------------------------------------------------------------------------------


def _child(loop: Callable[[Any], int], where: Any, queue: Any) -> None:
    begun, cpu = time.monotonic(), time.process_time()
    done = loop(where)
    queue.put((done, begun, time.monotonic(), time.process_time() - cpu))


def timed(loop: Callable[[Any], int], where: Any, processes: int) -> tuple[float, float]:
    """Messages a second, and CPU seconds per 10,000."""
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    children = [context.Process(target=_child, args=(loop, where, queue)) for _ in range(processes)]
    for child in children:
        child.start()
    told = [queue.get(timeout=120) for _ in children]
    for child in children:
        child.join()
    done = sum(one[0] for one in told)
    seconds = max(one[2] for one in told) - min(one[1] for one in told)
    return done / seconds, sum(one[3] for one in told) / done * 1e4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with ExitStack() as stack:
        tmp = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="celeriac-limits-")))
        loops: list[tuple[Callable[..., None], Callable[[Any], int], Any]] = [
            (fill_sqlite, sqlite_acked, tmp / "limit.db")
        ]
        if servers.Redis.available():
            port = stack.enter_context(servers.Redis(tmp)).port
            loops += [(fill_redis, redis_acked, port), (fill_redis, redis_acked_with_results, port)]
        print("| bare loop | messages/s | CPU s/10k |\n|---|---|---|")
        for fill, loop, where in loops:
            for processes in (1, 2):
                runs = []
                for _ in range(options.rounds):
                    fill(where, options.n)
                    runs.append(timed(loop, where, processes))
                rates, cpus = ([one[index] for one in runs] for index in (0, 1))
                print(f"| {loop.__name__} x{processes} | {cell(rates, '{:,.0f}')} | {cell(cpus, '{:.2f}')} |")
        print("\n| one message at a time | ms, median | nine of ten within |\n|---|---|---|")
        trips = min(options.n, 2000)
        if servers.Redis.available():
            print(hops.row("Redis: sent and answered", hops.redis_sent(Raw(port), envelope(), trips)))
        if servers.RabbitMQ.available():
            _show_rabbitmq(stack.enter_context(servers.RabbitMQ(tmp)).url, trips)


def _show_rabbitmq(url: str, trips: int) -> None:
    for persistent in (False, True):
        kind = "persistent" if persistent else "transient"
        taken = hops.rabbitmq_confirmed(url, trips, persistent=persistent)
        print(hops.row(f"RabbitMQ: sent and confirmed, {kind}", taken))
    for confirmed in (False, True):
        kind = "confirmed" if confirmed else "not confirmed"
        taken = hops.rabbitmq_answered(url, trips, persistent=True, confirmed=confirmed)
        print(hops.row(f"RabbitMQ: there and back, persistent, {kind}", taken))


if __name__ == "__main__":
    main()
