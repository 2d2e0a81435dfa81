"""Attacks on what a signature covers; numbers as in the list of attacks, each with what is let in beside it."""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta

import pytest

from federation.errors import (
    BadSignature,
    DigestMismatch,
    NotSigned,
    Refused,
    WeakCoverage,
    WrongHost,
)
from federation.signatures import (
    Profile,
    content_digest,
    digest_header,
    http_date,
    read_claim,
)
from federation.signatures.cavage import COVERED_GET, COVERED_POST
from federation.uri import Uri
from tests.federation.signatures.make import (
    BODY,
    CREATED,
    MARIE,
    NOW,
    PROFILES,
    STRONG_9421,
    changed,
    check,
    ed25519_key,
    key_for,
    params,
    received,
    refused,
    resigned,
    resigned_9421,
    rsa_key,
    signed_headers,
    verified,
)

# ------------------------------------------------------------ what is let in


@PROFILES
def test_a_signed_message_is_proof(profile):
    """What a sibling signs as we do is verified, and the proof names signer, key, body and profile."""
    proof = verified(profile=profile)

    assert (MARIE, key_for(profile).id) == (proof.signer, proof.key_id)
    assert (BODY, profile) == (proof.body, proof.profile)


@PROFILES
def test_a_signed_get_is_proof(profile):
    """Authorised fetch: a GET covers target and, under cavage, host and date."""
    url = Uri.parse("https://de.example/posts/1?page=2")
    headers = signed_headers(None, profile=profile, url=url)
    key = key_for(profile)

    assert MARIE == check(received(headers, None, target=url.target), key).signer
    refused(BadSignature, headers, key, None, target="/posts/2?page=2")


def test_rsa_under_rfc_9421_is_proof():
    """RFC 9421 takes RSA keys too."""
    assert Profile.RFC9421 is verified(profile=Profile.RFC9421, key=rsa_key()).profile


def test_fedifys_form_is_proof():
    """Fedify covers authority, host and date as well, and no content type, with an RSA key."""
    key = rsa_key()
    covered = ("@method", "@target-uri", "@authority", "host", "date", "content-digest")
    headers = resigned_9421(signed_headers(profile=Profile.RFC9421), covered, key, params=params(key))

    assert MARIE == check(received(headers), key).signer


def test_further_parameters_are_allowed():
    """RFC 9421: expires, nonce and tag may be given, escapes in them included."""
    key = ed25519_key()
    more = f';expires={CREATED + 60};nonce="a\\"b\\\\c";tag="fediverse"'
    headers = resigned_9421(
        signed_headers(profile=Profile.RFC9421), STRONG_9421, key, params=params(key, more=more), label="*x-1.y_z"
    )
    claim = read_claim(received(headers))

    assert (CREATED, CREATED + 60) == (claim.created, claim.expires)
    assert MARIE == check(received(headers), key).signer


@pytest.mark.parametrize("label", [None, "hs2019"])
def test_cavage_with_created_and_expires_is_proof(label):
    """Draft 12 puts (created) and (expires) into the signing string; both are checked."""
    covered = ("(request-target)", "(created)", "(expires)", "host", "date", "digest")
    headers = resigned(signed_headers(), covered, rsa_key(), label, created=CREATED, expires=CREATED + 60)

    assert MARIE == check(received(headers), rsa_key()).signer


def test_a_peer_may_cover_more():
    """Cavage: further fields may be covered as long as they are there, once."""
    headers = {**signed_headers(), "Content-Length": str(len(BODY)), "Via": "1.1 proxy"}
    signed = resigned(headers, (*COVERED_POST, "content-type", "content-length", "via"), rsa_key())

    assert MARIE == check(received(signed), rsa_key()).signer
    refused(BadSignature, {**signed, "Via": "1.1 other"}, rsa_key())
    refused(BadSignature, [*signed.items(), ("Via", "1.1 second")], rsa_key())
    refused(BadSignature, changed(signed, via=None), rsa_key())


# ------------------------------------------------------------ A1 to A9


@PROFILES
def test_a1_a2_unsigned(profile):
    """A1, A2: a message without a signature is not_signed, whatever else it carries."""
    refused(NotSigned, changed(signed_headers(profile=profile), signature=None), key_for(profile))


def test_a1_a_signature_in_authorization_is_none():
    """A1: the draft's Authorization scheme is not one of our profiles; beside Signature it is a second signature."""
    headers = signed_headers()
    value = "Signature " + headers["Signature"]

    refused(NotSigned, changed(headers, signature=None, authorization=value), rsa_key())
    refused(BadSignature, changed(headers, authorization=value), rsa_key())


