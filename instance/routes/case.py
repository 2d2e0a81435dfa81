"""What readers and authors do with a case beside answering: keep it, vote, add a poll, say how it ended."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct
from quart import Blueprint, request
from quart.typing import ResponseReturnValue

from instance.routes import guard, shell
from instance.routes.case_form import case_form, choices
from instance.routes.forms import Mistake, languages_offered, lines, mistake, text_of
from instance.routes.posts import post_page
from instance.services.case_parts import CLINICAL, MAX_DIAGNOSIS, MAX_OUTCOME
from instance.services.errors import Missing, Rejected
from instance.services.publishing import PollDraft, ResolutionDraft
from instance.views import case, thread
from verification.standing import Action

routes = Blueprint("case", __name__)
_DONE: Final = {"follow": ("followed", "unfollowed"), "mute": ("muted", "unmuted"), "save": ("saved", "unsaved")}


class EndForm(Struct, frozen=True, kw_only=True):
    """How a case ended, as typed."""

    diagnosis: str = ""
    outcome: str = ""
    language: str = ""
    thanked: tuple[str, ...] = ()


# ── what a reader keeps ──


@routes.post("/posts/<slug>/follow")
@guard.doctor_required
async def follow(reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Follow a case, or follow it no more."""
    return await _mark(reader, slug, "follow")


@routes.post("/posts/<slug>/mute")
@guard.doctor_required
async def mute(reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Hear nothing of a case any more, or hear of it again."""
    return await _mark(reader, slug, "mute")


@routes.post("/posts/<slug>/save")
@guard.doctor_required
async def save(reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Put a case on the own list, or take it off."""
    return await _mark(reader, slug, "save")


async def _mark(reader: guard.Reader, slug: str, what: str) -> ResponseReturnValue:
    undo = bool(await text_of("undo"))
    await guard.node().publishing.mark(reader.uri, slug, what, undo=undo)
    return shell.done(_DONE[what][int(undo)], f"/posts/{slug}")


@routes.get("/me/saved")
@guard.doctor_required
async def saved(reader: guard.Reader) -> ResponseReturnValue:
    """Show the posts the reader saved, the newest first."""
    page = await case.saved(guard.node().store, reader.uri, request.args.get("before", ""))
    return await shell.page("saved.html", here="me", page=page)


@routes.post("/me/saved/remove")
@guard.doctor_required
async def remove_saved(reader: guard.Reader) -> ResponseReturnValue:
    """Take a post off the list, also one that is gone."""
    await guard.node().publishing.unsave(reader.uri, await text_of("post"))
    return shell.done("unsaved", "/me/saved")


# ── polls ──


@routes.post("/posts/<slug>/vote")
@guard.doctor_required
async def vote(_reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Vote in the poll of a case, or vote anew while it is open."""
    reader, choice = guard.require(Action.VOTE), await text_of("choice")
    try:
        await guard.node().publishing.vote(reader.uri, slug, choice)
    except Missing:
        raise
    except Rejected as error:
        return await post_page(reader, slug, poll_mistakes=(mistake(error),), status=error.status)
    return shell.done("voted", f"/posts/{slug}#poll")


@routes.get("/posts/<slug>/poll")
@guard.doctor_required
async def poll_form(reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Show the form of a poll to an own case that has none."""
    return await _poll_page(await _own_case(reader, slug), PollDraft(options=""))


@routes.post("/posts/<slug>/poll")
@guard.doctor_required
async def add_poll(_reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Add a poll to an own case."""
    reader, typed = guard.require(Action.POST), await case_form()
    post = await _own_case(reader, slug)
    draft = PollDraft(options=typed.poll_options, days=typed.poll_days)
    try:
        await guard.node().publishing.attach_poll(reader.uri, slug, draft)
    except Missing:
        raise
    except Rejected as error:
        return await _poll_page(post, draft, (mistake(error),), error.status)
    return shell.done("poll_added", f"/posts/{slug}#poll")


@routes.post("/posts/<slug>/poll/close")
@guard.doctor_required
async def close_poll(_reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """End the own poll."""
    reader = guard.require(Action.EDIT)
    await _own_case(reader, slug)
    await guard.node().publishing.close_poll(reader.uri, slug)
    return shell.done("poll_closed", f"/posts/{slug}#poll")


async def _poll_page(
    post: thread.PostRow, typed: PollDraft, mistakes: tuple[Mistake, ...] = (), status: int = 200
) -> ResponseReturnValue:
    case_typed = {"poll_options": typed.options, "poll_days": typed.days}
    return await shell.page(
        "poll.html",
        status=status,
        here="post",
        post=post,
        case_typed=case_typed,
        mistakes=mistakes,
        **choices(guard.language()),
    )


# ── the end of a case ──


@routes.get("/posts/<slug>/resolution")
@guard.doctor_required
async def resolution_form(reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Show how an own case ended, to be said or corrected."""
    post = await _own_case(reader, slug)
    end = await case.end_of(guard.node().store, post)
    if end is None:
        return await _end_page(reader, post, EndForm(language=post.language))
    answers = await thread.others(guard.node().store, reader.uri, slug)
    thanked = tuple(answer.slug for answer in answers if answer.uri in end.thanked)
    typed = EndForm(diagnosis=end.diagnosis, outcome=end.outcome, language=end.language, thanked=thanked)
    return await _end_page(reader, post, typed)


@routes.post("/posts/<slug>/resolution")
@guard.doctor_required
async def resolve(_reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Keep how an own case ended."""
    reader, typed = guard.require(Action.EDIT), await _end_form()
    post = await _own_case(reader, slug)
    draft = ResolutionDraft(
        diagnosis=typed.diagnosis, outcome=typed.outcome, language=typed.language, thanked=typed.thanked
    )
    try:
        await guard.node().publishing.resolve(reader.uri, slug, draft)
    except Missing:
        raise
    except Rejected as error:
        return await _end_page(reader, post, typed, (mistake(error),), error.status)
    return shell.done("resolved", f"/posts/{slug}")


@routes.post("/posts/<slug>/reopen")
@guard.doctor_required
async def reopen(_reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Open an own case again."""
    reader = guard.require(Action.EDIT)
    await _own_case(reader, slug)
    await guard.node().publishing.reopen(reader.uri, slug)
    return shell.done("reopened", f"/posts/{slug}")


async def _end_form() -> EndForm:
    form: Any = await request.form
    return EndForm(
        diagnosis=lines(form.get("diagnosis", "")).strip(),
        outcome=lines(form.get("outcome", "")).strip(),
        language=form.get("language", ""),
        thanked=tuple(dict.fromkeys(form.getlist("thanked"))),
    )


async def _end_page(
    reader: guard.Reader,
    post: thread.PostRow,
    typed: EndForm,
    mistakes: tuple[Mistake, ...] = (),
    status: int = 200,
) -> ResponseReturnValue:
    return await shell.page(
        "resolution.html",
        status=status,
        here="post",
        post=post,
        form=typed,
        answers=await thread.others(guard.node().store, reader.uri, post.slug),
        content_languages=languages_offered(typed.language),
        most_diagnosis=MAX_DIAGNOSIS,
        most_outcome=MAX_OUTCOME,
        mistakes=mistakes,
    )


async def _own_case(reader: guard.Reader, slug: str) -> thread.PostRow:
    post = guard.own(await thread.post(guard.node().store, reader.uri, slug))
    if post.kind not in CLINICAL:
        raise Missing
    return post
