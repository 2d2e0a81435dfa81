"""The policies of countries in force: profiles from files, and what administrators have laid over them.

Read once and kept; whoever asks for something that hangs on a policy awaits `look` first, one look at a number, so that
a change made by anybody, in whatever process, bites on the next request. An overlay that cannot be read closes its
country.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, assert_never

import msgspec

from instance.ids import new_ulid
from instance.services.dossiers import chain
from instance.services.dossiers.errors import mapped
from instance.services.errors import Missing, Rejected
from instance.storage.store import Reader, Row, Transaction
from instance.times import from_ms, to_ms
from verification import countries, overlay
from verification.countries import BadProfile, Countries, CountryPolicy, Proof
from verification.dossier import Country, Role
from verification.overlay import (
    EMPTY,
    Change,
    DegreeAlone,
    LetStudents,
    Overlay,
    Period,
    PolicyReason,
    Proposed,
    TakeProof,
)
from verification.people import Actor, StaffId
from verification.standing import Policy
from verification.ways import PROPOSAL

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = ("beyond_profile", "nothing_changes", "policy_changed", "proposed_already", "country_not_admitted")
_HISTORY: Final = 50
_ROLES: Final[Mapping[str, tuple[Role, ...]]] = MappingProxyType(
    {
        **{role.value: (role,) for role in Role},
        "document": (Role.SPECIALIST, Role.GENERALIST),
        "degree": (Role.GENERALIST,),
        "imported": (Role.SPECIALIST, Role.GENERALIST),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """Whom a change is about: applications that are not decided, and doctors who are verified."""

    applications: int
    doctors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A change, before it is made."""

    change: Change
    before: CountryPolicy
    after: CountryPolicy
    #: Whether it opens something: then it is proposed, and another administrator confirms it.
    widens: bool
    touched: Touched


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A line of the history of a country's policy."""

    id: str
    change: Change
    reason: str
    state: str
    by: str
    at: datetime
    decided_by: str
    decided_at: datetime | None

    def too_old(self, now: datetime) -> bool:
        """Whether it was proposed and nobody confirmed it in time."""
        return self.state == "proposed" and now > self.at + PROPOSAL


@dataclass(frozen=True, slots=True, kw_only=True)
class CountryLine:
    """One country the instance may vouch for: its profile, what is in force, or why nobody is admitted from there."""

    country: str
    profile: CountryPolicy | None
    policy: CountryPolicy | None
    #: The folder of the profile's file; empty for one that comes with the product.
    folder: str = ""
    fault: BadProfile | None = None
    version: int = 0


