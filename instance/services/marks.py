"""What a reader keeps of a case: whether they follow or mute it, have saved it, and when they looked last.

None of it leaves home, and nobody but the reader is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from instance.services.errors import Missing, Rejected
from instance.storage.store import Row, Transaction
from instance.times import to_ms

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = ("bad_mark",)
#: What may be set, and taken back.
_QUERIES: Final = {
    "follow": ("cases.follow", "cases.unfollow"),
    "mute": ("cases.mute", "cases.unmute"),
    "save": ("cases.save", "cases.unsave"),
}
MARKS: Final = tuple(_QUERIES)


class Marks:
    """What a reader keeps of the posts they may see."""

    _node: Node

    async def mark(self, doctor_uri: str, slug: str, what: str, *, undo: bool = False) -> None:
        """Follow, mute or save a post, or take that back. Twice is once; following ends muting, and the other way."""
        if what not in _QUERIES:
            raise Rejected("bad_mark")
        post = await self._seen(doctor_uri, slug)
        await self._keep_mark(_QUERIES[what][int(undo)], doctor_uri, post["uri"], now=not undo)

    async def unsave(self, doctor_uri: str, post_uri: str) -> None:
        """Take a post off the list of those saved, also one that is gone."""
        await self._keep_mark("cases.unsave", doctor_uri, post_uri, now=False)

    async def visited(self, doctor_uri: str, post_uri: str, at: int) -> None:
        """Note until when a reader has seen what there is; an earlier time changes nothing."""

        async def work(tx: Transaction) -> None:
            await tx.run("cases.visit", doctor=doctor_uri, post=post_uri, at=at)

        await self._node.store.write(work)

    async def _seen(self, doctor_uri: str, slug: str) -> Row:
        row = await self._node.store.one("posts.visible", slug=slug, reader=doctor_uri)
        if row is None:
            raise Missing()
        return row

    async def _keep_mark(self, query: str, doctor: str, post: str, *, now: bool) -> None:
        when = {"now": to_ms(self._node.clock())} if now else {}

        async def work(tx: Transaction) -> None:
            await tx.run(query, doctor=doctor, post=post, **when)

        await self._node.store.write(work)
