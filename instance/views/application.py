"""What an applicant sees of the own application: where it stands, what comes next and when, what was shown and said."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from instance.services.dossiers.admitting import wished
from instance.storage.store import Reader
from instance.times import to_ms
from verification.acts import Notice
from verification.countries import SUPPORT, CountryPolicy, Proof
from verification.dossier import Dossier, EvidenceKind, Role
from verification.evidence import PROOFS
from verification.grounds import CORRECTED
from verification.moves import MOVES, AnnexKind, AnnexState, State
from verification.timing import APPEAL_ANSWERED
from verification.ways import ANSWER_WITHIN, APPEAL_WITHIN, lifted_from

if TYPE_CHECKING:
    from instance.evidence import EvidenceFile
    from instance.services.dossiers.values import File, NoticeLine, ShownPiece

#: The forms, by the last part of their address.
FORMS: Final = {
    "diploma": EvidenceKind.DIPLOMA, "registration": EvidenceKind.REGISTRATION, "card": EvidenceKind.STUDENT_CARD,
}  # fmt: skip
#: What comes of the authority's own system, never of a form.
_NEVER_TYPED: Final = frozenset({Proof.ELECTRONIC_IDENTITY, Proof.SUPPORTING_LOGIN})
#: Working days within which a decision is aimed at.
_WORKING_DAYS: Final = 2
_SATURDAY: Final = 5
_GIVEN: Final = frozenset({State.DRAFT, State.NEEDS_INFO, State.EXPIRED})
_CORRECTED: Final = frozenset({State.DRAFT, State.NEEDS_INFO})
#: After these one may apply anew, in a new dossier; whoever was reported dead writes to the team first.
_AGAIN: Final = frozenset({State.CLOSED, State.WITHDRAWN, State.MOVED, State.REVOKED})
_ASKED: Final = frozenset({Notice.MORE_NEEDED.value, Notice.ANSWER_REMINDER.value})
_REASONED: Final = {
    State.NEEDS_INFO: _ASKED, State.REJECTED: frozenset({Notice.REJECTED.value, Notice.REJECTED_AGAIN.value}),
    State.CLOSED: frozenset({Notice.CLOSED.value, Notice.REJECTED_AGAIN.value}),
    State.SUSPENDED: frozenset({Notice.SUSPENDED.value}), State.REVOKED: frozenset({Notice.REVOKED.value}),
}  # fmt: skip


class PieceRow(Struct, frozen=True, kw_only=True):
    """One thing that was shown; `owes_file`: without a document it says nothing."""

    id: str
    proof: str
    number: str
    waiting: bool
    at: int
    owes_file: bool
    files: tuple[EvidenceFile, ...]


class LineRow(Struct, frozen=True, kw_only=True):
    """One thing the applicant was told."""

    notice: str
    grounds: tuple[str, ...]
    at: int


class Application(Struct, frozen=True, kw_only=True):
    """The page; `next` names the sentence about what comes next, `day` is the one it speaks of, in milliseconds.

    `handle` is the one there would be, before there is a doctor; empty after.
    """

    state: str
    next: str
    version: int
    name: str
    role: str
    country: str
    specialties: tuple[str, ...]
    sites: tuple[str, ...]
    handle: str
    day: int
    grounds: tuple[str, ...]
    pieces: tuple[PieceRow, ...]
    lines: tuple[LineRow, ...]
    forms: tuple[str, ...]
    may_add: bool
    may_hand_in: bool
    may_appeal: bool
    may_withdraw: bool
    may_leave: bool
    may_begin_again: bool
    may_correct: bool
    verified: bool
    closed: bool

    @property
    def owing(self) -> tuple[PieceRow, ...]:
        """What waits and has no document yet."""
        return tuple(piece for piece in self.pieces if piece.waiting and piece.owes_file)


def application(
    file: File, told: Iterable[NoticeLine], kept: Iterable[EvidenceFile], policy: CountryPolicy | None
) -> Application:
    """Put the page together; without a policy the country is closed, and nothing can be added or handed in."""
    dossier, files = file.dossier, {each.id: each for each in kept}
    lines = tuple(_line(each) for each in told if each.dossier == dossier.id)
    may_add, waiting = dossier.state in _GIVEN, bool(file.waiting(AnnexKind.RENEWAL))
    return Application(
        state=_shown(dossier.state), next=_next(dossier), version=seen(file), name=file.said.name,
        role=dossier.role.value, country=dossier.country, specialties=file.said.specialties,
        sites=tuple(sorted(dossier.sites)),
        handle=wished(file.said) if file.doctor is None else "", day=to_ms(_day(file)),
        grounds=_grounds(dossier.state, lines), lines=lines, pieces=_pieces(file, files, added=may_add),
        forms=tuple(name for name in FORMS if policy is not None and proofs(name, dossier.role, policy)),
        may_add=may_add and policy is not None,
        may_hand_in=may_add and policy is not None and (waiting or _corrects(file)), closed=policy is None,
        may_appeal=dossier.state is State.REJECTED and dossier.appealed_at is None,
        may_withdraw=dossier.approved_at is None and State.WITHDRAWN in MOVES[dossier.state],
        may_leave=may_leave(file), may_begin_again=may_begin_again(file),
        may_correct=may_correct(file), verified=dossier.renewable,
    )  # fmt: skip


def may_leave(file: File) -> bool:
    """Whether this is somebody who was verified, and leaving is theirs to decide now."""
    ways = State.WITHDRAWN in MOVES[file.dossier.state]
    return ways and file.dossier.approved_at is not None and file.dossier.state is not State.SUSPENDED


def may_begin_again(file: File) -> bool:
    """Whether a new application can be begun: this one has ended, and by nothing that has to be cleared up first."""
    return file.dossier.state in _AGAIN


def seen(file: File) -> int:
    """What a form of the applicant was made from: a number that changes with what they are shown, and by nothing else.

    That is where it stands, what was said, and where annexes stand. The version of the rows would tell of a first vote.
    """
    dossier, said = file.dossier, file.said
    annexes = [(each.id, _annex_shown(each.state)) for each in dossier.annexes]
    shown = (
        dossier.id, _shown(dossier.state), str(file.handed_at), str(dossier.submitted_at), said.name,
        dossier.role.value, dossier.country, said.specialties, said.languages, said.handle, sorted(dossier.sites),
        annexes,
    )  # fmt: skip
    return int.from_bytes(hashlib.sha256(json.dumps(shown).encode()).digest()[:5])


def version_of(file: File, sent: int | None) -> int:
    """The version to act on for a form that was made from what is shown now; one that no row has for any other."""
    return file.version if sent == seen(file) else -1


def _corrects(file: File) -> bool:
    """Whether what was asked for may be answered without anything new to show."""
    asked = file.dossier.asked
    return file.dossier.state is State.NEEDS_INFO and (asked is None or asked in CORRECTED)


async def state_of(store: Reader, account_id: str) -> str | None:
    """The state of the last application of an account, as its owner sees it; None where there is none."""
    row = await store.one("dossiers.of_account", account=account_id)
    return None if row is None else _shown(State(row["state"]))


def may_correct(file: File) -> bool:
    """Whether what was said can be said anew: in a draft, and when more was asked for; never once verified."""
    return file.dossier.state in _CORRECTED and file.dossier.approved_at is None


def may_change_country(file: File) -> bool:
    """Whether the country can be said anew: what was added was read by the rules of one."""
    return file.dossier.state is State.DRAFT and not file.pieces


def proofs(form: str, role: Role, policy: CountryPolicy) -> tuple[str, ...]:
    """The proofs of one form that help somebody who is to have this role, in the order of their names' declaration."""
    kind = FORMS[form]
    useful = [each for each in Proof if each in PROOFS[kind] - _NEVER_TYPED and policy.accepts(role, each)]
    support = [each for each in Proof if each in PROOFS[kind] & SUPPORT - _NEVER_TYPED] if useful else []
    return tuple(each.value for each in [*useful, *support])


