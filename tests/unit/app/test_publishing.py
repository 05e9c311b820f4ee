"""What is sent: headers, properties and body to the letter, for every way to send and every option."""

from __future__ import annotations

import json
import os
import socket
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from celeriac.exceptions import AlwaysEagerIgnored, PluginNotFound, ProtocolError

#: The headers of protocol 2, written out so that the test does not repeat the code's own list.
NINETEEN = {
    "lang",
    "task",
    "id",
    "shadow",
    "eta",
    "expires",
    "group",
    "group_index",
    "retries",
    "timelimit",
    "root_id",
    "parent_id",
    "argsrepr",
    "kwargsrepr",
    "origin",
    "ignore_result",
    "replaced_task_nesting",
    "stamped_headers",
    "stamps",
}


@pytest.fixture
def sent(app, record):
    return record(app)


@pytest.fixture
def add(app):
    @app.task(name="tasks.add")
    def add(x, y):
        return x + y

    return add


def body_of(message):
    return json.loads(message.body)


# -- to the letter -----------------------------------------------------------------------------------------------------


@pytest.mark.covers("app.task.Task.delay", "app.task.Task.apply_async")
def test_a_plain_call_is_this_message(app, add, claim):
    result = add.delay(2, 3)
    [message] = claim(app)
    assert message.headers == {
        "lang": "py",
        "task": "tasks.add",
        "id": result.id,
        "shadow": None,
        "eta": None,
        "expires": None,
        "group": None,
        "group_index": None,
        "retries": 0,
        "timelimit": [None, None],
        "root_id": result.id,
        "parent_id": None,
        "argsrepr": "(2, 3)",
        "kwargsrepr": "{}",
        "origin": f"gen{os.getpid()}@{socket.gethostname()}",
        "ignore_result": False,
        "replaced_task_nesting": 0,
        "stamped_headers": None,
        "stamps": {},
    }
    assert message.properties == {"correlation_id": result.id, "reply_to": app.thread_oid, "delivery_mode": 2}
    assert (message.content_type, message.content_encoding) == ("application/json", "utf-8")
    embed = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    assert json.loads(message.body) == [[2, 3], {}, embed]
    assert (message.exchange, message.routing_key, message.queue) == ("", "celery", "celery")
    assert str(UUID(result.id, version=4)) == result.id


@pytest.mark.covers("app.base.Celery.send_task")
def test_a_call_by_name_leaves_the_result_to_the_worker_and_has_priority_0(app, sent):
    result = app.send_task("elsewhere.add", (2,), {"y": 3})
    [message] = sent
    assert message.headers.keys() == NINETEEN
    assert (message.headers["task"], message.headers["id"]) == ("elsewhere.add", result.id)
    assert message.headers["ignore_result"] is None
    assert (message.headers["argsrepr"], message.headers["kwargsrepr"]) == ("(2,)", "{'y': 3}")
    assert message.properties["priority"] == 0
    assert body_of(message)[:2] == [[2], {"y": 3}]


def test_an_id_may_be_given(add, sent):
    assert add.apply_async((1, 2), task_id="mine").id == "mine"
    assert sent[0].headers["id"] == sent[0].headers["root_id"] == sent[0].properties["correlation_id"] == "mine"


@pytest.mark.covers("settings.task_protocol")
@pytest.mark.parametrize("protocol", ["1", 1])
def test_protocol_1_is_one_map_without_headers(make_app, record, protocol):
    app = make_app(task_protocol=protocol)
    sent = record(app)

    @app.task(name="tasks.add")
    def add(x, y):
        pass

    result = add.apply_async((2, 3), countdown=60, group_id="g", time_limit=9)
    [message] = sent
    assert message.headers == {}
    body = body_of(message)
    eta = datetime.fromisoformat(body.pop("eta"))
    assert 50 < (eta - datetime.now(UTC)).total_seconds() <= 60
    assert body == {
        "task": "tasks.add",
        "id": result.id,
        "args": [2, 3],
        "kwargs": {},
        "group": "g",
        "group_index": None,
        "retries": 0,
        "expires": None,
        "utc": True,
        "callbacks": None,
        "errbacks": None,
        "timelimit": [9, None],
        "taskset": "g",
        "chord": None,
    }


