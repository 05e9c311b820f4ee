"""Connections over TLS, and how one says who one is."""

from __future__ import annotations

import pytest
from kombu import Connection, Queue
from kombu.exceptions import OperationalError

from celeriac import Celery
from celeriac.contracts import Settlements
from celeriac.exceptions import ImproperlyConfigured
from celeriac_amqp.broker import AmqpsTransport, AmqpTransport

pytestmark = pytest.mark.timeout(120)  # of which the first to come starts the server


@pytest.fixture
def own_queue(request):
    """A queue on the tests' own server, which nobody need delete."""
    return Queue(request.node.name)


def connection(url, transport=AmqpsTransport, **options):
    found = Connection(url, transport=transport, connect_timeout=5, **options)
    found.transport_cls = transport
    return found


@pytest.fixture
def trust(certificates):
    """The parameters of a URL by which a client trusts the server, and says who it is."""
    client = certificates.client
    who = f"ssl_certfile={client.certificate}&ssl_keyfile={client.key}"
    return f"ssl_ca_certs={certificates.authority}&{who}"


@pytest.mark.covers("transports.amqps", "settings.broker_use_ssl")
def test_tls_checks_the_certificate_unless_told_not_to(node, certificates, trust, message, own_queue, loop, claim):
    # Given the ways to trust a server, in a URL and in settings
    url = f"amqps://guest:guest@localhost:{node.tls_port}//"
    certificate, key = map(str, certificates.client)
    identity = {"certfile": certificate, "keyfile": key}
    authority = str(certificates.authority)
    trusting = [
        connection(f"{url}?{trust}"),
        connection(f"{url}?ssl_cert_reqs=none&ssl_certfile={certificate}&ssl_keyfile={key}"),
        connection(url, ssl={"ca_certs": authority, **identity}),
        connection(
            url.replace("amqps", "amqp"),
            AmqpTransport,
            ssl={"ssl_ca_certs": authority, "ssl_cert_reqs": "required", **identity},
        ),
    ]

    # Then each can send, and plain Kombu can too
    for one in trusting:
        lane = AmqpsTransport.producer_lane(one)
        lane.publish([message(number, own_queue, body=b"x" * 100_000) for number in range(10)])
        lane.close()
        assert one.default_channel.basic_get(own_queue.name, no_ack=True)
        one.release()
    lane = AmqpsTransport.consumer_lane(trusting[0])
    lane.prefetch(100)
    lane.open([own_queue], loop.hub, loop.on_ready)
    found = claim(lane, 36)
    lane.settle(Settlements(ack=[each.tag for each in found]))
    lane.close()

    # And whoever does not trust it, or calls it by another name than its certificate, is told
    wrong = f"amqps://guest:guest@127.0.0.2:{node.tls_port}//?{trust}"
    node.tell(
        f'rabbit_networking:start_ssl_listener({{"127.0.0.2", {node.tls_port}, auto}}, '
        "element(2, application:get_env(rabbit, ssl_options)), 1)"
    )
    for one in (url, wrong):
        with pytest.raises(OperationalError, match=r"(?i)certificate"):
            AmqpsTransport.producer_lane(connection(one)).publish([message(1, own_queue)])


def test_a_server_that_wants_another_certificate_says_so(node, certificates, message, own_queue):
    url = f"amqps://guest:guest@localhost:{node.tls_port}//?ssl_ca_certs={certificates.authority}"
    stranger = certificates.stranger
    for one in (url, f"{url}&ssl_certfile={stranger.certificate}&ssl_keyfile={stranger.key}"):
        with pytest.raises(OperationalError, match=rf"localhost:{node.tls_port}/.*ssl_certfile"):
            AmqpsTransport.producer_lane(connection(one)).publish([message(1, own_queue)])


@pytest.mark.covers("settings.broker_login_method")
def test_a_certificate_serves_as_login(node, certificates, own_queue):
    # Given an app that says who it is by its certificate
    app = Celery("external", broker=f"amqps://localhost:{node.tls_port}//", set_as_current=False)
    app.conf.update(
        task_default_queue=own_queue.name,
        broker_login_method="EXTERNAL",
        broker_use_ssl={
            "ca_certs": str(certificates.authority),
            "certfile": str(certificates.client.certificate),
            "keyfile": str(certificates.client.key),
        },
    )

    # When it sends, then the server knows it by its name
    app.send_task("any")
    users = node.tell(
        "lists:usort([pget(user, I) || I <- rabbit_networking:connection_info_all([user])])".replace(
            "pget", "proplists:get_value"
        )
    )
    assert "celeriac-client" in users
    app.close()


@pytest.mark.parametrize("method", ["PLAIN", "AMQPLAIN", None])
def test_a_password_serves_as_login(node, produce, message, own_queue, method):
    produce(node.url, settings={"login_method": method}).publish([message(1, own_queue)])
    wrong = node.url.replace("guest:guest", "guest:s3cret")
    with pytest.raises(OperationalError, match=r"ACCESS_REFUSED.*check the user, the password") as caught:
        produce(wrong, settings={"login_method": method}).publish([message(1, own_queue)])
    assert "s3cret" not in str(caught.value)


def test_a_check_that_is_none_is_refused(message, queue):
    lane = AmqpsTransport.producer_lane(Connection("amqps://", transport=AmqpsTransport, ssl={"cert_reqs": "perhaps"}))
    with pytest.raises(ImproperlyConfigured, match="ssl_cert_reqs is none, optional or required"):
        lane.publish([message(1, queue)])
