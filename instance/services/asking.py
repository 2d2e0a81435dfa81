"""Questions to colleagues: whom a question asks, and how long askers wait.

A question asks the doctors of its specialties, or those of a country, or colleagues by name. Those named have a notice
each. The others have none of their own: the question stands once for each specialty or country, and who that is, and
whether they may see it or have muted or blocked its author, is asked when they read their notices. A question to forty
thousand doctors is one row.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from federation.vocabulary import Audience, PostKind
from instance.ids import new_ulid
from instance.services import notices
from instance.storage.store import Transaction
from instance.times import to_ms

if TYPE_CHECKING:
    from instance.wiring import Node

#: The tag by which doctors call on colleagues, as they type it.
TAG: Final = "#doctoctoc"
#: So long a question is a notice to whom it asks; one that comes when it is older is none.
A_NOTICE_FOR: Final = timedelta(days=30)
STILL_NEWS: Final = timedelta(days=7)
#: What the figure is taken of, how often it is taken, and of how many posts at least.
SPAN: Final = timedelta(days=30)
TAKEN_EVERY: Final = timedelta(minutes=5)
FEWEST: Final = 3
_TYPED: Final = re.compile(rf"(?<![\w#]){TAG}(?!\w)", re.IGNORECASE)


def calls(*texts: str) -> bool:
    """Whether the tag stands in any of these texts."""
    return any(_TYPED.search(text) for text in texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A post as far as it may ask somebody."""

    uri: str
    kind: str
    audience: str
    specialties: Sequence[str]
    country: str
    published: datetime

    def whom(self) -> list[str]:
        """Whom it asks; nobody where it is no question, or asks those alone whom it is for by name."""
        if self.kind != PostKind.QUESTION or self.audience == Audience.NAMED:
            return []
        return [f"country:{self.country}"] if self.country else [f"specialty:{slug}" for slug in self.specialties]


async def ask(tx: Transaction, asking: Asking, now: datetime) -> None:
    """Let a question stand in the notices of those it asks, in the place of an earlier version; a late one in none."""
    await tx.run("askings.country", uri=asking.uri, country=asking.country if asking.kind == PostKind.QUESTION else "")
    before = await tx.one("askings.of_post", post=asking.uri)
    told = {row["whom"] for row in await tx.all("askings.whom", post=asking.uri)}
    if before is not None:
        await tx.run("askings.drop", post=asking.uri)
    elif now - asking.published > STILL_NEWS:
        return
    id, at = (str(before["id"]), int(before["at"])) if before else (new_ulid(now), to_ms(now))
    for whom in asking.whom():
        await tx.run("askings.forget", whom=whom, before=to_ms(now - A_NOTICE_FOR))
        await tx.run("askings.add", whom=whom, post=asking.uri, id=id, at=at)
        if whom not in told:
            await notices.tell_many_elsewhere(tx, whom, "asked", since=at, at=to_ms(now))


class Waiting:
    """How long half of those who ask wait for their first answer: one figure, shared by all readers."""

    def __init__(self, node: Node) -> None:
        self._node, self._lock = node, asyncio.Lock()
        self._taken: datetime | None = None
        self._median: int | None = None

    async def median(self) -> int | None:
        """Return milliseconds, some minutes old at most; None while too few posts were answered."""
        if self._is_old():
            async with self._lock:
                if self._is_old():
                    await self._take()
        return self._median

    def _is_old(self) -> bool:
        now = self._node.clock()
        return self._taken is None or not timedelta(0) <= now - self._taken < TAKEN_EVERY

    async def _take(self) -> None:
        now = self._node.clock()
        (row,) = await self._node.store.all("askings.median", since=to_ms(now - SPAN))
        self._median = max(0, int(row["median"])) if row["number"] >= FEWEST else None
        self._taken = now
