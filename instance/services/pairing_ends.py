"""What becomes of pairings with an origin that leaves the allowlist: none goes on, and nothing more is said of it."""

from __future__ import annotations

from datetime import datetime

from instance.storage.store import Transaction
from instance.times import to_ms


async def turn_of(tx: Transaction, origin: str) -> None:
    """Wait until no other unit of work is about pairing with this origin.

    Whoever may write or take back an entry has taken the turn of the allowlist before.
    """
    await tx.take_turn(f"pairing with {origin}")


async def end_all(tx: Transaction, origin: str, now: datetime) -> None:
    """End every pairing with this origin that is open or owes a word, in the transaction in which it leaves the list.

    Whoever confirmed it did so before; it is begun anew or not at all.
    """
    await turn_of(tx, origin)
    await tx.run("pairings.end_all", origin=origin, reason="not_agreed", now=to_ms(now))
