"""Attacks on the form of a signature and of its key id."""

from __future__ import annotations

import pytest

from federation.errors import (
    BadSignature,
    WeakCoverage,
)
from federation.keys import PrivateKey
from federation.signatures import (
    Profile,
    sign,
)
from federation.signatures.cavage import COVERED_GET, COVERED_POST
from federation.uri import Uri
from tests.federation.signatures.make import (
    BODY,
    CREATED,
    INBOX,
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

# ------------------------------------------------------------ A14 to A18: malformed


@pytest.mark.parametrize("label", ["rsa-sha1", "rsa-sha512", "md5", "none", "", "HS2019", "ed25519", "ecdsa", "x"])
def test_a14_other_algorithm_labels(label):
    """A14: sha1, md5, none or an unknown algorithm is bad_signature, whatever the signature is worth."""
    refused(BadSignature, resigned(signed_headers(), COVERED_POST, rsa_key(), label), rsa_key())


@pytest.mark.parametrize("alg", ["rsa-pss-sha512", "hmac-sha256", "ecdsa-p256-sha256", "none", "RSA-v1_5-sha256", ""])
def test_a14_other_algorithms_of_rfc_9421(alg):
    """A14: the same for RFC 9421."""
    key = rsa_key()
    quoted = f';created={CREATED};keyid="{key.id}";alg="{alg}"'

    refused(BadSignature, resigned_9421(signed_headers(profile=Profile.RFC9421), STRONG_9421, key, params=quoted), key)


def test_a14_alg_must_be_that_of_the_stored_key():
    """A14: a right signature under the other allowed name is refused."""
    headers = signed_headers(profile=Profile.RFC9421)

    for key, alg in ((rsa_key(), "ed25519"), (ed25519_key(), "rsa-v1_5-sha256")):
        refused(BadSignature, resigned_9421(headers, STRONG_9421, key, params=params(key, alg=alg)), key)


GOOD = signed_headers()["Signature"]
KEY_ID = f'keyId="{rsa_key().id}"'
assert KEY_ID in GOOD
B64 = GOOD.partition('signature="')[2].partition('"')[0]


@pytest.mark.parametrize(
    "value",
    [
        "",
        ",",
        "x",
        "%",
        "%s",
        '"',
        GOOD.replace(KEY_ID + ",", ""),
        GOOD.replace(KEY_ID, 'keyId=""'),
        GOOD.replace(KEY_ID, KEY_ID.replace("keyId", "keyid")),
        GOOD.replace(KEY_ID, KEY_ID.replace('"', "")),
        GOOD.replace(KEY_ID, "keyId=7"),
        GOOD.replace(f'signature="{B64}"', 'signature=""'),
        GOOD.replace(f',signature="{B64}"', ""),
        GOOD.replace(B64, B64[:-1]),
        GOOD.replace(B64, B64.rstrip("=")),
        GOOD.replace(B64, B64 + "="),
        GOOD.replace(B64, "!" + B64[1:]),
        GOOD.replace(B64, B64[:10] + " " + B64[10:]),
        GOOD.replace(B64, B64.replace("=", "") + "A=="),
        GOOD.replace(B64, "%%%%"),
        GOOD[:-1],
        GOOD + ",",
        GOOD + ", ",
        "," + GOOD,
        GOOD.replace(",", ",,", 1),
        GOOD.replace(",", ";"),
        GOOD.replace(",", " "),
        GOOD + ",x",
        GOOD + ',opaque="x"',
        GOOD + ',a\\b="c"',
        GOOD.replace("#main", "\\#main"),
        "Signature " + GOOD,
        GOOD + f',algorithm="hs2019",created="{CREATED}"',
        GOOD + f",created={CREATED}.5",
        GOOD + ",created=-1",
        GOOD + ",created=0123",
        GOOD + ",created=9999999999999",
        GOOD + ",created=",
    ],
)
def test_a15_a_malformed_signature(value):
    """A15: no key id, no signature, junk in base64, an open quote, a percent sign or leftovers: bad_signature."""
    refused(BadSignature, changed(signed_headers(), signature=value), rsa_key())


def test_a15_blanks_around_commas_are_read():
    """The twin: blanks after a comma, as several peers write them, and another order."""
    spelled = ", ".join(reversed(GOOD.split(",")))

    assert MARIE == check(received(changed(signed_headers(), signature=spelled)), rsa_key()).signer


@pytest.mark.parametrize(
    "covered",
    [
        ("date",),
        ("Date",),
        ("(created)",),
        ("digest",),
        ("(request-target)",),
        COVERED_GET,
    ],
)
def test_a16_signature_over_too_little(covered):
    """A16: a right signature over Date, or anything else too small, is weak_coverage."""
    refused(WeakCoverage, resigned(signed_headers(), covered, rsa_key(), created=CREATED), rsa_key())


def test_a16_no_list_of_headers():
    """A16: without `headers` the draft means Date alone: weak_coverage."""
    value = ",".join(part for part in GOOD.split(",") if not part.startswith("headers="))

    refused(WeakCoverage, changed(signed_headers(), signature=value), rsa_key())


@pytest.mark.parametrize(
    "covered",
    [
        (*COVERED_POST, "date"),
        (*COVERED_POST, "(request-target)"),
        (*COVERED_POST, "x-absent"),
        (*COVERED_POST, "Content-Type"),
        (*COVERED_POST, "(x)"),
        (*COVERED_POST, ""),
        ("", *COVERED_POST),
        (*COVERED_POST, "content-type:"),
    ],
)
def test_a16_a_list_that_is_none(covered):
    """A16: names repeated, absent, in capitals or empty are bad_signature."""
    value = GOOD.replace(" ".join(COVERED_POST), " ".join(covered))

    assert GOOD != value
    refused(BadSignature, changed(signed_headers(), signature=value), rsa_key())


def test_a17_parameters_doubled():
    """A17: each parameter given twice, equal or not, is bad_signature."""
    for part in GOOD.split(","):
        refused(BadSignature, changed(signed_headers(), signature=f"{GOOD},{part}"), rsa_key())
        refused(BadSignature, changed(signed_headers(), signature=f"{part},{GOOD}"), rsa_key())


def test_a18_two_signatures():
    """A18: two signatures in one header, or two labels, are bad_signature."""
    modern = signed_headers(profile=Profile.RFC9421)
    given, made = modern["Signature-Input"], modern["Signature"]
    second_given, second_made = given.replace("sig1", "sig2"), made.replace("sig1", "sig2")

    refused(BadSignature, changed(signed_headers(), signature=f"{GOOD}, {GOOD}"), rsa_key())
    for inputs, signatures in (
        (f"{given}, {second_given}", f"{made}, {second_made}"),
        (f"{given}, {second_given}", made),
        (given, f"{made}, {second_made}"),
        (given, f"{made}, {made}"),
        (given, second_made),
        (second_given, made),
    ):
        refused(BadSignature, {**modern, "Signature-Input": inputs, "Signature": signatures}, ed25519_key())


# ------------------------------------------------------------ keys: A26 to A28 in form, A31


@pytest.mark.parametrize(
    "key_id",
    [
        "acct:marie@fr.example",
        "Test",
        "marie",
        "//fr.example/k",
        "ftp://fr.example/k",
        "http://fr.example/k",
        "https://u:p@fr.example/k",
        "https://u@fr.example/k",
        "https://fr.example\\@de.example/k",
        "https://fr.example#@de.example/k",
        "https://FR.example/k",
        "https://fr.example./k",
        "https://127.0.0.1/k",
        "https://[::1]/k",
        "https://fr.example:443/k",
        "https://fr.example/../k",
        "https://fr.example/a b",
        "https://fr.example/" + "a" * 500,
        "javascript:1",
        "",
    ],
)
def test_a26_a27_key_ids(key_id):
    """A26, A27: a key id that is no strict https address is bad_signature under both profiles."""
    modern = signed_headers(profile=Profile.RFC9421)
    value = modern["Signature-Input"].replace(str(ed25519_key().id), key_id)

    refused(BadSignature, changed(signed_headers(), signature=GOOD.replace(str(rsa_key().id), key_id)), rsa_key())
    refused(BadSignature, {**modern, "Signature-Input": value}, ed25519_key())


@PROFILES
def test_another_key_than_the_one_named(profile):
    """A message is verified with the key it names and with no other, though the owner is the same."""
    paul = key_for(profile, Uri.parse("https://fr.example/doctors/paul"))
    headers = signed_headers(profile=profile)

    refused(BadSignature, headers, paul)
    refused(BadSignature, changed(headers, signature=headers["Signature"].replace("marie", "paul")), paul)


@PROFILES
def test_a_key_under_anothers_name(profile):
    """The name of Marie's key on a signature of Paul's is bad_signature."""
    paul = key_for(profile, Uri.parse("https://fr.example/doctors/paul"))
    marie = key_for(profile)
    stolen = PrivateKey.of(marie.id, marie.owner, paul.key)

    refused(BadSignature, signed_headers(profile=profile, key=stolen), marie)


def test_a31_ed25519_under_cavage():
    """A31: an Ed25519 key signs no cavage message, here or there; under RFC 9421 it is right."""
    key = ed25519_key()
    headers = resigned(signed_headers(), COVERED_POST, key)

    refused(BadSignature, headers, key)
    with pytest.raises(ValueError):
        sign("POST", INBOX, BODY, key, Profile.CAVAGE, NOW)
    assert MARIE == verified(profile=Profile.RFC9421, key=key).signer
