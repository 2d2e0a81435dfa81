"""Thanks, recommendations and reports: small acts on what one may read."""

from __future__ import annotations

from msgspec import Struct
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
    return await _report_page(await _post(reader, slug))


@routes.post("/posts/<slug>/report")
@guard.doctor_required
async def report(reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Report a post."""
    return await _report(await _post(reader, slug))


@routes.get("/comments/<slug>/report")
@guard.doctor_required
async def report_answer_form(reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Show the reasons for which an answer can be reported."""
    return await _report_page(await _answer(reader, slug))


@routes.post("/comments/<slug>/report")
@guard.doctor_required
async def report_answer(reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Report an answer."""
    return await _report(await _answer(reader, slug))


class _Reported(Struct, frozen=True, kw_only=True):
    """What a report is about: a post or an answer, by the title of the discussion and its language."""

    what: str
    slug: str
    post: str
    title: str
    title_lang: str

    @property
    def target(self) -> str:
        """Where its report is sent."""
        return f"/{self.what}s/{self.slug}/report"


async def _post(reader: guard.Reader, slug: str) -> _Reported:
    found = await thread.post(guard.node().store, reader.uri, slug)
    return _Reported(what="post", slug=slug, post=slug, title=found.title, title_lang=found.language)


async def _answer(reader: guard.Reader, slug: str) -> _Reported:
    found = await thread.comment(guard.node().store, reader.uri, slug)
    return _Reported(what="comment", slug=slug, post=found.post, title=found.post_title, title_lang=found.post_language)


async def _report(thing: _Reported) -> ResponseReturnValue:
    reader, reason = guard.require(Action.FLAG), await text_of("reason")
    if reason not in REASONS:
        return await _report_page(thing, (Mistake("reason_missing", "reason"),), 422)
    await guard.node().publishing.report(reader.uri, thing.slug, reason)
    return await shell.page("reported.html", here="post", post=thing.post)


async def _report_page(thing: _Reported, mistakes: tuple[Mistake, ...] = (), status: int = 200) -> ResponseReturnValue:
    return await shell.page("report.html", status=status, here="post", thing=thing, reasons=REASONS, mistakes=mistakes)