@PROFILES
def test_a3_another_body(profile):
    """A3: a body changed by one byte after signing is digest_mismatch."""
    headers = signed_headers(profile=profile)

    for body in (BODY + b" ", BODY[:-1], BODY.replace(b"1", b"2"), b""):
        refused(DigestMismatch, headers, key_for(profile), body)


@PROFILES
def test_a4_no_digest(profile):
    """A4: a message without the profile's digest header is refused, though it was covered."""
    headers = changed(signed_headers(profile=profile), digest=None, content_digest=None)

    refused(DigestMismatch, headers, key_for(profile))


def test_a4_the_other_profiles_digest_does_not_do():
    """A4: Content-Digest does not replace Digest, nor the reverse."""
    refused(DigestMismatch, changed(signed_headers(), digest=None, content_digest=content_digest(BODY)), rsa_key())
    refused(
        DigestMismatch,
        changed(signed_headers(profile=Profile.RFC9421), content_digest=None, digest=digest_header(BODY)),
        ed25519_key(),
    )


def test_a5_digest_not_covered():
    """A5: a digest that is there but not signed is weak_coverage."""
    key = ed25519_key()

    refused(WeakCoverage, resigned(signed_headers(), COVERED_GET, rsa_key()), rsa_key())
    refused(
        WeakCoverage,
        resigned_9421(
            signed_headers(profile=Profile.RFC9421), ("@method", "@target-uri", "content-type"), key, params=params(key)
        ),
        key,
    )


def b64(name: str, body: bytes = BODY) -> str:
    return base64.b64encode(hashlib.new(name, body, usedforsecurity=False).digest()).decode()


RIGHT = "SHA-256=" + b64("sha256")


@pytest.mark.parametrize(
    "digest",
    [
        f"{RIGHT},SHA-256={b64('sha256', b'other')}",
        f"SHA-256={b64('sha256', b'other')},{RIGHT}",
        f"{RIGHT},{RIGHT}",
        f"{RIGHT},sha-256={b64('sha256')}",
        f"{RIGHT},SHA-512={b64('sha512', b'other')}",
        f"{RIGHT},MD5={b64('md5', b'other')}",
        f"{RIGHT},SHA={b64('sha1', b'other')}",
        f"MD5={b64('md5')}",
        f"SHA={b64('sha1')}",
        f"SHA-512={b64('sha512')}",
        f"sha-384={b64('sha384')}",
        RIGHT.rstrip("="),
        RIGHT + "=",
        RIGHT + ",",
        "," + RIGHT,
        RIGHT.replace("SHA-256=", "SHA-256=:") + ":",
        RIGHT[:-2] + chr(ord(RIGHT[-2]) + 1) + "=",
        RIGHT.replace("=", " = ", 1),
        RIGHT + ";q=1",
        RIGHT + " x",
        "SHA-256",
        "SHA-256=",
        "",
    ],
)
def test_a6_a_digest_that_does_not_stand(digest):
    """A6: several that disagree, weak ones alone, and malformed ones are refused, though signed."""
    headers = changed(signed_headers(), digest=digest)

    refused(DigestMismatch, resigned(headers, COVERED_POST, rsa_key()), rsa_key())


@pytest.mark.parametrize(
    "digest",
    [
        RIGHT.replace("SHA", "sha"),
        f"{RIGHT},SHA-512={b64('sha512')}",
        f"SHA-512={b64('sha512')} , {RIGHT}",
        f"MD5={b64('md5')},SHA={b64('sha1')},{RIGHT}",
        f"{RIGHT},unixsum=30637",
    ],
)
def test_a6_digests_that_agree(digest):
    """The twin: several digests of the same body hold, one of them sha-256; an unknown algorithm says nothing."""
    headers = changed(signed_headers(), digest=digest)

    assert MARIE == check(received(resigned(headers, COVERED_POST, rsa_key())), rsa_key()).signer


@pytest.mark.parametrize(
    "digest",
    [
        f"sha-256=:{b64('sha256', b'other')}:",
        f"sha-512=:{b64('sha512')}:",
        f"sha-256=:{b64('sha256')}:, sha-512=:{b64('sha512', b'other')}:",
        f"sha-256=:{b64('sha256')}:, sha-256=:{b64('sha256')}:",
        f"SHA-256=:{b64('sha256')}:",
        f"sha-256={b64('sha256')}",
        f'sha-256="{b64("sha256")}"',
        f"sha-256=:{b64('sha256')}:,",
        f"sha-256=:{b64('sha256')}:;x",
        f"sha-256=:{b64('sha256').rstrip('=')}:",
        "sha-256=::",
        "sha-256",
        "",
    ],
)
def test_a6_a_content_digest_that_does_not_stand(digest):
    """A6: the same for Content-Digest."""
    key = ed25519_key()
    headers = changed(signed_headers(profile=Profile.RFC9421), content_digest=digest)

    refused(DigestMismatch, resigned_9421(headers, STRONG_9421, key, params=params(key)), key)