# -- options -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "headers"),
    [
        ({"shadow": "alias"}, {"shadow": "alias"}),
        ({"time_limit": 5, "soft_time_limit": 3}, {"timelimit": [5, 3]}),
        ({"group_id": "g", "group_index": 4}, {"group": "g", "group_index": 4}),
        ({"retries": 3}, {"retries": 3}),
        ({"root_id": "r", "parent_id": "p"}, {"root_id": "r", "parent_id": "p"}),
        ({"ignore_result": True}, {"ignore_result": True}),
        ({"argsrepr": "hidden", "kwargsrepr": "also"}, {"argsrepr": "hidden", "kwargsrepr": "also"}),
        ({"replaced_task_nesting": 2}, {"replaced_task_nesting": 2}),
        ({"stamped_headers": ["a"], "stamps": {"a": 1}}, {"stamped_headers": ["a"], "stamps": {"a": 1}}),
        ({"headers": {"tenant": 7, "lang": "xx"}}, {"tenant": 7, "lang": "xx"}),
        ({"origin": "me"}, {"origin": "me"}),
    ],
)
def test_options_that_are_headers(app, add, sent, options, headers):
    add.apply_async((1, 2), **options)
    app.send_task("tasks.add", (1, 2), **options)
    for message in sent:
        assert headers.items() <= message.headers.items()
        assert message.headers.keys() == NINETEEN | headers.keys()
        assert message.properties.keys() <= {"correlation_id", "reply_to", "delivery_mode", "priority"}


def test_a_repr_of_the_callers_own_stands_also_for_no_arguments(app, sent):
    app.send_task("t", argsrepr="(secret)", kwargsrepr="{...}")
    assert (sent[0].headers["argsrepr"], sent[0].headers["kwargsrepr"]) == ("(secret)", "{...}")


@pytest.mark.covers("settings.task_repr_maxlevels")
def test_reprs_are_cut_in_depth_and_length(make_app, record):
    app = make_app(task_repr_maxlevels=1)
    sent = record(app)
    app.send_task("t", ([[1]], "x" * 5000))
    assert sent[0].headers["argsrepr"].startswith("(..., 'xxx")
    assert len(sent[0].headers["argsrepr"]) == 1024


@pytest.mark.parametrize(
    ("options", "properties"),
    [
        ({"priority": 7}, {"priority": 7}),
        ({"reply_to": "there"}, {"reply_to": "there"}),
        ({"delivery_mode": 1}, {"delivery_mode": 1}),
        ({"delivery_mode": "transient"}, {"delivery_mode": 1}),
        ({"expires": 60}, {"expiration": "60000"}),
        ({"message_id": "m", "user_id": "guest", "MessageGroupId": "g"}, {"message_id": "m", "MessageGroupId": "g"}),
    ],
)
def test_options_that_are_properties_or_that_nobody_knows(add, sent, options, properties):
    add.apply_async((1, 2), **options)
    found = dict(sent[0].properties)
    if "expiration" in properties:
        assert 59_000 <= int(found.pop("expiration")) <= 60_000
    else:
        assert properties.items() <= found.items()
    assert sent[0].headers.keys() == NINETEEN


def test_signatures_to_call_afterwards_are_lists_in_the_body(app, add, sent):
    add.apply_async((1, 2), link=add.s(3), link_error=[add.si(4, 5), add.s()])
    app.send_task("t", link=[add.s(3)], link_error=add.s(), chain=[add.s(1)], chord=add.s(2))
    embeds = [body_of(message)[2] for message in sent]
    for embed, errbacks in zip(embeds, (2, 1), strict=True):
        [callback] = embed["callbacks"]
        assert (
            callback.items()
            >= {
                "task": "tasks.add",
                "args": [3],
                "kwargs": {},
                "options": {},
                "subtask_type": None,
                "immutable": False,
            }.items()
        )
        assert len(embed["errbacks"]) == errbacks
    assert embeds[0]["errbacks"][0]["immutable"] is True
    assert (embeds[1]["chain"][0]["args"], embeds[1]["chord"]["args"]) == ([1], [2])


def test_the_serializer_may_be_chosen_and_must_be_there(app, add, sent):
    add.apply_async((1, 2), serializer="json")
    with pytest.raises(PluginNotFound, match="the serializer 'yaml'"):
        add.apply_async((1, 2), serializer="yaml")
    assert len(sent) == 1


