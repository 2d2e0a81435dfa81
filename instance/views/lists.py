"""A doctor's own lists: which there are, which hold a colleague, and what those on one have written."""

from __future__ import annotations

from msgspec import Struct

from instance.services.errors import Missing
from instance.storage.store import Store
from instance.views import feed


class OwnList(Struct, frozen=True, kw_only=True):
    """A list on the page of lists; `members` counts whom its page shows."""

    id: str
    name: str
    folded: str
    members: int


class Holding(Struct, frozen=True, kw_only=True):
    """A list beside a colleague: whether it holds them."""

    id: str
    name: str
    has: int


async def mine(store: Store, reader: str) -> list[OwnList]:
    """Return the reader's lists, by name."""
    return [OwnList(**row) for row in await store.all("lists.mine", reader=reader)]


async def beside(store: Store, reader: str, doctor: str) -> list[Holding]:
    """Return the reader's lists, each with whether this doctor is on it."""
    return [Holding(**row) for row in await store.all("lists.with", reader=reader, doctor=doctor)]


async def name_of(store: Store, reader: str, list_id: str) -> str:
    """Return the name of an own list; raise Missing for another's as for none."""
    row = await store.one("lists.one", reader=reader, id=list_id)
    if row is None:
        raise Missing
    return str(row["name"])


async def posts(store: Store, reader: str, list_id: str, *, before: str = "") -> feed.FeedPage:
    """Return a page of what those on the list have written and the reader may see; nothing of somebody muted."""
    return await feed.of_list(store, reader, list_id, before=before)
