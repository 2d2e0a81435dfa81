"""Doctors of siblings whom this instance has never met: each sibling's list of its doctors is read, so they are found.

A doctor is told of to every sibling by the Update that follows a decision, and known from the first message. Who was
recognised before two instances met, or was added at the command line, is told of by neither: the list closes that gap.
It is read when a sibling is new here, and once a day; who stands on it unknown is read at home and judged like anybody.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import orjson

from federation import parse
from federation.allowlist import Direction, Sibling
from federation.errors import Refused, TooManyRequests
from federation.uri import Uri
from federation.vocabulary import Collection
from instance.services.fetching import Fetcher, NotReached, NotThere
from instance.storage.store import Transaction
from instance.times import to_ms

if TYPE_CHECKING:
    from instance.wiring import Node

PATH: Final = "/directory"
#: How often a whole list is read, and when a reading that was broken off goes on.
EVERY: Final = timedelta(days=1)
SOON: Final = timedelta(minutes=1)
LATER: Final = timedelta(minutes=10)
#: Pages and unknown doctors read in one go: half of what a sibling may be asked in a minute; messages have the other.
MOST: Final = 30
#: Doctors on one page; a page with more is none of ours.
PAGE: Final = 200
AT_ONCE: Final = 4


class SiblingDirectories:
    """The lists of all siblings, as far as they are read."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._fetcher = Fetcher(node)
        self._readings: dict[str, asyncio.Task[None]] = {}
        self._known_due: dict[str, int] | None = None
        #: Who was asked for in the present reading of a list, and is nobody whom we may believe.
        self._passed: dict[str, set[Uri]] = {}

    async def begin_due(self) -> int:
        """Begin to read the lists that are due; return how many were begun."""
        due = await self._due_times()
        now = to_ms(self._node.clock())
        siblings = {each.origin: each for each in self._node.allowlist().open_to(Direction.FETCH)}
        for origin in due.keys() - siblings.keys():  # their rows say how it goes on, or are gone
            del due[origin]
            self._passed.pop(origin, None)
        begun = 0
        for sibling in siblings.values():
            free = len(self._readings) < AT_ONCE and sibling.origin not in self._readings
            if free and due.get(sibling.origin, 0) <= now:
                task = asyncio.create_task(self._read_safely(sibling), name=f"doctors of {sibling.origin}")
                self._readings[sibling.origin] = task
                begun += 1
        return begun

    async def poll_due(self) -> int:
        """The same, and wait for it."""
        begun = await self.begin_due()
        while self._readings:
            await asyncio.wait(self._readings.values())
        return begun

    async def stop(self) -> None:
        """Let go of what is being read; it goes on from the last page."""
        readings, self._readings = self._readings, {}
        for reading in readings.values():
            reading.cancel()
        await asyncio.gather(*readings.values(), return_exceptions=True)

    async def _due_times(self) -> dict[str, int]:
        if self._known_due is None:
            rows = await self._node.store.all("sibling_directories.all")
            self._known_due = {row["origin"]: int(row["next_at"]) for row in rows}
        return self._known_due

    async def _read_safely(self, sibling: Sibling) -> None:
        try:
            after, wait = await self._read(sibling)
        except Exception as fault:  # a defect, or the database is away; the others are read on
            self._node.log.error("directory_not_read", sibling=sibling.origin, exc_info=fault)
            after, wait = None, LATER
        finally:
            self._readings.pop(sibling.origin, None)
        if after == "":
            self._passed.pop(sibling.origin, None)
        await self._settle(sibling.origin, after, wait)

    async def _settle(self, origin: str, after: str | None, wait: timedelta) -> None:
        next_at = to_ms(self._node.clock() + wait)
        (await self._due_times())[origin] = next_at

        async def work(tx: Transaction) -> None:
            await tx.run("sibling_directories.settle", origin=origin, after=after, next_at=next_at)

        await self._node.store.write(work)

    async def _read(self, sibling: Sibling) -> tuple[str | None, timedelta]:
        """Read on; return the page to go on with (None: the same, empty: from the beginning) and after how long."""
        row = await self._node.store.one("sibling_directories.one", origin=sibling.origin)
        now = to_ms(self._node.clock())
        if row is not None and int(row["next_at"]) > now:  # another process has read on
            return None, timedelta(milliseconds=int(row["next_at"]) - now)
        after, read = (str(row["after"]) if row is not None else ""), 0
        while True:
            try:
                page = await self._page(sibling, after)
                read += await self._meet(sibling, page, MOST - read)
            except NotThere:
                return "", EVERY  # a sibling that keeps no such list, or none for us
            except TooManyRequests:
                return after, SOON
            except Refused as refusal:
                self._node.log.info("directory_not_read", sibling=sibling.origin, code=refusal.answer_code)
                return after, LATER
            if read >= MOST:
                return after, SOON
            if page.next is None:
                return "", EVERY
            further = _after(page.next, sibling.origin)
            if further is None or further <= after:  # it never comes to an end
                return "", EVERY
            after, read = further, read + 1
            if read >= MOST:
                return after, SOON

    async def _page(self, sibling: Sibling, after: str) -> Collection:
        url = Uri.parse(f"{sibling.origin}{PATH}" + (f"/{after}" if after else ""))
        page = parse.collection_page(await self._fetcher.document(url, sibling))
        if len(page.items) > PAGE:
            raise NotThere("more on one page than a page holds")
        return page

    async def _meet(self, sibling: Sibling, page: Collection, most: int) -> int:
        """Read those on the page who are not known, as many as may be now; return how many were asked for."""
        ours = [uri for uri in page.items if uri.origin == sibling.origin]  # nobody lists another's doctors
        rows = await self._node.store.all("sibling_directories.known", uris=orjson.dumps(ours).decode())
        known, passed, asked = {row["uri"] for row in rows}, self._passed.setdefault(sibling.origin, set()), 0
        for uri in ours:
            if uri in known or uri in passed:
                continue
            if asked >= most:
                break
            asked += 1
            try:
                await self._node.directory.doctor(uri, sibling)
            except (NotReached, TooManyRequests):
                raise
            except Refused:
                passed.add(uri)
        return asked


def _after(url: Uri, origin: str) -> str | None:
    """The handle that the next page begins behind; None for a page that is none of the list's."""
    stem = f"{origin}{PATH}/"
    return str(url).removeprefix(stem) if url.startswith(stem) and "/" not in url[len(stem) :] else None
