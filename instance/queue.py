"""The table of deliveries as a queue: lanes claimed, rows settled together, and what the administrator sees of it.

A lane belongs to one process, which is what keeps each author's messages in order; a process that dies loses its lanes
when their lease ends. With SQLite there is one process, and nothing to lease.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from federation.delivery import GIVE_UP_AFTER, Priority, code_of
from federation.ports import Answer, Delivery, Lane
from federation.sibling_sets import OUTSIDE
from federation.uri import Uri
from instance.ids import new_ulid
from instance.services import message_heads
from instance.services.errors import Rejected
from instance.services.fetching import SingleFlight
from instance.storage.store import Row, Transaction, Work
from instance.times import from_ms, to_ms

if TYPE_CHECKING:
    from instance.wiring import Node

#: Longer than the longest delivery (15 s), renewed three times within it.
LEASE: Final = timedelta(seconds=30)
_BODIES: Final = 8 * 1_048_576
_LISTED: Final = 200
#: Settled rows are kept this long for "how far has my post come", and as what siblings may have missed.
_KEPT: Final = timedelta(days=90)
#: So many are forgotten in one step.
_STEP: Final = 1_000
_OUTCOMES: Final = ("done", "dead", "later", "held", "dropped")
#: The order in which kinds of settlement are written.
_SETTLEMENTS: Final = (
    "deliveries.done", "deliveries.dead", "deliveries.rest", "deliveries.tried", "deliveries.hold", "deliveries.drop",
    "sibling_sets.never_sent", "copies.delivered", "copies.released", "deliveries.note_refusal", "lanes.save",
    "deliveries.give_up", "lanes.reached", "lanes.taken", "lanes.fault",
)  # fmt: skip


@dataclass(slots=True)
class _Pending:
    """What is settled and not yet written."""

    rows: dict[str, list[Mapping[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    #: Of these the last word counts, by statement and origin.
    last: dict[str, dict[str, Mapping[str, Any]]] = field(default_factory=lambda: defaultdict(dict))

    def __bool__(self) -> bool:
        return bool(self.rows or self.last)

    def before(self, later: _Pending) -> _Pending:
        """Return this with what was settled later behind it."""
        for query, rows in later.rows.items():
            self.rows[query].extend(rows)
        for query, by_origin in later.last.items():
            self.last[query].update(by_origin)
        return self

    async def write(self, tx: Transaction) -> None:
        """Write everything; the transaction may be run again."""
        for query in _SETTLEMENTS:
            rows = [*self.rows.get(query, ()), *self.last.get(query, {}).values()]
            if rows:
                await tx.many(query, rows)


class Queue:
    """Implements `federation.ports.DeliveryQueue`, and the administrator's part beside it."""

    def __init__(self, node: Node, *, shared: bool | None = None) -> None:
        self._store, self._clock = node.store, node.clock
        self._log = node.log
        self._counters = {name: node.metrics.delivered.labels(name) for name in _OUTCOMES}
        #: Whether other processes may empty lanes of the same database.
        self._shared = node.store.engine != "sqlite" if shared is None else shared
        self._me = new_ulid(node.clock())
        self._bodies: OrderedDict[Uri, bytes] = OrderedDict()
        self._bodies_size = 0
        self._reading = SingleFlight()
        self._pending = _Pending()
        #: How many settlements were made, and how many of them are on disk.
        self._made = self._saved = 0
        self._writing: asyncio.Task[None] | None = None
        self._batch: asyncio.Future[None] | None = None

    # ── lanes ──

    async def claim(self, now: datetime, limit: int) -> Sequence[Lane]:
        """Take lanes that have something due and belong to nobody who is alive."""
        rows = await self._store.all("lanes.due", now=to_ms(now), me=self._me, limit=limit)
        if not rows or not self._shared:
            return [_lane(row) for row in rows]

        async def take(tx: Transaction) -> list[Lane]:
            times = {"until": to_ms(now + LEASE), "now": to_ms(now)}
            taken = [await tx.one("lanes.take", origin=row["origin"], me=self._me, **times) for row in rows]
            return [_lane(row) for row in taken if row is not None]

        return await self._store.write(take)

    async def due(self, now: datetime) -> bool:
        """Whether any lane has something to send now."""
        return bool(await self._store.all("lanes.due", now=to_ms(now), me=self._me, limit=1))

    async def keep(self, now: datetime) -> None:
        """Renew the leases of this process."""
        if self._shared:
            await self._write("lanes.keep", me=self._me, until=to_ms(now + LEASE))

    async def release(self, origin: str) -> None:
        """Give a lane back."""
        if self._shared:
            await self._write("lanes.release", origin=origin, me=self._me)

    async def next(self, origin: str, now: datetime, limit: int) -> Sequence[Delivery]:
        """Return what is to be sent, most urgent and then oldest first."""
        if await self._store.one("deliveries.resting_due", origin=origin, now=to_ms(now)) is not None:
            await self._write("deliveries.rested", origin=origin, now=to_ms(now))
        return [_delivery(row) for row in await self._store.all("deliveries.next", origin=origin, limit=limit)]

    async def body(self, activity: Uri) -> bytes:
        """Return the activity as it is sent, or raise LookupError; what goes to many siblings is read once."""
        found = self._bodies.get(activity)
        if found is not None:
            return found
        return await self._reading.do(activity, lambda: self._read_body(activity))

    async def _read_body(self, activity: Uri) -> bytes:
        row = await self._store.one("activities.body", uri=activity)
        if row is None:
            raise LookupError(activity)
        body = bytes(row["body"])
        self._bodies[activity] = body
        self._bodies_size += len(body)
        while self._bodies_size > _BODIES:
            _, oldest = self._bodies.popitem(last=False)
            self._bodies_size -= len(oldest)
        return body

    # ── settling ──

    def done(self, delivery: Delivery, answer: Answer, now: datetime) -> None:
        """The sibling has it."""
        self._add("deliveries.done", id=delivery.id, status=answer.status, now=to_ms(now), **_tried(answer))
        if delivery.object:
            about = {"object": delivery.object, "origin": delivery.origin, "activity": delivery.activity}
            taken_back = delivery.priority <= Priority.WITHDRAWAL
            self._add("copies.released" if taken_back else "copies.delivered", **about, now=to_ms(now))
        self._last("lanes.reached", delivery.origin, now=to_ms(now))
        self._last("lanes.taken", delivery.origin, now=to_ms(now))
        self._count("done")

    def dead(self, delivery: Delivery, code: str, answer: Answer, now: datetime) -> None:
        """It will not be sent again unless an administrator says so."""
        tried = _tried(answer)
        self._add("deliveries.dead", id=delivery.id, status=answer.status, code=code, now=to_ms(now), **tried)
        if answer.status:
            self._add(
                "deliveries.note_refusal", id=new_ulid(now), now=to_ms(now), code=code, origin=delivery.origin,
                activity=delivery.activity, rule=f"http_{answer.status}", message=delivery.id, **tried,
            )  # fmt: skip
            self._last("lanes.reached", delivery.origin, now=to_ms(now))
        self._log.warning(
            "delivery_dead", sibling=delivery.origin, activity=delivery.activity, code=code, status=answer.status
        )
        self._count("dead")

    def rest(self, delivery: Delivery, until: datetime, answer: Answer, now: datetime) -> None:
        """It waits for an hour of its own."""
        self._add(
            "deliveries.rest", id=delivery.id, until=to_ms(until), status=answer.status, code=answer.code,
            now=to_ms(now), **_tried(answer),
        )  # fmt: skip
        self._count("later")

    def tried(self, delivery: Delivery, answer: Answer, now: datetime) -> None:
        """The row waits with its lane."""
        self._add(
            "deliveries.tried", id=delivery.id, status=answer.status, code=answer.code, now=to_ms(now), **_tried(answer)
        )
        self._last("lanes.fault", delivery.origin, code=code_of(answer), now=to_ms(now))
        self._count("later")

    def hold(self, delivery: Delivery, code: str, now: datetime) -> None:
        """It waits until the sibling is resumed, or its signer has standing again."""
        self._add("deliveries.hold", id=delivery.id, code=code)
        self._count("held")

    def drop(self, delivery: Delivery, code: str, now: datetime) -> None:
        """It must not be sent any more."""
        self._add("deliveries.drop", id=delivery.id, code=code, now=to_ms(now))
        if code == OUTSIDE and delivery.object:
            self._add("sibling_sets.never_sent", object=delivery.object, origin=delivery.origin)
        self._count("dropped")

    def lane(self, lane: Lane, now: datetime) -> None:
        """Keep how a lane stands; what has waited in it for thirty days is given up, but for erasures."""
        self._last(
            "lanes.save", lane.origin, failures=lane.failures, width=lane.width, alarm=lane.alarm,
            next_at=to_ms(lane.next_at) if lane.next_at else 0,
            failing_since=to_ms(lane.failing_since) if lane.failing_since else None,
        )  # fmt: skip
        if lane.failures:
            if lane.alarm:
                self._last("lanes.fault", lane.origin, code=lane.alarm, now=to_ms(now))
            self._last("deliveries.give_up", lane.origin, before=to_ms(now - GIVE_UP_AFTER), now=to_ms(now))
            self._log.warning("lane_waits", sibling=lane.origin, failures=lane.failures, alarm=lane.alarm)

    async def flush(self) -> None:
        """Return when everything settled so far is on disk."""
        wanted = self._made
        while self._saved < wanted:
            await asyncio.shield(self._begin_writing())

    # ── the administrator's part ──

    async def overview(self, origin: str | None = None, state: str | None = None) -> dict[str, Any]:
        """Count by sibling and state; list what waits or is dead (or is in the state named), and how lanes stand."""
        chosen = {"origin": origin or "", "state": state or ""}
        counts = await self._store.all("deliveries.counts", **chosen)
        rows = await self._store.all("deliveries.list", **chosen, limit=_LISTED)
        lanes = await self._store.all("lanes.all")
        return {
            "counts": [dict(row) for row in counts],
            "rows": [_shown(row) for row in rows],
            "lanes": [_shown(row) for row in lanes if origin is None or row["origin"] == origin],
        }

    async def show(self, id: str) -> dict[str, Any]:
        """Show one delivery without its body; raise Rejected(unknown_delivery)."""
        row = await self._store.one("deliveries.show", id=id)
        if row is None:
            raise Rejected("unknown_delivery", "id", status=404)
        return _shown(row)

    async def retry(self, id: str | None = None, origin: str | None = None, *, also: Work[None] | None = None) -> int:
        """Send a dead letter again, or all of a sibling's, some at a time; return how many.

        `also` happens in the transaction that begins it, last and once, and may refuse the whole. Raises Rejected:
        nothing_named, unknown_delivery.
        """
        if id:
            origin = (await self.show(id))["origin"]
        if not origin:
            raise Rejected("nothing_named")
        now, done, after = to_ms(self._clock()), 0, ""

        async def some(tx: Transaction) -> tuple[int, str]:
            chosen = {"origin": origin, "id": id or "", "after": after}
            rows = await tx.all("deliveries.dead_letters", **chosen, most=_STEP)
            again = await tx.run("deliveries.retry", **chosen, upto=rows[-1]["id"], now=now) if rows else 0
            if not after:
                await tx.run("lanes.try_now", origin=origin)
                if also is not None:
                    await also(tx)
            return again, rows[-1]["id"] if len(rows) == _STEP else ""

        while True:
            number, after = await self._store.write(some)
            done += number
            if not after:
                return done

    async def try_now(self, origin: str, *, also: Work[None]) -> None:
        """Have what waits for a sibling tried at once; `also` happens in the same transaction, and may refuse it."""
        now = to_ms(self._clock())

        async def work(tx: Transaction) -> None:
            await tx.run("lanes.try_now", origin=origin)
            await tx.run("deliveries.hasten", origin=origin, now=now, most=_STEP)
            await also(tx)

        await self._store.write(work)

    async def tidy(self) -> None:
        """Forget what was settled long ago; dead letters stay until somebody decides."""
        before = to_ms(self._clock() - _KEPT)

        async def step(tx: Transaction) -> int:
            return await tx.run("deliveries.tidy", before=before, most=_STEP)

        while await self._store.write(step) == _STEP:
            continue

    # ── writing ──

    def _add(self, query: str, **values: Any) -> None:
        self._pending.rows[query].append(values)
        self._made += 1
        self._begin_writing()

    def _last(self, query: str, origin: str, **values: Any) -> None:
        self._pending.last[query][origin] = {"origin": origin, **values}
        self._made += 1
        self._begin_writing()

    def _begin_writing(self) -> asyncio.Future[None]:
        """Return the end of the batch that is being written, or is written next."""
        if self._batch is None:
            self._batch = asyncio.get_running_loop().create_future()
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_out(), name="deliveries settle")
            self._writing.add_done_callback(self._written)
        return self._batch

    async def _write_out(self) -> None:
        """Write what has gathered, and what gathers meanwhile; what could not be written is kept for the next try."""
        while self._pending:
            pending, through, batch = self._pending, self._made, self._begin_writing()
            self._pending = _Pending()
            try:
                await self._store.write(pending.write)
            except BaseException as fault:
                self._pending = pending.before(self._pending)
                self._batch = None
                batch.set_exception(fault if isinstance(fault, Exception) else asyncio.InvalidStateError())
                batch.exception()  # seen here, whether or not anybody waits for it
                raise
            self._saved, self._batch = through, None
            batch.set_result(None)

    def _written(self, task: asyncio.Task[None]) -> None:
        self._writing = None
        if not task.cancelled() and task.exception() is not None:
            self._log.error("deliveries_not_written", error=type(task.exception()).__name__)

    async def _write(self, query: str, **values: Any) -> None:
        async def work(tx: Transaction) -> None:
            await tx.run(query, **values)

        await self._store.write(work)

    def _count(self, outcome: str) -> None:
        self._counters[outcome].inc()


