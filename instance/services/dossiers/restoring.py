"""Whether this instance's log is the newest there is: after an old back-up was put back it signs nothing.

    asking     from the start until siblings have said which head of our log they hold
    current    nobody holds a longer log than ours, or another: credentials, status lists and heads are signed
    behind     somebody does, and shows it with our own signature: nothing is signed until `esanum audit resume`

Reading, reviewing and everything else at home go on in all three. Without siblings there is nobody to ask, and a log
without an entry has nothing to ask for; an allowlist that cannot be read is not an empty one. A sibling that is away
holds nobody up for ever: every head is told to all of them, so half of their answers are enough; after a quarter of an
hour one is, and after a day none is needed. Whoever comes back with more is heard within the hour, and signing stops
then. What is an answer `witnesses.py` says.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from federation.allowlist import Direction, Listed, Sibling
from federation.errors import SigningStopped
from instance.ids import new_ulid
from instance.services.dossiers import chain, segments, witnesses
from instance.services.dossiers.segments import Segment
from instance.services.errors import Rejected
from instance.services.fetching import SingleFlight
from instance.services.orders import check_order
from instance.storage.store import Transaction
from instance.times import to_ms
from verification.audit import AuditHead
from verification.people import SYSTEM
from verification.statuslist import Purpose

if TYPE_CHECKING:
    from instance.services.dossiers.heads import Heads, Held
    from instance.wiring import Node

CODES: Final = ("signing_stopped", "not_behind", "revocations_lost")
ASKING, CURRENT, BEHIND = "asking", "current", "behind"
#: From when on one answer is enough, where half of them do not answer, and from when on none is needed.
ONE_ANSWER: Final = timedelta(minutes=15)
NO_ANSWER: Final = timedelta(days=1)
#: How often siblings are asked: while nothing is signed (several that start together wait for each other: sooner at
#: first), and otherwise.
AT_FIRST: Final = timedelta(seconds=10)
SOON: Final = timedelta(minutes=1)
SELDOM: Final = timedelta(hours=1)
#: What is done before anybody is verified, by the names of acts, and the longest log that is looked through for more.
_OF_NOBODY: Final = ("sibling.", "backup.")
_FEW: Final = 200


@dataclass(frozen=True, slots=True)
class Resumed:
    """What `resume` did: the entries that are lost, from and to (0 where none are), and the entry that tells of it."""

    lost_from: int
    lost_to: int
    entry: int


@dataclass(frozen=True, slots=True)
class Lost:
    """A doctor whom a sibling saw revoked or suspended in a list of ours, and who is not so here."""

    doctor: str
    purpose: Purpose
    sibling: str


class Restoring:
    """What siblings hold of our log, and whether we may sign."""

    def __init__(self, node: Node, heads: Heads) -> None:
        self._node, self._heads = node, heads
        self._since = self._asked = node.clock()
        self._state = ASKING
        self._flights = SingleFlight()
        self._ahead: frozenset[AuditHead] = frozenset()
        self._answers: Sequence[Held] = ()
        self._ticked = False
        #: Of the allowlist those who stood in it were asked last.
        self._version = 0
        node.metrics.signing.set(0)

    def begin(self) -> None:
        """Sign at once where there is nobody to ask; the allowlist has to be read by then."""
        self._version = self._node.allowlist().version
        if self._node.allowlist.readable and not self._siblings() and not self._closed_by_list():
            self._to(CURRENT)

    @property
    def state(self) -> str:
        """`asking`, `current` or `behind`."""
        return self._state

    async def may_sign(self) -> bool:
        """Whether anything may be signed with the issuer key now; the first to ask has siblings asked."""
        if self._state == ASKING:
            await self.look()
        return self._state == CURRENT

    async def require(self) -> None:
        """Raise Rejected(signing_stopped) unless a credential may be issued now."""
        if self._state != CURRENT and not await self.may_sign():
            raise Rejected("signing_stopped", status=503)

    async def require_for_sibling(self) -> None:
        """Raise SigningStopped unless a status list, or a head, may be signed now."""
        if self._state != CURRENT and not await self.may_sign():
            raise SigningStopped(self._state)

    async def tick(self) -> None:
        """Ask siblings when it is time, or when there are others; a chore."""
        soon = AT_FIRST if self._node.clock() - self._since < ONE_ANSWER else SOON
        wait = SELDOM if self._state == CURRENT else soon
        first, self._ticked = self._state == ASKING and not self._ticked, True
        changed = self._node.allowlist().version != self._version
        if first or changed or not timedelta(0) <= self._node.clock() - self._asked < wait:
            await self.look()

    async def look(self) -> str:
        """Ask every sibling, and return the state that follows; whoever comes meanwhile waits for the same answers."""
        return await self._flights.do("look", self._look)

    async def findings(self) -> list[str]:
        """What an administrator has to know, in sentences."""
        if self._state == BEHIND:
            return ["siblings hold a longer audit log than this one: nothing is signed; after a restore see"
                    " docs/operate/backup.md, then `esanum audit resume`"]  # fmt: skip
        if not self._node.allowlist.readable:
            return []  # that is said by itself
        if self._state == ASKING and self._node.clock() - self._since >= ONE_ANSWER:
            return ["warning: no sibling says which head of the audit log it holds: nothing is signed until one does,"
                    " or for a day"]  # fmt: skip
        return []

    async def lost(self) -> list[Lost]:
        """Whom siblings saw revoked or suspended, and who is not so here; of the siblings that were asked last."""
        every = {
            (doctor, purpose): Lost(doctor, purpose, each.sibling)
            for each in self._answers
            for doctor, purpose in await self._node.own_status.missing(each.lists)
        }
        return [every[key] for key in sorted(every)]

    async def resume(self, by: str, reason: str, *, force: bool = False) -> Resumed:
        """Go on after a restore, on the record: with the number behind the longest log that a sibling holds.

        Raises Rejected: reason_missing, not_behind, revocations_lost (not where forced: siblings may be wrong).
        """
        check_order(by, reason)
        if await self.look() == CURRENT:
            raise Rejected("not_behind", status=409)
        if not force and any(each.purpose is Purpose.REVOCATION for each in await self.lost()):
            raise Rejected("revocations_lost", status=409)
        held = list(self._ahead)
        done = await self._node.store.write(lambda tx: self._resume(tx, held, by, reason))
        self._ahead = frozenset()
        self._to(CURRENT)
        await self._heads.tell()
        return done

    # ── parts ──

    def _closed_by_list(self) -> bool:
        """Whether there are siblings who could say, and none may be asked: no federation list is in force."""
        known = self._node.allowlist()
        return len(known) > 0 and known.list_state in (Listed.EXPIRED, Listed.UNREAD)

    def _siblings(self) -> list[Sibling]:
        return [each for each in self._node.allowlist() if each.refusal(Direction.FETCH) is None]

    async def _look(self) -> str:
        self._asked, self._version = self._node.clock(), self._node.allowlist().version
        answers = self._answers = await self._heads.ask(self._siblings())
        # What was once shown is not forgotten because whoever showed it is away.
        shown = self._ahead | {each.proof for each in answers if each.proof is not None}
        self._ahead = frozenset([proof for proof in shown if await witnesses.is_news(self._node.store, proof)])
        counted = await witnesses.weigh(self._node.store, answers)
        if self._ahead:
            sequence = max(proof.head.sequence for proof in self._ahead)
            self._node.log.error("signing_stopped", code="audit_behind", count=sequence)
            self._to(BEHIND)
        elif self._state != ASKING or await self._enough(counted):
            self._to(CURRENT)
        else:
            self._node.log.warning("signing_waits", count=counted.answered)
        return self._state

    async def _enough(self, counted: witnesses.Weight) -> bool:
        """Whether what was answered is enough to go on; see the rule above."""
        if not self._node.allowlist.readable:
            return False
        if self._closed_by_list():
            return self._node.clock() - self._since >= NO_ANSWER
        if 2 * counted.answered >= counted.asked or await self._is_new():
            return True
        return self._node.clock() - self._since >= (ONE_ANSWER if counted.answered else NO_ANSWER)

    async def _is_new(self) -> bool:
        """Whether the log tells of siblings and back-ups alone, if of anything: nothing was signed that rests on it."""
        head = (await chain.head(self._node.store)).sequence
        if head > _FEW:
            return False
        rows = await self._node.store.all("audit.page", after=0, most=_FEW)
        acts = [str(json.loads(row["entry"]).get("act", "")) for row in rows]
        return len(acts) == head and all(act.startswith(_OF_NOBODY) for act in acts)

    def _to(self, state: str) -> None:
        if state == CURRENT and self._state != CURRENT:
            self._node.log.info("signing", state=state)
        self._state = state
        self._node.metrics.signing.set(state == CURRENT)

    async def _resume(self, tx: Transaction, held: Sequence[AuditHead], by: str, reason: str) -> Resumed:
        await chain.take_turn(tx)
        now, own = self._node.clock(), await chain.head(tx)
        longest = max((proof.head for proof in held), key=lambda head: head.sequence, default=own)
        lost = longest.sequence > own.sequence
        if lost:
            await segments.close_all(tx)
            month = f"{now.year:04}-{now.month:02}"
            await segments.add(tx, Segment(
                first=own.sequence + 1, last=longest.sequence, month=month, before=own, head=longest, gone=segments.LOST
            ))  # fmt: skip
        await witnesses.acknowledge(tx, held, now)
        await tx.run(
            "people.record", id=new_ulid(now), act="audit_resumed", by_whom=by, subject=str(longest.sequence),
            reason=reason, at=to_ms(now),
        )  # fmt: skip
        told = await chain.append(tx, segments.RESUMED, now, SYSTEM.id)
        if lost:
            await tx.run("audit.told_of_segment", first=own.sequence + 1, told=told.sequence)
            return Resumed(own.sequence + 1, longest.sequence, told.sequence)
        return Resumed(0, 0, told.sequence)
