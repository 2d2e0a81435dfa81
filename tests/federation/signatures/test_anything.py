"""Whatever arrives, the answer is a proof or a Refused, never another exception."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from federation.errors import Refused, UnknownKey
from federation.keys import PublicKey
from federation.multibase import decode_base58, decode_multibase, encode_base58, encode_multibase
from federation.signatures import Profile, SignedMessage, Verified, check_digest, check_window, read_claim, verify
from federation.signatures.encoding import decode_base64, encode_base64
from tests.examples import examples
from tests.federation.signatures.make import BODY, HERE, MARIE, NOW, ed25519_key, raw, rsa_key, signed_headers

KEYS = (rsa_key(), ed25519_key())
GOOD = [
    raw(signed_headers(body, profile=profile, key=key))
    for body in (BODY, None)
    for profile in Profile
    for key in KEYS
    if not (profile is Profile.CAVAGE and key.algorithm == "ed25519")
]
NAMES = sorted({name for headers in GOOD for name, _ in headers} | {b"authorization", b"content-encoding", b"via"})
PIECES = [
    *sorted({piece for headers in GOOD for _, value in headers for piece in value.split(b"=")}),
    *(b'"', b",", b";", b":", b"=", b"\\", b"%", b"(", b")", b" ", b"(created)", b"created=1", b"9" * 20),
]

values = st.binary(max_size=40) | st.lists(st.sampled_from(PIECES), max_size=8).map(b"".join)
fields = st.tuples(st.sampled_from(NAMES) | st.binary(max_size=12), values)


@st.composite
def nearly_good(draw) -> list[tuple[bytes, bytes]]:
    """A signed message with a few cuts: a field dropped, doubled, replaced, or a slice of its value exchanged."""
    headers = list(draw(st.sampled_from(GOOD)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(headers) - 1))
        name, value = headers[at]
        start = draw(st.integers(0, len(value)))
        end = draw(st.integers(start, min(len(value), start + 12)))
        headers[at] = (name, value[:start] + draw(values) + value[end:])
        if draw(st.booleans()):
            headers.insert(draw(st.integers(0, len(headers))), draw(fields))
        if draw(st.integers(0, 5)) == 0 and len(headers) > 1:
            del headers[draw(st.integers(0, len(headers) - 1))]
    return headers


thorough = settings(max_examples=examples(400), deadline=None, suppress_health_check=[HealthCheck.too_slow])


def through_every_step(headers, method, target, body, key) -> Verified:
    """The door's order, each step once."""
    message = SignedMessage.from_raw(method, HERE, target, headers)
    claim = read_claim(message)
    check_window(claim, message, NOW)
    message = message.with_body(body)
    check_digest(message, claim)
    return verify(message, claim, key.public(), NOW)


@thorough
@given(
    headers=st.lists(fields, max_size=12) | nearly_good(),
    method=st.sampled_from(["POST", "GET", "HEAD", "DELETE"]) | st.text(max_size=6),
    target=st.sampled_from(["/inbox", "/", "/inbox?x"]) | st.text(max_size=10),
    body=st.sampled_from([BODY, b""]) | st.binary(max_size=20),
    key=st.sampled_from(KEYS),
)
def test_any_message_is_proof_or_refused(headers, method, target, body, key):
    """Any list of headers, method, target and body: Verified by the key's owner, or Refused."""
    try:
        proof = through_every_step(headers, method, target, body, key)
    except Refused as refusal:
        status = refusal.http_status
    else:
        status = 202

        assert (MARIE, body) == (proof.signer, proof.body)
        assert ("/inbox", True) == (target, method in ("POST", "GET"))
    assert 200 <= status < 500


@thorough
@given(headers=nearly_good(), key=st.sampled_from(KEYS))
def test_nearly_good_is_proof_only_when_it_says_the_same(headers, key):
    """A message cut at random is refused, unless every covered part still is what was signed."""
    try:
        proof = through_every_step(headers, "POST", "/inbox", BODY, key)
    except Refused:
        return
    kept = {name.strip().lower(): value.strip(b" \t") for name, value in headers}
    originals = [dict(good) for good in GOOD]

    assert BODY == proof.body
    assert any(
        all(kept.get(name) == good[name] for name in (b"host", b"digest", b"content-digest") if name in good)
        for good in originals
    )


@given(st.text(max_size=300) | st.binary(max_size=50) | st.integers() | st.none())
def test_any_key_is_read_or_unknown(text):
    """Any value where a key should be: a key, or UnknownKey."""
    for read in (PublicKey.from_pem, PublicKey.from_multikey):
        try:
            read(rsa_key().id, MARIE, text)
        except UnknownKey:
            continue


@given(st.binary(max_size=80))
def test_base58_and_base64_come_back(data):
    """What was written is read again, leading zeros too."""
    assert data == decode_base58(encode_base58(data))
    assert data == decode_base64(encode_base64(data))
    if data:
        assert data == decode_multibase(encode_multibase(data))


@given(st.text("ABCDabcd0189+/=\n -_é", max_size=12))
def test_base64_has_one_spelling(text):
    """A text is read only if it is the one spelling of its value."""
    try:
        data = decode_base64(text)
    except ValueError:
        return

    assert text == encode_base64(data)


@given(st.text(max_size=30))
def test_base58_has_one_spelling(text):
    """The same for base58."""
    try:
        data = decode_base58(text)
    except ValueError:
        return

    assert text == encode_base58(data)
