"""Whether this instance's log is the newest there is: after an old back-up was put back it signs nothing.

    asking     from the start until siblings have said which head of our log they hold
    current    nobody holds a longer log than ours, or another: credentials, status lists and heads are signed
    behind     somebody does, and shows it with our own signature: nothing is signed until `esanum audit resume`

Reading, reviewing and everything else at home go on in all three. Without siblings there is nobody to ask, and a log
without an entry has nothing to ask for. A sibling that is away holds nobody up for ever: every head is told to all of
them, so half of their answers are enough; after a quarter of an hour one is, and after a day none is needed. Whoever
comes back with more is heard within the hour, and signing stops then.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from federation.allowlist import Direction, Sibling
from federation.errors import SigningStopped
from instance.ids import new_ulid
from instance.services.dossiers import chain, segments
from instance.services.dossiers.segments import Segment
from instance.services.errors import Rejected
from instance.services.fetching import SingleFlight
from instance.services.sibling_changes import check_order
from instance.storage.store import Transaction
from instance.times import to_ms
from verification.audit import Head
from verification.people import SYSTEM

if TYPE_CHECKING:
    from instance.services.dossiers.heads import Heads, Held
    from instance.wiring import Node

CODES: Final = ("signing_stopped", "not_behind")
ASKING, CURRENT, BEHIND = "asking", "current", "behind"
#: From when on one answer is enough, where half of them do not answer, and from when on none is needed.
ONE_ANSWER: Final = timedelta(minutes=15)
NO_ANSWER: Final = timedelta(days=1)
#: How often siblings are asked: while nothing is signed, and otherwise.
SOON: Final = timedelta(minutes=1)
SELDOM: Final = timedelta(hours=1)
_ACKNOWLEDGED: Final = "audit acknowledged"


@dataclass(frozen=True, slots=True)
class Resumed:
    """What `resume` did: the entries that are lost, from and to (0 where none are), and the entry that tells of it."""

    lost_from: int
    lost_to: int
    entry: int


class Restoring:
    """What siblings hold of our log, and whether we may sign."""

    def __init__(self, node: Node, heads: Heads) -> None:
        self._node, self._heads = node, heads
        self._since = self._asked = node.clock()
        self._state = ASKING
        self._flights = SingleFlight()
        self._ahead: frozenset[Head] = frozenset()
        self._ticked = False
        node.metrics.signing.set(0)

    def begin(self) -> None:
        """Sign at once where there is nobody to ask; the allowlist has to be read by then."""
        if not self._siblings():
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
        """Ask siblings when it is time; a chore."""
        wait = SELDOM if self._state == CURRENT else SOON
        first, self._ticked = self._state == ASKING and not self._ticked, True
        if first or not timedelta(0) <= self._node.clock() - self._asked < wait:
            await self.look()

    async def look(self) -> str:
        """Ask every sibling, and return the state that follows; whoever comes meanwhile waits for the same answers."""
        return await self._flights.do("look", self._look)

    async def findings(self) -> list[str]:
        """What an administrator has to know, in sentences."""
        if self._state == BEHIND:
            return ["siblings hold a longer audit log than this one: nothing is signed; after a restore see"
                    " docs/operate/backup.md, then `esanum audit resume`"]  # fmt: skip
        if self._state == ASKING and self._node.clock() - self._since >= ONE_ANSWER:
            return ["warning: no sibling says which head of the audit log it holds: nothing is signed until one does,"
                    " or for a day"]  # fmt: skip
        return []

    async def resume(self, by: str, reason: str) -> Resumed:
        """Go on after a restore, on the record: with the number behind the longest log that a sibling holds.

        Raises Rejected: reason_missing, not_behind.
        """
        check_order(by, reason)
        if await self.look() == CURRENT:
            raise Rejected("not_behind", status=409)
        held = list(self._ahead)
        done = await self._node.store.write(lambda tx: self._resume(tx, held, by, reason))
        self._ahead = frozenset()
        self._to(CURRENT)
        await self._heads.tell()
        return done

    # ── parts ──

    def _siblings(self) -> list[Sibling]:
        return [each for each in self._node.allowlist() if each.refusal(Direction.FETCH) is None]

    async def _ask(self) -> list[Held]:
        return list(await asyncio.gather(*(self._heads.held_by(sibling) for sibling in self._siblings())))

    async def _look(self) -> str:
        self._asked = self._node.clock()
        answers = await self._ask()
        # What was once shown is not forgotten because whoever showed it is away.
        shown = self._ahead | {each.head for each in answers if each.signed}
        self._ahead = frozenset([head for head in shown if await self._is_news(head)])
        if self._ahead:
            sequence = max(head.sequence for head in self._ahead)
            self._node.log.error("signing_stopped", code="audit_behind", count=sequence)
            self._to(BEHIND)
        elif self._state != ASKING or await self._enough(answers):
            self._to(CURRENT)
        else:
            self._node.log.warning("signing_waits", count=sum(each.answered for each in answers))
        return self._state

    async def _enough(self, answers: Sequence[Held]) -> bool:
        """Whether what was answered is enough to go on; see the rule above."""
        waited, answered = self._node.clock() - self._since, sum(each.answered for each in answers)
        if 2 * answered >= len(answers) or (await chain.head(self._node.store)).sequence == 0:
            return True
        return waited >= (ONE_ANSWER if answered else NO_ANSWER)

    def _to(self, state: str) -> None:
        if state == CURRENT and self._state != CURRENT:
            self._node.log.info("signing", state=state)
        self._state = state
        self._node.metrics.signing.set(state == CURRENT)

    async def _is_news(self, held: Head) -> bool:
        """Whether a head of ours is none of our log: longer than it, or another where both are, and not known to be."""
        store = self._node.store
        if held.sequence <= (await chain.head(store)).sequence:
            own = await chain.at(store, held.sequence)
            if own is None or own == held:
                return False
        row = await store.one("settings.get", name=_ACKNOWLEDGED)
        return _named(held) not in _acknowledged(row)

    async def _resume(self, tx: Transaction, held: list[Head], by: str, reason: str) -> Resumed:
        await chain.take_turn(tx)
        now, own = self._node.clock(), await chain.head(tx)
        longest = max(held, key=lambda head: head.sequence, default=own)
        lost = longest.sequence > own.sequence
        if lost:
            await segments.close_all(tx)
            month = f"{now.year:04}-{now.month:02}"
            await segments.add(tx, Segment(
                first=own.sequence + 1, last=longest.sequence, month=month, before=own, head=longest, gone=segments.LOST
            ))  # fmt: skip
        row = await tx.one("settings.get", name=_ACKNOWLEDGED)
        known = sorted({*_acknowledged(row), *map(_named, held)})
        await tx.run("settings.set", name=_ACKNOWLEDGED, value=json.dumps(known))
        await tx.run(
            "people.record", id=new_ulid(now), act="audit_resumed", by_whom=by, subject=str(longest.sequence),
            reason=reason, at=to_ms(now),
        )  # fmt: skip
        told = await chain.append(tx, segments.RESUMED, now, SYSTEM.id)
        if lost:
            await tx.run("audit.told_of_segment", first=own.sequence + 1, told=told.sequence)
            return Resumed(own.sequence + 1, longest.sequence, told.sequence)
        return Resumed(0, 0, told.sequence)


def _named(head: Head) -> str:
    return f"{head.sequence} {head}"


def _acknowledged(row: Any) -> set[str]:
    return set(json.loads(row["value"])) if row is not None else set()
