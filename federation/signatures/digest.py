"""The body's digest: Digest (RFC 3230) under cavage, Content-Digest (RFC 9530) under RFC 9421.

Every listed algorithm we know must match the raw bytes, sha-256 must be among them, and where a message carries both
headers both must hold: a body may mean one thing only.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from federation.errors import DigestMismatch
from federation.signatures.claim import Claim, Profile
from federation.signatures.encoding import encode_base64
from federation.signatures.message import SignedMessage


def _md5(body: bytes) -> bytes:
    return hashlib.md5(body, usedforsecurity=False).digest()


def _sha1(body: bytes) -> bytes:
    return hashlib.sha1(body, usedforsecurity=False).digest()


def _sha256(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


def _sha512(body: bytes) -> bytes:
    return hashlib.sha512(body).digest()


# The weak two are known only so that a contradiction is seen; they never suffice.
_KNOWN: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "sha-256": _sha256,
    "sha-512": _sha512,
    "md5": _md5,
    "sha": _sha1,
}
_HEADER_OF: Final = {Profile.CAVAGE: "digest", Profile.RFC9421: "content-digest"}
# RFC 3230 section 4.1.1: algorithm=value; the name in any case, the value's alphabet depends on the algorithm.
_DIGEST = re.compile(r"(?P<name>[A-Za-z0-9-]+)=(?P<value>[A-Za-z0-9+/]+={0,2})[ \t]*(?P<more>,[ \t]*|\Z)")
# RFC 9530 section 2: a dictionary whose values are byte sequences.
_CONTENT_DIGEST = re.compile(
    r"(?P<name>[a-z*][a-z0-9_.*-]*)=:(?P<value>[A-Za-z0-9+/]+={0,2}):[ \t]*(?P<more>,[ \t]*|\Z)"
)
_SHAPES: Final = {"digest": _DIGEST, "content-digest": _CONTENT_DIGEST}


def digest_header(body: bytes) -> str:
    """The value of Digest for these bytes."""
    return "SHA-256=" + encode_base64(_sha256(body))


def content_digest(body: bytes) -> str:
    """The value of Content-Digest for these bytes."""
    return f"sha-256=:{encode_base64(_sha256(body))}:"


def check_digest(message: SignedMessage, claim: Claim) -> None:
    """Raise DigestMismatch unless the digest headers are those of the raw body, recomputed.

    The profile's own header is compulsory wherever there is or may be a body.
    """
    own = _HEADER_OF[claim.profile]
    may_have_body = message.method not in ("GET", "HEAD") or message.body
    if own not in message.headers and (may_have_body or own in claim.covered):
        raise DigestMismatch(f"no {own}")
    if own not in claim.covered and may_have_body:
        raise DigestMismatch(f"{own} not covered")
    for name, shape in _SHAPES.items():
        if name in message.headers:
            _require_match(message.headers[name], shape, message.body)


def _require_match(header: str, shape: re.Pattern[str], body: bytes) -> None:
    named: set[str] = set()
    for name, value in _entries(header, shape):
        if name in named:
            raise DigestMismatch("algorithm repeated")
        named.add(name)
        compute = _KNOWN.get(name)
        # The texts are compared, so that only the one canonical base64 of the bytes is right.
        if compute is not None and value != encode_base64(compute(body)):
            raise DigestMismatch(name)
    if "sha-256" not in named:
        raise DigestMismatch("no sha-256")


def _entries(header: str, shape: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    at, more = 0, True
    while more:
        found = shape.match(header, at)
        if found is None:
            raise DigestMismatch("unreadable")
        name, value, comma = found.groups()
        yield name.lower(), value
        at, more = found.end(), comma != ""
