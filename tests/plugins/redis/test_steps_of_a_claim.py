"""A worker that is killed at any step from the claim to the end of a task loses nothing."""

from __future__ import annotations

import os
import signal
from contextlib import closing

from celeriac.contracts import Settlements
from celeriac_redis.stream import Stream

COUNT = 6


class Steps:
    """Counts what goes to the server and comes from it, and kills the process before or after one of these."""

    def __init__(self, last: int | None = None) -> None:
        self.done = 0
        self._last = last

    def _step(self) -> None:
        if self.done == self._last:
            os.kill(os.getpid(), signal.SIGKILL)
        self.done += 1

    def between(self, method):
        def stepped(link, *args):
            self._step()
            found = method(link, *args)
            self._step()
            return found

        return stepped


def work(lane, say=lambda word: None) -> None:
    """Claim all, begin half, end one of those, give one back: what a worker says to the broker."""
    tags = [each.tag for each in lane.claim(COUNT)]
    assert len(tags) == COUNT
    say("claimed")
    lane.settle(Settlements(begin=tags[: COUNT // 2]))
    say("ending")
    lane.turn(Settlements(ack=tags[:1], requeue=tags[-1:]), 1)
    say("ended")


def killed_at(step, monkeypatch, lane_of) -> set[str]:
    """What a child had said before it was killed at that step."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        lane = lane_of()
        steps = Steps(step)
        Stream.write, Stream.read = steps.between(Stream.write), steps.between(Stream.read)
        work(lane, lambda word: os.write(writer, f"{word} ".encode()))
        os._exit(7)
    os.close(writer)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with closing(os.fdopen(reader, "rb")) as said:
        assert status == -signal.SIGKILL, f"step {step} was not reached: {status}"
        return set(said.read().decode().split())


def test_a_worker_killed_at_any_step_loses_nothing(connect, consume, message, prefix, monkeypatch, wait_until):
    def place(step):
        return {"lease": 1, "global_keyprefix": f"{prefix}{step}:"}

    def publish(step):
        lane = connect(**place(step)).transport_cls.producer_lane(connect(**place(step)))
        with closing(lane):
            lane.publish([message(str(number)) for number in range(COUNT)])

    # Given how many steps there are
    publish("all")
    steps = Steps()
    with monkeypatch.context() as patched:
        lane = consume(**place("all"))
        patched.setattr(Stream, "write", steps.between(Stream.write))
        patched.setattr(Stream, "read", steps.between(Stream.read))
        work(lane)
    assert steps.done > 10
    # When for each step a process is killed at it
    said = {}
    for step in range(steps.done):
        publish(step)
        said[step] = killed_at(step, monkeypatch, lambda step=step: consume(**place(step)))
    assert {frozenset(words) for words in said.values()} >= {frozenset(), frozenset({"claimed"})}
    # Then whoever comes has all of its messages, as claims or as lost: but the one that had ended
    heirs = {step: consume(**place(step)) for step in said}
    found: dict[int, list[str]] = {step: [] for step in said}
    ended = {step for step, words in said.items() if "ended" in words or "ending" in words}

    def all_is_there():
        for step, lane in heirs.items():
            found[step] += [each.body.decode() for each in [*lane.lost(), *lane.claim(COUNT)]]
        return all(len(found[step]) >= COUNT - (step in ended) for step in found)

    wait_until(all_is_there, 20, "everything comes back that the dead had not ended")
    everything = [str(number) for number in range(COUNT)]
    for step, bodies in found.items():
        assert sorted(bodies) == everything or (step in ended and sorted(bodies) == everything[1:]), step
