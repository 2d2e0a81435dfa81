"""What goes into dossiers and what pages get out of them, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from verification.countries import Proof
from verification.dossier import Dossier, EvidenceClass, Role
from verification.evidence import Control, ElectronicAnswer
from verification.grounds import Ground
from verification.moves import AnnexKind, State
from verification.registers.numbers import Number


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApplication:
    """What an applicant says at the beginning; `name` as it stands in the document.

    `handle` is a wish; `sites` are ids of places of work; the birth date is not kept, only a keyed hash of it.
    `identity` is that hash, where it was made before (Dossiers.identity); it stands in the place of the date.
    """

    name: str
    country: str
    role: str
    specialties: tuple[str, ...]
    email: str
    handle: str = ""
    languages: tuple[str, ...] = ()
    birth_date: date | None = None
    identity: bytes | None = None
    sites: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What one thing that is shown states, whoever says that it does: an applicant of it, or a reviewer who read it.

    `medicine`: the card names the subject; `residency`: the holder is in training; `year_ends`: the year in which the
    academic year ends.
    """

    issued_on: date | None = None
    valid_until: date | None = None
    year_ends: int | None = None
    training_ends: date | None = None
    medicine: bool | None = None
    residency: bool = False
    specialist: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim(Stated):
    """What an applicant says of one thing that is shown; a number is given with its kind (`registers.numbers`).

    `answer` is what the authority's own system said at sign-in: it never comes from a form.
    """

    proof: Proof
    number_kind: str = ""
    number: str = ""
    answer: ElectronicAnswer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings(Stated):
    """What one reviewer found in one thing that was shown; what is not found is False or None, and counts for nothing.

    `known`: the register knows the number, `active`, under this name (`known_name`), as a specialist or not.
    """

    same_name: bool = False
    from_authority: bool = False
    identity_shown: bool = False
    control: Control | None = None
    known: bool = False
    active: bool = False
    known_name: bool = False
    known_specialist: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPiece:
    """One thing that was shown: the claim, whether it is handed in, and whether it counts now.

    `annex` is the annex it belongs to; while it waits, the kind of annex it was added for, or nothing.
    """

    id: str
    annex: str
    proof: Proof
    claim: Claim
    rank: EvidenceClass
    automatic: bool
    matched: bool
    number: Number | None
    at: datetime
    waiting: bool
    counts: bool
    findings: Mapping[str, Findings]
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterAnswer:
    """What the imported register says of a number: one entry, its rows put together."""

    name: str
    active: bool
    same_name: bool
    other: Mapping[str, tuple[str, ...]]
    imported_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the applicant says of themselves, as it stands in the dossier now."""

    name: str
    handle: str
    specialties: tuple[str, ...]
    languages: tuple[str, ...]
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """Somebody who may be the same person: another dossier, and what both have in common (number | file | person)."""

    dossier: str
    state: State
    same: str


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A dossier with what hangs on it: the value the medical room knows, its version, and what was said and shown."""

    dossier: Dossier
    version: int
    account: str
    doctor: str | None
    said: Said
    pieces: tuple[ShownPiece, ...]
    assurance: str
    taken_by: str
    annex_names: Mapping[str, str]
    hits: tuple[Hit, ...]
    handed_at: datetime | None
    decided_at: datetime | None
    created_at: datetime

    def waiting(self, kind: AnnexKind | None = None) -> tuple[ShownPiece, ...]:
        """What was added and is not handed in yet; of what was added for one kind of annex, with what is for none."""
        waits = [piece for piece in self.pieces if piece.waiting]
        return tuple(piece for piece in waits if kind is None or piece.annex in ("", kind.value))

    def counting(self, annex: str = "") -> tuple[ShownPiece, ...]:
        """What the application, or one annex, rests on now."""
        return tuple(piece for piece in self.pieces if piece.counts and piece.annex == annex)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLine:
    """One line of the desk: what is wanted of this person, since when, and the version seen.

    `wants`: take | review | second | decide | annex | propose | confirm | register; others, where it waits for those.
    """

    dossier: str
    version: int
    wants: str
    country: str
    role: Role
    state: State
    since: datetime
    age: timedelta
    overdue: bool
    name: str
    annex: str = ""
    annex_kind: AnnexKind | None = None
    open_hit: bool = False
    mine: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DueLine:
    """A doctor whose verification ends soon, or has ended of late; `handed`: a renewal waits at the desk."""

    dossier: str
    name: str
    country: str
    role: Role
    state: State
    on: datetime
    campaign: str
    handed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a lead needs to know of a country: how many wait and how long, how long decisions took, what is overdue."""

    waiting: int
    under_a_day: int
    under_two_days: int
    under_a_week: int
    longer: int
    overdue: int
    oldest: timedelta | None
    decided: int
    median: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryLine:
    """One entry of the audit log about a dossier."""

    n: int
    act: str
    at: datetime
    by: str
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """Another application of the same account, and what came of it; `lines` say the outcomes with coded reasons."""

    dossier: str
    state: State
    begun_at: datetime
    lines: tuple[HistoryLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeLine:
    """What somebody was told, by codes."""

    id: str
    dossier: str
    notice: str
    grounds: tuple[Ground, ...]
    until: datetime | None
    at: datetime
    read: bool
