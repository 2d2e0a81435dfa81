"""Signed messages for tests: real keys, real signatures, a clock that stands still."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache

import pytest

from federation.errors import Refused
from federation.keys import PrivateKey, make_ed25519, make_rsa
from federation.signatures import Profile, SignedMessage, Verified, read_claim, sign, verify
from federation.signatures.cavage import signing_string
from federation.signatures.encoding import encode_base64
from federation.signatures.rfc9421 import ALGORITHMS, signature_base
from federation.uri import Uri

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
HERE = "https://de.example"
INBOX = Uri.parse("https://de.example/inbox")
MARIE = Uri.parse("https://fr.example/doctors/marie")
CREATED = int(NOW.timestamp())
BODY = b'{"type":"Create","id":"https://fr.example/activities/1"}'

#: Every profile, each a test of its own.
PROFILES = pytest.mark.parametrize("profile", list(Profile), ids=lambda profile: profile.value)
#: What our RFC 9421 signatures of a POST cover.
STRONG_9421 = ("@method", "@target-uri", "content-digest", "content-type")

RawHeaders = list[tuple[bytes, bytes]]


def rsa_key(owner: Uri = MARIE) -> PrivateKey:
    """The RSA key of this owner: made once a run."""
    return _rsa_key(owner)


def ed25519_key(owner: Uri = MARIE) -> PrivateKey:
    """The Ed25519 key of this owner: made once a run."""
    return _ed25519_key(owner)


@lru_cache(maxsize=256)
def _rsa_key(owner: Uri) -> PrivateKey:
    return make_rsa(Uri.parse(f"{owner}#main-key"), owner, 2048)


@lru_cache(maxsize=256)
def _ed25519_key(owner: Uri) -> PrivateKey:
    return make_ed25519(Uri.parse(f"{owner}#ed25519-key"), owner)


def key_for(profile: Profile, owner: Uri = MARIE) -> PrivateKey:
    """A key that fits the profile."""
    return rsa_key(owner) if profile is Profile.CAVAGE else ed25519_key(owner)


def raw(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> RawHeaders:
    """Headers as a server hands them over: bytes, names in lower case."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs]


def signed_headers(
    body: bytes | None = BODY,
    *,
    profile: Profile = Profile.CAVAGE,
    key: PrivateKey | None = None,
    url: Uri = INBOX,
    now: datetime = NOW,
    method: str | None = None,
    label: str = "hs2019",
) -> dict[str, str]:
    """The headers of a request that is signed as ours are; a body of None makes it a GET."""
    method = method or ("GET" if body is None else "POST")
    return sign(method, url, body, key or key_for(profile), profile, now, label=label)


def received(
    headers: Mapping[str, str] | Iterable[tuple[str, str]],
    body: bytes | None = BODY,
    *,
    origin: str = HERE,
    target: str = "/inbox",
    method: str | None = None,
) -> SignedMessage:
    """The message as the server with this origin sees it."""
    method = method or ("GET" if body is None else "POST")
    return SignedMessage.from_raw(method, origin, target, raw(headers)).with_body(body or b"")


def check(message: SignedMessage, key: PrivateKey, now: datetime = NOW) -> Verified:
    """Put both questions to a message: the claim, and whether it is true."""
    return verify(message, read_claim(message), key.public(), now)


def verified(
    body: bytes = BODY,
    *,
    profile: Profile = Profile.CAVAGE,
    key: PrivateKey | None = None,
    url: Uri = INBOX,
    now: datetime = NOW,
) -> Verified:
    """The proof that a message with this body was signed by the key's owner, made the only way there is."""
    key = key or key_for(profile)
    headers = signed_headers(body, profile=profile, key=key, url=url, now=now)
    return check(received(headers, body, origin=url.origin, target=url.target), key, now)


def resigned(
    headers: dict[str, str], covered: tuple[str, ...], key: PrivateKey, label: str | None = "hs2019", **extra: int
) -> dict[str, str]:
    """The headers with a cavage signature over any list of parts, as a peer of another mind would make it."""
    values = {name.lower(): value for name, value in headers.items()}
    values |= {f"({name})": str(value) for name, value in extra.items()}
    text = signing_string(values, covered, "POST", "/inbox")
    parts = [f'keyId="{key.id}"', f'headers="{" ".join(covered)}"']
    parts += [] if label is None else [f'algorithm="{label}"']
    parts += [f"{name}={value}" for name, value in extra.items()]
    parts.append(f'signature="{encode_base64(key.sign(text))}"')
    return {**headers, "Signature": ",".join(parts)}


def resigned_9421(
    message_headers: dict[str, str],
    covered: tuple[str, ...],
    key: PrivateKey,
    *,
    params: str,
    label: str = "sig1",
    method: str = "POST",
    target: str = "/inbox",
    body: bytes = BODY,
) -> dict[str, str]:
    """The headers with an RFC 9421 signature over any components and with any parameters after them."""
    lower = {name.lower(): value for name, value in message_headers.items()}
    whole = "(" + " ".join(f'"{name}"' for name in covered) + ")" + params
    text = signature_base(SignedMessage(method, HERE, target, lower, body), covered, whole)
    return {
        **message_headers,
        "Signature-Input": f"{label}={whole}",
        "Signature": f"{label}=:{encode_base64(key.sign(text))}:",
    }


def refused(kind: type[Refused], headers, key: PrivateKey, body: bytes | None = BODY, **where: str) -> None:
    """The message is refused with this code, and with 401 unless it never was for us."""
    with pytest.raises(kind):
        check(received(headers, body, **where), key)


def changed(headers: dict[str, str], **values: str | None) -> dict[str, str]:
    """The headers with some replaced or, by None, taken away."""
    named = {name.replace("_", "-").title(): value for name, value in values.items()}
    return {name: value for name, value in {**headers, **named}.items() if value is not None}


def params(key: PrivateKey, created: int = CREATED, alg: str | None = None, more: str = "") -> str:
    """The parameters of an RFC 9421 signature by this key."""
    alg = alg or ALGORITHMS[key.algorithm]
    return f';created={created};keyid="{key.id}";alg="{alg}"{more}'
