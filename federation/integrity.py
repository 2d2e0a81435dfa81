"""Object proofs: RFC 8785 (JCS) and eddsa-jcs-2022 (FEP-8b32). The only user of rfc8785.

    add_proof     a document and a private key ─▶ the document with its proof
    read_proof    what the proof claims, before any key is known
    check_proof   the claim holds under this public key, or BadProof

A proof is read strictly: exactly one, of one suite and one purpose, with no member this module does not understand.
Everything here is pure; `@context` is compared as data and never processed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeAlias, cast

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from federation.multibase import decode_multibase, decode_multikey, encode_multibase, encode_multikey

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

PROOF_TYPE: Final = "DataIntegrityProof"
CRYPTOSUITE: Final = "eddsa-jcs-2022"
PURPOSE: Final = "assertionMethod"
_REQUIRED: Final = frozenset({"type", "cryptosuite", "proofPurpose", "verificationMethod", "proofValue"})
# A proof that expires, or is meant for one domain, must not be honoured by a reader who ignores those members.
_UNDERSTOOD: Final = _REQUIRED | {"@context", "created"}
_MAX_PROOF_VALUE: Final = 90  # "z" and 64 bytes in base58btc
_MAX_METHOD: Final = 512
_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})\Z"
)


class NotCanonical(ValueError):
    """The value is not I-JSON (RFC 7493), so it has no canonical bytes."""


class BadProof(ValueError):
    """The document carries no proof, more than one, one of another kind, or one that does not hold."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a proof says of itself. Only `check_proof` says that it holds."""

    verification_method: str
    created: datetime | None
    value: bytes


# ── canonical bytes ──


def canonical(value: Json) -> bytes:
    """Return the one spelling of a value under RFC 8785; raise NotCanonical when it has none."""
    try:
        return rfc8785.dumps(value)
    except (ValueError, RecursionError):  # its errors quote the value, which must not reach a log
        raise NotCanonical("not I-JSON") from None


def digest(value: Json) -> bytes:
    """Return SHA-256 over the canonical bytes."""
    return hashlib.sha256(canonical(value)).digest()


# ── times and keys as signed documents write them ──


def write_instant(at: datetime) -> str:
    """Write an aware time as RFC 3339 in UTC, to the second."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def read_instant(text: object) -> datetime:
    """Read an RFC 3339 time into UTC; raise ValueError for anything else, whatever its type."""
    if not isinstance(text, str) or not _INSTANT.match(text):
        raise ValueError("not an RFC 3339 time")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except OverflowError:
        raise ValueError("outside the calendar") from None


def read_multikey(text: object) -> Ed25519PublicKey:
    """Read an Ed25519 public key from its Multikey text (FEP-521a); raise ValueError for anything else."""
    return Ed25519PublicKey.from_public_bytes(decode_multikey(text))


def write_multikey(key: Ed25519PublicKey) -> str:
    """Write an Ed25519 public key as Multikey text."""
    return encode_multikey(key.public_bytes_raw())


# ── proofs ──


def add_proof(
    document: Mapping[str, Json],
    key: Ed25519PrivateKey,
    *,
    verification_method: str,
    created: datetime,
    purpose: str = PURPOSE,
) -> dict[str, Json]:
    """Return a copy of the document with its proof; raise NotCanonical where it cannot be signed.

    A document that carries a proof already is refused: the caller says which of the two it means.
    """
    if "proof" in document:
        raise ValueError("the document already carries a proof")
    options: dict[str, Json] = {
        "type": PROOF_TYPE,
        "cryptosuite": CRYPTOSUITE,
        "created": write_instant(created),
        "verificationMethod": str(verification_method),
        "proofPurpose": purpose,
    }
    if "@context" in document:  # VC-DI-EDDSA section 3.3.1: the proof is bound to the terms it was made under
        options["@context"] = document["@context"]
    value = encode_multibase(key.sign(_signing_input(document, options)))
    return {**document, "proof": {**options, "proofValue": value}}


def read_proof(document: Json) -> Proof:
    """Return what the document's one proof claims; raise BadProof where its form is not ours."""
    options = _options(document)
    method, value = options["verificationMethod"], options["proofValue"]
    if not isinstance(method, str) or not 0 < len(method) <= _MAX_METHOD:
        raise BadProof("no verification method")
    return Proof(method, _created(options), _signature(value))


def check_proof(document: Json, key: Ed25519PublicKey) -> Proof:
    """Return the proof when it holds under this key; raise BadProof for every other document, whatever its shape.

    Whether the key may speak for the document's author is the caller's question. A foreign `signature`
    (linked-data signatures of other servers) is no part of what is signed here.
    """
    proof, options = read_proof(document), _options(document)
    try:
        key.verify(proof.value, _signing_input(cast("dict[str, Json]", document), options))
    except InvalidSignature:
        raise BadProof("the signature does not hold") from None
    except NotCanonical:
        raise BadProof("the document is not I-JSON") from None
    return proof


def _options(document: Json) -> dict[str, Json]:
    """The one proof of a document, with every member known and of its only accepted value."""
    options = document.get("proof") if isinstance(document, dict) else None
    if not isinstance(options, dict):
        raise BadProof("not exactly one proof")
    if not _REQUIRED <= options.keys() <= _UNDERSTOOD:
        raise BadProof("a member of the proof is missing or unknown")
    if (options["type"], options["cryptosuite"], options["proofPurpose"]) != (PROOF_TYPE, CRYPTOSUITE, PURPOSE):
        raise BadProof("another type, suite or purpose")
    return options


def _created(options: Mapping[str, Json]) -> datetime | None:
    if "created" not in options:
        return None
    try:
        return read_instant(options["created"])
    except ValueError:
        raise BadProof("an unreadable time") from None


def _signature(value: Json) -> bytes:
    try:
        # Base58 takes quadratic time, so the length is looked at first.
        signature = decode_multibase(value if isinstance(value, str) and len(value) <= _MAX_PROOF_VALUE else None)
    except ValueError:
        raise BadProof("an unreadable signature") from None
    if len(signature) != 64:
        raise BadProof("an Ed25519 signature has 64 bytes")
    return signature


def _signing_input(document: Mapping[str, Json], options: Mapping[str, Json]) -> bytes:
    """SHA-256 of the proof's options, then of the document as the proof saw it (VC-DI-EDDSA section 3.3.4)."""
    unsigned = {name: value for name, value in document.items() if name not in ("proof", "signature")}
    if "@context" in options:
        if "@context" not in document or not _is_prefix(options["@context"], document["@context"]):
            raise BadProof("the proof was made under another context")
        unsigned["@context"] = options["@context"]
    bare = {name: value for name, value in options.items() if name != "proofValue"}
    return digest(bare) + digest(unsigned)


def _is_prefix(part: Json, whole: Json) -> bool:
    """Whether the document's contexts begin with the proof's; a lone context is a list of one."""
    first: list[Json] = part if isinstance(part, list) else [part]
    every: list[Json] = whole if isinstance(whole, list) else [whole]
    # Compared as canonical bytes: in Python 1 equals True, and the two are not one context.
    return bool(first) and canonical(every[: len(first)]) == canonical(first)
