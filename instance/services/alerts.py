"""What administrators are told by mail: that something waits for them, once a day at most, and nothing more."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from instance.ids import new_ulid
from instance.storage.store import Transaction
from instance.times import to_ms
from verification.acts import Whom

#: Another instance asks to be admitted; a sibling was suspended since its keys have changed; somebody opened one alone.
PAIRING_REQUESTED, KEYS_CHANGED, OPENED_ALONE = "pairing_requested", "sibling_key_changed", "sibling_opened_alone"
#: Where each is looked at.
PLACES: Final = {
    PAIRING_REQUESTED: "/administration/pairing", KEYS_CHANGED: "/administration/pairing",
    OPENED_ALONE: "/administration/siblings",
}  # fmt: skip
EVERY: Final = timedelta(days=1)


async def tell(tx: Transaction, notice: str, now: datetime) -> None:
    """Mail administrators, in the caller's transaction; whoever was mailed about the same today is not mailed again.

    The mail names no instance: what a stranger says of itself stays on the page.
    """
    row = await tx.one("mails.since", notice=notice, since=to_ms(now - EVERY))
    if row is not None and row["number"]:
        return
    await tx.run(
        "mails.add", id=new_ulid(now), whom=Whom.ADMINISTRATORS.value, account="", country="", notice=notice,
        language="", at=to_ms(now), address="", sealed=None,
    )  # fmt: skip
