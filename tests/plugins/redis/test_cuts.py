"""Connections that are cut, stalled and refused on the way to each kind of server: tests of the kit, by its proxy."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from nodes.ports import free_port
from redis import Redis
from redis.exceptions import RedisError

from celeriac import Celery
from celeriac.testing.conformance import BackendHarness, BackendSuite, BrokerHarness, BrokerSuite, VerdictKind, run
from celeriac.testing.conformance.connections import ConnectionChecks
from celeriac.testing.conformance.proxy import Proxy
from celeriac.testing.conformance.suite import words_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]  # each case makes dozens of connections, some over TLS

CUTS = [words_of(name) for name in vars(ConnectionChecks) if name.startswith("test_")]
#: Each needs a dozen connections, and those of TLS take long to make.
MANY = {"any operation may be cut off", "a connection that stalls loses nothing"}
CUTS_OF_STORES = ["was cut off says so", "is away is an error", "was cut off misses nothing"]


@dataclass
class Way:
    """A proxy in front of a server, and the URL that leads through it."""

    proxy: Proxy
    url: str
    options: dict


@pytest.fixture
def in_front():
    """Return ``in_front(port)``: a proxy to the server there, which need not have started."""
    opened = []

    def open_proxy(port):
        opened.append(Proxy("127.0.0.1", port))
        return opened[-1]

    yield open_proxy
    for proxy in opened:
        proxy.close()


@pytest.fixture
def tls(own_server, certificate, in_front):
    cert, key = map(str, certificate)
    server = own_server("--tls-cert-file", cert, "--tls-key-file", key, "--tls-auth-clients", "no", tls=True)
    proxy = in_front(server.port)
    return Way(proxy, f"rediss://localhost:{proxy.port}/0?ssl_ca_certs={cert}", {})


@pytest.fixture
def sentinel(own_server, spawn, in_front, tmp_path, wait_until):
    """A primary that its Sentinel knows by the address of the proxy."""
    proxy = in_front(own_server().port)
    port, configuration = free_port(), tmp_path / "sentinel.conf"
    configuration.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\nsentinel monitor primary 127.0.0.1 {proxy.port} 1\n"
        "sentinel down-after-milliseconds primary 60000\n"  # a server that is away for a moment is not dead
    )
    spawn("redis-server", configuration, "--sentinel").wait_for_output("Sentinel ID")
    return Way(proxy, f"sentinel://127.0.0.1:{port}/0", {"master_name": "primary"})


@pytest.fixture
def cluster(spawn, in_front, tmp_path, redis_url, wait_until):
    """A cluster of one node, which gives the address of the proxy as its own."""
    port, bus = free_port(), free_port()
    proxy = in_front(port)
    spawn(
        *("redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", tmp_path),
        *("--cluster-enabled", "yes", "--cluster-port", str(bus)),
        *("--cluster-announce-ip", "127.0.0.1", "--cluster-announce-port", str(proxy.port)),
    ).wait_for_output("Ready to accept connections")
    with Redis(port=port) as client:
        client.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16383)
        wait_until(lambda: is_whole(client), 20, "the cluster serves its slots")
    return Way(proxy, f"redis+cluster://127.0.0.1:{proxy.port}", {})


def is_whole(client):
    try:
        return client.execute_command("CLUSTER INFO")["cluster_state"] == "ok"
    except RedisError:
        return False


class Broker(BrokerHarness):
    way: Way

    def has(self, feature):
        return feature == "one TCP server" or super().has(feature)

    def proxy(self):
        return self.way.proxy


class Store(BackendHarness):
    way: Way

    def has(self, feature):
        return feature == "one TCP server" or super().has(feature)

    def proxy(self):
        return self.way.proxy


@pytest.mark.parametrize("kind", ["tls", "sentinel", "cluster"])
@pytest.mark.parametrize(
    ("suite", "harness", "tests"), [(BrokerSuite, Broker, CUTS), (BackendSuite, Store, CUTS_OF_STORES)]
)
def test_a_connection_may_be_cut_whatever_it_leads_to(request, kind, suite, harness, tests):
    way = request.getfixturevalue(kind)

    def make_harness(_):
        app = Celery("conformance", broker=way.url, backend=way.url, set_as_current=False)
        app.conf.broker_transport_options = app.conf.result_backend_transport_options = way.options
        made = harness(way.url, app)
        made.way = way
        return made

    case = type("Case", (suite,), {"make_harness": make_harness})
    chosen = [words for words in tests if kind != "tls" or words not in MANY]
    verdicts = [verdict for words in chosen for verdict in run(case, only=words)]
    assert [verdict for verdict in verdicts if verdict.kind is not VerdictKind.PASSED] == []
    assert len(verdicts) >= len(chosen)
