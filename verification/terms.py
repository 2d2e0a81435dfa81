"""Until when a doctor is verified: the role, the evidence and the days that were stated give one moment.

`PERIODS` is the table; a resident's and a student's stated days may end it earlier. Calendar months are counted, and
a day that a month does not have becomes the first of the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from typing import Final

from verification.dossier import Dossier, Evidence, EvidenceClass, EvidenceKind, Role
from verification.errors import BadTerms, TrainingEndMissing, YearEndMissing

#: Months after which a role is verified again; a student's time is the academic year's alone.
PERIODS: Final[Mapping[Role, int]] = MappingProxyType(
    {Role.SPECIALIST: 24, Role.GENERALIST: 24, Role.RESIDENT: 12, Role.RETIRED: 36}
)
#: Where only a document was seen, or a register is followed that is read again at each import.
SHORT: Final = 12
#: How long after the end of its academic year a student's card still counts.
YEAR_GRACE: Final = timedelta(days=60)
#: A stated day beyond this says no more than this: there is room to count on from it.
_LAST: Final = date(9000, 1, 1)

#: The classes on which a verification lasts its full time.
STRONG: Final = frozenset({EvidenceClass.E1, EvidenceClass.E2})
_FULL: Final = frozenset({Role.SPECIALIST, Role.GENERALIST})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What was shown, and the days that were stated with it; `until`: the latest day the country's profile allows."""

    evidence: tuple[Evidence, ...]
    training_ends: datetime | None = None
    year_ends: datetime | None = None
    followed: bool = False
    until: datetime | None = None


def shown_in(dossier: Dossier, until: datetime | None = None) -> Shown:
    """What an application rests on."""
    return Shown(
        until=until,
        evidence=dossier.evidence,
        training_ends=dossier.training_ends,
        year_ends=dossier.year_ends,
        followed=dossier.followed,
    )


def weaker(first: Shown, *others: Shown) -> Shown:
    """What counts where several people have looked and each approves.

    Of each piece the lower class, and of the days the earlier; a register knows the doctor where each of them found so.
    """
    every = (first, *others)
    return Shown(
        evidence=tuple(_lower(piece, others) for piece in first.evidence),
        training_ends=_earliest(each.training_ends for each in every),
        year_ends=_earliest(each.year_ends for each in every),
        followed=all(each.followed for each in every),
        until=_earliest(each.until for each in every),
    )


def _lower(piece: Evidence, others: Iterable[Shown]) -> Evidence:
    """A piece by the lowest class that anybody gave it; one that somebody did not look at has no more than E4."""
    for shown in others:
        same = next((each for each in shown.evidence if each.id == piece.id), _unseen(piece))
        piece = replace(
            piece,
            rank=max(piece.rank, same.rank),
            automatic=piece.automatic and same.automatic,
            matched=piece.matched and same.matched,
        )
    return piece


def _unseen(piece: Evidence) -> Evidence:
    return replace(piece, rank=EvidenceClass.E4, automatic=False, matched=False)


def _earliest(moments: Iterable[datetime | None]) -> datetime | None:
    return min((each for each in moments if each is not None), default=None)


def reverify_on(role: Role, shown: Shown, verified_at: datetime) -> datetime:
    """Return the moment at which the verification runs out; raise BadTerms where a day is missing, or it has."""
    ends = min([*_ends(role, shown, verified_at), *([shown.until] if shown.until else [])])
    if ends <= verified_at:
        raise BadTerms("what was shown has run out already")
    return ends


def _ends(role: Role, shown: Shown, verified_at: datetime) -> list[datetime]:
    if role is Role.STUDENT:
        return [_stated(shown.year_ends, YearEndMissing) + YEAR_GRACE]
    if not shown.evidence:
        raise BadTerms("nothing was shown")
    ends = [months_on(verified_at, _months(role, shown))]
    if role is Role.RESIDENT:
        ends.append(_stated(shown.training_ends, TrainingEndMissing))
        if all(each.kind is EvidenceKind.STUDENT_CARD for each in shown.evidence):
            ends.append(_stated(shown.year_ends, YearEndMissing) + YEAR_GRACE)
    return ends


def _months(role: Role, shown: Shown) -> int:
    weak = not any(each.rank in STRONG for each in shown.evidence)
    return SHORT if role in _FULL and (weak or shown.followed) else PERIODS[role]


def _stated(day: datetime | None, missing: type[BadTerms]) -> datetime:
    if day is None:
        raise missing("a day is missing")
    return day


def end_of(day: date) -> datetime:
    """The moment at which a stated day is over; a day beyond any that counts is as good as the last."""
    return datetime.combine(min(day, _LAST), time(), UTC) + timedelta(days=1)


def end_of_year(year: int, month: int, day: int) -> datetime:
    """The same for the last day of the academic year that ends in this year, whatever number was typed for it."""
    first = date(min(max(year, 1), _LAST.year), month, 1)
    return end_of(first + timedelta(days=day - 1))


def months_on(moment: datetime, months: int) -> datetime:
    """The same day some months on."""
    count = moment.year * 12 + moment.month - 1 + months
    first = moment.replace(year=count // 12, month=count % 12 + 1, day=1)
    same = first + timedelta(days=moment.day - 1)
    return same if same.month == first.month else (first + timedelta(days=32)).replace(day=1)
