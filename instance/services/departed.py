"""Accounts of people who have left: what is known of the person goes, the id stays for as long as a decision needs it.

With it goes what a doctor kept for themselves and nobody else saw: marks on posts, places, mutes, contact rules, lists.

Nobody is in any more who was revoked, has withdrawn, moved or died (at once), whose application was closed (with its
facts, a month later), or who never handed one in (with the draft, a month after its last change). A mail that still
waits is sent first. Staff keep their accounts.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from instance.services.accounts import factors_of
from instance.storage.store import Transaction
from instance.times import to_ms

if TYPE_CHECKING:
    from instance.wiring import Node

#: How long an account stays that applies for nothing, and has not begun to.
IDLE: Final = timedelta(days=30)
_AT_ONCE: Final = 500
_PARTS: Final = (
    "factors.drop_passkeys", "factors.drop_apps", "factors.drop_recovery_codes", "factors.drop_enrolments",
    "sessions.end_all", "codes.drop_claim", "codes.drop_all_of", "notifications.forget_ways",
    "notifications.forget_due", "notifications.forget_marks", "notifications.forget_wishes",
    "notifications.forget_devices", "cases.forget_marks", "visits.forget", "contact.forget_rules",
    "contact.forget_mutes", "lists.forget",
)  # fmt: skip


async def empty(node: Node) -> int:
    """Take login, address, password, factors, sessions and what was kept apart from every account whose day has come.

    Return how many there were.
    """
    now, number = node.clock(), 0
    rows = await node.store.all("departed.find", idle_since=to_ms(now - IDLE), most=_AT_ONCE)
    for row in rows:

        async def work(tx: Transaction, account: str = row["id"]) -> int:
            await tx.take_turn(f"dossiers of {account}")
            await tx.take_turn(factors_of(account))
            if not await tx.run("departed.empty", account=account, now=to_ms(now), idle_since=to_ms(now - IDLE)):
                return 0
            for query in _PARTS:
                await tx.run(query, account=account)
            return 1

        number += await node.store.write(work)
    return number
