"""The federation list: who belongs, signed by m of n, each list holding the hash of the one before; pure.

    read      bytes ─▶ FederationList, or NotAdopted: its form, none of its signatures
    verify    which signers of a set have signed it; NotAdopted where they are too few
    adopt     what is in force, and a list that came ─▶ what is in force then; NotAdopted names the rule that failed
    narrowed  an entry of the allowlist and the list in force ─▶ the entry as it counts

Whoever hands a list on counts for nothing: its signatures do. Without a list that holds nobody is a sibling.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import reduce
from typing import Any, Final, cast

from federation.allowlist import IssuerKey, Listed, Sibling
from federation.errors import Refused
from federation.integrity import BadProof, Json, NotCanonical, check_proof, digest, read_instant, read_multikey
from federation.strict import strict_json
from federation.uri import BadUri, Uri

CONTEXT: Final = ("https://www.w3.org/ns/credentials/v2", "https://esanum.example/ns/federation/v1")
TYPE: Final = ("VerifiableCredential", "FederationList")
#: What a list may be long, in bytes, and how many proofs of it are read.
MAX_LIST: Final = 1_048_576
MAX_PROOFS: Final = 32
#: The longest life of a list, and how far ahead an emergency may be reviewed.
MAX_LIFE: Final = timedelta(days=14)
MAX_REVIEW: Final = timedelta(days=30)
#: How many lists that were missed are asked for and checked, one after the other.
MAX_GAP: Final = 50
#: How far two clocks may differ.
SKEW: Final = timedelta(seconds=300)

_DID: Final = "did:key:"
_COUNTRY: Final = re.compile(r"[A-Z]{2}\Z")
_HASH: Final = re.compile(r"sha256:[0-9a-f]{64}\Z")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_MOST_SEQUENCE: Final = 2**53 - 1

CODES: Final = (
    "list_malformed", "list_too_large", "bad_proof", "too_few_signatures", "sequence_rollback", "list_fork", "list_gap",
    "validity_too_long", "list_not_begun", "federation_list_expired", "emergency_widens",
)  # fmt: skip


class NotAdopted(Exception):
    """A list that does not take the place of the one in force; `code` is one of CODES."""

    def __init__(self, code: str, reason: str = "") -> None:
        super().__init__(reason or code)
        self.code, self.reason = code, reason


class MemberStatus(StrEnum):
    """The life of a member. Whatever else a list says is no member, like a candidate."""

    CANDIDATE = "candidate"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Signers:
    """Who may sign lists (full `did:key` ids), and how many of them must; raises ValueError for a set that cannot."""

    threshold: int
    keys: frozenset[str]

    def __post_init__(self) -> None:
        """Hold 1 ≤ m ≤ n ≤ 32, and every key readable."""
        if type(self.threshold) is not int or not 1 <= self.threshold <= len(self.keys) <= MAX_PROOFS:
            raise ValueError("as many signers as must sign, and no more than 32")
        for key in self.keys:
            read_did(key)


@dataclass(frozen=True, slots=True)
class Member:
    """One member of the federation as a list has it."""

    actor: Uri
    #: Host and, where it is not the scheme's own, port.
    domain: str
    status: MemberStatus
    may_issue_for: frozenset[str]
    issuer_keys: tuple[IssuerKey, ...]
    #: Fingerprints of the keys its instance actor may sign with; empty where the list pins none.
    instance_keys: frozenset[str] = frozenset()

    @property
    def origin(self) -> str:
        """Where it lives."""
        return self.actor.origin


@dataclass(frozen=True, slots=True)
class Emergency:
    """Why a list was signed out of turn, and until when that must be looked at again."""

    reason: str
    review_by: datetime


@dataclass(frozen=True, slots=True)
class FederationList:
    """A list as it was read; that it holds is said by `adopt` alone."""

    id: Uri
    sequence: int
    #: `sha256:…` of the list before, or None where it names none.
    previous: str | None
    valid_from: datetime
    valid_until: datetime
    members: tuple[Member, ...]
    #: The set that judges the next list, where this one changes it.
    signers: Signers | None
    emergency: Emergency | None
    #: `sha256:…` over the canonical form without proof.
    hash: str
    document: Mapping[str, Json]

    def find(self, origin: str) -> Member | None:
        """Return the member at exactly this origin, whatever its state."""
        return next((member for member in self.members if member.origin == origin), None)

    def is_over(self, now: datetime) -> bool:
        """Whether it counts no more: past its end, a clock's difference allowed."""
        return now - self.valid_until > SKEW


@dataclass(frozen=True, slots=True)
class State:
    """What is in force: the signers that judge the next list, and the list, if there ever was one."""

    signers: Signers
    min_sequence: int
    current: FederationList | None = None
    #: The signers that judged the list in force, where it has changed them.
    judged_by: Signers | None = None


