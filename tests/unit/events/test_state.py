"""What the events of a cluster say of its tasks and workers."""

from __future__ import annotations

import pickle
import threading
import time

import pytest

from celeriac import states
from celeriac.events.state import State, Worker, heartbeat_expires


@pytest.fixture
def state():
    return State()


def ids(pairs):
    return [uuid for uuid, _ in pairs]


# -- tasks -------------------------------------------------------------------------------------------------------------


@pytest.mark.covers(
    "events.state.State", "events.state.State.event", "events.state.State.task_count", "events.state.State.event_count"
)
def test_the_life_of_a_task_is_gathered_from_its_events(state, make_event):
    # Given the events of a task from its sending to its end
    sent = make_event("task-sent", uuid="a", name="add", args="(1,)", kwargs="{}", queue="q", hostname="gen7@client")
    received = make_event("task-received", uuid="a", name="add", args="(1,)", kwargs="{}", retries=0, eta=None)
    started = make_event("task-started", uuid="a")
    succeeded = make_event("task-succeeded", uuid="a", result="2", runtime=0.5)

    # When they are taken in
    (task, created), subject = state.event(sent)
    assert created
    assert subject == "sent"
    assert task.state == states.PENDING
    (same, created), _ = state.event(received)
    assert same is task
    assert not created
    assert task.state == states.RECEIVED
    assert not task.ready
    state.event(started)
    assert task.state == states.STARTED
    state.event(succeeded)

    # Then all that they told is known
    assert task.ready
    assert task.state == states.SUCCESS
    assert (task.name, task.args, task.result, task.runtime, task.queue) == ("add", "(1,)", "2", 0.5, "q")
    assert (task.sent, task.received) == (sent["timestamp"], received["timestamp"])
    assert (task.started, task.succeeded) == (started["timestamp"], succeeded["timestamp"])
    assert task.timestamp == succeeded["timestamp"]
    assert task.clock == succeeded["clock"]
    assert task.client == "gen7@client"
    assert task.worker.hostname == "w1@host"
    assert task.origin == task.worker.id
    assert task.info() == {"args": "(1,)", "kwargs": "{}", "retries": 0, "result": "2", "runtime": 0.5}
    assert task.info(["name"], ["uuid"]) == {"name": "add", "uuid": "a"}
    assert (state.event_count, state.task_count) == (4, 1)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("failed", states.FAILURE),
        ("retried", states.RETRY),
        ("revoked", states.REVOKED),
        ("rejected", states.REJECTED),
        ("cancelled", "CANCELLED"),
    ],
)
def test_each_end_has_its_state(state, make_event, event, expected):
    state.event(make_event("task-received", uuid="a", name="add"))
    # A task that was rejected is so from the beginning, for all that follows outranks it.
    if event == "rejected":
        state = State()
    (task, _), _ = state.event(make_event(f"task-{event}", uuid="a", exception="E()"))
    assert task.state == expected
    assert task.exception == "E()"


def test_an_event_that_comes_late_tells_what_it_knows_and_changes_no_state(state, make_event):
    # Given a start and an end that overtook the arrival
    received = make_event("task-received", uuid="a", name="add", args="(1,)", retries=0, parent_id="p")
    state.event(make_event("task-succeeded", uuid="a", result="2"))
    # When the arrival comes
    state.event(received)
    # Then the task has ended all the same, and has its name
    task = state.tasks["a"]
    assert task.state == states.SUCCESS
    assert (task.name, task.args, task.received) == ("add", "(1,)", received["timestamp"])


def test_a_task_that_is_tried_again_begins_again(state, make_event):
    for kind in ("received", "started", "retried", "received", "started"):
        state.event(make_event(f"task-{kind}", uuid="a", name="add"))
    assert state.tasks["a"].state == states.STARTED


def test_no_event_sets_what_is_not_its_own(state, make_event):
    (task, _), _ = state.event(
        make_event("task-received", uuid="a", name="add", cluster_state=1, worker=2, __class__=3)
    )
    assert task.cluster_state is state
    assert task.worker.hostname == "w1@host"
    assert task.state == states.RECEIVED


@pytest.mark.parametrize("broken", [{"uuid": 7}, {"uuid": None}, {"hostname": None}, {"hostname": ["x"]}])
def test_an_event_without_its_names_is_counted_and_passed_over(state, make_event, broken):
    assert state.event(make_event("task-received", **{"uuid": "a", **broken})) is None
    assert state.event_count == 1
    assert not state.tasks


def test_events_of_other_groups_are_counted_only(state, make_event):
    assert state.event(make_event("weather-changed")) is None
    assert state.event_count == 1


def test_tasks_know_their_parents_children_and_root_in_whatever_order_they_come(state, make_event):
    state.event(make_event("task-received", uuid="child", name="b", parent_id="parent", root_id="root"))
    state.event(make_event("task-received", uuid="parent", name="a", parent_id="root", root_id="root"))
    state.event(make_event("task-received", uuid="second", name="b", parent_id="parent", root_id="root"))
    state.event(make_event("task-received", uuid="root", name="r", root_id="root"))
    child, parent, root = (state.tasks[uuid] for uuid in ("child", "parent", "root"))
    assert child.parent is parent
    assert child.root is root
    assert {task.uuid for task in parent.children} == {"child", "second"}
    assert {task.uuid for task in root.children} == {"parent"}
    assert parent.as_dict()["children"] == ["child", "second"]
    assert parent.as_dict()["root"] == "root"


