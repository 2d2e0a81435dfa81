"""Looking at a cohort again: one lead proposes, a second person starts, members are enrolled a page at a time.

Enrolling goes on where it was after a crash: a member is enrolled once. Siblings see no change until the deadline.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from instance.services.dossiers import chain, rows
from instance.services.dossiers.cases import Decision
from instance.services.dossiers.errors import mapped
from instance.services.dossiers.values import File
from instance.services.errors import Missing, Rejected
from instance.storage.store import Row, Transaction
from instance.times import from_ms, to_ms
from verification import campaign
from verification.campaign import DEADLINE, Campaign, Cohort, Numbers
from verification.dossier import Country, Dossier
from verification.grounds import Ground
from verification.people import Actor, StaffId

if TYPE_CHECKING:
    from instance.services.dossiers import Dossiers

CODES: Final = ("no_such_move", "not_yours", "same_person", "not_found")
_PAGE: Final = 200
#: What is said of whom was enrolled before a crash, is no member any more, or comes too late.
_NO_MEMBER: Final = frozenset({"no_such_move", "too_late"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignLine:
    """One campaign of a country, and how far it is."""

    campaign: Campaign
    country: str
    numbers: Numbers
    enrolling: bool


class Campaigns:
    """The campaigns of this instance."""

    def __init__(self, dossiers: Dossiers) -> None:
        self._dossiers, self._node, self._store = dossiers, dossiers.node, dossiers.node.store

    async def preview(self, country: str, cohort: Cohort, actor: Actor) -> int:
        """Count whom a cohort is about; raise Rejected(not_yours) for anybody but a reviewer of the country."""
        _require_country(actor, country)
        return len([each async for each in self._verified(country, "") if cohort.holds(each)])

    async def propose(
        self, country: str, cohort: Cohort, ground: Ground, actor: Actor, *, within: timedelta = DEADLINE
    ) -> str:
        """Propose a campaign, as a lead; return its id."""
        _require_country(actor, country)
        now, id = self._dossiers.now(), self._dossiers.new_id("c")
        with mapped():
            made = campaign.propose(id, cohort, ground, actor, now, within=within)

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

    async def overview(self, country: str) -> list[CampaignLine]:
        """The campaigns of a country, the newest first."""
        found = []
        for row in await self._store.all("campaigns.of_country", country=country):
            members = [await self._dossiers.get(each["id"]) for each in await self._members(row["id"])]
            made = _campaign(row)
            found.append(
                CampaignLine(
                    campaign=made,
                    country=country,
                    numbers=campaign.numbers(made, members),
                    enrolling=row["started_at"] is not None and row["place"] is not None,
                )
            )
        return found

    async def enrol(self) -> int:
        """Enrol the members of every campaign that runs; a part of the calendar. Return how many were enrolled."""
        number = 0
        for row in await self._store.all("campaigns.enrolling"):
            number += await self._enrol_all(_campaign(row), row["country"], row["place"])
        return number

    async def _enrol_all(self, running: Campaign, country: str, place: str) -> int:
        """Go through the country; where one could not be asked, the next round begins there again."""
        number, again = 0, None
        while found := await self._page(country, place):
            for each in found:
                try:
                    number += await self._enrol_one(running, each["id"])
                except Exception as fault:
                    self._node.log.error("member_not_enrolled", dossier=each["id"], exc_info=fault)
                    again = place if again is None else again
                place = each["id"]
            await self._go_on(running.id, place if again is None else again)
        await self._go_on(running.id, again)
        return number

    async def _enrol_one(self, running: Campaign, dossier_id: str) -> int:
        if not running.cohort.holds(await self._dossiers.get(dossier_id)):
            return 0

        def decide(file: File, now: datetime) -> Decision:
            return Decision(outcome=campaign.enrol(running, file.dossier, now))

        try:
            await self._dossiers.carry(dossier_id, decide, seen=None)
        except Rejected as refusal:
            if refusal.code not in _NO_MEMBER:
                raise
            return 0
        return 1

    async def _go_on(self, campaign_id: str, place: str | None) -> None:
        async def work(tx: Transaction) -> None:
            await tx.run("campaigns.go_on", id=campaign_id, place=place)

        await self._store.write(work)

    async def _verified(self, country: str, after: str) -> AsyncIterator[Dossier]:
        while found := await self._page(country, after):
            for each in found:
                after = each["id"]
                yield await rows.value_of(self._store, await rows.require(self._store, after))

    async def _page(self, country: str, after: str) -> list[Row]:
        return await self._store.all("campaigns.verified", country=country, after=after, most=_PAGE)

    async def _members(self, campaign_id: str) -> list[Row]:
        return await self._store.all("campaigns.members", campaign=campaign_id)


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
