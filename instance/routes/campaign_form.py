"""The form of a campaign: whom it is about, and then why and by when; read from an address or from a form alike."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from msgspec import Struct

from instance.routes.forms import Mistake
from verification.campaign import DEADLINE, Cohort
from verification.dossier import EvidenceClass, EvidenceKind
from verification.people import StaffId

#: The parts of a cohort of which any number can be ticked.
TICKED: Final = ("reviewer", "rank", "kind", "number")


class CampaignForm(Struct, frozen=True, kw_only=True):
    """What was typed and ticked; `until` is the last day of the period. `asked`: a cohort was sent to be counted."""

    asked: bool = False
    country: str = ""
    reviewer: tuple[str, ...] = ()
    rank: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    number: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    ground: str = ""
    days: str = str(DEADLINE.days)

    def mistakes(self) -> list[Mistake]:
        """What cannot be so of the cohort, each at its field."""
        found = [Mistake("bad_day", name) for name in ("since", "until") if _unreadable(getattr(self, name))]
        if not found and self.since and self.until and _day(self.since) > _day(self.until):
            found.append(Mistake("bad_period", "until"))
        if not found and self.cohort().empty:
            found.append(Mistake("empty_cohort", "reviewer"))
        return found

    def cohort(self) -> Cohort:
        """Whom it is about; ask `mistakes` first."""
        return Cohort(
            reviewers=frozenset(map(StaffId, self.reviewer)),
            ranks=frozenset(each for each in EvidenceClass if each in self.rank),
            kinds=frozenset(each for each in EvidenceKind if each in self.kind), numbers=frozenset(self.number),
            since=_day(self.since) if self.since else None,
            before=_day(self.until) + timedelta(days=1) if self.until else None,
        )  # fmt: skip

    def within(self) -> timedelta:
        """How long members have; no time at all for what is no number of days."""
        plain = self.days.isascii() and self.days.isdigit() and len(self.days) <= 3
        return timedelta(days=int(self.days)) if plain else timedelta(0)


def read(sent: Any, countries: Iterable[str], reviewers: Iterable[str], numbers: Iterable[str]) -> CampaignForm:
    """Read what was sent (`request.args`, `request.form`); a value that is not offered counts for nothing."""
    known = {
        "reviewer": set(reviewers), "number": set(numbers), "rank": {each.value for each in EvidenceClass},
        "kind": {each.value for each in EvidenceKind},
    }  # fmt: skip
    told: dict[str, Any] = {
        name: tuple(dict.fromkeys(each for each in sent.getlist(name) if each in known[name])) for name in TICKED
    }
    offered = list(countries)
    country = sent.get("country", "")
    told |= {name: _plain(sent.get(name, "")) for name in ("since", "until", "ground")}
    return CampaignForm(
        asked=sent.get("count", "") == "1", country=country if country in offered else offered[0],
        days=_plain(sent.get("days", "")) or str(DEADLINE.days), **told,
    )  # fmt: skip


def _plain(text: str) -> str:
    return text.strip().replace("\0", "")[:40]


def _unreadable(text: str) -> bool:
    try:
        return bool(text) and _day(text) is None
    except ValueError:
        return True


def _day(text: str) -> datetime:
    """The beginning of a day (UTC)."""
    day = date.fromisoformat(text)
    if not 1900 <= day.year <= 9000:
        raise ValueError("no day of this work")
    return datetime.combine(day, time(), UTC)
