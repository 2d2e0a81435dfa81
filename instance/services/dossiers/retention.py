"""What is destroyed, and when: rows that say it, and the destruction of what stands in rows.

Evidence in files is the vault's to destroy; it is told when, in the same unit of work.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from instance.evidence_rows import NO_HASH
from instance.services.dossiers import chain, rows
from instance.storage.store import Reader, Transaction
from instance.times import to_ms
from verification.acts import Schedule
from verification.dossier import Dossier
from verification.moves import State
from verification.people import SYSTEM
from verification.retention import Thing, destroy_on, draft_kept

if TYPE_CHECKING:
    from instance.wiring import Node

_AT_ONCE: Final = 100
_FORGOTTEN: Final = (
    "dossiers.forget_numbers", "dossiers.forget_pieces", "dossiers.drop_votes", "dossiers.drop_proposals",
    "dossiers.forget_names", "dossiers.forget_notices", "dossiers.forget_facts",
    "relocation.drop_elsewhere", "evidence.forget_dossier",
)  # fmt: skip
_ROW: Final = "dossiers.forget"
_DECISION: Final = ("dossiers.forget_numbers", "relocation.drop_elsewhere", "evidence.forget_dossier", _ROW)


@dataclass(frozen=True, slots=True)
class Doomed:
    """Something whose time has come."""

    dossier: str
    thing: Thing


async def schedule(node: Node, tx: Transaction, dossier: str, act: Schedule) -> None:
    """Say from when on a thing must be gone; None: not while this goes on."""
    if act.thing is Thing.EVIDENCE:
        await _schedule_files(node, tx, dossier, act.on, act.annex)
    elif act.on is None:
        await tx.run("dossiers.unschedule", dossier=dossier, thing=act.thing.value)
    else:
        await tx.run("dossiers.schedule", dossier=dossier, thing=act.thing.value, at=to_ms(act.on))


async def keep_draft(node: Node, tx: Transaction, dossier: str, now: datetime) -> None:
    """Say that something of a draft was changed now: all of it goes by that day, and its files not by their own."""
    if (await rows.require(tx, dossier))["state"] == State.DRAFT:
        at = to_ms(now + draft_kept())
        await tx.run("dossiers.schedule", dossier=dossier, thing=Thing.FACTS.value, at=at)
        await node.evidence.schedule(tx, dossier, now + draft_kept())


async def _schedule_files(node: Node, tx: Transaction, dossier: str, at: datetime | None, annex: str | None) -> None:
    if annex is None:
        await node.evidence.schedule(tx, dossier, at)
        return
    for row in await tx.all("dossiers.files", dossier=dossier):
        if row["annex"] == annex:
            await node.evidence.schedule_file(tx, row["file"], at)


async def destroy_at_once(node: Node, dossier: Dossier) -> None:
    """Destroy the files of a dossier whose day this is: whoever leaves need not wait for the hourly sweep.

    What fails here is logged, and is due for the sweep.
    """
    day = destroy_on(Thing.EVIDENCE, dossier)
    if day is None or day > node.clock():
        return
    try:
        await node.evidence.destroy_dossier(dossier.id, "retention")
    except Exception as fault:
        node.log.error("evidence_not_destroyed_at_once", id=dossier.id, error=type(fault).__name__)


async def due(rows: Reader, thing: Thing, now: datetime, most: int = _AT_ONCE) -> list[Doomed]:
    """Return what must be gone by now, the oldest first."""
    found = await rows.all("dossiers.to_destroy", thing=thing.value, now=to_ms(now), most=most)
    return [Doomed(row["dossier"], Thing(row["thing"])) for row in found]


async def destroy_rows(node: Node) -> int:
    """Destroy the facts and decisions whose time has come, each in a transaction of its own; return how many."""
    now, number = node.clock(), 0
    for thing in (Thing.FACTS, Thing.DECISION):
        for doomed in await due(node.store, thing, now):

            async def work(tx: Transaction, doomed: Doomed = doomed) -> None:
                await _destroy(tx, doomed, now)

            await node.store.write(work)
            number += 1
    return number


async def _destroy(tx: Transaction, doomed: Doomed, now: datetime) -> None:
    """The entry in the audit log names a pseudonym: it stays, and nobody can tell any more whose it was.

    What was put off meanwhile stays. Of a draft there is no decision to keep. The row of a file whose key is not
    destroyed yet stays until the vault has done that: it alone says that there is something to destroy.
    """
    await tx.take_turn(f"dossier {doomed.dossier}")
    if await tx.one("dossiers.still_due", dossier=doomed.dossier, thing=doomed.thing.value, now=to_ms(now)) is None:
        return
    found = await tx.one("dossiers.one", id=doomed.dossier)
    draft = found is not None and found["state"] == State.DRAFT
    await tx.run("dossiers.forget_hashes", dossier=doomed.dossier, nothing=NO_HASH)
    for query in (*_FORGOTTEN, _ROW) if draft else _FORGOTTEN if doomed.thing is Thing.FACTS else _DECISION:
        await tx.run(query, dossier=doomed.dossier)
    await tx.run("dossiers.unschedule", dossier=doomed.dossier, thing=doomed.thing.value)
    act = f"{doomed.thing.value}.erased"
    await chain.append(tx, act, now, SYSTEM.id, dossier=doomed.dossier, reason="retention")
