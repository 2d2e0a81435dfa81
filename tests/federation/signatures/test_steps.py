"""The steps of verifying: their order, and that only all of them together make a proof."""

from __future__ import annotations

from datetime import timedelta

import pytest

from federation.errors import (
    DigestMismatch,
    Stale,
    WeakCoverage,
)
from federation.signatures import (
    Profile,
    Verified,
    check_digest,
    check_window,
    read_claim,
    sign,
)
from federation.signatures.cavage import COVERED_POST
from federation.uri import Uri
from tests.federation.signatures.make import (
    BODY,
    HERE,
    INBOX,
    MARIE,
    NOW,
    PROFILES,
    changed,
    check,
    key_for,
    received,
    refused,
    rsa_key,
    signed_headers,
    verified,
)


def test_time_is_refused_before_the_body_and_the_body_before_the_signature():
    """A message wrong in several ways is refused by the earliest step."""
    late = signed_headers(now=NOW - timedelta(hours=1))

    refused(Stale, late, rsa_key(), b"other")
    refused(DigestMismatch, signed_headers(), rsa_key(), b"other", target="/other")
    refused(WeakCoverage, changed(late, signature=late["Signature"].replace(" digest", "")), rsa_key())


def test_only_verify_makes_a_proof():
    """A Verified cannot be made by hand, nor by changing one."""
    import dataclasses

    proof = verified()

    with pytest.raises(TypeError):
        Verified(MARIE, rsa_key().id, BODY, Profile.CAVAGE, b"")
    with pytest.raises(TypeError):
        dataclasses.replace(proof, body=b"other")
    with pytest.raises(AttributeError):
        proof.body = b"other"


def test_the_steps_can_be_asked_one_by_one():
    """The door asks claim, window and digest before it knows a key; the claim holds what it needs for that."""
    message = received(signed_headers(), None, method="POST")
    claim = read_claim(message)

    assert ("https://fr.example", "hs2019") == (claim.key_id.origin, claim.algorithm)
    assert COVERED_POST == claim.covered
    assert None is check_window(claim, message, NOW)
    assert None is check_digest(message.with_body(BODY), claim)
    with pytest.raises(DigestMismatch):
        check_digest(message, claim)


@PROFILES
def test_signed_headers_are_complete(profile):
    """sign returns each header it covers, so that what is sent is what was signed."""
    post, get = signed_headers(profile=profile), signed_headers(None, profile=profile)
    digest = "Digest" if profile is Profile.CAVAGE else "Content-Digest"
    more = set() if profile is Profile.CAVAGE else {"Signature-Input"}

    assert {"Host", "Date", "Content-Type", digest, "Signature"} | more == set(post)
    assert {"Host", "Date", "Signature"} | more == set(get)
    assert "application/activity+json" == post["Content-Type"]
    assert HERE.partition("://")[2] == post["Host"]


def test_sign_refuses_what_cannot_be_signed():
    """A GET with a body, a POST without one, a label no peer knows: our own mistake, ValueError."""
    for method, body in (("GET", b"x"), ("POST", None)):
        with pytest.raises(ValueError):
            sign(method, INBOX, body, rsa_key(), Profile.CAVAGE, NOW)
    with pytest.raises(ValueError):
        sign("POST", INBOX, BODY, rsa_key(), Profile.CAVAGE, NOW, label="hmac-sha256")


def test_a_fragment_is_not_sent():
    """The document of a key id is fetched without its fragment, and signed so."""
    url = Uri.parse("https://de.example/actor#main-key")

    for profile in Profile:
        headers = signed_headers(None, profile=profile, url=url)

        assert MARIE == check(received(headers, None, target="/actor"), key_for(profile)).signer
