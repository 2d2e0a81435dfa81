"""Siblings' status lists: read whole, kept with their age, and asked for again every quarter of an hour.

A list is read when a credential that holds otherwise first names it, when its issuer says that it has changed, and when
it has become too old; of one issuer every ten seconds at most, in the long run. One that cannot be read leaves the last
good copy, with its age; one of which there is no copy is asked for again until its issuer answers. A changed bit takes
the doctor's standing away, or gives it back, in the transaction that keeps the list. A revocation is final: a list that
clears one is an alarm, and clears nothing here.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, Final

import orjson

from federation import parse
from federation.allowlist import Direction, Sibling
from federation.errors import Refused, TooManyRequests
from federation.uri import Uri
from instance.services.fetching import Budget, NotReached, NotThere, SingleFlight
from instance.services.judging import OK, is_deferred, issuer_of, judge, stands_in
from instance.storage.store import Row, Transaction
from instance.times import from_ms, to_ms
from verification import statuslist
from verification.errors import BadStatusList
from verification.statuslist import Purpose, StatusList
from verification.verdicts import Reason

if TYPE_CHECKING:
    from instance.services.fetching import Fetcher
    from instance.wiring import Node

#: How often a list is read without being asked to.
EVERY: Final = statuslist.TTL
#: How often one issuer's lists are read at most, whoever asks.
AT_MOST: Final = timedelta(seconds=10)
#: After a failure: twice as long each time, a quarter more or less, and no longer than usual.
FIRST_RETRY: Final = timedelta(seconds=30)
_AT_ITS_WORD: Final = 6
#: Lists of one issuer that are read because a credential names them: room for millions of doctors.
MOST: Final = 64
#: Issuers whose lists are read at the same time because they are due.
AT_ONCE: Final = 8
#: From this age of a list on, nobody's mark is shown who stands in it.
NO_MARK: Final = timedelta(hours=72)
#: Seconds that a reading may take: whoever waits for it comes back when it is over.
_READ_WITHIN: Final = 5
VC_ACCEPT: Final = "application/vc, application/json"


@dataclass(slots=True)
class _Issuer:
    """When an issuer's lists were read last, and when they are due."""

    read_at: datetime
    due_at: datetime
    failures: int = 0

    def is_due(self, now: datetime) -> bool:
        """Whether it is time; what is farther away than the usual wait was planned before the clock was set back."""
        return not now < self.due_at <= now + EVERY


