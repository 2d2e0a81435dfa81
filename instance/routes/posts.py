"""A post with its thread: reading, answering, mending, withdrawing."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from quart import Blueprint, redirect, request
from quart.typing import ResponseReturnValue

from instance.ids import new_ulid
from instance.rendering import opening
from instance.routes import guard, shell
from instance.routes.forms import Mistake, languages_offered, mistake, text_of, version_seen
from instance.services import acting, notices
from instance.services.drafts import CommentDraft
from instance.services.errors import Missing, Rejected
from instance.storage.errors import StorageError, StorageUnavailable
from instance.text import quoted
from instance.views import arrivals, case, own, thread
from verification.standing import Action

routes = Blueprint("posts", __name__)
#: Without anything new, a visit is noted this seldom, in milliseconds.
_SELDOM: Final = 60_000


@routes.get("/posts/<slug>")
@guard.doctor_required
async def show(reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Show a post and its thread.

    `quote` opens the form of an answer with the words of what is answered, `update` that of an update.
    """
    page, quote = _page(request.args.get("page", "")), request.args.get("quote", "")
    if quote and guard.allows(Action.COMMENT):
        words = await _quoted(reader, slug, quote)
        return await post_page(reader, slug, typed=words, answering=quote if quote != slug else "", visits=_is_read())
    as_update = request.args.get("update", "") == "1"
    return await post_page(reader, slug, page=page, as_update=as_update, visits=_is_read())


def _is_read() -> bool:
    """Whether somebody looks at the page now: what a browser fetches ahead was not seen by anybody."""
    ahead = (request.headers.get(name, "").lower() for name in ("Sec-Purpose", "Purpose", "X-Moz"))
    return request.method == "GET" and not any("prefetch" in purpose or "prerender" in purpose for purpose in ahead)


async def _quoted(reader: guard.Reader, slug: str, quote: str) -> str:
    """The words of the post, or of an answer to it, as a quotation; nothing for what is not in this thread."""
    if quote == slug:
        return quoted((await thread.post(guard.node().store, reader.uri, slug)).content)
    try:
        found = await thread.comment(guard.node().store, reader.uri, quote)
    except Missing:
        return ""
    return quoted(found.content) if found.post == slug else ""


