"""Our federation: whom this instance talks to, who vouched for them, since when, and who is in it no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from federation import allowlist_changes
from federation.allowlist import Allowlist, Direction, LocalPolicy

if TYPE_CHECKING:
    from instance.wiring import Node


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
    #: Whether something beside the policy here closes it.
    closed: bool = False

    @property
    def last_contact(self) -> int | None:
        """When we last heard from it or reached it."""
        known = [at for at in (self.last_in_at, self.last_out_at) if at is not None]
        return max(known, default=None)


class FormerRow(Struct, frozen=True, kw_only=True):
    """An instance that was expelled or has left, as doctors see it."""

    name: str
    country: str
    expelled_at: int


class OurFederation(Struct, frozen=True, kw_only=True):
    """Who is in it. Nobody where the list cannot be read, whatever stands in its rows."""

    readable: bool
    siblings: list[SiblingRow]
    former: list[FormerRow]


async def ours(node: Node) -> OurFederation:
    """Return every sibling by name, as the list in force has it, and whoever was expelled or has left."""
    allowlist = await node.allowlist.refresh_if_changed()
    if not node.allowlist.readable:
        return OurFederation(readable=False, siblings=[], former=[])
    gone = await node.store.all("farewells.all")
    left = {row["origin"] for row in gone}
    siblings = [
        SiblingRow(**row, closed=_is_closed(allowlist, row["origin"]))
        for row in await node.store.all("views.siblings")
        if allowlist.find(row["origin"]) is not None and row["origin"] not in left
    ]
    former = [
        FormerRow(name=row["name"], country=row["country"], expelled_at=row["expelled_at"]) for row in gone
    ]  # fmt: skip
    return OurFederation(readable=True, siblings=siblings, former=former)


def _is_closed(allowlist: Allowlist, origin: str) -> bool:
    """Whether it may not send here, although the policy here lets it."""
    found = allowlist_changes.effect(allowlist, origin)
    return found.policy is LocalPolicy.INHERIT and bool(found.refused[Direction.IN])