# ── reading ──


def read(body: bytes) -> FederationList:
    """Return the list these bytes are; raise NotAdopted(list_malformed, list_too_large). No proof is judged."""
    try:
        return read_document(strict_json(body, MAX_LIST))
    except Refused as refusal:
        raise NotAdopted(f"list_{refusal.code}", refusal.reason) from None


def read_document(document: Mapping[str, Json]) -> FederationList:
    """Return the list this value is; raise NotAdopted(list_malformed)."""
    try:
        return _read(document)
    except (BadUri, NotCanonical, ValueError, KeyError, TypeError, AttributeError, OverflowError) as fault:
        raise NotAdopted("list_malformed", type(fault).__name__) from None


def _read(document: Mapping[str, Any]) -> FederationList:
    # Neither is covered by a proof in every form: a proof may be made under the first contexts alone, and `signature`
    # is left out of what is signed. With either left open one list would have many hashes.
    _need(document["@context"] == list(CONTEXT) and "signature" not in document)
    _need(document["type"] == list(TYPE))
    subject = document["credentialSubject"]
    _need(subject["type"] == "Federation" and isinstance(document["issuer"], str))
    begins, ends = read_instant(document["validFrom"]), read_instant(document["validUntil"])
    members = tuple(_member(item) for item in _items(subject["member"]))
    _need(begins < ends and len({member.origin for member in members}) == len(members))
    return FederationList(
        id=Uri.parse(document["id"]), sequence=_sequence(subject["sequence"]),
        previous=_previous(subject.get("previous")), valid_from=begins, valid_until=ends, members=members,
        signers=_signers(subject["signers"]) if "signers" in subject else None,
        emergency=_emergency(subject["emergency"], begins) if "emergency" in subject else None,
        hash=hash_of(document), document=document,
    )  # fmt: skip


def hash_of(document: Mapping[str, Json]) -> str:
    """Return `sha256:` over the canonical form (RFC 8785) without `proof`; raise NotCanonical."""
    return "sha256:" + digest({name: value for name, value in document.items() if name != "proof"}).hex()


def read_did(did: object) -> str:
    """Return the Multikey text of a `did:key` id; raise ValueError for anything but a plain Ed25519 one."""
    if not isinstance(did, str) or not did.startswith(_DID):
        raise ValueError("not a did:key")
    read_multikey(did.removeprefix(_DID))
    return did.removeprefix(_DID)


def _member(item: Mapping[str, Any]) -> Member:
    actor = Uri.parse(item["id"])
    _need(item["domain"] == actor.authority)
    countries = _texts(item["mayIssueFor"])
    _need(all(_COUNTRY.match(country) for country in countries))
    pins = _texts(item["instanceKey"]) if "instanceKey" in item else []
    _need(all(_HASH.match(pin) for pin in pins) and ("instanceKey" not in item or bool(pins)))
    keys = tuple(_issuer_key(key, actor) for key in _items(item["issuerKey"]))
    _need(len({key.id for key in keys}) == len(keys))
    return Member(actor, item["domain"], _status(item["status"]), frozenset(countries), keys, frozenset(pins))


def _issuer_key(item: Mapping[str, Any], actor: Uri) -> IssuerKey:
    found = Uri.parse(item["id"])
    _need(item["controller"] == actor and found.origin == actor.origin)
    read_multikey(item["publicKeyMultibase"])
    begins, ends = read_instant(item["validFrom"]), read_instant(item["validUntil"])
    _need(begins < ends)
    return IssuerKey(found, item["publicKeyMultibase"], begins, ends)


def _status(text: object) -> MemberStatus:
    _need(isinstance(text, str))
    return next((status for status in MemberStatus if status.value == text), MemberStatus.CANDIDATE)


def _sequence(number: object) -> int:
    _need(type(number) is int and 1 <= number <= _MOST_SEQUENCE)
    return cast(int, number)


def _previous(text: object) -> str | None:
    _need(text is None or (isinstance(text, str) and _HASH.match(text) is not None))
    return cast("str | None", text)


def _signers(item: Mapping[str, Any]) -> Signers:
    keys = _texts(item["key"])
    _need(len(set(keys)) == len(keys))
    return Signers(item["threshold"], frozenset(keys))


def _emergency(item: Mapping[str, Any], begins: datetime) -> Emergency:
    reason, text = item["reason"], item["reviewBy"]
    _need(isinstance(reason, str) and 0 < len(reason.strip()) <= 500)
    review = read_instant(text + "T00:00:00Z" if isinstance(text, str) and _DAY.match(text) else text)
    _need(timedelta(0) <= review - begins <= MAX_REVIEW)
    return Emergency(reason, review)