def _page(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 1


async def answer_path(reader: guard.Reader, post: str, comment: str) -> str:
    """The place of an answer: the page of the thread it stands on, and where on it."""
    page = await thread.page_of(guard.node().store, reader.uri, post, comment)
    return f"/posts/{post}{f'?page={page}' if page > 1 else ''}#{comment}"


async def post_page(
    reader: guard.Reader,
    slug: str,
    *,
    page: int = 1,
    typed: str = "",
    language: str = "",
    answering: str = "",
    mistakes: tuple[Mistake, ...] = (),
    poll_mistakes: tuple[Mistake, ...] = (),
    as_update: bool = False,
    status: int = 200,
    visits: bool = False,
) -> ResponseReturnValue:
    """Answer with the post's page, with what was typed where an answer could not be kept.

    `visits` says that the reader looks at it: its notices are read, and from the next time on what was here is not new.
    """
    node, now = guard.node(), shell.now_ms()
    kept = await case.kept(node.store, reader.uri, slug)
    if answering:
        page = await thread.page_of(node.store, reader.uri, slug, answering)
    shown = await thread.thread(node.store, reader.uri, slug, page, since=kept.visited_at)
    if visits:
        with suppress(StorageUnavailable):  # reading goes on where nothing can be written
            await notices.opened(node.store, reader.uri, slug, node.clock())
    if not shown.post.local:
        node.threads.wanted(shown.post.uri)
    if answering not in {answer.comment.slug for answer in shown.answers}:
        answering = ""  # what was answered is gone: the text comes back in the form for the post
    usual = _answer_language(reader, shown.post.language)
    answer = await shell.page(
        "post.html",
        status=status,
        here="post",
        kept=kept,
        beside=await case.beside(node.store, reader.uri, shown, guard.language(), now),
        fresh={place.slug for place in shown.fresh},
        may_vote=guard.allows(Action.VOTE) and not shown.post.own,
        poll_mistakes=poll_mistakes,
        as_update=as_update,
        thread=shown,
        post=shown.post,
        feed_left=node.visits.left(reader.uri),
        arrivals=await arrivals.of_post(node, shown.post) if shown.post.own else [],
        may_comment=guard.allows(Action.COMMENT),
        may_recommend=guard.allows(Action.RECOMMEND) and not shown.post.own and shown.post.audience != "named",
        form_key=new_ulid(node.clock()),
        content_languages=languages_offered(usual),
        typed=typed,
        answer_language=usual,
        typed_language=language or usual,
        answering=answering,
        mistakes=mistakes,
    )
    if visits and (kept.visited_at is None or shown.fresh or now - kept.visited_at > _SELDOM):
        with suppress(StorageError):  # who reads must not be kept from it by a disk that is full
            await node.publishing.visited(reader.uri, shown.post.uri, min(now, shown.seen_until))
    return answer


@routes.post("/posts/<slug>/answers")
@guard.doctor_required
async def answer(_reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Keep an answer; what was typed comes back where it cannot be kept."""
    reader, text, parent = guard.require(Action.COMMENT), await text_of("text"), await text_of("parent")
    language = await text_of("language") or guard.language()
    as_update, form_key = bool(await text_of("as_update")), await text_of("form_key")
    draft = CommentDraft(
        text=text, language=language, parent_slug=parent or None, form_key=form_key, as_update=as_update
    )
    try:
        made = await guard.node().publishing.comment(reader.uri, slug, draft)
    except Missing:
        raise
    except Rejected as error:
        return await post_page(
            reader,
            slug,
            typed=text,
            language=language,
            answering=parent,
            mistakes=(mistake(error),),
            as_update=as_update,
            status=error.status,
        )
    return shell.done("answered", await answer_path(reader, slug, made), at=made)


def _answer_language(reader: guard.Reader, spoken: str) -> str:
    """The language of the discussion where the reader says they speak it, else that of the pages."""
    return spoken if spoken in guard.slugs(reader.row["languages"]) else guard.language()


@routes.get("/posts/<slug>/history")
@guard.doctor_required
async def history(reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Show the earlier versions of a post, oldest first."""
    store = guard.node().store
    post = await thread.post(store, reader.uri, slug)
    versions = await thread.revisions(store, post.uri)
    return await shell.page(
        "history.html",
        here="post",
        title=post.title,
        title_lang=post.language,
        post=slug,
        shown=post,
        versions=versions,
        bulletin=post.bulletin,
    )


@routes.get("/posts/<slug>/withdraw")
@guard.doctor_required
async def confirm_withdraw(reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Ask once more before a post goes."""
    post = guard.own(await thread.post(guard.node().store, reader.uri, slug))
    return await shell.page(
        "withdraw.html",
        here="post",
        what="post",
        shown=post.title,
        lang=post.language,
        target=request.path,
        keep=f"/posts/{slug}",
    )


@routes.post("/posts/<slug>/withdraw")
@guard.doctor_required
async def withdraw(_reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Withdraw a post, here and wherever it was sent; a second press leads on like the first."""
    reader, node = guard.require(Action.WITHDRAW), guard.node()
    try:
        await node.publishing.withdraw(reader.uri, slug)
    except Missing:
        await _require_withdrawn(reader, f"posts/{slug}")
    return shell.done("post_withdrawn", "/feed?tab=all")


@routes.get("/comments/<slug>")
@guard.doctor_required
async def show_comment(reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Lead to the answer in its thread."""
    found = await thread.comment(guard.node().store, reader.uri, slug)
    return redirect(await answer_path(reader, found.post, found.slug), code=303)


@routes.get("/comments/<slug>/history")
@guard.doctor_required
async def comment_history(reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Show the earlier versions of an answer, oldest first."""
    store = guard.node().store
    found = await thread.comment(store, reader.uri, slug)
    versions = await thread.revisions(store, found.uri)
    return await shell.page(
        "history.html",
        here="post",
        title=found.post_title,
        title_lang=found.post_language,
        post=found.post,
        shown=found,
        versions=versions,
        bulletin=None,
    )


@routes.get("/comments/<slug>/edit")
@guard.doctor_required
async def edit_comment_form(reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Show an own answer to be mended."""
    found = guard.own(await thread.comment(guard.node().store, reader.uri, slug))
    return await _edit_comment_page(found, found.source, found.language, str(found.updated_at or 0))


async def _edit_comment_page(
    found: thread.OneComment,
    typed: str,
    language: str,
    seen: str,
    mistakes: tuple[Mistake, ...] = (),
    status: int = 200,
) -> ResponseReturnValue:
    return await shell.page(
        "edit_comment.html",
        status=status,
        here="post",
        comment=found,
        typed=typed,
        chosen_language=language,
        seen=seen,
        content_languages=languages_offered(found.language),
        mistakes=mistakes,
    )


@routes.post("/comments/<slug>/edit")
@guard.doctor_required
async def edit_comment(_reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Keep the new version of an answer."""
    reader, text, seen = guard.require(Action.EDIT), await text_of("text"), await text_of("seen")
    found = guard.own(await thread.comment(guard.node().store, reader.uri, slug))
    language = await text_of("language") or found.language
    draft = CommentDraft(text=text, language=language, parent_slug=None, form_key="")
    try:
        await guard.node().publishing.edit_comment(reader.uri, slug, draft, seen=version_seen(seen))
    except Missing:
        raise
    except Rejected as error:
        if error.code == "changed_meanwhile":  # the other version is shown beside this one, which may follow it now
            found = guard.own(await thread.comment(guard.node().store, reader.uri, slug))
            seen = str(found.updated_at or 0)
        return await _edit_comment_page(found, text, language, seen, (mistake(error),), error.status)
    return shell.done("edited", await answer_path(reader, found.post, slug), at=slug)


@routes.get("/comments/<slug>/withdraw")
@guard.doctor_required
async def confirm_withdraw_comment(reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Ask once more before an answer goes."""
    found = await own.answer(guard.node().store, reader.uri, slug)
    return await shell.page(
        "withdraw.html",
        here="post" if found.post else "me",
        what="comment",
        shown=opening(found.content),
        lang=found.language,
        target=request.path,
        keep=f"/comments/{slug}" if found.post else "/me/answers",
    )


@routes.post("/comments/<slug>/withdraw")
@guard.doctor_required
async def withdraw_comment(_reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Withdraw an answer, here and wherever it was sent; lead back to where its author may be.

    A second press finds nothing and leads on too.
    """
    reader, node = guard.require(Action.WITHDRAW), guard.node()
    post = ""
    try:
        post = (await own.answer(node.store, reader.uri, slug)).post
        await node.publishing.withdraw_comment(reader.uri, slug)
    except Missing:
        await _require_withdrawn(reader, f"comments/{slug}")
    return shell.done("answer_withdrawn", f"/posts/{post}" if post else "/me/answers")


async def _require_withdrawn(reader: guard.Reader, path: str) -> None:
    """Raise Missing unless it was the reader who withdrew what stood there."""
    if not await acting.withdrawn(guard.node(), reader.uri, path):
        raise Missing
