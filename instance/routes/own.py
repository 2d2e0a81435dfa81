"""What is a doctor's own: how they describe themselves, their posts, and every answer they gave."""

from __future__ import annotations

from msgspec.structs import replace
from quart import Blueprint, request
from quart.typing import ResponseReturnValue

from instance.routes import guard, shell
from instance.routes.forms import Mistake, ProfileForm, mistake, profile_form, spoken_choices
from instance.services.descriptions import MAX_SUMMARY
from instance.services.errors import Rejected
from instance.views import arrivals, doctors, own
from verification.standing import Action

routes = Blueprint("own", __name__)


@routes.get("/me/profile")
@guard.doctor_required
async def edit_profile(reader: guard.Reader) -> ResponseReturnValue:
    """Show what was verified, and the form for what doctors say of themselves."""
    kept = await own.profile(guard.node().store, reader.uri)
    typed = ProfileForm(
        summary=kept.summary,
        languages=guard.slugs(kept.languages),
        approves_followers=bool(kept.approves_followers),
        seen=kept.version,
    )
    return await _profile_page(reader, typed)


@routes.post("/me/profile")
@guard.doctor_required
async def set_profile(_reader: guard.Reader) -> ResponseReturnValue:
    """Keep the new version; siblings are told."""
    reader, typed = guard.require(Action.EDIT), await profile_form()
    try:
        await guard.node().people.set_profile(
            reader.uri, typed.summary, typed.languages, typed.approves_followers, seen=typed.seen
        )
    except Rejected as error:
        if error.code == "changed_meanwhile":  # the other version is shown beside this one, which may follow it now
            typed = replace(typed, seen=(await own.profile(guard.node().store, reader.uri)).version)
        return await _profile_page(reader, typed, (mistake(error),), error.status)
    return shell.done("profile", guard.doctor_path(reader.row["address"]))


async def _profile_page(
    reader: guard.Reader, typed: ProfileForm, mistakes: tuple[Mistake, ...] = (), status: int = 200
) -> ResponseReturnValue:
    spoken, more = spoken_choices(guard.language(), typed.languages)
    return await shell.page(
        "profile.html",
        status=status,
        here="me",
        doctor=await doctors.profile(guard.node().store, reader.uri, reader.row["address"]),
        form=typed,
        spoken=spoken,
        more_spoken=more,
        most=MAX_SUMMARY,
        mistakes=mistakes,
    )


@routes.get("/me/posts")
@guard.doctor_required
async def my_posts(reader: guard.Reader) -> ResponseReturnValue:
    """Show the reader's own posts, newest first."""
    shown = await own.posts(guard.node().store, reader.uri, request.args.get("before", ""))
    return await shell.page("own_words.html", here="me", which="posts", shown=shown)


@routes.get("/me/answers")
@guard.doctor_required
async def my_answers(reader: guard.Reader) -> ResponseReturnValue:
    """Show the reader's own answers, also those in discussions that are closed to them."""
    shown = await own.answers(guard.node().store, reader.uri, request.args.get("before", ""))
    return await shell.page("own_words.html", here="me", which="answers", shown=shown)


@routes.get("/me/withdrawn")
@guard.doctor_required
async def my_withdrawn(reader: guard.Reader) -> ResponseReturnValue:
    """Show which posts the reader has withdrawn, the last first, and how many instances have confirmed that."""
    shown = await arrivals.all_withdrawn(guard.node(), reader.uri, request.args.get("before", ""))
    return await shell.page("own_words.html", here="me", which="withdrawn", shown=shown)


@routes.get("/me/withdrawn/<slug>")
@guard.doctor_required
async def withdrawn(reader: guard.Reader, slug: str) -> ResponseReturnValue:
    """Show who has confirmed that a post of the reader's is gone, and who is still asked."""
    gone = await arrivals.withdrawn(guard.node(), reader.uri, slug)
    return await shell.page("withdrawn.html", here="me", gone=gone)
