"""Whom an answer mentions: doctors whose address stands in its text, and who may see the post it belongs to.

Everybody else stays text: nobody is told of what they may not see, and nobody learns who may.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from federation.errors import Refused
from federation.uri import Uri
from federation.vocabulary import Audience, Mention
from instance.storage.store import Row
from instance.text import Mentioned, mentioned

if TYPE_CHECKING:
    from instance.wiring import Node

#: So many in one answer; further ones stay text.
MOST: Final = 10
#: Of doctors who are not known here, so many are asked for at their homes.
MOST_ASKED: Final = 3


async def found(
    node: Node, author: str, post: Row, text: str, reached: Collection[str]
) -> dict[str, Mentioned]:  # fmt: skip
    """Return the doctors mentioned by the addresses in the text; `reached` are the origins that the answer goes to."""
    known: dict[str, Mentioned] = {}
    asked = 0
    for address in mentioned(text)[: MOST * 3]:
        if len(known) == MOST:
            break
        row = await node.store.one("cases.mentionable", address=address.removesuffix("@" + node.authority))
        if row is None and "@" in address and asked < MOST_ASKED and post["audience"] == Audience.FEDERATION:
            asked += 1
            row = await _ask(node, address)
        if row is not None and row["uri"] != author and await _may_see(node, author, post, row, reached):
            known[address] = Mentioned(row["uri"], f"@{row['handle']}@{Uri.parse(row['uri']).authority}")
    return known


def tags(known: Collection[Mentioned]) -> tuple[Mention, ...]:
    """The tags that tell them."""
    return tuple(Mention(href=Uri.parse(uri), name=shown) for uri, shown in sorted(set(known)))


async def _ask(node: Node, address: str) -> Row | None:
    try:
        known = await node.directory.find_handle(address)
    except (Refused, ValueError):
        return None
    return await node.store.one("cases.mentionable", address=known.address)


async def _may_see(node: Node, author: str, post: Row, row: Row, reached: Collection[str]) -> bool:
    if row["standing"] != "ok" or row["gone_at"] is not None:
        return False
    if not row["local"] and (post["audience"] == Audience.NATIONAL or row["origin"] not in {*reached, post["origin"]}):
        return False
    if await node.store.all("follows.blocked_between", one=author, other=row["uri"]):
        return False
    return await node.store.one("posts.visible", slug=post["slug"], reader=row["uri"]) is not None
