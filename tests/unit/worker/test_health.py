"""Health checks: over real connections, from the worker's own loop."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import threading
import uuid
from urllib.parse import urlsplit

import pytest

from celeriac.app.base import Celery
from celeriac.contracts import HealthCheck
from celeriac.exceptions import ImproperlyConfigured
from celeriac.plugin import hookimpl
from celeriac.testing import start_worker
from celeriac.worker.health.address import bound_socket, shown


@pytest.fixture
def app():
    url = f"memory://user:secret@{uuid.uuid4()}"
    with Celery("proj", broker=url, backend=url, set_as_current=False) as app:
        yield app


@pytest.fixture
def serve(app):
    """Return ``serve()``: a worker of the app that serves health checks, and a function that asks it."""
    workers = []

    def start(address="127.0.0.1:0"):
        running = start_worker(app, pool="threads", health=address)
        worker = running.__enter__()
        workers.append(running)
        url = worker.blueprint["celeriac.worker.health.step.Health"].obj.url
        return worker, lambda path, method="GET": asked(url, path, method)

    yield start
    for running in workers:
        running.__exit__(None, None, None)


def asked(url, path, method="GET"):
    if url.startswith("unix:"):
        connection = http.client.HTTPConnection("localhost", timeout=10)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(url.removeprefix("unix:"))
    else:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    connection.request(method, path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, json.loads(body) if body else None


def test_a_worker_lives_is_ready_and_tells_what_it_is_at(serve):
    worker, ask = serve()
    assert ask("/livez") == (200, {"alive": True})
    assert ask("/readyz?verbose=1") == (200, {"ready": True, "faults": []})
    code, status = ask("/status")
    assert code == 200
    assert status["hostname"] == worker.hostname
    assert status["pid"] == os.getpid()
    assert (status["ready"], status["claiming"], status["running"], status["held"]) == (True, True, 0, 0)
    assert status["pool"]["name"] == "threads"
    assert status["queues"] == ["celery"]
    assert "secret" not in json.dumps(status)


def test_a_worker_that_stops_lives_and_is_not_ready(app, serve, wait_until):
    begun, gate = threading.Event(), threading.Event()

    @app.task
    def wait():
        begun.set()
        gate.wait(20)

    worker, ask = serve()
    wait.delay()
    assert begun.wait(10)
    worker.stop()
    try:
        wait_until(lambda: ask("/readyz")[0] == 503, message="it is no longer ready")
        assert ask("/readyz")[1]["faults"] == ["the worker is stopping"]
        assert ask("/livez")[0] == 200
        assert ask("/status")[1]["running"] == 1
    finally:
        gate.set()


def test_faults_that_plugins_know_of_make_it_unready_and_a_broken_check_is_one(app, serve):
    class Checking:
        @hookimpl
        def celeriac_health_checks(self, app):
            def broken():
                raise ValueError("on purpose")

            return [
                HealthCheck("fine", lambda: None),
                HealthCheck("disk", lambda: "it is full"),
                HealthCheck("bad", broken),
            ]

    app.plugins.register(Checking(), "checking")
    _, ask = serve()
    code, found = ask("/readyz")
    assert code == 503
    assert found["faults"] == ["disk: it is full", "bad: the check itself failed: ValueError('on purpose')"]


def test_other_paths_and_methods_are_refused(serve):
    _, ask = serve()
    assert ask("/nowhere")[0] == 404
    assert ask("/livez", "POST")[0] == 405
    assert ask("/livez", "HEAD") == (200, None)


def test_clients_that_say_nothing_or_too_much_keep_nobody_from_being_answered(serve, wait_until):
    worker, ask = serve()
    port = worker.blueprint["celeriac.worker.health.step.Health"].obj._listener.getsockname()[1]
    silent = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(20)]
    with socket.create_connection(("127.0.0.1", port), timeout=10) as chatty:
        chatty.sendall(b"GET " + b"x" * 20_000)
        # It is hung up on, by an end or by a reset.
        with contextlib.suppress(ConnectionError):
            assert chatty.recv(100) == b""
    assert ask("/livez")[0] == 200
    for connection in silent:
        connection.close()
    wait_until(lambda: ask("/livez")[0] == 200, message="it still answers")


def test_it_can_be_served_at_a_socket_in_the_file_system_which_goes_with_the_worker(app, tmp_path):
    path = tmp_path / "health"
    path_of_dead = socket.socket(socket.AF_UNIX)
    path_of_dead.bind(str(path))  # of a worker that has died
    path_of_dead.close()
    with start_worker(app, pool="threads", health=f"unix:{path}"):
        assert asked(f"unix:{path}", "/livez") == (200, {"alive": True})
        with pytest.raises(ImproperlyConfigured, match=r"cannot be served at unix:.*: .*in use"):
            bound_socket(f"unix:{path}")
    assert not path.exists()


@pytest.mark.parametrize(
    ("address", "url"), [("127.0.0.1:0", "http://127.0.0.1:"), (":0", "http://127.0.0.1:"), ("0", "http://127.0.0.1:")]
)
def test_without_a_host_only_this_machine_is_served(address, url):
    with bound_socket(address) as listener:
        assert shown(listener).startswith(url)


@pytest.mark.parametrize("address", ["", "localhost", "host:port", "1.2.3.4:99999", "127.0.0.1:-1", "127.0.0.1:٣"])
def test_what_is_no_address_is_refused_in_words_that_name_the_option(address):
    with pytest.raises(ImproperlyConfigured, match=r"--health\) must be HOST:PORT or unix:PATH"):
        bound_socket(address)


def test_an_address_that_is_taken_ends_the_worker_with_a_line(app):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(ImproperlyConfigured, match=rf"cannot be served at 127\.0\.0\.1:{port}: .*of its own"),
            start_worker(app, pool="threads", health=f"127.0.0.1:{port}"),
        ):
            pytest.fail("the worker must not start")