def expected(since: datetime) -> datetime:
    """Two working days on; Saturdays and Sundays are none."""
    day, left = since, _WORKING_DAYS
    while left:
        day += timedelta(days=1)
        left -= day.weekday() < _SATURDAY
    return day


def _shown(state: State) -> str:
    """Nobody learns of a first vote: both reviews look alike."""
    return State.IN_REVIEW.value if state is State.SECOND_REVIEW else state.value


def _annex_shown(state: AnnexState) -> str:
    """The same of an annex."""
    return AnnexState.IN_REVIEW.value if state is AnnexState.SECOND_REVIEW else state.value


def _next(dossier: Dossier) -> str:
    """Which sentence says what comes next; a suspension that nobody has confirmed ends by itself."""
    if dossier.state is State.SUSPENDED and lifted_from(dossier) is not None:
        return "suspended_for"
    if dossier.state is State.WITHDRAWN and dossier.approved_at is not None:
        return "left"
    retired = dossier.state is State.APPROVED and dossier.role is Role.RETIRED
    return "approved_retired" if retired else _shown(dossier.state)


def _day(file: File) -> datetime:
    dossier = file.dossier
    appealed = None if dossier.appealed_at is None else dossier.appealed_at + APPEAL_ANSWERED
    match dossier.state:
        case State.APPEALED | State.SUBMITTED | State.IN_REVIEW | State.SECOND_REVIEW if appealed is not None:
            return appealed
        case State.SUSPENDED:
            return lifted_from(dossier) or dossier.changed_at
        case State.NEEDS_INFO:
            return dossier.changed_at + ANSWER_WITHIN
        case State.REJECTED:
            return dossier.changed_at + APPEAL_WITHIN
        case State.APPROVED | State.REVERIFY_DUE | State.EXPIRED:
            return dossier.reverify_on or dossier.changed_at
        case State.SUBMITTED | State.IN_REVIEW | State.SECOND_REVIEW:
            return expected(file.handed_at or dossier.changed_at)
        case _:
            return dossier.changed_at


def _grounds(state: State, lines: tuple[LineRow, ...]) -> tuple[str, ...]:
    """The reasons of where it stands, from the last word about it; the lines begin with the last."""
    wanted = _REASONED.get(state, frozenset())
    return next((line.grounds for line in lines if line.notice in wanted and line.grounds), ())


def _line(told: NoticeLine) -> LineRow:
    return LineRow(notice=told.notice, grounds=tuple(each.value for each in told.grounds), at=to_ms(told.at))


def _pieces(file: File, kept: dict[str, EvidenceFile], *, added: bool) -> tuple[PieceRow, ...]:
    """What the application rests on, or did; with what was added to it since, where something can be added."""
    waiting = file.waiting(AnnexKind.RENEWAL) if added else ()
    shown = [each for each in file.pieces if (not each.annex and not each.waiting) or each in waiting]
    return tuple(piece(each, kept) for each in shown)


def piece(shown: ShownPiece, kept: dict[str, EvidenceFile]) -> PieceRow:
    """One thing that was shown, with those of its files that are not destroyed."""
    files = tuple(kept[id] for id in shown.files if id in kept)
    return PieceRow(
        id=shown.id, proof=shown.proof.value, number="" if shown.number is None else shown.number.value,
        waiting=shown.waiting, at=to_ms(shown.at), files=files,
        owes_file=not files and shown.proof is not Proof.REGISTER_NUMBER and not shown.automatic,
    )  # fmt: skip
