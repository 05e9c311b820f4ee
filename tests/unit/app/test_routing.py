"""``task_routes``: maps, globs, patterns, functions, classes, lists; and who wins."""

from __future__ import annotations

import re
import sys
from types import SimpleNamespace

import pytest
from kombu.common import Broadcast

from celeriac import group
from celeriac.app.routing import Router
from celeriac.exceptions import ImproperlyConfigured, QueueNotFound


def by_function(name, args, kwargs, options, task=None, **kw):
    return {"queue": "long"} if len(args) > 3 else None


class ByClass:
    def route_for_task(self, task, args=None, kwargs=None):
        return f"{task}-of-class" if kwargs else None


@pytest.fixture
def routers(monkeypatch):
    monkeypatch.setitem(
        sys.modules, "routers_of_this_test", SimpleNamespace(route=by_function, Router=ByClass, made=ByClass())
    )
    return "routers_of_this_test"


@pytest.mark.parametrize(
    ("routes", "name", "queue"),
    [
        ({"feed.tasks.read": {"queue": "feeds"}}, "feed.tasks.read", "feeds"),
        ({"feed.tasks.read": "feeds"}, "feed.tasks.read", "feeds"),
        ({"feed.tasks.*": "feeds"}, "feed.tasks.write", "feeds"),
        ({"feed.tasks.*": "feeds"}, "xfeed.tasks.write", None),
        ({"feed.task?.x": "feeds"}, "feed.tasks.x", "feeds"),
        ({"feed.[ab].x": "feeds"}, "feed.b.x", "feeds"),
        ({re.compile(r"(video|image)\..*"): "media"}, "image.scale", "media"),
        ({"*": "rest", "feed.read": "feeds"}, "feed.read", "feeds"),
        ({"feed.*": "first", "*": "second"}, "feed.read", "first"),
        ({"a": "b"}, "c", None),
        ([("feed.*", "feeds"), ("web.*", "web")], "web.get", "web"),
        (([("feed.*", "feeds"), (re.compile("web"), "web")],), "web.get", "web"),
        ([{"a": "one"}, {"a": "two", "b": "two"}], "b", "two"),
        ([{"a": "one"}, {"a": "two"}], "a", "one"),
        ([], "a", None),
        (None, "a", None),
        (ByClass(), "a", None),
    ],
)
def test_the_queue_of_a_task(routes, name, queue):
    assert Router(routes).choose({}, name).get("queue") == queue


@pytest.mark.parametrize(
    "routes",
    [
        by_function,
        [by_function],
        [ByClass(), by_function],
        "routers_of_this_test.route",
        "routers_of_this_test:route",
        [{"other": "q"}, "routers_of_this_test.route"],
    ],
)
def test_a_function_is_asked_with_the_arguments(routers, routes):
    router = Router(routes)
    assert router.choose({}, "t", (1, 2, 3, 4)) == {"queue": "long"}
    assert router.choose({}, "t", (1,)) == {}


@pytest.mark.parametrize(
    "routes", [ByClass, ByClass(), "routers_of_this_test.Router", "routers_of_this_test.made", [ByClass]]
)
def test_a_class_or_an_object_with_route_for_task_is_asked(routers, routes):
    assert Router(routes).choose({}, "t", (), {"a": 1}) == {"queue": "t-of-class"}


def test_what_the_call_says_is_on_top_of_the_route_but_none_says_nothing():
    router = Router({"t": {"queue": "q", "priority": 5}})
    assert router.choose({"queue": "mine"}, "t") == {"queue": "mine", "priority": 5}
    assert router.choose({"queue": None, "shadow": None}, "t") == {"queue": "q", "priority": 5, "shadow": None}


@pytest.mark.parametrize(
    ("routes", "message"),
    [
        ("no_such_module.route", "the setting task_routes names 'no_such_module.route': No module named"),
        ("nonsense", "the setting task_routes names 'nonsense'"),
        ([5], "the setting task_routes has 5"),
        ([["a", "b", "c"]], "'a' is no pair of a task's name and a route"),
    ],
)
def test_what_is_no_route_is_refused_in_words_that_name_the_setting(routes, message):
    with pytest.raises(ImproperlyConfigured) as caught:
        Router(routes)
    assert message in str(caught.value)


