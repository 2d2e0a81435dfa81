"""What the owner of an account is told by mail: of its factors and its password, never what they are."""

from __future__ import annotations

from datetime import datetime

from instance.ids import new_ulid
from instance.storage.store import Transaction
from instance.times import to_ms

#: What such a mail is about, and to whom it goes.
ADDED, GUESSED, PASSWORD_CHANGED, OWNER = "factor_added", "factor_guessed", "password_changed", "owner"


async def tell_owner(tx: Transaction, account: str, what: str, now: datetime) -> None:
    """Write a mail to the owner of an account, to the address that is proved by then."""
    await tx.run(
        "mails.add", id=new_ulid(now), whom=OWNER, account=account, country="", notice=what, language="", at=to_ms(now),
        address="", sealed=None,
    )  # fmt: skip
