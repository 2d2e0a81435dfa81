"""Whom a post for named doctors, or a question, names.

Found by address, in good standing, in reach, and on terms with its author.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from federation.allowlist import Direction
from federation.errors import Refused
from federation.sibling_sets import Passage
from federation.vocabulary import Audience, PostKind
from instance.services import contact, drafts
from instance.services.drafts import PostDraft
from instance.services.errors import Rejected
from instance.storage.store import Row

if TYPE_CHECKING:
    from instance.wiring import Node


async def named(node: Node, draft: PostDraft, author: Row, already: Collection[str] = ()) -> tuple[Row, ...]:
    """Return the doctors a draft names, each once, without its author; raise Rejected for one who cannot be named.

    `already` are those an earlier version named.
    """
    if draft.audience != Audience.NAMED and draft.kind != PostKind.QUESTION:
        return ()
    addresses = tuple(dict.fromkeys(draft.named))
    if len(addresses) > drafts.MAX_NAMED:
        raise Rejected("too_many_named", "named")
    found = [await _one(node, address) for address in addresses]
    others = {row["uri"]: row for row in found if row["uri"] != author["uri"]}
    for row in others.values():
        await _require_terms(node, author["uri"], row["uri"], already)
        if row["uri"] not in already and not await contact.may_name(node.store, row["uri"], author["uri"]):
            raise Rejected("named_closed", "named")
        _require_reach(node, row, draft.kind)
        await _require_inside(node, draft.audience, author["uri"], row)
    if draft.audience == Audience.NAMED:
        _require_together(node, {row["origin"] for row in others.values()})
    return tuple(others.values())


async def _one(node: Node, address: str) -> Row:
    plain = address.strip().removeprefix("@").removesuffix("@" + node.authority)
    row = await node.store.one("people.by_address", address=plain)
    if row is None and "@" in plain:
        try:
            known = await node.directory.find_handle(plain)
        except (Refused, ValueError):
            raise Rejected("named_unknown", "named") from None
        row = await node.store.one("people.by_address", address=known.address)
    if row is None or row["gone_at"] is not None or row["standing"] != "ok":
        raise Rejected("named_unknown", "named")
    return row


async def _require_terms(node: Node, author: str, other: str, already: Collection[str]) -> None:
    """Raise where one of the two has blocked the other, in the words for somebody nobody knows.

    Who has blocked the author since they were named is left alone: they see nothing of the post, and an author who
    must take them out would learn why.
    """
    for row in await node.store.all("follows.blocked_between", one=author, other=other):
        if row["doctor"] == author or other not in already:
            raise Rejected("named_unknown", "named")


def _require_reach(node: Node, row: Row, kind: str) -> None:
    if row["local"]:
        return
    sibling = node.allowlist().find(row["origin"])
    if sibling is None or sibling.refusal(Direction.OUT) is not None:
        raise Rejected("sibling_closed", "named")
    if kind not in sibling.kinds_out:
        raise Rejected("kind_not_federated", "audience")


async def _require_inside(node: Node, audience: str, author: str, row: Row) -> None:
    """Raise where a question asks somebody who could not read it: nobody is told of what is closed to them."""
    if audience == Audience.NATIONAL and not row["local"]:
        raise Rejected("asked_outside", "named")
    if audience == Audience.COLLEAGUES:
        found = await node.store.one("follows.get", follower=row["uri"], followee=author)
        if found is None or found["state"] != "accepted":
            raise Rejected("asked_outside", "named")


def _require_together(node: Node, origins: set[str]) -> None:
    """Raise where two of their instances do not speak with each other: neither would be told who else is asked (N3).

    What is not known yet waits on its way.
    """
    if any(node.sets.passage(origins, each) is Passage.CLOSED for each in origins):
        raise Rejected("named_apart", "named")
