"""Layers around each message on its way out."""

from __future__ import annotations

import pytest

from celeriac.canvas.group import group
from celeriac.contracts import Middleware
from celeriac.plugin import hookimpl


def plugin(*layers):
    class Layers:
        @hookimpl
        def celeriac_publish_middleware(self, app):
            return [Middleware(priority, call) for priority, call in layers]

    return Layers()


def test_lower_priorities_see_the_message_first_and_the_answer_last(app):
    seen = []

    def layer(name):
        def call(message, call_next):
            seen.append(f"{name} in")
            answer = call_next(message)
            seen.append(f"{name} out")
            return answer

        return call

    app.plugins.register(plugin((20, layer("inner")), (10, layer("outer"))))
    app.plugins.register(plugin((15, layer("middle"))))
    app.send_task("t")
    assert seen == ["outer in", "middle in", "inner in", "inner out", "middle out", "outer out"]


def test_a_layer_may_change_the_message(app, claim):
    def stamp(message, call_next):
        message.headers["tenant"] = "acme"
        return call_next(message)

    app.plugins.register(plugin((1, stamp)))
    app.send_task("t")
    assert claim(app)[0].headers["tenant"] == "acme"


@pytest.mark.parametrize(
    "drop", [lambda message, call_next: None, lambda message, call_next: call_next(message) and None]
)
def test_a_layer_that_returns_none_drops_the_message(app, claim, drop):
    def only(message, call_next):
        return drop(message, call_next) if message.headers["task"] == "dropped" else call_next(message)

    app.plugins.register(plugin((1, only)))
    app.send_task("dropped")
    app.send_task("t")
    group([app.signature("t"), app.signature("dropped"), app.signature("t")], app=app).apply_async()
    assert [message.headers["task"] for message in claim(app)] == ["t"] * 3


def test_an_error_of_a_layer_is_the_callers_and_nothing_is_sent(app, claim):
    def refuse(message, call_next):
        raise PermissionError("not today")

    app.plugins.register(plugin((1, refuse)))
    with pytest.raises(PermissionError, match="not today"):
        app.send_task("t")
    assert claim(app) == []
