"""The allowlist at pages: every entry, one entry whole, and what a change of it would do before it is made."""

from __future__ import annotations

from typing import Any

import msgspec
from quart import Blueprint, request
from quart.typing import ResponseReturnValue

from instance.routes import guard, shell
from instance.routes.forms import mistake, text_of
from instance.services import sibling_entries
from instance.services.errors import Missing, Rejected
from instance.services.sibling_entries import EntryChange
from instance.views import administration
from instance.views import siblings as view
from verification.people import Actor, StaffRole

routes = Blueprint("siblings", __name__)
_ADMINISTRATOR = StaffRole.ADMINISTRATOR
LIST = "/administration/siblings"


async def page(template: str, actor: Actor, **values: Any) -> ResponseReturnValue:
    """Return a page of the allowlist, with what stands on each of them."""
    node = guard.node()
    allowlist = await node.allowlist.refresh_if_changed()
    error = values.pop("error", None)
    return await shell.page(
        template, status=error.status if error else 200, here="administration", tab="siblings",
        tabs=administration.TABS, readable=node.allowlist.readable, alone=not len(allowlist), mine=actor.id,
        mistakes=[mistake(error)] if error else [], kinds=view.KINDS, policies=view.POLICIES,
        directions=view.DIRECTIONS, logins={each.id: each.login for each in await node.staff.list()}, **values,
    )  # fmt: skip


@routes.get("/administration/siblings")
@guard.staff_required(_ADMINISTRATOR)
async def siblings(actor: Actor) -> ResponseReturnValue:
    """List every entry with its traffic, what waits for a second administrator, and whoever was expelled."""
    return await listed(actor)


async def listed(actor: Actor, error: Rejected | None = None) -> ResponseReturnValue:
    """Show the list, with why something was not done where that is so."""
    node = guard.node()
    return await page(
        "siblings.html", actor, lines=await view.lines(node), former=await view.former(node),
        waiting=await node.siblings.proposals.waiting(), authority=sibling_entries.authority_of, error=error,
    )  # fmt: skip


@routes.get("/administration/siblings/<authority>")
@guard.staff_required(_ADMINISTRATOR)
async def sibling(actor: Actor, authority: str) -> ResponseReturnValue:
    """Show one entry whole, or what is left of one that was expelled."""
    return await whole(actor, authority)


async def whole(actor: Actor, authority: str, error: Rejected | None = None) -> ResponseReturnValue:
    """Show the page of one entry, with why something was not done where that is so."""
    node = guard.node()
    try:
        found = await view.line(node, authority)
    except Missing:
        return await _former(actor, authority, error)
    entry = await node.siblings.show(found.origin)
    new, gone = await node.siblings.pins.announced(entry)
    waiting = await node.siblings.proposals.waiting()
    left = next((each for each in await view.former(node) if each.origin == found.origin), None)
    return await page(
        "sibling.html", actor, line=found, entry=entry, new=new, gone=gone, error=error, left=left,
        outstanding=await view.outstanding(node, found.origin) if left else (),
        history=await view.history(node, found.origin),
        waiting=[each for each in waiting if each.origin == found.origin], authority=sibling_entries.authority_of,
    )  # fmt: skip


async def _former(actor: Actor, authority: str, error: Rejected | None) -> ResponseReturnValue:
    node = guard.node()
    found = await view.former_of(node, authority)
    waiting = await node.siblings.proposals.waiting()
    return await page(
        "sibling_former.html", actor, found=found, history=await view.history(node, found.origin),
        outstanding=await view.outstanding(node, found.origin), error=error, authority=sibling_entries.authority_of,
        waiting=[each for each in waiting if each.origin == found.origin],
    )  # fmt: skip


# ── one entry is changed ──


@routes.get("/administration/siblings/<authority>/change")
@guard.staff_required(_ADMINISTRATOR)
async def preview(actor: Actor, authority: str) -> ResponseReturnValue:
    """Show what a change would open, close and touch, before it is made."""
    node, typed = guard.node(), request.args
    row = await sibling_entries.require(node.store, await sibling_entries.origin_of(node.store, authority))
    try:
        wanted = sibling_entries.change_of(
            row, typed.get("policy", ""), typed.getlist("kind_in"), typed.getlist("kind_out"),
            typed.get("countries", "").replace(",", " ").split(), typed.get("note", ""),
        )  # fmt: skip
        return await _preview(actor, authority, wanted)
    except Rejected as error:
        return await whole(actor, authority, error)


