"""Taskiq with orjson and uvloop, on a Redis stream or on RabbitMQ, with its results in Redis."""

from __future__ import annotations

import asyncio
import functools

import uvloop
from probe import touch
from settings import BROKER, REDIS, RESULTS
from taskiq.serializers import ORJSONSerializer
from taskiq_aio_pika import AioPikaBroker
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

from adapters.timing import each

if BROKER.startswith("amqp"):
    broker = AioPikaBroker(BROKER.removesuffix("//") + "/%2F", qos=200)
else:
    broker = RedisStreamBroker(BROKER, queue_name="bench", consumer_id="0", xread_count=100)
if RESULTS:
    broker = broker.with_result_backend(
        RedisAsyncResultBackend(REDIS, serializer=ORJSONSerializer(), result_ex_time=600)
    )
broker = broker.with_serializer(ORJSONSerializer())
_runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)


@functools.cache
def _ready():
    """Connect, at the first call."""
    _runner.run(broker.startup())


@broker.task(task_name="noop")
async def noop() -> int:
    touch()
    return 1


async def _enqueue(n):
    for _ in range(n):
        await noop.kiq()


async def _once():
    await (await noop.kiq()).wait_result(check_interval=0.001, timeout=20)


def enqueue(n):
    _ready()
    _runner.run(_enqueue(n))


def roundtrip(n):
    _ready()
    return each(n, lambda: _runner.run(_once()))
