"""Workers that listen to each other: real ones on a broker in memory, and many that are only told of."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from celeriac.worker.consumer.gossip import Budget
from celeriac.worker.elections import Elections


@pytest.fixture
def worker(app, start_worker):
    """Gossips, and looks for the lost every so often."""
    return start_worker(app, hostname="me@host", interval=0.05, heartbeat_interval=0.1)


@pytest.fixture
def nodes(app):
    """Return ``nodes(name)``: a dispatcher in the name of another worker."""
    with app.connection_for_write() as connection:
        made = {}

        def node(name):
            if name not in made:
                made[name] = app.events.Dispatcher(connection, hostname=name)
            return made[name]

        yield node


def names(gossip):
    return sorted(worker.hostname for worker in gossip.state.alive_workers())


def test_two_workers_know_of_each_other(app, make_app, worker, start_worker, wait_until):
    other = start_worker(make_app(), hostname="other@host", heartbeat_interval=0.1)
    wait_until(lambda: names(worker.consumer.gossip) == ["other@host"])
    wait_until(lambda: names(other.consumer.gossip) == ["me@host"])
    other.stop()
    wait_until(lambda: names(worker.consumer.gossip) == [])


def test_whoever_asks_is_told_who_comes_who_goes_and_who_is_lost(worker, nodes, wait_until):
    # Given callbacks, of which one fails
    gossip, told = worker.consumer.gossip, []
    gossip.on.node_join.add(lambda node: told.append(("join", node.hostname)))
    gossip.on.node_join.add(lambda node: 1 / 0)
    gossip.on.node_leave.add(lambda node: told.append(("leave", node.hostname)))
    gossip.on.node_lost.add(lambda node: told.append(("lost", node.hostname)))
    # When one worker comes and goes, and another is killed
    nodes("a@host").send("worker-online", freq=2.0)
    nodes("b@host").send("worker-online", freq=0.1)
    nodes("a@host").send("worker-offline", freq=2.0)
    wait_until(lambda: len(told) == 4)
    # Then each is told
    assert Counter(told) == Counter([("join", "a@host"), ("join", "b@host"), ("leave", "a@host"), ("lost", "b@host")])
    assert told.index(("join", "a@host")) < told.index(("leave", "a@host"))


def test_what_a_worker_says_moves_the_clock(app, worker, nodes, wait_until):
    app.clock.adjust(1000)
    nodes("a@host").send("worker-heartbeat", freq=2.0)
    wait_until(lambda: names(worker.consumer.gossip) == ["a@host"])
    assert worker.app.clock.value > 1000


def test_gossip_can_be_left_out(app, start_worker, nodes):
    worker = start_worker(app, without_gossip=True)
    assert worker.consumer.gossip is None


def test_what_no_worker_would_say_harms_nothing(worker, nodes, wait_until):
    for fields in ({"id": 7}, {"id": "x", "clock": "late"}, {}):
        nodes("a@host").send("worker-elect", **fields)
        nodes("a@host").send("worker-elect-ack", **fields)
    nodes("a@host").send("worker-heartbeat", hostname=["odd"])
    nodes("b@host").send("worker-heartbeat", freq=2.0)
    wait_until(lambda: names(worker.consumer.gossip) == ["b@host"])


# -- elections ---------------------------------------------------------------------------------------------------------


def test_of_several_workers_one_does_what_they_elect_one_for(app, make_app, start_worker, wait_until):
    # Given three workers that know of each other
    apps = [app, make_app(), make_app()]
    done = []
    workers = [start_worker(each, hostname=f"w{n}@host", heartbeat_interval=0.1) for n, each in enumerate(apps)]
    gossips = [worker.consumer.gossip for worker in workers]
    for gossip in gossips:
        wait_until(lambda gossip=gossip: len(names(gossip)) == 2)
        gossip.election_handlers["count"] = lambda action, me=gossip.hostname: done.append((me, action))
    # When all hold ten elections, as they do when remote control asks them to
    for number in range(10):
        for gossip in gossips:
            gossip._hub.call_soon(gossip.election, f"e{number}", "count", number)
    # Then each was won by one
    wait_until(lambda: len(done) == 10)
    assert sorted(action for _, action in done) == list(range(10))


def test_a_task_is_sent_by_the_one_that_was_elected_to(app, worker, wait_until):
    ran = []
    app.task(name="elected")(lambda x: ran.append(x))  # noqa: PLW0108  # a method has no module
    gossip = worker.consumer.gossip
    gossip._hub.call_soon(gossip.election, "id", "task", app.signature("elected", (7,)))
    wait_until(lambda: ran == [7])


class Network:
    """Several elections, whose messages all arrive everywhere, and whose time is the test's."""

    def __init__(self, names):
        self.calls, self.queue, self.done, self.sent, self.late = [], [], [], 0, 0.0
        self.members = {}
        for name in names:
            others = [other for other in names if other != name]
            self.members[name] = Elections(
                (name, 1), self, lambda name=name: Sender(self, name), lambda others=others: others, {"t": None}
            )
            self.members[name]._handlers = {"t": lambda action, name=name: self.done.append(name)}

    def call_later(self, delay, callback, *args):
        self.calls.append((delay, callback, args))

    def deliver(self, to=None):
        while self.queue:
            kind, event = self.queue.pop(0)
            for name, member in self.members.items():
                if to is None or name in to:
                    (member.on_elect if kind == "worker-elect" else member.on_ack)(event)

    def wait(self, upto=0.5):
        due = [call for call in self.calls if call[0] <= upto]
        self.calls = [call for call in self.calls if call[0] > upto]
        for _, callback, args in due:
            callback(*args)


