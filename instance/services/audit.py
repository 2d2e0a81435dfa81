"""The record of refusals: ten rows a second from one source, the rest counted; never a body. Implements `Audit`."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from federation.allowlist import Direction
from federation.errors import Refused
from instance.ids import new_ulid
from instance.storage.errors import StorageError
from instance.storage.store import Transaction
from instance.times import to_ms

if TYPE_CHECKING:
    from instance.wiring import Node

ROWS_A_SECOND: Final = 10
#: How long a row is kept, and how many are forgotten at once: more than can come in an hour.
KEPT: Final = timedelta(days=90)
_FORGOTTEN: Final = 50_000
_SOURCES: Final = 512
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
    """Collects refusals and writes them a moment later, together."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._sources: OrderedDict[str, _Source] = OrderedDict()
        self._waiting: list[dict[str, Any]] = []
        self._writer: asyncio.Task[None] | None = None

    def refused(self, direction: Direction, refusal: Refused, origin: str, key_id: str, activity: str) -> None:
        """Note a refusal: a row, or one more on the source's last row of this second."""
        code = refusal.answer_code
        self._node.metrics.refused.labels(code).inc()
        now = self._node.clock()
        source = self._source(origin, int(now.timestamp()))
        if source.rows >= ROWS_A_SECOND and source.last is not None:
            source.last["more"] += 1
            return
        source.rows += 1
        source.last = {
            "id": new_ulid(now), "at": to_ms(now), "direction": direction.value, "code": code,
            "origin": origin[:_LONGEST], "key_id": key_id[:_LONGEST], "activity": activity[:_LONGEST],
            "rule": type(refusal).__name__, "more": 0,
        }  # fmt: skip
        self._waiting.append(source.last)
        self._node.log.info("refused", code=code, sibling=origin, key=key_id, activity=activity, direction=direction)
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write(), name="refusals")

    async def flush(self) -> None:
        """Return when everything noted so far is on disk."""
        while self._writer is not None:
            await asyncio.shield(self._writer)

    async def sweep(self) -> None:
        """Forget what was refused long ago."""

        async def work(tx: Transaction) -> None:
            await tx.run("inbound.forget_refusals", before=to_ms(self._node.clock() - KEPT), most=_FORGOTTEN)

        await self._node.store.write(work)

    def _source(self, origin: str, second: int) -> _Source:
        """Siblings count apart; all strangers together, or made-up names would fill the table."""
        name = origin if self._node.allowlist().find(origin) is not None else _STRANGERS
        source = self._sources.get(name)
        if source is None or source.second != second:
            source = self._sources[name] = _Source(second)
            if len(self._sources) > _SOURCES:
                self._sources.popitem(last=False)
        return source

    async def _write(self) -> None:
        try:
            while self._waiting:
                # A second in which ten rows came may still be counting on the last of them.
                await asyncio.sleep(_PAUSE)
                rows, self._waiting = self._waiting, []
                await self._store([dict(row) for row in rows])
        finally:
            self._writer = None

    async def _store(self, rows: list[dict[str, Any]]) -> None:
        async def work(tx: Transaction) -> None:
            await tx.many("inbound.refusal", rows)

        try:
            await self._node.store.write(work)
        except StorageError as fault:  # the record is lost before the service is (F39)
            self._node.log.error("audit_failed", count=len(rows), exc_info=fault)
