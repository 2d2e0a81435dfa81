"""Contact: the own card with its QR code, finding whose card one holds, and who may follow or name one."""

from __future__ import annotations

import re
from typing import Final

from quart import Blueprint, redirect, request
from quart.typing import ResponseReturnValue

from federation.errors import Refused
from federation.uri import BadUri, Uri
from instance.routes import guard, shell
from instance.routes.forms import Mistake, lines, mistake, text_of
from instance.services import code_apps
from instance.services.contact import WHO, ContactRules
from instance.services.errors import Rejected

routes = Blueprint("contact", __name__)
#: The path of a doctor's page: the same at every instance of ours.
_PAGE: Final = re.compile(r"/doctors/([a-z0-9][a-z0-9._-]{1,30})\Z")


@routes.get("/me/card")
@guard.doctor_required
async def card(reader: guard.Reader) -> ResponseReturnValue:
    """Show the reader's own card: a QR code with the address of their page, and the handle to read aloud.

    The code is no key: whoever has it must sign in, at their own instance, to see anything.
    """
    return await shell.page(
        "card.html", here="me", row=reader.row, handle=f"{reader.row['handle']}@{guard.node().authority}",
        picture=code_apps.picture(reader.uri), link=reader.uri,
    )  # fmt: skip


@routes.get("/contact")
@guard.doctor_required
async def whose_card(_reader: guard.Reader) -> ResponseReturnValue:
    """Lead to the page, here, of the doctor whose card was read: by handle or by the link in the code."""
    who = lines(request.args.get("who", "")).strip()[:500]
    found = await find_card(who) if who else None
    if found is not None:
        return redirect(guard.doctor_path(found), code=303)
    mistakes = [Mistake("contact_unknown", "who")] if who else []
    return await shell.page("contact.html", here="search", who=who, mistakes=mistakes)


@routes.get("/me/contact")
@guard.doctor_required
async def rules_form(reader: guard.Reader) -> ResponseReturnValue:
    """Show who may follow the reader, and who may name them."""
    return await _rules_page(await guard.node().contact.rules(reader.uri), [])


@routes.post("/me/contact")
@guard.doctor_required
async def set_rules(reader: guard.Reader) -> ResponseReturnValue:
    """Keep the rules."""
    rules = ContactRules(await text_of("follow"), await text_of("name"))
    try:
        await guard.node().contact.set_rules(reader.uri, rules)
    except Rejected as error:
        return await _rules_page(rules, [mistake(error)], error.status)
    return shell.done("contact", "/me/contact")


async def _rules_page(rules: ContactRules, mistakes: list[Mistake], status: int = 200) -> ResponseReturnValue:
    return await shell.page("contact_rules.html", status=status, here="me", rules=rules, who=WHO, mistakes=mistakes)


async def find_card(who: str) -> str | None:
    """The page address of the doctor with this handle, or whose page this link is; None for whatever leads nowhere."""
    if "://" not in who:
        text = who if "@" in who.lstrip("@") else f"{who.lstrip('@')}@{guard.node().authority}"
        return await find_address(text)
    try:
        link = Uri.parse(who.partition("?")[0].partition("#")[0].rstrip("/"))
    except BadUri:
        return None
    page = _PAGE.match(link.target)
    return await find_address(f"{page[1]}@{link.authority}") if page else None


def handle_of_page(path: str) -> str:
    """The full handle that the page of a doctor of ours stands for; empty for any other page.

    It tells nothing but what the path says: for a handle that is nobody's it is the same.
    """
    page = _PAGE.match(path)
    return f"@{page[1]}@{guard.node().authority}" if page else ""


async def find_address(asked: str) -> str | None:
    """The page address of a doctor asked for as handle@instance, looked up at that sibling if need be."""
    node, plain = guard.node(), asked.strip().lstrip("@").casefold()
    handle, _, authority = plain.partition("@")
    if authority == node.authority:
        row = await node.store.one("people.by_address", address=handle)
        return str(row["address"]) if row is not None and row["gone_at"] is None else None
    try:
        known = await node.directory.find_handle(plain)
    except (Refused, Rejected, ValueError):
        return None
    row = await node.store.one("views.address_of", uri=known.uri)
    return str(row["address"]) if row is not None else None