def _items(value: object) -> list[Mapping[str, Any]]:
    _need(isinstance(value, list) and all(isinstance(item, dict) for item in value))
    return cast("list[Mapping[str, Any]]", value)


def _texts(value: object) -> list[str]:
    _need(isinstance(value, list) and all(isinstance(item, str) for item in value))
    return cast("list[str]", value)


def _need(holds: bool) -> None:
    if not holds:
        raise ValueError("not a federation list")


# ── signatures ──


def signed_by(found: FederationList, keys: Iterable[str]) -> frozenset[str]:
    """Return which of these keys have a valid proof on the list; unknown and broken proofs count nothing."""
    among = frozenset(keys)
    bare = {name: value for name, value in found.document.items() if name != "proof"}
    return frozenset(key for proof in _proofs(found.document) if (key := _signer(bare, proof, among)) is not None)


def verify(found: FederationList, signers: Signers) -> frozenset[str]:
    """Return the signers of the set who have signed; raise NotAdopted(bad_proof, too_few_signatures) (rule 1)."""
    valid = signed_by(found, signers.keys)
    if not valid:
        raise NotAdopted("bad_proof", "no signer of the set in force")
    if len(valid) < signers.threshold:
        raise NotAdopted("too_few_signatures", f"{len(valid)} of {signers.threshold}")
    return valid


def _proofs(document: Mapping[str, Json]) -> list[Json]:
    proof = document.get("proof")
    return proof[:MAX_PROOFS] if isinstance(proof, list) else [proof]


def _signer(bare: Mapping[str, Json], proof: Json, among: frozenset[str]) -> str | None:
    method = proof.get("verificationMethod") if isinstance(proof, dict) else None
    did = method.partition("#")[0] if isinstance(method, str) else ""
    if did not in among or method != f"{did}#{did.removeprefix(_DID)}":
        return None
    try:
        check_proof({**bare, "proof": proof}, read_multikey(read_did(did)))
    except (BadProof, ValueError):
        return None
    return did


# ── taking the place of the list in force ──


def missing_before(state: State, found: FederationList) -> range:
    """Return the sequences that lie between the list in force and this one; raise NotAdopted(list_gap) beyond 50."""
    if state.current is None or found.sequence <= state.current.sequence:
        return range(0)
    gap = range(state.current.sequence + 1, found.sequence)
    if len(gap) > MAX_GAP:
        raise NotAdopted("list_gap", f"{len(gap)} lists are missing")
    return gap


def adopt(state: State, found: FederationList, missing: Sequence[FederationList] = (), *, now: datetime) -> State:
    """Return what is in force when this list has come; the same state where it was in force already.

    `missing` are the lists of `missing_before`, in rising order. Raises NotAdopted; then the state stays.
    """
    if state.current is not None and found.sequence <= state.current.sequence:
        return _not_newer(state, state.current, found)
    if found.sequence < state.min_sequence:
        verify(found, state.signers)
        raise NotAdopted("sequence_rollback", "below the least sequence")
    if [each.sequence for each in missing] != list(missing_before(state, found)):
        raise NotAdopted("list_gap", "not the lists between")
    after = _step(reduce(bridged, missing, state), found)
    _require_time(found, now)
    return after


def bridged(state: State, missed: FederationList) -> State:
    """Return what is in force after the very next list, which was missed: its signatures and its chain hold.

    Raises NotAdopted(list_gap, list_fork). Whoever reads a chain asks this of each list before reading another.
    """
    if state.current is not None and missed.sequence != state.current.sequence + 1:
        raise NotAdopted("list_gap", "not the lists between")
    try:
        return _step(state, missed)
    except NotAdopted as fault:
        if fault.code == "list_fork":
            raise
        raise NotAdopted("list_gap", fault.code) from None


def require_plausible(state: State, found: FederationList) -> None:
    """Raise NotAdopted(bad_proof) for a list that nobody who signs or signed here has signed.

    Too little to adopt it, and enough to read those before it at a place that is not the pinned one.
    """
    known = state.signers.keys | (state.judged_by.keys if state.judged_by is not None else frozenset())
    if not signed_by(found, known):
        raise NotAdopted("bad_proof", "no signer who is known here")


def _not_newer(state: State, current: FederationList, found: FederationList) -> State:
    """Rule 2, for what is not newer: nothing to do, or a fork, or a rollback."""
    if found.sequence == current.sequence:
        if found.hash == current.hash:
            return state
        verify(found, state.judged_by or state.signers)
        raise NotAdopted("list_fork", "another list of the same sequence")
    known = state.signers.keys | (state.judged_by.keys if state.judged_by is not None else frozenset())
    raise NotAdopted("sequence_rollback" if signed_by(found, known) else "bad_proof")


