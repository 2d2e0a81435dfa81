"""Followers held the same at both ends (FEP-8fcf): a digest on what our doctors send, and mending where it differs.

    out    each message of a doctor to a shared inbox bears the digest of the followers who live there
    in     a digest that is not ours is looked at again a minute later, for an answer may be on its way; where it
           differs still, our own part of the list is read at the doctor's home, and both ends are made to agree

The home of a doctor decides who follows them: whom it does not list follows no more, whom it lists has been accepted,
and of one who follows no more though it lists them, it is told again by an Undo.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from federation import parse, synchronisation
from federation.allowlist import Direction
from federation.delivery import Priority
from federation.errors import Malformed, Refused
from federation.ports import Arrival, Delivery
from federation.synchronisation import Said
from federation.uri import Uri
from federation.vocabulary import Collection, Undo
from instance.services import sending
from instance.services.fetching import Fetcher
from instance.services.sending import Message
from instance.storage.store import Row, Transaction
from instance.times import to_ms

if TYPE_CHECKING:
    from instance.wiring import Node

#: How long a digest of ours is remembered: one that is a little old has the other end look, and find nothing to mend.
REMEMBERED_FOR: Final = timedelta(minutes=5)
#: What differs is looked at again after this long, and one doctor's followers at most this often.
PATIENCE: Final = timedelta(minutes=1)
EVERY: Final = timedelta(hours=1)
AT_ONCE: Final = 4
#: Relations that are mended in one transaction.
STEP: Final = 100
_REMEMBERED: Final = 10_000
_WANTED: Final = 2_000
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


@dataclass(slots=True)
class _Doubt:
    """A digest that was heard, and since when ours differs from it."""

    said: Said
    since: datetime | None = None


class Synchronising:
    """Digests out and in."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._fetcher = Fetcher(node)
        #: Ours, by doctor and sibling; theirs that agreed, and when they were looked at, by doctor.
        self._digests: OrderedDict[tuple[str, str], tuple[datetime, str]] = OrderedDict()
        self._agreed: OrderedDict[str, tuple[datetime, str]] = OrderedDict()
        self._doubts: OrderedDict[str, _Doubt] = OrderedDict()
        self._mended: OrderedDict[str, datetime] = OrderedDict()
        self._work: set[asyncio.Task[None]] = set()

    # ── out ──

    async def __call__(self, delivery: Delivery) -> dict[str, str]:
        """Return the header of a doctor's delivery to a shared inbox; nothing for any other."""
        if not delivery.shared or delivery.signer == self._node.actor or not self._is_ours(delivery.signer):
            return {}
        followers = Uri(f"{delivery.signer}/followers")
        value = await self._digest(delivery.signer, delivery.origin)
        return {synchronisation.HEADER: synchronisation.header(followers, followers, value)}

    async def _digest(self, doctor: Uri, origin: str) -> str:
        kept, now = self._digests.get((doctor, origin)), self._node.clock()
        if kept is not None and timedelta(0) <= now - kept[0] < REMEMBERED_FOR:
            return kept[1]
        rows = await self._node.store.few("synchronising.theirs", doctor=doctor, origin=origin)
        value = synchronisation.digest(row["uri"] for row in rows)
        _remember(self._digests, (doctor, origin), (now, value))
        return value

    # ── in ──

    def heard(self, arrival: Arrival) -> None:
        """A message with a digest was kept; costs no look at a row."""
        said, actor = arrival.trail.said, arrival.document.activity.actor
        if said is None or arrival.forwarded_by is not None or said.collection != arrival.speaker.followers:
            return
        agreed, now = self._agreed.get(actor), self._node.clock()
        if agreed is not None and agreed[1] == said.digest and timedelta(0) <= now - agreed[0] < EVERY:
            self._doubts.pop(actor, None)
        elif actor in self._doubts:
            self._doubts[actor].said = said
        elif len(self._doubts) < _WANTED:
            self._doubts[actor] = _Doubt(said)

    async def begin_due(self) -> int:
        """Look at what was heard, and begin to mend what has differed for a minute; return how many were begun."""
        begun = 0
        for actor, doubt in list(self._doubts.items()):
            if len(self._work) >= AT_ONCE:
                break
            if doubt.since is not None and not self._is_due(actor, doubt):
                continue
            if await self._agrees(actor, doubt) or not self._is_due(actor, doubt):
                continue
            self._doubts.pop(actor, None)
            _remember(self._mended, actor, self._node.clock())
            task = asyncio.create_task(self._mend_safely(Uri(actor), doubt.said), name=f"followers of {actor}")
            self._work.add(task)
            task.add_done_callback(self._work.discard)
            begun += 1
        return begun

    async def poll_due(self) -> int:
        """The same, and wait for it."""
        begun = await self.begin_due()
        while self._work:
            await asyncio.wait(set(self._work))
        return begun

    async def stop(self) -> None:
        """Let go of what is being mended."""
        work = set(self._work)
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)

    async def _agrees(self, actor: str, doubt: _Doubt) -> bool:
        rows = await self._node.store.all("synchronising.ours", doctor=actor)
        if synchronisation.digest(row["uri"] for row in rows) != doubt.said.digest:
            return False
        self._doubts.pop(actor, None)
        _remember(self._agreed, actor, (self._node.clock(), doubt.said.digest))
        return True

    def _is_due(self, actor: str, doubt: _Doubt) -> bool:
        now, last = self._node.clock(), self._mended.get(actor)
        if doubt.since is None:
            doubt.since = now
        waited = not timedelta(0) <= now - doubt.since < PATIENCE
        return waited and (last is None or not timedelta(0) <= now - last < EVERY)

    async def _mend_safely(self, actor: Uri, said: Said) -> None:
        try:
            await self._mend(actor, said)
        except Refused as refusal:
            self._node.log.info("followers_not_read", sibling=actor.origin, code=refusal.answer_code)
        except Exception as fault:
            self._node.log.error("followers_not_read", sibling=actor.origin, exc_info=fault)

    async def _mend(self, actor: Uri, said: Said) -> None:
        """Read our own part of the list, and make both ends agree."""
        listed = await self._listed(actor, said)
        before = {row["uri"] for row in await self._node.store.all("synchronising.ours", doctor=actor)}
        # Of whom it lists beside them only those count who ever asked: our own rows say who they are, so that a list
        # of names that are nobody's costs one look, however long it is.
        asked = {row["actor"] for row in await self._node.store.all("synchronising.ever_asked", followee=actor)}
        changes = [
            *((one, False) for one in sorted(before - listed)),
            *((one, True) for one in sorted((listed & asked) - before)),
        ]
        changed = 0
        for start in range(0, len(changes), STEP):
            changed += await self._node.store.write(partial(self._agree_all, actor, changes[start : start + STEP]))
        if changed:
            self._node.log.info("followers_mended", sibling=actor.origin, count=changed)
            self._node.metrics.followers_mended.inc(changed)
            self._node.wake.deliveries.set()

    async def _listed(self, actor: Uri, said: Said) -> set[str]:
        sibling = self._node.allowlist().require(actor.origin, Direction.FETCH)
        found = parse.thing(await self._fetcher.document(said.url, sibling))
        if not isinstance(found, Collection) or found.id != said.url or found.total != len(found.items):
            raise Malformed("no whole list of followers")
        return {uri for uri in found.items if self._is_ours(uri)}

    async def _agree_all(self, followee: Uri, changes: Sequence[tuple[str, bool]], tx: Transaction) -> int:
        """A step of relations in one transaction; return how many were changed."""
        return sum([await self._agree(followee, follower, counts, tx) for follower, counts in changes])

    async def _agree(self, followee: Uri, follower: str, counts: bool, tx: Transaction) -> bool:
        """One relation as the followee's home has it; where it counts one that has ended, it is told once more."""
        pair = {"follower": follower, "followee": followee}
        if not counts:
            return bool(await tx.run("synchronising.end", **pair))
        row = await tx.one("synchronising.state", **pair)
        if row is not None and row["state"] == "pending":
            return bool(await tx.run("synchronising.accepted", **pair, now=to_ms(self._node.clock())))
        if row is not None and row["state"] == "accepted":
            return False
        return await self._undo(tx, follower, followee)

    async def _undo(self, tx: Transaction, follower: str, followee: Uri) -> bool:
        """Take back the newest question, if it is one of ours still to be taken back."""
        asked = await tx.one("synchronising.asked", follower=follower, followee=followee)
        doctor, own = await tx.one("directory.doctor", uri=followee), await tx.one("apply.own_doctor", uri=follower)
        if asked is None or doctor is None or own is None:
            return False
        undo = Undo(
            id=sending.activity_id(self._node), actor=Uri.parse(follower), published=self._node.clock(),
            object=Uri.parse(asked["uri"]),
        )  # fmt: skip
        await self._send(tx, undo, followee, doctor)
        return True

    async def _send(self, tx: Transaction, undo: Undo, about: Uri, doctor: Row) -> None:
        targets = sending.personal_if_open(self._node, doctor)
        await sending.send(self._node, tx, Message(undo, about, "", Priority.WITHDRAWAL), targets)

    def _is_ours(self, uri: str) -> bool:
        return uri.startswith(f"{self._node.origin}/doctors/")


def _remember(kept: OrderedDict[_Key, _Value], name: _Key, value: _Value) -> None:
    kept[name] = value
    kept.move_to_end(name)
    if len(kept) > _REMEMBERED:
        kept.popitem(last=False)
