"""The audit log: entries without names, chained by their hashes, and heads that siblings keep for each other.

    h₀ = 32 zero bytes        hₙ = SHA-256(JCS(entryₙ) ‖ hₙ₋₁)

An entry has few members, and each is an id, a code or a time: there is no place for a name or a sentence. A changed,
missing or exchanged row breaks the chain (`verify`); a tail that was cut off shows only against heads that others hold,
which is why a head is signed and sent to every sibling (`issue_head`, `read_head`, `judge`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from federation.integrity import (
    BadProof,
    Json,
    NotCanonical,
    canonical,
    check_proof,
    read_instant,
    read_proof,
    write_instant,
)
from federation.uri import Uri
from verification.credential_form import CONTEXT
from verification.errors import BadEntry, BadHead
from verification.grounds import Ground
from verification.issuers import SKEW, Issuer
from verification.moves import AnnexState, State
from verification.overlay import PolicyReason
from verification.ports import Signer

_HEAD_TYPE: Final = ("VerifiableCredential", "AuditHead")
_MAX_NUMBER: Final = 2**53 - 1
_HASH: Final = re.compile(r"sha256:[0-9a-f]{64}\Z")
_ULID: Final = "[0-9a-hjkmnp-tv-z]{26}"

#: What stands in `by` where somebody with the machine's shell gave the order.
COMMAND_LINE: Final = "command-line"
#: Acts of staff and of the command line that are about people, keys, siblings and copies, not about a dossier.
STAFF_ACTS: Final = (
    "staff.invited", "staff.invitation_withdrawn", "staff.appointed", "staff.removed", "factors.reset",
    "recovery.sent",
    "doctor.suspended", "doctor.reinstated", "key.made", "kek.rotated",
    "sibling.admitted", "sibling.repinned", "sibling.paused", "sibling.resumed", "sibling.read_only", "sibling.blocked",
    "sibling.kinds_changed", "sibling.removed", "sibling.countries_changed", "sibling.note_changed", "sibling.proposed",
    "sibling.withdrawn", "sibling.expelled", "sibling.copies_kept", "sibling.copies_hidden", "sibling.copies_purged",
    "sibling.listed", "sibling.opened_alone", "backup.ordered", "backup.keys_ordered",
    "pairing.invited", "pairing.read", "pairing.proposed", "pairing.confirmed", "pairing.confirmed_there",
    "pairing.declined", "pairing.withdrawn", "pairing.expired", "pairing.unheard",
    "deliveries.retried", "lane.tried",
    "news.source_added", "news.source_approved", "news.source_ended", "news.item_withdrawn",
)  # fmt: skip
#: Everything that is recorded.
ACTS: Final = frozenset(
    {
        *(f"dossier.{state}" for state in State),
        *(f"proposal.{state}" for state in (State.APPROVED, State.REVOKED, State.DECEASED)),
        *(f"annex.{state}" for state in AnnexState),
        "dossier.retired", "dossier.suspension_confirmed", "vote.cast", "register.unchanged", "register.changed",
        "register.looked_at", "dossier.opened", "findings.kept",
        "register.imported", "evidence.viewed", "evidence.erased", "facts.erased", "decision.erased",
        "erasure.finished", "campaign.proposed", "campaign.started", "campaign.enrolled", "key.retired",
        "credential.issued", "list.adopted", "list.signed", "policy.changed", "country.proposed",
        "country.changed", "country.withdrawn", *STAFF_ACTS, "export.made", "audit.segment_destroyed", "audit.resumed",
    }
)  # fmt: skip
#: Reasons that are not reasons of a decision.
PURPOSES: Final = frozenset({"first-review", "second-review", "appeal-review", "retention", "request", "schedule"})
_REASONS: Final = PURPOSES | {ground.value for ground in Ground} | {reason.value for reason in PolicyReason}

#: What each member of an entry may be. Ids are numbers, hexadecimal or ULIDs: nobody is called so.
_TEXTS: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType(
    {
        "by": re.compile(rf"(?:applicant|system|{COMMAND_LINE}|staff-(?:[0-9]{{1,9}}|{_ULID}))\Z"),
        "dossier": re.compile(rf"d-(?:[0-9a-f]{{4,32}}|{_ULID})\Z"),
        "thing": re.compile(rf"(?:[a-z]-(?:[0-9a-f]{{4,64}}|{_ULID})|staff-(?:[0-9]{{1,9}}|{_ULID}))\Z"),
    }
)
_REQUIRED: Final = frozenset({"n", "act", "at", "by"})
_MEMBERS: Final = _REQUIRED | {"dossier", "thing", "reason"}


# ── entries ──


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One act of somebody, by ids and codes; only what `read_entry` accepts can be made. `at` counts in seconds."""

    n: int
    act: str
    at: datetime
    by: str
    dossier: str | None = None
    thing: str | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        """Raise BadEntry where a member is no id, code or time."""
        if isinstance(self.n, bool) or not isinstance(self.n, int) or not 1 <= self.n <= _MAX_NUMBER:
            raise BadEntry("a number from 1")
        if self.at.tzinfo is None or self.at.microsecond:
            raise BadEntry("a time in seconds, with its zone")
        if self.act not in ACTS or not (self.reason is None or self.reason in _REASONS):
            raise BadEntry("an act or reason nobody knows")
        for name, pattern in _TEXTS.items():
            value = getattr(self, name)
            if not (value is None and name != "by") and not (isinstance(value, str) and pattern.match(value)):
                raise BadEntry(f"no id in {name}")

    def document(self) -> dict[str, Json]:
        """The entry as it is hashed and stored."""
        every: dict[str, Json] = {
            "n": self.n, "act": str(self.act), "at": write_instant(self.at), "by": str(self.by),
            "dossier": self.dossier, "thing": self.thing, "reason": None if self.reason is None else str(self.reason),
        }  # fmt: skip
        return {name: value for name, value in every.items() if value is not None}


