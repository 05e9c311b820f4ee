"""The live view: what it shows, and what its keys do."""

from __future__ import annotations

import io
import re
import signal

import pytest

from celeriac.events.keys import Keyboard, keys_in
from celeriac.events.screen import PlainScreen, Screen
from celeriac.events.state import State
from celeriac.events.view import View, render

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def state(make_event):
    state = State()
    state.event(make_event("worker-online", hostname="w@host"))
    for number in range(30):
        state.event(make_event("task-received", uuid=f"id-{number}", name="add", hostname="w@host", args="(1, 2)"))
    state.event(make_event("task-failed", uuid="id-29", hostname="w@host", exception="ValueError('no')",
                           traceback="Traceback (most recent call last):\n  File x\nValueError: no"))  # fmt: skip
    state.event(make_event("task-received", uuid="other", name="mail", hostname="w@host"))
    return state


class Recorded(PlainScreen):
    """One that draws into a text."""

    def picture(self):
        text = self.out.getvalue().rpartition("\x1b[H")[2]
        return [line.rstrip() for line in ESCAPES.sub("", text.replace("\x1b[7m", ">")).splitlines()]

    def chosen(self):
        return [line.split()[2] for line in self.picture() if line.startswith(">")]


@pytest.fixture
def screen(app, state, monkeypatch):
    monkeypatch.setattr("shutil.get_terminal_size", lambda: (100, 20))
    screen = Recorded(state, app=app)
    screen.out = io.StringIO()
    screen.view.has_keys = True
    return screen


@pytest.mark.parametrize(("width", "height"), [(80, 24), (20, 10), (1, 1), (200, 3), (40, 60)])
@pytest.mark.parametrize("page", [None, "info", "traceback", "result", "keys"])
@pytest.mark.parametrize("has_colour", [False, True])
def test_a_picture_is_no_larger_than_the_terminal(state, width, height, page, has_colour):
    view = View(chosen="id-29", page=page, has_keys=True, has_colour=has_colour)
    lines = render(state, view, width, height).splitlines()
    assert len(lines) <= max(height - 1, 1)
    assert max(len(ESCAPES.sub("", line)) for line in lines) <= width


def test_the_keys_stand_in_the_last_line(screen):
    screen.redraw()
    assert screen.picture()[-1].startswith("q quit  ? keys  j k choose  i info  t traceback  r result  c revoke")
    screen.press("?")
    assert "l     rate limit" in screen.picture()


def test_a_task_is_chosen_and_shown(screen):
    screen.press("down")
    assert screen.chosen() == ["mail"]
    screen.press("j")
    screen.press("enter")
    page = screen.picture()
    assert page[0] == "add  id-29  FAILURE"
    assert page[-1].startswith("q quit  esc back  ? keys  j k scroll")
    assert {"worker       w@host", "args         (1, 2)", "ValueError: no"} <= set(page)
    screen.press("t")
    assert screen.picture()[2:5] == ["Traceback (most recent call last):", "  File x", "ValueError: no"]
    screen.press("r")
    assert screen.picture()[2] == "ValueError('no')"
    # The first escape leaves the page, the second the choice
    screen.press("escape")
    assert screen.chosen() == ["add"]
    screen.press("escape")
    assert screen.chosen() == []


def test_what_is_chosen_stays_in_sight(screen, make_event):
    for _ in range(25):
        screen.press("down")
    chosen = screen.view.chosen
    assert len(screen.chosen()) == 1
    for number in range(40):
        screen.state.event(make_event("task-received", uuid=f"new-{number}", name="add", hostname="w@host"))
    screen.redraw()
    assert (screen.view.chosen, len(screen.chosen())) == (chosen, 1)
    screen.press("home")
    assert screen.view.chosen == "new-39"


def test_tasks_are_found_by_what_is_typed(screen):
    for key in "fMAX\x08il":
        screen.press(next(keys_in(key)))
    assert screen.picture()[-1] == "Find (nothing shows all): MAil"
    screen.press("enter")
    assert [line.split()[2] for line in screen.picture() if "RECEIVED" in line] == ["mail"]
    screen.press("escape")
    assert len([line for line in screen.picture() if "RECEIVED" in line]) > 5


def test_where_nothing_is_heard_it_is_said_what_to_do(screen, make_event):
    screen.state = State()
    screen.redraw()
    assert "no worker has been heard of yet" in screen.picture()
    screen.state.event(make_event("worker-heartbeat", hostname="w@host"))
    screen.redraw()
    assert any("control enable_events" in line for line in screen.picture())


def test_a_task_is_revoked_when_that_is_confirmed(screen, monkeypatch):
    told = []
    monkeypatch.setattr(screen.app.control, "revoke", told.append)
    screen.press("c")
    assert screen.picture()[-1] == "Revoke mail[other]? y/n"
    screen.press("n")
    assert told == []
    screen.press("c")
    screen.press("y")
    assert told == ["other"]
    assert screen.picture()[-1] == "the workers are told to revoke mail[other]"


def test_the_rate_of_a_task_is_limited_and_a_broker_that_is_away_is_told_of(screen, monkeypatch):
    def limit(name, rate, **_):
        if rate == "x":
            raise ConnectionError("the broker is away")
        return [{"w@host": {"ok": f"{name} {rate}"}}]

    monkeypatch.setattr(screen.app.control, "rate_limit", limit)
    for key in "l9/m\n":
        screen.press(next(keys_in(key)))
    assert screen.picture()[-1] == "mail: mail 9/m"
    for key in "lx\n":
        screen.press(next(keys_in(key)))
    assert screen.picture()[-1] == "that has failed: the broker is away"


def test_q_ends_it(screen, monkeypatch):
    sent = []
    monkeypatch.setattr(signal, "pthread_kill", lambda thread, number: sent.append(number))
    screen.press("q")
    assert sent == [signal.SIGINT]


def test_what_events_say_is_no_command_for_the_terminal(screen, make_event):
    screen.state.event(make_event("task-received", uuid="x", name="a\x1b[2Jb", hostname="w@host", args="\x1b]0;t\x07"))
    for key in ("down", "i"):
        screen.press(key)
        assert "\x1b[2J" not in screen.out.getvalue()
        assert "\x1b]0;" not in screen.out.getvalue()
    assert "args         \\x1b]0;t\\x07" in screen.picture()


def test_colours_are_for_those_who_want_them(state):
    assert "\x1b[31mFAILURE" in render(state, View(has_colour=Screen.has_colour), 100, 60)
    assert "\x1b" not in render(state, View(has_colour=PlainScreen.has_colour), 100, 60)


def test_without_a_terminal_there_are_no_keys(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    keyboard = Keyboard(print)
    assert not keyboard.start()
    keyboard.stop()


def test_keys_have_names():
    assert list(keys_in("j\x1b[A\x1b[6~\x1bOB\x1bé\r")) == ["j", "up", "page down", "down", "escape", "é", "enter"]
