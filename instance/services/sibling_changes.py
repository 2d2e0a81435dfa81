"""The append-only record of the allowlist: who changed what, when, why, and what it touched.

The audit log has an entry of each change that somebody ordered, by the id of its line here: no name, no sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

from instance.ids import new_ulid
from instance.services.dossiers import chain
from instance.services.orders import who
from instance.storage.store import Row, Transaction, Work
from instance.times import from_ms, to_ms

if TYPE_CHECKING:
    from instance.wiring import Node

#: What a sibling says of itself, and no trust hangs on: taken over by nobody's order.
RENEW: Final = "renew"
#: What the audit log calls a change; a policy by its name.
LOGGED: Final = {
    "add": "sibling.admitted", "repin": "sibling.repinned", "kinds": "sibling.kinds_changed",
    "remove": "sibling.removed", "inherit": "sibling.resumed", "read-only": "sibling.read_only",
    "pause": "sibling.paused", "block": "sibling.blocked",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Touched:
    """What a change concerns: rows here that come from there, and messages that wait for it."""

    doctors: int
    follows: int
    posts: int
    comments: int
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


async def record(
    node: Node, tx: Transaction, origin: str, act: str, by: str, reason: str, *,
    before: Any, after: Any, touched: Touched | None = None,
) -> None:  # fmt: skip
    """Write the line and raise the number that tells every process, in the transaction of the change, as its last step.

    The entry of the audit log is in it as well: where none can be added nothing has changed.
    """
    now = node.clock()
    id = new_ulid(now)
    await tx.run("siblings.raise_version")
    await tx.run(
        "siblings.record", id=id, origin=origin, act=act, by_whom=by.strip(), reason=reason.strip(),
        before=to_json(before), after=to_json(after), touched=to_json(asdict(touched) if touched else None),
        at=to_ms(now),
    )  # fmt: skip
    if act != RENEW:
        await chain.append(tx, LOGGED[act], now, who(by), thing=f"c-{id.lower()}")


async def commit(node: Node, work: Work[None]) -> None:
    """Commit, and let this process follow before the answer; every other reads the number per message."""
    await node.store.write(work)
    await node.allowlist.refresh_if_changed()
    node.wake.deliveries.set()


def to_json(value: Any) -> str:
    """Return a value as the record keeps it."""
    return orjson.dumps(dict(value) if isinstance(value, Mapping) else value, default=str).decode()
