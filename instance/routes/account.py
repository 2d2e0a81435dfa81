"""Signing in and out, and what an account's owner decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from quart import Blueprint, redirect, request
from quart.typing import ResponseReturnValue

from instance.frame import APPEARANCES, bar_of
from instance.i18n import LANGUAGES
from instance.routes import guard, shell
from instance.routes.forms import Mistake, mistake, text_of
from instance.services.accounts import Stage
from instance.services.errors import Missing, Rejected
from instance.services.factor_showing import FactorNeeded, is_fresh
from instance.views import account, annexes
from verification.people import StaffRole
from verification.standing import Action, OwnAct, may_own

if TYPE_CHECKING:
    from instance.services.accounts import Session, SignIn

routes = Blueprint("account", __name__)
_FEED: Final = "/feed"


@routes.get("/sign-in")
@guard.public
async def sign_in_form() -> ResponseReturnValue:
    """Show the form; whoever is signed in goes on."""
    onward = guard.own_path(request.args.get("next", ""), _FEED)
    if (present := guard.entered()) is not None:
        return redirect(way_on(present.stage, onward), code=303)
    return await _sign_in_page(onward, "", [])


@routes.post("/sign-in")
@guard.public
async def sign_in() -> ResponseReturnValue:
    """Begin a session; a wrong name and a wrong password get the same answer."""
    form = await request.form
    login, onward = await text_of("login"), guard.own_path(await text_of("next"), _FEED)
    if (present := guard.session()) is not None:
        return _go_on(present, login, onward)
    try:
        begun = await begin_session(login, form.get("password", ""))
    except Rejected as error:
        return await _sign_in_page(onward, login, [mistake(error)], error.status)
    if onward == _FEED and begun.stage is Stage.WHOLE:
        onward = _beginning(await guard.node().people.entered(begun.token))
    answer = redirect(way_on(begun.stage, onward), code=303)
    guard.keep_cookie(answer, begun.token)
    return answer


def _beginning(present: Session | None) -> str:
    """Where somebody begins who was not on the way to anything: the first place that is open to them."""
    return _FEED if present is None else bar_of(present)[0][1]


def way_on(stage: Stage, onward: str) -> str:
    """Where somebody goes who has just shown the password."""
    if stage is Stage.FACTORS:
        return guard.WHOSE_FACTORS
    if stage is Stage.ENROL:
        return onward if onward.startswith("/me/security/enrol/") else "/me/security"
    return onward if stage is Stage.WHOLE else f"{guard.SECOND_STEP}?next={quote(onward, safe='/')}"


@routes.get("/sign-in/second")
@guard.second_step
async def second_step_form(present: Session) -> ResponseReturnValue:
    """Ask for the second factor."""
    return await _second_step_page(present, guard.own_path(request.args.get("next", ""), _FEED), [])


@routes.post("/sign-in/second")
@guard.second_step
async def second_step(present: Session) -> ResponseReturnValue:
    """Take the second factor: from now on the session is whole, under a new token."""
    onward = guard.own_path(await text_of("next"), _FEED)
    try:
        renewed = await guard.node().factors.show(present, await guard.shown_factor())
    except Rejected as error:
        return await _second_step_page(present, onward, [mistake(error)], error.status)
    await guard.go_on_as(renewed.token)
    return redirect(_beginning(guard.session()) if onward == _FEED else onward, code=303)


@routes.get("/sign-in/factors")
@guard.factors_in_question
async def whose_factors(present: Session) -> ResponseReturnValue:
    """Ask which factors are the owner's, after the account was in somebody else's hands."""
    return await _factors_page(present, [])


@routes.post("/sign-in/factors")
@guard.factors_in_question
@guard.fresh_factor
async def say_whose(present: Session) -> ResponseReturnValue:
    """Take the others away; the session is whole, and recovery codes are new."""
    form = await request.form
    try:
        renewed = await guard.node().factors.say_whose(present, form.getlist("not_mine"))
    except FactorNeeded:
        raise
    except Rejected as error:
        return await _factors_page(present, [mistake(error)], error.status)
    await guard.go_on_as(renewed.token)
    if not renewed.codes:
        return redirect("/me/security", code=303)
    return await shell.page("codes.html", here="me", codes=renewed.codes)


async def _factors_page(present: Session, mistakes: list[Mistake], status: int = 200) -> ResponseReturnValue:
    return await shell.page(
        "factors.html", status=status, here="sign-in", mistakes=mistakes,
        factors=await guard.node().factors.of(present.account_id),
    )  # fmt: skip


async def _second_step_page(
    present: Session, onward: str, mistakes: list[Mistake], status: int = 200
) -> ResponseReturnValue:
    factors = guard.node().factors
    return await shell.page(
        "second_step.html", status=status, here="sign-in", next=onward, mistakes=mistakes,
        factors=await factors.of(present.account_id), options=await factors.ask(present),
    )  # fmt: skip


def _go_on(present: Session, login: str, onward: str) -> ResponseReturnValue:
    """Lead on whoever is signed in already; nobody is signed out by a form that was open in another tab."""
    if login.casefold() != present.login.casefold():
        raise Rejected("already_signed_in", status=409)
    return redirect(onward, code=303)


async def _sign_in_page(onward: str, login: str, mistakes: list[Mistake], status: int = 200) -> ResponseReturnValue:
    return await shell.page("sign_in.html", status=status, here="sign-in", next=onward, login=login, mistakes=mistakes)


@routes.post("/sign-out")
@guard.public
async def sign_out() -> ResponseReturnValue:
    """End the session and clear what this browser kept of us."""
    token = guard.kept("session")
    if token:
        await guard.node().people.sign_out(token)
    answer = redirect("/", code=303)
    answer.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    guard.drop(answer, "session")
    return answer


@routes.get("/me")
@guard.account_required
async def me(present: Session) -> ResponseReturnValue:
    """Show the account's page."""
    return await _me_page(present, [])


