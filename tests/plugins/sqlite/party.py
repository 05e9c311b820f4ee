"""What another process does to the file, as told on the command line: ``party.py ROLE URL [ARGUMENT ...]``."""

from __future__ import annotations

import sys
import time

from kombu import Connection, Consumer, Exchange, Producer, Queue
from kombu.asynchronous import Hub

from celeriac.contracts import OutgoingMessage, Settlements, StoredResult
from celeriac_sqlite.broker import SqliteTransport


def message(body: bytes) -> OutgoingMessage:
    return OutgoingMessage(body, "application/json", "utf-8", {"id": "1"}, {}, "", "tasks")


def connection(url: str) -> Connection:
    return Connection(url, transport=SqliteTransport)


def lane_of(url: str, hub: Hub, on_ready=lambda: None):
    lane = SqliteTransport.consumer_lane(connection(url))
    lane.open([Queue("tasks")], hub, on_ready)
    return lane


def drain(url: str, total: str) -> None:
    """Claim and ack in batches of seven until the queue is empty, and print each body."""
    lane = lane_of(url, Hub())
    idle_until = time.monotonic() + 20
    while time.monotonic() < idle_until:
        found = lane.claim(7)
        if not found and not lane.depth("tasks"):
            break
        for delivery in found:
            print(delivery.body.decode())
        lane.settle(Settlements(ack=[delivery.tag for delivery in found]))
    lane.close()


def hold(url: str, count: str, begin: str) -> None:
    """Claim `count`, begin `begin` of them, and hold them until killed."""
    hub = Hub()
    lane = lane_of(url, hub)
    found = lane.claim(int(count))
    lane.settle(Settlements(begin=[delivery.tag for delivery in found[: int(begin)]]))
    print("holding", len(found))
    while True:
        hub.run_once()


def publish(url: str, size: str) -> None:
    """Publish numbered messages, `size` at a time, and print the highest number that the lane answers for."""
    lane = SqliteTransport.producer_lane(connection(url))
    number = 0
    while True:
        lane.publish([message(str(number + n).encode()) for n in range(int(size))])
        number += int(size)
        print(number)


def churn(url: str) -> None:
    """Claim, begin, give back and ack for ever."""
    lane = lane_of(url, Hub())
    print("churning")
    while True:
        found = [delivery.tag for delivery in lane.claim(20)]
        lane.settle(Settlements(begin=found[:5]))
        lane.settle(Settlements(ack=found[:10], requeue=found[10:15], redeliver=found[15:]))


def answer(url: str) -> None:
    """Print the age in milliseconds of each message when it was claimed; its body is the time of publishing."""
    hub = Hub()

    def on_ready() -> None:
        for delivery in lane.claim(10):
            print((time.monotonic() - float(delivery.body)) * 1000)
            lane.settle(Settlements(ack=[delivery.tag]))

    lane = lane_of(url, hub, on_ready)
    print("ready")
    while True:
        hub.run_once()


def store(url: str) -> None:
    """Store results for ever, two at a time, and print the highest number stored."""
    backend = backend_of(url)
    number = 0
    while True:
        backend.store(
            [
                StoredResult(f"task-{number + n}", "SUCCESS", {"task_id": f"task-{number + n}", "status": "SUCCESS"})
                for n in range(2)
            ]
        )
        number += 2
        print(number)


def store_some(url: str, *task_ids: str) -> None:
    """Store a result for each task."""
    backend_of(url).store(
        [StoredResult(id_, "SUCCESS", {"task_id": id_, "status": "SUCCESS", "result": 42}) for id_ in task_ids]
    )


def backend_of(url: str):
    from celeriac import Celery
    from celeriac_sqlite.backend import SqliteBackend

    return SqliteBackend(Celery("proj", broker="memory://", result_backend="disabled"), url)


def send(url: str, exchange: str, kind: str, routing_key: str, body: str) -> None:
    """Publish one message through plain Kombu."""
    with connection(url) as opened:
        Producer(opened, Exchange(exchange, kind)).publish({"body": body}, routing_key=routing_key)


def listen(url: str, exchange: str, kind: str, routing_key: str) -> None:
    """Consume through plain Kombu, and print what comes."""
    with connection(url) as opened:
        queue = Queue("", Exchange(exchange, kind), routing_key=routing_key, exclusive=True, auto_delete=True)
        bound = queue.bind(opened.default_channel)

        def on_message(body, received) -> None:
            print("heard", body["body"])
            received.ack()

        with Consumer(opened.default_channel, [bound], callbacks=[on_message]):
            print("listening")
            while True:
                opened.drain_events()


def lock(url: str, seconds: str) -> None:
    """Keep the file locked for writing."""
    lane = SqliteTransport.producer_lane(connection(url))
    with lane._database:
        print("locked")
        time.sleep(float(seconds))


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
