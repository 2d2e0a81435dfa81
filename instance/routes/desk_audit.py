"""What the data protection officer reads: how far the audit log holds, and that what is due was destroyed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from quart import Blueprint, Response
from quart.typing import ResponseReturnValue

from federation.integrity import read_instant
from instance.routes import guard, shell
from instance.services.dossiers import chain, exporting, segments
from instance.services.dossiers.values import HistoryLine
from instance.times import to_ms
from instance.views import desk
from verification.audit import STAFF_ACTS
from verification.people import Actor, StaffRole

routes = Blueprint("desk_audit", __name__)
_LOOKED_BACK: Final = 500
_LATE: Final = 1_000
_ERASED: Final = ("evidence.erased", "facts.erased", "decision.erased")


@dataclass(frozen=True, slots=True)
class _Act:
    """Something staff did, as the log has it: by ids."""

    line: HistoryLine
    whom: str


@routes.get("/desk/audit")
@guard.staff_required(StaffRole.DPO)
async def audit(_actor: Actor) -> ResponseReturnValue:
    """Recompute what is new in the log; show its head, what is past its day, what was destroyed, what staff did."""
    node = guard.node()
    report, head = await node.dossiers.checking.newest(), await chain.head(node.store)
    gone = [part for part in await segments.all_of(node.store) if part.gone]
    recent = await _recent(head.sequence)
    late = await node.store.all("evidence.due", now=to_ms(node.clock()), most=_LATE)
    return await shell.page(
        "desk_audit.html", here="audit", counted=False, report=report, head=head, late=len(late), gone=gone,
        signing=node.dossiers.restoring.state, alarms=await node.dossiers.heads.alarms(),
        erased=[each.line for each in recent if each.line.act in _ERASED], act_of=desk.act_of,
        acts=[each for each in recent if each.line.act in STAFF_ACTS],
    )  # fmt: skip


@routes.post("/desk/audit/export")
@guard.staff_required(StaffRole.DPO)
async def export(actor: Actor) -> ResponseReturnValue:
    """Hand out the log as a file of lines; that it was taken is its last entry."""
    node = guard.node()
    answer = Response(await exporting.begin(node, actor), content_type="application/x-ndjson")
    answer.headers["Content-Disposition"] = f'attachment; filename="audit-{node.clock():%Y-%m-%d}.jsonl"'
    return answer


async def _recent(last: int) -> list[_Act]:
    """The last entries, the newest first; an entry that cannot be read is passed over."""
    found = []
    for row in await guard.node().store.all("audit.page", after=max(0, last - _LOOKED_BACK), most=_LOOKED_BACK):
        try:
            entry = json.loads(row["entry"])
            line = HistoryLine(
                n=row["n"], act=entry["act"], at=read_instant(entry["at"]), by=entry["by"], reason=entry.get("reason")
            )  # fmt: skip
        except (ValueError, KeyError, TypeError):
            continue
        found.append(_Act(line, str(entry.get("thing", ""))))
    return found[::-1]
