"""Published vectors: our signing strings are theirs, and our policy refuses what is weak in them."""

from __future__ import annotations

import base64
import re
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from federation.errors import BadSignature, NotSigned, Refused, UnknownKey, WeakCoverage
from federation.keys import PublicKey
from federation.multibase import decode_multikey, encode_multikey
from federation.signatures import Profile, SignedMessage, check_digest, read_claim
from federation.signatures.cavage import COVERED_GET, signing_string
from federation.signatures.encoding import decode_base64
from federation.signatures.rfc9421 import signature_base
from federation.uri import Uri
from tests.federation.signatures.make import HERE, check, ed25519_key, raw, rsa_key, signed_headers
from tests.federation.signatures.vectors import load, needs_vectors, structured_fields

CAVAGE = load("signatures/cavage-draft12-appendix-c.json")
RFC9421 = load("signatures/rfc9421-appendix-b.json")
CCG = load("signatures/w3c-ccg-inputs.json")
KEY_ID = Uri.parse("https://example.com/actor#main-key")
OWNER = Uri.parse("https://example.com/actor")

each_cavage = pytest.mark.parametrize("case", CAVAGE["cases"], ids=lambda case: case["id"])
each_rfc9421 = pytest.mark.parametrize("case", RFC9421["cases"], ids=lambda case: case["id"])
each_ccg = pytest.mark.parametrize("case", CCG["cases"], ids=lambda case: case["id"])


def message_of(case) -> SignedMessage:
    """The case as our server would have seen it; a response is read as if it were a request."""
    url = urlsplit(case["url"])
    target = url.path + (f"?{url.query}" if url.query else "")
    message = SignedMessage.from_raw(
        case["method"] or "POST", f"{url.scheme}://{url.netloc}", target, raw((n, v) for n, v in case["headers"])
    )
    return message.with_body(base64.b64decode(case["body_b64"]))


def parameter(case, name: str) -> str | None:
    """A quoted parameter of the case's signature, found without our parser."""
    signature = dict(case["headers"]).get("Signature") or dict(case["headers"])["Authorization"]
    found = signature.partition(f'{name}="')[2].partition('"')[0]
    return found or None


def covered_of(case) -> tuple[str, ...]:
    """What the case's signature really covers: the draft prints two names its own signature leaves out."""
    listed = (parameter(case, "headers") or "date").split(" ")
    return tuple(name for name in listed if name not in ("(created)", "(expires)"))


@needs_vectors
@each_cavage
def test_cavage_signing_strings_agree(case):
    """The signing string of each example of draft 12 and of httpsig's tests is ours, and its signature fits it."""
    message = message_of(case)
    text = signing_string(message.headers, covered_of(case), message.method, message.target)
    key = load_pem_public_key(CAVAGE["keys"][parameter(case, "keyId")]["public_pem"].encode())

    if "signing_string" in case:
        assert case["signing_string"].encode() == text
    key.verify(decode_base64(parameter(case, "signature") or ""), text, PKCS1v15(), SHA256())


@needs_vectors
@each_cavage
def test_cavage_examples_are_refused_as_they_stand(case):
    """The draft's key id is no address and its key too small; the weak ones fall to coverage when both are mended."""
    message = message_of(case)
    expected = BadSignature if "signature" in message.headers else NotSigned
    with pytest.raises(expected):
        read_claim(message)
    if expected is NotSigned:
        return

    address = re.sub(r'keyId="\w+"', f'keyId="{KEY_ID}"', message.headers["signature"])
    headers = {**message.headers, "signature": address}
    message = SignedMessage(message.method, message.origin, message.target, headers, message.body)

    if case.get("weak"):
        with pytest.raises(WeakCoverage):
            read_claim(message)
    elif case["expect"] == "reject":
        with pytest.raises(BadSignature):
            read_claim(message)
    else:
        claim = read_claim(message)

        assert set(COVERED_GET) < set(claim.covered)
        assert None is check_digest(message, claim)


@needs_vectors
@pytest.mark.parametrize("name", sorted(CAVAGE["keys"]))
def test_the_drafts_key_is_too_small(name):
    """RSA-1024 is no key of a sibling."""
    with pytest.raises(UnknownKey):
        PublicKey.from_pem(KEY_ID, OWNER, CAVAGE["keys"][name]["public_pem"])