async def _me_page(
    present: Session, mistakes: list[Mistake], status: int = 200, saved: str = ""
) -> ResponseReturnValue:
    node = guard.node()
    file = await node.dossiers.of_account(present.account_id)
    return await shell.page(
        "me.html",
        status=status,
        here="me",
        open=guard.allows(Action.READ),
        factors=await node.factors.of(present.account_id),
        to_prove=await node.addresses.waiting(present.account_id),
        applies=file is not None,
        exports=file is None or may_own(OwnAct.EXPORT, file.dossier.state),
        acts=() if file is None else annexes.possible(file, node.clock()),
        administers=StaffRole.ADMINISTRATOR.value in present.roles,
        reads_audit=StaffRole.DPO.value in present.roles,
        edits=StaffRole.EDITOR.value in present.roles,
        reviews=bool({StaffRole.REVIEWER.value, StaffRole.LEAD.value} & set(present.roles)),
        account=await account.account(node.store, present.account_id),
        moved=await node.relocations.moved_to(present.doctor["uri"]) if present.doctor else None,
        devices=await node.people.list_sessions(present.account_id, guard.kept("session")),
        mistakes=mistakes,
        saved=saved or _saved(request.args.get("saved", "")),
    )


def _saved(name: str) -> str:
    return name if name in ("preferences", "password", "session") else ""


@routes.post("/me/preferences")
@guard.account_required
async def set_preferences(present: Session) -> ResponseReturnValue:
    """Keep language and appearance."""
    language, appearance = await text_of("language"), await text_of("appearance")
    if language in ("", *LANGUAGES) and appearance in APPEARANCES:
        await guard.node().people.set_preferences(present.account_id, language, appearance)
    return redirect("/me?saved=preferences", code=303)


@routes.get("/me/password")
@guard.account_required
async def fresh_for_password(present: Session) -> ResponseReturnValue:
    """Lead to the form that changes the password; where there is a factor, after one was shown."""
    if present.factor_at is not None and not is_fresh(present, guard.node().clock()):
        raise FactorNeeded()
    return redirect("/me", code=303)


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
        return await _me_page(present, [Mistake("passwords_differ", "again")], 422)
    try:
        await node.people.change_password(present.account_id, form.get("old_password", ""), form.get("password", ""))
    except Rejected as error:
        return await _me_page(present, [mistake(error)], error.status)
    try:
        begun = await begin_session(present.login, form.get("password", ""))
    except Rejected:
        # The password is changed all the same; only a new session is not to be had right now.
        return redirect("/sign-in", code=303)
    answer = redirect(way_on(begun.stage, "/me?saved=password"), code=303)
    guard.keep_cookie(answer, begun.token)
    return answer


@routes.post("/me/sessions/end")
@guard.account_required
async def end_session(present: Session) -> ResponseReturnValue:
    """End one session of this account; of one that is not there (any more) the account's page says so."""
    try:
        await guard.node().people.revoke_session(present.account_id, await text_of("session"))
    except Missing:
        return await _me_page(present, [], 404, "session_gone")
    return redirect("/me?saved=session", code=303)


async def begin_session(login: str, password: str) -> SignIn:
    """Begin a session for this device; raise Rejected."""
    return await guard.node().people.sign_in(login, password, guard.client_address(), device())


def device() -> str:
    """The device this request comes from, by its name."""
    return device_name(request.headers.get("User-Agent", ""))


def device_name(agent: str) -> str:
    """`Firefox, Android`: enough to recognise one's own device, no more."""
    browsers = (
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    )
    systems = (
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    )
    names = [next((name for mark, name in marks if mark in agent), "") for marks in (browsers, systems)]
    return ", ".join(name for name in names if name)
