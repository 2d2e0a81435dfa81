"""Emergency suspension by an administrator, and agreeing to what takes two: by handle, without any evidence."""

from __future__ import annotations

from typing import Final

from quart import Blueprint, request
from quart.typing import ResponseReturnValue

from instance.routes import desk_forms, guard, shell
from instance.routes.desk_forms import Kept
from instance.routes.forms import mistake, seen_version, text_of
from instance.services.errors import Missing, Rejected
from instance.views import desk
from verification.people import Actor, StaffRole

routes = Blueprint("emergency", __name__)
#: So many that wait for a second person are listed, the longest waiting first.
_LISTED: Final = 50
_ACTS: Final = ("suspend", "confirm", "lift", "revoke")


@routes.get("/desk/suspend")
@guard.staff_required(StaffRole.ADMINISTRATOR)
async def suspend(actor: Actor) -> ResponseReturnValue:
    """Ask for a handle; show where that doctor stands, and what waits for a second person."""
    handle = _plain(request.args.get("handle", ""))
    return await _page(actor, handle, None if not handle or await _found(actor, handle) else Missing())


@routes.post("/desk/suspend")
@guard.staff_required(StaffRole.ADMINISTRATOR)
@guard.fresh_factor
async def act(actor: Actor) -> ResponseReturnValue:
    """Suspend, confirm, lift or revoke."""
    handle, name = _plain(await text_of("handle")), await text_of("act")
    kept = await desk_forms.kept(name if name in _ACTS else "")
    try:
        found = await desk.held(guard.node(), actor, handle)
        after = await _carried_out(actor, name, found.dossier)
    except Rejected as error:
        return await _page(actor, handle, desk_forms.placed(error), kept)
    return shell.done(desk_forms.done(name, after), f"/desk/suspend?handle={handle}")


async def _carried_out(actor: Actor, name: str, dossier: str) -> object:
    dossiers, seen = guard.node().dossiers, await seen_version()
    if name == "confirm":
        return await dossiers.confirm(dossier, actor, seen=seen)
    acts = {"suspend": dossiers.suspend, "lift": dossiers.lift, "revoke": dossiers.revoke}
    if name not in acts:
        raise Rejected("bad_ground", "ground")
    return await acts[name](dossier, actor, await desk_forms.ground(), seen=seen)


async def _page(
    actor: Actor, handle: str, error: Rejected | None = None, kept: Kept | None = None
) -> ResponseReturnValue:
    node, found = guard.node(), await _found(actor, handle) if handle else None
    waiting = {line.dossier: line for line in await node.dossiers.queue(actor) if line.wants in ("propose", "confirm")}
    return await shell.page(
        "desk_suspend.html", status=error.status if error else 200, here="suspend", counted=False, handle=handle,
        held=found, kept=kept or Kept(), mistakes=[mistake(_at_handle(error))] if error else [],
        waiting=[await desk.held_of(node, actor, each) for each in list(waiting)[:_LISTED]],
        people=await desk.people(node),
        proposed=desk.proposed(found.proposals) if found else {},
    )  # fmt: skip


async def _found(actor: Actor, handle: str) -> desk.Held | None:
    try:
        return await desk.held(guard.node(), actor, handle)
    except Missing:
        return None


def _at_handle(error: Rejected) -> Rejected:
    return Rejected("handle_unknown", "handle", error.status) if isinstance(error, Missing) else error


def _plain(handle: str) -> str:
    """The handle without its @, in the letters handles have; empty for anything else."""
    text = handle.strip().lstrip("@").lower()
    return text if text.isascii() and text.replace(".", "").replace("-", "").replace("_", "").isalnum() else ""
