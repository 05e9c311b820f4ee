"""Connections over TLS; the server's certificate is checked by a proxy that has one."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from urllib.parse import urlsplit

import pytest
from kombu import Connection
from kombu.exceptions import OperationalError

from celeriac.contracts import Settlements
from celeriac.exceptions import ImproperlyConfigured
from celeriac_amqp.broker import AmqpsTransport, AmqpTransport


@pytest.fixture
def certificate(tmp_path):
    if subprocess.run(["openssl", "version"], capture_output=True, check=False).returncode:
        pytest.skip("needs openssl on the PATH")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem"
    subprocess.run(
        [*command.split(), "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    return tmp_path / "cert.pem", tmp_path / "key.pem"


@pytest.fixture
def tls_port(certificate, url):
    """A port on which the server answers over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    parts = urlsplit(url)
    listener = socket.create_server(("127.0.0.1", 0))
    opened = []

    def pump(source, sink):
        with contextlib.suppress(OSError, ValueError):
            while data := source.recv(65536):
                sink.sendall(data)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def accept():
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            try:
                client = context.wrap_socket(raw, server_side=True)
            except OSError:
                raw.close()
                continue
            server = socket.create_connection((parts.hostname, parts.port or 5672))
            opened.extend((client, server))
            threading.Thread(target=pump, args=(client, server), daemon=True).start()
            threading.Thread(target=pump, args=(server, client), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()[1]
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for each in opened:
        each.close()


@pytest.mark.covers("transports.amqps", "settings.broker_use_ssl")
def test_tls_checks_the_certificate_unless_told_not_to(tls_port, certificate, message, queue, loop, claim):
    cert = str(certificate[0])
    url = f"amqps://guest:guest@localhost:{tls_port}//"

    def connection(url, transport=AmqpsTransport, **options):
        return Connection(url, transport=transport, connect_timeout=5, **options)

    trusting = [
        connection(f"{url}?ssl_ca_certs={cert}"),
        connection(f"{url}?ssl_cert_reqs=none"),
        connection(url, ssl={"ca_certs": cert}),
        connection(
            url.replace("amqps", "amqp"), AmqpTransport, ssl={"ssl_ca_certs": cert, "ssl_cert_reqs": "required"}
        ),
    ]
    for one in trusting:
        lane = AmqpsTransport.producer_lane(one)
        lane.publish([message(number, queue, body=b"x" * 100_000) for number in range(10)])
        lane.close()
        assert one.default_channel.basic_get(queue.name, no_ack=True)  # plain Kombu, too
        one.release()
    lane = AmqpsTransport.consumer_lane(trusting[0])
    lane.prefetch(100)
    lane.open([queue], loop.hub, loop.on_ready)
    found = claim(lane, 36)
    lane.settle(Settlements(ack=[each.tag for each in found]))
    lane.close()
    for wrong in (url, f"amqps://guest:guest@127.0.0.1:{tls_port}//?ssl_ca_certs={cert}"):
        with pytest.raises(OperationalError, match=r"(?i)certificate"):
            AmqpsTransport.producer_lane(connection(wrong)).publish([message(1, queue)])


def test_a_check_that_is_none_is_refused(message, queue):
    lane = AmqpsTransport.producer_lane(Connection("amqps://", transport=AmqpsTransport, ssl={"cert_reqs": "perhaps"}))
    with pytest.raises(ImproperlyConfigured, match="ssl_cert_reqs is none, optional or required"):
        lane.publish([message(1, queue)])