@pytest.mark.covers(
    "events.state.State.tasks_by_time", "events.state.State.tasks_by_timestamp", "events.state.State.itertasks"
)
def test_tasks_are_given_in_the_order_of_what_was_last_heard(state, make_event):
    for uuid in "abc":
        state.event(make_event("task-received", uuid=uuid, name="add"))
    state.event(make_event("task-succeeded", uuid="a"))
    assert ids(state.tasks_by_time()) == ["a", "c", "b"]
    assert ids(state.tasks_by_timestamp(limit=2)) == ["a", "c"]
    assert ids(state.tasks_by_time(reverse=False)) == ["b", "c", "a"]
    assert ids(state.tasks_by_time(limit=1, reverse=False)) == ["b"]
    assert ids(state.itertasks(limit=1)) == ["b"]
    assert sorted(ids(state.itertasks())) == ["a", "b", "c"]


@pytest.mark.covers("events.state.State.rebuild_taskheap")
def test_the_order_is_by_the_logical_clock_whatever_the_hosts_clocks_say(state, make_event):
    state.event(make_event("task-received", uuid="first", clock=10, timestamp=9_000.0))
    state.event(make_event("task-received", uuid="second", clock=11, timestamp=1_000.0))
    state.event(make_event("task-received", uuid="between", clock=9, timestamp=99_000.0))
    assert ids(state.tasks_by_time(reverse=False)) == ["between", "first", "second"]
    state.rebuild_taskheap()
    assert ids(state.tasks_by_time(reverse=False)) == ["between", "first", "second"]


@pytest.mark.covers("events.state.State.task_types")
def test_tasks_are_found_by_type_and_by_worker(state, make_event):
    state.event(make_event("task-received", uuid="a", name="add"))
    state.event(make_event("task-received", uuid="b", name="mul", hostname="w2@host"))
    state.event(make_event("task-received", uuid="c", name="add", hostname="w2@host"))
    assert ids(state.tasks_by_type("add")) == ["c", "a"]
    assert ids(state.tasks_by_type("add", limit=1)) == ["c"]
    assert {task.uuid for task in state.tasks_by_type["add"]} == {"a", "c"}
    assert ids(state.tasks_by_worker("w2@host")) == ["c", "b"]
    assert {task.uuid for task in state.tasks_by_worker["w2@host"]} == {"b", "c"}
    assert state.task_types() == ["add", "mul"]


def test_a_task_that_moves_to_another_worker_is_found_there_only(state, make_event):
    state.event(make_event("task-received", uuid="a", name="add"))
    state.event(make_event("task-received", uuid="a", name="add", hostname="w2@host"))
    assert not state.tasks_by_worker["w1@host"]
    assert ids(state.tasks_by_worker("w2@host")) == ["a"]


# -- workers -----------------------------------------------------------------------------------------------------------


@pytest.mark.covers("events.state.State.alive_workers", "events.state.State.Worker")
def test_a_worker_is_alive_as_long_as_it_is_heard(state, make_event):
    now = time.time()
    fields = {"freq": 2.0, "active": 1, "processed": 9, "loadavg": [1, 2, 3], "sw_ident": "py", "sw_ver": "1"}
    state.event(make_event("worker-online", timestamp=now, local_received=now, **fields))
    worker = state.workers["w1@host"]
    assert worker.alive
    assert worker.status_string == "ONLINE"
    assert (worker.active, worker.processed, worker.loadavg, worker.freq) == (1, 9, [1, 2, 3], 2.0)
    assert worker.heartbeat_expires == heartbeat_expires(now, 2.0) == now + 4
    assert list(state.alive_workers()) == [worker]
    # When it misses its heartbeats
    worker.heartbeats[:] = [now - 4.1]
    assert not worker.alive
    assert list(state.alive_workers()) == []
    # When it says good-bye
    state.event(make_event("worker-heartbeat", timestamp=now, local_received=now))
    state.event(make_event("worker-offline", timestamp=now, local_received=now))
    assert worker.status_string == "OFFLINE"
    assert worker.id == "w1@host.1"


def test_a_wrong_clock_makes_no_worker_look_dead_and_is_told_of_once(state, make_event, caplog):
    now = time.time()
    for _ in range(3):
        state.event(make_event("worker-heartbeat", timestamp=now - 3600, local_received=now, freq=2.0))
    assert state.workers["w1@host"].alive
    assert [record.message for record in caplog.records] == [
        "The clocks of w1@host and of this host differ by 3600 s, as far as its heartbeats show"
    ]


def test_of_heartbeats_the_last_few_are_kept(state, make_event):
    for _ in range(10):
        state.event(make_event("worker-heartbeat"))
    assert len(state.workers["w1@host"].heartbeats) == Worker.heartbeat_max