class StatusLists:
    """The stored lists of all siblings; a mapping of them is what `verification.credential.check` takes."""

    def __init__(self, node: Node, fetcher: Fetcher) -> None:
        self._node, self._fetcher = node, fetcher
        self._lists: dict[Uri, StatusList] = {}
        self._issuers: dict[str, _Issuer] = {}
        #: Lists that a credential names, of which there is no copy because their issuer did not answer, by origin.
        self._wanted: dict[str, dict[Uri, Purpose]] = {}
        self._flights = SingleFlight()
        self._polls: dict[str, asyncio.Task[object]] = {}
        self._places = asyncio.Semaphore(AT_ONCE)
        self._told = Budget(_AT_ITS_WORD)
        self._rng = Random()  # noqa: S311  # spreads retries, guards nothing

    def __call__(self) -> Mapping[Uri, StatusList]:
        """Return every list we hold."""
        return self._lists

    def of(self, origin: str) -> list[StatusList]:
        """Return every list we hold of one issuer."""
        return [one for one in self._lists.values() if Uri(one.id).origin == origin]

    def origins(self) -> frozenset[str]:
        """The origins of which lists are held."""
        return frozenset(Uri(one.id).origin for one in self._lists.values())

    def confirmed_at(self, origin: str) -> datetime | None:
        """When the oldest of an issuer's lists was read; None where we hold none."""
        return min((one.fetched_at for one in self._lists.values() if Uri(one.id).origin == origin), default=None)

    def seconds_to_next(self, origin: str) -> int | None:
        """In how many seconds lists that could not be read are asked for again; None where none is waited for."""
        if origin not in self._wanted:
            return None
        state, now = self._state(origin), self._node.clock()
        left = 0.0 if state.is_due(now) else (state.due_at - now).total_seconds()
        return math.ceil(left) + _READ_WITHIN

    def is_young(self, origin: str) -> bool:
        """Whether an issuer's lists were all read within the quarter of an hour in which their silence is trusted."""
        at = self.confirmed_at(origin)
        return at is not None and timedelta(0) <= self._node.clock() - at <= EVERY

    def silent(self) -> dict[str, datetime]:
        """Return, by authority, since when issuers' lists were not read, where that is too long to show a mark."""
        silent: dict[str, datetime] = {}
        now = self._node.clock()
        for one in self._lists.values():
            if now - one.fetched_at > NO_MARK:
                authority = Uri(one.id).authority
                silent[authority] = min(one.fetched_at, silent.get(authority, one.fetched_at))
        return silent

    async def load(self) -> None:
        """Take over what is stored: at the start, and when another process has read something."""
        self._lists = {row["uri"]: _stored(row, self._node) for row in await self._node.store.all("status.lists")}

    async def ensure(self, credential: Any, sibling: Sibling) -> bool:
        """Read the lists that a credential names, those we lack or else all; say whether they could be read."""
        missing = [(one.list, one.purpose) for one in stands_in(credential, sibling) if one.list not in self._lists]
        if not missing:
            return await self.refresh(sibling.origin)
        wanted = {**self._wanted.get(sibling.origin, {}), **dict(missing)}
        if len(self._of(sibling.origin)) + len(wanted) > MOST:
            self._node.log.warning("status_list", sibling=sibling.origin, code="too_many")
            return False
        if self._has_just_failed(sibling.origin, missing):
            return False
        self._wanted[sibling.origin] = wanted
        return await self._flights.do(sibling.origin, lambda: self._read_all(sibling, missing))

    async def announced(self, origin: str) -> None:
        """Read an issuer's lists because it says that they have changed.

        Where it says so more often than six times a minute, they are due ten seconds later.
        """
        now, state = self._node.clock(), self._state(origin)
        try:
            self._told.spend(origin, now)
        except TooManyRequests:
            state.due_at = min(state.due_at, now + AT_MOST)
            return
        if self._flights.under_way(origin):
            await self.refresh(origin)  # what is being read now may have been written before the change
        state.read_at = _LONG_AGO
        await self.refresh(origin)

    async def refresh(self, origin: str) -> bool:
        """Read an issuer's lists again and say whether all could be read; not twice within ten seconds.

        Whoever comes while they are read waits for what is found.
        """
        now, state = self._node.clock(), self._state(origin)
        if timedelta(0) <= now - state.read_at < AT_MOST and not self._flights.under_way(origin):
            return False
        sibling = self._node.allowlist().find(origin)
        if sibling is None or sibling.refusal(Direction.FETCH) is not None:
            return False
        return await self._flights.do(origin, lambda: self._read_all(sibling, self._all_of(origin)))

    async def poll_due(self) -> None:
        """Read what has become due, and wait for it."""
        await asyncio.gather(*self.begin_due())

    def begin_due(self) -> tuple[asyncio.Task[object], ...]:
        """Begin to read what has become due, and forget whoever is no sibling any more; return what is being read.

        So many issuers are read at once, those that answered last time first; one that hangs keeps no other waiting.
        """
        now = self._node.clock()
        for origin in sorted(self.origins() | self._wanted.keys(), key=lambda each: (self._state(each).failures, each)):
            if self._node.allowlist().find(origin) is None:
                self.forget(origin)
            elif origin not in self._polls and self._state(origin).is_due(now):
                self._polls[origin] = asyncio.create_task(self._poll(origin))
        return tuple(self._polls.values())

    async def stop(self) -> None:
        """Read nothing more because it is due."""
        polls = list(self._polls.values())
        for poll in polls:
            poll.cancel()
        await asyncio.gather(*polls, return_exceptions=True)

    async def _poll(self, origin: str) -> None:
        try:
            async with self._places:
                await self.refresh(origin)
        except Exception as fault:  # nobody may be waiting for it
            self._node.log.error("worker_fault", where="status lists", error=type(fault).__name__, exc_info=fault)
        finally:
            del self._polls[origin]

    def forget(self, origin: str) -> None:
        """Forget an issuer's lists in memory; rows are the caller's to delete."""
        self._issuers.pop(origin, None)
        self._wanted.pop(origin, None)
        for uri, _ in list(self._of(origin)):
            del self._lists[uri]

    # ── reading ──

    async def _read_all(self, sibling: Sibling, wanted: Iterable[tuple[Uri, Purpose]]) -> bool:
        state, failed = self._state(sibling.origin), False
        state.read_at = self._node.clock()
        for uri, purpose in wanted:
            try:
                await self._read(uri, purpose, sibling)
            except BadStatusList as fault:
                failed = True
                self._node.log.warning("status_list", sibling=sibling.origin, code=fault.failure)
            except NotReached as fault:
                failed = True
                self._node.log.info("status_list", sibling=sibling.origin, code=fault.code)
                continue  # what is wanted stays wanted: what answers later is read later
            except (Refused, NotThere) as fault:
                failed = True
                self._node.log.info("status_list", sibling=sibling.origin, code=fault.code)
            self._no_longer_wanted(sibling.origin, uri)
        self._plan(state, failed)
        if sibling.origin in self._wanted and not failed:  # it was named while others were being read
            state.due_at = self._node.clock() + AT_MOST
        if not failed:
            await self._release(sibling.origin)
        return not failed

    def _plan(self, state: _Issuer, failed: bool) -> None:
        now = self._node.clock()
        state.failures = state.failures + 1 if failed else 0
        wait = EVERY
        if failed:
            spread = 0.75 + self._rng.random() / 2
            wait = min(EVERY, FIRST_RETRY * 2 ** min(state.failures - 1, 10) * spread)
        state.due_at = now + wait

    async def _read(self, uri: Uri, purpose: Purpose, sibling: Sibling) -> None:
        document = await self._fetcher.json(uri, sibling, VC_ACCEPT, limit=statuslist.MAX_ENCODED)
        found = statuslist.read_list(document, uri, purpose, issuer_of(sibling), now=self._node.clock())

        async def work(tx: Transaction) -> tuple[StatusList, bool] | None:
            return await self._keep(tx, found, sibling)

        done = await self._node.store.write(work)
        if done is None:
            return  # another process has a younger answer, and says so where it differs
        self._lists[uri], changed = done
        if done[0] != found:
            self._node.log.error("status_list", sibling=sibling.origin, code="revocation_cleared")
        if changed:
            self._node.directory.notice_standing()
            self._node.wake.inbound.set()

    async def _release(self, origin: str) -> None:
        """Have what waited for an issuer's lists looked at again."""
        now = to_ms(self._node.clock())

        async def work(tx: Transaction) -> int:
            return await tx.run(
                "status.release_held", first=f"{origin}/", behind=f"{origin}0", code=_SOFT_STALE, now=now
            )

        if await self._node.store.one("status.waits", first=f"{origin}/", behind=f"{origin}0", code=_SOFT_STALE):
            await self._node.store.write(work)
            self._node.wake.inbound.set()

    async def _keep(self, tx: Transaction, read: StatusList, sibling: Sibling) -> tuple[StatusList, bool] | None:
        """Store a list and what its changed bits mean; return what is kept of it, and whether any bit has changed.

        None where a younger one is kept.
        """
        await tx.take_turn(f"list {read.id}")
        before = await tx.one("status.list", uri=read.id)
        found = read if before is None else statuslist.with_final(read, bytes(before["bits"]))
        kept = await tx.run(
            "status.keep_list", uri=found.id, origin=sibling.origin, purpose=found.purpose.value, bits=found.bits,
            fetched_at=to_ms(found.fetched_at),
        )  # fmt: skip
        if not kept:
            return None
        changed = before is not None and bytes(before["bits"]) != found.bits
        if before is not None and changed:
            for place in _differing(bytes(before["bits"]), found.bits):
                for row in await tx.all("status.doctors_at", list=found.id, place=place):
                    await self._change(tx, row, found, sibling, is_set=found.is_set(place))
            await tx.run("directory.raise_standing_version")
        return found, changed

    async def _change(self, tx: Transaction, row: Row, found: StatusList, sibling: Sibling, *, is_set: bool) -> None:
        now, document = self._node.clock(), parse.doctor(orjson.loads(row["document"]))
        judged = judge(document, sibling, {**self._lists, found.id: found}, now=now, known=True)
        if is_deferred(judged):
            return  # the other list cannot be trusted: the doctor's next message, or home's, settles it
        # Final is final: who is revoked is not called suspended.
        standing = judged.standing if not is_set or judged.standing == _REVOKED else str(found.purpose.reason)
        await tx.run(
            "directory.set_standing", uri=row["uri"], standing=standing, document=row["document"], now=to_ms(now)
        )
        if standing == OK:
            await tx.run("directory.release_held", actor=row["uri"], now=to_ms(now))

    def _of(self, origin: str) -> list[tuple[Uri, Purpose]]:
        return [(one.id, one.purpose) for one in self.of(origin)]

    def _all_of(self, origin: str) -> list[tuple[Uri, Purpose]]:
        """Every list of an issuer that is to be read: those we hold, and those we could not read so far."""
        return list({**self._wanted.get(origin, {}), **dict(self._of(origin))}.items())

    def _has_just_failed(self, origin: str, missing: Iterable[tuple[Uri, Purpose]]) -> bool:
        """Whether these lists were asked for within the last ten seconds, in vain."""
        wanted, age = self._wanted.get(origin, {}), self._node.clock() - self._state(origin).read_at
        known = all(uri in wanted for uri, _ in missing)
        return known and timedelta(0) <= age < AT_MOST and not self._flights.under_way(origin)

    def _no_longer_wanted(self, origin: str, uri: Uri) -> None:
        wanted = self._wanted.get(origin, {})
        wanted.pop(uri, None)
        if not wanted:
            self._wanted.pop(origin, None)

    def _state(self, origin: str) -> _Issuer:
        """What is planned for an issuer; after a start everything is due, at its age."""
        state = self._issuers.get(origin)
        if state is None:
            ages = [one.fetched_at for one in self._lists.values() if Uri(one.id).origin == origin]
            oldest = min(ages, default=_LONG_AGO)
            state = self._issuers[origin] = _Issuer(_LONG_AGO, oldest + EVERY)
        return state


def _stored(row: Row, node: Node) -> StatusList:
    uri = Uri.parse(row["uri"])
    sibling = node.allowlist().find(row["origin"])
    issuer = uri if sibling is None else sibling.actor
    return StatusList(uri, issuer, Purpose(row["purpose"]), bytes(row["bits"]), from_ms(row["fetched_at"]))


def _differing(before: bytes, after: bytes) -> Iterator[int]:
    """The places at which two lists differ, as far as both reach."""
    for at, (one, other) in enumerate(zip(before, after, strict=False)):
        if one != other:
            yield from (8 * at + bit for bit in range(8) if (one ^ other) & (0x80 >> bit))


_LONG_AGO: Final = from_ms(0)
_REVOKED: Final = Reason.REVOKED.value
_SOFT_STALE: Final = Reason.STATUS_SOFT_STALE.value