def _tried(answer: Answer) -> dict[str, str]:
    """What is kept of a try, so that the administrator can see why it was answered so."""
    exchange = answer.exchange
    if exchange is None:
        return {"key_id": "", "profile": "", "head": ""}
    head = message_heads.of_exchange(exchange, answer.status)
    return {"key_id": exchange.key_id, "profile": exchange.profile, "head": head}


def _lane(row: Row) -> Lane:
    since = row["failing_since"]
    return Lane(
        row["origin"], row["failures"], row["width"], from_ms(since) if since is not None else None,
        from_ms(row["next_at"]), row["alarm"],
    )  # fmt: skip


def _delivery(row: Row) -> Delivery:
    return Delivery(
        id=row["id"], origin=row["origin"], inbox=Uri.parse(row["inbox"]), shared=bool(row["shared"]),
        activity=Uri.parse(row["activity"]), signer=Uri.parse(row["actor"]), priority=row["priority"],
        attempts=row["attempts"], created_at=from_ms(row["created_at"]), object=row["object"],
        number=row["number"], homes=tuple(row["homes"].split()),
    )  # fmt: skip


def _shown(row: Row) -> dict[str, Any]:
    """A row for people: times as times, and `due` where something is still to be sent."""
    shown = {
        name: from_ms(value) if name.endswith(("_at", "_since")) and value else value for name, value in row.items()
    }
    if "due_at" in shown:
        shown["due"] = shown["due_at"].isoformat() if row["state"] in ("waiting", "resting") else ""
    return shown