@pytest.mark.covers("app.task.Task.serializer")
def test_what_the_task_says_holds_for_each_message_unless_the_call_says_otherwise(app, sent, claim):
    @app.task(queue="slow", priority=3, time_limit=9, soft_time_limit=8, expires=100, ignore_result=True, name="t")
    def job():
        pass

    assert job.delay().ignored
    job.apply_async(queue="fast", priority=5, time_limit=1, expires=None, ignore_result=False)
    first, second = sent
    assert (first.routing_key, first.properties["priority"], first.headers["timelimit"]) == ("slow", 3, [9, 8])
    assert first.headers["ignore_result"] is True
    assert first.headers["expires"] is not None
    assert (second.routing_key, second.properties["priority"], second.headers["timelimit"]) == ("fast", 5, [1, 8])
    assert second.headers["ignore_result"] is False
    assert second.headers["expires"] is None
    assert [len(claim(app, queue)) for queue in ("slow", "fast", "celery")] == [1, 1, 0]


@pytest.mark.covers("app.task.Task.shadow_name")
def test_a_task_may_make_up_a_name_for_logs(app, sent):
    class Named(app.Task):
        def shadow_name(self, args, kwargs, options):
            return f"job-{args[0]}"

    @app.task(base=Named, name="t")
    def job(x):
        pass

    job.delay(7)
    job.apply_async((7,), shadow="mine")
    assert [message.headers["shadow"] for message in sent] == ["job-7", "mine"]


def test_a_call_by_name_is_sent_also_where_tasks_run_eagerly_and_says_so(make_app, record):
    app = make_app(task_always_eager=True)
    sent = record(app)
    with pytest.warns(AlwaysEagerIgnored) as caught:
        app.send_task("elsewhere.add")
    assert caught[0].filename == __file__
    assert len(sent) == 1


@pytest.mark.covers("app.base.Celery.send_task")
def test_a_class_for_the_result_may_be_given(app):
    class Mine:
        def __init__(self, id, **_):
            self.id = id

    assert isinstance(app.send_task("t", result_cls=Mine, task_id="i"), Mine)


# -- moments -----------------------------------------------------------------------------------------------------------

PARIS = ZoneInfo("Europe/Paris")
NOON = datetime(2031, 6, 1, 12, 0)


def moment_of(message, header="eta"):
    text = message.headers[header]
    found = datetime.fromisoformat(text)
    assert found.tzinfo is not None
    return found


@pytest.mark.covers("settings.enable_utc", "settings.timezone")
@pytest.mark.parametrize("header", ["eta", "expires"])
@pytest.mark.parametrize(
    ("settings", "given", "text"),
    [
        ({}, NOON, "2031-06-01T12:00:00+00:00"),
        ({}, NOON.replace(tzinfo=PARIS), "2031-06-01T10:00:00+00:00"),
        ({}, "2031-06-01T12:00:00Z", "2031-06-01T12:00:00+00:00"),
        ({"timezone": "Europe/Paris"}, NOON, "2031-06-01T10:00:00+00:00"),
        ({"timezone": "Europe/Paris"}, "2031-06-01T12:00:00", "2031-06-01T10:00:00+00:00"),
        ({"timezone": "Europe/Paris"}, NOON.replace(tzinfo=UTC), "2031-06-01T12:00:00+00:00"),
        ({"timezone": "Europe/Paris", "enable_utc": False}, NOON, "2031-06-01T12:00:00+02:00"),
        ({"timezone": "Europe/Paris", "enable_utc": False}, NOON.replace(tzinfo=UTC), "2031-06-01T14:00:00+02:00"),
    ],
)
def test_moments_are_aware_and_in_utc_unless_told_otherwise(make_app, record, settings, given, text, header):
    app = make_app(**settings)
    sent = record(app)
    app.send_task("t", **{header: given})
    assert sent[0].headers[header] == text


@pytest.mark.parametrize("countdown", [90, 90.5, timedelta(seconds=90), -5])
def test_a_countdown_is_an_eta(add, sent, countdown):
    seconds = countdown.total_seconds() if isinstance(countdown, timedelta) else countdown
    before = datetime.now(UTC)
    add.apply_async((1, 2), countdown=countdown, eta=NOON)
    waited = (moment_of(sent[0]) - before).total_seconds()
    assert seconds <= waited < seconds + 5
    assert sent[0].eta == pytest.approx(moment_of(sent[0]).timestamp())


