"""Attacks on the form of RFC 9421: both profiles at once, other components, other parameters."""

from __future__ import annotations

import pytest

from federation.errors import (
    BadSignature,
)
from federation.signatures import (
    Profile,
)
from tests.federation.signatures.make import (
    CREATED,
    MARIE,
    PROFILES,
    changed,
    check,
    ed25519_key,
    key_for,
    received,
    refused,
    rsa_key,
    signed_headers,
)


def test_a35_both_profiles_at_once():
    """A35: a message with both profiles is bad_signature, whichever way they are put together."""
    old, new = signed_headers(), signed_headers(profile=Profile.RFC9421)

    for signature in (old["Signature"], new["Signature"], f"{new['Signature']}, {old['Signature']}"):
        both = {**old, **new, "Signature": signature}
        claimed = {**both, "Signature-Input": new["Signature-Input"]}
        if signature != new["Signature"]:
            refused(BadSignature, claimed, ed25519_key())
            refused(BadSignature, claimed, rsa_key())
    refused(BadSignature, {**old, "Signature-Input": ""}, rsa_key())
    refused(BadSignature, changed(new, signature_input=None), ed25519_key())


INPUT = signed_headers(profile=Profile.RFC9421)["Signature-Input"]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "sig1",
        INPUT.replace('"@method"', '"@method";req'),
        INPUT.replace('"content-digest"', '"content-digest";sf'),
        INPUT.replace('"content-digest"', '"content-digest";bs'),
        INPUT.replace('"content-digest"', '"content-digest";tr'),
        INPUT.replace('"content-digest"', '"content-digest";key="sha-256"'),
        INPUT.replace('"content-type"', '"@status"'),
        INPUT.replace('"content-type"', '"@path"'),
        INPUT.replace('"content-type"', '"@query-param";name="x"'),
        INPUT.replace('"content-type"', '"@signature-params"'),
        INPUT.replace('"content-type"', '"user-agent"'),
        INPUT.replace('"content-type"', '"Content-Type"'),
        INPUT.replace('"content-type"', '"@method"'),
        INPUT.replace('"content-type"', "content-type"),
        INPUT.replace('"content-type"', '"date" "host" "x"'),
        INPUT.replace('" "', '"  "'),
        INPUT.replace("(", "( "),
        INPUT.replace(";created", "; created"),
        INPUT.replace("sig1=", "sig1 = "),
        INPUT.replace("sig1=", "Sig1="),
        INPUT + ";",
        INPUT + ";x=1",
        INPUT + ";expires",
        INPUT + ';expires="1"',
        INPUT + ";nonce=1",
        INPUT + f";created={CREATED}",
        INPUT + ";created=1",
        INPUT + f';keyid="{rsa_key().id}"',
        INPUT + ';alg="ed25519"',
        INPUT.replace(f";created={CREATED}", ""),
        INPUT.replace(f"={CREATED}", f"={CREATED}.0"),
        INPUT.replace(f"={CREATED}", f"=0{CREATED}"),
        INPUT.replace(f"={CREATED}", f"=-{CREATED}"),
        INPUT.replace(f"={CREATED}", f'="{CREATED}"'),
        INPUT.replace(f"={CREATED}", "=?1"),
        INPUT.replace(';alg="ed25519"', ""),
        INPUT.replace(f';keyid="{ed25519_key().id}"', ""),
        INPUT.replace("#ed", "\\#ed"),
        INPUT[:-1],
        INPUT + "\t",
        INPUT + ",",
        INPUT + ", x",
    ],
)
def test_a36_another_signature_input(value):
    """A36: component parameters, other components, missing, doubled or unknown parameters: 401."""
    headers = {**signed_headers(profile=Profile.RFC9421), "Signature-Input": value}

    if value.strip() == INPUT:  # blanks around a field's value are not part of it
        assert MARIE == check(received(headers), ed25519_key()).signer
    else:
        refused(BadSignature, headers, ed25519_key())


SIGNATURE = signed_headers(profile=Profile.RFC9421)["Signature"]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "sig1",
        "sig1=::",
        SIGNATURE.replace(":", ""),
        SIGNATURE.replace(":", '"'),
        SIGNATURE[:-1],
        SIGNATURE + ":",
        SIGNATURE + ";x=1",
        SIGNATURE.replace("==:", ":"),
        SIGNATURE.replace("==:", "=:"),
        SIGNATURE[:-4] + "B==:" if SIGNATURE[-4] != "B" else SIGNATURE[:-4] + "C==:",
        SIGNATURE.replace("sig1=:", "sig1=:!"),
        SIGNATURE.replace("sig1=:", "sig1=:AAAA"),
    ],
    ids=len,  # the key is made anew in every process, and these names must be the same in all of them
)
def test_a36_another_signature(value):
    """A36: a signature that is no one canonical byte sequence under its label is bad_signature."""
    refused(BadSignature, {**signed_headers(profile=Profile.RFC9421), "Signature": value}, ed25519_key())


@PROFILES
def test_a36_method_override_is_ignored(profile):
    """A36: headers that would change the method change nothing."""
    headers = {**signed_headers(profile=profile), "X-HTTP-Method-Override": "DELETE", "X-Method-Override": "GET"}

    assert MARIE == check(received(headers), key_for(profile)).signer
