"""Accepted activities: kept with their effect in one transaction, or kept to be worked off. Implements `Inbound`.

Most activities need nothing but rows, so the row and its effect are one unit of work: what is answered with 202 can be
read at once, and a crash finds both or neither. What waits (a doctor's standing in question, something to be read at a
sibling first, a handler that raised) is worked off by `apply_next`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from federation import parse
from federation.allowlist import Direction, Sibling
from federation.catch_up import LogNumber
from federation.errors import Refused, StandingDeferred, StillTakingBack, TooManyRequests
from federation.ports import Arrival
from federation.signatures import Verified
from federation.trail import Step, Trail
from federation.uri import Uri
from federation.vocabulary import AnyActivity, Create, Delete, Move, Update
from instance.ids import first_ulid, new_ulid
from instance.services import message_heads
from instance.services.audit import KEPT, took
from instance.services.effects import Effects, Incoming
from instance.services.fetching import NotReached
from instance.storage.errors import StorageUnavailable
from instance.storage.store import Row, Transaction
from instance.times import from_ms, to_ms

if TYPE_CHECKING:
    from instance.wiring import Node

TRIES: Final = 5
#: In the place of a signature's profile, for what was read in its sender's log.
READ_IN_LOG: Final = "log"
#: After failures 1 to 4 of a handler.
WAITS: Final = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=5), timedelta(minutes=30))
HELD_FOR: Final = timedelta(days=7)
#: Seconds for which one message may ask other homes, whatever they answer; then it waits like one that got no answer.
PATIENCE: Final = 30.0
#: How far headers are forgotten, and of how many messages at once: more than an hour brings.
_FORGOTTEN: Final = "messages without heads"
_MOST_FORGOTTEN: Final = 50_000
_CONTACT_EVERY: Final = timedelta(seconds=10)
#: By so much the clocks of two processes may differ.
_A_MINUTE: Final = timedelta(minutes=1)
_REMEMBERED: Final = 1_024


class InboundQueue:
    """The table `inbound`."""

    def __init__(self, node: Node) -> None:
        self._node = node
        #: What was read at the door, so that the worker need not read it again.
        self._read: OrderedDict[str, AnyActivity] = OrderedDict()
        self._contacts: dict[str, datetime] = {}
        #: The siblings whose messages are at work, and what went wrong in those that have ended.
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._faults: list[Exception] = []
        self._counters: dict[tuple[str, str], Any] = {}

    async def keep(self, arrival: Arrival) -> bool:
        """Return after the activity is on disk; False where (actor, id) was here before. Raises Refused."""
        node, activity = self._node, arrival.document.activity
        row = self._row(arrival)
        if arrival.speaker.held is not None or node.apply.needs_reading(activity):
            return await self._keep_waiting(row, arrival)
        forwarded_by = arrival.forwarded_by.origin if arrival.forwarded_by is not None else None
        try:
            into = await node.apply.prepare(
                activity, arrival.proof.body, arrival.sibling, forwarded_by=forwarded_by, place=arrival.trail.place
            )
            speaks = self._is_contact_due(row["origin"], into.now)
            new, effects = await node.store.write(
                lambda tx: self._keep_applied(tx, row, into, arrival, speaks=speaks), brief=True
            )
        except (Refused, StorageUnavailable):
            raise
        except Exception as fault:  # a handler that raises must not lose the message (F32)
            node.log.error("effect_failed", activity=activity.id, exc_info=fault)
            return await self._keep_waiting(row, arrival)
        if new and speaks:
            self._contacts[row["origin"]] = into.now
        if effects is not None:
            await node.apply.settle(effects)
        self._heard(arrival)
        self._count(row["type"], "applied" if new else "repeated")
        return new

    async def note(self, origin: str, place: LogNumber) -> None:
        """Return after it is on disk that this number has come, and left nothing to keep."""
        await self._node.store.write(lambda tx: self._note(tx, origin, place), brief=True)
        self._node.catching_up.heard(origin, place)

    async def _keep_applied(
        self, tx: Transaction, row: dict[str, Any], into: Incoming, arrival: Arrival, *, speaks: bool
    ) -> tuple[bool, Effects | None]:
        """The row that remembers the id, without a body, and the effect; `speaks`: the contact is noted too."""
        await self._turn(tx, into)
        values = {**row, "state": "applied", "body": b"", "applied_at": row["now"]}
        new = bool(await tx.run("inbound.add", **values))
        if not await self._note_arrival(tx, arrival, new=new):
            into = replace(into, place=None)
        if not new:
            return False, None
        if speaks:
            await tx.run("inbound.contact", origin=row["origin"], now=into.now_ms)
        return True, await self._node.apply(tx, into)

    async def _keep_waiting(self, row: dict[str, Any], arrival: Arrival) -> bool:
        held = arrival.speaker.held

        async def work(tx: Transaction) -> int:
            state = "waiting" if held is None else "held"
            place = await self._first_place(tx, arrival)
            added = await tx.run("inbound.add", **{**row, **place, "state": state, "held_for": held or ""})
            await self._note_arrival(tx, arrival, new=bool(added))
            return added

        new = bool(await self._node.store.write(work, brief=True))
        self._heard(arrival)
        if new and held is None:
            self._remember(row["id"], arrival)
            self._node.wake.inbound.set()
        self._count(row["type"], "repeated" if not new else "held" if held else "waiting")
        return new

    def _count(self, type_name: str, outcome: str) -> None:
        counter = self._counters.get((type_name, outcome))
        if counter is None:
            counter = self._counters[type_name, outcome] = self._node.metrics.received.labels(type_name, outcome)
        counter.inc()

    def _row(self, arrival: Arrival) -> dict[str, Any]:
        now = self._node.clock()
        activity, proof, trail = arrival.document.activity, arrival.proof, arrival.trail
        return {
            "kind": trail.kind, "head": message_heads.of_trail(trail, took(trail, now)),
            "id": new_ulid(now), "actor": activity.actor, "activity": activity.id, "type": type(activity).__name__,
            "origin": proof.key_id.origin, "key_id": proof.key_id,
            "profile": proof.profile.value if isinstance(proof, Verified) else READ_IN_LOG,
            "body": proof.body, "now": to_ms(now), "state": "waiting", "held_for": "", "applied_at": None,
            "log_epoch": "", "log_number": 0,
        }  # fmt: skip

    async def _first_place(self, tx: Transaction, arrival: Arrival) -> dict[str, Any]:
        """The place of a message that has to wait, for its effect; nothing where the number came before."""
        place = arrival.trail.place
        if place is None:
            return {}
        asked = {"origin": arrival.proof.key_id.origin, "epoch": place.epoch, "number": place.number}
        if await tx.one("logs.has", **asked) is not None or await tx.one("circles.passed", **asked) is not None:
            return {}
        return {"log_epoch": place.epoch, "log_number": place.number}

    async def _note_arrival(self, tx: Transaction, arrival: Arrival, *, new: bool) -> bool:
        """Note its place in its sender's log; return whether nothing had come under that number.

        Its number, and what it said for as long as its sender may want it back: before the effect, which may be that
        there are no words any more. What was here before leaves its number alone: its words may be withdrawn by now."""
        if arrival.trail.place is None:
            return False
        head = arrival.trail.signed if new else ""
        return await self._note(
            tx, arrival.proof.key_id.origin, arrival.trail.place, object=about(arrival.document.activity),
            head=head, body=arrival.proof.body if head else b"",
        )  # fmt: skip

    async def _note(
        self, tx: Transaction, origin: str, place: LogNumber, *, object: str = "", head: str = "", body: bytes = b""
    ) -> bool:
        noted = await tx.run(
            "logs.note", origin=origin, epoch=place.epoch, number=place.number, object=object, head=head, body=body,
            now=to_ms(self._node.clock()),
        )  # fmt: skip
        return bool(noted)

    def _heard(self, arrival: Arrival) -> None:
        self._node.synchronising.heard(arrival)
        if arrival.trail.place is not None:
            self._node.catching_up.heard(arrival.proof.key_id.origin, arrival.trail.place)

    def _is_contact_due(self, origin: str, now: datetime) -> bool:
        """Whether it is to be written down that the sibling spoke: now and then, and not for every message."""
        last = self._contacts.get(origin)
        return last is None or not timedelta(0) <= now - last < _CONTACT_EVERY

    def _remember(self, row_id: str, arrival: Arrival) -> None:
        self._read[row_id] = arrival.document.activity
        if len(self._read) > _REMEMBERED:
            self._read.popitem(last=False)

    # ── the worker's part ──

    async def apply_next(self, limit: int = 64) -> int:
        """Begin to work off what is due and wait for all of it; return how many rows were looked at.

        One that fails hurts no other, and a sibling that does not answer delays only its own. Raises StorageError at
        the end, where a row could not even be put off: it and what its sibling sent after it are due still.
        """
        begun = await self.begin_due(limit)
        try:
            await self.rest()
        except asyncio.CancelledError:
            await self.stop()
            raise
        self._raise_fault()
        return begun

    async def begin_due(self, limit: int = 64) -> int:
        """Begin to work off what is due, each sibling's messages in their order and beside everybody else's.

        Return how many rows were begun with. Whose messages are at work already is left alone until they rest, which
        wakes the worker. Raises the fault of one that has ended.
        """
        self._raise_fault()
        apart = "".join(f"|{origin}|" for origin in self._lanes)
        now = self._node.clock()
        far = to_ms(now + WAITS[-1] + _A_MINUTE)
        rows = await self._node.store.all("inbound.due", now=to_ms(now), far=far, count=limit, apart=apart)
        by_origin: dict[str, list[Row]] = {}
        for row in rows:
            by_origin.setdefault(row["origin"], []).append(row)
        for origin, theirs in by_origin.items():
            self._lanes[origin] = asyncio.create_task(self._lane(origin, theirs))
        return len(rows)

    async def rest(self) -> None:
        """Wait until nobody's messages are at work."""
        while self._lanes:
            await asyncio.wait(self._lanes.values())

    async def stop(self) -> None:
        """Leave what is at work to be worked off again."""
        lanes, self._lanes = self._lanes, {}
        for lane in lanes.values():
            lane.cancel()
        await asyncio.gather(*lanes.values(), return_exceptions=True)

    async def _lane(self, origin: str, rows: Sequence[Row]) -> None:
        try:
            await self._apply_in_order(rows)
        except Exception as fault:
            self._faults.append(fault)
        finally:
            self._lanes.pop(origin, None)
            self._node.wake.inbound.set()

    def _raise_fault(self) -> None:
        faults, self._faults = self._faults, []
        if faults:
            raise faults[0]

    async def next_due(self) -> datetime | None:
        """When the earliest waiting row is due."""

        row = await self._node.store.one("inbound.next_due")
        return None if row is None or row["due_at"] is None else from_ms(row["due_at"])

    async def sweep(self) -> None:
        """Give up what was held for a week, empty what failed as long ago, forget headers after ninety days."""
        now = self._node.clock()
        since, before = to_ms(now - HELD_FOR), first_ulid(now - KEPT)

        async def work(tx: Transaction) -> None:
            await self._forget_heads(tx, before)
            await tx.run("inbound.expire_held", since=since, now=to_ms(self._node.clock()), empty=b"")
            await tx.run("inbound.empty_failed", since=since, empty=b"")

        await self._node.store.write(work)

    async def _forget_heads(self, tx: Transaction, before: str) -> None:
        """Go on where the last sweep ended: rows are kept for good, and only their heads go."""
        done = await tx.one("settings.get", name=_FORGOTTEN)
        after = "" if done is None else done["value"]
        row = await tx.one("inbound.last_of_heads", after=after, before=before, most=_MOST_FORGOTTEN)
        if row is not None and row["last"] is not None:
            await tx.run("inbound.forget_heads", after=after, last=row["last"])
            await tx.run("settings.set", name=_FORGOTTEN, value=row["last"])

    async def _apply_in_order(self, rows: Sequence[Row]) -> None:
        """Work off one sibling's rows; stop at one of which nothing could be written, and raise why."""
        away = False
        for row in rows:
            away = await self._apply(row, away) or away

    async def _apply(self, row: Row, away: bool) -> bool:
        """Work one row off; return whether its sibling did not answer. One that is `away` is not asked again."""
        node = self._node
        try:
            activity = self._activity(row)
            if away and _names_an_address(activity):
                raise NotReached("did not answer a moment ago")
            sibling = self._sibling(activity, row)
            if await self._is_held(activity, sibling, row):
                return False
            forwarded_by = row["origin"] if sibling.origin != row["origin"] else None
            into = await self._prepared(activity, row, sibling, forwarded_by)
            effects = await node.store.write(lambda tx: self._finish(tx, row, into))
        except (NotReached, StandingDeferred, StillTakingBack, TooManyRequests) as passing:
            await self._wait(row)
            return isinstance(passing, NotReached)
        except StorageUnavailable as fault:
            node.log.error("storage", code=fault.code, activity=row["activity"])
            await self._wait(row, WAITS[1])
        except Refused as refusal:
            await self._refuse(row, refusal)
        except Exception as fault:
            node.log.error("effect_failed", activity=row["activity"], attempts=row["attempts"] + 1, exc_info=fault)
            await self._later(row)
        else:
            self._read.pop(row["id"], None)
            if effects is not None:
                await node.apply.settle(effects)
                node.metrics.applied.labels("applied").inc()
        return False

    async def _prepared(
        self, activity: AnyActivity, row: Row, sibling: Sibling, forwarded_by: str | None
    ) -> Incoming:  # fmt: skip
        """What the effect needs; raise NotReached where the homes that are asked for it take too long together."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._node.apply.prepare(
                    activity, bytes(row["body"]), sibling, forwarded_by=forwarded_by, place=_place(row)
                )  # fmt: skip
        except TimeoutError:
            raise NotReached("deadline") from None

    async def _finish(self, tx: Transaction, row: Row, into: Incoming) -> Effects | None:
        """The effect and its mark in one transaction; None where another process was first."""
        await self._turn(tx, into)
        if not await tx.run("inbound.applied", id=row["id"], now=into.now_ms, empty=b""):
            return None
        return await self._node.apply(tx, into)

    async def _turn(self, tx: Transaction, into: Incoming) -> None:
        """One actor's messages take effect one after the other, or a Create and its Delete could miss each other."""
        await tx.take_turn(into.activity.actor)

    def _activity(self, row: Row) -> AnyActivity:
        read = self._read.get(row["id"])
        return read if read is not None else parse.activity_document(parse.strict_json(bytes(row["body"])))

    def _sibling(self, activity: AnyActivity, row: Row) -> Sibling:
        """The actor's home, if both it and who posted the message may still speak."""
        allowlist = self._node.allowlist()
        allowlist.require(row["origin"], Direction.IN)
        return allowlist.require(activity.actor.origin, Direction.IN)

    async def _is_held(self, activity: AnyActivity, sibling: Sibling, row: Row) -> bool:
        """Ask for the standing again, but of who takes back or moves: it may have changed while the message waited."""
        from federation.inbox import mends_standing

        if mends_standing(activity) or isinstance(activity, Delete | Move):
            return False
        held = (await self._node.directory(activity.actor, sibling)).held
        if held is None:
            return False
        await self._run("inbound.held", id=row["id"], code=held)
        return True

    async def _refuse(self, row: Row, refusal: Refused) -> None:
        """The row stays, without its body, under the code: that id is used up."""
        self._read.pop(row["id"], None)
        now = to_ms(self._node.clock())
        await self._run("inbound.refused", id=row["id"], code=refusal.answer_code, now=now, empty=b"")
        if row["body"]:
            await self._run("logs.forget_words", object=about(self._activity(row)), nothing=b"")
        trail = Trail(
            step=Step.KEPT, origin=row["origin"], key_id=row["key_id"], profile=row["profile"],
            activity=row["activity"], type=row["type"], kind=row["kind"], message=row["id"],
        )  # fmt: skip
        self._node.audit.refused(Direction.IN, refusal, trail)
        self._node.metrics.applied.labels("refused").inc()

    async def _later(self, row: Row) -> None:
        wait = WAITS[min(row["attempts"], len(WAITS) - 1)]
        await self._run("inbound.later", id=row["id"], due_at=to_ms(self._node.clock() + wait), most=TRIES)
        self._node.metrics.applied.labels("failed").inc()

    async def _wait(self, row: Row, longest: timedelta = WAITS[-1]) -> None:
        """Try again after half of the time it has waited already, from five seconds to `longest`; no try is counted."""
        now = self._node.clock()
        wait = min(max((now - from_ms(row["received_at"])) / 2, WAITS[0]), longest)
        await self._run("inbound.wait", id=row["id"], due_at=to_ms(now + wait))
        self._node.metrics.applied.labels("later").inc()

    async def _run(self, query: str, **values: Any) -> int:
        async def work(tx: Transaction) -> int:
            return await tx.run(query, **values)

        return await self._node.store.write(work)


def about(activity: AnyActivity) -> str:
    """The address of the post, comment or doctor whose words an activity holds; nothing for one without words."""
    thing = activity.object if isinstance(activity, Create | Update) else None
    return "" if thing is None else str(thing if isinstance(thing, Uri) else thing.id)


def _place(row: Row) -> LogNumber | None:
    """Where a message that waited stands in its sender's log."""
    return LogNumber(row["log_epoch"], int(row["log_number"])) if row["log_number"] else None


def _names_an_address(activity: AnyActivity) -> bool:
    """Whether the effect must be read at its home first."""
    return isinstance(activity, Move) or (isinstance(activity, Update) and isinstance(activity.object, Uri))