class Policies:
    """What each country's policy is now, and how administrators change it."""

    def __init__(self, node: Node) -> None:
        self._node, self._store = node, node.store
        self._profiles: Countries | None = None
        self._known: int | None = None
        self._overlays: Mapping[str, tuple[Overlay | None, int]] = {}
        self._effective: Mapping[Country, CountryPolicy] = {}
        self._standing = Policy()

    # ── what is in force ──

    async def look(self, reader: Reader | None = None) -> None:
        """Read the overlays anew where somebody has changed one; inside a unit of work, as that unit sees them.

        Never back to an older version, which a unit that began before may still see. Without one nobody is let in.
        """
        row = await (self._store.known("policies.version") if reader is None else reader.one("policies.version"))
        if row is None:
            self._effective, self._standing, self._known = {}, Policy(), None
        elif self._known is None or row["value"] > self._known:
            version, found = await (self._store.read(_all) if reader is None else _all(reader))
            if self._known is None or version > self._known:
                self._take(version, found)

    def effective(self) -> Mapping[Country, CountryPolicy]:
        """The policies in force, as last looked at; a country that is missing admits nobody."""
        return self._effective

    @property
    def standing(self) -> Policy:
        """The same, as `standing.may` asks for it."""
        return self._standing

    def profiles(self) -> Countries:
        """The files: those of the product, and after them those of the operator's folder `countries`."""
        return self._profiles or self.read_files()

    def read_files(self) -> Countries:
        """Read the files anew; it counts at the next look."""
        own = self._node.config.data / "countries"
        self._profiles = countries.load(countries.shipped(), *([own] if own.is_dir() else []))
        for fault in self._profiles.faults:
            self._node.log.error("country_profile", code=fault.fault.value, id=fault.name)
        self._known = None
        return self._profiles

    def _take(self, version: int, found: list[Row]) -> None:
        self._overlays = {row["country"]: (self._read(row), int(row["version"])) for row in found}
        laid = {
            country: overlay.laid_over(profile, over)
            for country, profile in self.profiles().policies.items()
            if (over := self._over(country)[0]) is not None
        }
        self._effective, self._known = MappingProxyType(laid), version
        self._standing = Policy(Countries(laid).student_rights())

    def _read(self, row: Row) -> Overlay | None:
        try:
            return overlay.read(row["overlay"])
        except ValueError as fault:
            self._node.log.critical("overlay_unreadable", id=row["country"], error=type(fault).__name__)
            return None

    def _over(self, country: str) -> tuple[Overlay | None, int]:
        return self._overlays.get(country, (EMPTY, 0))

    # ── what pages and the command line show ──

    def countries(self) -> tuple[str, ...]:
        """The countries this instance may vouch for, the own one first."""
        config = self._node.config
        return tuple(dict.fromkeys((config.country, *config.may_issue_for)))

    async def lines(self) -> list[CountryLine]:
        """All of them, each with what is in force."""
        await self.look()
        return [self._line(country) for country in self.countries()]

    async def line(self, country: str) -> CountryLine:
        """One of them; raise Missing for a country this instance does not vouch for."""
        if country not in self.countries():
            raise Missing()
        await self.look()
        return self._line(country)

    def _line(self, country: str) -> CountryLine:
        files = self.profiles()
        folder = files.folders.get(Country(country), "")
        fault = next((each for each in files.faults if each.name.upper() == f"{country}.TOML"), None)
        folder_fault = next((each for each in files.faults if each.fault is countries.ProfileFault.FOLDER), None)
        return CountryLine(
            country=country, profile=files.policies.get(Country(country)),
            policy=self._effective.get(Country(country)), version=self._over(country)[1],
            folder="" if folder == str(countries.shipped()) else folder, fault=fault or folder_fault,
        )  # fmt: skip

    def other_faults(self) -> tuple[BadProfile, ...]:
        """The faulty files that belong to no country of this instance."""
        own = {f"{country}.TOML" for country in self.countries()}
        return tuple(each for each in self.profiles().faults if each.name.upper() not in own)

    async def findings(self) -> list[str]:
        """Every country that is closed, and every file that does not hold, in sentences."""
        closed = [line.country for line in await self.lines() if line.policy is None]
        return [
            *(f"{country}: no profile holds, so nobody is admitted from there" for country in closed),
            *(f"{each.name} does not hold: {each.words}" for each in self.profiles().faults),
        ]

    async def waiting(self, country: str) -> list[Proposed]:
        """The proposals that wait for a second administrator."""
        rows, now = await self._store.all("policies.waiting", country=country), self._node.clock()
        return [found for found in map(_proposed, rows) if found.waits(now)]

    async def history(self, country: str) -> list[Done]:
        """What was changed, proposed and taken back, the newest first."""
        return [_done(row) for row in await self._store.all("policies.history", country=country, most=_HISTORY)]

    async def preview(self, country: str, change: Change) -> Preview:
        """What a change would do, and to how many; raise Rejected: beyond_profile, nothing_changes."""
        found = await self.line(country)
        if found.profile is None or found.policy is None:
            raise Rejected("country_not_admitted", status=409)
        with mapped():
            after = overlay.changed(found.profile, self._over(country)[0] or EMPTY, change)
        policy = overlay.laid_over(found.profile, after)
        return Preview(
            change=change, before=found.policy, after=policy, widens=overlay.widens(found.policy, policy),
            touched=await self._touched(country, change),
        )  # fmt: skip

    async def _touched(self, country: str, change: Change) -> Touched:
        roles, proof = _about(change)
        about = {"country": country, "roles": f",{','.join(roles)}," if roles else "", "proof": proof}
        applications = await self._number("policies.applications", **about)
        if isinstance(change, LetStudents):
            return Touched(
                applications=applications, doctors=await self._number("policies.students", country=country)
            )  # fmt: skip
        return Touched(applications=applications, doctors=await self._number("policies.verified", **about))

    async def _number(self, query: str, **values: str) -> int:
        row = await self._store.one(query, **values)
        return 0 if row is None else int(row["number"])

    # ── changes ──

    async def change(self, country: str, change: Change, reason: PolicyReason, actor: Actor, *, seen: int) -> bool:
        """Make a change at once where it only takes away (True); propose it where it opens anything (False).

        Raises Rejected: beyond_profile, nothing_changes, policy_changed, proposed_already, not_yours.
        """
        await self.line(country)

        async def work(tx: Transaction) -> bool:
            before, version = await self._turn(tx, country, actor, seen)
            profile = self._profile(country)
            with mapped():
                after = overlay.changed(profile, before, change)
            opens = overlay.widens(overlay.laid_over(profile, before), overlay.laid_over(profile, after))
            if opens:
                await self._require_new(tx, country, change, reason)
            now, id = self._now(), f"p-{new_ulid(self._node.clock()).lower()}"
            await tx.run("policies.end_waiting", country=country, item=change.item, by=actor.id, now=to_ms(now))
            await tx.run(
                "policies.add_change", id=id, country=country, item=change.item, by=actor.id, now=to_ms(now),
                change=msgspec.json.encode(change).decode(), reason=reason.value,
                state="proposed" if opens else "done", decided_by=None if opens else actor.id,
                decided_at=None if opens else to_ms(now),
            )  # fmt: skip
            await self._put(tx, country, before if opens else after, version + 1)
            act = "country.proposed" if opens else "country.changed"
            await chain.append(tx, act, now, actor.id, thing=id, reason=reason.value)
            return not opens

        return await self._store.write(work)

    async def confirm(self, country: str, id: str, actor: Actor, *, seen: int) -> None:
        """Make a change that another administrator has proposed within the last seven days.

        Raises Rejected: policy_changed, same_person, same_inviter, no_such_move, not_yours; Missing where none waits.
        """
        await self.line(country)

        async def work(tx: Transaction) -> None:
            before, version = await self._turn(tx, country, actor, seen)
            proposed, now = await self._waits(tx, country, id), self._now()
            with mapped():
                overlay.require_second(proposed, actor, now)
            await self._require_still_there(tx, proposed)
            with mapped():
                after = overlay.changed(self._profile(country), before, proposed.change)
            if not await tx.run("policies.decide", id=id, state="done", by=actor.id, now=to_ms(now)):
                raise Missing()
            await self._put(tx, country, after, version + 1)
            await chain.append(tx, "country.changed", now, actor.id, thing=id, reason=proposed.reason.value)

        await self._store.write(work)

    async def withdraw(self, country: str, id: str, actor: Actor) -> None:
        """Take a proposal back, or turn it down: any administrator may."""
        await self.line(country)

        async def work(tx: Transaction) -> None:
            before, version = await self._turn(tx, country, actor, None)
            proposed, now = await self._waits(tx, country, id), self._now()
            if not await tx.run("policies.decide", id=id, state="withdrawn", by=actor.id, now=to_ms(now)):
                raise Missing()
            await self._put(tx, country, before, version + 1)
            await chain.append(tx, "country.withdrawn", now, actor.id, thing=id, reason=proposed.reason.value)

        await self._store.write(work)

    # ── parts ──

    async def _turn(self, tx: Transaction, country: str, actor: Actor, seen: int | None) -> tuple[Overlay, int]:
        """Take the country's turn; return its overlay and version as they are then."""
        with mapped():
            overlay.require_administrator(actor)
        await tx.take_turn(f"policy of {country}")
        row = await tx.one("policies.overlay", country=country)
        version = 0 if row is None else int(row["version"])
        if seen is not None and seen != version:
            raise Rejected("policy_changed", status=409)
        found = EMPTY if row is None else self._read({**row, "country": country})
        if found is None:
            raise Rejected("country_not_admitted", status=409)
        return found, version

    async def _put(self, tx: Transaction, country: str, after: Overlay, version: int) -> None:
        kept = msgspec.json.encode(after).decode()
        await tx.run("policies.put", country=country, overlay=kept, version=version, now=to_ms(self._now()))
        await tx.run("policies.raise_version")

    async def _require_new(self, tx: Transaction, country: str, change: Change, reason: PolicyReason) -> None:
        """Raise where the same waits already: it is confirmed, not proposed once more."""
        now = self._now()
        for each in map(_proposed, await tx.all("policies.waiting", country=country)):
            if (each.change, each.reason) == (change, reason) and each.waits(now):
                raise Rejected("proposed_already", status=409)

    async def _waits(self, tx: Transaction, country: str, id: str) -> Proposed:
        row = await tx.one("policies.change", id=id)
        if row is None or row["country"] != country or row["state"] != "proposed":
            raise Missing()
        return _proposed(row)

    async def _require_still_there(self, tx: Transaction, proposed: Proposed) -> None:
        """Raise where whoever proposed it is no administrator any more: then one person alone would open it."""
        if proposed.by not in {row["id"] for row in await tx.all("staff.administrators")}:
            raise Rejected("no_such_move", status=409)

    def _profile(self, country: str) -> CountryPolicy:
        found = self.profiles().policies.get(Country(country))
        if found is None:
            raise Rejected("country_not_admitted", status=409)
        return found

    def _now(self) -> datetime:
        return from_ms(to_ms(self._node.clock()))


