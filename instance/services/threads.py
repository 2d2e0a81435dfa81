"""Whether a thread is whole: what its home lists (FEP-7888, FEP-f228) beside what is here, and what is missing fetched.

    wanted      somebody reads a post of a sibling's: its thread is compared, at most every few minutes
    compare     the home's `context` collection, signed, against the answers that are here
    fetch       each missing answer at its author's home, through the rules for what is sent: at most twenty requests

What cannot be had yet is counted, and the page says so; what our own rules keep out is counted apart. Nobody waits.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from federation import parse
from federation.allowlist import Direction, Sibling
from federation.delivery import is_final
from federation.errors import Malformed, Refused
from federation.inbox import require_listed
from federation.uri import BadUri, Uri
from federation.vocabulary import Collection, Comment, Create
from instance.services.fetching import Fetcher, NotThere
from instance.storage.store import Transaction

if TYPE_CHECKING:
    from instance.wiring import Node

EVERY: Final = timedelta(minutes=5)
#: Requests of one comparison, the collection among them (security: limits).
FETCHES: Final = 20
#: Answers looked at: what a home lists.
MOST: Final = 1_000
AT_ONCE: Final = 4
_REMEMBERED: Final = 2_000


class Threads:
    """The threads of siblings' posts that are being read here."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._fetcher = Fetcher(node)
        self._looked: OrderedDict[str, datetime] = OrderedDict()
        self._wanted: OrderedDict[str, None] = OrderedDict()
        self._work: dict[str, asyncio.Task[None]] = {}

    def wanted(self, post: str) -> None:
        """Have the thread of a sibling's post compared, unless that was done a moment ago; costs no look at a row."""
        last, now = self._looked.get(post), self._node.clock()
        if (last is None or not timedelta(0) <= now - last < EVERY) and len(self._wanted) < _REMEMBERED:
            self._wanted[post] = None

    async def begin_due(self) -> int:
        """Begin to compare what is wanted, a few at once and one at a time of each home; return how many were begun."""
        begun = 0
        for post in list(self._wanted):
            origin = Uri.parse(post).origin
            if len(self._work) >= AT_ONCE:
                break
            if origin not in self._work:
                del self._wanted[post]
                self._note(post)
                self._work[origin] = asyncio.create_task(self._compare_safely(origin, post), name=f"thread at {origin}")
                begun += 1
        return begun

    async def poll_due(self) -> None:
        """Compare everything that is wanted, and wait for it."""
        while self._wanted or self._work:
            await self.begin_due()
            if self._work:
                await asyncio.wait(self._work.values())

    async def stop(self) -> None:
        """Let go of what is being compared."""
        work, self._work = self._work, {}
        for task in work.values():
            task.cancel()
        await asyncio.gather(*work.values(), return_exceptions=True)

    async def sweep(self) -> None:
        """Forget what was missing in threads that are gone."""

        async def work(tx: Transaction) -> None:
            await tx.run("threads.forget")

        await self._node.store.write(work)

    # ── parts ──

    def _note(self, post: str) -> None:
        self._looked[post] = self._node.clock()
        self._looked.move_to_end(post)
        if len(self._looked) > _REMEMBERED:
            self._looked.popitem(last=False)

    async def _compare_safely(self, origin: str, post: str) -> None:
        try:
            await self._compare(Uri.parse(post))
        except Refused as refusal:
            self._node.log.info("thread_not_read", sibling=origin, code=refusal.answer_code)
        except Exception as fault:
            self._node.log.error("thread_not_read", sibling=origin, exc_info=fault)
        finally:
            self._work.pop(origin, None)

    async def _compare(self, post: Uri) -> None:
        sibling = self._node.allowlist().require(post.origin, Direction.FETCH)
        if await self._node.store.one("threads.post", uri=post) is None:
            return
        listed = await self._listed(post, sibling)
        here = {row["uri"] for row in await self._node.store.all("threads.here", post=post)}
        missing = [uri for uri in listed if uri not in here and not await self._is_withdrawn(uri)]
        closed = await self._fetch(post, missing)

        async def work(tx: Transaction) -> None:
            await tx.run("threads.drop_missing", post=post)
            await tx.many(
                "threads.add_missing", [{"post": post, "uri": uri, "closed": int(uri in closed)} for uri in missing]
            )

        await self._node.store.write(work)

    async def _listed(self, post: Uri, sibling: Sibling) -> Sequence[Uri]:
        """The answers in the home's own list; our own doctors' are here, or taken back."""
        url = Uri.parse(f"{post}/context")
        found = parse.thing(await self._fetcher.document(url, sibling))
        if not isinstance(found, Collection) or found.id != url:
            raise Malformed("no thread")
        return [uri for uri in dict.fromkeys(found.items[:MOST]) if uri.origin != self._node.origin]

    async def _is_withdrawn(self, uri: Uri) -> bool:
        return await self._node.store.one("threads.withdrawn", uri=uri) is not None

    async def _fetch(self, post: Uri, missing: Sequence[Uri]) -> set[Uri]:
        """Fetch what may be fetched, the oldest first; return what our own rules keep out."""
        closed: set[Uri] = set()
        left = FETCHES - 1
        for uri in missing:
            allowlist = self._node.allowlist()
            if not (allowlist.permits(uri.origin, Direction.FETCH) and allowlist.permits(uri.origin, Direction.IN)):
                closed.add(uri)
                continue
            if left == 0:
                continue
            left -= 1
            try:
                await self._take(post, uri, allowlist.require(uri.origin, Direction.FETCH))
            except NotThere:
                continue  # not for us at its author's home; the home of the thread may still pass it on
            except Refused as refusal:
                if is_final(refusal.http_status, refusal.answer_code):
                    closed.add(uri)
            except BadUri:
                closed.add(uri)
        return closed

    async def _take(self, post: Uri, uri: Uri, sibling: Sibling) -> None:
        """Read one answer at its author's home and keep it as if it had been sent (steps 15 to 18 at the door)."""
        node = self._node
        thing = parse.thing(await self._fetcher.document(uri, sibling))
        if not isinstance(thing, Comment) or thing.id != uri or thing.context != post:
            raise Malformed("no answer of this thread")
        if thing.author.origin != uri.origin:
            raise Malformed("somebody else's words")
        require_listed(parse.addressed_hosts(thing), node.origin, node.allowlist())
        if (await node.directory(thing.author, sibling)).held is not None:
            return
        # Its own Create may still come; then it finds what it says here already.
        create = Create(id=uri, actor=thing.author, to=thing.to, cc=thing.cc, published=thing.published, object=thing)
        into = await node.apply.prepare(create, b"", sibling)

        async def work(tx: Transaction) -> None:
            await tx.take_turn(thing.author)
            await node.apply(tx, into)

        await node.store.write(work)
