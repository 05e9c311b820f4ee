"""What a connection does with answers that come in pieces, not at all, or as something else."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import hiredis
import pytest
from kombu.exceptions import OperationalError

from celeriac_redis.address import Address
from celeriac_redis.busy_poll import BusyPoll
from celeriac_redis.link import Link
from celeriac_redis.options import LinkOptions
from celeriac_redis.servers import ListedServers


class Script:
    """A server that answers the command ECHO by `answer`, a function of its argument and the connection."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.connections: list[socket.socket] = []
        self.answer: Callable[[bytes, socket.socket], None] = lambda text, way: None
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return self._listener.getsockname()[1]

    def close(self) -> None:
        for each in (self._listener, *self.connections):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                way, _ = self._listener.accept()
                self.connections.append(way)
                threading.Thread(target=self._serve, args=(way,), daemon=True).start()

    def _serve(self, way: socket.socket) -> None:
        reader = hiredis.Reader()
        with contextlib.suppress(OSError):
            while data := way.recv(65536):
                reader.feed(data)
                while command := reader.gets():
                    if command[0] == b"ECHO":
                        self.answer(command[1], way)
                    else:
                        way.sendall(b"+OK\r\n")


def plainly(text: bytes, way: socket.socket) -> None:
    way.sendall(b"$%d\r\n%b\r\n" % (len(text), text))


@pytest.fixture
def script() -> Iterator[Script]:
    script = Script()
    yield script
    script.close()


@pytest.fixture
def link(script) -> Iterator[Link]:
    options = LinkOptions(socket_timeout=5.0)
    link = Link(ListedServers([Address(port=script.port)], ""), options, OperationalError)
    yield link
    link.close()


def test_an_answer_that_comes_byte_by_byte_is_read_as_a_whole(script, link):
    def in_bytes(text, way):
        for byte in b"$%d\r\n%b\r\n" % (len(text), text):
            way.sendall(bytes([byte]))

    script.answer = in_bytes
    assert link.ask(("ECHO", "first"), ("ECHO", "second")) == [b"first", b"second"]


@pytest.mark.parametrize("said", [b"", b"$500\r\nhal", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"$12x\r\n"])
def test_an_answer_that_ends_early_or_is_none_is_an_error_and_the_next_use_connects_anew(script, link, said):
    def badly(text, way):
        way.sendall(said)
        way.shutdown(socket.SHUT_RDWR)

    script.answer = badly
    with pytest.raises(OperationalError, match=rf"^Redis at 127\.0\.0\.1:{script.port}, database 0: "):
        link.ask(("ECHO", "a"))
    script.answer = plainly
    assert link.ask(("ECHO", "b")) == [b"b"]
    assert len(script.connections) == 2


def test_what_the_server_says_unasked_is_not_taken_for_an_answer(script, link):
    def twice(text, way):
        way.sendall(b"$5\r\nfirst\r\n$5\r\nsecon")

    script.answer = twice
    assert link.ask(("ECHO", "a")) == [b"first"]
    script.answer = plainly
    assert link.ask(("ECHO", "b")) == [b"b"]
    assert len(script.connections) == 2


def test_a_server_that_loads_its_data_is_one_that_is_away(script, link):
    script.answer = lambda text, way: way.sendall(b"-LOADING Redis is loading the dataset in memory\r\n")
    with pytest.raises(OperationalError, match="loading the dataset"):
        link.ask(("ECHO", "a"))
    assert not link.connected


def test_a_command_of_many_megabytes_is_sent_whole(script, link):
    script.answer = plainly
    text = bytes(range(256)) * 40_000
    assert link.ask(("ECHO", text)) == [text]


def test_whether_something_waits_is_known_without_taking_it(script, link):
    script.answer = plainly
    link.connect()
    assert not link.waiting(0.01)
    link.send(("ECHO", "a"))
    assert link.waiting(5.0)
    assert link.waiting()
    assert link.read() == b"a"
    assert not link.waiting()
    script.connections[0].shutdown(socket.SHUT_RDWR)
    with pytest.raises(OperationalError, match="closed"):
        link.waiting(5.0)


@pytest.fixture
def impatient(script) -> Iterator[Link]:
    link = Link(ListedServers([Address(port=script.port)], ""), LinkOptions(socket_timeout=0.5), OperationalError)
    yield link
    link.close()


def test_an_answer_that_does_not_come_in_time_is_an_error_and_is_not_taken_for_the_next(script, impatient):
    with pytest.raises(OperationalError, match="timed out"):
        impatient.ask(("ECHO", "a"))
    script.answer = plainly
    assert impatient.ask(("ECHO", "b")) == [b"b"]
    assert len(script.connections) == 2


def test_a_server_that_does_not_read_is_given_up(impatient, script):
    may_go_on = threading.Event()
    script.answer = lambda text, way: may_go_on.wait(20)
    impatient.send(("ECHO", "a"))
    with pytest.raises(OperationalError, match="timed out"):
        impatient.send(("ECHO", bytes(64_000_000)))
    may_go_on.set()
    assert not impatient.connected


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = socket.socketpair()
    with here, there:
        yield here, there


def test_an_answer_is_found_before_the_thread_sleeps_and_so_is_the_end(ends):
    here, there = ends
    busy = BusyPoll(here, seconds=5.0)
    threading.Timer(0.05, there.sendall, [b"+OK\r\n"]).start()
    assert busy.look(100) == b"+OK\r\n"
    there.close()
    assert busy.look(100) == b""


def test_a_server_that_is_far_is_seldom_looked_for(ends):
    here, there = ends
    busy = BusyPoll(here, seconds=0.0)
    while busy.tries:
        assert busy.look(100) is None
    there.sendall(b"here")
    omitted = 0
    while busy.look(100) is None:
        omitted += 1
    assert omitted > 200
    assert busy.tries
