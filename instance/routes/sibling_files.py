"""The allowlist as a file: handed out, and read again with a dry run before anything is changed."""

from __future__ import annotations

import msgspec
from quart import Blueprint, Response
from quart.typing import ResponseReturnValue

from instance.routes import guard, shell, siblings
from instance.routes.forms import text_of
from instance.services import sibling_csv
from instance.services.errors import Rejected
from instance.services.sibling_csv import DryRun
from instance.services.sibling_entries import EntryChange
from instance.services.sibling_proposals import IMPORT
from verification.people import Actor, StaffRole

routes = Blueprint("sibling_files", __name__)
_ADMINISTRATOR = StaffRole.ADMINISTRATOR


@routes.get("/administration/siblings/file")
@guard.staff_required(_ADMINISTRATOR)
async def file(actor: Actor) -> ResponseReturnValue:
    """Offer the file, and the form that takes one back."""
    return await _page(actor)


async def _page(
    actor: Actor, typed: str = "", found: DryRun | None = None, error: Rejected | None = None
) -> ResponseReturnValue:  # fmt: skip
    changes = msgspec.json.encode(found.changes).decode() if found is not None and found.holds else ""
    return await siblings.page(
        "siblings_file.html", actor, typed=typed, found=found, changes=changes, columns=sibling_csv.CHANGED,
        reason=await text_of("reason"), error=error,
    )  # fmt: skip


@routes.post("/administration/siblings/file/export")
@guard.staff_required(_ADMINISTRATOR)
@guard.fresh_factor
async def export(_actor: Actor) -> ResponseReturnValue:
    """Hand the list out as CSV; a list that cannot be read is nobody's."""
    node = guard.node()
    await node.allowlist.refresh_if_changed()
    rows = await node.store.all("sibling_pages.lines") if node.allowlist.readable else []
    answer = Response(sibling_csv.written(rows), content_type="text/csv; charset=utf-8; header=present")
    answer.headers["Content-Disposition"] = f'attachment; filename="allowlist-{node.clock():%Y-%m-%d}.csv"'
    return answer


@routes.post("/administration/siblings/file/check")
@guard.staff_required(_ADMINISTRATOR)
@guard.fresh_factor
async def check(actor: Actor) -> ResponseReturnValue:
    """Say of each line what it would change; change nothing."""
    typed = await text_of("csv")
    try:
        return await _page(actor, typed, await sibling_csv.dry_run(guard.node(), typed))
    except Rejected as error:
        return await _page(actor, typed, error=error)


@routes.post("/administration/siblings/file/import")
@guard.staff_required(_ADMINISTRATOR)
@guard.fresh_factor
async def import_(actor: Actor) -> ResponseReturnValue:
    """Carry out what a dry run has shown: at once where it only narrows, else as one proposal for a second."""
    typed = await text_of("csv")
    try:
        changes = _sent(await text_of("changes"))
        done = await guard.node().siblings.proposals.change(changes, actor, await text_of("reason"), kind=IMPORT)
    except Rejected as error:
        found = await sibling_csv.dry_run(guard.node(), typed) if error.field == "reason" else None
        return await _page(actor, typed, found, error)
    return shell.done("allowlist_changed" if done else "allowlist_proposed", siblings.LIST)


def _sent(text: str) -> tuple[EntryChange, ...]:
    try:
        return msgspec.json.decode(text, type=tuple[EntryChange, ...])
    except ValueError:
        raise Rejected("bad_change") from None
