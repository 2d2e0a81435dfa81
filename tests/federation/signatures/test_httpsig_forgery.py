"""Why httpsig is subclassed: stock httpsig accepts a forgery that anybody can make, and we refuse it (A13)."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

from federation.errors import BadSignature
from federation.keys import make_rsa
from federation.signatures.cavage import COVERED_POST, httpsig
from federation.uri import Uri
from tests.federation.signatures.make import (
    BODY,
    check,
    received,
    rsa_key,
    signed_headers,
)

KEY = rsa_key()
PEM = KEY.public().pem


def forged(label: str) -> dict[str, str]:
    """A message signed by somebody who holds nothing but the public key, read off the doctor's actor."""
    headers = {name.lower(): value for name, value in signed_headers().items() if name != "Signature"}
    signer = httpsig.HeaderSigner(
        str(KEY.id), PEM, algorithm="hmac-sha256", headers=list(COVERED_POST), sign_header="signature"
    )
    made = dict(signer.sign(headers, method="POST", path="/inbox"))
    made["signature"] = made["signature"].replace('algorithm="hmac-sha256"', f'algorithm="{label}"')
    return made


def stock_accepts(headers: dict[str, str], path: str = "/inbox") -> bool:
    """What stock httpsig says, used as its documentation invites."""
    verifier = httpsig.HeaderVerifier(
        headers,
        PEM,
        required_headers=list(COVERED_POST),
        method="POST",
        path=path,
        sign_header="signature",
    )
    return bool(verifier.verify())


def test_stock_httpsig_accepts_the_forgery():
    """Half one: an HMAC keyed with the public key's PEM verifies in stock httpsig."""
    assert stock_accepts(forged("hmac-sha256"))


@pytest.mark.parametrize("label", ["hmac-sha256", "hs2019", "rsa-sha256", "hmac-sha512"])
def test_the_forgery_is_refused(label):
    """Half two: whatever the forger calls it, the stored RSA key decides, and the forgery is BadSignature."""
    with pytest.raises(BadSignature):
        check(received(forged(label)), KEY)


@pytest.mark.parametrize("label", ["hs2019", "rsa-sha256"])
def test_what_the_owner_signed_is_accepted(label):
    """The twin: the same message signed with the private key is proof."""
    proof = check(received(signed_headers(label=label)), KEY)

    assert (KEY.owner, BODY) == (proof.signer, proof.body)


def test_stock_httpsig_verifies_ours():
    """A peer that runs stock httpsig reads what we sign under the label it knows."""
    headers = {name.lower(): value for name, value in signed_headers(label="rsa-sha256").items()}

    assert stock_accepts(headers)
    assert not stock_accepts(headers, path="/doctors/max/inbox")


def test_ours_verifies_stock_httpsig():
    """We read what a peer signs with stock httpsig and its private key."""
    headers = {name: value for name, value in signed_headers().items() if name != "Signature"}
    signer = httpsig.HeaderSigner(
        str(KEY.id), KEY.to_pem().decode(), algorithm="rsa-sha256", headers=list(COVERED_POST), sign_header="signature"
    )
    made = dict(signer.sign(headers, method="POST", path="/inbox"))

    assert KEY.owner == check(received(made), KEY).signer


def test_a_percent_sign_in_the_key_id_survives():
    """httpsig fills its template with %; a key id that holds one is written and read unchanged."""
    owner = Uri.parse("https://fr.example/doctors/ren%C3%A9")
    key = make_rsa(Uri.parse(owner + "#main-key"), owner, 2048)
    proof = check(received(signed_headers(key=key)), key)

    assert key.id == proof.key_id


@contextmanager
def watching_pycryptodome() -> Iterator[list[str]]:
    """Collect the name of every function of pycryptodome that is called meanwhile."""
    called: list[str] = []

    def watch(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and str(frame.f_globals.get("__name__", "")).split(".")[0] == "Crypto":
            called.append(frame.f_code.co_name)

    gc.collect()  # or objects that earlier tests left would end under the watch
    sys.setprofile(watch)
    try:
        yield called
    finally:
        sys.setprofile(None)


def test_no_code_of_pycryptodome_runs():
    """httpsig pins an old branch of pycryptodome: importing it is all that may happen."""
    with watching_pycryptodome() as called:
        headers = signed_headers()
        check(received(headers), KEY)
        with pytest.raises(BadSignature):
            check(received(headers, target="/other"), KEY)

    assert [] == called


def test_the_watch_would_see_pycryptodome():
    """The twin: stock httpsig does call it, and the same watch sees that."""
    headers = {name.lower(): value for name, value in signed_headers(label="rsa-sha256").items()}
    with watching_pycryptodome() as called:
        stock_accepts(headers)

    assert [] != called
