"""URLs name servers, as Celery writes them."""

from __future__ import annotations

import ssl

import pytest

from celeriac.exceptions import ImproperlyConfigured
from celeriac_redis.address import Address, parse


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://", Address()),
        ("redis://localhost", Address("localhost")),
        ("redis://host:7000/3", Address("host", 7000, db=3)),
        ("redis://:secret@host", Address("host", password="secret")),
        ("redis://user:p%40ss%2F@host/1", Address("host", db=1, username="user", password="p@ss/")),
        ("redis://[::1]:6380/2", Address("::1", 6380, db=2)),
        ("valkey://host/2", Address("host", db=2)),
        ("sentinel://", Address(port=26379)),
        ("sentinel://:pw@host:1/2", Address("host", 1, db=2, password="pw")),
        ("redis+cluster://host:7000", Address("host", 7000)),
        ("cluster://host:7000", Address("host", 7000)),
        (
            "rediss+cluster://user:pw@host",
            Address("host", username="user", password="pw", tls={"ssl_check_hostname": True}),
        ),
        ("redis+socket:///run/redis.sock", Address(path="/run/redis.sock")),
        ("socket:///run/redis.sock?virtual_host=4", Address(path="/run/redis.sock", db=4)),
        ("valkey+socket://:pw@/run/v.sock?db=5", Address(path="/run/v.sock", db=5, password="pw")),
        ("rediss://host", Address("host", tls={"ssl_check_hostname": True})),
        (
            "valkeys://host?ssl_cert_reqs=CERT_NONE",
            Address("host", tls={"ssl_cert_reqs": "none", "ssl_check_hostname": False}),
        ),
        (
            "rediss://host/0?ssl_ca_certs=/ca.pem&ssl_check_hostname=false",
            Address("host", tls={"ssl_ca_certs": "/ca.pem", "ssl_check_hostname": False}),
        ),
    ],
)
def test_a_url_names_a_server(url, address):
    assert parse(url) == address


def test_settings_hold_where_the_url_is_silent():
    assert parse("redis://host", port=7000, password="pw", db=2) == Address("host", 7000, db=2, password="pw")
    assert parse("redis://:own@host:1/3", port=7000, password="pw", db=2) == Address("host", 1, db=3, password="own")
    assert parse("redis://host", ssl=True).tls == {"ssl_check_hostname": True}
    unchecked = {"ssl_cert_reqs": ssl.CERT_NONE, "ssl_check_hostname": False}
    assert parse("redis://host", ssl={"ssl_cert_reqs": ssl.CERT_NONE}).tls == unchecked


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://host", "its scheme can be redis"),
        ("redis://:secret@host/first", "'first' is not a number"),
        ("redis://:secret@host:port", "port"),
        ("rediss://host?ssl_cert_reqs=maybe", "ssl_cert_reqs is 'maybe'"),
    ],
)
def test_a_url_that_is_wrong_is_refused_without_showing_the_password(url, reason):
    with pytest.raises(ImproperlyConfigured, match=reason) as caught:
        parse(url)
    assert "secret" not in str(caught.value)


def test_an_address_does_not_show_its_password():
    assert "secret" not in repr(parse("redis://:secret@host")) + str(parse("redis://:secret@host"))
