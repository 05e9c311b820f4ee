"""How long one message takes that goes alone, by a bare loop: what sending one by one, or a round trip, takes at least.

No task protocol, no worker, no result store: what the server, the kernel and an interpreter take for these bytes.
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable
from typing import Any

from bare_amqp import Bare, message

SENT, ASKED, ANSWERS = "limit.sent", "limit.asked", "limit.answers"
#: As long as the frames of a no-op's headers and body.
BODY = b"x" * 480


def each(n: int, call: Callable[[], object]) -> list[float]:
    """Milliseconds of each call."""
    taken = []
    for _ in range(n):
        begun = time.perf_counter()
        call()
        taken.append((time.perf_counter() - begun) * 1e3)
    return taken


def redis_sent(raw: Any, text: bytes, n: int) -> list[float]:
    """`raw` is a `limits.Raw`."""
    return each(n, lambda: raw.call((b"LPUSH", b"limit", text)))


def rabbitmq_confirmed(url: str, n: int, *, persistent: bool) -> list[float]:
    """Sending, until the server has confirmed it."""
    bare = Bare(url)
    bare.queue(SENT)
    bare.confirm()
    frames = message(SENT, BODY, persistent=persistent)
    return each(n, lambda: bare.ask(frames, 60, 80))


def _answer(url: str, ready: Any) -> None:
    bare = Bare(url)
    for name in (ASKED, ANSWERS):
        bare.queue(name)
    bare.consume(ASKED)
    ready.set()
    while True:
        tag, body = bare.delivery()
        bare.say(bare.ack(tag) + message(ANSWERS, body, persistent=False))


def rabbitmq_answered(url: str, n: int, *, persistent: bool, confirmed: bool) -> list[float]:
    """From sending until the answer of another process has come, which acks and answers at once."""
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    other = context.Process(target=_answer, args=(url, ready), daemon=True)
    other.start()
    try:
        ready.wait(30)
        asking, hearing = Bare(url), Bare(url)
        if confirmed:
            asking.confirm()
        hearing.consume(ANSWERS)
        frames = message(ASKED, BODY, persistent=persistent)

        def there_and_back() -> None:
            asking.say(frames)
            if confirmed:
                asking.expect(60, 80)
            tag, _ = hearing.delivery()
            hearing.say(hearing.ack(tag))

        return each(n, there_and_back)
    finally:
        other.kill()
        other.join()


def row(name: str, taken: list[float]) -> str:
    """A row of a table: the loop, its median and how long nine of ten took at most."""
    return f"| {name} | {statistics.median(taken):.3f} | {sorted(taken)[len(taken) * 9 // 10]:.3f} |"
