"""What is destroyed, and when: one table, from which the worker, the pages and the documentation read.

A row says from which moment of a dossier a period runs, while the dossier is in one of these states. Where no row
stands nothing is destroyed. Evidence dies with its key; what is left of a decision is a pseudonym. The periods are
defaults for an instance, to be confirmed by its counsel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from verification.dossier import Annex, Dossier
from verification.moves import AnnexState, State

_AT_ONCE: Final = timedelta(0)
_MONTH: Final = timedelta(days=30)
#: How many months a closed segment of the audit log is kept; its head is kept for ever.
AUDIT_MONTHS: Final = 12
_DECISION_YEARS: Final = 3


class Thing(StrEnum):
    """What an instance keeps of a dossier."""

    EVIDENCE = "evidence"
    FACTS = "facts"
    DECISION = "decision"


#: What each thing is, for people.
WORDS: Final = {
    Thing.EVIDENCE: "evidence (files and what was read in them)",
    Thing.FACTS: "number (encrypted), register, date checked, evidence class, hash of the file, reviewers; the account",
    Thing.DECISION: "decision and pseudonym",
}


class Moment(StrEnum):
    """From when a period runs."""

    CHANGE = "the last change"
    APPROVAL = "approval"
    REJECTION = "rejection"
    LEAVING = "leaving"
    CLOSING = "closing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table: this thing, in these states, goes this long after that moment."""

    thing: Thing
    states: frozenset[State]
    since: Moment
    after: timedelta = _AT_ONCE
    years: int = 0


_LEFT: Final = frozenset({State.REVOKED, State.WITHDRAWN, State.DECEASED, State.MOVED})
_MEMBER: Final = frozenset({State.APPROVED, State.REVERIFY_DUE, State.SUSPENDED, State.EXPIRED})

TABLE: Final = (
    Row(thing=Thing.EVIDENCE, states=_MEMBER, since=Moment.APPROVAL, after=_MONTH),
    # The window for an appeal, and a month; an appeal ends in an approval or in `closed`, and then those rows hold.
    Row(thing=Thing.EVIDENCE, states=frozenset({State.REJECTED}), since=Moment.REJECTION, after=2 * _MONTH),
    Row(thing=Thing.EVIDENCE, states=frozenset({State.DRAFT}), since=Moment.CHANGE, after=_MONTH),
    Row(thing=Thing.EVIDENCE, states=frozenset({State.CLOSED}), since=Moment.CLOSING, after=_MONTH),
    Row(thing=Thing.EVIDENCE, states=_LEFT, since=Moment.LEAVING),
    Row(thing=Thing.FACTS, states=frozenset({State.DRAFT}), since=Moment.CHANGE, after=_MONTH),
    Row(thing=Thing.FACTS, states=frozenset({State.CLOSED}), since=Moment.CLOSING, after=_MONTH),
    Row(thing=Thing.FACTS, states=_LEFT, since=Moment.LEAVING),
    Row(thing=Thing.DECISION, states=frozenset({State.CLOSED}), since=Moment.CLOSING, years=_DECISION_YEARS),
    Row(thing=Thing.DECISION, states=_LEFT, since=Moment.LEAVING, years=_DECISION_YEARS),
)

_MOMENTS: Final[dict[Moment, Callable[[Dossier], datetime | None]]] = {
    Moment.CHANGE: lambda dossier: dossier.changed_at,
    Moment.APPROVAL: lambda dossier: dossier.approved_at,
    Moment.REJECTION: lambda dossier: dossier.changed_at,
    Moment.LEAVING: lambda dossier: dossier.changed_at,
    Moment.CLOSING: lambda dossier: dossier.changed_at,
}


def destroy_on(thing: Thing, dossier: Dossier) -> datetime | None:
    """Return the moment from which this thing must be gone, or None while it must be kept."""
    for row in TABLE:
        if row.thing is thing and dossier.state in row.states:
            since = _MOMENTS[row.since](dossier)
            return None if since is None else _years_on(since + row.after, row.years)
    return None


def draft_kept() -> timedelta:
    """How long a draft stays after its last change."""
    return next(row.after for row in TABLE if row.thing is Thing.EVIDENCE and State.DRAFT in row.states)


def annex_evidence_on(annex: Annex, dossier: Dossier) -> datetime | None:
    """The same for what was shown with an annex: a month after it was decided, and never later than the dossier's."""
    if dossier.state in _LEFT:
        return dossier.changed_at
    if annex.state not in (AnnexState.ACCEPTED, AnnexState.REFUSED):
        return None
    return annex.changed_at + _MONTH


def segment_destroyed_on(year: int, month: int) -> datetime:
    """The moment (UTC) from which the audit log's segment of this month may be destroyed."""
    months = year * 12 + month + AUDIT_MONTHS
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


def _years_on(moment: datetime, years: int) -> datetime:
    """The same day some years on; the 29th of February becomes the 1st of March: not a day earlier."""
    try:
        return moment.replace(year=moment.year + years)
    except ValueError:
        return moment.replace(year=moment.year + years, month=3, day=1)
