"""What a stranger can hand in as a task, a result, a command or an event: none of it is read."""

from __future__ import annotations

from base64 import b64decode, b64encode
from types import SimpleNamespace

import pytest

from celeriac.app.mail_codec import MailCodec
from celeriac.events import EventReceiver
from celeriac.exceptions import ProtocolError, SecurityError
from celeriac_auth.envelope import Envelope, pack, unpack
from celeriac_auth.serializer import CONTENT_TYPE

VALUES = {
    "task": [[1], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}],
    "result": {"status": "SUCCESS", "result": 1, "task_id": "1"},
    "command": {"method": "ping", "arguments": {}},
    "event": {"type": "worker-heartbeat", "hostname": "w@host", "clock": 1, "timestamp": 1.0, "utcoffset": 0},
}


@pytest.fixture(params=list(VALUES))
def kind(request):
    return request.param


@pytest.fixture
def others(make_signer):
    """Others who can sign; of the store of certificates there is a look once a second, so they are there first."""
    return {
        "other": make_signer("other"),
        "late": make_signer("late", begins=-9, ends=-1),
        "early": make_signer("early", begins=1, ends=9),
        "stranger": make_signer("stranger", trusted=False),
    }


@pytest.fixture
def app(others, make_app):
    return make_app()


@pytest.fixture
def read(app, kind, caplog):
    """Return ``read(data, content_type)``: what is made of these bytes where that kind comes in."""
    receiver = EventReceiver(app.connection_for_read().default_channel, app=app)

    def event(data, content_type):
        message = SimpleNamespace(body=data, content_type=content_type, headers={}, errors=[])
        found = [event for _, event in receiver.events_in(message)]
        if not found:
            raise SecurityError(caplog.messages[-1])  # of which a receiver only tells
        return found[0]

    def command(data, content_type):
        return MailCodec(app).decode_command(SimpleNamespace(body=data, content_type=content_type, headers={}))

    serializers = app.serializers
    return {"task": serializers.decode, "result": serializers.decode_result, "command": command, "event": event}[kind]


@pytest.fixture
def signed(app, kind):
    return app.serializers.get("auth").dumps(VALUES[kind])


def signed_by(signer, body):
    return pack(Envelope(signer.id, signer.key.sign(body), "application/json", "utf-8", body))


def test_what_is_signed_is_read(read, signed, kind):
    found = read(signed, CONTENT_TYPE)
    assert found == VALUES[kind] if kind != "event" else found["hostname"] == "w@host"


def test_an_altered_body_and_a_swapped_signer_are_refused(read, signed, others):
    whole = unpack(signed)
    with pytest.raises(SecurityError, match="altered"):
        read(pack(whole._replace(body=whole.body + b" ")), CONTENT_TYPE)
    with pytest.raises(SecurityError, match="the signature is not that of 'other"):
        read(pack(whole._replace(signer=others["other"].id)), CONTENT_TYPE)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("late", "has expired on"),
        ("early", "is not valid before"),
        ("stranger", "nobody here trusts 'stranger"),
    ],
)
def test_a_certificate_that_does_not_count_is_refused(read, signed, others, name, said):
    with pytest.raises(SecurityError, match=said):
        read(signed_by(others[name], unpack(signed).body), CONTENT_TYPE)


def test_plain_json_and_what_says_that_it_is_are_refused(read, signed):
    for data in (unpack(signed).body, signed):
        with pytest.raises(SecurityError, match="application/json"):
            read(data, "application/json")
    with pytest.raises((ProtocolError, SecurityError)):
        read(unpack(signed).body, CONTENT_TYPE)


def test_what_is_cut_at_any_byte_is_refused(read, signed):
    plain = b64decode(signed)
    for end in range(len(plain)):
        with pytest.raises((ProtocolError, SecurityError)):
            read(b64encode(plain[:end]), CONTENT_TYPE)
