"""Whom we speak with, as our siblings read it, and how they hear that it has changed.

What was told last stands beside the rows; telling compares it with what is true now. So whatever changes the set, a
person, the federation list, an alarm or the clock, is told alike, and a process that dies before tells when it starts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import orjson

from federation import sibling_sets
from federation.allowlist import Direction
from federation.delivery import Priority
from federation.errors import NotFound
from federation.inbox import Reader
from federation.sibling_sets import PATH
from federation.uri import Uri
from federation.vocabulary import Update
from instance.services import sending
from instance.storage.store import Row, Transaction

if TYPE_CHECKING:
    from instance.wiring import Node

_TOLD: Final = "sibling set told"


@dataclass(frozen=True, slots=True)
class _Told:
    """What was told last, and everybody who was in any set before: they may hold an older one."""

    last: frozenset[str] = frozenset()
    ever: frozenset[str] = frozenset()


class OwnSet:
    """Callable: the origins that we send to and that may read here; nobody where the allowlist cannot be read."""

    def __init__(self, node: Node) -> None:
        self._node = node
        #: As this process knows it; None until it has looked.
        self._last: frozenset[str] | None = None

    def __call__(self) -> frozenset[str]:
        """Return whom we speak with at this moment."""
        return frozenset(each.origin for each in self._node.allowlist().open_to(Direction.SERVE))

    async def open(self) -> None:
        """Note that nobody was told anything yet, where these rows are new."""

        async def first(tx: Transaction) -> None:
            await tx.run("settings.set", name=_TOLD, value=_written(_Told()))

        if await self._node.store.one("settings.get", name=_TOLD) is None:
            await self._node.store.write(first)

    async def document(self, reader: Reader) -> bytes:
        """Return our set, signed now; NotFound for everybody but a sibling's instance actor."""
        if reader.actor != reader.sibling.actor:
            raise NotFound
        await self.tell()  # whoever reads it now is told of the next change
        allowlist, now = self._node.allowlist(), self._node.clock()
        key = await self._node.keys.proof_key(self._node.actor)
        return sibling_sets.seal(sibling_sets.write(self._node.origin, self(), allowlist.version, now), key, now)

    async def tell(self) -> bool:
        """Tell siblings that our set has changed, once; return whether it had.

        Whoever is in it for the first time needs no telling: it has none of ours yet.
        """
        ours = self()
        if ours == self._last or not self._node.allowlist.readable:
            return False
        written = sending.written_to_all_siblings(
            self._node, Update, actor=self._node.actor, object=Uri.parse(self._node.origin + PATH),
            priority=Priority.REVOCATION,
        )  # fmt: skip

        async def work(tx: Transaction) -> bool:
            await tx.take_turn(_TOLD)
            before = _read(await tx.one("settings.get", name=_TOLD))
            if before.last == ours:
                return False
            now = _Told(ours, before.ever | before.last)
            await tx.run("settings.set", name=_TOLD, value=_written(now))
            targets = [target for target in written.targets if target.origin in now.ever & ours]
            if targets:
                await sending.queue(self._node, tx, replace(written, targets=targets))
            return True

        told = await self._node.store.write(work)
        self._last = ours
        self._node.wake.deliveries.set()
        return told


def _written(told: _Told) -> str:
    return json.dumps({"last": sorted(told.last), "ever": sorted(told.ever)})


def _read(row: Row | None) -> _Told:
    if row is None:
        return _Told()
    found = orjson.loads(row["value"])
    return _Told(frozenset(found["last"]), frozenset(found["ever"]))
