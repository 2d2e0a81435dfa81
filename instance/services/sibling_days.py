"""Messages by sibling and day, for a week's small chart.

Counted once a minute from the rows that both doors write anyway, from where the last count ended: a message costs no
statement more than without. A minute is left open at the end, so that what is being committed is counted next time.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from instance.ids import first_ulid
from instance.storage.store import Reader, Row, Transaction
from instance.times import to_ms

if TYPE_CHECKING:
    from instance.wiring import Node

#: How many days the chart shows, and how long days are kept.
SHOWN: Final = 7
KEPT: Final = timedelta(days=90)
DAY: Final = 86_400_000
_OPEN_END: Final = timedelta(minutes=1)
_BEGIN: Final = timedelta(days=SHOWN)


async def count(node: Node) -> None:
    """Count what has come and gone since the last time, in one transaction with how far that is."""
    now = node.clock()
    until = now - _OPEN_END
    before, begin = to_ms(until), now - _BEGIN

    async def work(tx: Transaction) -> None:
        await tx.take_turn("sibling days")
        after = await _through(tx, "messages in counted", first_ulid(begin))
        rows = await tx.all("sibling_days.received", after=after, before=before)
        await tx.many("sibling_days.add", [_line(row, received=int(row["number"])) for row in rows])
        after = max([after, *(str(row["last"]) for row in rows)])
        sent = int(await _through(tx, "messages out counted", str(to_ms(begin))))
        rows = await tx.all("sibling_days.sent", after=sent, before=before) if sent < before else []
        await tx.many("sibling_days.add", [_line(row, sent=int(row["number"])) for row in rows])
        # Never back: a clock that was set back counts nothing twice.
        await tx.run("sibling_days.set_through", name="messages in counted", value=after)
        await tx.run("sibling_days.set_through", name="messages out counted", value=str(max(sent, before)))
        await tx.run("sibling_days.tidy", before=to_ms(now - KEPT) // DAY)

    await node.store.write(work)


async def _through(reader: Reader, name: str, default: str) -> str:
    row = await reader.one("sibling_days.through", name=name)
    return default if row is None else str(row["value"])


def _line(row: Row, *, received: int = 0, sent: int = 0) -> dict[str, object]:
    return {"origin": row["origin"], "day": int(row["day"]), "received": received, "sent": sent}
