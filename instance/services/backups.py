"""When the database was last copied by `esanum backup`: a copy that was only ordered does not count."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from instance.storage.store import Reader, Transaction
from instance.times import from_ms, to_ms

if TYPE_CHECKING:
    from instance.wiring import Node

_MADE: Final = "backup made"


async def made(node: Node) -> None:
    """Remember that a whole copy is on the disk; the copy itself remembers the one before it."""
    at = str(to_ms(node.clock()))

    async def work(tx: Transaction) -> None:
        await tx.run("settings.set", name=_MADE, value=at)

    await node.store.write(work)


async def last(rows: Reader) -> datetime | None:
    """Return when the last copy was whole; None where there was none."""
    row = await rows.one("settings.get", name=_MADE)
    return None if row is None else from_ms(int(row["value"]))
