"""Beats of which the leader is killed again and again: each tick is sent once, and nobody waits long."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from celeriac import Celery
from celeriac.beat.stored import StoredSchedule

APP = Path(__file__).parent.parent / "e2e"
#: Read before a test's environment is cleaned. Another seed finds other moments.
SEED = int(os.environ.get("FAULTS_SEED") or random.SystemRandom().randrange(1_000_000))
#: `make faults-beat` takes five minutes.
SECONDS = float(os.environ.get("BEAT_FAULT_SECONDS", "10"))
EVERY = 0.5
#: The issue of a lock, noticing it, and starting to send.
LONGEST_PAUSE = 10.0


@pytest.fixture(params=["sqlite", "redis"])
def store(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'queue.db'}"
    return request.getfixturevalue("redis_url")


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 90)
def test_no_tick_is_lost_or_sent_twice_when_leaders_are_killed(store, spawn, wait_until):
    print(f"FAULTS_SEED={SEED}")
    chance = random.Random(f"{SEED} {store}")
    # Given three beats of an app of its own, whose queue nobody reads
    name, queue = f"beats-{uuid4().hex}", f"ticks-{uuid4().hex}"
    entry = {"task": "note", "schedule": EVERY, "missed": "all", "args": ["tick"], "options": {"queue": queue}}
    app = Celery(name, broker=store, backend=store, set_as_current=False)
    environment = {
        "BEATS_NAME": name,
        "BEATS_BROKER": store,
        "BEATS_BACKEND": store,
        "BEATS_SCHEDULE": json.dumps({"tick": entry}),
    }
    command = [sys.executable, "-m", "celeriac", "-A", "beats_app", "beat", "-S", "store", "-l", "INFO"]

    def start():
        return spawn(*command, cwd=APP, env=environment)

    stored = StoredSchedule(app)
    beats = [start() for _ in range(3)]

    def runs():
        state = stored.states(["tick"]).get("tick")
        return state.total_run_count if state else 0

    wait_until(runs, timeout=30)
    first = stored.states(["tick"])["tick"]
    first_run = first.last_run_at - timedelta(seconds=EVERY * (first.total_run_count - 1))
    longest, kills, monotonic_end = 0.0, 0, time.monotonic() + SECONDS
    while time.monotonic() < monotonic_end:
        time.sleep(chance.uniform(0.5, 3.0))  # the moment is what is tried at random
        leader = max(beats, key=lambda beat: beat.output().count("leading, with") and last_led(beat))
        # When the leader is killed
        leader.kill()
        beats.remove(leader)
        before, monotonic_killed = runs(), time.monotonic()
        kills += 1
        # Then another sends within a few seconds
        wait_until(lambda before=before: runs() > before, timeout=LONGEST_PAUSE, message="another beat sends")
        longest = max(longest, time.monotonic() - monotonic_killed)
        beats.append(start())
    for beat in beats:
        beat.wait_for_output("beat: Starting...")
        beat.signal(signal.SIGTERM)
    for beat in beats:
        assert beat.wait() == 0
    # And each tick between the first and the last was sent, under the id that belongs to it
    state = stored.states(["tick"])["tick"]
    expected = {stored.task_id("tick", first_run + n * timedelta(seconds=EVERY)) for n in range(state.total_run_count)}
    sent = Counter(taken(app, queue))
    print(f"{kills} kills, longest pause {longest:.1f} s, {len(expected)} ticks, {sum(sent.values())} messages")
    assert state.sending == ()
    assert set(sent) == expected
    # A process that dies between the broker's answer and its note has its message sent again, and the broker knows.
    assert max(sent.values()) == 1
    stored.remove("tick")
    app.close()


def last_led(beat):
    """The greatest token with which it has led."""
    tokens = [int(line.rsplit(" ", 1)[1]) for line in beat.output().splitlines() if "leading, with token" in line]
    return max(tokens, default=0)


def taken(app, queue):
    """The ids of the messages in the queue, which is removed."""
    found = []
    with app.connection_for_read() as connection, closing(connection.SimpleQueue(queue)) as messages:
        with suppress(messages.Empty):
            while True:
                message = messages.get(block=False)
                found.append(message.headers["id"])
                message.ack()
        messages.queue.delete()
    return found
