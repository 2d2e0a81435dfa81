"""The profile cavage-12 through httpsig, made safe. The only module that imports httpsig.

httpsig is kept for what it does well (the signing string, the template of the header, the skeletons of signing and
verifying) and asked for no decision: stock 1.3.0 believes the algorithm the sender names, so that anybody can
forge a message with an HMAC keyed by the public key. Here the stored key decides, and our parser comes first.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib import metadata
from types import ModuleType
from typing import Any, Final

from federation.errors import BadSignature, WeakCoverage
from federation.keys import PrivateKey, PublicKey
from federation.signatures.claim import Claim, Profile, read_key_id
from federation.signatures.encoding import decode_base64
from federation.signatures.message import SignedMessage


def _load_httpsig() -> ModuleType:
    """Import httpsig where setuptools is absent: it asks pkg_resources for its own version and nothing else."""
    if "pkg_resources" in sys.modules:
        return importlib.import_module("httpsig")
    stand_in = ModuleType("pkg_resources")
    vars(stand_in).update(get_distribution=metadata.distribution, DistributionNotFound=metadata.PackageNotFoundError)
    sys.modules["pkg_resources"] = stand_in
    try:
        return importlib.import_module("httpsig")
    finally:
        del sys.modules["pkg_resources"]


httpsig: Any = _load_httpsig()
_utils: Any = importlib.import_module("httpsig.utils")

#: What a signature must cover; `digest` wherever a body can be.
COVERED_GET: Final = ("(request-target)", "host", "date")
COVERED_POST: Final = (*COVERED_GET, "digest")
#: What a sender may call the algorithm; the stored key decides what is computed.
LABELS: Final = ("hs2019", "rsa-sha256")

# draft-cavage-http-signatures-12 section 2.1: name="value" or name=digits. A backslash would open a second
# way of writing a value, and of reading one.
_PARAMETER = re.compile(r'([A-Za-z]+)=(?:"([^"\\]*)"|(0|[1-9][0-9]{0,11}))(?:[ \t]*(,)[ \t]*|\Z)')
_TEXTS: Final = frozenset({"keyId", "signature", "algorithm", "headers"})
_NUMBERS: Final = frozenset({"created", "expires"})
_COVERABLE = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+\Z")
_TIMES: Final = {"(created)": "created", "(expires)": "expires"}


def read_cavage(message: SignedMessage) -> Claim:
    """Read the Signature header: parameters, coverage, label, base64; nothing of it is believed yet."""
    texts, numbers = _parameters(message.headers["signature"])
    label = texts.get("algorithm")
    if label is not None and label not in LABELS:
        raise BadSignature("algorithm label")
    if "keyId" not in texts or not texts.get("signature"):
        raise BadSignature("no key id or no signature")
    key_id = read_key_id(texts["keyId"])
    covered = _covered(texts.get("headers", ""), message.method not in ("GET", "HEAD"))
    _require_present(message, covered)
    _require_times(covered, numbers, label)
    try:
        signature = decode_base64(texts["signature"])
    except ValueError:
        raise BadSignature("base64") from None
    return Claim(Profile.CAVAGE, key_id, covered, signature, label, numbers.get("created"), numbers.get("expires"))


def cavage_string(message: SignedMessage, claim: Claim, key: PublicKey) -> bytes:
    """Return the signing string once the stored key has verified it; raise BadSignature otherwise."""
    if key.algorithm != "rsa":
        raise BadSignature("cavage is for RSA keys")
    verifier = CavageVerifier(_values(message, claim), claim, key, message.method, message.target)
    if not verifier.verify():
        raise BadSignature("does not verify")
    return verifier.signing_string


class CavageSigner(httpsig.HeaderSigner):  # type: ignore[misc]  # httpsig has no types
    """Sign with the key we hold; the parent's constructor would parse PEM and is never called."""

    def __init__(self, key: PrivateKey, covered: tuple[str, ...], label: str) -> None:
        """Prepare the header's template; a Uri holds nothing that would have to be quoted."""
        self._key = key
        self._rsa = key  # a true value sends sign() to _sign_rsa()
        self.headers, self.sign_header = list(covered), "signature"
        # The template is filled with %, so that a percent sign of the key id must be doubled.
        self.signature_template = _utils.build_signature_template(
            key.id.replace("%", "%%"), label, self.headers, self.sign_header
        )

    def _sign_rsa(self, data: bytes) -> bytes:
        return self._key.sign(data)


