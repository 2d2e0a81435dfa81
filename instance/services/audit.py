"""The record of what left no message behind: refusals, and what was repeated or ignored; never a body.

Ten rows a second of each from one source, the rest counted. Implements `Audit`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from federation.allowlist import Direction
from federation.errors import Refused
from federation.trail import Trail
from instance.ids import new_ulid
from instance.services import message_heads
from instance.services.message_heads import MOST_OF_STRANGERS
from instance.storage.errors import StorageError
from instance.storage.store import Transaction
from instance.times import to_ms

if TYPE_CHECKING:
    from instance.wiring import Node

ROWS_A_SECOND: Final = 10
#: How long a row is kept, and how many are forgotten at once: more than can come in an hour.
KEPT: Final = timedelta(days=90)
_FORGOTTEN: Final = 50_000
#: The two records, by the query that writes them.
REFUSAL: Final = "inbound.refusal"
UNKEPT: Final = "inbound.unkept"
_SOURCES: Final = 1_024
_STRANGERS: Final = "strangers"
_PAUSE: Final = 0.05
_LONGEST: Final = 512


@dataclass(slots=True)
class _Source:
    """What one source was refused in the current second."""

    second: int
    rows: int = 0
    last: dict[str, Any] | None = None


class RefusalAudit:
    """Collects what is noted and writes it a moment later, together."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._sources: OrderedDict[tuple[str, str], _Source] = OrderedDict()
        self._waiting: dict[str, list[dict[str, Any]]] = {REFUSAL: [], UNKEPT: []}
        self._writer: asyncio.Task[None] | None = None

    def refused(self, direction: Direction, refusal: Refused, trail: Trail) -> None:
        """Note a refusal: a row, or one more on the source's last row of this second."""
        code = refusal.answer_code
        self._node.metrics.refused.labels(code).inc()
        facts = {
            "direction": direction.value, "code": code, "rule": type(refusal).__name__, "step": int(trail.step),
            "message": trail.message,
        }  # fmt: skip
        if self._note(REFUSAL, trail, facts):
            self._node.log.info(
                "refused", code=code, sibling=trail.origin, key=trail.key_id, activity=trail.activity,
                direction=direction, rule=trail.step.name.lower(),
            )  # fmt: skip

    def unkept(self, verdict: str, trail: Trail) -> None:
        """Note what was taken and left no row of its own, bounded like refusals and counted apart from them."""
        self._note(UNKEPT, trail, {"verdict": verdict})

    async def flush(self) -> None:
        """Return when everything noted so far is on disk."""
        while self._writer is not None:
            await asyncio.shield(self._writer)

    async def sweep(self) -> None:
        """Forget what was refused long ago."""

        async def work(tx: Transaction) -> None:
            before = to_ms(self._node.clock() - KEPT)
            await tx.run("inbound.forget_refusals", before=before, most=_FORGOTTEN)
            await tx.run("inbound.forget_unkept", before=before, most=_FORGOTTEN)

        await self._node.store.write(work)

    def _note(self, query: str, trail: Trail, facts: dict[str, Any]) -> bool:
        """Note one; return whether it has a row of its own."""
        now = self._node.clock()
        name = trail.origin if self._node.allowlist().find(trail.origin) is not None else _STRANGERS
        source = self._source((query, name), int(now.timestamp()))
        if source.rows >= ROWS_A_SECOND and source.last is not None:
            source.last["more"] += 1
            return False
        source.rows += 1
        source.last = {
            "id": new_ulid(now), "at": to_ms(now), **facts, "origin": trail.origin[:_LONGEST],
            "key_id": trail.key_id[:_LONGEST], "activity": trail.activity[:_LONGEST], "profile": trail.profile,
            "type": trail.type, "kind": trail.kind, "head": self._head(trail, now, name, source.rows), "more": 0,
        }  # fmt: skip
        self._waiting[query].append(source.last)
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write(), name="refusals")
        return True

    def _head(self, trail: Trail, now: datetime, source: str, rows: int) -> str:
        """Headers of strangers are kept of one a second, and shorter: they can send as many as they like."""
        if source != _STRANGERS:
            return message_heads.of_trail(trail, took(trail, now))
        return message_heads.of_trail(trail, took(trail, now), most=MOST_OF_STRANGERS) if rows == 1 else ""

    def _source(self, name: tuple[str, str], second: int) -> _Source:
        """Siblings count apart; all strangers together, or made-up names would fill the table."""
        source = self._sources.get(name)
        if source is None or source.second != second:
            source = self._sources[name] = _Source(second)
            if len(self._sources) > _SOURCES:
                self._sources.popitem(last=False)
        return source

    async def _write(self) -> None:
        try:
            while any(self._waiting.values()):
                # A second in which ten rows came may still be counting on the last of them.
                await asyncio.sleep(_PAUSE)
                waiting, self._waiting = self._waiting, {REFUSAL: [], UNKEPT: []}
                await self._store({query: [dict(row) for row in rows] for query, rows in waiting.items()})
        finally:
            self._writer = None

    async def _store(self, waiting: Mapping[str, list[dict[str, Any]]]) -> None:
        async def work(tx: Transaction) -> None:
            for query, rows in waiting.items():
                if rows:
                    await tx.many(query, rows)

        try:
            await self._node.store.write(work)
        except StorageError as fault:  # the record is lost before the service is (F39)
            self._node.log.error("audit_failed", count=sum(map(len, waiting.values())), exc_info=fault)


def took(trail: Trail, now: datetime) -> int:
    """How long a message has been on its way through the door, in milliseconds; 0 where it is not known."""
    return 0 if trail.at is None else round((now - trail.at).total_seconds() * 1_000)
