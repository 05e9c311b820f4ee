"""Connections break, servers stop and refuse; nothing is lost, and work resumes."""

from __future__ import annotations

import logging
import os
import re
import socket
import ssl
import time
import traceback
from pathlib import Path

import pytest
from kombu import Connection, Queue
from kombu.exceptions import OperationalError
from redis import Redis

from celeriac import Celery
from celeriac.contracts import Settlements
from celeriac.exceptions import StoreUnavailable
from celeriac.testing.conformance import VerdictKind, check
from celeriac_redis.address import parse
from celeriac_redis.broker import RedisTransport
from celeriac_redis.link import Link
from celeriac_redis.options import LinkOptions
from celeriac_redis.servers import ListedServers
from celeriac_redis.stream import Stream


def tags(deliveries):
    return [delivery.tag for delivery in deliveries]


@pytest.fixture
def proxied(proxy, url) -> str:
    return f"redis://127.0.0.1:{proxy.port}/{url.rsplit('/', 1)[1]}"


@pytest.fixture
def through(connect, proxied, loop):
    """A lane on the queue tasks whose connections go through the proxy."""
    lane = RedisTransport.consumer_lane(connect(proxied))
    lane.open([Queue("tasks")], loop.hub, loop.on_ready)
    yield lane
    lane.close()


def test_a_claim_whose_answer_was_lost_is_handed_out_by_the_next(
    producer, through, message, proxy, bodies, server, prefix, wait_until
):
    producer.publish([message(str(n)) for n in range(6)])
    first = through.claim(2)
    proxy.lose_answers(1)
    with pytest.raises(OperationalError, match=r"127\.0\.0\.1"):
        through.turn(Settlements(ack=tags(first)), 3)
    assert proxy.lost == 1
    # The answer to what was settled may have come, and been lost, before the server makes the claim.
    wait_until(lambda: (server.llen(f"{prefix}tasks"), server.hlen(f"{prefix}unacked")) == (1, 3))

    # As the worker does it: what was to be settled is said again.
    found = through.turn(Settlements(ack=tags(first)), 2)
    found += through.claim(2)
    found += through.claim(2)

    assert bodies(found) == ["2", "3", "4", "5"]
    through.settle(Settlements(ack=tags(found)))
    assert (server.llen(f"{prefix}tasks"), server.hlen(f"{prefix}unacked")) == (0, 0)


def test_a_claim_that_the_server_makes_only_after_it_was_asked_for_it_is_found_later(
    producer, consume, message, bodies, server, prefix, monkeypatch
):
    # Given a claim whose connection breaks while the server has not read it
    lane = consume()
    producer.publish([message(str(n)) for n in range(4)])
    on_their_way = []

    def lost(*commands):
        on_their_way.append(commands)
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(lane._link, "try_all", lost)
    with pytest.raises(OperationalError):
        lane.claim(2)
    monkeypatch.undo()

    # When it is read after the worker has learned that nothing was claimed
    first = lane.claim(1)
    lane._link.ask(*on_their_way[0])
    rest = [*lane.claim(4), *lane.claim(4)]
    assert bodies([*first, *rest]) == ["0", "3"]

    # Then those messages are handed out when the claims are renewed, once
    lane.renew()
    late = lane.claim(4)
    assert bodies(late) == ["1", "2"]
    lane.renew()
    assert lane.claim(4) == []
    lane.settle(Settlements(ack=tags([*first, *rest, *late])))
    assert (server.llen(f"{prefix}tasks"), server.hlen(f"{prefix}unacked")) == (0, 0)


@pytest.mark.parametrize("kind", ["begin", "ack", "requeue", "redeliver"])
def test_settling_may_be_repeated(producer, through, message, proxy, server, prefix, kind):
    producer.publish([message("1"), message("2")])
    found = through.claim(2)
    batch = Settlements(**{kind: tags(found[:1])})
    if kind != "redeliver":  # which reads first, and then its first answer is lost
        proxy.lose_answers(1)
        with pytest.raises(OperationalError):
            through.settle(batch)
    through.settle(batch)
    through.settle(batch)
    begun = sum(server.scard(key) for key in server.scan_iter(f"{prefix}celeriac.begun.*"))
    counts = (server.llen(f"{prefix}tasks"), server.hlen(f"{prefix}unacked"), begun)
    assert counts == {"begin": (0, 2, 1), "ack": (0, 1, 0), "requeue": (1, 1, 0), "redeliver": (1, 1, 0)}[kind]


