"""A forgotten password: the address, the code of the mail with a new password, and in as far as the old one let in."""

from __future__ import annotations

from quart import Blueprint, redirect, request
from quart.typing import ResponseReturnValue

from instance.routes import guard, shell
from instance.routes.account import device, way_on
from instance.routes.forms import Mistake, mistake, text_of
from instance.services.errors import Rejected

routes = Blueprint("recover", __name__)
_COOKIE = "recover"
_KEPT = 3_600


@routes.get("/recover")
@guard.public
async def recover_form() -> ResponseReturnValue:
    """Ask for the address; whoever is signed in changes the password on the own page."""
    return redirect("/me", code=303) if guard.session() else await _page("", [])


@routes.post("/recover")
@guard.public
async def recover() -> ResponseReturnValue:
    """Send a code to whoever has this address; the answer is the same where nobody has it."""
    typed = await text_of("email")
    try:
        token = await guard.node().recovery.begin(typed, guard.client_address(), guard.language())
    except Rejected as error:
        return await _page(typed, [mistake(error)], error.status)
    return _led("/recover/confirm", token)


async def _page(typed: str, mistakes: list[Mistake], status: int = 200) -> ResponseReturnValue:
    return await shell.page("recover.html", status=status, here="sign-in", email=typed, mistakes=mistakes)


@routes.get("/recover/confirm")
@guard.public
async def confirm_form() -> ResponseReturnValue:
    """Ask for the code and the new password."""
    return await _confirm_page([], sent=request.args.get("sent", "") == "again")


@routes.post("/recover/confirm")
@guard.public
async def confirm() -> ResponseReturnValue:
    """Take both: every session has ended, and one begins here, with the second step where there is a factor."""
    form, node = await request.form, guard.node()
    if form.get("password", "") != form.get("again", ""):
        return await _confirm_page([Mistake("passwords_differ", "again")], 422)
    try:
        account = await node.recovery.confirm(guard.kept(_COOKIE), await text_of("code"), form.get("password", ""))
    except Rejected as error:
        return await _refused(error)
    return await _let_in(account)


async def _let_in(account: str) -> ResponseReturnValue:
    begun = await guard.node().people.begin(account, device())
    answer = redirect(way_on(begun.stage, "/me?saved=password"), code=303)
    guard.keep_cookie(answer, begun.token)
    guard.drop(answer, _COOKIE)
    return answer


@routes.get("/recover/team")
@guard.public
async def team_form() -> ResponseReturnValue:
    """Ask for a code that an administrator had sent, and the new password."""
    return await _team_page([])


@routes.post("/recover/team")
@guard.public
async def team() -> ResponseReturnValue:
    """Take both, in whatever browser; then as with a code that was asked for here."""
    form = await request.form
    password = form.get("password", "")
    if password != form.get("again", ""):
        return await _team_page([Mistake("passwords_differ", "again")], 422)
    try:
        account = await guard.node().recovery.confirm_sent(await text_of("code"), password)
    except Rejected as error:
        return await _team_page([mistake(error)], error.status)
    return await _let_in(account)


async def _team_page(mistakes: list[Mistake], status: int = 200) -> ResponseReturnValue:
    return await shell.page("recover_team.html", status=status, here="sign-in", mistakes=mistakes)


@routes.post("/recover/again")
@guard.public
async def again() -> ResponseReturnValue:
    """Send another code."""
    try:
        token = await guard.node().recovery.again(guard.kept(_COOKIE), guard.client_address())
    except Rejected as error:
        return await _refused(error)
    return _led("/recover/confirm?sent=again", token)


def _led(path: str, token: str) -> ResponseReturnValue:
    answer = redirect(path, code=303)
    guard.keep(answer, _COOKIE, token, _KEPT)
    return answer


async def _refused(error: Rejected) -> ResponseReturnValue:
    """Say it at the form of the code; where nothing was asked in this browser, at the beginning."""
    if error.code == "code_gone":
        return await _page("", [Mistake(error.code)], error.status)
    return await _confirm_page([mistake(error)], error.status)


async def _confirm_page(mistakes: list[Mistake], status: int = 200, *, sent: bool = False) -> ResponseReturnValue:
    try:
        address = await guard.node().recovery.address(guard.kept(_COOKIE))
    except Rejected:
        return redirect("/recover", code=303)
    return await shell.page(
        "recover_confirm.html", status=status, here="sign-in", address=address, mistakes=mistakes, sent=sent
    )