@needs_vectors
@each_rfc9421
def test_rfc_9421_signature_bases_agree(case):
    """The signature base of each example of appendix B that our components can express is ours to the byte."""
    message = message_of(case)
    params = message.headers["signature-input"].partition("=")[2]
    covered = tuple(params[1:].partition(")")[0].replace('"', "").split())

    if case["status"] is not None or any(";" in name for name in covered):
        # Responses and component parameters are outside the profile: there is no base, only a refusal.
        with pytest.raises(BadSignature):
            signature_base(message, covered, params)
    else:
        assert case["signature_base"].encode() == signature_base(message, covered, params)


@needs_vectors
def test_the_ed25519_example_verifies():
    """Example B.2.6, the algorithm of the fediverse, verifies under its published key."""
    (case,) = (case for case in RFC9421["cases"] if case["id"] == "rfc9421-b26")
    key = load_pem_public_key(RFC9421["keys"]["test-key-ed25519"]["public_pem"].encode())
    mine = PublicKey.from_multikey(KEY_ID, OWNER, encode_multikey(key.public_bytes_raw()))
    message = message_of(case)
    params = message.headers["signature-input"].partition("=")[2]
    covered = tuple(params[1:].partition(")")[0].replace('"', "").split())
    signature = decode_base64(message.headers["signature"].partition("=:")[2][:-1])
    base = signature_base(message, covered, params)

    assert mine.verifies(signature, base)
    assert not mine.verifies(signature, base + b" ")


@needs_vectors
@each_rfc9421
def test_rfc_9421_examples_are_refused(case):
    """None of the examples meets the profile: each leaves out the target, and names no algorithm."""
    with pytest.raises((BadSignature, WeakCoverage)):
        read_claim(message_of(case))


@needs_vectors
@pytest.mark.parametrize("name", sorted(RFC9421["keys"]) + sorted(f"ccg {name}" for name in CCG["keys"]))
def test_only_rsa_of_enough_bits_comes_as_pem(name):
    """Of the published keys the RSA-2048 ones are read; curves, Ed25519 in PEM and secrets are not."""
    keys = {**RFC9421["keys"], **{f"ccg {name}": key for name, key in CCG["keys"].items()}}
    pem = keys[name].get("public_pem")

    if name in ("test-key-rsa", "test-key-rsa-pss"):
        assert "rsa" == PublicKey.from_pem(KEY_ID, OWNER, pem).algorithm
    else:
        with pytest.raises(UnknownKey):
            PublicKey.from_pem(KEY_ID, OWNER, pem)
    if "private_pem" in keys[name]:
        with pytest.raises(UnknownKey):
            PublicKey.from_pem(KEY_ID, OWNER, keys[name]["private_pem"])


@needs_vectors
@each_ccg
@pytest.mark.parametrize("header", ["Authorization", "Signature"])
def test_ccg_inputs_are_refused(case, header):
    """Inputs of the Community Group's suite, where they stand and moved to Signature: refused, nothing else."""
    moved = [(header if name == "Authorization" else name, value) for name, value in case["headers"]]
    moved = [(name, value.removeprefix("Signature ") if name == "Signature" else value) for name, value in moved]

    with pytest.raises(Refused):
        check(message_of({**case, "headers": moved}), rsa_key())


@needs_vectors
@pytest.mark.parametrize("case", structured_fields())
def test_structured_fields_are_read_or_refused(case):
    """Whatever a structured field looks like: as any of our three headers it is refused, or means what it says."""
    value = ", ".join(case["raw"]).encode("utf-8", "surrogatepass")
    good = {name.lower(): text for name, text in signed_headers(b"", profile=Profile.RFC9421).items()}

    for name in ("signature-input", "signature", "content-digest", "digest"):
        fields = [(n.encode(), t.encode()) for n, t in good.items() if n != name] + [(name.encode(), value)]
        with pytest.raises(Refused):
            check(SignedMessage.from_raw("POST", HERE, "/inbox", fields), ed25519_key())


@needs_vectors
@pytest.mark.parametrize("case", load("proofs/fep-521a-multikey.json")["cases"], ids=lambda case: case["kind"])
def test_multikeys_of_fep_521a(case):
    """The proposal's Ed25519 key is read and written as printed; its RSA key is none of ours in this form."""
    text = case["multikey"]["publicKeyMultibase"]

    if case["kind"].startswith("ed25519"):
        key = PublicKey.from_multikey(KEY_ID, OWNER, text)

        assert (case["hex"], text) == (decode_multikey(text).hex(), key.multikey)
    else:
        with pytest.raises(UnknownKey):
            PublicKey.from_multikey(KEY_ID, OWNER, text)
