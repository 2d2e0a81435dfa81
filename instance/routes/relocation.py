"""Coming from another country, and going to one: what a doctor says here of the old address and of the new."""

from __future__ import annotations

from quart import Blueprint
from quart.typing import ResponseReturnValue

from instance.routes import guard, shell
from instance.routes.forms import Mistake, mistake, text_of
from instance.services.errors import Rejected
from instance.services.relocation import Elsewhere

routes = Blueprint("relocation", __name__)


@routes.get("/me/move")
@guard.doctor_required
async def move_form(reader: guard.Reader) -> ResponseReturnValue:
    """Show what goes along and what ends, and both forms."""
    return await _page(reader, [])


async def _page(
    reader: guard.Reader, mistakes: list[Mistake], status: int = 200, found: Elsewhere | None = None,
    old: str = "", new: str = "",
) -> ResponseReturnValue:  # fmt: skip
    node = guard.node()
    return await shell.page(
        "move.html", status=status, here="me", mistakes=mistakes, found=found, old=old, new=new,
        address=f"{reader.row['handle']}@{node.authority}", aliases=await node.relocations.aliases(reader.uri),
    )  # fmt: skip


@routes.post("/me/move/from")
@guard.doctor_required
@guard.fresh_factor
async def come_from(reader: guard.Reader) -> ResponseReturnValue:
    """Name the old address."""
    old = await text_of("old")
    try:
        await guard.node().relocations.claim(reader.uri, old)
    except Rejected as error:
        return await _page(reader, [mistake(error)], error.status, old=old)
    return shell.done("move_from", "/me/move")


@routes.post("/me/move/from/drop")
@guard.doctor_required
@guard.fresh_factor
async def drop_from(reader: guard.Reader) -> ResponseReturnValue:
    """Take an old address back."""
    await guard.node().relocations.disclaim(reader.uri, await text_of("alias"))
    return shell.done("move_drop", "/me/move")


@routes.post("/me/move/to")
@guard.doctor_required
async def go_to(reader: guard.Reader) -> ResponseReturnValue:
    """Ask the new home, and show what it says, with what there is to confirm."""
    new = await text_of("new")
    try:
        found = await guard.node().relocations.look(reader.uri, new)
    except Rejected as error:
        return await _page(reader, [mistake(error)], error.status, new=new)
    return await _page(reader, [], found=found, new=new)


@routes.post("/me/move/leave")
@guard.doctor_required
@guard.fresh_factor
async def leave(reader: guard.Reader) -> ResponseReturnValue:
    """Go: from now on this account signs in to nothing but its own affairs."""
    node, new = guard.node(), await text_of("new")
    try:
        found = await node.relocations.leave(reader.uri, new, await text_of("handle"))
    except Rejected as error:
        return await _refused(reader, error, new)
    guard.session_ended()
    answer = await shell.page("moved.html", here="sign-in", found=found)
    return guard.forget_session(answer)


async def _refused(reader: guard.Reader, error: Rejected, new: str) -> ResponseReturnValue:
    """A slip in the handle leaves one at the last step; whatever else is wrong begins again."""
    found = None
    if error.code == "other_handle":
        found = await guard.node().relocations.look(reader.uri, new)
    return await _page(reader, [mistake(error)], error.status, found=found, new=new)
