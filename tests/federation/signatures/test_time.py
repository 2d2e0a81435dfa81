"""Attacks with time: dates that do not stand, signatures that have expired, the same message again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from federation.errors import (
    BadSignature,
    Stale,
)
from federation.signatures import (
    Profile,
    check_window,
    http_date,
    read_claim,
    verify,
)
from federation.signatures.cavage import COVERED_POST
from federation.uri import Uri
from tests.federation.signatures.make import (
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

HOUR = 3600

# ------------------------------------------------------------ A10, A11: time


@pytest.mark.parametrize(
    "date",
    [
        None,
        "",
        "now",
        http_date(NOW - timedelta(hours=2)),
        http_date(NOW + timedelta(hours=2)),
        http_date(NOW - timedelta(seconds=301)),
        http_date(NOW + timedelta(seconds=301)),
        "Monday, 02-Mar-26 09:30:00 GMT",
        "Mon Mar  2 09:30:00 2026",
        "Mon, 02 Mar 2026 09:30:00 +0000",
        "Mon, 02 Mar 2026 09:30:00 UTC",
        "Mon, 2 Mar 2026 09:30:00 GMT",
        "mon, 02 mar 2026 09:30:00 gmt",
        "Mon, 02 Mrz 2026 09:30:00 GMT",
        "Mon, 30 Feb 2026 09:30:00 GMT",
        "Mon, 02 Mar 2026 24:30:00 GMT",
        "Mon, 02 Mar 2026 09:30:60 GMT",
        "Mon, 02 Mar 0000 09:30:00 GMT",
        "Mon, 02 Mar 2026 09:30:00 GMT x",
        "2026-03-02T09:30:00Z",
        str(CREATED),
    ],
)
def test_a10_a_date_that_does_not_stand(date):
    """A10: a Date that is missing, unreadable, old or ahead is stale, though it was signed."""
    headers = signed_headers()
    if date is not None:
        headers = resigned({**headers, "Date": date}, COVERED_POST, rsa_key())

    refused(Stale, changed(headers, date=date), rsa_key())


@pytest.mark.parametrize("seconds", [-300, 0, 300])
@PROFILES
def test_a10_a_date_within_the_window(profile, seconds):
    """The twin: five minutes either way are accepted."""
    headers = signed_headers(profile=profile, now=NOW + timedelta(seconds=seconds))

    assert MARIE == check(received(headers), key_for(profile)).signer


@pytest.mark.parametrize("hours", [-2, 2])
@PROFILES
def test_a10_a11_two_hours_away(profile, hours):
    """A10, A11: Date or created two hours old or ahead is stale under both profiles."""
    headers = signed_headers(profile=profile, now=NOW + timedelta(hours=hours))

    refused(Stale, headers, key_for(profile))


def test_the_window_is_an_argument():
    """A wider window lets an older message in, and only then."""
    message = received(signed_headers(now=NOW - timedelta(seconds=800)))
    claim, key = read_claim(message), rsa_key().public()

    assert None is check_window(claim, message, NOW, timedelta(seconds=900))
    assert MARIE == verify(message, claim, key, NOW, timedelta(seconds=900)).signer
    with pytest.raises(Stale):
        check_window(claim, message, NOW)
    with pytest.raises(Stale):
        verify(message, claim, key, NOW)


@pytest.mark.parametrize(
    ("created", "expires"),
    [(CREATED + HOUR, None), (CREATED, CREATED), (CREATED, CREATED - 1), (CREATED + 100, CREATED + 50), (0, None)],
)
def test_a11_created_and_expires(created, expires):
    """A11: created ahead, expires past or not after created is stale under both profiles."""
    key = ed25519_key()
    more = "" if expires is None else f";expires={expires}"
    modern = resigned_9421(
        signed_headers(profile=Profile.RFC9421), STRONG_9421, key, params=params(key, created, more=more)
    )
    times = {"created": created} | ({} if expires is None else {"expires": expires})
    covered = (*COVERED_POST, *(f"({name})" for name in times))

    refused(Stale, modern, key)
    refused(Stale, resigned(signed_headers(), covered, rsa_key(), **times), rsa_key())


def test_a11_created_with_rsa_sha256():
    """A11: draft 12 forbids (created) under the label rsa-sha256; without the parameter it has no value."""
    covered = (*COVERED_POST, "(created)")
    headers = resigned(signed_headers(), covered, rsa_key(), "rsa-sha256", created=CREATED)
    missing = resigned(signed_headers(), covered, rsa_key(), created=CREATED)
    missing["Signature"] = missing["Signature"].replace(f"created={CREATED},", "")

    refused(BadSignature, headers, rsa_key())
    refused(BadSignature, missing, rsa_key())


# ------------------------------------------------------------ A12: the same again


def test_a12_the_same_signature_has_one_replay_key():
    """A12: however its header is spelled, the same signature is known again; another message is not."""
    headers = signed_headers()
    spelled = changed(headers, signature=", ".join(reversed(headers["Signature"].split(","))))
    first = check(received(headers), rsa_key())

    assert first.replay_key == check(received(spelled), rsa_key()).replay_key
    assert 32 == len(first.replay_key)
    assert first.replay_key != verified(b"{}").replay_key
    assert first.replay_key != verified(now=NOW + timedelta(seconds=1)).replay_key
    assert first.replay_key != verified(url=Uri.parse("https://de.example/doctors/max/inbox")).replay_key
