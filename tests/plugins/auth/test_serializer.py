"""Signed content: what is read back, and what a stranger can make of it, which is nothing."""

from __future__ import annotations

import random
from base64 import b64decode, b64encode

import pytest

from celeriac.exceptions import ProtocolError, SecurityError

VALUE = [[1, "zwölf"], {"a": None}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
SEPARATOR = b"\x00\x01"


def parts_of(data):
    signer, signature, content_type, encoding, body = b64decode(data).split(SEPARATOR, 4)
    return [b64decode(signer), b64decode(signature), content_type, encoding, body]


def from_parts(parts):
    signer, signature, *rest = parts
    return b64encode(SEPARATOR.join([b64encode(signer), b64encode(signature), *rest]))


@pytest.mark.parametrize("kind", ["rsa", "ec", "ed25519", "ed448"])
def test_what_one_signs_another_reads(make_app, make_signer, kind):
    # Given two signers who trust each other, with keys of any kind
    signers = make_signer(kind=kind), make_signer("other")
    one, other = (make_app(signer) for signer in signers)
    # Then each reads the other
    assert other.serializers.get("auth").loads(one.serializers.get("auth").dumps(VALUE)) == VALUE
    assert one.serializers.get("auth").loads(other.serializers.get("auth").dumps(VALUE)) == VALUE


@pytest.mark.parametrize("digest", ["sha256", "sha512", "SHA-384", "sha3_256"])
def test_the_digest_is_what_the_setting_says(make_app, make_signer, digest):
    app = make_app(make_signer(kind="rsa"), security_digest=digest)
    assert app.serializers.get("auth").loads(app.serializers.get("auth").dumps(VALUE)) == VALUE


def test_another_digest_than_that_of_the_setting_is_not_believed(make_app, make_signer):
    signer = make_signer(kind="rsa")
    data = make_app(signer, security_digest="sha512").serializers.get("auth").dumps(VALUE)
    with pytest.raises(SecurityError):
        make_app(signer).serializers.get("auth").loads(data)


@pytest.mark.parametrize("wire", ["5.5", "5.4"])
def test_content_that_is_cut_short_anywhere_is_refused(make_app, make_signer, wire):
    app = make_app(make_signer(kind="rsa"), security_wire_format=wire)
    auth = app.serializers.get("auth")
    data = auth.dumps(VALUE)
    plain = b64decode(data)
    assert auth.loads(data) == VALUE
    for end in range(len(data)):
        with pytest.raises((ProtocolError, SecurityError)):
            auth.loads(data[:end])
    for end in range(len(plain)):
        with pytest.raises((ProtocolError, SecurityError)):
            auth.loads(b64encode(plain[:end]))


def test_a_flipped_bit_anywhere_in_who_signed_what_is_refused(app):
    auth = app.serializers.get("auth")
    parts = parts_of(auth.dumps(VALUE))
    for index in (0, 1, 4):
        for place in range(len(parts[index])):
            changed = bytearray(parts[index])
            changed[place] ^= 1 << random.randrange(8)
            with pytest.raises((ProtocolError, SecurityError)):
                auth.loads(from_parts([*parts[:index], bytes(changed), *parts[index + 1 :]]))


def test_noise_raises_nothing_but_what_the_contract_names(app):
    auth = app.serializers.get("auth")
    chosen = random.Random(7)
    for _ in range(500):
        noise = chosen.randbytes(chosen.randrange(200))
        for data in (noise, b64encode(noise), b64encode(SEPARATOR.join([noise] * 5))):
            with pytest.raises((ProtocolError, SecurityError)):
                auth.loads(data)


def test_a_body_under_the_signature_of_another_body_is_refused(app):
    auth = app.serializers.get("auth")
    one, other = parts_of(auth.dumps(VALUE)), parts_of(auth.dumps([[2], {}, {}]))
    with pytest.raises(SecurityError, match="altered"):
        auth.loads(from_parts([*one[:4], other[4]]))


def test_a_swapped_signer_is_refused(make_app, make_signer):
    one, other = make_signer(), make_signer("other")
    auth = make_app(one).serializers.get("auth")
    parts = parts_of(auth.dumps(VALUE))
    with pytest.raises(SecurityError, match="the signature is not that of 'other"):
        auth.loads(from_parts([other.id.encode(), *parts[1:]]))


def test_a_stranger_is_refused_also_under_the_name_and_number_of_one_who_is_trusted(make_app, make_signer):
    # Given somebody who is trusted
    known = make_signer()
    auth = make_app(known).serializers.get("auth")
    # And two who have signed their certificates themselves, one with the same name and serial number
    stranger = make_signer("stranger", trusted=False)
    impostor = make_signer("worker", serial=known.cert.serial_number, trusted=False)
    assert impostor.id == known.id
    # Then neither is believed
    with pytest.raises(SecurityError, match="nobody here trusts 'stranger"):
        auth.loads(make_app(stranger).serializers.get("auth").dumps(VALUE))
    with pytest.raises(SecurityError, match="the signature is not that of"):
        auth.loads(make_app(impostor).serializers.get("auth").dumps(VALUE))


@pytest.mark.parametrize(
    ("times", "said"),
    [({"begins": -9, "ends": -1}, "has expired on"), ({"begins": 1, "ends": 9}, "is not valid before")],
)
def test_a_certificate_counts_only_in_its_time(make_app, make_signer, times, said):
    late = make_signer("late", **times)
    reader = make_app()
    content = reader.serializers.get("auth").content
    body = b"[]"
    with pytest.raises(SecurityError, match=said):
        content.trust.verify(late.id, body, late.key.sign(body))


def test_the_type_of_signed_content_cannot_be_changed_to_one_that_is_not_read(app):
    auth = app.serializers.get("auth")
    parts = parts_of(auth.dumps(VALUE))
    for content_type in (b"application/x-python-serialize", b"application/x-yaml", b"application/data", b""):
        with pytest.raises(SecurityError, match="signed content of type"):
            auth.loads(from_parts([parts[0], parts[1], content_type, *parts[3:]]))


def test_the_old_form_is_read_only_where_it_is_asked_for(make_app, make_signer):
    signer = make_signer(kind="rsa")
    old = make_app(signer, security_wire_format="5.4").serializers.get("auth")
    new = make_app(signer).serializers.get("auth")
    assert old.loads(new.dumps(VALUE)) == VALUE
    with pytest.raises(ProtocolError):
        new.loads(old.dumps(VALUE))


def test_the_old_form_needs_a_key_whose_signatures_have_one_size(make_app, make_signer):
    signer = make_signer(kind="ec")
    old = make_app(signer, security_wire_format="5.4").serializers.get("auth")
    with pytest.raises(SecurityError, match="need an RSA key"):
        old.loads(old.dumps(VALUE))