async def _preview(
    actor: Actor, authority: str, wanted: EntryChange, error: Rejected | None = None
) -> ResponseReturnValue:  # fmt: skip
    found = await guard.node().siblings.proposals.preview(wanted)
    return await page(
        "sibling_change.html", actor, found=found, change=msgspec.json.encode(wanted).decode(), error=error,
        path=f"{LIST}/{authority}/change", home=f"{LIST}/{authority}", reason=await text_of("reason"),
    )  # fmt: skip


@routes.post("/administration/siblings/<authority>/change")
@guard.staff_required(_ADMINISTRATOR)
@guard.fresh_factor
async def change(actor: Actor, authority: str) -> ResponseReturnValue:
    """Make a change that only narrows; propose one that opens anything."""
    node, wanted = guard.node(), None
    origin = await sibling_entries.origin_of(node.store, authority)
    try:
        wanted = await _sent(origin)
        done = await node.siblings.proposals.change([wanted], actor, await text_of("reason"))
    except Missing:
        raise
    except Rejected as error:
        if wanted is not None and error.field == "reason":
            return await _preview(actor, authority, wanted, error)
        return await whole(actor, authority, error)
    return shell.done("allowlist_changed" if done else "allowlist_proposed", f"{LIST}/{authority}")


async def _sent(origin: str) -> EntryChange:
    """The change that was previewed, as the form brings it back."""
    try:
        found = msgspec.json.decode(await text_of("change"), type=EntryChange)
    except ValueError:
        raise Rejected("bad_change") from None
    if found.origin != origin:
        raise Rejected("bad_change")
    return found


# ── one is expelled, and what came from there ──


@routes.get("/administration/siblings/<authority>/expel")
@guard.staff_required(_ADMINISTRATOR)
async def expulsion(actor: Actor, authority: str) -> ResponseReturnValue:
    """Show what expelling would close and touch."""
    return await _expulsion(actor, authority)


async def _expulsion(actor: Actor, authority: str, error: Rejected | None = None) -> ResponseReturnValue:
    node = guard.node()
    origin = await sibling_entries.origin_of(node.store, authority)
    try:
        found, seen = await node.siblings.proposals.preview_expulsion(origin)
    except Rejected as refused:
        return await whole(actor, authority, refused)
    return await page(
        "sibling_expel.html", actor, found=found, seen=seen, path=f"{LIST}/{authority}/expel",
        home=f"{LIST}/{authority}", reason=await text_of("reason"), error=error,
    )  # fmt: skip


@routes.post("/administration/siblings/<authority>/expel")
@guard.staff_required(_ADMINISTRATOR)
@guard.fresh_factor
async def expel(actor: Actor, authority: str) -> ResponseReturnValue:
    """Propose to expel; another administrator confirms it."""
    node = guard.node()
    origin = await sibling_entries.origin_of(node.store, authority)
    try:
        await node.siblings.proposals.expel(origin, actor, await text_of("reason"), seen=await text_of("seen"))
    except Missing:
        raise
    except Rejected as error:
        if error.field == "reason":
            return await _expulsion(actor, authority, error)
        return await whole(actor, authority, error)
    return shell.done("allowlist_proposed", f"{LIST}/{authority}")


@routes.post("/administration/siblings/<authority>/copies")
@guard.staff_required(_ADMINISTRATOR)
@guard.fresh_factor
async def copies(actor: Actor, authority: str) -> ResponseReturnValue:
    """Propose to keep or to purge what came from whoever was expelled; another administrator confirms it."""
    node = guard.node()
    found = await view.former_of(node, authority)
    try:
        await node.siblings.proposals.settle_copies(
            found.origin, await text_of("fate"), actor, await text_of("reason"), seen=await text_of("seen")
        )
    except Missing:
        raise
    except Rejected as error:
        return await whole(actor, authority, error)
    return shell.done("allowlist_proposed", f"{LIST}/{authority}")
