"""A doctor's own lists of colleagues."""

from __future__ import annotations

from urllib.parse import urlencode

from quart import Blueprint, request
from quart.typing import ResponseReturnValue

from instance.routes import guard, shell
from instance.routes.forms import Mistake, mistake, text_of
from instance.services.errors import Missing, Rejected
from instance.services.lists import MAX_LISTS, MAX_NAME
from instance.views import cards, doctors, lists
from instance.views.marks import moment

routes = Blueprint("lists", __name__)


@routes.get("/lists")
@guard.doctor_required
async def every(reader: guard.Reader) -> ResponseReturnValue:
    """Show the reader's lists."""
    return await _page(reader, "", [])


@routes.post("/lists")
@guard.doctor_required
async def make(reader: guard.Reader) -> ResponseReturnValue:
    """Make a list."""
    name = await text_of("name")
    try:
        made = await guard.node().lists.make(reader.uri, name)
    except Missing:
        raise
    except Rejected as error:
        return await _page(reader, name, [mistake(error)], error.status)
    return shell.done("list_made", f"/lists/{made}")


@routes.get("/lists/<own_list>")
@guard.doctor_required
async def one(reader: guard.Reader, own_list: str) -> ResponseReturnValue:
    """Show who is on a list, and what they have written."""
    name = await lists.name_of(guard.node().store, reader.uri, own_list)
    return await _one_page(reader, own_list, name, name, [])


@routes.post("/lists/<own_list>/<list_act>")
@guard.doctor_required
async def change(reader: guard.Reader, own_list: str, list_act: str) -> ResponseReturnValue:
    """Rename or delete a list."""
    node = guard.node()
    name = await lists.name_of(node.store, reader.uri, own_list)
    if list_act == "delete":
        await node.lists.delete(reader.uri, own_list)
        return shell.done("list_deleted", "/lists")
    if list_act != "rename":
        raise Missing
    wished = await text_of("name")
    try:
        await node.lists.rename(reader.uri, own_list, wished)
    except Missing:
        raise
    except Rejected as error:
        return await _one_page(reader, own_list, name, wished, [mistake(error)], error.status)
    return shell.done("list_renamed", f"/lists/{own_list}")


async def _page(reader: guard.Reader, name: str, mistakes: list[Mistake], status: int = 200) -> ResponseReturnValue:
    own = await lists.mine(guard.node().store, reader.uri)
    return await shell.page(
        "lists.html", status=status, here="search", own_lists=own, name=name, most=MAX_NAME,
        full=len(own) >= MAX_LISTS, mistakes=mistakes,
    )  # fmt: skip


async def _one_page(
    reader: guard.Reader, own_list: str, name: str, wished: str, mistakes: list[Mistake], status: int = 200
) -> ResponseReturnValue:
    node, after, before = guard.node(), request.args.get("after", ""), request.args.get("before", "")
    members = await doctors.of_list(node.store, reader.uri, own_list, after=after)
    posts = await lists.posts(node.store, reader.uri, own_list, before=before)
    return await shell.page(
        "list.html", status=status, here="search", own_list=own_list, name=name, wished=wished, most=MAX_NAME,
        members=members.doctors, mistakes=mistakes, empty=not posts.cards,
        cards=cards.cards_html(posts.cards, guard.language(), node.config.country, moment(node)),
        more_members=urlencode({"after": members.next}) if members.next else "",
        older=urlencode({"before": posts.next}) if posts.next else "",
    )  # fmt: skip