def test_a_countdown_of_0_is_none(add, sent):
    add.apply_async((1, 2), countdown=0)
    add.apply_async((1, 2), countdown=0, eta=NOON)
    assert sent[0].headers["eta"] is None
    assert sent[0].eta is None
    assert moment_of(sent[1]) == NOON.replace(tzinfo=UTC)


@pytest.mark.parametrize("expires", [60, 60.0, timedelta(minutes=1)])
def test_seconds_until_expiry_are_a_moment_and_milliseconds(add, sent, expires):
    before = datetime.now(UTC)
    add.apply_async((1, 2), expires=expires)
    assert 60 <= (moment_of(sent[0], "expires") - before).total_seconds() < 65
    assert 55_000 < int(sent[0].properties["expiration"]) <= 60_000


def test_what_has_expired_already_is_sent_with_no_time_left(add, sent):
    add.apply_async((1, 2), expires=datetime(2001, 1, 1))
    assert sent[0].properties["expiration"] == "0"
    assert moment_of(sent[0], "expires") == datetime(2001, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "options",
    [
        {"eta": 10},
        {"eta": "soon"},
        {"countdown": "10"},
        {"countdown": float("nan")},
        {"expires": "never"},
        {"expires": [1]},
    ],
)
def test_what_is_no_moment_is_refused_in_words_that_name_the_option(add, sent, options):
    with pytest.raises(ProtocolError, match=next(iter(options))):
        add.apply_async((1, 2), **options)
    assert sent == []


# -- priority ----------------------------------------------------------------------------------------------------------


@pytest.mark.covers("app.task.Task.priority")
@pytest.mark.covers("settings.task_default_priority")
def test_the_priority_is_that_of_the_call_else_the_tasks_else_the_settings_else_none(make_app, record):
    app = make_app(task_default_priority=2)
    sent = record(app)

    @app.task(name="own", priority=4)
    def own():
        pass

    @app.task(name="plain")
    def plain():
        pass

    own.apply_async(priority=6)
    own.delay()
    plain.delay()
    assert [message.properties.get("priority") for message in sent] == [6, 4, 2]


def test_the_priority_of_a_route_counts_also_for_a_call_by_name(make_app, record):
    app = make_app(task_routes={"t": {"priority": 5}})
    sent = record(app)
    app.send_task("t")
    app.send_task("t", priority=1)
    app.send_task("u")
    assert [message.properties["priority"] for message in sent] == [5, 1, 0]


# -- from inside a task ------------------------------------------------------------------------------------------------


@pytest.mark.covers("settings.task_inherit_parent_priority")
def test_calls_from_inside_a_task_belong_to_it(make_app, record, start_worker):
    app = make_app(task_inherit_parent_priority=True)
    sent = record(app)

    @app.task(name="leaf")
    def leaf():
        pass

    @app.task(name="middle")
    def middle():
        return leaf.delay().id

    @app.task(name="root", bind=True)
    def root(self):
        app.send_task("leaf", priority=1)
        leaf.apply_async(add_to_parent=False)
        return middle.delay().id

    start_worker(app)
    result = root.apply_async(priority=7)
    middle_id = result.get(timeout=10)
    leaf_id = app.AsyncResult(middle_id).get(timeout=10)
    by_id = {message.headers["id"]: message for message in sent}
    assert all(message.headers["root_id"] == result.id for message in sent)
    assert by_id[result.id].headers["parent_id"] is None
    assert by_id[middle_id].headers["parent_id"] == result.id
    assert by_id[leaf_id].headers["parent_id"] == middle_id
    assert by_id[leaf_id].properties["priority"] == 7
    by_name, alone = sent[1], sent[2]
    assert by_name.properties["priority"] == 1
    children = [child.id for child in result.children]
    assert children == [by_name.headers["id"], middle_id]
    assert alone.headers["id"] not in children


def test_a_task_without_a_trail_notes_no_children(make_app, start_worker):
    app = make_app()

    @app.task(name="leaf")
    def leaf():
        pass

    @app.task(name="root", trail=False)
    def root():
        leaf.delay()

    start_worker(app)
    result = root.delay()
    result.get(timeout=10)
    assert result.children == []


def test_the_headers_of_a_compressed_message_make_no_other_one_compressed(app, add, sent):
    # As a retry has them
    add.apply_async((1, 2), compression="gzip")
    add.apply_async((1, 2), headers=sent[0].headers)
    assert "compression" in sent[0].headers
    assert "compression" not in sent[1].headers
    assert body_of(sent[1])[0] == [1, 2]
