"""What happened that concerns the reader; never the clinical text itself."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from instance.storage.store import Reader

PAGE_SIZE: Final = 40
_LAST: Final = "~"


class Notice(Struct, frozen=True, kw_only=True):
    """One notice: who did what, and where it leads. Without a name it came from an instance."""

    id: str
    kind: str
    post: str
    object: str
    at: int
    read_at: int | None
    name: str | None
    address: str | None
    role: str | None
    country: str | None
    title: str
    title_language: str
    comment: str


class NoticePage(Struct, frozen=True, kw_only=True):
    """A page of notices, newest first, and the cursor of the next."""

    notices: list[Notice]
    next: str = ""


async def notices(store: Reader, reader: str, before: str = "", count: int = PAGE_SIZE) -> NoticePage:
    """Return the reader's notices; those of posts no longer visible to them are left out."""
    rows = await store.all("views.notices", reader=reader, before=before or _LAST, count=count + 1)
    shown = [Notice(**row) for row in rows[:count]]
    return NoticePage(notices=shown, next=shown[-1].id if len(rows) > count else "")


async def unread(store: Reader, reader: str) -> int:
    """Return how many of the last fifty are new."""
    row = await store.one("views.unread", reader=reader)
    return int(row["unread"]) if row else 0
