"""Pairing: administrators invite another instance, look into who asks, compare fingerprints, confirm or decline."""

from __future__ import annotations

from quart import Blueprint
from quart.typing import ResponseReturnValue

from federation.pairing import State
from instance.routes import guard, shell
from instance.routes.forms import mistake, text_of
from instance.services import key_alarm
from instance.services.errors import Missing, Rejected
from instance.views import administration
from instance.views import pairing as view
from verification.people import Actor, StaffRole

routes = Blueprint("pairing", __name__)
_ADMINISTRATOR = StaffRole.ADMINISTRATOR
_PATH = "/administration/pairing"


@routes.get("/administration/pairing")
@guard.staff_required(_ADMINISTRATOR)
async def pairings(_actor: Actor) -> ResponseReturnValue:
    """List invitations and requests that wait, those that are over, and siblings whose keys have changed."""
    return await _list()


async def _list(error: Rejected | None = None) -> ResponseReturnValue:
    node = guard.node()
    return await shell.page(
        "pairings.html", status=error.status if error else 200, here="administration", tab="pairing",
        tabs=administration.TABS, mistakes=[mistake(error)] if error else [], typed=await text_of("origin"),
        waiting=await node.pairings.open(), over=await node.pairings.over(), alarms=await key_alarm.alarms(node),
        own=await view.own(node),
    )  # fmt: skip


@routes.post("/administration/pairing/invite")
@guard.staff_required(_ADMINISTRATOR)
@guard.fresh_factor
async def invite(actor: Actor) -> ResponseReturnValue:
    """Read an instance's actor and ask its administrator."""
    try:
        begun = await guard.node().pairings.invite(await text_of("origin"), actor)
    except Rejected as error:
        return await _list(error)
    return shell.done("pairing_invited", f"{_PATH}/{begun.id}")


@routes.get("/administration/pairing/<id>")
@guard.staff_required(_ADMINISTRATOR)
async def pairing(actor: Actor, id: str) -> ResponseReturnValue:
    """Show one: who it is, both fingerprints, how far it is."""
    return await _one(actor, id)


async def _one(actor: Actor, id: str, error: Rejected | None = None) -> ResponseReturnValue:
    node = guard.node()
    found = await node.pairings.get(id)
    return await shell.page(
        "pairing.html", status=error.status if error else 200, here="administration", tab="pairing",
        tabs=administration.TABS, mistakes=[mistake(error)] if error else [], each=found,
        shown=await view.shown(node, found, actor), own=await view.own(node), reasons=view.REASONS,
        typed=await text_of("fingerprint"), countries=await text_of("countries") or " ".join(found.countries),
        lists_us=view.lists_us(found), origin=node.origin, chosen=await text_of("reason"),
        logins={each.id: each.login for each in await node.staff.list()},
    )  # fmt: skip


@routes.post("/administration/pairing/<id>/read")
@guard.staff_required(_ADMINISTRATOR)
@guard.fresh_factor
async def read(actor: Actor, id: str) -> ResponseReturnValue:
    """Read the actor of whoever asks at its home, by an administrator's hand alone."""
    try:
        await guard.node().pairings.read(id, actor)
    except Missing:
        raise
    except Rejected as error:
        return await _one(actor, id, error)
    return shell.done("pairing_read", f"{_PATH}/{id}")


@routes.post("/administration/pairing/<id>/confirm")
@guard.staff_required(_ADMINISTRATOR)
@guard.fresh_factor
async def confirm(actor: Actor, id: str) -> ResponseReturnValue:
    """Say that the fingerprint was compared: a proposal, a confirmation, or the sibling's admission."""
    countries = (await text_of("countries")).upper().replace(",", " ").split()
    try:
        after = await guard.node().pairings.confirm(id, await text_of("fingerprint"), countries, actor)
    except Missing:
        raise
    except Rejected as error:
        return await _one(actor, id, error)
    done = {State.ACTIVE: "pairing_active", State.CONFIRMED_HERE: "pairing_confirmed"}
    return shell.done(done.get(after.state, "pairing_proposed"), f"{_PATH}/{id}")


@routes.post("/administration/pairing/<id>/decline")
@guard.staff_required(_ADMINISTRATOR)
@guard.fresh_factor
async def decline(actor: Actor, id: str) -> ResponseReturnValue:
    """Decline a request, or take an invitation back."""
    try:
        await guard.node().pairings.decline(id, await text_of("reason"), actor)
    except Missing:
        raise
    except Rejected as error:
        return await _one(actor, id, error)
    return shell.done("pairing_declined", f"{_PATH}/{id}")
