"""Status lists (W3C Bitstring Status List): one bit per dossier, revoked or suspended, signed by the issuer.

The left-most bit of the first byte is index 0. A list is fetched whole, so that its issuer does not learn whom a
sibling looks at, and it is believed only after `read_list`.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from federation.integrity import BadProof, Json, check_proof, read_instant, read_proof, write_instant
from federation.uri import Uri
from verification.errors import BadStatusList
from verification.issuers import SKEW, Issuer
from verification.ports import Signer
from verification.verdicts import Reason

#: Entries of a list, at least: fewer would tell who is looked up.
MIN_LENGTH: Final = 131_072
#: How long a list holds by its own word.
LIFE: Final = timedelta(days=7)
#: How often it is asked for, and how long its silence is trusted, whatever a list of another issuer may say.
TTL: Final = timedelta(minutes=15)
MAX_ENCODED: Final = 1_048_576
MAX_DECODED: Final = 4_194_304

_VC: Final = "https://www.w3.org/ns/credentials/v2"
_TYPE: Final = ("VerifiableCredential", "BitstringStatusListCredential")
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*\Z")
_GZIP: Final = 31  # zlib's word for "a gzip member and nothing else"


class Purpose(StrEnum):
    """What a set bit means: a revocation is final, a suspension is not."""

    REVOCATION = "revocation"
    SUSPENSION = "suspension"

    @property
    def reason(self) -> Reason:
        """The code of a doctor whose bit is set."""
        return Reason.REVOKED if self is Purpose.REVOCATION else Reason.SUSPENDED


class Failure(StrEnum):
    """Why a fetched list is not stored."""

    PROOF = "status_bad_proof"
    PURPOSE = "status_purpose"
    LENGTH = "status_length"
    EXPIRED = "status_expired"


@dataclass(frozen=True, slots=True)
class StatusList:
    """A stored list that was verified when it was fetched."""

    id: Uri
    issuer: Uri
    purpose: Purpose
    bits: bytes
    fetched_at: datetime

    @property
    def length(self) -> int:
        """How many entries the list has."""
        return 8 * len(self.bits)

    def is_set(self, index: int) -> bool:
        """Whether the bit of this index is set; raise IndexError outside the list."""
        return bit(self.bits, index)


# ── bits ──


def blank(length: int = MIN_LENGTH) -> bytes:
    """Return a list in which nothing is set."""
    return bytes((length + 7) // 8)


def bit(bits: bytes, index: int) -> bool:
    """Return one bit; raise IndexError outside the list, also before its beginning."""
    if index < 0:
        raise IndexError("a status index counts from zero")
    return bool(bits[index // 8] & (0x80 >> index % 8))


def with_bit(bits: bytes, index: int, value: bool) -> bytes:
    """Return the list with one bit set or cleared; raise IndexError outside the list."""
    mask = 0x80 >> index % 8
    if bit(bits, index) == value:
        return bits
    changed = bytearray(bits)
    changed[index // 8] ^= mask
    return bytes(changed)


def with_set(bits: bytes, places: Iterable[int]) -> bytes:
    """Return the list with these bits set besides; raise IndexError outside the list."""
    changed = bytearray(bits)
    for place in places:
        if place < 0:
            raise IndexError("a status index counts from zero")
        changed[place // 8] |= 0x80 >> place % 8
    return bytes(changed)


def with_final(found: StatusList, before: bytes) -> StatusList:
    """Return a list as it counts beside what was set in it before: a revocation that was read once is never cleared.

    A suspension may end; such a list is returned as it is.
    """
    if found.purpose is not Purpose.REVOCATION:
        return found
    length = max(len(before), len(found.bits))
    one, other = (int.from_bytes(bits.ljust(length, b"\0")) for bits in (before, found.bits))
    return replace(found, bits=(one | other).to_bytes(length))


def encode(bits: bytes) -> str:
    """Write bits as a list carries them: `u` and base64url over gzip. Equal bits give equal text."""
    packed = gzip.compress(bits, mtime=0)
    return "u" + base64.urlsafe_b64encode(packed).rstrip(b"=").decode("ascii")


def decode(text: object) -> bytes:
    """Read what `encode` writes; raise ValueError for anything else, and before more than 4 MiB are unpacked."""
    if not isinstance(text, str) or not text.startswith("u") or len(text) > MAX_ENCODED:
        raise ValueError("not a list in base64url")
    if not _BASE64URL.match(text, 1):
        raise ValueError("not base64url")
    try:
        packed = base64.urlsafe_b64decode(text[1:] + "=" * (-(len(text) - 1) % 4))
    except binascii.Error:
        raise ValueError("not base64url") from None
    return _unpack(packed)


def _unpack(packed: bytes) -> bytes:
    reader = zlib.decompressobj(wbits=_GZIP)
    try:
        bits = reader.decompress(packed, MAX_DECODED)
    except zlib.error:
        raise ValueError("not gzip") from None
    if not reader.eof or reader.unused_data:
        raise ValueError("too large, cut off, or followed by something")
    return bits


# ── signed lists ──


def issue_list(address: Uri, purpose: Purpose, bits: bytes, signer: Signer, *, now: datetime) -> dict[str, Json]:
    """Return the signed list as it is served at its address."""
    begins = now.replace(microsecond=0)
    document: dict[str, Json] = {
        "@context": [_VC],
        "id": str(address),
        "type": list(_TYPE),
        "issuer": str(signer.issuer),
        "validFrom": write_instant(begins),
        "validUntil": write_instant(begins + LIFE),
        "credentialSubject": {
            "id": f"{address}#list",
            "type": "BitstringStatusList",
            "statusPurpose": purpose.value,
            "ttl": int(TTL.total_seconds() * 1000),
            "encodedList": encode(bits),
        },
    }
    return signer.sign(document, at=begins)


def read_list(document: Json, address: Uri, purpose: Purpose, issuer: Issuer, *, now: datetime) -> StatusList:
    """Return the list fetched now from this address; raise BadStatusList (its `failure`) when it may not be stored."""
    if not isinstance(document, dict):
        raise BadStatusList(Failure.PROOF)
    begins = _require_proof(document, address, issuer)
    # Differences, not sums: a signed time may be the calendar's first or last.
    if begins - now > SKEW or now - _instant(document.get("validUntil")) > SKEW:
        raise BadStatusList(Failure.EXPIRED)
    subject = document["credentialSubject"]
    if not isinstance(subject, dict) or subject.get("statusPurpose") != purpose.value:
        raise BadStatusList(Failure.PURPOSE)
    bits = _bits(subject.get("encodedList"))
    return StatusList(address, issuer.id, purpose, bits, fetched_at=now)


def _require_proof(document: dict[str, Json], address: Uri, issuer: Issuer) -> datetime:
    """The begin of a list that one of the issuer's listed keys has signed, for this address, in our form."""
    if "signature" in document or not issuer.is_home_of(address):
        raise BadStatusList(Failure.PROOF)
    if (document.get("id"), document.get("issuer")) != (str(address), str(issuer.id)):
        raise BadStatusList(Failure.PROOF)
    if document.get("@context") != [_VC] or document.get("type") != list(_TYPE):
        raise BadStatusList(Failure.PROOF)
    subject = document.get("credentialSubject")
    if not isinstance(subject, dict) or subject.get("type") != "BitstringStatusList":
        raise BadStatusList(Failure.PROOF)
    begins = _instant(document.get("validFrom"))
    try:
        key = issuer.key(read_proof(document).verification_method)
        if key is None or not key.valid_at(begins):
            raise BadProof("not signed with a listed key")
        check_proof(document, key.public)
    except BadProof:
        raise BadStatusList(Failure.PROOF) from None
    return begins


def _instant(value: Json) -> datetime:
    try:
        return read_instant(value)
    except ValueError:
        raise BadStatusList(Failure.EXPIRED) from None


def _bits(text: Json) -> bytes:
    try:
        bits = decode(text)
    except ValueError:
        raise BadStatusList(Failure.LENGTH) from None
    if 8 * len(bits) < MIN_LENGTH:
        raise BadStatusList(Failure.LENGTH)
    return bits
