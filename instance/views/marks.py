"""The mark beside a name: whether a doctor is shown as verified at this moment, and the one place that says so."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from federation.allowlist import Listed
from instance.times import to_ms

if TYPE_CHECKING:
    from instance.wiring import Node


#: The standing that queries show of whoever has moved, whatever it is at their old home.
MOVED: Final = "moved"


class Moment(NamedTuple):
    """When a page is shown, in milliseconds, and which siblings have not confirmed their doctors for too long."""

    now: int
    #: By the host in a doctor's address: since when, in milliseconds.
    silent: Mapping[str, int] = {}
    #: By the host in a doctor's address: instances that are in our federation no more.
    former: Container[str] = ()


class Mark(NamedTuple):
    """What stands beside a name; `silent_since` where home has not confirmed since then (milliseconds)."""

    verified: bool
    silent_since: int | None = None
    #: Whether the doctor goes on at another instance: verified when what stands here was written.
    moved: bool = False
    #: Whether the doctor's instance is in our federation no more.
    former: bool = False


def moment(node: Node) -> Moment:
    """Return the moment at which a page is made."""
    silent = {authority: to_ms(at) for authority, at in node.directory.lists.silent().items()}
    return Moment(to_ms(node.clock()), {**silent, **_unconfirmed(node)}, node.allowlist.former)


def _unconfirmed(node: Node) -> dict[str, int]:
    """Since when members that the federation list keeps out vouch for nobody: what came from there is labelled.

    Of a list that has run out that is its end, of a member that is no longer active the beginning of the list.
    """
    known, found = node.allowlist(), node.allowlist.federation_list
    if known.list_state is Listed.UNASKED or found is None:
        return {}
    since = to_ms(found.valid_until if known.list_state is Listed.EXPIRED else found.valid_from)
    return {each.actor.authority: since for each in known if each.listed is not Listed.ACTIVE}


def mark(standing: str, valid_until: int | None, address: str, at: Moment) -> Mark:
    """Return the mark of the doctor with this address."""
    if at.former and address.partition("@")[2] in at.former:
        return Mark(verified=False, former=True)
    if standing != "ok" or valid_until is None or at.now > valid_until:
        return Mark(verified=False, moved=standing == MOVED)
    since = at.silent.get(address.partition("@")[2]) if at.silent else None
    return Mark(verified=since is None, silent_since=since)
