"""Counting attempts: at a password, at a second factor. What fails is written down before it is looked at.

Codes raised here: CODES.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from instance.ids import new_ulid
from instance.services.errors import Rejected
from instance.storage.store import Transaction
from instance.times import to_ms

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = ("too_many_attempts",)

WINDOW: Final = timedelta(minutes=15)
PER_ACCOUNT: Final = 5
PER_ADDRESS: Final = 20
#: A second factor is guessed at so often in a day at most; whoever guesses slowly has no more.
PER_DAY: Final = 20
DAY: Final = timedelta(days=1)
#: An attempt counts for so many subjects at most.
_MOST_SUBJECTS: Final = 4


def subject(kind: str, text: str) -> str:
    """What attempts are counted for; hashed, since people type passwords into the wrong field."""
    return f"{kind}:{hashlib.sha256(text.encode()).hexdigest()[:32]}"


async def count(node: Node, subjects: Sequence[tuple[str, int]], *, by_day: Sequence[tuple[str, int]] = ()) -> str:
    """Write an attempt down as failed, so that no burst slips through, and return its id.

    Each subject comes with how many it may have in a quarter of an hour (`by_day`: in a day); raise
    Rejected(too_many_attempts) beyond.
    """
    now = node.clock()
    attempt = new_ulid(now)

    bounds = [(each, most, WINDOW) for each, most in subjects] + [(each, most, DAY) for each, most in by_day]

    async def work(tx: Transaction) -> bool:
        for each, most, window in bounds:
            await tx.take_turn(each)
            row = await tx.one("sessions.failures", subject=each, since=to_ms(now - window))
            if row is not None and row["number"] >= most:
                return False
        for number, (each, *_) in enumerate(bounds):
            await tx.run("sessions.add_failure", id=f"{attempt}-{number}", subject=each, at=to_ms(now))
        return True

    if not await node.store.write(work):
        raise Rejected("too_many_attempts", status=429)
    return attempt


async def forget(tx: Transaction, attempt: str) -> None:
    """Take an attempt back that was none, or that succeeded."""
    for number in range(_MOST_SUBJECTS):
        await tx.run("sessions.forget_failure", id=f"{attempt}-{number}")