def test_a_watcher_is_told_who_joins_and_leaves(make_event):
    joined, left = [], []
    state = State(on_node_join=joined.append, on_node_leave=left.append)
    state.event(make_event("worker-heartbeat"))
    state.event(make_event("worker-heartbeat"))
    worker = state.workers["w1@host"]
    assert joined == [worker]
    state.event(make_event("worker-offline"))
    assert left == [worker]
    assert not state.workers
    # A worker that was killed and started again says so.
    state.event(make_event("worker-heartbeat"))
    state.event(make_event("worker-online"))
    assert len(joined) == 3


@pytest.mark.covers("events.state.State.get_or_create_worker", "events.state.State.get_or_create_task")
def test_what_is_not_known_is_made(state):
    worker, created = state.get_or_create_worker("w9@host", active=3)
    assert created
    assert worker.active == 3
    assert state.get_or_create_worker("w9@host", active=4) == (worker, False)
    assert worker.active == 4
    task, created = state.get_or_create_task("t")
    assert created
    assert state.get_or_create_task("t") == (task, False)


@pytest.mark.covers("events.state.State.worker_event", "events.state.State.task_event")
def test_events_may_be_taken_in_by_group(state):
    fields = {"hostname": "w1@host", "timestamp": 5.0, "local_received": 5.0, "clock": 1}
    assert state.worker_event("online", fields) == (state.workers["w1@host"], True)
    assert state.task_event("received", {**fields, "uuid": "a"}) == (state.tasks["a"], True)


# -- memory ------------------------------------------------------------------------------------------------------------


@pytest.mark.covers("events.state.State.heap_multiplier", "events.state.State.Task")
def test_memory_is_bounded_whatever_comes(make_event):
    # Given a state for a few, when many come, each with a parent that nobody has heard of
    state = State(max_tasks_in_memory=10, max_workers_in_memory=5)
    for number in range(500):
        host, fields = f"w{number}@host", {"uuid": f"t{number}", "name": f"n{number}", "parent_id": f"p{number}"}
        state.event(make_event("task-received", hostname=host, **fields))
        state.event(make_event("task-succeeded", hostname=host, uuid=f"t{number}"))
    # Then the latest are there, and nothing grows without end
    assert ids(state.tasks_by_time()) == [f"t{number}" for number in range(499, 489, -1)]
    assert len(state.workers) == 5
    assert len(state._taskheap) <= 10 * State.heap_multiplier
    assert len(state._orphans) <= 10
    for index in (state.tasks_by_type, state.tasks_by_worker):
        assert len(index) <= 10 * State.heap_multiplier
    assert len(state.task_types()) <= 10 * State.heap_multiplier


@pytest.mark.covers("events.state.State.clear", "events.state.State.clear_tasks")
def test_tasks_are_forgotten_when_they_have_ended_or_all(state, make_event):
    for uuid in "ab":
        state.event(make_event("task-received", uuid=uuid, name="add"))
    state.event(make_event("task-succeeded", uuid="a"))
    state.clear_tasks()
    assert ids(state.tasks_by_time()) == ["b"]
    state.clear(ready=False)
    assert (list(state.tasks_by_time()), dict(state.workers), state.event_count) == ([], {}, 0)


@pytest.mark.covers("events.state.State.freeze_while")
def test_nothing_changes_while_somebody_looks(state, make_event):
    state.event(make_event("task-received", uuid="a", name="add"))
    state.event(make_event("task-succeeded", uuid="a"))
    event = make_event("task-received", uuid="b", name="add")
    writer = threading.Thread(target=state.event, args=(event,))

    def look(first, *, second):
        writer.start()
        writer.join(0.05)
        assert writer.is_alive()
        return ids(state.tasks_by_time()), first, second

    assert state.freeze_while(look, 1, second=2, clear_after=True) == (["a"], 1, 2)
    writer.join(10)
    assert ids(state.tasks_by_time()) == ["b"]


def test_a_state_goes_through_pickle(state, make_event):
    state.event(make_event("worker-online", freq=2.0))
    state.event(make_event("task-received", uuid="a", name="add"))
    state.event(make_event("task-received", uuid="b", name="add", parent_id="a"))
    again = pickle.loads(pickle.dumps(state))
    assert ids(again.tasks_by_time()) == ["b", "a"]
    assert again.tasks["b"].parent is again.tasks["a"]
    assert {task.uuid for task in again.tasks["a"].children} == {"b"}
    assert again.tasks["a"].worker is again.workers["w1@host"]
    assert ids(again.tasks_by_type("add")) == ["b", "a"]


def test_the_apps_own_state_goes_through_pickle(app, make_event):
    app.set_current()
    state = app.events.State()
    state.event(make_event("task-received", uuid="a", name="add"))
    again = pickle.loads(pickle.dumps(state))
    assert type(again) is app.events.State
    assert ids(again.itertasks()) == ["a"]


def test_a_callback_sees_each_event_first(make_event):
    seen = []
    state = State(callback=lambda state, event: seen.append((len(state.tasks), event["type"])))
    state.event(make_event("task-received", uuid="a"))
    assert seen == [(0, "task-received")]
