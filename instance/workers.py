"""What runs beside the server: kept messages worked off, lanes emptied, and the chores of the hour."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Final

from federation import parse
from federation.courier import Courier
from federation.errors import Refused
from federation.lanes import Lanes
from federation.ports import Delivery
from federation.uri import Uri
from instance.services import circles, departed, health_days, polls, sibling_days, standings
from instance.services.dossiers import segments
from instance.services.fetching import Fetcher
from instance.storage.errors import StorageError
from instance.storage.sqlite_care import MOST_WAL, wal_size
from instance.storage.store import Transaction
from instance.times import to_ms
from instance.views import health
from verification.standing import Action, may

if TYPE_CHECKING:
    from instance.wiring import Node

#: Looked for this often without being woken: what other processes wrote, and what the clock made due.
POLL: Final = 1.0
#: Messages that follow each other closely are looked for together.
GATHER: Final = 0.02
#: After a fault (the database is away) nothing is tried for a moment.
PAUSE: Final = 1.0
#: Seconds that deliveries in flight are given at a stop; the whole stop takes less than ten.
GRACE: Final = 7.0
#: A third of the lease of a lane.
TICK: Final = 10.0
#: How often it is looked which feeds are due, in seconds.
NEWS: Final = 60.0
#: How often it is looked which credentials are due.
RENEWALS: Final = 3_600.0
#: How often it is looked whether this process still keeps its times, and over how many looks it is remembered.
BEAT, BEATS = 0.25, 40
#: Seconds by which it may be late on average; beyond that everybody waits, and its health says so.
LATE: Final = 0.1

Chore = Callable[[], Awaitable[object]]


class Workers:
    """The loops of one instance. Without `start`, `run_until_quiet` does the same work at once (tests)."""

    def __init__(self, node: Node) -> None:
        self._node = node
        courier = Courier(
            node.allowlist, node.keys, node.wire, node.queue, node.own_standing, Inboxes(node), node.clock,
            instance_actor=node.actor, rng=Random(),  # noqa: S311  # spreads retries, guards nothing
            besides=Besides(node), passes=node.sets,
        )  # fmt: skip
        self._lanes = Lanes(courier, node.queue, node.clock, fault=self._fault, wake=node.wake.deliveries.set)
        self._late: deque[float] = deque(maxlen=BEATS)
        self._loops: list[asyncio.Task[None]] = []
        self._stopped = False

    @property
    def alive(self) -> bool:
        """Whether every loop runs."""
        return bool(self._loops) and not any(loop.done() for loop in self._loops)

    @property
    def late(self) -> float:
        """By how many seconds this process misses its times, on average of the last ten: too little processor."""
        return sum(self._late) / len(self._late) if self._late else 0.0

    @property
    def in_flight(self) -> Mapping[str, int]:
        """How many deliveries this process has under way, by sibling."""
        return self._lanes.in_flight

    async def start(self) -> None:
        """Begin to work; whatever was in flight when the last process ended is sent again."""
        loops: tuple[tuple[str, Chore], ...] = (
            ("inbound", self._inbound), ("deliveries", self._deliveries), ("leases", self._leases),
            ("chores", self._chores), ("credentials", self._credentials), ("status lists", self._status_lists),
            ("mails", self._mails), ("catching up", self._catching_up), ("beat", self._beat),
            ("federation list", self._federation_list), ("pairings", self._pairings),
            ("sibling sets", self._sibling_sets), ("search", self._search), ("news", self._news),
            ("telling", self._telling),
        )  # fmt: skip
        self._loops = [asyncio.create_task(self._forever(name, loop), name=name) for name, loop in loops]

    async def stop(self) -> None:
        """End within ten seconds: nothing new begins, what is in flight is settled or left to be sent again."""
        await self._node.live.stop()  # pages that stay open hold up no stop
        loops, self._loops = self._loops, []
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await self._node.directory.lists.stop()
        await self._node.catching_up.stop()
        await self._node.threads.stop()
        await self._node.synchronising.stop()
        await self._node.directories.stop()
        await self._node.inbound.stop()
        if self._stopped:
            return
        self._stopped = True
        await self._lanes.stop(GRACE)
        try:
            await self._node.queue.flush()
        except StorageError as fault:
            self._fault("stop", fault)

    async def busy(self) -> bool:
        """Whether anything is due or in flight now."""
        node = self._node
        if self._lanes.at_work or await node.queue.due(node.clock()):
            return True
        due = await node.inbound.next_due()
        return due is not None and due <= node.clock()

    async def run_until_quiet(self) -> None:
        """Work off what is kept and empty every lane, until nothing is due at this moment."""
        while True:
            applied = await self._node.inbound.apply_next()
            await self._node.sets.poll_due()
            begun = await self._lanes.start_due()
            await self._lanes.quiet()
            await self._node.directory.lists.poll_due()
            await self._node.search.fill_all()
            if self._node.federation_list.asked.is_set():
                await self._do("federation list", self._node.federation_list.tick)
            told = await self._node.pairings.send_due()
            if not applied and not begun and not told:
                return

    async def housekeep(self) -> None:
        """Do every chore now."""
        for name, _, chore in self._all_chores():
            await self._do(name, chore)
        await self._do("credentials", self._node.people.renew_due)
        await self._do("federation list", self._node.federation_list.tick)
        await self._node.directory.lists.poll_due()

    # ── loops ──

    async def _inbound(self) -> None:
        wake = self._node.wake.inbound
        while True:
            wake.clear()
            if not await self._node.inbound.begin_due():
                await _woken(wake)

    async def _deliveries(self) -> None:
        wake = self._node.wake.deliveries
        while True:
            wake.clear()
            await self._lanes.start_due()
            await self._node.queue.flush()
            await _woken(wake)
            await asyncio.sleep(GATHER)

    async def _mails(self) -> None:
        """Apart from the chores: a mail server may take long to answer."""
        wake = self._node.wake.mails
        while True:
            wake.clear()
            if not await self._node.mails.send_due():
                await _woken(wake)

    async def _telling(self) -> None:
        """Apart from the chores: a push service may take long to answer."""
        while True:
            if not await self._node.telling.tell_due():
                await asyncio.sleep(POLL)

    async def _pairings(self) -> None:
        """Apart from the chores: whoever is asked may hang."""
        wake = self._node.wake.pairings
        while True:
            wake.clear()
            if not await self._node.pairings.send_due():
                await _woken(wake)

    async def _credentials(self) -> None:
        """Apart from the chores: of a great many that are due at once the last may be renewed hours later."""
        while True:
            await self._do("credentials", self._node.people.renew_due)
            await asyncio.sleep(RENEWALS)

    async def _status_lists(self) -> None:
        """Apart from the chores, and without waiting for anybody: an issuer may hang."""
        while True:
            self._node.directory.lists.begin_due()
            await asyncio.sleep(TICK)

    async def _federation_list(self) -> None:
        """Apart from the chores: its host may hang, and a knock or a push has it read at once."""
        while True:
            await self._do("federation list", self._node.federation_list.tick)
            try:
                async with asyncio.timeout(TICK):
                    await self._node.federation_list.asked.wait()
            except TimeoutError:
                continue

    async def _sibling_sets(self) -> None:
        """Apart from the chores, and without waiting for anybody: a sibling may hang, and a change is told at once."""
        wake = self._node.wake.sets
        while True:
            wake.clear()
            await self._node.sets.begin_due()
            await _woken(wake)

    async def _search(self) -> None:
        """Apart from the chores: after an upgrade every post there is may have to be made findable."""
        await self._node.search.fill_for_ever()

    async def _news(self) -> None:
        """Apart from the chores: a publisher may hang. No source, no look at anybody."""
        wake = self._node.wake.news
        while True:
            wake.clear()
            await self._node.newsroom.fetch_due()
            try:
                async with asyncio.timeout(NEWS):
                    await wake.wait()
            except TimeoutError:
                continue

    async def _catching_up(self) -> None:
        """Apart from the chores, and without waiting for anybody: a sibling may hang."""
        while True:
            await self._node.catching_up.begin_due()
            await self._node.threads.begin_due()
            await self._node.synchronising.begin_due()
            await self._node.directories.begin_due()
            await asyncio.sleep(TICK)

    async def _leases(self) -> None:
        """Apart from the chores, of which one may take longer than a lease lasts."""
        while True:
            await self._node.queue.keep(self._node.clock())
            await asyncio.sleep(TICK)

    async def _beat(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            due = clock() + BEAT
            await asyncio.sleep(BEAT)
            self._late.append(clock() - due)

    async def _chores(self) -> None:
        clock, due = asyncio.get_running_loop().time, dict.fromkeys((name for name, _, _ in self._all_chores()), 0.0)
        while True:
            for name, every, chore in self._all_chores():
                if due[name] <= clock():
                    due[name] = clock() + every.total_seconds()
                    await self._do(name, chore)
            await asyncio.sleep(TICK)

    async def _forever(self, name: str, loop: Chore) -> None:
        """A loop that meets a fault says so, waits a moment and goes on."""
        while True:
            try:
                await loop()
            except Exception as fault:
                self._fault(name, fault)
                await asyncio.sleep(PAUSE)

    # ── chores ──

    def _all_chores(self) -> tuple[tuple[str, timedelta, Chore], ...]:
        node = self._node
        return (
            ("heads held", timedelta(seconds=TICK), node.dossiers.restoring.tick),
            ("dossiers", timedelta(minutes=1), node.dossiers.tick),
            ("audit log", timedelta(hours=1), node.dossiers.checking.daily),
            ("audit months", timedelta(hours=1), partial(segments.tidy, node)),
            ("audit head", timedelta(hours=1), node.dossiers.heads.tell),
            ("sessions", timedelta(minutes=10), node.people.sweep),
            ("challenges", timedelta(minutes=10), node.factors.sweep),
            ("invitations", timedelta(hours=1), node.staff.sweep),
            ("sign-ups", timedelta(minutes=10), node.joining.sweep),
            ("codes", timedelta(minutes=10), node.addresses.sweep),
            ("sent mails", timedelta(hours=1), node.mails.sweep),
            ("accounts", timedelta(hours=1), partial(departed.empty, node)),
            ("keys", timedelta(hours=1), self._drop_keys),
            ("old pairings", timedelta(minutes=1), node.pairings.sweep),
            ("kept messages", timedelta(hours=1), node.inbound.sweep),
            ("deliveries", timedelta(hours=1), node.queue.tidy),
            ("former siblings", timedelta(minutes=1), node.siblings.expelling.tick),
            ("messages by day", timedelta(minutes=1), partial(sibling_days.count, node)),
            ("refusals", timedelta(hours=1), node.audit.sweep),
            ("logs", timedelta(hours=1), node.logs.sweep),
            ("threads", timedelta(hours=1), node.threads.sweep),
            ("imported news", timedelta(hours=1), node.newsroom.sweep),
            ("polls", timedelta(minutes=1), partial(polls.tick, node)),
            ("circles", timedelta(hours=1), partial(circles.sweep, node)),
            ("sibling sets", timedelta(hours=1), node.sets.sweep),
            ("health by day", health_days.EVERY, self._keep_health),
            ("wal", timedelta(minutes=1), self._watch_wal),
            ("search index", timedelta(hours=1), node.search.tidy),
            ("evidence key", timedelta(minutes=1), node.evidence.look),
            ("evidence", timedelta(hours=1), node.evidence.sweep),
        )

    async def _do(self, name: str, chore: Chore) -> None:
        try:
            await chore()
        except Exception as fault:  # one chore that fails keeps no other from being done
            self._fault(name, fault)

    async def _drop_keys(self) -> None:
        """Old keys whose overlap has passed are destroyed, private part and all."""

        async def work(tx: Transaction) -> None:
            await tx.run("own_keys.drop_passed", now=to_ms(self._node.clock()))

        await self._node.store.write(work)

    async def _watch_wal(self) -> None:
        """Say when somebody reads SQLite's file for so long that nothing of its WAL can be taken over."""
        size = wal_size(self._node.config.database)
        self._node.metrics.wal.set(size)
        if size > MOST_WAL:
            self._node.log.warning("wal_grows", count=size)

    async def _keep_health(self) -> None:
        await health_days.keep(self._node, await health.read(self._node))

    def _fault(self, where: str, fault: BaseException) -> None:
        self._node.log.error("worker_fault", where=where, error=type(fault).__name__, exc_info=fault)