@PROFILES
def test_a6_the_other_digest_must_hold_too(profile):
    """A6: a second digest header that contradicts the body is refused; one that agrees is not."""
    headers, key = signed_headers(profile=profile), key_for(profile)
    right = {"Digest": digest_header(BODY), "Content-Digest": content_digest(BODY)}
    wrong = {"Digest": digest_header(b"other"), "Content-Digest": content_digest(b"other")}

    assert MARIE == check(received({**right, **headers}), key).signer
    refused(DigestMismatch, {**wrong, **headers}, key)


@PROFILES
def test_a6_a_get_with_a_digest(profile):
    """A6: a GET needs no digest, but one that is there must be that of its empty body."""
    headers, key = signed_headers(None, profile=profile), key_for(profile)

    assert MARIE == check(received({**headers, "Digest": digest_header(b"")}, None), key).signer
    refused(DigestMismatch, {**headers, "Digest": digest_header(b"x")}, key, None)


@PROFILES
def test_a_get_with_a_body(profile):
    """A body that nothing covers is not proved by a GET's signature."""
    headers, key = signed_headers(None, profile=profile), key_for(profile)
    message = received(headers, None).with_body(BODY)

    with pytest.raises(DigestMismatch):
        check(message, key)


def test_a7_target_not_covered():
    """A7: a signature that leaves out the target, or the method, is weak_coverage."""
    key = ed25519_key()
    headers = signed_headers(profile=Profile.RFC9421)

    refused(WeakCoverage, resigned(signed_headers(), ("host", "date", "digest"), rsa_key()), rsa_key())
    for covered in (("@method", "content-digest"), ("@target-uri", "content-digest"), ("content-digest",), ()):
        refused(WeakCoverage, resigned_9421(headers, covered, key, params=params(key)), key)


@PROFILES
@pytest.mark.parametrize("target", ["/doctors/max/inbox", "/inbox?x", "//inbox", "/inbox/", "/%69nbox", "/Inbox"])
def test_a8_captured_and_sent_elsewhere(profile, target):
    """A8, A34: a message captured at one path is bad_signature at every other spelling of any path."""
    refused(BadSignature, signed_headers(profile=profile), key_for(profile), target=target)


@PROFILES
def test_a8_captured_and_sent_to_another_server(profile):
    """A8: a message captured at one sibling proves nothing at another, with its Host or with theirs."""
    headers, key = signed_headers(profile=profile), key_for(profile)

    refused(WrongHost, headers, key, origin="https://it.example")
    refused(BadSignature, changed(headers, host="it.example"), key, origin="https://it.example")


@PROFILES
def test_a8_another_method(profile):
    """A8: the method is signed: a captured GET is no POST, nor the reverse."""
    headers, key = signed_headers(None, profile=profile), key_for(profile)

    refused(WeakCoverage, headers, key, b"", method="POST")
    refused(BadSignature, signed_headers(profile=profile), key, method="PUT")
    refused(BadSignature, headers, key, None, method="HEAD")


def test_a9_host_not_covered():
    """A9: cavage without Host covered is weak_coverage."""
    refused(WeakCoverage, resigned(signed_headers(), ("(request-target)", "date", "digest"), rsa_key()), rsa_key())


@pytest.mark.parametrize("name", ["Host", "Date", "Digest", "Content-Type"])
def test_each_covered_part_is_bound(name):
    """Changing any covered header of either profile is refused."""
    other = {
        "Host": "it.example",
        "Date": http_date(NOW + timedelta(seconds=1)),
        "Digest": RIGHT + ",SHA-512=" + b64("sha512"),
        "Content-Type": "text/plain",
    }
    cavage = resigned(signed_headers(), (*COVERED_POST, "content-type"), rsa_key())
    key = ed25519_key()
    covered = (*STRONG_9421, "host", "date")
    modern = resigned_9421(signed_headers(profile=Profile.RFC9421), covered, key, params=params(key))

    refused(Refused, {**cavage, name: other[name]}, rsa_key())
    if name in modern:
        refused(Refused, {**modern, name: other[name]}, key)
    assert MARIE == check(received(cavage), rsa_key()).signer
    assert MARIE == check(received(modern), key).signer
