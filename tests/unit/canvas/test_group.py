"""Calls that are made together: one batch of messages, one result."""

from __future__ import annotations

import json

import pytest

from celeriac import group
from celeriac.app.task import Task
from celeriac.exceptions import SerializationError


@pytest.fixture
def add(app):
    @app.task(name="add")
    def add(x, y=0):
        return x + y

    return add


@pytest.fixture
def batches(app, monkeypatch):
    """The sizes of the batches that leave the app, noted where they leave it."""
    noted = []
    connection = app.connection_for_write()
    lane = connection.transport_cls.producer_lane

    class Noting:
        def __init__(self, connection):
            self._lane = lane(connection)
            self.published = 0

        def publish(self, messages):
            noted.append(len(messages))
            self._lane.publish(messages)

        def close(self):
            self._lane.close()

    class Transport(connection.transport_cls):
        producer_lane = Noting

    connection.release()
    app.plugins.register_driver("broker", "noting", Transport)
    app.conf.broker_url = app.conf.broker_url.replace("memory", "noting")
    for name in ("broker_transport", "connection_errors"):
        vars(app).pop(name, None)
    return noted


@pytest.mark.parametrize(
    "members",
    [
        lambda add: group(add.s(number, 1) for number in range(50)),
        lambda add: group([add.s(number, 1) for number in range(50)]),
        lambda add: group(*[add.s(number, 1) for number in range(50)]),
    ],
)
def test_all_messages_leave_in_one_batch(app, add, batches, claim, members):
    result = members(add).apply_async()
    assert batches == [50]
    found = claim(app)
    assert [message.headers["id"] for message in found] == [member.id for member in result.results]
    assert {message.headers["group"] for message in found} == {result.id}
    assert [message.headers["group_index"] for message in found] == list(range(50))
    assert [json.loads(message.body)[0] for message in found] == [[number, 1] for number in range(50)]


def test_the_results_come_in_the_order_of_the_members(app, add, start_worker):
    start_worker(app)
    assert group(add.s(number, number) for number in range(20))().get(timeout=20) == [2 * n for n in range(20)]
    assert group(add.s(number) for number in range(3))(10).get(timeout=20) == [10, 11, 12]


def test_if_one_member_is_wrong_none_is_sent(app, add, claim):
    for wrong, error in ((add.s(1, 2, 3), TypeError), (add.s(object()), SerializationError)):
        with pytest.raises(error):
            group(add.s(1), add.s(2), wrong).apply_async()
    assert claim(app) == []


def test_members_keep_their_options_and_share_those_of_the_group(app, add, claim, record):
    sent = record(app)
    group(add.signature((1,), queue="own"), add.s(2)).apply_async(priority=7, expires=60)
    own, shared = sent
    assert (own.routing_key, shared.routing_key) == ("own", "celery")
    assert [message.properties["priority"] for message in sent] == [7, 7]
    assert all(message.headers["expires"] for message in sent)


def test_a_member_that_is_sent_in_its_own_way_is_sent_that_way(app, add, record):
    sent = record(app)

    class Loud(Task):
        abstract = True

        def apply_async(self, *args, **kwargs):
            kwargs["headers"] = {"loud": True}
            return super().apply_async(*args, **kwargs)

    @app.task(base=Loud, name="loud")
    def loud():
        pass

    result = group(add.s(1), loud.s(), add.s(2)).apply_async()
    by_id = {message.headers["id"]: message for message in sent}
    assert len(sent) == 3
    assert by_id[result.results[1].id].headers["loud"] is True
    assert by_id[result.results[1].id].headers["group"] == result.id


def test_members_may_be_known_by_name_only(app, record):
    sent = record(app)
    group([app.signature("elsewhere", (1,)), app.signature("elsewhere", (2,))], app=app).apply_async()
    assert [(message.headers["task"], message.properties["priority"]) for message in sent] == [("elsewhere", 0)] * 2


def test_an_empty_group_is_sent_at_once_and_has_an_empty_result(app, claim):
    result = group([], app=app).apply_async()
    assert result.get(timeout=1) == []
    assert claim(app) == []


def test_a_group_runs_here_too(make_app, add):
    assert group(add.s(1, 2), add.s(3, 4)).apply().get() == [3, 7]
    app = make_app(task_always_eager=True)

    @app.task(name="eager.add")
    def eager(x):
        return x

    assert group(eager.s(1), eager.s(2))().get() == [1, 2]


def test_a_group_belongs_to_the_task_that_sends_it(app, add, start_worker):
    @app.task(name="root")
    def root():
        return group(add.s(1), add.s(2)).apply_async().id

    start_worker(app)
    result = root.delay()
    group_id = result.get(timeout=10)
    [child] = result.children
    assert (child.id, len(child.results)) == (group_id, 2)
    assert child.get(timeout=10) == [1, 2]


def test_freezing_settles_all_ids(app, add, record):
    sent = record(app)
    found = group(add.s(1), add.s(2))
    frozen = found.freeze()
    result = found.apply_async()
    assert result.id == frozen.id
    assert [member.id for member in result.results] == [member.id for member in frozen.results]
    assert [message.headers["id"] for message in sent] == [member.id for member in frozen.results]


def test_json_carries_a_group(app, add):
    back = app.signature(json.loads(json.dumps(group(add.s(1, 2), add.s(3, 4)))))
    assert isinstance(back, group)
    assert back.apply().get() == [3, 7]
    assert len(back) == 2
    assert len(back.clone().tasks) == 2
