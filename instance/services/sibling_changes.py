"""The append-only record of the allowlist: who changed what, when, why, and what it touched.

The audit log has an entry of each change that somebody ordered, by the id of its line here: no name, no sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

from federation.allowlist import LocalPolicy
from instance.ids import new_ulid
from instance.services import alerts
from instance.services.dossiers import chain
from instance.services.orders import who
from instance.storage.store import Reader, Row, Transaction, Work
from instance.times import from_ms, to_ms
from verification.people import SYSTEM

if TYPE_CHECKING:
    from instance.wiring import Node

#: What a sibling says of itself, and no trust hangs on: taken over by nobody's order.
RENEW: Final = "renew"
#: By whom, in the record, a change came that a federation list brought.
BY_LIST: Final = "federation list"
#: What the audit log calls a change; a policy by its name.
LOGGED: Final = {
    "add": "sibling.admitted", "repin": "sibling.repinned", "kinds": "sibling.kinds_changed",
    "remove": "sibling.removed", "inherit": "sibling.resumed", "read-only": "sibling.read_only",
    "pause": "sibling.paused", "block": "sibling.blocked", "countries": "sibling.countries_changed",
    "note": "sibling.note_changed", "expel": "sibling.expelled", "keep": "sibling.copies_kept",
    "alone": "sibling.opened_alone", "hide": "sibling.copies_hidden", "purge": "sibling.copies_purged",
    "list": "sibling.listed",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Touched:
    """What a change concerns: rows here that come from there, our copies there, and messages that wait for it."""

    doctors: int
    follows: int
    posts: int
    comments: int
    copies: int
    waiting: int

    @classmethod
    def of(cls, row: Row | None) -> Touched:
        """Return what a row of `siblings.touched` counts."""
        return cls(**{name: int(row[name]) if row else 0 for name in cls.__slots__})


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the record."""

    id: str
    origin: str
    act: str
    by: str
    reason: str
    before: Any
    after: Any
    touched: Any
    at: datetime

    @classmethod
    def of(cls, row: Row) -> Change:
        """Return the line a row holds."""
        return cls(
            id=row["id"], origin=row["origin"], act=row["act"], by=row["by_whom"], reason=row["reason"],
            before=orjson.loads(row["before"]), after=orjson.loads(row["after"]), touched=orjson.loads(row["touched"]),
            at=from_ms(row["at"]),
        )  # fmt: skip


async def take_turn(tx: Transaction) -> None:
    """Wait until no other unit of work changes the allowlist: what this one reads of it stays so until it has written.

    It is taken before the turn of a pairing, after the one of the federation list, and before that of the audit log.
    """
    await tx.take_turn("allowlist")


async def record(
    node: Node, tx: Transaction, origin: str, act: str, by: str, reason: str, *,
    before: Any, after: Any, touched: Touched | None = None, proposed_by: str = "",
) -> None:  # fmt: skip
    """Write the line and raise the number that tells every process, in the transaction of the change, as its last step.

    The entry of the audit log is in it as well: where none can be added nothing has changed. Of what took two, the line
    has both, whoever proposed it first; the log has whoever confirmed it, and an entry of its own for the proposal.
    """
    now = node.clock()
    id = new_ulid(now)
    await tx.run("siblings.raise_version")
    await tx.run(
        "siblings.record", id=id, origin=origin, act=act, by_whom=_names(proposed_by, by), reason=reason.strip(),
        before=to_json(before), after=to_json(after), touched=to_json(asdict(touched) if touched else None),
        at=to_ms(now),
    )  # fmt: skip
    if act != RENEW:
        ordered_by = SYSTEM.id if by.startswith(BY_LIST) else who(by)
        await chain.append(tx, LOGGED[act], now, ordered_by, thing=f"c-{id.lower()}")


async def has_two_administrators(tx: Reader) -> bool:
    """Whether what widens could wait for a second person here."""
    return len(await tx.all("staff.administrators")) > 1


async def note_alone(node: Node, tx: Transaction, origin: str, by: str, reason: str) -> None:
    """Write down, and tell every administrator, that somebody opens what takes two, just before that is recorded."""
    await alerts.tell(tx, alerts.OPENED_ALONE, node.clock())
    node.log.error("opened_alone", sibling=origin)
    await record(node, tx, origin, "alone", by, reason, before=None, after=None)


async def settle_queue(node: Node, tx: Transaction, origin: str, policy: LocalPolicy) -> None:
    """Hold, drop or release what waits for a sibling, as the policy it stands under from now on says."""
    if policy is LocalPolicy.INHERIT:
        await tx.run(
            "siblings.release_deliveries", origin=origin, now=to_ms(node.clock()), instance=node.actor
        )  # fmt: skip
        await tx.run("siblings.reset_lane", origin=origin)
    elif policy is LocalPolicy.BLOCK:
        await drop_queue(node, tx, origin, "sibling_blocked")
    else:
        await tx.run("siblings.hold_deliveries", origin=origin)


async def drop_queue(node: Node, tx: Transaction, origin: str, code: str) -> None:
    """Drop what waits for a sibling."""
    await tx.run("siblings.drop_deliveries", origin=origin, code=code, now=to_ms(node.clock()))


async def commit(node: Node, work: Work[None]) -> None:
    """Commit, and let this process follow before the answer; every other reads the number per message."""
    await node.store.write(work)
    await follow(node)


def _names(proposed_by: str, by: str) -> str:
    return f"{proposed_by}, {by.strip()}" if proposed_by else by.strip()


async def follow(node: Node) -> None:
    """Let this process follow what was committed, before whoever ordered it is answered."""
    await node.allowlist.refresh_if_changed()
    node.wake.deliveries.set()
    node.wake.sets.set()


def to_json(value: Any) -> str:
    """Return a value as the record keeps it."""
    return orjson.dumps(dict(value) if isinstance(value, Mapping) else value, default=str).decode()
