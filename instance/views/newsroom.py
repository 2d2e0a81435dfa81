"""The sources of imported news, and what came from one, for those who keep them."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from instance.services.errors import Missing
from instance.storage.store import Store

#: So many items of a source stand on its page.
SHOWN: Final = 300


class Source(Struct, frozen=True, kw_only=True):
    """A source, and how reading it went."""

    id: str
    name: str
    specialty: str
    language: str
    #: Empty where feeds are brought as files.
    address: str
    added_by: str
    added_at: int
    approved_by: str | None
    approved_at: int | None
    next_at: int | None
    read_at: int | None
    #: Why the last reading failed; empty where it did not.
    last_code: str
    shown: int


class Item(Struct, frozen=True, kw_only=True):
    """One item of a source."""

    id: str
    title: str
    link: str
    sort_at: int


async def sources(store: Store) -> list[Source]:
    """Return every source, those that wait for approval first."""
    return [Source(**row) for row in await store.all("news.sources")]


async def source(store: Store, id: str) -> Source:
    """Return one source; raise Missing."""
    found = next((each for each in await sources(store) if each.id == id), None)
    if found is None:
        raise Missing
    return found


async def items(store: Store, id: str) -> list[Item]:
    """Return what is shown of a source, the newest first."""
    return [Item(**row) for row in await store.all("news.items_of_source", source=id, count=SHOWN)]
