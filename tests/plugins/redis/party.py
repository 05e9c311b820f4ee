"""A process that claims, begins some of it, says so, and waits to be killed."""

from __future__ import annotations

import sys
import time

from kombu import Connection, Queue
from kombu.asynchronous import Hub

from celeriac.contracts import Settlements
from celeriac_redis.broker import RedisTransport


def hold(url: str, prefix: str, queue: str, begun: str) -> None:
    lane = RedisTransport.consumer_lane(
        Connection(url, transport=RedisTransport, transport_options={"global_keyprefix": prefix, "lease": 1})
    )
    lane.open([Queue(queue)], Hub(), lambda: None)
    found = lane.claim(100)
    lane.settle(Settlements(begin=[each.tag for each in found[: int(begun)]]))
    print("holds", len(found), flush=True)
    time.sleep(600)


if __name__ == "__main__":
    hold(*sys.argv[1:])
