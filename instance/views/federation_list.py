"""The federation list as administrators and governors see it: who signed it, how long it holds, whom it names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from federation import membership
from federation.allowlist import Listed
from federation.membership import FederationList, Member, MemberStatus
from federation.membership_changes import differences
from instance.services import federation_list_impact as impact
from instance.services.federation_list_holders import Holder
from instance.services.federation_list_impact import Impact
from instance.services.federation_list_rows import Reading
from instance.times import from_ms

if TYPE_CHECKING:
    from instance.wiring import Node

_DAY: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberLine:
    """One member, and what this instance makes of it."""

    member: Member
    own: bool
    #: The local policy of its entry here; None where there is none.
    policy: str | None
    #: Whether it waits for people, because the list pins no key of it.
    waits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """Everything the page shows; `found` is None where no list counts."""

    state: Listed
    url: str
    reading: Reading
    found: FederationList | None
    adopted_at: datetime | None = None
    source: str = ""
    #: Seconds until it runs out, below 0 beyond.
    left: float = 0
    #: The signers that judged it, each with whether they have signed.
    signers: tuple[tuple[str, bool], ...] = ()
    threshold: int = 0
    #: Where the list changes who signs: the set that judges the next.
    next_signers: tuple[str, ...] = ()
    members: tuple[MemberLine, ...] = ()
    own_listed: bool = False
    #: Entries here that are not on it.
    others: tuple[str, ...] = ()
    #: What it opened, closed and touched here when it was adopted.
    changes: tuple[Impact, ...] = ()
    #: Who signs from now on, where it says so.
    new_signers: str = ""
    #: Which list each sibling holds.
    holders: tuple[Holder, ...] = ()
    #: Whether an emergency should have been looked at again by now.
    overdue: bool = False

    @property
    def days(self) -> int:
        """Whole days left."""
        return max(0, int(self.left // _DAY))


async def page(node: Node) -> ListPage | None:
    """Return what the page shows; None where no list is kept here."""
    anchor = node.federation_list.anchor
    if anchor is None:
        return None
    reading, allowlist = await node.federation_list.reading(), await node.allowlist.refresh_if_changed()
    found = node.allowlist.federation_list
    row = await node.store.one("federation_list.newest")
    if found is None or row is None:
        return ListPage(state=allowlist.list_state, url=anchor.url, reading=reading, found=None)
    state, before = await node.federation_list.state(), await node.federation_list.before(found)
    judges = state.judged_by or anchor.signers
    signed = membership.signed_by(found, judges.keys)
    now = node.clock()
    lines = tuple(_line(node, member) for member in sorted(found.members, key=lambda each: each.domain))
    return ListPage(
        state=allowlist.list_state, url=anchor.url, reading=reading, found=found,
        adopted_at=from_ms(row["adopted_at"]), source=row["source"],
        left=(found.valid_until - now).total_seconds(),
        signers=tuple((key, key in signed) for key in sorted(judges.keys)), threshold=judges.threshold,
        next_signers=tuple(sorted(state.signers.keys)) if state.signers != judges else (), members=lines,
        own_listed=any(line.own and line.member.status is MemberStatus.ACTIVE for line in lines),
        others=tuple(sorted(each.origin for each in allowlist if found.find(each.origin) is None)),
        changes=tuple(await impact.of_adopted(node.store, before, found)),
        new_signers=next((each.after for each in differences(before, found) if each.what == "signers"), ""),
        holders=tuple(await node.federation_list.holders.list(found)),
        overdue=found.emergency is not None and now > found.emergency.review_by,
    )  # fmt: skip


def _line(node: Node, member: Member) -> MemberLine:
    entry = node.allowlist().find(member.origin)
    own = member.origin == node.origin
    active = member.status is MemberStatus.ACTIVE
    return MemberLine(
        member=member, own=own, policy=None if entry is None else entry.policy.value,
        waits=active and not own and entry is None and not member.instance_keys,
    )  # fmt: skip