def test_a_lane_that_was_cut_off_resumes_and_is_told_of_arrivals(
    producer, through, message, proxy, loop, bodies, caplog
):
    producer.publish([message("1")])
    held = through.claim(1)
    assert through.claim(1) == []
    loop.calm()

    proxy.cut()
    producer.publish([message("2")])
    before = loop.calls
    loop.turn_until(lambda: loop.calls > before)
    found = through.claim(5)  # the connection was idle long enough to be looked at, or this is the worker's retry
    through.settle(Settlements(ack=tags(held) + tags(found)))

    assert bodies(found) == ["2"]
    assert through.claim(1) == []
    loop.calm()
    before = loop.calls
    producer.publish([message("3")])
    loop.turn_until(lambda: loop.calls > before)
    assert bodies(through.claim(1)) == ["3"]


def test_publishing_to_a_server_that_is_away_is_an_error_and_then_works(own_server, connect, message):
    server = own_server()
    lane = RedisTransport.producer_lane(connect(server.url))
    lane.publish([message("1")])
    server.stop()
    with pytest.raises(OperationalError, match=rf"Redis at 127\.0\.0\.1:{server.port}, database 0: "):
        lane.publish([message("2")])
    with pytest.raises(OperationalError):
        lane.publish([message("2")])
    server.start()
    lane.publish([message("3")])
    lane.close()
    lane.close()


def test_a_restarted_server_finds_its_workers_again(own_server, connect, message, loop, bodies):
    server = own_server()
    lane = RedisTransport.consumer_lane(connect(server.url))
    lane.open([Queue("tasks")], loop.hub, loop.on_ready)
    producer = RedisTransport.producer_lane(connect(server.url))
    server.stop()
    with pytest.raises(OperationalError):
        lane.claim(1)
    server.start()
    assert lane.claim(1) == []
    loop.calm()
    loop.turn_until(lambda: lane._watch._descriptor is not None)
    assert lane.claim(1) == []
    loop.calm()
    before = loop.calls
    producer.publish([message("1")])
    loop.turn_until(lambda: loop.calls > before)
    assert bodies(lane.claim(1)) == ["1"]
    producer.close()
    lane.close()


def test_closing_while_the_server_is_away_says_what_becomes_of_the_claims(own_server, connect, message, loop, caplog):
    server = own_server()
    lane = RedisTransport.consumer_lane(connect(server.url))
    lane.open([Queue("tasks")], loop.hub, loop.on_ready)
    producer = RedisTransport.producer_lane(connect(server.url))
    producer.publish([message("1")])
    producer.close()
    assert len(lane.claim(1)) == 1
    server.stop()
    lane.close()
    lane.close()
    assert "come back 30 s after" in caplog.text


def test_the_next_server_of_a_list_is_used_when_one_is_away(own_server, message, loop, prefix):
    server = own_server()
    urls = f"redis://127.0.0.1:1/0;{server.url}"
    lane = RedisTransport.producer_lane(Connection(urls, transport=RedisTransport))
    lane.publish([message("1")])
    lane.close()
    with Redis.from_url(server.url) as client:
        assert client.llen("tasks") == 1


def test_a_server_whose_memory_is_full_refuses_messages_and_can_still_be_emptied(own_server, connect, message, loop):
    server = own_server("--maxmemory-policy", "noeviction")
    producer = RedisTransport.producer_lane(connect(server.url))
    lane = RedisTransport.consumer_lane(connect(server.url))
    lane.open([Queue("tasks")], loop.hub, loop.on_ready)
    producer.publish([message("x" * 1000) for _ in range(100)])
    with Redis.from_url(server.url) as client:
        client.config_set("maxmemory", "1")
    with pytest.raises(OperationalError, match=r"used memory.*\(the server's memory is full"):
        producer.publish([message("more")])
    found = lane.claim(100)
    lane.settle(Settlements(begin=tags(found[:50])))
    lane.settle(Settlements(ack=tags(found)))
    assert len(found) == 100
    assert lane.depth("tasks") == 0
    producer.close()
    lane.close()


