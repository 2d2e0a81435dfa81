"""Small things people decide for themselves: whether follows wait, which notices are read."""

from __future__ import annotations

from datetime import datetime

from instance.storage.store import Store, Transaction
from instance.times import to_ms


async def set_approval(store: Store, doctor: str, asked: bool) -> None:
    """Let follows of this doctor wait for a yes, or not."""

    async def work(tx: Transaction) -> None:
        await tx.run("preferences.set_approval", doctor=doctor, approves=int(asked))

    await store.write(work)


async def mark_read(store: Store, doctor: str, now: datetime) -> None:
    """Count all notices of this doctor as read."""

    async def work(tx: Transaction) -> None:
        await tx.run("preferences.mark_read", doctor=doctor, now=to_ms(now))

    await store.write(work)
