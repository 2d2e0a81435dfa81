"""Making a federation list, offline: drafted by one, signed by each on their own machine, put together in any order.

Pure, like the reading of lists in `membership`. A proof covers the list without its proofs, so that none depends on
another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from federation.integrity import Json, add_proof, write_instant, write_multikey
from federation.membership import CONTEXT, TYPE, Emergency, FederationList, MemberStatus, Signers, hash_of
from federation.uri import Uri

#: Statuses in which a member may follow another (rule 7); one that has left comes back as a candidate.
MOVES: Final[Mapping[MemberStatus, frozenset[MemberStatus]]] = {
    MemberStatus.CANDIDATE: frozenset({MemberStatus.ACTIVE, MemberStatus.WITHDRAWN}),
    MemberStatus.ACTIVE: frozenset({MemberStatus.SUSPENDED, MemberStatus.WITHDRAWN}),
    MemberStatus.SUSPENDED: frozenset({MemberStatus.ACTIVE, MemberStatus.WITHDRAWN}),
    MemberStatus.WITHDRAWN: frozenset(),
}


def did_of(key: Ed25519PublicKey) -> str:
    """Return the full `did:key` id of a signer."""
    return f"did:key:{write_multikey(key)}"


def first(id: Uri, *, now: datetime, life: timedelta, sequence: int = 1) -> dict[str, Json]:
    """Return an unsigned list without members, the first of its federation."""
    origin = id.origin
    subject: dict[str, Json] = {
        "id": f"{origin}/federation", "type": "Federation", "sequence": sequence, "member": [],
    }  # fmt: skip
    return {
        "@context": list(CONTEXT), "id": str(id), "type": list(TYPE), "issuer": f"{origin}/",
        "validFrom": write_instant(now), "validUntil": write_instant(now + life), "credentialSubject": subject,
    }  # fmt: skip


def following(before: FederationList, *, now: datetime, life: timedelta) -> dict[str, Json]:
    """Return the unsigned list after this one, with the same members and the hash of the one before."""
    kept: Any = before.document["credentialSubject"]
    subject = {name: value for name, value in kept.items() if name not in ("signers", "emergency")}
    subject |= {"sequence": before.sequence + 1, "previous": before.hash}
    return {
        **{name: value for name, value in before.document.items() if name != "proof"},
        "validFrom": write_instant(now), "validUntil": write_instant(now + life), "credentialSubject": subject,
    }  # fmt: skip


def with_member(document: Mapping[str, Json], entry: Mapping[str, Json]) -> dict[str, Json]:
    """Return the list with this entry, in the place of the one with the same id where there is one."""
    members: Any = _subject(document)["member"]
    others = [each for each in members if each["id"] != entry["id"]]
    return with_values(document, member=[*others, dict(entry)])


def with_status(document: Mapping[str, Json], domain: str, status: MemberStatus) -> dict[str, Json]:
    """Return the list with a member in another state; raise ValueError where it is none, or may not come there."""
    members: Any = _subject(document)["member"]
    found = next((each for each in members if each["domain"] == domain), None)
    if found is None:
        raise ValueError(f"{domain} is no member")
    if status not in MOVES[MemberStatus(found["status"])]:
        raise ValueError(f"{domain} is {found['status']} and cannot become {status}")
    changed = [{**each, "status": status.value} if each is found else each for each in members]
    return with_values(document, member=changed)


def with_signers(document: Mapping[str, Json], signers: Signers) -> dict[str, Json]:
    """Return the list naming the signers that judge the next one."""
    return with_values(document, signers={"threshold": signers.threshold, "key": sorted(signers.keys)})


def with_emergency(document: Mapping[str, Json], emergency: Emergency) -> dict[str, Json]:
    """Return the list as one signed out of turn."""
    said = {"reason": emergency.reason, "reviewBy": write_instant(emergency.review_by)}
    return with_values(document, emergency=said)


def with_values(document: Mapping[str, Json], **values: Any) -> dict[str, Json]:
    """Return the list with these members of its subject."""
    return {**document, "credentialSubject": {**_subject(document), **values}}


def sign(document: Mapping[str, Json], key: Ed25519PrivateKey, *, now: datetime) -> dict[str, Json]:
    """Return the list with this signer's proof beside those it has; an older proof of the same signer is replaced."""
    did = did_of(key.public_key())
    method = f"{did}#{did.removeprefix('did:key:')}"
    bare = {name: value for name, value in document.items() if name != "proof"}
    made = add_proof(bare, key, verification_method=method, created=now)["proof"]
    others = [proof for proof in proofs(document) if _method(proof) != method]
    return {**bare, "proof": [*others, made] if others else made}


def merge(documents: Sequence[Mapping[str, Json]]) -> dict[str, Json]:
    """Return one list with everybody's proofs; raise ValueError where they are not copies of one list."""
    if len({hash_of(document) for document in documents}) != 1:
        raise ValueError("these are not copies of one list")
    found: dict[str, Json] = {}
    for proof in (each for document in documents for each in proofs(document)):
        found.setdefault(_method(proof), proof)
    bare = {name: value for name, value in documents[0].items() if name != "proof"}
    every = list(found.values())
    return {**bare, "proof": every if len(every) != 1 else every[0]} if every else bare


def proofs(document: Mapping[str, Json]) -> list[Json]:
    """Return every proof of a list, in its order."""
    proof = document.get("proof", [])
    return proof if isinstance(proof, list) else [proof]


def entry(
    actor: Uri, *, status: MemberStatus, countries: Iterable[str], issuer_key: Mapping[str, Json], pins: Iterable[str]
) -> dict[str, Json]:
    """Return the entry of a member."""
    made: dict[str, Any] = {
        "id": str(actor), "domain": actor.authority, "status": status.value, "mayIssueFor": sorted(countries),
        "issuerKey": [dict(issuer_key)], "instanceKey": sorted(pins),
    }  # fmt: skip
    return made


def issuer_key(id: Uri, actor: Uri, multikey: str, *, begins: datetime, ends: datetime) -> dict[str, Json]:
    """Return the entry of an issuer key and the time for which it may vouch."""
    return {
        "id": str(id), "type": "Multikey", "controller": str(actor), "publicKeyMultibase": multikey,
        "validFrom": write_instant(begins), "validUntil": write_instant(ends),
    }  # fmt: skip


def _subject(document: Mapping[str, Json]) -> dict[str, Any]:
    subject: Any = document["credentialSubject"]
    return dict(subject)


def _method(proof: Json) -> str:
    return str(proof.get("verificationMethod", "")) if isinstance(proof, dict) else ""
