"""Sealed content: who has no key reads nothing, who has the wrong one is told, and keys are replaced one by one."""

from __future__ import annotations

import base64
import os

import pytest

from celeriac.exceptions import ImproperlyConfigured, ProtocolError, SecurityError
from celeriac_auth.envelope import unpack
from celeriac_auth.sealing import SEALED, Keyring

SECRET = "the number of the card"


@pytest.fixture
def keys(tmp_path):
    """A directory with one key."""
    path = tmp_path / "keys"
    path.mkdir()
    (path / "2026.key").write_bytes(base64.b64encode(os.urandom(32)) + b"\n")
    return path


@pytest.fixture
def make_sealing(make_app, make_signer, keys):
    def make(key_id="2026", **settings):
        return make_app(make_signer(), security_encrypt=key_id, security_encryption_keys=str(keys), **settings)

    return make


def test_bodies_show_nothing_of_what_is_sealed_and_headers_no_arguments(make_sealing, claim):
    app = make_sealing()
    app.send_task("proj.pay", (SECRET,), {"to": SECRET})
    (delivery,) = claim(app)
    assert app.serializers.decode(delivery.body, delivery.content_type)[:2] == [[SECRET], {"to": SECRET}]
    envelope = unpack(delivery.body)
    assert envelope.content_type == SEALED
    assert SECRET.encode() not in envelope.body
    assert b"json" not in envelope.body
    assert (delivery.headers["argsrepr"], delivery.headers["kwargsrepr"]) == ("<sealed>", "<sealed>")
    assert SECRET not in repr(delivery)


def test_results_events_and_commands_are_sealed_too(make_sealing, start_worker, wait_until):
    app = make_sealing(worker_send_task_events=True, task_send_sent_event=True, result_extended=True)

    @app.task(name="proj.pay")
    def pay(card):
        return card

    seen = []
    seal = Keyring.seal

    def noting(keyring, content_type, data, signer):
        seen.append(data)
        return seal(keyring, content_type, data, signer)

    Keyring.seal = noting
    try:
        start_worker(app)
        assert pay.delay(SECRET).get(timeout=10) == SECRET
        assert app.control.ping(timeout=5, limit=1)
        wait_until(lambda: any(b"task-succeeded" in data for data in seen))
    finally:
        Keyring.seal = seal
    said = b"\n".join(seen)
    for word in (b"task-received", b'"status": "SUCCESS"', b'"method": "ping"', b'"ok": "pong"'):
        assert word.replace(b": ", b":") in said.replace(b": ", b":")


def test_keys_are_replaced_one_by_one(make_sealing, keys):
    # Given a fleet with one key
    old = make_sealing().serializers.get("auth")
    # When a second one has come to all, and some seal with it
    (keys / "2027.key").write_bytes(base64.b64encode(os.urandom(32)))
    new = make_sealing("2027").serializers.get("auth")
    old.content._keyring.refresh()
    old.content.trust.store.refresh()
    # Then each reads what the other has sealed
    assert old.loads(new.dumps(SECRET)) == SECRET
    assert new.loads(old.dumps(SECRET)) == SECRET
    # And when the first one is gone, what it has sealed cannot be read
    (keys / "2026.key").unlink()
    new.content._keyring.refresh()
    with pytest.raises(SecurityError, match="sealed with the key '2026', which is not among"):
        new.loads(old.dumps(SECRET))


def test_who_has_no_key_or_another_one_of_that_id_reads_nothing(make_sealing, make_app, make_signer, keys):
    signer = make_signer("reader")
    sealed = make_sealing().serializers.get("auth").dumps(SECRET)
    with pytest.raises(SecurityError, match="set security_encrypt"):
        make_app(signer).serializers.get("auth").loads(sealed)
    (keys / "2026.key").write_bytes(base64.b64encode(os.urandom(32)))
    with pytest.raises(SecurityError, match="sealed with another key of the id '2026', or altered"):
        make_sealing().serializers.get("auth").loads(sealed)


def test_what_is_only_signed_is_still_read_so_that_a_fleet_can_move_over(make_sealing, make_app, make_signer):
    plain = make_app(make_signer("before")).serializers.get("auth").dumps(SECRET)
    assert make_sealing().serializers.get("auth").loads(plain) == SECRET


def test_a_seal_is_of_one_signer_and_cannot_be_cut_or_changed(keys):
    keyring = Keyring(str(keys), "2026")
    sealed = keyring.seal("application/json", b"[]", "one 1")
    assert keyring.unseal(sealed, "one 1") == ("application/json", b"[]")
    with pytest.raises(SecurityError):
        keyring.unseal(sealed, "other 2")
    for end in range(len(sealed)):
        with pytest.raises((SecurityError, ProtocolError)):
            keyring.unseal(sealed[:end], "one 1")
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises((SecurityError, ProtocolError)):
            keyring.unseal(bytes(changed), "one 1")


def test_a_word_is_never_sealed_twice_in_the_same_way(keys):
    keyring = Keyring(str(keys), "2026")
    assert len({keyring.seal("text/plain", b"", "one 1") for _ in range(100)}) == 100


@pytest.mark.parametrize("content", [b"", b"c2hvcnQ=", b"\xff" * 44, base64.b64encode(bytes(33)), b"A" * 5_000])
def test_a_file_that_holds_no_key_is_told_of_and_not_shown(make_sealing, keys, content):
    (keys / "2026.key").write_bytes(content)
    with pytest.raises(ImproperlyConfigured, match="security_encryption_keys cannot be used") as raised:
        make_sealing()
    assert "2026.key" in str(raised.value)
    assert content[:20].decode("latin-1") not in str(raised.value) or not content


def test_the_key_to_seal_with_must_be_there(make_sealing):
    with pytest.raises(ImproperlyConfigured, match=r"there is no 2030\.key"):
        make_sealing("2030")
