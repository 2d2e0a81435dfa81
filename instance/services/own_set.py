"""Whom we speak with, as our siblings read it, and how they hear that it has changed.

What was told last stands beside the rows; telling compares it with what is true now. So whatever changes the set, a
person, the federation list, an alarm or the clock, is told alike, and a process that dies before tells when it starts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
    """What was told last; by origin the last set of whoever is in none now and may hold it still; who ever read one.

    `readers` is None where these rows do not know who has: everybody, then.
    """

    last: frozenset[str] = frozenset()
    left: Mapping[str, frozenset[str]] = field(default_factory=dict)
    readers: frozenset[str] | None = frozenset()

    def followed_by(self, ours: frozenset[str]) -> tuple[_Told, frozenset[str]]:
        """Return what is told then, and whom: whoever may hold another one of ours, and is in this one."""
        back = {each for each in ours & self.left.keys() if self.left[each] - {each} != ours - {each}}
        left = {**self.left, **dict.fromkeys(self.last - ours, self.last)}
        after = replace(self, last=ours, left={each: held for each, held in left.items() if each not in ours})
        whom = (self.last & ours) | back
        return after, whom if self.readers is None else whom & self.readers


class OwnSet:
    """Callable: the origins that we send to and that may read here; nobody where the allowlist cannot be read."""

    def __init__(self, node: Node) -> None:
        self._node = node
        #: As this process knows it; None until it has looked.
        self._last: frozenset[str] | None = None
        #: Of whom this process knows that they are noted as readers.
        self._noted: set[str] = set()

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
        await self._note(reader.sibling.origin)  # before it has it: whoever reads it now is told of the next change
        await self.tell()
        allowlist, now = self._node.allowlist(), self._node.clock()
        key = await self._node.keys.proof_key(self._node.actor)
        return sibling_sets.seal(sibling_sets.write(self._node.origin, self(), allowlist.version, now), key, now)

    async def tell(self) -> bool:
        """Tell siblings that our set has changed, once; return whether it had.

        Whoever never read one needs no telling: it has none of ours yet, and may not list us yet, either.
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
            after, whom = before.followed_by(ours)
            await tx.run("settings.set", name=_TOLD, value=_written(after))
            targets = [target for target in written.targets if target.origin in whom]
            if targets:
                await sending.queue(self._node, tx, replace(written, targets=targets))
            return True

        told = await self._node.store.write(work)
        self._last = ours
        self._node.wake.deliveries.set()
        return told

    async def _note(self, origin: str) -> None:
        if origin in self._noted:
            return

        async def work(tx: Transaction) -> None:
            await tx.take_turn(_TOLD)
            told = _read(await tx.one("settings.get", name=_TOLD))
            if told.readers is not None and origin not in told.readers:
                await tx.run("settings.set", name=_TOLD, value=_written(replace(told, readers=told.readers | {origin})))

        await self._node.store.write(work)
        self._noted.add(origin)


async def doubt_readers(tx: Transaction) -> None:
    """Older rows were put back: they do not know who has read our set since. Everybody is told of the next change."""
    row = await tx.one("settings.get", name=_TOLD)
    if row is not None:
        await tx.run("settings.set", name=_TOLD, value=_written(replace(_read(row), readers=None)))


def _written(told: _Told) -> str:
    left = {origin: sorted(held) for origin, held in sorted(told.left.items())}
    readers = None if told.readers is None else sorted(told.readers)
    return json.dumps({"last": sorted(told.last), "left": left, "readers": readers})


def _read(row: Row | None) -> _Told:
    if row is None:
        return _Told()
    found = orjson.loads(row["value"])
    left = {origin: frozenset(held) for origin, held in found["left"].items()}
    readers = found["readers"]
    return _Told(frozenset(found["last"]), left, None if readers is None else frozenset(readers))
