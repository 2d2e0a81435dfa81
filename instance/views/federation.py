"""Our federation: whom this instance talks to, who vouched for them, and since when."""

from __future__ import annotations

from msgspec import Struct

from instance.storage.store import Reader


class SiblingRow(Struct, frozen=True, kw_only=True):
    """One sibling as doctors see it."""

    origin: str
    name: str
    country: str
    policy: str
    source: str
    vouched_by: str
    since: int
    contact: str
    last_in_at: int | None
    last_out_at: int | None
    last_fault_at: int | None

    @property
    def last_contact(self) -> int | None:
        """When we last heard from it or reached it."""
        known = [at for at in (self.last_in_at, self.last_out_at) if at is not None]
        return max(known, default=None)


async def siblings(store: Reader) -> list[SiblingRow]:
    """Return every sibling, by name."""
    return [SiblingRow(**row) for row in await store.all("views.siblings")]
