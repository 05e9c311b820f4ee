"""Signals: who hears what, for how long, and what an error of theirs changes (nothing)."""

from __future__ import annotations

import gc
import json
import threading
import weakref
from pathlib import Path

import pytest

from celeriac import signals
from celeriac.signals import Signal

SURFACE = json.loads((Path(__file__).parents[1] / "data" / "celery-surface.json").read_text())


@pytest.fixture
def signal():
    return Signal("of_test", frozenset({"value"}))


@pytest.fixture
def told():
    return []


def test_receivers_are_called_with_signal_sender_and_what_was_sent(signal, told):
    def receiver(**named):
        told.append(named)
        return "answer"

    assert signal.connect(receiver) is receiver
    assert signal.send("sender", value=1) == [(receiver, "answer")]
    assert told == [{"signal": signal, "sender": "sender", "value": 1}]
    assert signal.receivers == [receiver]


def test_without_receivers_nothing_is_paid(signal):
    assert not signal
    assert signal.send("sender", value=object()) == []
    assert not signal.has_listeners("sender")
    receiver = signal.connect(lambda **_: None, weak=False)
    assert signal
    signal.disconnect(receiver)
    assert not signal


def test_a_receiver_that_nobody_keeps_is_forgotten_unless_it_is_strong(signal, told):
    signal.connect(lambda **_: told.append("weak"))
    signal.connect(lambda **_: told.append("strong"), weak=False)
    gc.collect()
    signal.send(None)
    assert told == ["strong"]
    assert len(signal.receivers) == 1


def test_a_method_is_kept_as_long_as_its_object(signal, told):
    class Listener:
        def hear(self, **_):
            told.append(self)

    listener = Listener()
    signal.connect(listener.hear)
    signal.send(None)
    assert told == [listener]
    told.clear()
    gone = weakref.ref(listener)
    del listener
    gc.collect()
    assert gone() is None
    assert not signal


def test_a_builtin_may_be_a_receiver(signal):
    kept = dict
    signal.connect(kept)
    assert signal.send(None, value=1)[0][1]["value"] == 1


@pytest.mark.parametrize("how", ["decorator", "decorator with arguments", "call"])
def test_connecting_can_be_written_in_each_of_celerys_ways(signal, told, how):
    if how == "decorator":

        @signal.connect
        def receiver(**_):
            told.append(1)

    elif how == "call":

        def receiver(**_):
            told.append(1)

        signal.connect(receiver, sender="s", weak=False, retry=True)
    else:

        @signal.connect(sender="s", weak=False)
        def receiver(**_):
            told.append(1)

    signal.send("s")
    signal.send("other")
    assert told == [1] * (2 if how == "decorator" else 1)
    assert receiver is not None


def test_senders_are_compared_by_identity_and_names_by_value(signal, told):
    class Equal:
        def __eq__(self, other):
            return True

        __hash__ = None

    one, other = Equal(), Equal()
    signal.connect(lambda sender, **_: told.append(sender), sender=one, weak=False)
    signal.connect(lambda sender, **_: told.append(sender), sender="na" + "me", weak=False)
    for sender in (other, "other", None, one, "".join(["na", "me"])):
        signal.send(sender)
    assert told == [one, "name"]
    assert told[0] is one
    assert signal.has_listeners(one)
    assert signal.has_listeners("name")
    assert not signal.has_listeners(other)


def test_a_second_connection_of_the_same_receiver_changes_nothing(signal, told):
    def receiver(**_):
        told.append(1)

    for _ in range(3):
        signal.connect(receiver)
    signal.send(None)
    assert told == [1]
    signal.connect(receiver, sender="s")
    signal.send("s")
    assert told == [1, 1, 1]


def test_a_uid_stands_for_the_receiver(signal, told):
    def first(**_):
        told.append("first")

    def second(**_):
        told.append("second")

    signal.connect(first, dispatch_uid="u")
    signal.connect(second, dispatch_uid="u")
    signal.send(None)
    assert told == ["first"]
    assert signal.disconnect(dispatch_uid="u")
    assert not signal.disconnect(dispatch_uid="u")
    signal.send(None)
    assert told == ["first"]


def test_a_uid_may_be_taken_over_after_its_receiver_has_gone(signal, told):
    signal.connect(lambda **_: told.append("gone"), dispatch_uid="u")
    gc.collect()

    def receiver(**_):
        told.append("new")

    signal.connect(receiver, dispatch_uid="u")
    signal.send(None)
    assert told == ["new"]


def test_disconnecting_asks_for_receiver_and_sender(signal):
    def receiver(**_):
        pass

    signal.connect(receiver, sender="s")
    assert not signal.disconnect(receiver)
    assert not signal.disconnect(receiver, sender="other")
    assert signal.disconnect(receiver, sender="s")


def test_an_error_of_a_receiver_is_logged_returned_and_keeps_nobody_from_hearing(signal, told, caplog):
    error = LookupError("receiver")

    def broken(**_):
        raise error

    def good(**_):
        told.append(1)

    signal.connect(broken)
    signal.connect(good)
    assert signal.send(None) == [(broken, error), (good, None)]
    assert told == [1]
    assert "of signal of_test raised" in caplog.text
    assert "LookupError: receiver" in caplog.text


def test_what_ends_the_process_passes(signal):
    def leave(**_):
        raise SystemExit(3)

    signal.connect(leave)
    with pytest.raises(SystemExit):
        signal.send(None)


def test_a_receiver_may_connect_and_disconnect_while_it_is_called(signal, told):
    def later(**_):
        told.append("later")

    def once(**_):
        told.append("once")
        signal.disconnect(once)
        signal.connect(later)

    signal.connect(once)
    signal.send(None)
    signal.send(None)
    assert told == ["once", "later"]


def test_a_receiver_that_goes_in_the_middle_of_a_connect_does_not_stop_it(signal):
    class Late:
        """Is connected, and drops another receiver when it is looked at."""

        def __init__(self):
            self.other = lambda **_: None
            signal.connect(self.other)

        def __eq__(self, other):
            self.other = None  # collected here: its connection is undone while ours is made
            return NotImplemented

        __hash__ = object.__hash__

    done = threading.Event()

    def connect():
        signal.connect(lambda **_: None, dispatch_uid=Late(), weak=False)
        signal.connect(lambda **_: None, dispatch_uid=Late(), weak=False)
        done.set()

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    assert done.wait(10), "connect waits for itself"


def test_many_threads_may_connect_send_and_disconnect(signal, told):
    def run(number):
        def receiver(**_):
            pass

        for _ in range(200):
            signal.connect(receiver)
            signal.send(number)
            assert signal.disconnect(receiver)

    failures = []
    previous, threading.excepthook = threading.excepthook, lambda args: failures.append(args.exc_value)
    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    finally:
        threading.excepthook = previous
    assert failures == []
    assert not signal


@pytest.mark.parametrize(("name", "arguments"), sorted(SURFACE["signals"].items()))
def test_every_signal_of_celery_is_here_with_its_arguments(name, arguments):
    found = getattr(signals, name)
    assert isinstance(found, Signal)
    assert found.name == name
    assert set(arguments) <= found.providing_args
    assert name in repr(found)
