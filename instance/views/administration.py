"""What an administrator sees at one look: whether this instance can do its work, whom it speaks with, what waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from federation.allowlist import Listed, LocalPolicy
from instance.evidence import OPEN
from instance.services import key_alarm

if TYPE_CHECKING:
    from instance.wiring import Node

#: The pages of administration, by name and address; the first is where they begin.
TABS: Final = (
    ("overview", "/administration"), ("siblings", "/administration/siblings"), ("pairing", "/administration/pairing"),
    ("list", "/administration/list"), ("messages", "/administration/messages"),
    ("deliveries", "/administration/deliveries"),
)  # fmt: skip
#: Deliveries that are not over, and those that were given up.
STATES: Final = ("waiting", "resting", "held", "dead")


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The state of this instance; nothing of what anybody has written."""

    #: Whether the allowlist could be read; where not, nobody is a sibling.
    readable: bool
    #: How many siblings stand under each policy.
    siblings: Mapping[LocalPolicy, int]
    #: How many deliveries are in each of STATES.
    deliveries: Mapping[str, int]
    #: Messages taken from siblings that are not worked off yet.
    inbound: int
    #: Whether evidence can be taken and shown, and whether credentials are signed.
    evidence: bool
    signing: bool
    #: How many siblings are suspended since they show keys that nobody here has compared.
    alarms: int = 0
    #: How many invitations and requests to become siblings wait.
    pairings: int = 0

    @property
    def alone(self) -> bool:
        """Whether nobody is listed: this instance speaks with nobody."""
        return not any(self.siblings.values())


async def overview(node: Node) -> Overview:
    """Return how this instance stands now."""
    allowlist = await node.allowlist.refresh_if_changed()
    # Whom the federation list keeps out is no sibling now, whatever the entry says.
    policies = Counter(each.policy for each in allowlist if each.listed in (Listed.UNASKED, Listed.ACTIVE))
    states = {row["state"]: int(row["number"]) for row in await node.store.all("ops.deliveries")}
    waiting = await node.store.one("ops.inbound_waiting")
    return Overview(
        readable=node.allowlist.readable, siblings={policy: policies[policy] for policy in LocalPolicy},
        deliveries={state: states.get(state, 0) for state in STATES}, inbound=int(waiting["number"]) if waiting else 0,
        evidence=node.evidence.state == OPEN, signing=node.dossiers.restoring.state == "current",
        alarms=len(await key_alarm.alarms(node)), pairings=len(await node.pairings.open()),
    )  # fmt: skip
