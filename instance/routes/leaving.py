"""Leaving for good, as somebody who was verified: a page that says what ends, and a factor shown for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quart import Blueprint, redirect
from quart.typing import ResponseReturnValue

from instance.routes import guard, shell
from instance.routes.annexes import place
from instance.routes.application import own
from instance.routes.forms import Mistake, text_of, version_seen
from instance.services.errors import Rejected
from instance.services.joining import applicant
from instance.views import application as view
from verification.moves import State

if TYPE_CHECKING:
    from instance.services.accounts import Session
    from instance.services.dossiers.values import File

routes = Blueprint("leaving", __name__)


@routes.get("/application/leave")
@guard.account_required
async def leave_form(present: Session) -> ResponseReturnValue:
    """Say what ends; whoever was never verified, or is not free to leave, is led to where the application stands."""
    file = await own(present)
    return await _page(file, []) if view.may_leave(file) else redirect("/application", code=303)


@routes.post("/application/leave")
@guard.account_required
@guard.fresh_factor
async def leave(present: Session) -> ResponseReturnValue:
    """Leave, once it is said that this is meant."""
    node, file = guard.node(), await own(present)
    if file.dossier.state is State.WITHDRAWN:
        return redirect("/application", code=303)
    if await text_of("sure") != "1":
        return await _page(file, [Mistake("leave_unsure", "sure")], 422)
    seen = view.version_of(file, version_seen(await text_of("seen")))
    try:
        await node.dossiers.leave(file.dossier.id, applicant(present.account_id), seen=seen)
    except Rejected as error:
        code = "application_changed" if error.code == "changed_meanwhile" else error.code
        return await _page(await own(present), [Mistake(code)], error.status)
    node.wake.mails.set()
    return shell.done("application_left", "/application")


async def _page(file: File, mistakes: list[Mistake], status: int = 200) -> ResponseReturnValue:
    return await shell.page(
        "application_leave.html", status=status, here=place(file), version=view.seen(file), mistakes=mistakes
    )
