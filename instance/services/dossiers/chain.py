"""The audit log as rows: entries are added with the act they tell of, and the whole is recomputed on demand.

Whoever adds an entry waits until no other unit does; so this is the last thing a unit of work does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from federation.integrity import canonical
from instance.services.errors import Rejected
from instance.storage.store import Reader, Store, Transaction
from verification import audit
from verification.audit import START, Break, Entry, Fault, Head
from verification.people import SYSTEM

if TYPE_CHECKING:
    from federation.ports import Clock
    from instance.evidence import EvidenceFile
    from instance.storage.store import Row

CODES: Final = ("bad_head",)
_TURN: Final = "audit"
#: Entries read at once while the log is recomputed.
_PAGE: Final = 5_000


async def append(
    tx: Transaction, act: str, at: datetime, by: str, *,
    dossier: str | None = None, thing: str | None = None, reason: str | None = None,
) -> Head:  # fmt: skip
    """Add an entry in the caller's transaction; raise BadEntry for what may not stand in one."""
    await tx.take_turn(_TURN)
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


async def verify(store: Store, foreign: Iterable[Head] = ()) -> tuple[int, Break | None]:
    """Recompute the log, a page at a time; return how many entries hold, and the first place that does not.

    `foreign` are heads of this log that others hold: a cut tail shows against them alone.
    """
    held = [each for each in foreign if each.sequence > 0]
    last = START
    while rows := await store.all("audit.page", after=last.sequence, most=_PAGE):
        here = [each for each in held if last.sequence < each.sequence <= int(rows[-1]["n"])]
        broken = audit.verify(map(_row, rows), last, here)
        if broken is not None:
            return broken.at - 1, broken
        last = Head(int(rows[-1]["n"]), bytes(rows[-1]["hash"]))
    if any(each.sequence > last.sequence for each in held):
        return last.sequence, Break(last.sequence + 1, Fault.CUT)
    return last.sequence, None


def _row(row: Row) -> audit.Row:
    try:
        entry = json.loads(row["entry"])
    except ValueError:
        entry = None
    # A number in the row that is not the entry's own would let rows be exchanged.
    same = isinstance(entry, dict) and entry.get("n") == row["n"]
    return audit.Row(entry if same else None, bytes(row["hash"]))