@pytest.mark.covers("settings.task_routes")
def test_messages_go_where_their_route_says(make_app, claim):
    app = make_app(task_routes=[{"video.*": {"queue": "media", "priority": 3}}, by_function])

    @app.task(name="video.scale")
    def scale(*args):
        pass

    @app.task(name="video.own", queue="own")
    def own():
        pass

    scale.delay()
    scale.apply_async(queue="elsewhere")
    own.delay()
    app.send_task("other", (1, 2, 3, 4))
    assert [(d.headers["task"], d.properties["priority"]) for d in claim(app, "media")] == [("video.scale", 3)]
    assert [d.headers["task"] for d in claim(app, "elsewhere")] == ["video.scale"]
    assert [d.headers["task"] for d in claim(app, "own")] == ["video.own"]
    assert [d.headers["task"] for d in claim(app, "long")] == ["other"]


def test_a_router_sees_the_task_and_the_options(make_app, record):
    seen = []

    def router(name, args, kwargs, options, task=None, **kw):
        seen.append((name, args, kwargs, options.get("priority"), task))

    app = make_app(task_routes=router)

    @app.task(name="t")
    def job(x, y):
        pass

    job.apply_async((1,), {"y": 2}, priority=4)
    assert seen == [("t", (1,), {"y": 2}, 4, job)]


def test_a_call_may_be_routed_by_another_name_and_by_another_router(make_app, claim):
    app = make_app(task_routes={"t": "of-t", "u": "of-u"})
    app.send_task("t", route_name="u")
    app.send_task("t", router=Router({"t": "private"}))
    assert [d.headers["task"] for d in claim(app, "of-u")] == ["t"]
    assert [d.headers["task"] for d in claim(app, "private")] == ["t"]
    assert claim(app, "of-t") == []


@pytest.mark.covers("settings.task_queues", "settings.task_routes")
def test_a_task_that_is_routed_to_a_broadcast_is_run_by_each_worker(make_app, start_worker, wait_until):
    # Given two workers, each with its own queue on the exchange of that name
    ran = []

    def member(name):
        app = make_app(task_queues=[Broadcast("all", unique=True)], task_routes={"tell": {"queue": "all"}})
        app.task(name="tell", shared=False)(lambda word: ran.append((name, word)))
        return app

    apps = [member("first"), member("second")]
    for app in apps:
        start_worker(app)

    # When somebody sends it once, then each runs it
    sender = member("nobody")
    sender.tasks["tell"].delay("hello")
    wait_until(lambda: len(ran) >= 2, timeout=10, message="both have run it")
    assert sorted(ran) == [("first", "hello"), ("second", "hello")]


def test_who_asks_for_the_route_of_a_task_gets_the_queue(make_app):
    app = make_app(task_routes={"video.*": {"queue": "media", "priority": 3}}, task_default_queue="rest")
    route = app.amqp.router.route
    assert route({}, "video.scale") == {"queue": app.amqp.queues["media"], "priority": 3}
    assert route({"queue": "mine"}, "video.scale")["queue"].name == "mine"
    assert route({}, "other")["queue"] is app.amqp.queues["rest"]
    assert app.amqp.router.lookup_route("video.scale") == {"queue": "media", "priority": 3}


def test_a_queue_that_must_not_be_made_is_not_found(make_app):
    app = make_app(task_routes={"t": "nowhere"}, task_create_missing_queues=False)
    with pytest.raises(QueueNotFound, match="'nowhere' is not in the setting"):
        app.amqp.router.route({}, "t")
    with pytest.raises(QueueNotFound, match="'nowhere' is not among"):
        Router({"t": "nowhere"}, queues={}, create_missing=False).route({}, "t")


def test_a_router_of_the_users_own_is_asked_for_every_message(make_app, claim):
    class Shards(Router):
        def route(self, options, name, args=(), kwargs=None, task_type=None):
            found = super().route(options, name, args, kwargs, task_type)
            return {**found, "queue": self.queues[f"{found['queue'].name}-{args[0]}"]}

    app = make_app(task_default_queue="shard")
    job = app.task(name="t")(lambda number: number)
    app.amqp.router = Shards(app=app)
    job.delay(1)
    group([job.s(2)]).delay()
    app.send_task("t", (3,))
    app.send_task("t", (4,), router=Shards({"t": "mine"}, app=app))
    assert [len(claim(app, name)) for name in ("shard-1", "shard-2", "shard-3", "mine-4")] == [1] * 4