def _step(state: State, found: FederationList) -> State:
    """Rules 1, 3, 8 and 9, for the very next list."""
    verify(found, state.signers)
    _require_chain(state, found)
    if found.valid_until - found.valid_from > MAX_LIFE:
        raise NotAdopted("validity_too_long")
    if found.signers is not None:
        new = found.signers.keys - state.signers.keys
        if signed_by(found, new) != new:
            raise NotAdopted("too_few_signatures", "a key that is newly named has not signed")
    if found.emergency is not None and state.current is not None and widens(state.current, found):
        raise NotAdopted("emergency_widens")
    return replace(state, signers=found.signers or state.signers, current=found, judged_by=state.signers)


def _require_chain(state: State, found: FederationList) -> None:
    """Rule 3: the hash of the list before; the first list ever has none that could be compared."""
    if state.current is None:
        return
    if found.previous is None and state.signers.threshold == 1:
        return
    if found.previous != state.current.hash:
        raise NotAdopted("list_fork", "another list before it than ours")


def _require_time(found: FederationList, now: datetime) -> None:
    """Rule 4. Differences, not sums: a signed time may be the calendar's first or last."""
    if found.valid_from - now > SKEW:
        raise NotAdopted("list_not_begun")
    if found.is_over(now):
        raise NotAdopted("federation_list_expired")


def widens(before: FederationList, after: FederationList) -> bool:
    """Whether the second opens anything that the first did not: a member, a country, a key, other signers."""
    if after.signers is not None and after.signers != before.signers:
        return True
    return any(
        _is_wider(before.find(member.origin), member)
        for member in after.members
        if member.status is MemberStatus.ACTIVE
    )


def _is_wider(old: Member | None, new: Member) -> bool:
    if old is None or old.status is not MemberStatus.ACTIVE or old.actor != new.actor:
        return True
    pins = bool(old.instance_keys) and not (new.instance_keys and new.instance_keys <= old.instance_keys)
    keys = any(not any(_covers(pinned, key) for pinned in old.issuer_keys) for key in new.issuer_keys)
    return pins or keys or not new.may_issue_for <= old.may_issue_for


def _covers(pinned: IssuerKey, key: IssuerKey) -> bool:
    same = (pinned.id, pinned.key) == (key.id, key.key)
    return same and pinned.valid_from <= key.valid_from and key.valid_until <= pinned.valid_until


# ── what it means for an entry of the allowlist ──

_LISTED: Final = {
    MemberStatus.ACTIVE: Listed.ACTIVE,
    MemberStatus.SUSPENDED: Listed.SUSPENDED,
    MemberStatus.WITHDRAWN: Listed.WITHDRAWN,
}


def standing_of(member: Member | None) -> Listed:
    """How a member stands on the list in force; a candidate is as good as absent."""
    return Listed.ABSENT if member is None else _LISTED.get(member.status, Listed.ABSENT)


def narrowed(sibling: Sibling, found: FederationList | None) -> Sibling:
    """Return the entry as it counts under this list: what both hold, and nothing without a list (rule 6).

    An entry that came of the list has the list's pins, and counts for nothing where it names none; one admitted here
    keeps its own where the list has them too. Countries taken off here stay off, whatever the entry came of.
    """
    member = None if found is None else found.find(sibling.origin)
    listed = Listed.UNREAD if found is None else standing_of(member)
    if member is None or member.actor != sibling.actor or listed is not Listed.ACTIVE:
        return replace(sibling, listed=Listed.ABSENT if listed is Listed.ACTIVE else listed)
    if sibling.source == "list":
        pinned = listed if member.instance_keys else Listed.OTHER_KEYS
        return replace(
            sibling, listed=pinned, instance_keys=member.instance_keys, issuer_keys=member.issuer_keys,
            may_issue_for=sibling.may_issue_for & member.may_issue_for,
        )  # fmt: skip
    pins = sibling.instance_keys & member.instance_keys if member.instance_keys else sibling.instance_keys
    return replace(
        sibling, listed=listed if pins else Listed.OTHER_KEYS, instance_keys=pins,
        issuer_keys=tuple(_both(sibling.issuer_keys, member.issuer_keys)),
        may_issue_for=sibling.may_issue_for & member.may_issue_for,
    )  # fmt: skip


def _both(ours: Iterable[IssuerKey], listed: Iterable[IssuerKey]) -> Iterable[IssuerKey]:
    """The keys that both name, each for the time in which both let it vouch."""
    names = {(key.id, key.key): key for key in listed}
    for key in ours:
        other = names.get((key.id, key.key))
        if other is not None:
            begins, ends = max(key.valid_from, other.valid_from), min(key.valid_until, other.valid_until)
            yield IssuerKey(key.id, key.key, begins, ends)
