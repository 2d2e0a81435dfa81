"""The audit log as rows: entries are added with the act they tell of (checking.py recomputes them).

Whoever adds an entry waits until no other unit does; so this is the last thing a unit of work does.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from federation.integrity import canonical
from instance.services.errors import Rejected
from instance.storage.store import Reader, Transaction
from verification import audit
from verification.audit import START, Entry, Head
from verification.people import SYSTEM

if TYPE_CHECKING:
    from federation.ports import Clock
    from instance.evidence import EvidenceFile

CODES: Final = ("bad_head",)
_TURN: Final = "audit"


async def append(
    tx: Transaction, act: str, at: datetime, by: str, *,
    dossier: str | None = None, thing: str | None = None, reason: str | None = None,
) -> Head:  # fmt: skip
    """Add an entry in the caller's transaction; raise BadEntry for what may not stand in one."""
    await take_turn(tx)
    last = await head(tx)
    entry = Entry(
        n=last.sequence + 1, act=act, at=at.replace(microsecond=0), by=by.lower(), dossier=dossier, thing=thing,
        reason=reason,
    )  # fmt: skip
    new = audit.append(last, entry)
    await tx.run(
        "audit.add", n=entry.n, entry=canonical(entry.document()).decode(), hash=new.hash, dossier=dossier or ""
    )
    return new


async def take_turn(tx: Transaction) -> None:
    """Wait until nobody else adds to the log, and keep others waiting until the caller's transaction is over."""
    await tx.take_turn(_TURN)


def evidence_erased(clock: Clock) -> Callable[[Transaction, EvidenceFile, str], Awaitable[object]]:
    """What the vault calls in the unit in which a file is marked as destroyed."""

    async def record(tx: Transaction, file: EvidenceFile, why: str) -> None:
        if not file.dossier.startswith("d-"):
            return
        reason = "retention" if why == "retention" else "request"
        await append(
            tx, "evidence.erased", clock(), SYSTEM.id, dossier=file.dossier, thing=f"f-{file.id.lower()}", reason=reason
        )

    return record


def read_text(text: str) -> Head:
    """Read `N sha256:…` as heads are printed; raise Rejected for anything else."""
    number, _, hashed = text.strip().partition(" ")
    digits = hashed.strip().removeprefix("sha256:")
    if not (number.isascii() and number.isdigit()) or not re.fullmatch("[0-9a-f]{64}", digits):
        raise Rejected("bad_head")
    return Head(int(number), bytes.fromhex(digits))


async def head(rows: Reader) -> Head:
    """Return how far the log goes."""
    row = await rows.one("audit.last")
    return START if row is None else Head(int(row["n"]), bytes(row["hash"]))


async def at(rows: Reader, sequence: int) -> Head | None:
    """Return the head the log had at this entry, also where that is gone; None where none is known."""
    row = await rows.one("audit.head", n=sequence)
    return None if row is None else Head(int(row["n"]), bytes(row["hash"]))
