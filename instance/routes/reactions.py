"""Thanks, recommendations and reports: small acts on what one may read."""

from __future__ import annotations

from quart import Blueprint, redirect
from quart.typing import ResponseReturnValue

from instance.routes import guard, shell
from instance.routes.forms import Mistake, text_of
from instance.routes.posts import answer_path
from instance.services.reactions import REASONS
from instance.views import thread
from verification.standing import Action

routes = Blueprint("reactions", __name__)


@routes.post("/posts/<slug>/thanks")
@guard.doctor_required
async def thank(_reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Thank for a post, or take the thanks back."""
    await _thank(slug)
    return redirect(f"/posts/{slug}", code=303)


@routes.post("/comments/<slug>/thanks")
@guard.doctor_required
async def thank_for_answer(reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Thank for an answer, or take the thanks back."""
    found = await thread.comment(guard.node().store, reader.uri, slug)
    await _thank(slug)
    return redirect(await answer_path(reader, found.post, slug), code=303)


async def _thank(slug: str) -> None:
    reader, publishing = guard.require(Action.LIKE), guard.node().publishing
    act = publishing.unlike if await text_of("undo") else publishing.like
    await act(reader.uri, slug)


@routes.post("/posts/<slug>/recommend")
@guard.doctor_required
async def recommend(_reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Recommend a post within the audience it has, or take that back."""
    reader, publishing = guard.require(Action.RECOMMEND), guard.node().publishing
    act = publishing.unrecommend if await text_of("undo") else publishing.recommend
    await act(reader.uri, slug)
    return redirect(f"/posts/{slug}", code=303)


@routes.get("/posts/<slug>/report")
@guard.doctor_required
async def report_form(reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Show the reasons for which a post can be reported."""
    post = await thread.post(guard.node().store, reader.uri, slug)
    return await _report_page("post", post.title, slug, f"/posts/{slug}/report")


@routes.post("/posts/<slug>/report")
@guard.doctor_required
async def report(reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Report a post."""
    post = await thread.post(guard.node().store, reader.uri, slug)
    return await _report("post", post.title, slug, slug, f"/posts/{slug}/report")


@routes.get("/comments/<slug>/report")
@guard.doctor_required
async def report_answer_form(reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Show the reasons for which an answer can be reported."""
    found = await thread.comment(guard.node().store, reader.uri, slug)
    return await _report_page("comment", found.post_title, found.post, f"/comments/{slug}/report")


@routes.post("/comments/<slug>/report")
@guard.doctor_required
async def report_answer(reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Report an answer."""
    found = await thread.comment(guard.node().store, reader.uri, slug)
    return await _report("comment", found.post_title, found.post, slug, f"/comments/{slug}/report")


async def _report(what: str, title: str, post: str, slug: str, target: str) -> ResponseReturnValue:
    reader, reason = guard.require(Action.FLAG), await text_of("reason")
    if reason not in REASONS:
        return await _report_page(what, title, post, target, (Mistake("reason_missing", "reason"),), 422)
    await guard.node().publishing.report(reader.uri, slug, reason)
    return await shell.page("reported.html", here="post", post=post)


async def _report_page(
    what: str, title: str, post: str, target: str, mistakes: tuple[Mistake, ...] = (), status: int = 200
) -> ResponseReturnValue:
    return await shell.page(
        "report.html",
        status=status,
        here="post",
        what=what,
        title=title,
        post=post,
        target=target,
        reasons=REASONS,
        mistakes=mistakes,
    )
