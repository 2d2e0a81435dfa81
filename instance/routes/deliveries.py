"""The queue out at pages: how far behind each sibling is, which letters are dead; tried now, and sent again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from quart import Blueprint, request
from quart.typing import ResponseReturnValue

from instance.routes import guard, shell
from instance.routes.forms import mistake
from instance.services import delivery_orders
from instance.services.errors import Rejected
from instance.views import administration
from instance.views import deliveries as view
from verification.people import Actor, StaffRole

routes = Blueprint("deliveries", __name__, url_prefix="/administration/deliveries")
_ADMINISTRATOR = StaffRole.ADMINISTRATOR
_PATH = "/administration/deliveries"
_LONGEST = 64


@routes.get("")
@guard.staff_required(_ADMINISTRATOR)
async def deliveries(_actor: Actor) -> ResponseReturnValue:
    """Show every sibling's queue."""
    return await _page("deliveries.html", lanes=await view.lanes(guard.node()))


@routes.get("/<authority>")
@guard.staff_required(_ADMINISTRATOR)
async def lane(_actor: Actor, authority: str) -> ResponseReturnValue:
    """Show one sibling's queue by priority, and its dead letters, the newest first."""
    return await _lane(authority)


async def _lane(authority: str, error: Rejected | None = None) -> ResponseReturnValue:
    node, before = guard.node(), request.args.get("after", "").strip()[:_LONGEST]
    found = await view.lane(node, authority)
    return await _page(
        "deliveries_lane.html", status=error.status if error else 200, lane=found, after=before,
        dead=await view.dead(node, found.origin, before), mistakes=[mistake(error)] if error else [],
        priorities=view.PRIORITIES,
    )  # fmt: skip


@routes.post("/<authority>/try")
@guard.staff_required(_ADMINISTRATOR)
async def try_now(actor: Actor, authority: str) -> ResponseReturnValue:
    """Have what waits for a sibling tried at once."""
    return await _ordered(
        authority, "lane_tried", lambda origin: delivery_orders.try_now(guard.node(), origin, actor.id)
    )


@routes.post("/<authority>/letters")
@guard.staff_required(_ADMINISTRATOR)
async def letters(actor: Actor, authority: str) -> ResponseReturnValue:
    """Send all dead letters of a sibling again."""
    return await _ordered(
        authority, "letters_again", lambda origin: delivery_orders.again(guard.node(), origin, actor.id)
    )


@routes.post("/<authority>/letters/<id>")
@guard.staff_required(_ADMINISTRATOR)
async def letter(actor: Actor, authority: str, id: str) -> ResponseReturnValue:
    """Send one dead letter again; one that is dead no more is left as it is."""
    return await _ordered(
        authority, "letter_again", lambda origin: delivery_orders.letter_again(guard.node(), id, actor.id, origin)
    )  # fmt: skip


async def _ordered(authority: str, done: str, order: Callable[[str], Awaitable[object]]) -> ResponseReturnValue:
    origin = (await view.lane(guard.node(), authority)).origin
    try:
        await order(origin)
    except Rejected as error:
        if error.status == 404:
            raise
        return await _lane(authority, error)
    return shell.done(done, f"{_PATH}/{authority}")


async def _page(template: str, **values: Any) -> ResponseReturnValue:
    node = guard.node()
    allowlist = await node.allowlist.refresh_if_changed()
    return await shell.page(
        template, here="administration", tab="deliveries", tabs=administration.TABS, readable=node.allowlist.readable,
        alone=len(allowlist) == 0, states=view.STATES, path=_PATH, **values,
    )  # fmt: skip