class Sender:
    def __init__(self, network, name):
        self.network, self.name = network, name

    def send(self, kind, **fields):
        self.network.sent += 1
        clock = 5 if self.name == "c" else 9
        event = {"hostname": self.name, "pid": 1, "clock": clock, "timestamp": time.time() - self.network.late}
        self.network.queue.append((kind, {**event, **fields}))


def test_the_least_clock_wins_and_one_answer_acknowledges_all_candidates():
    network = Network(["a", "b", "c"])
    for member in network.members.values():
        member.hold("id", "t")
        member.hold("id", "t")
    network.deliver()
    assert network.done == []
    network.wait()
    network.deliver()
    # Three candidacies and three answers.
    assert network.sent == 6
    assert network.done == ["c"]


def test_nobody_waits_for_a_worker_that_is_no_candidate_longer_than_a_second():
    network = Network(["a", "b"])
    network.members["a"].hold("id", "t")
    network.deliver()
    network.wait()
    network.deliver()
    assert network.done == []
    network.wait(upto=1.0)
    assert network.done == ["a"]


def test_nobody_waits_for_a_worker_that_has_gone():
    network = Network(["a"])
    a = network.members["a"]
    alive = ["gone"]
    a._alive = lambda: alive
    a.hold("id", "t")
    network.deliver()
    network.wait(upto=1.0)
    network.deliver()
    assert network.done == []
    alive.clear()
    a.look_again()
    a.look_again()
    assert network.done == ["a"]


@pytest.mark.parametrize(("late", "elected"), [(290.0, ["a"]), (310.0, []), (float("nan"), [])])
def test_a_candidacy_counts_for_five_minutes(late, elected):
    network = Network(["a"])
    network.late = late
    network.members["a"].hold("id", "t")
    network.deliver()
    network.wait()
    network.deliver()
    assert network.done == elected


def test_a_topic_that_nobody_knows_is_told_of(caplog):
    network = Network(["a"])
    network.members["a"].hold("id", "unheard")
    network.deliver()
    network.wait()
    network.deliver()
    assert "elected for unheard (id), which it does not know" in caplog.text


# -- cost --------------------------------------------------------------------------------------------------------------


def test_a_budget_is_for_a_second(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    budget = Budget(2)
    assert [budget.spend() for _ in range(3)] == [True, True, False]
    now[0] += 1.0
    assert budget.spend()


def test_however_many_workers_there_are_few_heartbeats_a_second_are_read(worker, nodes, wait_until, monkeypatch):
    # Given fifty workers that are known
    gossip = worker.consumer.gossip
    hosts = [f"n{number}@host" for number in range(50)]
    for host in hosts:
        nodes(host).send("worker-online", freq=0.4)
    wait_until(lambda: len(names(gossip)) == 50)
    read, lost = [], []
    gossip.on.node_lost.add(lambda node: lost.append(node.hostname))
    event = gossip.state.event
    monkeypatch.setattr(gossip.state, "event", lambda one: (read.append(time.monotonic()), event(one)))
    seen = [0]
    on_heartbeat = type(gossip.state.workers["n0@host"]).on_heartbeat

    def counted(self, *args):
        seen[0] += 1
        on_heartbeat(self, *args)

    monkeypatch.setattr(type(gossip.state.workers["n0@host"]), "on_heartbeat", counted)
    # When all but one of them send heartbeats, many times as fast as they are read
    until = time.monotonic() + 2.0
    sent = 0
    while time.monotonic() < until:
        for host in hosts[1:]:
            nodes(host).send("worker-heartbeat", freq=0.4)
            sent += 1
        wait_until(lambda sent=sent: seen[0] >= sent)
    # Then no second has seen more than fifty of them read, nobody who speaks is lost, and who does not is
    assert sent > 400
    assert max(sum(1 for other in read if moment <= other < moment + 1.0) for moment in read) <= 2 * 50
    assert len(read) <= 3 * 50
    assert lost == ["n0@host"]
    assert len(names(gossip)) == 49
