"""What protects an account: its passkeys, its app, its recovery codes; and the asking for a factor once more."""

from __future__ import annotations

from collections.abc import Awaitable

from quart import Blueprint, redirect, request
from quart.typing import ResponseReturnValue

from instance.routes import guard, shell
from instance.routes.account import device
from instance.routes.forms import Mistake, mistake, text_of
from instance.services.accounts import Session, Stage
from instance.services.errors import Missing, Rejected
from instance.services.factor_showing import FactorNeeded, Renewed, is_fresh
from instance.services.second_factor import MAX_LABEL, may_enrol

routes = Blueprint("security", __name__)
_SAVED = ("passkey_added", "passkey_removed", "app_added", "app_removed")


@routes.get("/me/security")
@guard.enrolling
async def security(present: Session) -> ResponseReturnValue:
    """Show the factors, and the ways to add one."""
    saved = request.args.get("saved", "")
    return await _page(present, [], saved=saved if saved in _SAVED else "")


@routes.get("/me/security/enrol/<token>")
@guard.enrolling
async def enrolment(present: Session, token: str) -> ResponseReturnValue:
    """Show what the holder of an enrolment link sends, to whoever has shown the password."""
    return await _page(present, [], enrolment=token)


@routes.post("/me/security/enrol")
@guard.enrolling
async def open_enrolment(present: Session) -> ResponseReturnValue:
    """Take an enrolment link, or what stands at its end: this session may add a first factor."""
    given = (await text_of("enrolment")).rstrip("/").rpartition("/")[2]
    try:
        token = await guard.node().factors.open_enrolment(present, given)
    except Missing:
        return redirect("/me/security", code=303)
    except Rejected as error:
        return await _refused(present, error)
    await guard.go_on_as(token)
    return redirect("/me/security", code=303)


async def _page(
    present: Session, mistakes: list[Mistake], status: int = 200, saved: str = "", enrolment: str = ""
) -> ResponseReturnValue:
    factors = guard.node().factors
    return await shell.page(
        "security.html", status=status, here=_here(present), mistakes=mistakes, saved=saved,
        factors=await factors.of(present.account_id), options=await factors.ask_for_new(present),
        to_prove=await guard.node().addresses.waiting(present.account_id),
        owed=present.stage is Stage.ENROL, closed=not may_enrol(present), enrolment=enrolment, longest=MAX_LABEL,
    )  # fmt: skip


def _here(present: Session) -> str:
    return "me" if present.stage is Stage.WHOLE else "sign-in"


@routes.post("/me/security/app")
@guard.enrolling
@guard.fresh_factor
async def begin_app(present: Session) -> ResponseReturnValue:
    """Make a secret for an app; the next page shows it."""
    await guard.node().factors.begin_app(present)
    return redirect("/me/security/app", code=303)


@routes.get("/me/security/app")
@guard.enrolling
async def app_to_confirm(present: Session) -> ResponseReturnValue:
    """Show the secret that waits for its first code, in this session; where there is a factor, after one was shown."""
    if present.factor_at is not None and not is_fresh(present, guard.node().clock()):
        raise FactorNeeded()
    return await _app_page(present, [])


async def _app_page(present: Session, mistakes: list[Mistake], status: int = 200) -> ResponseReturnValue:
    waiting = await guard.node().factors.app_to_confirm(present)
    if waiting is None:
        return redirect("/me/security", code=303)
    return await shell.page("app.html", status=status, here=_here(present), app=waiting, mistakes=mistakes)


@routes.post("/me/security/app/confirm")
@guard.enrolling
@guard.fresh_factor
async def confirm_app(present: Session) -> ResponseReturnValue:
    """Take the app's first code."""
    try:
        renewed = await guard.node().factors.confirm_app(present, await text_of("code"))
    except Missing:
        return redirect("/me/security", code=303)
    except FactorNeeded:
        raise
    except Rejected as error:
        return await _app_page(present, [mistake(error)], error.status)
    return await _changed(renewed, "app_added")


@routes.post("/me/security/app/remove")
@guard.enrolling
@guard.fresh_factor
async def remove_app(present: Session) -> ResponseReturnValue:
    """Take the app away."""
    try:
        return await _changed(await guard.node().factors.remove_app(present), "app_removed")
    except Missing:
        return redirect("/me/security", code=303)
    except Rejected as error:
        return await _refused(present, error)


@routes.post("/me/security/passkeys")
@guard.enrolling
@guard.fresh_factor
async def add_passkey(present: Session) -> ResponseReturnValue:
    """Keep a passkey that this or another device has made."""
    form, label = await request.form, await text_of("label") or device()
    added = guard.node().factors.add_passkey(present, form.get("credential", ""), label)
    return await _tried(present, added, "passkey_added")


@routes.post("/me/security/passkeys/remove")
@guard.enrolling
@guard.fresh_factor
async def remove_passkey(present: Session) -> ResponseReturnValue:
    """Take a passkey away."""
    removed = guard.node().factors.remove_passkey(present, await text_of("passkey"))
    return await _tried(present, removed, "passkey_removed")


@routes.post("/me/security/codes")
@guard.enrolling
@guard.fresh_factor
async def new_codes(present: Session) -> ResponseReturnValue:
    """Make new recovery codes, show them this once, and forget the old ones."""
    return await _tried(present, guard.node().factors.new_codes(present))


@routes.post("/me/confirm")
@guard.enrolling
@guard.fresh_factor
async def confirm(_present: Session) -> ResponseReturnValue:
    """Lead back to the page that asked for a factor, now that one was shown."""
    return redirect(guard.own_path(await text_of("next"), "/me"), code=303)


async def _tried(present: Session, change: Awaitable[Renewed], saved: str = "") -> ResponseReturnValue:
    """Carry a change out; the page says why where that cannot be."""
    try:
        renewed = await change
    except Rejected as error:
        return await _refused(present, error)
    return await _changed(renewed, saved)


async def _refused(present: Session, error: Rejected) -> ResponseReturnValue:
    if isinstance(error, FactorNeeded) or error.status in (401, 429):
        raise error
    return await _page(present, [mistake(error)], error.status)


async def _changed(renewed: Renewed, saved: str) -> ResponseReturnValue:
    """Go on under the session's new token; recovery codes are shown where there are new ones."""
    await guard.go_on_as(renewed.token)
    if not renewed.codes:
        return redirect(f"/me/security?saved={saved}", code=303)
    return await shell.page("codes.html", here="me", codes=renewed.codes)
