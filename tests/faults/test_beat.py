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
#: What a worker says of the second message of a tick.
PASSED_OVER = "it was sent before, in another message"


@pytest.fixture
def beats_on(spawn, wait_until, tmp_path):
    """Return ``beats_on(broker, store, **options)``: beats of an app of its own, whose task has these options."""
    made = []

    def make(broker, store, **options):
        made.append(Beats(broker, store, options, tmp_path / "notes", spawn, wait_until))
        return made[-1]

    yield make
    for beats in made:
        beats.stored.remove("tick")
        beats.app.close()


class Beats:
    """Beats of one app, of which the leader is killed again and again; `state` is what they have noted last."""

    def __init__(self, broker, store, options, notes, spawn, wait_until):
        print(f"FAULTS_SEED={SEED}")
        name, self.queue, self.notes = f"beats-{uuid4().hex}", f"ticks-{uuid4().hex}", notes
        options = {"queue": self.queue, **options}
        entry = {"task": "note", "schedule": EVERY, "missed": "all", "args": ["tick"], "options": options}
        self._environment = {
            "BEATS_NAME": name,
            "BEATS_BROKER": broker,
            "BEATS_BACKEND": store,
            "BEATS_SCHEDULE": json.dumps({"tick": entry}),
            "BEATS_NOTES": str(notes),
        }
        self.app = Celery(name, broker=broker, backend=store, set_as_current=False)
        self.stored = StoredSchedule(self.app)
        self._spawn, self._wait_until = spawn, wait_until
        self._chance = random.Random(f"{SEED} {broker}")

    def start(self, *command, **environment):
        """Start a process of the app."""
        words = (sys.executable, "-m", "celeriac", "-A", "beats_app", *command, "-l", "INFO")
        return self._spawn(*words, cwd=APP, env={**self._environment, **environment})

    def _start_beat(self, killed_by_us=True):
        after = 0 if killed_by_us else self._chance.randrange(2, 6)
        return self.start("beat", "-S", "store", BEATS_DIES_AFTER=str(after))

    @property
    def state(self):
        return self.stored.states(["tick"]).get("tick")

    def _runs(self):
        return self.state.total_run_count if self.state else 0

    def kill_leaders(self, in_the_worst_moment=False):
        """Kill leaders for as long as the test is to take; the ids of all ticks that were due meanwhile.

        At random moments; or each between the answer of the broker that it has a message and the note of that.
        """
        beats = [self._start_beat(not in_the_worst_moment) for _ in range(3)]
        self._wait_until(self._runs, timeout=30)
        first = self.state
        first_run = first.last_run_at - timedelta(seconds=EVERY * (first.total_run_count - 1))
        longest, kills, monotonic_end = 0.0, 0, time.monotonic() + SECONDS
        while time.monotonic() < monotonic_end:
            leader = self._dead_leader(beats) if in_the_worst_moment else self._killed_leader(beats)
            beats.remove(leader)
            before, monotonic_killed = self._runs(), time.monotonic()
            kills += 1
            # Then another sends within a few seconds
            self._wait_until(
                lambda before=before: self._runs() > before, timeout=LONGEST_PAUSE, message="another beat sends"
            )
            longest = max(longest, time.monotonic() - monotonic_killed)
            beats.append(self._start_beat(not in_the_worst_moment))
        last = self._start_beat()
        for beat in [*beats, last]:
            if beat is last:  # it has what is left to do
                beat.wait_for_output("leading, with token", 30)
                self._wait_until(lambda: self.state.sending == (), timeout=30)
            elif not in_the_worst_moment:
                beat.wait_for_output("beat: Starting...")
            beat.signal(signal.SIGTERM)
            assert beat.wait() == 0 or in_the_worst_moment
        state = self.state
        assert state.sending == ()
        print(f"{kills} kills, longest pause {longest:.1f} s, {state.total_run_count} ticks")
        runs = [first_run + n * timedelta(seconds=EVERY) for n in range(state.total_run_count)]
        return {self.stored.task_id("tick", run, n) for n, run in enumerate(runs)}

    def _killed_leader(self, beats):
        time.sleep(self._chance.uniform(0.5, 3.0))  # the moment is what is tried at random
        leader = max(beats, key=lambda beat: beat.output().count("leading, with") and last_led(beat))
        leader.kill()
        return leader

    def _dead_leader(self, beats):
        dead = []
        self._wait_until(lambda: dead.extend(b for b in beats if b.poll() is not None) or dead, timeout=30)
        return dead[0]

    def noted(self):
        """The ids under which tasks ran."""
        return Counter(line.split()[2] for line in self.notes.read_text().splitlines())


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 90)
@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_no_tick_is_lost_or_sent_twice_when_leaders_are_killed(kind, beats_on, request, tmp_path):
    # Given beats whose queue nobody reads
    store = f"sqlite:///{tmp_path / 'queue.db'}" if kind == "sqlite" else request.getfixturevalue("redis_url")
    beats = beats_on(store, store)
    # When their leaders are killed
    expected = beats.kill_leaders()
    # Then each tick between the first and the last was sent, under the id that belongs to it
    sent = Counter(taken(beats.app, beats.queue))
    print(f"{sum(sent.values())} messages")
    assert set(sent) == expected
    # A process that dies between the broker's answer and its note has its message sent again, and the broker knows.
    assert max(sent.values()) == 1


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 120)
def test_each_tick_runs_once_on_a_broker_that_may_have_it_twice(beats_on, redis_url, rabbitmq_url, wait_until):
    # Given a broker that takes whatever is sent, a store for the schedule, and two workers; no results, of which a
    # beat that takes over would see that a tick has run
    beats = beats_on(rabbitmq_url, redis_url, ignore_result=True)
    workers = [beats.start("worker", "-P", "solo", "-Q", beats.queue, "-n", f"w{n}@{beats.queue}") for n in range(2)]
    for worker in workers:
        worker.wait_for_output("ready.")

    # When leaders die in the moment in which nobody can know whether they have sent a tick
    expected = beats.kill_leaders(in_the_worst_moment=True)
    # Then each tick has run
    wait_until(lambda: beats.noted().keys() >= expected, timeout=30, message="all ticks have run")
    for worker in workers:
        worker.signal(signal.SIGTERM)
    for worker in workers:
        assert worker.wait() == 0
    taken(beats.app, beats.queue)
    passed_over = sum(worker.output().count(PASSED_OVER) for worker in workers)
    print(f"{sum(beats.noted().values())} runs, {passed_over} second messages passed over")
    assert passed_over
    # And none of them twice
    assert beats.noted() == dict.fromkeys(expected, 1)


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
