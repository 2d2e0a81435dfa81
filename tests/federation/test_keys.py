"""Keys: what is accepted, how they are written, and how they change."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from federation.errors import UnknownKey
from federation.keys import (
    DROP_AFTER,
    SIGN_AFTER,
    KeyRing,
    Overlap,
    PrivateKey,
    PublicKey,
    make_ed25519,
    make_rsa,
    overlap,
    published,
    rotate,
    signing_key,
    start_ring,
    without_dropped,
)
from federation.multibase import encode_multibase
from federation.uri import Uri
from tests.federation.signatures.make import ed25519_key, rsa_key

OWNER = Uri.parse("https://fr.example/doctors/marie")
KEY_ID = Uri.parse("https://fr.example/doctors/marie#main-key")
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def public_pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def private_pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def test_an_rsa_key_is_read_from_its_pem():
    """The PEM we publish is the key a sibling reads, in both of its spellings."""
    key = rsa_key().public()
    pkcs1 = key.key.public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()

    assert key == PublicKey.from_pem(key.id, key.owner, key.pem)
    assert key == PublicKey.from_pem(key.id, key.owner, key.pem.replace("\n", "\r\n"))
    assert key == PublicKey.from_pem(key.id, key.owner, pkcs1)


def test_an_ed25519_key_is_read_from_its_multikey():
    """The Multikey we publish is the key a sibling reads."""
    key = ed25519_key().public()

    assert key == PublicKey.from_multikey(key.id, key.owner, key.multikey)
    assert "ed25519" == key.algorithm


def test_a_stored_key_is_read_again():
    """What `spki` wrote, `from_spki` reads, and the pinned fingerprint is the same."""
    for key in (rsa_key().public(), ed25519_key().public()):
        again = PublicKey.from_spki(key.id, key.owner, key.spki)

        assert key == again
        assert key.fingerprint == again.fingerprint


def test_the_fingerprint_is_that_of_the_public_key_info():
    """An administrator compares `sha256:` and 64 hexadecimal digits, of the key alone."""
    key = rsa_key().public()
    renamed = PublicKey.from_pem(Uri.parse("https://it.example/actor#k"), OWNER, key.pem)

    assert key.fingerprint == renamed.fingerprint
    assert (7 + 64, "sha256:") == (len(key.fingerprint), key.fingerprint[:7])
    assert key.fingerprint != ed25519_key().public().fingerprint


WEAK = rsa.generate_private_key(65537, 1024)
CURVE = ec.generate_private_key(ec.SECP256R1())
GOOD_PEM = rsa_key().public().pem
FORBIDDEN_PEM = {
    "RSA-1024": public_pem(WEAK),
    "RSA-4097": public_pem(rsa.generate_private_key(65537, 2048)).replace("MIIB", "MIIC"),
    "e=3": public_pem(rsa.generate_private_key(3, 2048)),
    "EC": public_pem(CURVE),
    "Ed25519 in PEM": public_pem(Ed25519PrivateKey.generate()),
    "a private key": private_pem(WEAK),
    "a private key behind the public one": GOOD_PEM + private_pem(WEAK),
    "two keys": GOOD_PEM + GOOD_PEM,
    "a certificate": GOOD_PEM.replace("PUBLIC KEY", "CERTIFICATE"),
    "an empty text": "",
    "garbage": "-----BEGIN PUBLIC KEY-----\n" + "A" * 400 + "\n-----END PUBLIC KEY-----\n",
    "short garbage": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    "a text cut off": GOOD_PEM[:200],
    "not ASCII": "\u00a0" + GOOD_PEM,
    "a megabyte": GOOD_PEM + "\n" * 1_000_000,
    "no text": None,
    "bytes": GOOD_PEM.encode(),
    "a list": [GOOD_PEM],
}


@pytest.mark.parametrize("what", FORBIDDEN_PEM)
def test_other_pem_is_refused_quickly(what):
    """A31: keys that are weak, of another kind, secret or broken are UnknownKey within a second."""
    began = time.monotonic()

    with pytest.raises(UnknownKey):
        PublicKey.from_pem(KEY_ID, OWNER, FORBIDDEN_PEM[what])
    assert time.monotonic() - began < 1


def test_a_modulus_beyond_4096_bits_is_refused_quickly():
    """A31: a huge modulus costs us nothing."""
    numbers = rsa.RSAPublicNumbers(65537, (1 << 4200) + 7)
    pem = numbers.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    began = time.monotonic()

    with pytest.raises(UnknownKey):
        PublicKey.from_pem(KEY_ID, OWNER, pem)
    assert time.monotonic() - began < 1


def test_4096_bits_are_accepted():
    """The largest size accepted is accepted."""
    numbers = rsa.RSAPublicNumbers(65537, (1 << 4095) + 7)
    pem = numbers.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    assert "rsa" == PublicKey.from_pem(KEY_ID, OWNER, pem).algorithm


ANYBODYS_POINTS = [
    bytes(32),
    (1).to_bytes(32, "little"),
    (2**255 - 20).to_bytes(32, "little"),
    (2**255 - 19).to_bytes(32, "little"),
    (2**255 - 18).to_bytes(32, "little"),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"),
]


@pytest.mark.parametrize("raw", ANYBODYS_POINTS, ids=lambda raw: raw.hex()[:12])
def test_a_key_that_anybody_could_sign_for_is_refused(raw):
    """An Ed25519 point of small order, or written in a second way, is no key."""
    spki = bytes.fromhex("302a300506032b6570032100") + raw

    with pytest.raises(UnknownKey):
        PublicKey.from_multikey(KEY_ID, OWNER, encode_multibase(b"\xed\x01" + raw))
    with pytest.raises(UnknownKey):
        PublicKey.from_spki(KEY_ID, OWNER, spki)


@pytest.mark.parametrize(
    "multikey",
    [
        None,
        7,
        "",
        "z",
        "z0OIl",
        "u7QEB",
        "z6Mk",
        ed25519_key().public().multikey + "1",
        ed25519_key().public().multikey[1:],
        encode_multibase(b"\xec\x01" + bytes(range(32))),
        encode_multibase(b"\xed\x01" + bytes(range(31))),
        "z" + "2" * 100_000,
    ],
    ids=range(12),
)
def test_other_multikeys_are_refused(multikey):
    """Whatever is not the Multikey of an Ed25519 key is UnknownKey."""
    with pytest.raises(UnknownKey):
        PublicKey.from_multikey(KEY_ID, OWNER, multikey)


def test_stored_bytes_that_are_no_key_are_refused():
    """Neither noise nor a key of another kind comes out of the store as a key."""
    curve = CURVE.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    weak = WEAK.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    for spki in (b"", b"noise", curve, weak):
        with pytest.raises(UnknownKey):
            PublicKey.from_spki(KEY_ID, OWNER, spki)


def test_an_rsa_key_has_no_multikey():
    """RSA keys travel as PEM."""
    with pytest.raises(ValueError):
        rsa_key().public().multikey  # noqa: B018


def test_a_private_key_comes_back_from_the_vault():
    """What `to_pem` wrote, `from_pem` reads, and it signs for the same public key."""
    for key in (rsa_key(), ed25519_key()):
        again = PrivateKey.from_pem(key.id, key.owner, key.to_pem())

        assert key.public() == again.public()
        assert key.public().verifies(again.sign(b"data"), b"data")
        assert not key.public().verifies(again.sign(b"data"), b"other data")


def test_other_bytes_are_no_private_key():
    """The vault gives back a key of ours or nothing."""
    curve = CURVE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    weak = WEAK.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    for pem in (b"", b"noise", rsa_key().public().pem.encode(), curve, weak):
        with pytest.raises(UnknownKey):
            PrivateKey.from_pem(KEY_ID, OWNER, pem)


def test_we_make_rsa_of_3072_bits():
    """A key we make has 128-bit strength and the usual exponent."""
    key = make_rsa(KEY_ID, OWNER).public().key

    assert isinstance(key, rsa.RSAPublicKey)
    assert (3072, 65537) == (key.key_size, key.public_numbers().e)


def test_a_key_does_not_show_itself():
    """The representation of a key, as a log might print it, holds neither half."""
    key = ed25519_key()
    secret = key.key.private_bytes_raw()

    assert secret.hex() not in repr(key)
    assert repr(secret)[2:-1] not in repr(key)
    assert "object at" not in repr(key)


# ---------------------------------------------------------------- rotation


def new_key(number: int, owner: Uri = OWNER) -> PrivateKey:
    return make_ed25519(Uri.parse(f"{owner}#key-{number}"), owner)


def test_rotation_overlaps():
    """A30: new beside old at once, the new one signs after ten minutes, the old one goes after 24 hours."""
    old, new = new_key(1), new_key(2)
    ring = rotate(start_ring(old, NOW - timedelta(days=90)), new, NOW)
    second = timedelta(seconds=1)

    assert old == signing_key(ring, NOW)
    assert (new.public(), old.public()) == published(ring, NOW)
    assert old == signing_key(ring, NOW + SIGN_AFTER - second)
    assert new == signing_key(ring, NOW + SIGN_AFTER)
    assert (new.public(), old.public()) == published(ring, NOW + DROP_AFTER - second)
    assert (new.public(),) == published(ring, NOW + DROP_AFTER)
    assert 1 == len(without_dropped(ring, NOW + DROP_AFTER).keys)


@pytest.mark.parametrize(
    ("wait", "signs", "drops"),
    [
        (timedelta(0), timedelta(minutes=10), timedelta(hours=24)),
        (timedelta(minutes=10), timedelta(minutes=10), timedelta(hours=24)),
        (timedelta(days=1), timedelta(days=1), timedelta(hours=47, minutes=50)),
    ],
)
def test_an_overlap_is_as_long_as_asked_and_never_shorter(wait, signs, drops):
    """New keys wait ten minutes at least; the old outlive their beginning by the same time, however long it was."""
    assert Overlap(NOW + signs, NOW + drops) == overlap(NOW, wait)


def test_a_second_rotation_during_the_first_leaves_no_gap():
    """At each moment of two rotations in a row there is a key that signs, and it is published."""
    ring = start_ring(new_key(1), NOW)
    ring = rotate(ring, new_key(2), NOW + timedelta(days=1))
    ring = rotate(ring, new_key(3), NOW + timedelta(days=1, minutes=5))

    for minutes in range(0, 3 * 24 * 60, 5):
        moment = NOW + timedelta(days=1, minutes=5 + minutes)

        assert signing_key(ring, moment).public() in published(ring, moment)
    assert (ring.keys[-1].key.public(),) == published(ring, NOW + timedelta(days=3))


def test_an_empty_ring_signs_nothing():
    """Without a key there is no signature, and nothing to publish; a first key signs at once."""
    first = new_key(1)

    with pytest.raises(LookupError):
        signing_key(KeyRing(), NOW)
    with pytest.raises(LookupError):
        signing_key(start_ring(first, NOW), NOW - timedelta(seconds=1))
    assert () == published(KeyRing(), NOW)
    assert first == signing_key(rotate(KeyRing(), first, NOW), NOW)


def test_a_ring_has_one_owner_and_no_id_twice():
    """Keys of two doctors, of two algorithms, or under one id do not share a ring."""
    ring = start_ring(new_key(1), NOW)

    for other in (new_key(2, Uri.parse("https://fr.example/doctors/paul")), rsa_key(OWNER), new_key(1)):
        with pytest.raises(ValueError):
            rotate(ring, other, NOW)
