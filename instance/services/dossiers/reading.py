"""What the desk reads: the queue, the figures of a country, the history of a dossier, what the register says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, Final

from federation.integrity import read_instant
from instance.services.dossiers import rows
from instance.services.dossiers.values import Earlier, Figures, File, HistoryLine, NoticeLine, QueueLine
from instance.storage.store import Reader, Row
from instance.times import from_ms, to_ms
from verification.acts import Whom
from verification.dossier import Dossier
from verification.errors import Unmoved
from verification.grounds import Ground
from verification.moves import AnnexState, State
from verification.people import Actor, StaffRole, conflict
from verification.ways import PROPOSAL, awaited, disagreed, require_person, require_reviewer, unheard

if TYPE_CHECKING:
    from instance.services.dossiers import Dossiers

#: Within so many working days somebody begins to look, and decides.
TARGET: Final = 2
#: Decisions of so many days are counted.
_LOOKED_BACK: Final = timedelta(days=90)
_LISTED: Final = 300
#: What an application came to; the entries between say only that somebody was at work.
_OUTCOMES: Final = frozenset(
    f"dossier.{state}"
    for state in (
        State.NEEDS_INFO, State.REJECTED, State.APPEALED, State.APPROVED, State.EXPIRED, State.SUSPENDED, State.CLOSED,
        State.REVOKED, State.WITHDRAWN, State.DECEASED, State.MOVED,
    )
)  # fmt: skip
_SATURDAY: Final = 5
_DAY: Final = timedelta(days=1)


class Reading:
    """Reads; changes nothing."""

    def __init__(self, dossiers: Dossiers) -> None:
        self._dossiers, self._node = dossiers, dossiers.node

    async def queue(self, actor: Actor) -> list[QueueLine]:
        """Everything this person may do something about, the longest waiting first; nobody sees what is too near."""
        found: list[QueueLine] = []
        config = self._node.config
        every = {config.country, *config.may_issue_for} if actor.is_administrator() else set()
        for country in sorted(actor.countries | every):
            for row in await self._node.store.all("dossiers.open_of_country", country=country, most=_LISTED):
                found += await self._lines(row, actor)
        return sorted(found, key=lambda line: (line.since, line.dossier))

    async def _lines(self, row: Row, actor: Actor) -> list[QueueLine]:
        dossier = await rows.value_of(self._node.store, row)
        if conflict(actor, dossier.doctor, dossier.sites):
            return []
        now = self._node.clock()
        since = from_ms(row["handed_at"] or row["changed_at"])
        found = list(_wanted(dossier, since, actor, now))
        tasks = await self._node.store.all("dossiers.tasks", dossier=dossier.id)
        if actor.is_reviewer_of(dossier.country):
            found += [("register", from_ms(each["at"]), "") for each in tasks if each["closed_at"] is None]
        return [self._line(row, dossier, wants, since, annex, actor, now) for wants, since, annex in found]

    def _line(
        self, row: Row, dossier: Dossier, wants: str, since: datetime, annex: str, actor: Actor, now: datetime
    ) -> QueueLine:
        kind = next((each.kind for each in dossier.annexes if each.id == annex), None)
        # Administrators see no more of an applicant than they need to suspend or agree.
        name = row["name"] if actor.is_reviewer_of(dossier.country) else ""
        return QueueLine(
            dossier=dossier.id, version=row["version"], wants=wants, country=dossier.country, role=dossier.role,
            state=dossier.state, since=since, age=now - since, overdue=overdue(since, now), name=name, annex=annex,
            annex_kind=kind, open_hit=dossier.open_hit, mine=row["taken_by"] == actor.id,
        )  # fmt: skip

    async def figures(self, country: str) -> Figures:
        """Count what waits by age, and how long the decisions of the last ninety days took."""
        now = self._node.clock()
        waiting = await self._node.store.all("dossiers.waiting", country=country)
        ages = [now - from_ms(row["since"]) for row in waiting]
        since = to_ms(now - _LOOKED_BACK)
        decided = await self._node.store.all("dossiers.decided", country=country, since=since)
        took = [from_ms(row["decided_at"]) - from_ms(row["submitted_at"]) for row in decided]
        return Figures(
            waiting=len(ages), under_a_day=sum(age < _DAY for age in ages),
            under_two_days=sum(_DAY <= age < 2 * _DAY for age in ages),
            under_a_week=sum(2 * _DAY <= age < 7 * _DAY for age in ages),
            longer=sum(age >= 7 * _DAY for age in ages), overdue=sum(overdue(now - age, now) for age in ages),
            oldest=max(ages, default=None), decided=len(took), median=_median(took),
        )  # fmt: skip

    async def history(self, dossier_id: str) -> list[HistoryLine]:
        """What happened to a dossier, by the audit log, oldest first."""
        found = []
        for row in await self._node.store.all("audit.of_dossier", dossier=dossier_id):
            entry = json.loads(row["entry"])
            found.append(
                HistoryLine(
                    n=row["n"],
                    act=entry["act"],
                    at=read_instant(entry["at"]),
                    by=entry["by"],
                    reason=entry.get("reason"),
                )
            )
        return found

    async def outcomes(self, dossier_id: str) -> tuple[HistoryLine, ...]:
        """What an application came to, with the coded reasons: nothing of a vote that has decided nothing."""
        return tuple(line for line in await self.history(dossier_id) if line.act in _OUTCOMES)

    async def earlier(self, file: File) -> list[Earlier]:
        """The other applications of the same account that were handed in, the newest first."""
        found = []
        for row in await self._node.store.all("dossiers.earlier", account=file.account, dossier=file.dossier.id):
            lines = await self.history(row["id"])
            if any(line.act == f"dossier.{State.SUBMITTED}" for line in lines):
                outcomes, state = tuple(line for line in lines if line.act in _OUTCOMES), State(row["state"])
                begun = from_ms(row["created_at"])
                found.append(Earlier(dossier=row["id"], state=state, begun_at=begun, lines=outcomes))
        return found

    async def notices(self, account: str, most: int = 50) -> list[NoticeLine]:
        """What an applicant was told, the newest first."""
        found = await self._node.store.all("dossiers.notices_of_account", account=account, most=most)
        return [_notice(row, read=row["read_at"] is not None) for row in found]

    async def desk_notices(self, whom: Whom, country: str, most: int = 50) -> list[NoticeLine]:
        """What a part of the desk was told, the newest first."""
        found = await self._node.store.all("dossiers.notices_of_desk", whom=whom.value, country=country, most=most)
        return [_notice(row, read=False) for row in found]


async def deciders_of(reader: Reader, account: str) -> frozenset[str]:
    """Who voted on the last application of an account on which anybody did, where it was never approved.

    The audit log says so: votes are facts, and go when an application is withdrawn.
    """
    for row in await reader.all("dossiers.earlier", account=account, dossier=""):
        if row["approved_at"] is not None:
            return frozenset()
        entries = [json.loads(each["entry"]) for each in await reader.all("audit.of_dossier", dossier=row["id"])]
        if found := frozenset(_staff(entry["by"]) for entry in entries if entry["act"] == "vote.cast"):
            return found
    return frozenset()


def _staff(by: str) -> str:
    """The id of a member of staff, which the log has in small letters."""
    kind, _, number = by.partition("-")
    return f"{kind}-{number.upper()}"


def _median(took: list[timedelta]) -> timedelta | None:
    return timedelta(seconds=median(each.total_seconds() for each in took)) if took else None


def overdue(since: datetime, now: datetime) -> bool:
    """Whether more than two working days have passed; Saturdays and Sundays (UTC) do not count."""
    spent, moment = timedelta(0), since
    while moment < now and spent <= TARGET * _DAY:
        midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0) + _DAY
        until = min(midnight, now)
        if moment.weekday() < _SATURDAY:
            spent += until - moment
        moment = until
    return spent > TARGET * _DAY


def _notice(row: Row, *, read: bool) -> NoticeLine:
    return NoticeLine(
        id=row["id"], dossier=row["dossier"], notice=row["notice"], at=from_ms(row["at"]), read=read,
        grounds=tuple(Ground(each) for each in json.loads(row["grounds"])),
        until=None if row["until"] is None else from_ms(row["until"]),
    )  # fmt: skip


# ── what is wanted of whom ──

_Want = tuple[str, datetime, str]


def _wanted(dossier: Dossier, since: datetime, actor: Actor, now: datetime) -> Iterator[_Want]:
    if _holds(require_reviewer, dossier, actor):
        yield from _of_application(dossier, since, actor)
        yield from _of_annexes(dossier, actor)
    if _holds(require_person, dossier, actor):
        yield from _of_two(dossier, actor, now)


def _of_application(dossier: Dossier, since: datetime, actor: Actor) -> Iterator[_Want]:
    voted = any(vote.reviewer == actor.id for vote in dossier.votes_now())
    if dossier.state in (State.SUBMITTED, State.APPEALED):
        yield "take", since, ""
    elif disagreed(dossier.votes_now()):
        if StaffRole.LEAD in actor.roles and not voted:
            yield "decide", since, ""
    elif unheard(dossier) and not awaited(dossier, actor):
        return
    elif dossier.state is State.IN_REVIEW:
        yield "review", since, ""
    elif dossier.state is State.SECOND_REVIEW and not voted:
        yield "second", since, ""


def _of_annexes(dossier: Dossier, actor: Actor) -> Iterator[_Want]:
    """While a dossier is suspended or has run out its annexes rest."""
    if not dossier.renewable:
        return
    for annex in dossier.annexes:
        voted = any(vote.reviewer == actor.id for vote in annex.votes)
        waits_for_lead = disagreed(annex.votes)
        if annex.open and not voted and (not waits_for_lead or StaffRole.LEAD in actor.roles):
            wants = "decide" if waits_for_lead else "annex"
            yield wants if annex.state is not AnnexState.SUBMITTED else "annex", annex.submitted_at, annex.id


def _of_two(dossier: Dossier, actor: Actor, now: datetime) -> Iterator[_Want]:
    for proposal in dossier.proposals:
        # A death is said by two reviewers: nobody else can agree with it.
        mine = proposal.to is not State.DECEASED or _holds(require_reviewer, dossier, actor)
        if mine and proposal.by != actor.id and now <= proposal.at + PROPOSAL:
            yield "propose", proposal.at, ""
    emergency = dossier.emergency if dossier.state is State.SUSPENDED else None
    if emergency is None or emergency.confirmed or emergency.by == actor.id:
        return
    if now < emergency.until:
        yield "confirm", emergency.at, ""


def _holds(rule: object, dossier: Dossier, actor: Actor) -> bool:
    try:
        rule(dossier, actor)  # type: ignore[operator]
    except Unmoved:
        return False
    return True