class Besides:
    """Implements `federation.ports.Besides`: the number in the log, and the digest of followers."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def __call__(self, delivery: Delivery) -> dict[str, str]:
        """Return the headers of one delivery."""
        return {**await self._node.logs(delivery), **await self._node.synchronising(delivery)}


class OwnStanding:
    """Implements `federation.ports.MaySend` for our own doctors; read anew for every message."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def __call__(self, actor: Uri) -> bool:
        """Whether the doctor is one of ours and in good standing."""
        row = await self._node.store.known("people.standing", uri=actor)
        if row is None or not row["local"]:
            return False
        if standings.is_student(row):
            await self._node.policies.look()
        # What was written was allowed when it was written (a role may change since); now only the standing counts.
        return may(Action.READ, standings.standing_of(row), self._node.policies.standing, self._node.clock())


class Inboxes:
    """Implements `federation.ports.Reread`: the inbox an actor names now."""

    def __init__(self, node: Node) -> None:
        self._node, self._fetcher = node, Fetcher(node)

    async def __call__(self, delivery: Delivery) -> Uri | None:
        """Read the sibling's actor, or the doctor whose inbox this was."""
        sibling = self._node.allowlist().find(delivery.origin)
        try:
            if sibling is None:
                return None
            if delivery.shared:
                return parse.instance(await self._fetcher.document(sibling.actor, sibling)).inbox
            row = await self._node.store.one("deliveries.owner_of_inbox", origin=delivery.origin, inbox=delivery.inbox)
            if row is None:
                return None
            return parse.doctor(await self._fetcher.document(Uri.parse(row["uri"]), sibling)).inbox
        except Refused:
            return None


async def _woken(wake: asyncio.Event) -> None:
    """Wait until woken, or until it is time to look anyway."""
    try:
        async with asyncio.timeout(POLL):
            await wake.wait()
    except TimeoutError:
        return
