"""What happened that concerns the reader."""

from __future__ import annotations

from quart import Blueprint, redirect, request
from quart.typing import ResponseReturnValue

from instance.routes import guard, shell
from instance.services import preferences
from instance.views import doctors, notices

routes = Blueprint("notices", __name__)


@routes.get("/notices")
@guard.doctor_required
async def show(reader: guard.Reader) -> ResponseReturnValue:
    """Show a page of notices, newest first, with the requests that wait for an answer on top."""
    store = guard.node().store
    shown = await notices.notices(store, reader.uri, request.args.get("before", ""))
    waiting = await doctors.requests(store, reader.uri)
    return await shell.page("notices.html", here="notices", shown=shown, requests=waiting)


@routes.post("/notices/read")
@guard.doctor_required
async def mark_read(reader: guard.Reader) -> ResponseReturnValue:
    """Count all as read."""
    node = guard.node()
    await preferences.mark_read(node.store, reader.uri, node.clock())
    return redirect("/notices", code=303)
