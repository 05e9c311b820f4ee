"""The metrics by HTTP."""

from __future__ import annotations

import os
import socket
import sys
import threading
import urllib.error
import urllib.request

import pytest

from celeriac.exceptions import ImproperlyConfigured
from celeriac_prometheus.address import parse_address, shown
from celeriac_prometheus.metrics import Metrics
from celeriac_prometheus.server import MetricsServer, MetricsService


@pytest.fixture
def server():
    server = MetricsServer(Metrics([1]), "127.0.0.1:0")
    yield server
    server.stop()


def read(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def test_the_page_shows_the_metrics(server):
    server.start()
    assert "# TYPE celeriac_task_outcomes_total counter" in read(server.url)


def test_a_stopped_server_is_gone_and_may_start_again(server):
    server.start()
    url = server.url
    server.stop()
    with pytest.raises(urllib.error.URLError):
        read(url)
    server.start()
    server.start()
    assert read(server.url)


def test_stop_tolerates_never_started_and_twice(server):
    server.stop()
    server.start()
    server.stop()
    server.stop()


def test_the_service_serves_until_it_is_stopped(server):
    service = MetricsService(server)
    service.prepare()
    thread = threading.Thread(target=service.start)
    thread.start()
    assert read(service.info()["url"])
    service.stop()
    thread.join(10)
    assert not thread.is_alive()
    service.start()  # which comes too late


def test_the_service_fails_where_nobody_serves_any_more_and_may_begin_again(server):
    service = MetricsService(server)
    service.prepare()
    server._server.shutdown()
    with pytest.raises(RuntimeError, match="has ended"):
        service.start()
    thread = threading.Thread(target=service.start)
    thread.start()
    service.stop()
    thread.join(10)
    assert not thread.is_alive()


def test_an_address_that_is_taken_is_an_error_that_says_what_to_do():
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(ImproperlyConfigured, match=rf"at 127\.0\.0\.1:{port}: .*in use.*--metrics-address"):
            MetricsServer(Metrics([1]), f"127.0.0.1:{port}").start()


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("0.0.0.0:9540", ("0.0.0.0", 9540)),
        ("metrics.example:1", ("metrics.example", 1)),
        ("[::1]:9540", ("::1", 9540)),
        (":9540", ("127.0.0.1", 9540)),
        ("9540", ("127.0.0.1", 9540)),
    ],
)
def test_addresses_are_read_as_people_write_them(address, expected):
    assert parse_address(address) == expected


@pytest.mark.parametrize("address", ["", "localhost", "localhost:", "localhost:http", "localhost:65536", ":-1", "h:٣"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(ImproperlyConfigured, match="must be HOST:PORT, as in"):
        parse_address(address)


def test_the_url_of_an_ipv6_address_has_brackets():
    assert shown("::1", 9540) == "http://[::1]:9540/metrics"


FORK = """
import os, signal, sys
from celeriac_prometheus.metrics import Metrics
from celeriac_prometheus.server import MetricsServer

server = MetricsServer(Metrics([1]), "127.0.0.1:0")
server.start()
child = os.fork()
if child == 0:
    print("child", flush=True)
    signal.pause()
print("port", server.url.rpartition(":")[2].partition("/")[0], flush=True)
os._exit(0)
"""


def test_a_forked_child_does_not_keep_the_port_of_a_worker_that_died(spawn):
    program = spawn(sys.executable, "-c", FORK)
    output = program.wait_for_output("child")
    output = program.wait_for_output("port ")
    assert program.wait() == 0
    port = int(output.split("port ")[1].split()[0])
    # The child is alive, and the port is free
    assert program.session_pids()
    with socket.create_server(("127.0.0.1", port)):
        pass
    assert os.getpid() not in program.session_pids()