def read_entry(value: Json) -> Entry:
    """Read a stored entry; raise BadEntry for everything else, also for a member that is not known."""
    if not isinstance(value, dict) or not _REQUIRED <= value.keys() <= _MEMBERS:
        raise BadEntry("a member is missing or unknown")
    texts = {name: value[name] for name in value if name not in ("n", "at")}
    if not all(isinstance(text, str) for text in texts.values()):
        raise BadEntry("a member is no text")
    try:
        entry = Entry(n=value["n"], at=read_instant(value["at"]), **texts)  # type: ignore[arg-type]
    except ValueError as error:
        raise BadEntry(str(error)) from None
    if entry.document() != value:
        raise BadEntry("not written as entries are")
    return entry


# ── the chain ──


@dataclass(frozen=True, slots=True)
class Head:
    """How far a log goes: the number of its last entry, and the hash over everything until then."""

    sequence: int
    hash: bytes

    def __str__(self) -> str:
        """The hash as documents carry it."""
        return f"sha256:{self.hash.hex()}"


#: The head of an empty log.
START: Final = Head(0, bytes(32))


@dataclass(frozen=True, slots=True)
class Row:
    """One stored line: the entry, and the hash that was written with it."""

    entry: Json
    hash: bytes


def append(previous: Head, entry: Entry) -> Head:
    """Return the log's next head; raise BadEntry unless the entry's number is the next."""
    if entry.n != previous.sequence + 1:
        raise BadEntry("not the next number")
    return Head(entry.n, _chained(entry.document(), previous.hash))


def _chained(document: Json, previous: bytes) -> bytes:
    return hashlib.sha256(canonical(document) + previous).digest()


class Fault(StrEnum):
    """What is wrong with a log; `gone`: a whole part of it, before its day or without a word."""

    UNREADABLE = "unreadable"
    MISSING = "missing"
    CHANGED = "changed"
    FORKED = "forked"
    CUT = "cut"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Break:
    """The first place where a log is not what it was: the number of the entry, and what is wrong."""

    at: int
    fault: Fault


def verify(rows: Iterable[Row], start: Head = START, foreign: Iterable[Head] = ()) -> Break | None:
    """Return the first break of the log after this head, or None; one row is held at a time.

    `foreign` are heads others hold of it: one that this log does not reach says that its end was cut off, one that
    differs says that it was written anew. Heads before `start` say nothing here.
    """
    held = _held(foreign, start)
    last = start
    for row in rows:
        fault = _fault(row, last)
        if fault is not None:
            return Break(last.sequence + 1, fault)
        last = Head(last.sequence + 1, row.hash)
        if held.get(last.sequence, {last.hash}) != {last.hash}:
            return Break(last.sequence, Fault.FORKED)
    beyond = [sequence for sequence in held if sequence > last.sequence]
    return Break(last.sequence + 1, Fault.CUT) if beyond else None


