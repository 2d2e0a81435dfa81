"""What waits for a second administrator: shown again as it would be now, confirmed, or turned down."""

from __future__ import annotations

from quart import Blueprint
from quart.typing import ResponseReturnValue

from instance.routes import guard, shell, siblings
from instance.services import sibling_entries
from instance.services.errors import Missing, Rejected
from instance.services.sibling_entries import Preview
from instance.services.sibling_proposals import EXPEL, Proposal
from verification.people import Actor, StaffRole

routes = Blueprint("sibling_proposals", __name__)
_ADMINISTRATOR = StaffRole.ADMINISTRATOR
_GONE = Rejected("proposal_gone", status=409)


@routes.get("/administration/siblings/proposals/<id>")
@guard.staff_required(_ADMINISTRATOR)
async def proposal(actor: Actor, id: str) -> ResponseReturnValue:
    """Show what was proposed, with a preview made anew; whoever has not proposed it may confirm it here."""
    return await _page(actor, id)


async def _page(actor: Actor, id: str, error: Rejected | None = None) -> ResponseReturnValue:
    node = guard.node()
    try:
        found = await node.siblings.proposals.find(id)
    except Missing:
        return await siblings.listed(actor, error or _GONE)
    previews, overtaken = await _previews(found)
    return await siblings.page(
        "sibling_proposal.html", actor, each=found, previews=previews, error=error or overtaken,
        overtaken=overtaken is not None, authority=sibling_entries.authority_of,
    )  # fmt: skip


async def _previews(found: Proposal) -> tuple[list[Preview], Rejected | None]:
    """What it would do now, or why it cannot be done any more."""
    proposals = guard.node().siblings.proposals
    try:
        if found.kind == EXPEL:
            preview, seen = await proposals.preview_expulsion(found.origin)
            return [preview], None if seen == found.asked.seen else Rejected("sibling_changed", status=409)
        return [await proposals.preview(change) for change in found.asked.changes], None
    except Rejected as error:
        return [], error


@routes.post("/administration/siblings/proposals/<id>/confirm")
@guard.staff_required(_ADMINISTRATOR)
@guard.fresh_factor
async def confirm(actor: Actor, id: str) -> ResponseReturnValue:
    """Carry out what another administrator has proposed."""
    try:
        found = await guard.node().siblings.proposals.confirm(id, actor)
    except Rejected as error:
        return await _page(actor, id, _GONE if isinstance(error, Missing) else error)
    return shell.done("allowlist_confirmed", _path(found))


@routes.post("/administration/siblings/proposals/<id>/withdraw")
@guard.staff_required(_ADMINISTRATOR)
@guard.fresh_factor
async def withdraw(actor: Actor, id: str) -> ResponseReturnValue:
    """Take a proposal back, or turn it down."""
    try:
        found = await guard.node().siblings.proposals.withdraw(id, actor)
    except Missing:
        return await _page(actor, id, _GONE)
    return shell.done("allowlist_withdrawn", _path(found))


def _path(found: Proposal) -> str:
    return f"{siblings.LIST}/{sibling_entries.authority_of(found.origin)}" if found.origin else siblings.LIST