def test_an_exchange_that_was_interrupted_is_not_continued(url, monkeypatch):
    link = Link(ListedServers([parse(url)], ""), LinkOptions(), OperationalError)
    assert link.ask(("ECHO", "a")) == [b"a"]
    read, calls = Stream.read, []

    def interrupted(stream):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return read(stream)

    monkeypatch.setattr(Stream, "read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        link.ask(("ECHO", "b"), ("ECHO", "c"))
    monkeypatch.undo()
    assert link.ask(("ECHO", "d")) == [b"d"]
    link.close()


# --- ways to a server -------------------------------------------------------------------------------------------------


def test_a_unix_socket_serves_lanes_and_plain_kombu(own_server, message, loop, bodies):
    server = own_server()
    app = Celery("proj", set_as_current=False, broker=f"redis+socket://{server.socket_path}?virtual_host=3")
    producer = RedisTransport.producer_lane(app.connection_for_write())
    producer.publish([message("1")])
    producer.close()
    lane = app.connection_for_read().transport_cls.consumer_lane(app.connection_for_read())
    lane.open([Queue("tasks")], loop.hub, loop.on_ready)
    assert bodies(lane.claim(1)) == ["1"]
    lane.close()
    with app.connection() as connection, connection.SimpleQueue("tasks") as queue:
        assert queue.get(timeout=5).body == b"1"
    with Redis(unix_socket_path=str(server.socket_path), db=3) as client:
        assert client.exists("_kombu.binding.tasks")
    app.close()


@pytest.mark.covers("transports.rediss")
def test_tls_checks_the_certificate_unless_told_not_to(own_server, message, loop, certificate, bodies):
    cert, key = map(str, certificate)
    server = own_server("--tls-cert-file", cert, "--tls-key-file", key, "--tls-auth-clients", "no", tls=True)
    url = f"rediss://localhost:{server.port}/0"

    def connection(url, **kwargs):
        return Connection(url, transport=RedisTransport, **kwargs)

    trusting = [
        connection(f"{url}?ssl_ca_certs={cert}"),
        connection(f"{url}?ssl_cert_reqs=none"),
        connection(url.replace("rediss", "valkeys"), ssl={"ssl_ca_certs": cert}),
    ]
    for one in trusting:
        lane = RedisTransport.producer_lane(one)
        lane.publish([message("1")])
        lane.close()
        with one.SimpleQueue("tasks") as queue:
            assert queue.get(timeout=5).body == b"1"
        one.release()
    lane = RedisTransport.consumer_lane(trusting[0])
    lane.open([Queue("tasks")], loop.hub, loop.on_ready)
    assert len(lane.claim(5)) == 3
    before = loop.calls
    sender = RedisTransport.producer_lane(trusting[0])
    assert lane.claim(1) == []
    loop.calm()
    sender.publish([message("2")])
    loop.turn_until(lambda: loop.calls > before)
    sender.close()
    lane.close()
    for wrong in (url, f"rediss://127.0.0.1:{server.port}/0?ssl_ca_certs={cert}"):
        with pytest.raises(OperationalError, match=r"(?i)certificate"):
            RedisTransport.producer_lane(connection(wrong)).publish([message("1")])


@pytest.mark.covers("settings.broker_use_ssl", "settings.redis_backend_use_ssl", "backends.rediss")
def test_a_client_shows_its_certificate_as_the_settings_say(own_server, message, certificate):
    cert, key = map(str, certificate)
    server = own_server(
        *("--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert, "--tls-auth-clients", "yes"),
        tls=True,
    )
    url = f"rediss://localhost:{server.port}/0"
    shown = {"ssl_ca_certs": cert, "ssl_certfile": cert, "ssl_keyfile": key, "ssl_cert_reqs": ssl.CERT_REQUIRED}
    app = Celery("proj", set_as_current=False, broker=url, result_backend=url)
    app.conf.update(broker_use_ssl=shown, redis_backend_use_ssl=shown)
    lane = RedisTransport.producer_lane(app.connection_for_write())
    lane.publish([message("1")])
    lane.close()
    app.backend.set_values({"a": b"1"})
    assert app.backend.get_values(["a"]) == {"a": b"1"}
    app.close()
    bare = Celery("proj", set_as_current=False, broker=url, result_backend=url)
    bare.conf.update(redis_backend_use_ssl={"ssl_ca_certs": cert}, broker_use_ssl={"ssl_ca_certs": cert})
    with pytest.raises(OperationalError):
        RedisTransport.producer_lane(bare.connection_for_write()).publish([message("2")])
    with pytest.raises(StoreUnavailable):
        bare.backend.get_values(["a"])
    bare.close()


@pytest.mark.covers("settings.redis_socket_timeout", "settings.redis_socket_keepalive")
def test_a_store_that_does_not_answer_is_given_up_in_the_time_that_is_set(redis_url):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        app = Celery("proj", set_as_current=False, broker=url, result_backend=url)
        app.conf.update(redis_socket_timeout=0.2, redis_socket_connect_timeout=5)
        begun = time.monotonic()
        with pytest.raises(StoreUnavailable, match=r"(?i)time"):
            app.backend.get_values(["a"])
        assert 0.15 < time.monotonic() - begun < 30  # far from the 120 s of the default
        app.close()
    app = Celery("proj", set_as_current=False, broker=redis_url, result_backend=redis_url)
    for wanted in (True, False):
        app.conf.redis_socket_keepalive = wanted
        link = type(app.backend)(app, redis_url)._link()
        link.connect()
        with socket.socket(fileno=os.dup(link.fileno())) as connected:
            assert bool(connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)) is wanted
        link.close()
    app.close()


@pytest.mark.covers("settings.redis_socket_connect_timeout")
def test_a_store_that_takes_no_connections_is_given_up_in_the_time_that_is_set():
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    address = full.getsockname()
    # The system takes connections on behalf of a program until the queue is full; then it says nothing at all.
    waiting = [socket.socket() for _ in range(4)]
    for each in waiting:
        each.setblocking(False)
        each.connect_ex(address)
    url = f"redis://127.0.0.1:{address[1]}/0"
    app = Celery("proj", set_as_current=False, broker=url, result_backend=url)
    app.conf.update(redis_socket_connect_timeout=0.3)
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable, match=r"(?i)time"):
        app.backend.get_values(["a"])
    assert 0.2 < time.monotonic() - begun < 5
    app.close()
    for each in (*waiting, full):
        each.close()


