"""Small things people decide for themselves: which notices are read."""

from __future__ import annotations

from datetime import datetime

from instance.storage.store import Store, Transaction
from instance.times import to_ms


async def mark_read(store: Store, doctor: str, now: datetime) -> None:
    """Count all notices of this doctor as read."""

    async def work(tx: Transaction) -> None:
        await tx.run("preferences.mark_read", doctor=doctor, now=to_ms(now))
        await tx.run("askings.mark_read", doctor=doctor, now=to_ms(now))

    await store.write(work)