def _held(foreign: Iterable[Head], start: Head) -> dict[int, set[bytes]]:
    held: dict[int, set[bytes]] = {}
    for head in foreign:
        if head.sequence > start.sequence:
            held.setdefault(head.sequence, set()).add(head.hash)
    return held


def _fault(row: Row, last: Head) -> Fault | None:
    try:
        entry = read_entry(row.entry)
        found = _chained(row.entry, last.hash)
    except (BadEntry, NotCanonical):
        return Fault.UNREADABLE
    if entry.n != last.sequence + 1:
        return Fault.MISSING
    return None if found == row.hash else Fault.CHANGED


# ── heads that siblings keep ──


@dataclass(frozen=True, slots=True)
class AuditHead:
    """A head some issuer has signed, and when."""

    issuer: Uri
    head: Head
    at: datetime


class Judgement(StrEnum):
    """What a head means beside the newest that is known of its issuer."""

    OK = "ok"
    KNOWN = "known"
    OLD = "old"
    FORK = "audit_fork"


def issue_head(head: Head, signer: Signer, *, now: datetime) -> dict[str, Json]:
    """Return the head as a document signed by the issuer; raise BadHead for an empty log."""
    if head.sequence < 1:
        raise BadHead("an empty log has no head")
    begins, place = now.replace(microsecond=0), f"{signer.issuer.origin}/audit"
    document: dict[str, Json] = {
        "@context": list(CONTEXT),
        "id": f"{place}/heads/{head.sequence}",
        "type": list(_HEAD_TYPE),
        "issuer": str(signer.issuer),
        "validFrom": write_instant(begins),
        "credentialSubject": {"id": place, "type": "AuditLog", "sequence": head.sequence, "head": str(head)},
    }
    return signer.sign(document, at=begins)


def read_head(document: Json, issuer: Issuer, *, now: datetime) -> AuditHead:
    """Return what this issuer has signed; raise BadHead for every other document, whatever its shape."""
    try:
        return _read(document, issuer, now)
    except BadHead:
        raise
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadHead("not a head of this issuer's log") from None


def _read(document: Json, issuer: Issuer, now: datetime) -> AuditHead:
    if not isinstance(document, dict) or "signature" in document:
        raise BadHead("not a document")
    begins = _require_signed(document, issuer)
    if begins - now > SKEW:
        raise BadHead("from the future")
    subject = document["credentialSubject"]
    place = f"{issuer.id.origin}/audit"
    if not isinstance(subject, dict) or (subject.get("id"), subject.get("type")) != (place, "AuditLog"):
        raise BadHead("about another log")
    sequence, text = subject.get("sequence"), subject.get("head")
    if isinstance(sequence, bool) or not isinstance(sequence, int) or not 1 <= sequence <= _MAX_NUMBER:
        raise BadHead("no sequence")
    if not isinstance(text, str) or not _HASH.match(text) or document.get("id") != f"{place}/heads/{sequence}":
        raise BadHead("no hash, or another address")
    return AuditHead(issuer.id, Head(sequence, bytes.fromhex(text.removeprefix("sha256:"))), begins)


def _require_signed(document: dict[str, Json], issuer: Issuer) -> datetime:
    """When it was signed, by a key that is listed and was valid then, in our form."""
    if document.get("issuer") != str(issuer.id) or document.get("type") != list(_HEAD_TYPE):
        raise BadHead("another issuer or type")
    if document.get("@context") != list(CONTEXT):
        raise BadHead("another context")
    begins = read_instant(document.get("validFrom"))
    try:
        key = issuer.key(read_proof(document).verification_method)
        if key is None or not key.valid_at(begins):
            raise BadHead("not signed with a listed key")
        check_proof(document, key.public)
    except BadProof:
        raise BadHead("the proof does not hold") from None
    return begins


def judge(new: AuditHead, known: AuditHead | None) -> Judgement:
    """Say what a head of the same issuer means. `audit_fork` is an alarm, no block; only `ok` replaces what is known.

    A lower sequence, or the same with another hash, is a fork; a lower one that was signed earlier only came late.
    """
    if known is None:
        return Judgement.OK
    if new.issuer != known.issuer:
        raise BadHead("heads of two issuers")
    if new.head.sequence == known.head.sequence:
        return Judgement.KNOWN if new.head.hash == known.head.hash else Judgement.FORK
    if new.head.sequence < known.head.sequence:
        return Judgement.OLD if new.at < known.at else Judgement.FORK
    return Judgement.FORK if known.at - new.at > SKEW else Judgement.OK
