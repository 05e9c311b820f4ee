"""Dramatiq on Redis or RabbitMQ, with its results in Redis, as there is no other store with both."""

from __future__ import annotations

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend
from probe import touch
from settings import BROKER, REDIS, RESULTS

from adapters.timing import each

broker = RabbitmqBroker(url=BROKER.removesuffix("//")) if BROKER.startswith("amqp") else RedisBroker(url=BROKER)
if RESULTS:
    broker.add_middleware(Results(backend=RedisBackend(url=REDIS)))
dramatiq.set_broker(broker)


def _noop():
    touch()
    return 1 if RESULTS else None


noop = dramatiq.actor(_noop, actor_name="noop", **({"store_results": True} if RESULTS else {}))


def enqueue(n):
    send = noop.send
    for _ in range(n):
        send()


def roundtrip(n):
    return each(n, lambda: noop.send().get_result(block=True, timeout=20_000))
