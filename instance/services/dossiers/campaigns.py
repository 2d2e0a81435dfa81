"""Looking at a cohort again: one lead proposes, a second person starts, members are enrolled a page at a time.

Enrolling goes on where it was after a crash: a member is enrolled once. Siblings see no change until the deadline.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from instance.services.dossiers import chain
from instance.services.dossiers.cases import Decision
from instance.services.dossiers.errors import mapped
from instance.services.dossiers.values import File
from instance.services.errors import Missing, Rejected
from instance.storage.store import Row, Transaction
from instance.times import from_ms, to_ms
from verification import campaign
from verification.campaign import DEADLINE, Campaign, Cohort, Numbers
from verification.dossier import Country
from verification.grounds import Ground
from verification.moves import State
from verification.people import Actor, StaffId
from verification.ways import PROPOSAL

if TYPE_CHECKING:
    from instance.services.dossiers import Dossiers

CODES: Final = (
    "no_such_move", "not_yours", "same_person", "same_inviter", "not_found", "empty_cohort", "bad_deadline",
    "nobody_in_cohort", "bad_reason",
)  # fmt: skip
_PAGE: Final = 200
#: Members looked at in one round of the calendar: some seconds, so that nobody's lifting or expiry waits for a cohort.
AT_ONCE: Final = 400
#: For so long a proposal that nobody has started is listed.
KEPT: Final = timedelta(days=30)
_EVER: Final = (0, 2**62)
#: What is said of whom was enrolled before a crash, is no member any more, or comes too late.
_NO_MEMBER: Final = frozenset({"no_such_move", "too_late"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignLine:
    """One campaign of a country, and how far it is; `may_start`: this person could start it now."""

    campaign: Campaign
    country: str
    numbers: Numbers
    enrolling: bool
    may_start: bool = False
    lapsed: bool = False


class Campaigns:
    """The campaigns of this instance."""

    def __init__(self, dossiers: Dossiers) -> None:
        self._dossiers, self._node, self._store = dossiers, dossiers.node, dossiers.node.store

    async def preview(self, country: str, cohort: Cohort, actor: Actor) -> int:
        """Count whom a cohort is about; raise Rejected(not_yours) for anybody but a reviewer of the country."""
        _require_country(actor, country)
        if cohort.empty:
            return 0
        row = await self._store.one("campaigns.count", **_columns(country, cohort))
        return 0 if row is None else int(row["number"])

    async def propose(
        self, country: str, cohort: Cohort, ground: Ground, actor: Actor, *, within: timedelta = DEADLINE
    ) -> str:
        """Propose a campaign, as a lead; return its id.

        Raises Rejected: not_yours, empty_cohort, bad_deadline, bad_reason, and nobody_in_cohort where it would be about
        nobody at this moment.
        """
        _require_country(actor, country)
        now, id = self._dossiers.now(), self._dossiers.new_id("c")
        with mapped():
            made = campaign.propose(id, cohort, ground, actor, now, within=within)
        if not await self.preview(country, cohort, actor):
            raise Rejected("nobody_in_cohort", "cohort")

        async def work(tx: Transaction) -> None:
            await tx.run(
                "campaigns.add", id=id, country=country, cohort=msgspec.json.encode(cohort).decode(),
                ground=ground.value, proposed_by=actor.id, proposed_at=to_ms(now), within_days=made.within.days,
            )  # fmt: skip
            await chain.append(tx, "campaign.proposed", now, actor.id, thing=id, reason=ground.value)

        await self._store.write(work)
        return id

    async def start(self, campaign_id: str, actor: Actor) -> None:
        """Start it, as a second person; members are enrolled by the chore that follows."""

        async def work(tx: Transaction) -> None:
            row, now = await tx.one("campaigns.one", id=campaign_id), self._dossiers.now()
            if row is None:
                raise Missing()
            _require_country(actor, row["country"])
            with mapped():
                started = campaign.start(_campaign(row), actor, now)
            if not await tx.run("campaigns.start", id=campaign_id, by=actor.id, now=to_ms(now)):
                raise Rejected("no_such_move", status=409)
            await chain.append(
                tx, "campaign.started", now, actor.id, thing=campaign_id, reason=started.ground.value
            )  # fmt: skip

        await self._store.write(work)

    async def overview(self, country: str, actor: Actor | None = None) -> list[CampaignLine]:
        """The campaigns of a country, the newest first; with what `actor` may do about them."""
        numbers = await self._numbers(country)
        found = await self._store.all("campaigns.of_country", country=country)
        return [self._line(row, numbers.get(row["id"], Numbers()), actor) for row in found]

    async def one(self, campaign_id: str, actor: Actor) -> CampaignLine:
        """One campaign for a reviewer of its country; Missing for everybody else."""
        row = await self._store.one("campaigns.one", id=campaign_id)
        if row is None or not actor.is_reviewer_of(Country(row["country"])):
            raise Missing()
        numbers = await self._numbers(row["country"])
        return self._line(row, numbers.get(campaign_id, Numbers()), actor)

    def _line(self, row: Row, numbers: Numbers, actor: Actor | None) -> CampaignLine:
        made, now = _campaign(row), self._dossiers.now()
        return CampaignLine(
            campaign=made, country=row["country"], numbers=numbers,
            enrolling=made.started_at is not None and row["place"] is not None,
            may_start=actor is not None and campaign.may_start(made, actor, now),
            lapsed=made.started_at is None and now > made.proposed_at + PROPOSAL,
        )  # fmt: skip

    async def _numbers(self, country: str) -> dict[str, Numbers]:
        """How far the campaigns of a country are; of members only state and time are looked at."""
        found: dict[str, Numbers] = defaultdict(Numbers)
        for row in await self._store.all("campaigns.numbers", country=country):
            found[row["campaign"]] += campaign.counted(State(row["state"]), row["number"], again=bool(row["again"]))
        return found

    async def voters(self, country: str) -> frozenset[str]:
        """Whose decisions a cohort can be about: everybody who has ever voted there, also who has left since."""
        return frozenset(row["reviewer"] for row in await self._store.all("campaigns.voters", country=country))

    async def tidy(self) -> int:
        """Drop the proposals, of campaigns and of what takes two, that nobody can agree with any more; a chore."""
        now = self._dossiers.now()

        async def work(tx: Transaction) -> int:
            old = await tx.run("desk.drop_old_proposals", before=to_ms(now - PROPOSAL))
            return old + await tx.run("desk.drop_old_campaigns", before=to_ms(now - KEPT))

        return await self._store.write(work)

    async def enrol(self) -> int:
        """Enrol members of the campaigns that run, AT_ONCE in a round of the calendar; return how many."""
        number, left = 0, AT_ONCE
        for row in await self._store.all("campaigns.enrolling"):
            enrolled, seen = await self._enrol_some(_campaign(row), row["country"], row["place"], left)
            number, left = number + enrolled, left - seen
            if left <= 0:
                break
        return number

    async def _enrol_some(self, running: Campaign, country: str, place: str, most: int) -> tuple[int, int]:
        """Go on through the cohort; where one could not be asked, the next round begins there again.

        Return how many were enrolled, and how many were looked at. Whoever is enrolled is not looked at again, so that
        a round that begins anew comes further than the one before.
        """
        number, seen, again = 0, 0, None
        while seen < most:
            found = await self._page(running, country, place, min(_PAGE, most - seen))
            if not found:
                await self._go_on(running.id, again)
                break
            for each in found:
                try:
                    number += await self._enrol_one(running, each["id"])
                except Exception as fault:
                    self._node.log.error("member_not_enrolled", dossier=each["id"], exc_info=fault)
                    again = place if again is None else again
                place = each["id"]
            seen += len(found)
            await self._go_on(running.id, place if again is None else again)
        return number, seen

    async def _enrol_one(self, running: Campaign, dossier_id: str) -> int:
        if not running.cohort.holds(await self._dossiers.get(dossier_id)):
            return 0

        def decide(file: File, now: datetime) -> Decision:
            return Decision(outcome=campaign.enrol(running, file.dossier, now))

        async def further(tx: Transaction) -> None:
            if not await tx.run("campaigns.enrolled", campaign=running.id, dossier=dossier_id):
                raise Rejected("no_such_move", status=409)

        try:
            await self._dossiers.carry(dossier_id, decide, seen=None, further=further)
        except Rejected as refusal:
            if refusal.code not in _NO_MEMBER:
                raise
            return 0
        return 1

    async def _go_on(self, campaign_id: str, place: str | None) -> None:
        async def work(tx: Transaction) -> None:
            await tx.run("campaigns.go_on", id=campaign_id, place=place)

        await self._store.write(work)

    async def _page(self, running: Campaign, country: str, after: str, most: int) -> list[Row]:
        wanted = _columns(country, running.cohort)
        return await self._store.all("campaigns.cohort", campaign=running.id, after=after, most=most, **wanted)


def _columns(country: str, cohort: Cohort) -> dict[str, Any]:
    """A cohort as its query wants it."""
    since, until = _EVER
    return {
        "country": country, "reviewers": _list(cohort.reviewers), "ranks": _list(cohort.ranks),
        "kinds": _list(cohort.kinds), "numbers": _list(cohort.numbers),
        "since": since if cohort.since is None else to_ms(cohort.since),
        "until": until if cohort.before is None else to_ms(cohort.before) - 1,
    }  # fmt: skip


def _list(codes: Iterable[str]) -> str:
    """Codes between bars; empty where there is none."""
    return "".join(f"|{each}" for each in sorted(codes)) + "|" if codes else ""


def _require_country(actor: Actor, country: str) -> None:
    if not actor.is_reviewer_of(Country(country)):
        raise Rejected("not_yours", status=403)


def _campaign(row: Row) -> Campaign:
    started = row["started_by"]
    return Campaign(
        id=row["id"], cohort=msgspec.json.decode(row["cohort"], type=Cohort), ground=Ground(row["ground"]),
        proposed_by=StaffId(row["proposed_by"]), proposed_at=from_ms(row["proposed_at"]),
        within=timedelta(days=row["within_days"]), started_by=None if started is None else StaffId(started),
        started_at=None if row["started_at"] is None else from_ms(row["started_at"]),
    )  # fmt: skip