async def _all(reader: Reader) -> tuple[int, list[Row]]:
    row = await reader.one("policies.version")
    if row is None:
        raise ValueError("the version of the policies is missing")
    return int(row["value"]), await reader.all("policies.overlays")


def _about(change: Change) -> tuple[tuple[Role, ...], str]:
    """Whom a change is about: the roles (none named: all), and the proof they show (none named: whatever)."""
    match change:
        case LetStudents():
            return (Role.STUDENT,), ""
        case Period():
            return _ROLES[change.name], ""
        case TakeProof():
            return (), change.proof.value
        case DegreeAlone():
            return (Role.GENERALIST,), Proof.DEGREE.value
        case _ as never:
            assert_never(never)


def _proposed(row: Row) -> Proposed:
    return Proposed(
        id=row["id"], country=row["country"], change=_change(row), reason=PolicyReason(row["reason"]),
        by=StaffId(row["proposed_by"]), at=from_ms(row["proposed_at"]),
    )  # fmt: skip


def _done(row: Row) -> Done:
    decided = row["decided_at"]
    return Done(
        id=row["id"], change=_change(row), reason=row["reason"], state=row["state"], by=row["proposed_by"],
        at=from_ms(row["proposed_at"]), decided_by=row["decided_by"] or "",
        decided_at=None if decided is None else from_ms(decided),
    )  # fmt: skip


def _change(row: Row) -> Change:
    found: Change = msgspec.json.decode(row["change"], type=Change)
    return found
