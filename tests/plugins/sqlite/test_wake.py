"""Sleepers are woken by datagrams, wherever the file is."""

from __future__ import annotations

import gc
import os

import pytest

from celeriac_sqlite.wake import Bell, Listener, wake_directory


@pytest.fixture
def listen(path):
    opened = []

    def open_listener(kind="w", where=None):
        opened.append(Listener(where or path, kind))
        return opened[-1]

    yield open_listener
    for listener in opened:
        listener.close()
        listener.close()


def is_woken(listener):
    import select

    return bool(select.select([listener.fileno()], [], [], 0)[0])


@pytest.fixture
def bell(path):
    bell = Bell(path, "w")
    yield bell
    bell.close()
    bell.close()


def test_everyone_of_the_kind_is_woken(bell, listen):
    workers, reader = [listen(), listen()], listen("r")
    bell.ring()
    assert [is_woken(worker) for worker in workers] == [True, True]
    assert not is_woken(reader)


def test_who_comes_later_is_woken_too(bell, listen):
    for _ in range(20):  # quicker than the file system's clock ticks
        listener = listen()
        bell.ring()
        assert is_woken(listener)


def test_ringing_for_nobody_is_no_error(bell, listen):
    bell.ring()
    listen().close()
    bell.ring()


def test_clearing_takes_all_that_has_arrived(bell, listen):
    listener = listen()
    for _ in range(100):  # more than the socket keeps
        bell.ring()
    listener.clear()
    assert not is_woken(listener)
    bell.ring()
    assert is_woken(listener)


def test_the_socket_of_a_dead_process_is_removed(bell, listen, path):
    listener = listen()
    listener._socket.close()  # as if its process had been killed
    bell.ring()
    assert list(wake_directory(path).iterdir()) == []


def test_a_path_too_long_for_sockets_is_replaced_by_a_short_one(tmp_path, listen):
    deep = tmp_path / ("d" * 100) / "queue.db"
    deep.parent.mkdir()
    directory = wake_directory(deep)
    assert len(os.fsencode(directory)) < 60
    assert wake_directory(deep.parent / ".." / deep.parent.name / "queue.db") == directory
    listener, bell = listen(where=deep), Bell(deep, "w")
    bell.ring()
    assert is_woken(listener)
    bell.close()
    listener.close()
    directory.rmdir()


def test_sockets_that_nobody_closes_are_closed_with_their_owner(tmp_path, recwarn):
    # Given a listener and a bell that their owner forgets, in a circle that only the collector breaks
    path = tmp_path / "queue.db"
    listener, bell = Listener(path, "w"), Bell(path, "w")
    listener.circle, bell.circle = listener, bell
    address = next(wake_directory(path).iterdir())

    # When they are collected
    del listener, bell
    gc.collect()

    # Then nothing is left of them, and Python has nothing to complain of
    assert not address.exists()
    assert not [warning for warning in recwarn if warning.category is ResourceWarning]
