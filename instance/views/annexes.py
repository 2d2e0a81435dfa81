"""What a verified doctor sees of annexes: which are possible and what stands against the rest, and how each has gone.

Nobody learns of a first vote, nor whose votes they were: both reviews look alike, and reasons are shown once it is
decided.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from instance.times import to_ms
from instance.views import application
from instance.views.application import PieceRow
from verification.countries import SUPPORT, CountryPolicy, Proof
from verification.dossier import Annex, Dossier, Role
from verification.moves import AnnexKind, AnnexState, Choice, State

if TYPE_CHECKING:
    from instance.evidence import EvidenceFile
    from instance.services.dossiers.values import File

RETIRE: Final = "retire"
#: Why nothing can be handed in where no policy is in force.
COUNTRY_CLOSED: Final = "country_closed"
#: Everything a verified doctor can ask for, in the order of the page.
ACTS: Final = (*(kind.value for kind in AnnexKind), RETIRE)
#: What an annex is shown as; `resting`: while the verification is suspended or has run out, `ended`: not decided.
STATES: Final = ("submitted", "in_review", "accepted", "refused", "ended", "resting")
_WORKING: Final = frozenset({Role.SPECIALIST, Role.GENERALIST})
#: What says nothing of a specialty.
_NO_TITLE: Final = frozenset({Proof.LICENCE, Proof.DEGREE})
#: A refusal takes so many votes against it.
_REFUSING: Final = 2
_SHOWN_BACK: Final = 5


class AnnexRow(Struct, frozen=True, kw_only=True):
    """One annex; `day` is when an answer is to be expected, or when it was decided, in milliseconds."""

    id: str
    kind: str
    state: str
    name: str
    specialty: str
    at: int
    day: int
    grounds: tuple[str, ...]
    pieces: tuple[PieceRow, ...]
    may_take_back: bool


def against(act: str, dossier: Dossier, now: datetime) -> str:
    """The code of the sentence that says why this cannot be handed in now; empty where nothing stands against it."""
    if dossier.state is State.SUSPENDED:
        return "annex_suspended"
    if not dossier.renewable:
        return "annex_expired" if dossier.state is State.EXPIRED else "annex_not_verified"
    if dossier.reverify_on is not None and dossier.reverify_on <= now:
        return "annex_expired"
    if act in (RETIRE, AnnexKind.SPECIALIST.value) and dossier.role is Role.RETIRED:
        return "retired_already"
    if act == RETIRE:
        return "" if dossier.role in _WORKING else "retire_not_yet"
    return "annex_open" if any(each.open and each.kind.value == act for each in dossier.annexes) else ""


def possible(file: File, now: datetime) -> tuple[str, ...]:
    """What can be handed in now, of ACTS."""
    return tuple(act for act in ACTS if not against(act, file.dossier, now))


def proofs(kind: AnnexKind, form: str, file: File, policy: CountryPolicy) -> tuple[str, ...]:
    """The proofs of one form that help an annex of this kind."""
    role = Role.SPECIALIST if kind is AnnexKind.SPECIALIST else file.dossier.role
    found = application.proofs(form, role, policy)
    if kind is AnnexKind.SPECIALIST:
        found = tuple(each for each in found if Proof(each) not in _NO_TITLE)
    return found if any(Proof(each) not in SUPPORT for each in found) else ()


def forms(kind: AnnexKind, file: File, policy: CountryPolicy | None) -> tuple[str, ...]:
    """The forms with which something can be added to an annex of this kind; none in a country that is closed."""
    if policy is None:
        return ()
    return tuple(name for name in application.FORMS if proofs(kind, name, file, policy))


def waiting(kind: AnnexKind, file: File, kept: Iterable[EvidenceFile]) -> tuple[PieceRow, ...]:
    """What was added for an annex of this kind and is not handed in."""
    files = {each.id: each for each in kept}
    return tuple(application.piece(each, files) for each in file.waiting(kind))


def rows(file: File, kept: Iterable[EvidenceFile]) -> tuple[AnnexRow, ...]:
    """The annexes that are not decided, and the last ones that are; the newest first."""
    files, newest = {each.id: each for each in kept}, tuple(reversed(file.dossier.annexes))
    decided = [each for each in newest if not each.open][:_SHOWN_BACK]
    return tuple(_row(each, file, files) for each in newest if each.open or each in decided)


def _row(annex: Annex, file: File, files: dict[str, EvidenceFile]) -> AnnexRow:
    shown = [each for each in file.pieces if each.annex == annex.id and not each.waiting]
    day = application.expected(annex.submitted_at) if annex.open else annex.changed_at
    return AnnexRow(
        id=annex.id, kind=annex.kind.value, state=_state(annex, file.dossier), day=to_ms(day),
        name=file.annex_names.get(annex.id, ""), specialty=annex.specialty, at=to_ms(annex.submitted_at),
        grounds=_grounds(annex), pieces=tuple(application.piece(each, files) for each in shown),
        may_take_back=annex.open and file.dossier.renewable,
    )  # fmt: skip


def _state(annex: Annex, dossier: Dossier) -> str:
    if annex.accepted:
        return "accepted"
    if not annex.open:
        return "refused" if _grounds(annex) else "ended"
    if not dossier.renewable:
        return "resting"
    return "submitted" if annex.state is AnnexState.SUBMITTED else "in_review"


def _grounds(annex: Annex) -> tuple[str, ...]:
    """Why people refused it; nothing where it was taken back, whatever a first reviewer had said by then."""
    said = [vote.ground.value for vote in annex.votes if vote.choice is Choice.REJECT]
    refused = annex.state is AnnexState.REFUSED and len(said) >= _REFUSING
    return tuple(dict.fromkeys(said)) if refused else ()
