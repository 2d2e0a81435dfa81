"""The profile RFC 9421, without negotiation: one label, a fixed set of components, parameters in canonical form.

Only the canonical spelling of Signature-Input is read, so that the text received is the text that was signed
(RFC 9421 section 2.5 signs its re-serialisation) and there is nothing to re-serialise differently.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from federation.errors import BadSignature, WeakCoverage
from federation.keys import PrivateKey, PublicKey
from federation.signatures.claim import Claim, Profile, read_key_id
from federation.signatures.encoding import decode_base64, encode_base64
from federation.signatures.message import SignedMessage

REQUIRED_GET: Final = ("@method", "@target-uri")
REQUIRED_POST: Final = (*REQUIRED_GET, "content-digest")
COVERED_GET: Final = REQUIRED_GET
COVERED_POST: Final = (*REQUIRED_POST, "content-type")
#: Beside them what a message may say of our logs and collections; whoever covers it means it.
ALLOWED: Final = frozenset({*COVERED_POST, "@authority", "host", "date", "sibling-log", "collection-synchronization"})
#: RFC 9421 section 3.3 names of the algorithms, by the stored key's.
ALGORITHMS: Final = {"rsa": "rsa-v1_5-sha256", "ed25519": "ed25519"}
OUR_LABEL: Final = "sig1"

# RFC 8941 sections 3.1.1, 3.1.2 and 3.2 in canonical form; component parameters do not fit the pattern.
_LABEL = r"[a-z*][a-z0-9_.*-]{0,63}"
_PLAIN = r"[ !#-\[\]-~]*"
_STRING = rf'"{_PLAIN}(?:\\["\\]{_PLAIN})*"'
_INPUT = re.compile(
    rf"(?P<label>{_LABEL})="
    r'(?P<params>\((?P<components>(?:"[a-z0-9@-]+"(?: "[a-z0-9@-]+")*)?)\)'
    rf"(?P<rest>(?:;{_LABEL}=(?:{_STRING}|0|[1-9][0-9]{{0,14}}))*))\Z"
)
_PARAMETER = re.compile(rf';(?P<name>{_LABEL})=(?:"(?P<text>{_PLAIN}(?:\\["\\]{_PLAIN})*)"|(?P<number>[0-9]+))')
_SIGNATURE = re.compile(rf"(?P<label>{_LABEL})=:(?P<base64>[A-Za-z0-9+/]+={{0,2}}):\Z")
_TEXTS: Final = frozenset({"keyid", "alg", "nonce", "tag"})
_NUMBERS: Final = frozenset({"created", "expires"})


def read_rfc9421(message: SignedMessage) -> Claim:
    """Read Signature-Input and Signature: one label, coverage, parameters, base64; nothing is believed yet."""
    given = _INPUT.match(message.headers["signature-input"])
    made = _SIGNATURE.match(message.headers["signature"])
    if given is None or made is None or given["label"] != made["label"]:
        raise BadSignature("not one labelled signature in canonical form")
    covered = _covered(given["components"], message.method not in ("GET", "HEAD"))
    _require_present(message, covered)
    texts, numbers = _parameters(given["rest"])
    if "keyid" not in texts or "created" not in numbers:
        raise BadSignature("keyid or created is missing")
    if texts.get("alg") not in ALGORITHMS.values():
        raise BadSignature("alg is missing or not allowed")
    key_id = read_key_id(texts["keyid"])
    try:
        signature = decode_base64(made["base64"])
    except ValueError:
        raise BadSignature("base64") from None
    created, expires = numbers["created"], numbers.get("expires")
    return Claim(Profile.RFC9421, key_id, covered, signature, texts["alg"], created, expires, given["params"])


def rfc9421_string(message: SignedMessage, claim: Claim, key: PublicKey) -> bytes:
    """Return the signature base once the stored key has verified it; raise BadSignature otherwise."""
    if ALGORITHMS[key.algorithm] != claim.algorithm:
        raise BadSignature("alg is not that of the stored key")
    base = signature_base(message, claim.covered, claim.params)
    if not key.verifies(claim.signature, base):
        raise BadSignature("does not verify")
    return base


def signature_base(message: SignedMessage, covered: tuple[str, ...], params: str) -> bytes:
    """The bytes that are signed (RFC 9421 section 2.5); BadSignature where a component has no value."""
    lines = [f'"{name}": {_component(message, name)}' for name in covered]
    lines.append(f'"@signature-params": {params}')
    return "\n".join(lines).encode("ascii")


def sign_rfc9421(key: PrivateKey, message: SignedMessage, created: int, more: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the headers Signature-Input and Signature; a Uri holds nothing that would have to be quoted.

    `more` names the fields that are covered besides.
    """
    covered = (*(COVERED_POST if "content-digest" in message.headers else COVERED_GET), *more)
    components = " ".join(f'"{name}"' for name in covered)
    params = f'({components});created={created};keyid="{key.id}";alg="{ALGORITHMS[key.algorithm]}"'
    signature = encode_base64(key.sign(signature_base(message, covered, params)))
    return {"Signature-Input": f"{OUR_LABEL}={params}", "Signature": f"{OUR_LABEL}=:{signature}:"}


def _path(message: SignedMessage) -> str:
    return message.target.partition("?")[0]


def _query(message: SignedMessage) -> str:
    return "?" + message.target.partition("?")[2]


# RFC 9421 section 2.2. Which of them a signature may cover is decided by ALLOWED, not here.
_DERIVED: Final[Mapping[str, Callable[[SignedMessage], str]]] = {
    "@method": lambda message: message.method,
    "@target-uri": lambda message: message.origin + message.target,
    "@authority": lambda message: message.authority,
    "@scheme": lambda message: message.origin.partition(":")[0],
    "@request-target": lambda message: message.target,
    "@path": _path,
    "@query": _query,
}


def _component(message: SignedMessage, name: str) -> str:
    derive = _DERIVED.get(name)
    value = message.headers.get(name) if derive is None else derive(message)
    if value is None:
        raise BadSignature("covers an absent field")
    return value


# Peers send the same few lists again and again; a refusal is not remembered.
@lru_cache(maxsize=256)
def _covered(text: str, has_body: bool) -> tuple[str, ...]:
    """Split the list of components; raise WeakCoverage or BadSignature for one outside the profile."""
    covered = tuple(text.replace('"', "").split())
    if len(set(covered)) != len(covered) or not ALLOWED.issuperset(covered):
        raise BadSignature("covers a component twice, or one outside the profile")
    if not set(covered).issuperset(REQUIRED_POST if has_body else REQUIRED_GET):
        raise WeakCoverage("method, target and, with a body, content-digest must be covered")
    return covered


def _require_present(message: SignedMessage, covered: tuple[str, ...]) -> None:
    """A missing Content-Digest has a refusal of its own, further on; any other covered field is there."""
    for name in covered:
        if name not in _DERIVED and name != "content-digest" and name not in message.headers:
            raise BadSignature("covers an absent field")


def _parameters(text: str) -> tuple[dict[str, str], dict[str, int]]:
    """Read the parameters of the one signature; unknown, repeated or of the wrong type is BadSignature."""
    found = _PARAMETER.findall(text)
    texts = {name: value for name, value, number in found if not number}
    numbers = {name: int(number) for name, _, number in found if number}
    if not (_TEXTS.issuperset(texts) and _NUMBERS.issuperset(numbers)):
        raise BadSignature("parameter unknown or of the wrong type")
    if len(texts) + len(numbers) != len(found):
        raise BadSignature("parameter repeated")
    return texts, numbers
