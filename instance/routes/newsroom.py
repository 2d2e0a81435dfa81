"""Where editors bring publishers' news in, and administrators approve from where."""

from __future__ import annotations

from quart import Blueprint, request
from quart.typing import ResponseReturnValue

from instance import feeds
from instance.i18n import CONTENT_LANGUAGES
from instance.routes import guard, shell
from instance.routes.forms import Mistake, mistake, text_of
from instance.services.errors import Missing, Rejected
from instance.services.newsroom import Brought, SourceDraft
from instance.views import administration, newsroom
from instance.views.choices import specialty_choices
from verification.people import Actor, StaffRole

routes = Blueprint("newsroom", __name__)
_EDITOR, _ADMINISTRATOR = StaffRole.EDITOR, StaffRole.ADMINISTRATOR
HERE = "/newsroom"


@routes.get("/newsroom")
@guard.staff_required(_EDITOR, _ADMINISTRATOR)
async def show(actor: Actor) -> ResponseReturnValue:
    """Show the sources, how reading them went, and the form for another."""
    return await _page(actor, SourceDraft(language=guard.language()))


async def _page(
    actor: Actor, typed: SourceDraft, mistakes: tuple[Mistake, ...] = (), status: int = 200,
    brought: Brought | None = None,
) -> ResponseReturnValue:  # fmt: skip
    return await shell.page(
        "newsroom.html", status=status, here=_place(actor), sources=await newsroom.sources(guard.node().store),
        typed=typed, mistakes=mistakes, edits=_EDITOR in actor.roles, approves=_ADMINISTRATOR in actor.roles,
        myself=actor.id, specialty_choices=specialty_choices(guard.language()), content_languages=CONTENT_LANGUAGES,
        tabs=administration.TABS, tab="newsroom", brought=brought, most=feeds.MAX_FEED,
    )  # fmt: skip


def _place(actor: Actor) -> str:
    """The entry of the bar it stands under: an administrator comes from administration."""
    return "newsroom" if _EDITOR in actor.roles else "administration"


@routes.post("/newsroom/sources")
@guard.staff_required(_EDITOR)
async def add(actor: Actor) -> ResponseReturnValue:
    """Keep a source that waits for an administrator."""
    typed = SourceDraft(**{name: await text_of(name) for name in SourceDraft.__slots__})
    try:
        await guard.node().newsroom.add(typed, actor)
    except Rejected as error:
        return await _page(actor, typed, (mistake(error),), error.status)
    return shell.done("news_source_added", HERE)


@routes.post("/newsroom/sources/<source>/approve")
@guard.staff_required(_ADMINISTRATOR)
@guard.fresh_factor
async def approve(actor: Actor, source: str) -> ResponseReturnValue:
    """Let a source be read."""
    try:
        await guard.node().newsroom.approve(source, actor)
    except Missing:
        raise
    except Rejected as error:
        return await _page(actor, SourceDraft(), (mistake(error),), error.status)
    return shell.done("news_source_approved", HERE)


@routes.post("/newsroom/sources/<source>/end")
@guard.staff_required(_EDITOR, _ADMINISTRATOR)
async def end(actor: Actor, source: str) -> ResponseReturnValue:
    """Read a source no more, and take away what came from it."""
    await guard.node().newsroom.end(source, actor)
    return shell.done("news_source_ended", HERE)


@routes.post("/newsroom/sources/<source>/file")
@guard.staff_required(_EDITOR)
async def bring(actor: Actor, source: str) -> ResponseReturnValue:
    """Take a feed in that the editor brings as a file."""
    sent = (await request.files).get("file")
    try:
        brought = await guard.node().newsroom.bring(source, sent.read() if sent is not None else b"")
    except Missing:
        raise
    except Rejected as error:
        return await _page(actor, SourceDraft(), (Mistake(error.code, f"file-{source}"),), error.status)
    return await _page(actor, SourceDraft(language=guard.language()), brought=brought)


@routes.get("/newsroom/sources/<source>")
@guard.staff_required(_EDITOR, _ADMINISTRATOR)
async def items(actor: Actor, source: str) -> ResponseReturnValue:
    """Show what came from a source, each with the way to take it away."""
    found = await newsroom.source(guard.node().store, source)
    return await shell.page(
        "newsroom_source.html", here=_place(actor), found=found, edits=_EDITOR in actor.roles,
        items=await newsroom.items(guard.node().store, source),
    )  # fmt: skip


@routes.post("/newsroom/items/<item>/withdraw")
@guard.staff_required(_EDITOR)
async def withdraw(actor: Actor, item: str) -> ResponseReturnValue:
    """Take one item away."""
    await guard.node().newsroom.withdraw(item, actor)
    source = await text_of("source")
    return shell.done("news_item_withdrawn", guard.own_path(f"{HERE}/sources/{source}", HERE))