_README = Path(__file__).parents[3] / "plugins" / "redis" / "README.md"
RIGHTS = re.search(r"An ACL user needs these rights:\n\n```\n(.*?)\n```", _README.read_text(), re.DOTALL)[1]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["broker", "backend"])
def test_a_user_with_the_rights_of_the_readme_passes_the_kit_over_a_unix_socket(own_server, kind):
    server = own_server("--user", "default", "off", "--user", *f"worker on >secret -@all {RIGHTS}".split())

    report = check(kind, f"valkey+socket://worker:secret@{server.socket_path}")

    assert [verdict for verdict in report.verdicts if verdict.kind is VerdictKind.FAILED] == []
    assert report.count(VerdictKind.PASSED) > 25
    assert "secret" not in report.subject


def test_a_user_with_few_rights_is_served(own_server, message, loop, bodies, caplog):
    server = own_server("--user", "default", "off", "--user", *f"worker on >se:cr@t {RIGHTS}".split())
    url = f"redis://worker:se%3Acr%40t@127.0.0.1:{server.port}/0"
    connection = Connection(url, transport=RedisTransport)
    producer, lane = RedisTransport.producer_lane(connection), RedisTransport.consumer_lane(connection)
    lane.open([Queue("tasks")], loop.hub, loop.on_ready)
    assert lane.claim(1) == []
    loop.calm()
    before = loop.calls
    producer.publish([message("1")])
    loop.turn_until(lambda: loop.calls > before)
    assert bodies(lane.claim(1)) == ["1"]
    assert lane.lost() == []
    assert "cr@t" not in connection.as_uri() + repr(connection)
    lane.close()
    producer.close()
    assert caplog.records == []
    wrong = Connection(f"redis://worker:wrong@127.0.0.1:{server.port}", transport=RedisTransport)
    with pytest.raises(OperationalError, match="password"):
        RedisTransport.producer_lane(wrong).publish([message("1")])


def test_a_server_that_does_not_tell_of_changes_is_asked(own_server, message, loop, bodies, caplog):
    server = own_server("--user", *f"default on nopass {RIGHTS} -client|tracking -client|list".split())
    connection = Connection(server.url, transport=RedisTransport, transport_options={"lease": 1})
    producer, lane = RedisTransport.producer_lane(connection), RedisTransport.consumer_lane(connection)
    with caplog.at_level(logging.WARNING):
        lane.open([Queue("tasks")], loop.hub, loop.on_ready)
    assert "+client|tracking" in caplog.text
    assert lane.claim(1) == []
    producer.publish([message("1")])
    assert bodies(loop.turn_until(lambda: loop.calls and lane.claim(1))) == ["1"]
    lane.close()
    producer.close()


# --- forks ------------------------------------------------------------------------------------------------------------


def test_a_forked_child_leaves_the_connections_of_its_parent_alone(producer, consume, message, bodies, connect):
    lane = consume()
    producer.publish([message("1"), message("2")])
    first = lane.claim(1)
    pid = os.fork()
    if not pid:
        code = 1
        try:
            own = RedisTransport.producer_lane(connect())
            own.publish([message("child")])
            own.close()
            del producer, lane
            code = 0
        except BaseException:  # noqa: BLE001  # a child of a test must not go on as pytest
            traceback.print_exc()
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert bodies(lane.claim(5)) == ["2", "child"]
    lane.settle(Settlements(ack=tags(first)))
    producer.publish([message("3")])
    assert bodies(lane.claim(5)) == ["3"]
