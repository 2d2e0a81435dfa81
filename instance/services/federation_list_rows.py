"""Federation lists as rows: what is in force, read back as strictly as it was read when it came."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import orjson

from federation import membership
from federation.membership import FederationList, NotAdopted, Signers, State
from instance.storage.store import Reader, Row, Transaction
from instance.times import from_ms, to_ms

if TYPE_CHECKING:
    from instance.config import ListAnchor


@dataclass(frozen=True, slots=True)
class Reading:
    """How the reading of lists stands."""

    tried_at: datetime | None
    succeeded_at: datetime | None
    etag: str
    #: Why the last list was not adopted or not read; empty where it was, or was ours already.
    code: str
    code_source: str
    announced_by: str
    warned_sequence: int
    warned_days: int


async def in_force(rows: Reader, anchor: ListAnchor) -> State:
    """Return the list in force and the signers of the next; raise ValueError where the newest row is damaged.

    A list adopted under another pinned set counts only where the one pinned now has signed it as well.
    """
    row = await rows.one("federation_list.newest")
    if row is None:
        return State(anchor.signers, anchor.min_sequence)
    found = stored(row)
    if row["anchor"] != anchor.mark:
        return _under_another(found, anchor)
    if found.sequence < anchor.min_sequence:
        return State(anchor.signers, anchor.min_sequence)
    return State(_signers(row["signers"]), anchor.min_sequence, found, _signers(row["judged_by"]))


def _under_another(found: FederationList, anchor: ListAnchor) -> State:
    """What is in force when the pinned set was changed by hand: nothing of what was goes back behind it."""
    try:
        membership.verify(found, anchor.signers)
    except NotAdopted:
        return State(anchor.signers, max(anchor.min_sequence, found.sequence + 1))
    if found.sequence < anchor.min_sequence:
        return State(anchor.signers, anchor.min_sequence)
    return State(found.signers or anchor.signers, anchor.min_sequence, found, anchor.signers)


def stored(row: Row) -> FederationList:
    """Return the list a row holds; raise ValueError where it is not what was adopted."""
    try:
        found = membership.read(bytes(row["body"]))
    except NotAdopted as fault:
        raise ValueError(f"federation list {row['sequence']}: {fault.code}") from None
    if (found.hash, found.sequence) != (row["hash"], int(row["sequence"])):
        raise ValueError(f"federation list {row['sequence']} is another than was adopted")
    return found


async def keep(
    tx: Transaction, found: FederationList, body: bytes, before: Signers, after: Signers, *,
    anchor: ListAnchor, source: str, now: datetime,
) -> bool:  # fmt: skip
    """Store an adopted list; False where another of its sequence stands there."""
    kept = await tx.run(
        "federation_list.put", sequence=found.sequence, hash=found.hash, body=body, judged_by=_written(before),
        signers=_written(after), anchor=anchor.mark, source=source, now=to_ms(now),
    )  # fmt: skip
    return bool(kept)


async def reading(rows: Reader) -> Reading:
    """Return how the reading of lists stands."""
    row = await rows.one("federation_list.state")
    if row is None:
        raise ValueError("the state of the federation list is missing")
    return Reading(
        tried_at=_at(row["tried_at"]), succeeded_at=_at(row["succeeded_at"]), etag=row["etag"], code=row["code"],
        code_source=row["code_source"], announced_by=row["announced_by"], warned_sequence=int(row["warned_sequence"]),
        warned_days=int(row["warned_days"]),
    )  # fmt: skip


def _written(signers: Signers) -> str:
    return orjson.dumps({"threshold": signers.threshold, "key": sorted(signers.keys)}).decode()


def _signers(text: str) -> Signers:
    found = orjson.loads(text)
    return Signers(found["threshold"], frozenset(found["key"]))


def _at(ms: int | None) -> datetime | None:
    return None if ms is None else from_ms(ms)