class CavageVerifier(httpsig.HeaderVerifier):  # type: ignore[misc]  # httpsig has no types
    """Check with the stored key; the parent's constructor would believe the sender's label and is never called."""

    signing_string: bytes = b""

    def __init__(self, values: Mapping[str, str], claim: Claim, key: PublicKey, method: str, target: str) -> None:
        """Take headers proved single, and a claim whose coverage was checked."""
        self.headers = values
        self.auth_dict = {"headers": " ".join(claim.covered), "signature": claim.signature}
        self.required_headers, self._key = list(claim.covered), key
        self.method, self.path, self.host = method, target, None

    def _verify(self, data: bytes, signature: bytes) -> bool:
        self.signing_string = data
        return self._key.verifies(signature, data)


def sign_cavage(
    key: PrivateKey, headers: Mapping[str, str], method: str, target: str, label: str, more: tuple[str, ...] = ()
) -> dict[str, str]:
    """Return the header Signature; the digest is covered where there is one, and the fields that `more` names."""
    if key.algorithm != "rsa" or label not in LABELS:
        raise ValueError("cavage is signed with RSA, as hs2019 or rsa-sha256")
    covered = (*(COVERED_POST if "Digest" in headers else COVERED_GET), *more)
    signed = CavageSigner(key, covered, label).sign(headers, method=method, path=target)
    return {"Signature": signed["signature"]}


def signing_string(headers: Mapping[str, str], covered: tuple[str, ...], method: str, target: str) -> bytes:
    """The bytes that are signed (draft section 2.3), as httpsig builds them."""
    return bytes(_utils.generate_message(list(covered), headers, method=method, path=target))


def _parameters(text: str) -> tuple[dict[str, str], dict[str, int]]:
    """Walk the whole parameter list; anything left over, unknown or repeated is BadSignature."""
    texts: dict[str, str] = {}
    numbers: dict[str, int] = {}
    at, comma = 0, ","
    while comma:
        found = _PARAMETER.match(text, at)
        if found is None:
            raise BadSignature("parameter list")
        name, value, number, comma = found.groups()
        at = found.end()
        if name in texts or name in numbers:
            raise BadSignature("parameter repeated")
        if value is not None and name in _TEXTS:
            texts[name] = value
        elif number is not None and name in _NUMBERS:
            numbers[name] = int(number)
        else:
            raise BadSignature("parameter unknown or of the wrong type")
    return texts, numbers


# Peers send the same few lists again and again; a refusal is not remembered.
@lru_cache(maxsize=256)
def _covered(text: str, has_body: bool) -> tuple[str, ...]:
    """Split the list of covered names; raise WeakCoverage or BadSignature for one that does not suffice."""
    covered = tuple(text.split(" "))
    if not set(covered).issuperset(COVERED_POST if has_body else COVERED_GET):
        raise WeakCoverage("target, host, date and, with a body, digest must be covered")
    if len(set(covered)) != len(covered):
        raise BadSignature("covered twice")
    for name in covered:
        if name != "(request-target)" and name not in _TIMES and not _COVERABLE.match(name):
            raise BadSignature("covers what is no field")
    return covered


def _require_present(message: SignedMessage, covered: tuple[str, ...]) -> None:
    """A missing Date or Digest has a refusal of its own, further on; any other covered field is there, once."""
    for name in covered:
        if name in COVERED_POST or name in _TIMES:
            continue
        if name not in message.headers or name in message.repeated:
            raise BadSignature("covers a field that is absent or repeated")


def _require_times(covered: tuple[str, ...], numbers: Mapping[str, int], label: str | None) -> None:
    """Draft section 2.3: (created) and (expires) need their parameter, and another label than rsa-sha256."""
    for name, parameter in _TIMES.items():
        if name in covered and (label == "rsa-sha256" or parameter not in numbers):
            raise BadSignature(f"{name} without its parameter, or under rsa-sha256")


def _values(message: SignedMessage, claim: Claim) -> dict[str, str]:
    """The covered values by name, those of the parameters among them."""
    times = {"(created)": str(claim.created), "(expires)": str(claim.expires)}
    values: dict[str, str] = {}
    for name in claim.covered:
        value = times.get(name) or message.headers.get(name)
        if value is not None:
            values[name] = value
        elif name != "(request-target)":
            raise BadSignature("covers an absent field")
    return values
