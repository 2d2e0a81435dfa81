"""What an account's owner decides: the way to it all, how pages look, the password, and where one is signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from quart import Blueprint, redirect, request
from quart.typing import ResponseReturnValue

from instance.frame import APPEARANCES
from instance.i18n import CONTENT_LANGUAGES
from instance.routes import guard, shell
from instance.routes.account import begin_session, way_on
from instance.routes.forms import Mistake, mistake, text_of
from instance.services.accounts import TEXT_SIZES
from instance.services.errors import Missing, Rejected
from instance.services.factor_showing import FactorNeeded, is_fresh
from instance.views import account, annexes
from instance.views.application import may_leave
from verification.people import StaffRole
from verification.standing import Action, OwnAct, may_own

if TYPE_CHECKING:
    from instance.services.accounts import Session

routes = Blueprint("preferences", __name__)
_SAVED: Final = ("preferences", "password", "session", "sessions")


def _saved() -> str:
    """What the page is to say has just been kept."""
    name = request.args.get("saved", "")
    return name if name in _SAVED else ""


@routes.get("/me")
@guard.account_required
async def me(present: Session) -> ResponseReturnValue:
    """Show how the account stands, and the way to everything its owner decides."""
    node = guard.node()
    file = await node.dossiers.of_account(present.account_id)
    return await shell.page(
        "me.html",
        here="me",
        open=guard.allows(Action.READ),
        factors=await node.factors.of(present.account_id),
        to_prove=await node.addresses.waiting(present.account_id),
        applies=file is not None,
        leaves=file is not None and may_leave(file),
        exports=file is None or may_own(OwnAct.EXPORT, file.dossier.state),
        acts=() if file is None else annexes.possible(file, node.clock()),
        administers=StaffRole.ADMINISTRATOR.value in present.roles,
        reads_audit=StaffRole.DPO.value in present.roles,
        edits=StaffRole.EDITOR.value in present.roles,
        reviews=bool({StaffRole.REVIEWER.value, StaffRole.LEAD.value} & set(present.roles)),
        moved=await node.relocations.moved_to(present.doctor["uri"]) if present.doctor else None,
        saved=_saved(),
    )


# ── how pages look ──


@routes.get("/me/appearance")
@guard.account_required
async def appearance(present: Session) -> ResponseReturnValue:
    """Show languages, light or dark, and the size of text."""
    return await _look_page(present, [])


async def _look_page(present: Session, mistakes: list[Mistake], status: int = 200) -> ResponseReturnValue:
    kept = await account.account(guard.node().store, present.account_id)
    return await shell.page(
        "appearance.html",
        status=status,
        here="me",
        account=kept,
        reading=guard.slugs(kept.reading),
        content_languages=CONTENT_LANGUAGES,
        appearances=APPEARANCES,
        text_sizes=TEXT_SIZES,
        mistakes=mistakes,
        saved=_saved(),
    )


@routes.post("/me/preferences")
@guard.account_required
async def set_preferences(present: Session) -> ResponseReturnValue:
    """Keep language and appearance; and the size of text with the languages one reads, where the form names a size."""
    form, size = await request.form, await text_of("text_size")
    language, appearance = await text_of("language"), await text_of("appearance")
    chosen = int(size) if size in map(str, TEXT_SIZES) else 0
    look = (chosen, form.getlist("reading")) if size else None
    try:
        await guard.node().people.set_preferences(present.account_id, language, appearance, look=look)
    except Rejected as error:
        return await _look_page(present, [mistake(error)], error.status)
    return redirect("/me/appearance?saved=preferences", code=303)


# ── the password ──


@routes.get("/me/password")
@guard.account_required
async def password(present: Session) -> ResponseReturnValue:
    """Show the form that changes the password; where there is a factor, after one was shown."""
    if present.factor_at is not None and not is_fresh(present, guard.node().clock()):
        raise FactorNeeded()
    return await _password_page(present, [])


async def _password_page(present: Session, mistakes: list[Mistake], status: int = 200) -> ResponseReturnValue:
    return await shell.page("password.html", status=status, here="me", login=present.login, mistakes=mistakes)


@routes.post("/me/password")
@guard.account_required
async def change_password(present: Session) -> ResponseReturnValue:
    """Change the password; every session ends, and a new one begins here.

    Where there is a factor, one is asked for first, on a page that keeps no password: the form is filled in again.
    """
    form, node = await request.form, guard.node()
    if present.factor_at is not None and not is_fresh(present, node.clock()):
        return redirect("/me/password", code=303)
    if form.get("password", "") != form.get("again", ""):
        return await _password_page(present, [Mistake("passwords_differ", "again")], 422)
    try:
        await node.people.change_password(present.account_id, form.get("old_password", ""), form.get("password", ""))
    except Rejected as error:
        return await _password_page(present, [mistake(error)], error.status)
    try:
        begun = await begin_session(present.login, form.get("password", ""))
    except Rejected:
        # The password is changed all the same; only a new session is not to be had right now.
        return redirect("/sign-in", code=303)
    answer = redirect(way_on(begun.stage, "/me?saved=password"), code=303)
    guard.keep_cookie(answer, begun.token)
    return answer


# ── where one is signed in ──


@routes.get("/me/sessions")
@guard.account_required
async def sessions(present: Session) -> ResponseReturnValue:
    """Show every device on which the owner is signed in."""
    return await _sessions_page(present)


async def _sessions_page(present: Session, status: int = 200, saved: str = "") -> ResponseReturnValue:
    devices = await guard.node().people.list_sessions(present.account_id, guard.kept("session"))
    return await shell.page("sessions.html", status=status, here="me", devices=devices, saved=saved or _saved())


@routes.post("/me/sessions/end")
@guard.account_required
async def end_session(present: Session) -> ResponseReturnValue:
    """End one session of this account; of one that is not there (any more) the page says so."""
    try:
        await guard.node().people.revoke_session(present.account_id, await text_of("session"))
    except Missing:
        return await _sessions_page(present, 404, "session_gone")
    return redirect("/me/sessions?saved=session", code=303)


@routes.post("/me/sessions/end-others")
@guard.account_required
async def end_other_sessions(present: Session) -> ResponseReturnValue:
    """End every session of this account but the one that asks."""
    await guard.node().people.end_other_sessions(present.account_id, guard.kept("session"))
    return redirect("/me/sessions?saved=sessions", code=303)
