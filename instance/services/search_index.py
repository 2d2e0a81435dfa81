"""Making posts and answers findable: what the database has noted as due is read, folded, and put into the index.

It is noted in the transaction of the post itself (`search_due`), and what is changed, withdrawn or purged leaves the
index in that same transaction; only the putting in waits, for about a second. So a crash loses nothing, and filling
the index for rows that were here before it is the same work, which goes on wherever it was stopped.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING, Final

from instance import searching
from instance.storage.store import Reader, Row, Transaction

if TYPE_CHECKING:
    from instance.wiring import Node

#: So many at once: some tens of milliseconds of the one connection that writes.
BATCH: Final = 50
#: Seconds until it is looked again, and how many commits in that time say that others need the machine.
PAUSE: Final = 1.0
BUSY: Final = 10
#: From so many on that wait, progress is told, and readers are that older posts are still missing.
MANY: Final = 1_000
#: How often progress is told while a great many are put in.
_TOLD_EVERY: Final = 5_000
#: The time in a number of the index; the rest keeps those of one millisecond apart.
_TIME_BITS: Final = 20
_LAST: Final = 2**43 - 1
_WORDS: Final = {"post": searching.post_words, "comment": searching.comment_words}
#: Pages of the index that are merged at once, and how often in one go.
_PAGES: Final = 200
_MERGES: Final = 8


class SearchIndex:
    """The index of one instance, as far as it has to be filled; pages read it by `instance.views.search`."""

    def __init__(self, node: Node) -> None:
        self._node, self._since_told = node, 0
        self._commits = 0

    async def fill_some(self) -> int:
        """Make the newest of what is due findable; return how many were looked at."""
        if not await self._node.store.few("search.due", count=1):
            return 0
        read = await self._node.store.read(_due)
        folded = await asyncio.to_thread(_folded, read)

        async def work(tx: Transaction) -> None:
            for due, row, words in folded:
                await _put(tx, due, row, words)

        await self._node.store.write(work)
        await self._tell(len(read))
        return len(read)

    async def fill_all(self) -> None:
        """Go on until nothing is due."""
        while await self.fill_some():
            pass

    async def fill_for_ever(self) -> None:
        """Look every second; while much is due go on at half speed, and while much is written besides, hardly."""
        while True:
            begun, others = monotonic(), self._node.store.commits - self._commits
            done = await self.fill_some()
            self._commits = self._node.store.commits
            await asyncio.sleep(PAUSE if done < BATCH or others > BUSY else monotonic() - begun)

    async def tidy(self) -> None:
        """Merge a part of SQLite's index, so that what was taken out of it leaves the file as well."""

        async def work(tx: Transaction, pages: int) -> None:
            await tx.run("search.merge", pages=pages)

        for step in range(_MERGES):
            # A negative number begins a merge of everything, a positive one goes on with it.
            pages = _PAGES if step else -_PAGES
            await self._node.store.write(lambda tx, pages=pages: work(tx, pages))  # type: ignore[misc]

    async def _tell(self, number: int) -> None:
        """Say how far a long filling has come, and when it is through."""
        self._since_told += number
        if number == BATCH and self._since_told < _TOLD_EVERY:
            return
        long, self._since_told = self._since_told >= MANY, 0
        if long:
            row = await self._node.store.one("search.remaining")
            self._node.log.info("search_filling", count=row["number"] if row else 0)


async def _due(rows: Reader) -> list[tuple[Row, Row | None]]:
    due = await rows.all("search.due", count=BATCH)
    return [(entry, await rows.one(f"search.{entry['kind']}", uri=entry["object"])) for entry in due]


def _folded(read: Sequence[tuple[Row, Row | None]]) -> list[tuple[Row, Row | None, str]]:
    return [(due, row, _WORDS[due["kind"]](row) if row else "") for due, row in read]


async def _put(tx: Transaction, due: Row, row: Row | None, words: str) -> None:
    """Put one in, unless another process has, or it is gone; what was changed since it was read is due again."""
    uri = due["object"]
    if not await tx.run("search.done", at=due["at"], object=uri) or row is None:
        return
    await tx.run("search.drop", object=uri)
    if not await tx.run(
        f"search.keep_{due['kind']}", id=_number(due["at"]), object=uri, words=words, version=row["version"]
    ):
        await tx.run("search.again", **due)


def _number(at: int) -> int:
    """A number that rises with the time, and is nobody's to foresee."""
    return (min(max(at, 0), _LAST) << _TIME_BITS) | secrets.randbits(_TIME_BITS)
