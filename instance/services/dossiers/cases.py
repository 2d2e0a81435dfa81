"""What people do with a dossier: the use cases of the medical room, each in one transaction.

Each takes the dossier's id, who does it (`verification.people.Actor`) and `seen`, the version it was decided on. It
returns the dossier as it is then, or raises Rejected: `changed_meanwhile` (409) where somebody else was faster, the
code of the medical room's refusal where a rule does not hold, Missing where there is no such dossier.

A use case is tried twice: once without a transaction, to learn whether keys have to be made, and once in it, on the
rows as they are then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from instance.services.dossiers import admitting, chain, pieces, retention, rows
from instance.services.dossiers.admitting import Ready, TryAgain
from instance.services.dossiers.carrying import NOTHING_MORE, Extra, Further, carry_out
from instance.services.dossiers.errors import mapped
from instance.services.dossiers.retention import schedule
from instance.services.dossiers.values import File, ShownPiece
from instance.services.errors import Missing, Rejected
from instance.storage.store import Reader, Transaction
from instance.times import from_ms, to_ms
from verification import annexes, review
from verification.acts import Issue, Outcome, Schedule
from verification.countries import CountryPolicy
from verification.dossier import Country, Dossier, Evidence, Role
from verification.grounds import Ground
from verification.moves import AnnexKind, Choice
from verification.people import Actor
from verification.retention import Thing
from verification.ways import require_free, require_reviewer

if TYPE_CHECKING:
    from instance.services.dossiers import Dossiers

CODES: Final = ("changed_meanwhile",)
_TRIES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a use case came to, and what the instance adds."""

    outcome: Outcome
    extra: Extra = NOTHING_MORE


Decide = Callable[[File, datetime], Decision]


