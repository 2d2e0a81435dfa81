"""The federation list: who belongs, who has signed it, and how long it holds. Nothing is changed here."""

from __future__ import annotations

from quart import Blueprint
from quart.typing import ResponseReturnValue

from instance.routes import guard, shell
from instance.views import federation_list as view
from instance.views.administration import TABS
from verification.people import Actor, StaffRole

routes = Blueprint("federation_list", __name__)


@routes.get("/administration/list")
@guard.staff_required(StaffRole.ADMINISTRATOR, StaffRole.GOVERNOR)
async def federation_list(actor: Actor) -> ResponseReturnValue:
    """Show the list in force; a governor sees this page of the administration and no other."""
    administers = StaffRole.ADMINISTRATOR in actor.roles
    return await shell.page(
        "federation_list.html", here="administration" if administers else "fedlist", tab="list",
        tabs=TABS if administers else (), found=await view.page(guard.node()),
    )  # fmt: skip
