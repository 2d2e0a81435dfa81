"""After an older state of the rows was put back: what our doctors said since, as siblings received it.

    ask      GET /siblings/{host}/received/{epoch}/{after}: what came of our log beyond the number these rows know
    prove    the head that the sibling kept bears the signature of a key of ours, over body, number and address
    enter    the activity takes its effect here again (`taken_back`), and is offered to everybody it is for

Every sibling is asked once in the life of a process: for the epoch that counts now, in case nobody noticed that rows
were put back (then another is begun), and for the one before it. A sibling can show what we said, and make up nothing:
what it says without proof begins no epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from federation import catch_up, parse
from federation.allowlist import Direction, Sibling
from federation.catch_up import Keepsake, LogNumber
from federation.errors import BadSignature, Refused
from federation.keys import PublicKey
from federation.signatures import Verified
from federation.uri import BadUri, Uri
from instance.ids import made_at
from instance.services.fetching import Fetcher
from instance.services.sibling_logs import KEPT
from instance.services.taken_back import TakenBack
from instance.storage.store import Transaction

if TYPE_CHECKING:
    from instance.wiring import Node

#: Pages of one question; what is beyond them is asked for at the next look, from where this one ended.
PAGES: Final = 200
#: Pages in a row on which nothing proves itself: whoever shows more of them has nothing of ours.
UNPROVED: Final = 20
#: How far our numbers may jump to be beyond those that a sibling says it heard: more than anybody says in a week.
FARTHEST: Final = 1_000_000
#: How long after a start it may turn out that its rows are older than what was said.
FIRST_MINUTES: Final = timedelta(minutes=10)


@dataclass(slots=True)
class _Asking:
    """How far one sibling has been asked in one epoch, and how many of its pages in a row proved nothing."""

    epoch: str
    after: int
    unproved: int = 0


class TakingBack:
    """Which siblings were asked, and what came of it."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._fetcher = Fetcher(node)
        self._effects = TakenBack(node)
        self._asked: set[str] = set()
        self._asking: dict[str, _Asking] = {}
        self._doubts: set[str] = set()
        #: The last number of each sibling's log that the rows knew when a process began after which it was not asked.
        self._ends: dict[str, int] = {}
        self._began: datetime | None = None

    async def open(self) -> None:
        """Remember how far our logs went when this process began: what siblings hold beyond that is news here.

        Where an earlier process began and stopped before a sibling could be asked, its beginning counts: what was
        numbered since may bear numbers that were given before the rows were put back.
        """
        await self._run("logs.not_asked")
        rows = await self._node.store.all("logs.all_ends")
        self._ends = {row["origin"]: int(row["number"]) for row in rows}
        self._began = self._node.clock()

    def may_come(self) -> bool:
        """Whether something that our doctors said may be missing here still, and come back.

        That is so in the first days after older rows were put back, until every sibling was asked; and in the first
        minutes of a process that goes on from earlier ones, until those were asked whose logs these rows know.
        """
        siblings = {each.origin for each in self._node.allowlist().open_to(Direction.FETCH)} - self._asked
        logs, now = self._node.logs, self._node.clock()
        if logs.before and now - made_at(logs.epoch) < KEPT:
            return bool(siblings)
        return self._began is not None and now - self._began < FIRST_MINUTES and not siblings.isdisjoint(self._ends)

    def has_more(self, origin: str) -> bool:
        """Whether a question ended before the sibling had shown everything."""
        return origin in self._asking

    async def ask(self, sibling: Sibling) -> int:
        """Ask one sibling, unless it was asked; return how many activities came back. Raises Refused."""
        origin = sibling.origin
        if origin in self._asked:
            return 0
        logs, epoch, back = self._node.logs, self._node.logs.epoch, 0
        if origin not in self._asking and await self._knows_more(sibling, epoch):
            self._node.log.warning("log_behind", sibling=origin, sequence=self._ends.get(origin, 0))
            await logs.begin_anew(epoch, self._ends)
            self._asked.clear()
            self._asking.clear()
        if logs.before:
            ends = await self._node.store.one("logs.ends", origin=origin)
            since = int(ends["epoch_from"]) if ends is not None else 0
            asking = self._asking.get(origin)
            if asking is None or asking.epoch != logs.before:
                asking = self._asking[origin] = _Asking(logs.before, since)
            back, whole = await self._take_back(sibling, asking)
            if not whole:
                return back
        self._asking.pop(origin, None)
        self._asked.add(origin)
        await self._run("logs.asked", origin=origin)
        return back

    @property
    def doubts(self) -> int:
        """How many siblings say that they heard more of our log than we know, and prove none of it."""
        return len(self._doubts)

    async def _knows_more(self, sibling: Sibling, epoch: str) -> bool:
        """Whether it proves that we said more in this epoch than these rows know."""
        asking = _Asking(epoch, self._ends.get(sibling.origin, 0))
        highest = 0
        for _ in range(PAGES):
            last, kept = await self._read(sibling, epoch, asking.after)
            highest = max(highest, last)
            proofs = [await self._said(one, sibling, epoch) for one in kept]
            for body in proofs:
                if body is not None and not await self._is_known(body):
                    return True
            if not kept or self._is_idle(asking, kept, proved=any(body is not None for body in proofs)):
                break
        await self._doubt(sibling.origin, highest)
        return False

    async def _said(self, one: Keepsake, sibling: Sibling, epoch: str) -> Verified | None:
        """Return the proof that we said this to that sibling under the number it names; None without one."""
        try:
            return await self._prove(one, sibling, epoch)
        except (Refused, BadUri):
            return None

    async def _doubt(self, origin: str, last: int) -> None:
        """Somebody heard more than we know to have said, and proves none of it: our numbers go on behind theirs.

        It may be true (what was withdrawn has no head, and heads are kept for a week), and then a number given twice
        would not be missed where it is lost. It may be made up: then this is about its own log alone.
        """
        ends = await self._node.store.one("logs.ends", origin=origin)
        known = int(ends["last_number"]) if ends is not None else 0
        self._doubts.discard(origin)
        if last > known:
            self._doubts.add(origin)
            self._node.log.warning("log_unproved", sibling=origin, sequence=last)
            if last - known <= FARTHEST:
                await self._run("logs.skip", origin=origin, number=last)
        self._node.metrics.log_doubts.set(self.doubts)

    async def _take_back(self, sibling: Sibling, asking: _Asking) -> tuple[int, bool]:
        """Take in pages; return how many activities came back, and whether that was all there is."""
        back, whole = 0, False
        for _ in range(PAGES):
            _, kept = await self._read(sibling, asking.epoch, asking.after)
            entered = [await self._enter(one, sibling, asking.epoch) for one in kept]
            back += sum(came is True for came in entered)
            if None in entered:
                unproved = entered.count(None)
                self._node.log.warning("not_taken_back", sibling=sibling.origin, code="unproved", count=unproved)
            if not kept or self._is_idle(asking, kept, proved=any(came is not None for came in entered)):
                whole = True
                break
        if back:
            self._node.log.info("taken_back", sibling=sibling.origin, count=back)
            self._node.wake.deliveries.set()
        return back, whole

    def _is_idle(self, asking: _Asking, kept: Sequence[Keepsake], *, proved: bool) -> bool:
        """Go on behind this page; return whether there is no sense in it, since too many in a row proved nothing."""
        asking.after = kept[-1].number
        asking.unproved = 0 if proved else asking.unproved + 1
        return asking.unproved >= UNPROVED

    async def _read(self, sibling: Sibling, epoch: str, after: int) -> tuple[int, list[Keepsake]]:
        url = catch_up.received_url(sibling.origin, self._node.authority, epoch, after)
        return catch_up.read_received(await self._fetcher.log_page(url, sibling), after)

    async def _enter(self, kept: Keepsake, sibling: Sibling, epoch: str) -> bool | None:
        """Let one message take its effect here; False where it was known or is none of a doctor's, None unproved."""
        try:
            proof = await self._prove(kept, sibling, epoch)
            if proof.signer == self._node.actor:
                return False  # housekeeping, and what was passed on: its author's home has it
            inbox = Uri.parse(sibling.origin + catch_up.kept_claim(kept, sibling.origin)[0].target)
            activity = parse.document(proof).activity
            if activity.actor != proof.signer:
                raise BadSignature("signed by another")
        except (Refused, BadUri):
            self._node.metrics.log_entries.labels("unproved").inc()
            return None

        async def work(tx: Transaction) -> bool:
            await tx.take_turn(activity.actor)
            return await self._effects(tx, activity, kept.body, sibling, inbox)

        done = await self._node.store.write(work)
        self._node.metrics.log_entries.labels("taken_back" if done else "repeated").inc()
        return done

    async def _prove(self, kept: Keepsake, sibling: Sibling, epoch: str) -> Verified:
        """Return the proof that we said this to that sibling, under this number of this epoch; raise Refused."""
        message, claim = catch_up.kept_claim(kept, sibling.origin)
        if catch_up.read_number(message, claim) != LogNumber(epoch, kept.number):
            raise BadSignature("another number")
        key = await self._own_key(claim.key_id.without_fragment(), claim.key_id)
        return catch_up.prove_kept(message, claim, key)

    async def _own_key(self, owner: Uri, key_id: Uri) -> PublicKey:
        """Return a key of our instance, or of a doctor of ours; raise BadSignature for any other."""
        row = None if owner == self._node.actor else await self._node.store.one("people.standing", uri=owner)
        if owner == self._node.actor or (row is not None and row["local"]):
            for key in await self._node.keys.shown(owner):
                if key.id == key_id:
                    return key
        raise BadSignature("no key of ours")

    async def _is_known(self, proof: Verified) -> bool:
        activity = parse.activity_document(parse.strict_json(proof.body))
        return await self._node.store.one("activities.get", uri=activity.id) is not None

    async def _run(self, query: str, **values: object) -> None:
        async def work(tx: Transaction) -> None:
            await tx.run(query, **values)

        await self._node.store.write(work)
