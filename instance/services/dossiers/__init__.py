"""Dossiers: applications as rows, what people and the calendar do with them, and what the desk reads.

Read in this order: values (what goes in and comes out), rows (rows to values and back), cases (the use cases),
carrying (an outcome becomes rows), admitting (a doctor is made), pieces (claims and findings), numbers (sealed and
found again), looking (what for, and when), retention, calendar, chain (the audit log), segments (its months), checking
(recomputing it), heads (how far it goes, and those of siblings), restoring (whether this log is the newest), registers
(imported files), campaigns, waiting (the queue, and what is late), reminders, reading (figures and histories).
`Dossiers` is the door: nobody becomes a doctor by another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from instance.ids import new_ulid
from instance.services import doctors
from instance.services.dossiers import (
    admitting,
    calendar,
    campaigns,
    carrying,
    cases,
    chain,
    errors,
    looking,
    pieces,
    registers,
    restoring,
    retention,
    rows,
)
from instance.services.dossiers.campaigns import Campaigns
from instance.services.dossiers.cases import Cases
from instance.services.dossiers.checking import Checking
from instance.services.dossiers.errors import mapped
from instance.services.dossiers.heads import Heads
from instance.services.dossiers.numbers import Numbers
from instance.services.dossiers.reading import Reading, deciders_of
from instance.services.dossiers.registers import Registers
from instance.services.dossiers.restoring import Restoring
from instance.services.dossiers.values import (
    Claim,
    Figures,
    File,
    Findings,
    HistoryLine,
    Hit,
    NewApplication,
    QueueLine,
    RegisterAnswer,
)
from instance.services.dossiers.waiting import Waiting
from instance.services.errors import Missing, Rejected
from instance.storage.store import Reader, Row, Transaction
from instance.times import to_ms
from verification import acts, review
from verification.countries import CountryPolicy
from verification.dossier import Country, Dossier, DossierId, Role
from verification.moves import AnnexKind, State
from verification.names import check_name, fold
from verification.people import Actor, DoctorId, SiteId
from verification.registers.numbers import KINDS, NumberKind
from verification.ways import require_applicant, require_reviewer

if TYPE_CHECKING:
    from instance.wiring import Node

__all__ = [
    "CODES", "Claim", "Dossiers", "Figures", "File", "Findings", "HistoryLine", "Hit", "NewApplication", "QueueLine",
    "RegisterAnswer",
]  # fmt: skip

CODES: Final = (
    *errors.CODES, *rows.CODES, *cases.CODES, *pieces.CODES, *admitting.CODES, *registers.CODES, *chain.CODES,
    *restoring.CODES, *campaigns.CODES, "has_dossier", "bad_role", "students_not_admitted", "bad_email",
    "country_not_allowed", "country_not_admitted", "too_many_pieces", "decided_already", "not_found",
    "birth_date_missing", "too_many_applications", "too_many_sites",
)  # fmt: skip
MAX_PIECES: Final = 12
MAX_SITES: Final = 10
#: So many applications an account begins within so long: whoever is refused appeals, or comes back with something new.
MAX_BEGUN: Final = 3
_BEGUN_WITHIN: Final = timedelta(days=30)
_ADDING: Final = frozenset({State.DRAFT, State.NEEDS_INFO, State.EXPIRED, State.APPROVED, State.REVERIFY_DUE})
_SAYING: Final = frozenset({State.DRAFT, State.NEEDS_INFO})


class Dossiers(Cases):
    """The dossiers of this instance: the use cases, and everything around them."""

    def __init__(self, node: Node) -> None:
        self.node = node
        super().__init__(self)
        self.numbers, self.registers, self.reading = Numbers(node), Registers(self), Reading(self)
        self.heads, self.checking, self.campaigns = Heads(node), Checking(node), Campaigns(self)
        self.restoring, self.waiting = Restoring(node, self.heads), Waiting(self)
        self.queue, self.figures = self.waiting.queue, self.reading.figures
        self.history, self.notices, self.earlier = self.reading.history, self.reading.notices, self.reading.earlier

    @property
    def cases(self) -> Cases:
        """The use cases."""
        return self

    # ── the applicant's own ──

    async def open(self, account_id: str, new: NewApplication) -> str:
        """Begin an application; return its id.

        Raises Rejected: has_dossier, too_many_applications, and what cannot be so by its code.
        """
        columns = {**await self._checked(new), "sites": msgspec.json.encode(new.sites).decode()}
        dossier = Dossier(
            id=DossierId(self.new_id("d")), doctor=DoctorId(account_id), country=Country(new.country),
            role=Role(new.role), changed_at=self.now(), sites=frozenset(SiteId(each) for each in new.sites),
        )  # fmt: skip
        await self.numbers.secret()

        async def work(tx: Transaction) -> None:
            await tx.take_turn(f"dossiers of {account_id}")
            account = await self._may_begin(tx, account_id, dossier.changed_at)
            await self._begin(tx, dossier, account["doctor"], columns)

        await self.node.store.write(work)
        return dossier.id

    async def _may_begin(self, tx: Transaction, account_id: str, now: datetime) -> Row:
        """The account's row; raise Rejected unless an application can begin there now."""
        account = await tx.one("dossiers.account", id=account_id)
        if account is None:
            raise Missing()
        await self._require_applicant(tx, account)
        last = await tx.one("dossiers.of_account", account=account_id)
        if last is not None and not (await rows.value_of(tx, last)).final:
            raise Rejected("has_dossier", status=409)
        await self._require_seldom(tx, account_id, now)
        return account

    async def _begin(self, tx: Transaction, dossier: Dossier, doctor: str | None, columns: Mapping[str, Any]) -> None:
        before, now = sorted(await deciders_of(tx, dossier.doctor)), dossier.changed_at
        await tx.run(
            "dossiers.add", id=dossier.id, account=dossier.doctor, doctor=doctor, country=dossier.country,
            role=dossier.role.value, state=State.DRAFT.value, now=to_ms(now), decided_before=json.dumps(before),
            **columns,
        )  # fmt: skip
        file = await self.load(tx, await rows.require(tx, dossier.id))
        begun = acts.record(dossier, "dossier.draft", at=now, by=Actor.applicant(dossier.doctor).id)
        await retention.keep_draft(self.node, tx, dossier.id, now)
        await carrying.carry_out(self.node, tx, file, acts.Outcome(dossier, (begun,)), now=now)

    async def check(self, new: NewApplication) -> None:
        """Raise Rejected at the first thing for which `open` would refuse this application."""
        await self.numbers.secret()
        await self._checked(new)

    async def identity(self, name: str, born: date | None) -> bytes | None:
        """What is kept of a birth date: the keyed hash of it and the name, or nothing. Raises Rejected(bad_name)."""
        return await self.numbers.identity(self.checked_name(name), born)

    async def say(self, dossier_id: str, actor: Actor, new: NewApplication, *, seen: int) -> Dossier:
        """Say name, specialties and the rest anew, while nobody is looking: in a draft, or when more was asked for.

        Whoever was approved before changes the name by an annex alone. Votes of before count for nothing then: the
        answer begins a new round. The country can change while nothing was added. A birth date that is not given again
        stays what it was, as long as the name does: Rejected (birth_date_missing) otherwise.
        """
        columns = await self._checked(new)

        def decide(file: File, now: datetime) -> cases.Decision:
            require_applicant(file.dossier, actor)
            _require_sayable(file, new, columns["name"])
            return cases.Decision(outcome=acts.Outcome(_said_anew(file.dossier, new, now), ()))

        async def further(tx: Transaction) -> None:
            await tx.run("dossiers.say", id=dossier_id, **columns)
            await retention.keep_draft(self.node, tx, dossier_id, self.now())

        return await self.carry(dossier_id, decide, seen=seen, further=further)

    async def add_piece(
        self, dossier_id: str, actor: Actor, claim: Claim, kind: AnnexKind | None = None
    ) -> str:  # fmt: skip
        """Add something to show; it waits until it is handed in (`submit`, `answer`, `renew_expired`, `hand_in`).

        `kind` is the annex it is for, where it is for one. Return its id. Raises Rejected: number_missing,
        number_shape, proof_not_accepted, bad_claim, day_impossible, too_many_pieces.
        """
        file = await self._own(dossier_id, actor)
        policy, now, piece = self.policy(file.dossier.country), self.now(), self.new_id("e")
        pieces.check_claim(claim, policy, now)
        number = pieces.read_number(claim, policy)
        evidence = pieces.new_evidence(piece, claim, policy, number, now)
        index = None if number is None else await self.numbers.index(number)
        kept = msgspec.json.encode(replace(claim, number="")).decode()

        async def work(tx: Transaction) -> None:
            await tx.take_turn(f"dossier {dossier_id}")
            await self._require_room(tx, dossier_id)
            await tx.run(
                "dossiers.add_piece", id=piece, dossier=dossier_id, annex="" if kind is None else kind.value,
                kind=evidence.kind.value, rank=evidence.rank.value, automatic=int(evidence.automatic), claim=kept,
                number_kind="" if number is None else number.kind,
                number_system="" if number is None else number.system, number_index=index, at=to_ms(now),
            )  # fmt: skip
            if number is not None:
                await self.numbers.keep(tx, piece, number)
            await retention.keep_draft(self.node, tx, dossier_id, now)

        await self.node.store.write(work)
        return piece

    async def drop_piece(self, dossier_id: str, actor: Actor, piece: str) -> list[str]:
        """Take back what was added and not handed in; return its files, for the caller to destroy (`evidence`)."""
        await self._own(dossier_id, actor)

        async def work(tx: Transaction) -> list[str]:
            await self._waiting(tx, dossier_id, actor, piece)
            held = await tx.all("dossiers.files_of_piece", piece=piece)
            if not await tx.run("dossiers.drop_waiting_piece", id=piece, dossier=dossier_id):
                raise Missing()
            await tx.run("dossiers.drop_sealed", id=f"number/{piece}")
            return [row["file"] for row in held]

        return await self.node.store.write(work)

    async def attach(self, dossier_id: str, actor: Actor, piece: str, file_id: str) -> None:
        """Say that a file of the vault shows this piece, which waits; Missing for another's, and for what is gone."""
        await self._own(dossier_id, actor)
        await self.node.store.write(lambda tx: self.attach_in(tx, dossier_id, actor, piece, file_id))

    async def attach_in(self, tx: Transaction, dossier_id: str, actor: Actor, piece: str, file_id: str) -> None:
        """The same in the caller's unit of work, which adds the file (`evidence.put`)."""
        await self._waiting(tx, dossier_id, actor, piece)
        await tx.run("dossiers.attach", file=file_id, piece=piece, dossier=dossier_id, at=to_ms(self.now()))
        if file_id not in {row["file"] for row in await tx.all("dossiers.files_of_piece", piece=piece)}:
            raise Missing()
        await retention.keep_draft(self.node, tx, dossier_id, self.now())

    # ── reviewers ──

    async def find(self, dossier_id: str, actor: Actor, piece: str, findings: Findings) -> None:
        """Keep what a reviewer found in one piece: in review, and before the own vote, which rests on it and stands.

        A piece does not change once it is handed in, so no version is asked for. Raises Rejected: day_impossible,
        no_such_move, same_person; Missing for what does not count.
        """
        await self.numbers.secret()
        pieces.check_days(findings, self.now())
        facts = msgspec.json.encode(findings).decode()

        async def work(tx: Transaction) -> None:
            await tx.take_turn(f"dossier {dossier_id}")
            file, now = await self.load(tx, await rows.require(tx, dossier_id)), self.now()
            with mapped():
                require_reviewer(file.dossier, actor)
            shown = next((each for each in file.pieces if each.id == piece and each.counts), None)
            if shown is None:
                raise Missing()
            with mapped():
                looking.require(file.dossier, actor, shown.annex, now)
            await tx.run("dossiers.put_finding", piece=piece, reviewer=actor.id, facts=facts, at=to_ms(now))
            await chain.append(tx, "findings.kept", now, actor.id, dossier=file.dossier.id, thing=piece)

        await self.node.store.write(work)

    async def worth(self, dossier_id: str, actor: Actor, annex: str = "") -> pieces.Grade:
        """What this reviewer's findings make of the evidence: roles, how sure, until when, what stands against it."""
        file = await self.file(dossier_id)
        with mapped():
            require_reviewer(file.dossier, actor)
        return pieces.grade(file.counting(annex), actor.id, self.policy(file.dossier.country), self.now())

    async def record_view(self, dossier_id: str, actor: Actor, file_id: str) -> None:
        """Record that somebody sees a file, before the bytes leave; raise Rejected where it is not theirs to see.

        That is a reviewer who may judge, and a file of what is not decided yet: the application, or its own annex.
        """
        await self.numbers.secret()

        async def work(tx: Transaction) -> None:
            await tx.take_turn(f"dossier {dossier_id}")
            file = await self.load(tx, await rows.require(tx, dossier_id))
            with mapped():
                require_reviewer(file.dossier, actor)
            await chain.append(
                tx, "evidence.viewed", self.now(), actor.id, dossier=file.dossier.id, thing=f"f-{file_id.lower()}",
                reason=looking.viewed_for(file, file_id),
            )  # fmt: skip

        await self.node.store.write(work)

    async def register_answer(self, dossier_id: str, piece: str) -> RegisterAnswer | None:
        """What the imported register says of the number of a piece; None where it knows none."""
        file = await self.file(dossier_id)
        shown = next((each for each in file.pieces if each.id == piece), None)
        if shown is None:
            raise Missing()
        name = file.annex_names.get(shown.annex) or file.said.name
        return await self.registers.answer(shown.number, file.dossier.country, name)

    # ── reading ──

    async def file(self, dossier_id: str) -> File:
        """A dossier with everything that hangs on it; whether this person may see it is the caller's to ask."""
        await self.numbers.secret()

        async def look(reader: Reader) -> File:
            return await self.load(reader, await rows.require(reader, dossier_id))

        return await self.node.store.read(look)

    async def get(self, dossier_id: str) -> Dossier:
        """The dossier; raise Missing where there is none."""
        return (await self.file(dossier_id)).dossier

    async def open_to(self, dossier_id: str, actor: Actor) -> File:
        """A dossier for somebody who may read it now (`review.opens`); Missing for everybody else."""
        file, now = await self.file(dossier_id), self.now()
        if review.opens(file.dossier, actor, now):
            return file
        if review.opens(file.dossier, actor, now, wanted=True) and await self._wanted(file, actor):
            return file
        raise Missing()

    async def is_open_to(self, dossier_id: str, actor: Actor) -> bool:
        """Whether `open_to` gives this dossier to this person."""
        try:
            await self.open_to(dossier_id, actor)
        except Missing:
            return False
        return True

    async def record_opening(self, dossier_id: str, actor: Actor) -> File:
        """Record that somebody opens a dossier, before any page that shows it leaves; return it as `open_to` does."""
        file = await self.open_to(dossier_id, actor)

        async def work(tx: Transaction) -> None:
            await chain.append(tx, "dossier.opened", self.now(), actor.id, dossier=dossier_id)

        await self.node.store.write(work)
        return file

    async def _wanted(self, file: File, actor: Actor) -> bool:
        """Whether a task of a register is open, or an application this person judges may be of the same doctor."""
        tasks = await self.node.store.all("dossiers.tasks", dossier=file.dossier.id)
        if any(each["closed_at"] is None for each in tasks):
            return True
        for hit in file.hits:
            other = await self.get(hit.dossier)
            if review.at_work(other, self.now()) and review.opens(other, actor, self.now()):
                return True
        return False

    async def of_account(self, account_id: str) -> File | None:
        """The last application of an account, or None."""
        row = await self.node.store.one("dossiers.of_account", account=account_id)
        return None if row is None else await self.file(row["id"])

    async def awaited(self, account_id: str) -> bool:
        """Whether somebody waits for what this account shows: its verification runs, or it was asked for more."""
        return await self.node.store.one("dossiers.awaited", account=account_id) is not None

    async def hits(self, dossier_id: str) -> tuple[Hit, ...]:
        """Who may be the same person."""
        return (await self.file(dossier_id)).hits

    async def tick(self) -> int:
        """Do what the calendar asks, and go on with a register that was not compared to its end; a chore."""
        done = await calendar.tick(self)
        await self.registers.go_on()
        return done

    # ── parts ──

    async def load(self, reader: Reader, row: Row) -> File:
        """Everything that hangs on a row, under the policy in force at this moment."""
        await self.node.policies.look(reader)
        return await rows.load(reader, row, self.numbers, self.kinds())

    def policies(self) -> Mapping[Country, CountryPolicy]:
        """The country policies in force."""
        return self.node.policies.effective()

    async def open_policy(self, country: str) -> CountryPolicy | None:
        """The policy of a country now; None for one that is closed, also because its policy cannot be read."""
        await self.node.policies.look()
        return self.policies().get(Country(country))

    def policy(self, country: str) -> CountryPolicy:
        """The policy of a country; raise Rejected where nobody is admitted from there."""
        found = self.policies().get(Country(country))
        if found is None:
            raise Rejected("country_not_admitted", "country")
        return found

    def kinds(self) -> Mapping[str, NumberKind]:
        """Every kind of number that some profile knows."""
        own = {name: kind for policy in self.policies().values() for name, kind in policy.kinds.items()}
        return {**KINDS, **own}

    def new_id(self, letter: str) -> str:
        """A new id as the audit log takes it."""
        return f"{letter}-{new_ulid(self.node.clock()).lower()}"

    def checked_name(self, name: str) -> str:
        """The name as it may be shown; raise Rejected for one that cannot be."""
        try:
            return check_name(name)
        except ValueError:
            raise Rejected("bad_name", "name") from None

    async def _own(self, dossier_id: str, actor: Actor) -> File:
        """A dossier of this applicant to which something may be added; Missing for another's."""
        file = await self.file(dossier_id)
        _require_adding(file, actor)
        return file

    async def _waiting(self, tx: Transaction, dossier_id: str, actor: Actor, piece: str) -> None:
        """Take the dossier's turn; raise Missing unless this piece of this applicant is not handed in by now."""
        await tx.take_turn(f"dossier {dossier_id}")
        file = await self.load(tx, await rows.require(tx, dossier_id))
        if not any(each.id == piece for each in file.waiting()):
            raise Missing()
        _require_adding(file, actor)

    async def _require_applicant(self, tx: Transaction, account: Row) -> None:
        """Staff, and doctors whom the operator has let in without a dossier, do not apply."""
        doctor = account["doctor"]
        let_in = doctor is not None and await tx.one("dossiers.approved_of_doctor", doctor=doctor) is None
        if let_in or json.loads(account["roles"]):
            raise Rejected("has_dossier", status=409)

    async def _require_seldom(self, tx: Transaction, account_id: str, now: datetime) -> None:
        row = await tx.one("dossiers.begun_since", account=account_id, since=to_ms(now - _BEGUN_WITHIN))
        if row is not None and row["number"] >= MAX_BEGUN:
            raise Rejected("too_many_applications", status=429)

    async def _require_room(self, tx: Transaction, dossier_id: str) -> None:
        row = await tx.one("dossiers.count_pieces", dossier=dossier_id)
        if row is not None and row["number"] >= MAX_PIECES:
            raise Rejected("too_many_pieces")

    async def _checked(self, new: NewApplication) -> dict[str, Any]:
        """The columns of what is said; raise Rejected at the first thing that cannot be so."""
        config = self.node.config
        if new.country not in {config.country, *config.may_issue_for}:
            raise Rejected("country_not_allowed", "country")
        await self.node.policies.look()
        policy, name = self.policy(new.country), self.checked_name(new.name)
        if new.role == Role.STUDENT and not policy.students.admitted:
            raise Rejected("students_not_admitted", "role")
        if new.role not in set(Role) or not policy.accepted.get(Role(new.role)):
            raise Rejected("bad_role", "role")
        doctors.check_specialties(new.specialties)
        doctors.check_languages(new.languages)
        if "@" not in new.email or len(new.email) > 254:
            raise Rejected("bad_email", "email")
        if len(new.sites) > MAX_SITES:
            raise Rejected("too_many_sites", "sites")
        return {
            "name": name, "folded": fold(name), "handle": admitting.handle_of(new.handle), "email": new.email,
            "specialties": msgspec.json.encode(new.specialties).decode(),
            "languages": msgspec.json.encode(new.languages).decode(),
            "identity": new.identity or await self.numbers.identity(name, new.birth_date),
        }  # fmt: skip


def _require_adding(file: File, actor: Actor) -> None:
    if actor.doctor != file.dossier.doctor:
        raise Missing()
    with mapped():
        require_applicant(file.dossier, actor)
    if file.dossier.state not in _ADDING:
        raise Rejected("decided_already", status=409)


def _require_sayable(file: File, new: NewApplication, name: str) -> None:
    """Raise Rejected at the first thing that cannot be said anew where the dossier stands."""
    dossier, renamed = file.dossier, name != file.said.name
    elsewhere = new.country != dossier.country and (dossier.state is not State.DRAFT or bool(file.pieces))
    if dossier.state not in _SAYING or elsewhere:
        raise Rejected("decided_already", status=409)
    if renamed and dossier.approved_at is not None:
        raise Rejected("decided_already", "name", status=409)
    if fold(name) != fold(file.said.name) and new.birth_date is None and new.identity is None:
        raise Rejected("birth_date_missing", "birth_date")


def _said_anew(dossier: Dossier, new: NewApplication, now: datetime) -> Dossier:
    at = now if dossier.state is State.DRAFT else dossier.changed_at
    sites = frozenset(SiteId(each) for each in new.sites)
    return replace(dossier, role=Role(new.role), country=Country(new.country), sites=sites, changed_at=at)
