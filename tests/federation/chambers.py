"""Three chambers that sign a made-up federation list, and the lists they make."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federation import membership_drafts as drafts
from federation.integrity import write_multikey
from federation.membership import FederationList, MemberStatus, Signers, State, read
from federation.uri import Uri

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LIFE = timedelta(days=14)
ADDRESS = Uri.parse("https://anchor.example/federation/list")


def key_of(name: str) -> Ed25519PrivateKey:
    """A private key that is the same in every run."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"chamber {name}".encode()).digest())


def did(name: str) -> str:
    """The signer's id."""
    return drafts.did_of(key_of(name).public_key())


def chambers(*names: str, threshold: int = 2) -> Signers:
    """The set of these."""
    return Signers(threshold, frozenset(did(name) for name in names or ("a", "b", "c")))


def pin(name: str) -> str:
    """A made-up fingerprint."""
    return "sha256:" + hashlib.sha256(name.encode()).hexdigest()


def entry(name: str, *, status: str = "active", country: str = "", **changes: Any) -> dict[str, Any]:
    """A member's entry."""
    actor = Uri.parse(f"https://{name}.example/actor")
    key = drafts.issuer_key(
        Uri.parse(f"{actor}#vc-1"), actor, write_multikey(key_of(f"issuer {name}").public_key()),
        begins=NOW - timedelta(days=300), ends=NOW + timedelta(days=300),
    )  # fmt: skip
    made = drafts.entry(
        actor, status=MemberStatus(status), countries=(country or name.upper(),), issuer_key=key, pins=(pin(name),)
    )
    return {**made, **changes}


def draft(
    *members: dict[str, Any], before: FederationList | None = None, at: datetime = NOW, life: timedelta = LIFE,
    sequence: int = 1, **subject: Any,
) -> dict[str, Any]:  # fmt: skip
    """An unsigned list: the first, or the one after another."""
    if before is None:
        made = drafts.first(ADDRESS, now=at, life=life, sequence=sequence)
    else:
        made = drafts.following(before, now=at, life=life)
    made = drafts.with_values(made, member=list(members)) if members or before is None else made
    return drafts.with_values(made, **subject) if subject else made


def signed(document: dict[str, Any], *names: str, at: datetime = NOW) -> dict[str, Any]:
    """The same with the proofs of these signers."""
    for name in names:
        document = drafts.sign(document, key_of(name), now=at)
    return document


def listed(document: dict[str, Any]) -> FederationList:
    """Read as it would be fetched."""
    return read(orjson.dumps(document))


def state(current: FederationList | None = None, signers: Signers | None = None, least: int = 1) -> State:
    """What is in force."""
    return State(signers or chambers(), least, current)