class Cases:
    """The use cases; `Dossiers` is these and what pages read."""

    def __init__(self, dossiers: Dossiers) -> None:
        self._dossiers, self._node = dossiers, dossiers.node

    # ── the applicant ──

    async def submit(self, dossier_id: str, actor: Actor, *, seen: int) -> Dossier:
        """Hand in a draft with everything that was added."""

        def decide(file: File, now: datetime) -> Decision:
            kept = self._with_waiting(file)
            return _only(review.submit(replace(file.dossier, **kept), actor, now))

        return await self.carry(dossier_id, decide, seen=seen, further=self._keep_files(dossier_id))

    async def answer(self, dossier_id: str, actor: Actor, *, seen: int) -> Dossier:
        """Give what was asked for: everything that was added since."""

        def decide(file: File, now: datetime) -> Decision:
            added = self._evidence(_for_application(file), file, now)
            more = self._added(file)
            return _only(review.answer(replace(file.dossier, **more), actor, added, now))

        return await self.carry(dossier_id, decide, seen=seen, further=self._keep_files(dossier_id))

    async def renew_expired(self, dossier_id: str, actor: Actor, *, seen: int) -> Dossier:
        """Apply anew after the verification has run out, with everything that was added since."""

        def decide(file: File, now: datetime) -> Decision:
            added = self._evidence(_for_application(file), file, now)
            return _only(review.renew_expired(replace(file.dossier, **self._added(file)), actor, added, now))

        return await self.carry(dossier_id, decide, seen=seen, further=self._keep_files(dossier_id))

    async def appeal(self, dossier_id: str, actor: Actor, *, seen: int) -> Dossier:
        """Ask two others to look."""
        return await self._plain(dossier_id, seen, lambda dossier, now: review.appeal(dossier, actor, now))

    async def withdraw(self, dossier_id: str, actor: Actor, *, seen: int) -> Dossier:
        """Take an application back; whoever was verified leaves instead."""
        return await self._plain(dossier_id, seen, lambda dossier, now: review.withdraw(dossier, actor, now))

    async def leave(self, dossier_id: str, actor: Actor, *, seen: int) -> Dossier:
        """Leave for good, as somebody who was verified."""
        return await self._plain(dossier_id, seen, lambda dossier, now: review.leave(dossier, actor, now))

    async def retire(self, dossier_id: str, actor: Actor, *, seen: int) -> Dossier:
        """Go on reading and commenting only."""

        def decide(file: File, now: datetime) -> Decision:
            verified_at = file.dossier.verified_at or now
            until = pieces.latest(replace(file.dossier, role=Role.RETIRED), self._policy(file), verified_at)
            return _only(review.retire(file.dossier, actor, now, until=until))

        return await self.carry(dossier_id, decide, seen=seen)

    async def hand_in(
        self, dossier_id: str, actor: Actor, kind: AnnexKind, *, seen: int, name: str = "", specialty: str = ""
    ) -> Dossier:
        """Hand in a renewal, a certificate (of `specialty`) or a new name (`name`), with what was added for it since.

        Raises Rejected also: bad_specialty, too_many_specialties, bad_name.
        """
        annex_id = self._dossiers.new_id("a")
        wanted = self._dossiers.checked_name(name) if kind is AnnexKind.NAME else ""
        about = specialty if kind is AnnexKind.SPECIALIST else ""

        def decide(file: File, now: datetime) -> Decision:
            admitting.check_specialty(about, file)
            shown = self._evidence(file.waiting(kind), file, now)
            training, year = pieces.stated(file.waiting(kind), self._policy(file))
            annex = annexes.new(annex_id, kind, shown, now, training_ends=training, year_ends=year, specialty=about)
            return _only(annexes.hand_in(_with_hits(file).dossier, actor, annex, now))

        async def further(tx: Transaction) -> None:
            await tx.run("dossiers.name_annex", dossier=dossier_id, id=annex_id, name=wanted)
            await schedule(self._node, tx, dossier_id, Schedule(thing=Thing.EVIDENCE, on=None, annex=annex_id))

        return await self.carry(dossier_id, decide, seen=seen, further=further)

    async def take_back(self, dossier_id: str, actor: Actor, annex: str, *, seen: int) -> Dossier:
        """Let go of an annex that is not decided."""
        return await self._plain(dossier_id, seen, lambda dossier, now: annexes.take_back(dossier, actor, annex, now))

    # ── reviewers ──

    async def take(self, dossier_id: str, actor: Actor, *, seen: int) -> Dossier:
        """Begin to review."""

        def decide(file: File, now: datetime) -> Decision:
            return Decision(outcome=review.take(file.dossier, actor, now), extra=Extra(taken_by=actor.id))

        return await self.carry(dossier_id, decide, seen=seen)

    async def ask(self, dossier_id: str, actor: Actor, ground: Ground, *, seen: int) -> Dossier:
        """Ask the applicant for more."""
        return await self._plain(dossier_id, seen, lambda dossier, now: review.ask(dossier, actor, ground, now))

    async def vote(
        self, dossier_id: str, actor: Actor, choice: Choice, ground: Ground, *, seen: int, hit: Ground | None = None
    ) -> Dossier:
        """Say what one reviewer thinks; to approve, the own findings must carry the role that is applied for."""
        return await self._judged(dossier_id, actor, choice, ground, hit, seen, review.vote)

    async def decide(
        self, dossier_id: str, actor: Actor, choice: Choice, ground: Ground, *, seen: int, hit: Ground | None = None
    ) -> Dossier:
        """Let the lead decide between two who disagree; the lead's own findings count."""
        return await self._judged(dossier_id, actor, choice, ground, hit, seen, review.decide)

    async def take_annex(self, dossier_id: str, actor: Actor, annex: str, *, seen: int) -> Dossier:
        """Begin to review an annex."""
        return await self._plain(dossier_id, seen, lambda dossier, now: annexes.take(dossier, actor, annex, now))

    async def vote_annex(
        self, dossier_id: str, actor: Actor, annex: str, choice: Choice, ground: Ground, *, seen: int,
        hit: Ground | None = None,
    ) -> Dossier:  # fmt: skip
        """Say what a reviewer thinks of an annex; to accept, the own findings must carry the role.

        `hit` explains somebody who may be the same person; without it nothing is accepted where there is one.
        """

        def decide(file: File, now: datetime) -> Decision:
            file = _with_hits(file)
            if choice is not Choice.APPROVE or not any(each.id == annex for each in file.dossier.annexes):
                return _only(annexes.vote(file.dossier, actor, annex, choice, ground, now, hit=hit))
            kind = next(each.kind for each in file.dossier.annexes if each.id == annex)
            role = Role.SPECIALIST if kind is AnnexKind.SPECIALIST else file.dossier.role
            found = self._counted(file, annex, actor, role, frozenset(), now)
            outcome = annexes.vote(file.dossier, actor, annex, choice, ground, now, hit=hit, found=found.shown)
            better = found.assurance.value if kind is not AnnexKind.NAME else ""
            return Decision(outcome=outcome, extra=Extra(assurance=better if outcome.having(Issue) else ""))

        return await self.carry(dossier_id, decide, seen=seen)

    async def close_task(self, dossier_id: str, actor: Actor, task: str) -> None:
        """Say that a reviewer who may judge this doctor has looked at what an imported register says now.

        Raises Missing where there is no such task, or somebody else has closed it.
        """

        async def work(tx: Transaction) -> None:
            dossier, now = await rows.value_of(tx, await rows.require(tx, dossier_id)), self.now()
            with mapped():
                require_reviewer(dossier, actor)
            if not await tx.run("dossiers.close_task", dossier=dossier_id, id=task, now=to_ms(now), by=actor.id):
                raise Missing()
            await chain.append(tx, "register.looked_at", now, actor.id, dossier=dossier_id)

        await self._node.store.write(work)

    # ── emergencies, and what takes two ──

    async def suspend(self, dossier_id: str, actor: Actor, ground: Ground, *, seen: int) -> Dossier:
        """Suspend at once, for 72 hours."""
        return await self._plain(dossier_id, seen, lambda dossier, now: review.suspend(dossier, actor, ground, now))

    async def confirm(self, dossier_id: str, actor: Actor, *, seen: int) -> Dossier:
        """Let a suspension last."""
        return await self._plain(dossier_id, seen, lambda dossier, now: review.confirm(dossier, actor, now))

    async def lift(self, dossier_id: str, actor: Actor, ground: Ground, *, seen: int) -> Dossier:
        """End a suspension; the first call proposes it."""
        return await self._plain(dossier_id, seen, lambda dossier, now: review.lift(dossier, actor, ground, now))

    async def revoke(self, dossier_id: str, actor: Actor, ground: Ground, *, seen: int) -> Dossier:
        """End a recognition for ever; the first call proposes it."""
        return await self._plain(dossier_id, seen, lambda dossier, now: review.revoke(dossier, actor, ground, now))

    async def report_death(self, dossier_id: str, actor: Actor, *, seen: int) -> Dossier:
        """Say that the doctor has died; the first call proposes it."""
        return await self._plain(dossier_id, seen, lambda dossier, now: review.report_death(dossier, actor, now))

    async def require_free(self, dossier_id: str) -> None:
        """Raise Rejected (leaving_held) where this doctor cannot go by their own wish now."""
        file = await self._dossiers.file(dossier_id)
        with mapped():
            require_free(file.dossier, self.now())

    async def depart(self, dossier_id: str, further: Further | None = None) -> Dossier:
        """End the dossier because the doctor's new home has taken over; `further` belongs to the same unit of work."""

        def decide(file: File, now: datetime) -> Decision:
            return _only(review.depart(file.dossier, now))

        return await self.carry(dossier_id, decide, seen=None, further=further)

    # ── carrying out ──

    async def carry(
        self, dossier_id: str, decide: Decide, *, seen: int | None, further: Further | None = None
    ) -> Dossier:
        """Decide on the dossier as it is and carry the outcome out; `seen` None stands for whatever there is."""
        for _ in range(_TRIES):
            ready = await self._ready(dossier_id, decide, seen)
            try:
                after = await self._node.store.write(partial(self._unit, dossier_id, decide, seen, ready, further))
            except TryAgain:
                continue
            if ready is not None:
                self._node.keys.forget(ready.uri)
            self._node.wake.deliveries.set()
            await retention.destroy_at_once(self._node, after)
            return after
        raise Rejected("changed_meanwhile", status=409)

    async def _ready(self, dossier_id: str, decide: Decide, seen: int | None) -> Ready | None:
        file = await self._dossiers.file(dossier_id)
        decision = self._decided(file, decide, seen)
        if not decision.outcome.having(Issue):
            return None
        await self._dossiers.restoring.require()
        return await admitting.prepare(self._node, file)

    async def _unit(
        self, dossier_id: str, decide: Decide, seen: int | None, ready: Ready | None, further: Further | None,
        tx: Transaction,
    ) -> Dossier:  # fmt: skip
        await tx.take_turn(f"dossier {dossier_id}")
        file = await self._load(tx, dossier_id)
        decision = self._decided(file, decide, seen)
        await carry_out(
            self._node, tx, file, decision.outcome, now=self.now(), ready=ready, extra=decision.extra, further=further
        )
        return decision.outcome.dossier

    def _decided(self, file: File, decide: Decide, seen: int | None) -> Decision:
        if seen is not None and seen != file.version:
            raise Rejected("changed_meanwhile", status=409)
        with mapped():
            return decide(file, self.now())

    async def _load(self, rows_: Reader, dossier_id: str) -> File:
        return await self._dossiers.load(rows_, await rows.require(rows_, dossier_id))

    def now(self) -> datetime:
        """The time, as exactly as rows keep it."""
        return from_ms(to_ms(self._node.clock()))

    # ── parts ──

    async def _plain(
        self, dossier_id: str, seen: int | None, decide: Callable[[Dossier, datetime], Outcome]
    ) -> Dossier:
        return await self.carry(dossier_id, lambda file, now: _only(decide(file.dossier, now)), seen=seen)

    async def _judged(
        self, dossier_id: str, actor: Actor, choice: Choice, ground: Ground, hit: Ground | None, seen: int,
        judge: Callable[..., Outcome],
    ) -> Dossier:  # fmt: skip
        known = await self._dossiers.registers.known(dossier_id) if choice is Choice.APPROVE else frozenset()

        def decide(file: File, now: datetime) -> Decision:
            file = _with_hits(file)
            if choice is not Choice.APPROVE:
                return _only(judge(file.dossier, actor, choice, ground, now, hit=hit))
            found = self._counted(file, "", actor, file.dossier.role, known, now)
            outcome = judge(file.dossier, actor, choice, ground, now, hit=hit, found=found.shown)
            sure = found.assurance.value if outcome.having(Issue) else ""
            return Decision(outcome=outcome, extra=Extra(assurance=sure))

        return await self.carry(dossier_id, decide, seen=seen)

    def _counted(
        self, file: File, annex: str, actor: Actor, role: Role, known: frozenset[str], now: datetime
    ) -> pieces.Counted:
        """What this vote to approve would rest on, with those cast before it in the round."""
        cast = next((each.votes for each in file.dossier.annexes if each.id == annex), file.dossier.votes_now())
        voters = {str(vote.reviewer): vote.at for vote in cast if vote.choice is Choice.APPROVE} | {str(actor.id): now}
        return pieces.counted(file, annex, voters, role, self._policy(file), known, now)

    def _with_waiting(self, file: File) -> dict[str, Any]:
        added = self._evidence(_for_application(file), file, self.now())
        return {"evidence": file.dossier.evidence + added, **self._added(file)}

    def _added(self, file: File) -> dict[str, Any]:
        """The days stated in what is added (what is not stated stays as it was), and whether somebody is like this."""
        training, year = pieces.stated(_for_application(file), self._policy(file))
        days = {"training_ends": training, "year_ends": year}
        return {name: day for name, day in days.items() if day is not None} | {"open_hit": bool(file.hits)}

    def _keep_files(self, dossier_id: str) -> Further:
        """What was added is kept while it is looked at, however long ago it was sent."""

        async def keep(tx: Transaction) -> None:
            await self._node.evidence.schedule(tx, dossier_id, None)

        return keep

    def _evidence(self, shown: tuple[ShownPiece, ...], file: File, now: datetime) -> tuple[Evidence, ...]:
        policy = self._policy(file)
        return tuple(
            replace(pieces.new_evidence(each.id, each.claim, policy, each.number, now), at=each.at) for each in shown
        )

    def _policy(self, file: File) -> CountryPolicy:
        return self._dossiers.policy(Country(file.dossier.country))


def _for_application(file: File) -> tuple[ShownPiece, ...]:
    """What waits for the application itself: also what was added for a renewal before the verification ran out."""
    return file.waiting(AnnexKind.RENEWAL)


def _with_hits(file: File) -> File:
    """The file as it is now: whether somebody is like this may have changed since it was handed in."""
    return replace(file, dossier=replace(file.dossier, open_hit=bool(file.hits)))


def _only(outcome: Outcome) -> Decision:
    return Decision(outcome=outcome)
