"""Which federation list each sibling holds: read where it keeps its copy, once an hour, by number and hash.

A sibling answers with the list itself, or says that its copy is ours (304). So nobody can claim a list that too few
have signed; an older one it can only claim of itself. One that holds another list of our number is a fork, and said
loudly; a newer one is taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from federation import membership
from federation.allowlist import Listed, LocalPolicy
from federation.membership import FederationList, NotAdopted, State
from instance.storage.store import Row, Transaction
from instance.times import from_ms, to_ms

if TYPE_CHECKING:
    from instance.wiring import Node

EVERY: Final = timedelta(hours=1)
#: How long a sibling may be behind before it is said loudly: it reads by the hour.
LATE: Final = timedelta(hours=2)
#: By so much the clocks of two processes may differ; what is farther ahead was written before a clock was set back.
_SKEW: Final = timedelta(minutes=1)
_FEDERATED: Final = (Listed.ACTIVE, Listed.EXPIRED)
_CLOSED: Final = (LocalPolicy.PAUSE, LocalPolicy.BLOCK)


class Holds(StrEnum):
    """What a sibling holds, seen from the list that is in force here."""

    SAME = "same"
    BEHIND = "behind"
    AHEAD = "ahead"
    FORK = "fork"  #: another list of our number, signed by as many as must
    UNSIGNED = "unsigned"  #: something that too few have signed
    UNKNOWN = "unknown"  #: it has shown none yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """One sibling, what it has shown, and when."""

    origin: str
    name: str
    holds: Holds
    sequence: int
    hash: str
    shown_at: datetime | None
    #: Why nothing was read the last time; empty where it was.
    code: str
    #: Behind for longer than anybody is who reads by the hour.
    late: bool

    @property
    def loud(self) -> bool:
        """Whether somebody has to telephone."""
        return self.late or self.holds in (Holds.FORK, Holds.UNSIGNED)


def seen(found: FederationList, row: Row, *, adopted_at: datetime) -> Holder:
    """Return how what a sibling has shown stands to the list in force; pure."""
    sequence = int(row["sequence"] or 0)
    shown_at = None if row["shown_at"] is None else from_ms(row["shown_at"])
    holds = _holds(found, sequence, row["hash"] or "", bool(row["signed"]))
    return Holder(
        origin=row["origin"], name=row["name"], holds=holds, sequence=sequence, hash=row["hash"] or "",
        shown_at=shown_at, code=row["code"] or "",
        late=holds is Holds.BEHIND and shown_at is not None and shown_at - adopted_at > LATE,
    )  # fmt: skip


def _holds(found: FederationList, sequence: int, hash: str, signed: bool) -> Holds:
    if not sequence:
        return Holds.UNKNOWN
    if (sequence, hash) == (found.sequence, found.hash):
        return Holds.SAME
    if not signed:
        return Holds.UNSIGNED
    if sequence == found.sequence:
        return Holds.FORK
    return Holds.BEHIND if sequence < found.sequence else Holds.AHEAD


class Holders:
    """Asks siblings which list they hold, and keeps what they show."""

    def __init__(self, node: Node) -> None:
        self._node, self._store = node, node.store

    async def list(self, found: FederationList) -> list[Holder]:
        """Return every sibling of the federation with what it holds, by origin."""
        row = await self._store.one("federation_list.newest")
        adopted_at = self._node.clock() if row is None else from_ms(row["adopted_at"])
        federated = {each.origin for each in self._node.allowlist() if each.listed in _FEDERATED}
        return [
            seen(found, each, adopted_at=adopted_at)
            for each in await self._store.all("federation_list.holders")
            if each["origin"] in federated
        ]

    async def due(self) -> Sequence[str]:
        """Return the siblings that are to be asked: of the federation, not closed here, not asked within the hour."""
        asked = {row["origin"]: int(row["asked_at"]) for row in await self._store.all("federation_list.asked_holders")}
        before, ahead = self._before(), to_ms(self._node.clock() + _SKEW)
        return [
            each.origin
            for each in self._node.allowlist()
            if each.listed in _FEDERATED
            and each.policy not in _CLOSED
            and not before < asked.get(each.origin, 0) <= ahead
        ]

    def _before(self) -> int:
        return to_ms(self._node.clock() - EVERY + timedelta(minutes=1))

    async def ask(self, origins: Sequence[str], read: Callable[[str], Awaitable[str]]) -> None:
        """Ask these, all at once; `read` reads at one of them and returns the code of why nothing was read."""
        await asyncio.gather(*(self._ask(origin, read) for origin in origins))

    async def _ask(self, origin: str, read: Callable[[str], Awaitable[str]]) -> None:
        async def claim(tx: Transaction) -> int:
            now = to_ms(self._node.clock())
            return await tx.run("federation_list.ask_holder", origin=origin, now=now, before=self._before())

        if await self._store.write(claim) and (code := await read(origin)):
            await self._fails(origin, code)

    async def _fails(self, origin: str, code: str) -> None:
        async def work(tx: Transaction) -> None:
            await tx.run("federation_list.holder_fails", origin=origin, now=to_ms(self._node.clock()), code=code)

        await self._store.write(work)

    async def shows(self, origin: str, found: FederationList | None, state: State) -> None:
        """Keep what a sibling has shown, or that its copy is what it was (None); of nobody else."""
        if self._node.allowlist().find(origin) is None:
            return

        async def work(tx: Transaction) -> None:
            now = to_ms(self._node.clock())
            if found is None:
                await tx.run("federation_list.holder_shows_the_same", origin=origin, now=now)
                return
            await tx.run(
                "federation_list.holder_shows", origin=origin, now=now, sequence=found.sequence, hash=found.hash,
                signed=int(_is_signed(found, state)),
            )  # fmt: skip

        await self._store.write(work)


def _is_signed(found: FederationList, state: State) -> bool:
    """Whether as many have signed it as must, of those who sign now or who judged the list in force."""
    for signers in (state.signers, state.judged_by):
        if signers is not None:
            try:
                membership.verify(found, signers)
            except NotAdopted:
                continue
            return True
    return False
