"""Administration: how this instance stands, and the ways to everything an administrator changes."""

from __future__ import annotations

import math

from quart import Blueprint
from quart.typing import ResponseReturnValue

from instance.routes import guard, shell
from instance.views import administration as view
from verification.people import Actor, StaffRole

routes = Blueprint("administration", __name__)


@routes.get("/administration")
@guard.staff_required(StaffRole.ADMINISTRATOR)
async def administration(_actor: Actor) -> ResponseReturnValue:
    """Show at one look whether this instance can do its work."""
    found = await view.overview(guard.node())
    return await shell.page(
        "administration.html", here="administration", tab="overview", tabs=view.TABS, found=found, infinite=math.inf
    )
