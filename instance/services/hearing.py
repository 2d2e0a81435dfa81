"""Who hears of what happens in a case: whoever follows it, its author, those who have answered; not who muted it.

Authors and answerers need not ask to follow: they hear until they mute it. Muting ends every notice of a case, also for
those who are answered or mentioned in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instance.ids import new_ulid
from instance.services import notices
from instance.storage.store import Transaction
from instance.times import to_ms

if TYPE_CHECKING:
    from datetime import datetime


async def tell(
    tx: Transaction,
    now: datetime,
    post: str,
    kind: str,
    actor: str,
    *,
    about: str,
    voters: bool = False,
    but: str = "",
) -> None:
    """Tell every own doctor who hears of this post, but whoever did it and whoever may not see the post any more.

    `voters` has those told, too, who have voted and do nothing else; `but` is somebody who knows.
    """
    for row in await tx.all("cases.hearers", post=post, voters=int(voters)):
        if row["uri"] == but:
            continue
        await tell_one(tx, now, row["uri"], post, kind, actor, about=about)


async def tell_one(
    tx: Transaction, now: datetime, doctor: str, post: str, kind: str, actor: str, *, about: str
) -> None:  # fmt: skip
    """Tell one doctor of ours, if they may see the post and have not muted it."""
    added = await tx.run(
        "cases.tell",
        reader=doctor,
        doctor=doctor,
        id=new_ulid(now),
        kind=kind,
        actor=actor,
        post=post,
        object=about,
        now=to_ms(now),
    )
    if added:
        await notices.tell_elsewhere(tx, doctor, kind, to_ms(now))
