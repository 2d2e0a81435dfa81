"""What waits at the desk: the queue of a person, and for a country what has waited too long or will soon run out.

Rows are light, a line each, so that thousands can be counted at every look; a dossier is read whole when it is opened.
Nobody sees a line of somebody they are too near to (`people.conflict`), whatever it is about.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from instance.services.dossiers.values import DueLine, QueueLine
from instance.storage.store import Row
from instance.times import from_ms, to_ms
from verification.dossier import Country, Role
from verification.moves import AnnexKind, AnnexState, State
from verification.people import Actor, DoctorId, SiteId, StaffRole, conflict
from verification.ways import PROPOSAL

if TYPE_CHECKING:
    from instance.services.dossiers import Dossiers

#: Within so many working days somebody begins to look, and decides.
TARGET: Final = 2
#: A verification that ends within this time is near its day; one that has ended is listed for as long after it.
NEAR: Final = timedelta(days=14)
PAST: Final = timedelta(days=30)
#: What is asked of somebody else.
OTHERS: Final = "others"
_SATURDAY: Final = 5
_DAY: Final = timedelta(days=1)
_TO_TAKE: Final = frozenset({State.SUBMITTED, State.APPEALED})
_ROLES: Final = {each.value: each for each in Role}
_STATES: Final = {each.value: each for each in State}


class Waiting:
    """Reads what waits; changes nothing."""

    def __init__(self, dossiers: Dossiers) -> None:
        self._node, self._store = dossiers.node, dossiers.node.store

    async def queue(self, actor: Actor) -> list[QueueLine]:
        """Everything this person may do something about, the longest waiting first."""
        return [line for line in await self.all_of(actor) if line.wants != OTHERS]

    async def all_of(self, actor: Actor) -> list[QueueLine]:
        """The same, with what others are asked for in the countries of a reviewer (`wants`: others)."""
        config = self._node.config
        every = (
            {Country(each) for each in (config.country, *config.may_issue_for)} if actor.is_administrator() else set()
        )
        found: list[QueueLine] = []
        for country in sorted(actor.countries | every):
            if actor.is_reviewer_of(country):
                found += await self._of_reviewers(actor, country)
            if actor.is_reviewer_of(country) or actor.is_administrator():
                found += await self._of_two(actor, country)
        return sorted(found, key=lambda line: (line.since, line.dossier, line.annex, line.wants))

    async def due(self, actor: Actor) -> list[DueLine]:
        """Whose verification ends soon or has ended of late, in the countries of a reviewer, the earliest day first."""
        now, found = self._node.clock(), []
        near, past = to_ms(now + NEAR), to_ms(now - PAST)
        for country in sorted(each for each in actor.countries if actor.is_reviewer_of(each)):
            rows = await self._store.all("desk.coming_due", country=country, near=near, past=past)
            found += [_due_line(row) for row in rows if not _too_near(actor, row)]
        return sorted(found, key=lambda line: (line.on, line.dossier))

    async def _of_reviewers(self, actor: Actor, country: Country) -> Iterable[QueueLine]:
        writer, found = _Writer(actor, self._node.clock()), []
        apart = await self._apart(actor, country)
        for row in await self._store.all("desk.applications", country=country, me=actor.id):
            if not _has_decided(row, actor) and not _too_near(actor, row):
                wants = OTHERS if (row["id"], "") in apart else _of_application(row, actor)
                found.append(writer.line(row, wants))
        for row in await self._store.all("desk.annexes", country=country, me=actor.id):
            if not _too_near(actor, row):
                wants = OTHERS if (row["id"], row["annex"]) in apart else _of_annex(row, actor)
                found.append(writer.line(row, wants, annex=row["annex"], kind=AnnexKind(row["annex_kind"])))
        for row in await self._store.all("desk.register_tasks", country=country):
            if not _too_near(actor, row):
                found.append(writer.line(row, "register"))
        return found

    async def _apart(self, actor: Actor, country: Country) -> set[tuple[str, str]]:
        """What somebody has voted on whom a chain of appointments leads to from this person, by dossier and annex."""
        if not actor.near:
            return set()
        rows = await self._store.all("desk.voters", country=country)
        return {(row["dossier"], row["annex"]) for row in rows if row["reviewer"] in actor.near}

    async def _of_two(self, actor: Actor, country: Country) -> Iterable[QueueLine]:
        now = self._node.clock()
        writer, found = _Writer(actor, now), []
        proposed = await self._store.all("desk.proposals", country=country, me=actor.id, since=to_ms(now - PROPOSAL))
        suspended = await self._store.all("desk.suspensions", country=country, now=to_ms(now))
        for row in proposed:
            if not _too_near(actor, row):
                found.append(writer.line(row, "propose" if _may_agree(row, actor) else OTHERS))
        for row in suspended:
            if not _too_near(actor, row):
                found.append(writer.line(row, "confirm" if _is_other(row, actor) else OTHERS))
        return found


class _Writer:
    """Rows to lines, for one person at one moment."""

    def __init__(self, actor: Actor, now: datetime) -> None:
        self._actor, self._now, self._late = actor, now, late_before(now)

    def line(self, row: Row, wants: str, *, annex: str = "", kind: AnnexKind | None = None) -> QueueLine:
        """One line; administrators see no more of an applicant than they need to suspend or agree."""
        since = from_ms(row["since"])
        named = self._actor.is_reviewer_of(row["country"])
        return QueueLine(
            dossier=row["id"], version=row["version"], wants=wants, country=row["country"], role=_ROLES[row["role"]],
            state=_STATES[row["state"]], since=since, age=self._now - since, overdue=since < self._late,
            name=row["name"] if named else "", annex=annex, annex_kind=kind, open_hit=bool(row["open_hit"]),
            mine=row["taken_by"] == self._actor.id,
        )  # fmt: skip


def _of_application(row: Row, actor: Actor) -> str:
    if _STATES[row["state"]] in _TO_TAKE:
        return "take"
    if row["approving"] and row["rejecting"]:
        return "decide" if StaffRole.LEAD in actor.roles and not row["mine"] else OTHERS
    if row["mine"] or (_unheard(row) and not (row["mine_aside"] or StaffRole.LEAD in actor.roles)):
        return OTHERS
    return "review" if row["state"] == State.IN_REVIEW.value else "second"


def _unheard(row: Row) -> bool:
    """Whether two have approved, and whoever voted to reject before a question, or a lead, is heard first."""
    return bool(row["approving"] > 1 and row["aside"] and not row["answered"])


def _has_decided(row: Row, actor: Actor) -> bool:
    """Whether this reviewer has decided before an appeal, or on an earlier application of the account."""
    before = row["approved_at"] is None and actor.id in json.loads(row["decided_before"])
    return bool(row["decided"]) or before


def _may_agree(row: Row, actor: Actor) -> bool:
    """Whether this person can be the second: one of two is a reviewer, and a death is said by two who may judge."""
    if not _is_other(row, actor):
        return False
    reviews = actor.is_reviewer_of(row["country"])
    if row["goes_to"] == State.DECEASED.value:
        return bool(reviews and row["reviewer"]) and not _has_decided(row, actor)
    return bool(reviews or row["reviewer"])


def _is_other(row: Row, actor: Actor) -> bool:
    """Whether this person and whoever has spoken are two pairs of eyes."""
    return row["by_whom"] != actor.id and row["by_whom"] not in actor.near


def _of_annex(row: Row, actor: Actor) -> str:
    if row["mine"]:
        return OTHERS
    if not (row["approving"] and row["rejecting"]):
        return "annex"
    if StaffRole.LEAD not in actor.roles:
        return OTHERS
    return "decide" if row["annex_state"] != AnnexState.SUBMITTED.value else "annex"


def _due_line(row: Row) -> DueLine:
    return DueLine(
        dossier=row["id"], name=row["name"], country=row["country"], role=_ROLES[row["role"]],
        state=_STATES[row["state"]], on=from_ms(row["reverify_on"]), campaign=row["campaign"] or "",
        handed=bool(row["handed"]),
    )  # fmt: skip


def _too_near(actor: Actor, row: Row) -> bool:
    sites = frozenset(map(SiteId, json.loads(row["sites"]))) if row["sites"] != "[]" else frozenset()
    return conflict(actor, DoctorId(row["account"]), sites)


# ── working days ──


def is_working_day(moment: datetime) -> bool:
    """Whether it is neither Saturday nor Sunday (UTC)."""
    return moment.weekday() < _SATURDAY


def late_before(now: datetime) -> datetime:
    """Since before when somebody must have waited to wait longer than two working days; Saturdays and Sundays are none.

    Of a weekend the beginning counts: whoever comes on a Saturday waits no longer than whoever comes on Monday.
    """
    left, moment = TARGET * _DAY, now
    for began in _days_back(now):
        if is_working_day(began):
            if left <= timedelta(0):
                return moment
            spent = min(left, moment - began)
            left, moment = left - spent, moment - spent
            if moment > began:
                return moment
        else:
            moment = began
    raise AssertionError("there is always a day before")


def _days_back(now: datetime) -> Iterator[datetime]:
    """The beginnings of this day and of those before it."""
    began = now.replace(hour=0, minute=0, second=0, microsecond=0)
    while True:
        yield began
        began -= _DAY


def overdue(since: datetime, now: datetime) -> bool:
    """Whether more than two working days have passed."""
    return since < late_before(now)
