"""Signing up: what somebody says of themselves, the code of the mail, and in as an applicant."""

from __future__ import annotations

from quart import Blueprint, redirect, request
from quart.typing import ResponseReturnValue

from instance.routes import guard, shell
from instance.routes.account import device
from instance.routes.forms import Mistake, mistake, text_of
from instance.routes.oneself import OneselfForm, offered, oneself_form, today
from instance.services.dossiers.values import NewApplication
from instance.services.errors import Rejected
from instance.services.joining import SignUp

routes = Blueprint("join", __name__)
_COOKIE = "join"
_KEPT = 3_600
_EMPTY = OneselfForm()


@routes.get("/join")
@guard.public
async def join_form() -> ResponseReturnValue:
    """Show the form; whoever is signed in goes to the own application."""
    return redirect("/application", code=303) if guard.session() else await _page(_EMPTY, [])


@routes.post("/join")
@guard.public
async def join() -> ResponseReturnValue:
    """Keep what was said and send a code; nothing else of the form counts. Whoever is signed in has an account."""
    if guard.entered() is not None:
        return redirect("/application", code=303)
    form, typed, email = await request.form, await oneself_form(), await text_of("email")
    if form.get("password", "") != form.get("again", ""):
        return await _page(typed, [Mistake("passwords_differ", "again")], 422, email=email)
    try:
        new = _sign_up(typed.application(email, today()), form.get("password", ""))
        token = await guard.node().joining.begin(new, guard.client_address(), guard.language())
    except Rejected as error:
        return await _page(typed, [mistake(error)], error.status, email=email)
    answer = redirect("/join/confirm", code=303)
    guard.keep(answer, _COOKIE, token, _KEPT)
    return answer


def _sign_up(said: NewApplication, password: str) -> SignUp:
    return SignUp(
        email=said.email, password=password, name=said.name, country=said.country, role=said.role,
        specialties=said.specialties, languages=said.languages, handle=said.handle, birth_date=said.birth_date,
    )  # fmt: skip


async def _page(
    form: OneselfForm, mistakes: list[Mistake], status: int = 200, *, email: str = ""
) -> ResponseReturnValue:  # fmt: skip
    return await shell.page(
        "join.html", status=status, here="join", mistakes=mistakes, email=email, dated=True,
        **await offered(form),
    )  # fmt: skip


@routes.get("/join/confirm")
@guard.public
async def confirm_form() -> ResponseReturnValue:
    """Ask for the code."""
    if guard.session():
        return redirect("/application", code=303)
    return await _confirm_page([], sent=request.args.get("sent", "") == "again")


@routes.post("/join/confirm")
@guard.public
async def confirm() -> ResponseReturnValue:
    """Take the code: the account is made, and its owner is signed in; nobody who is has a second one made."""
    if guard.entered() is not None:
        return redirect("/application", code=303)
    people = guard.node().people
    try:
        account = await guard.node().joining.confirm(guard.kept(_COOKIE), await text_of("code"))
    except Rejected as error:
        return await _refused(error)
    begun = await people.begin(account, device())
    answer = redirect("/application", code=303)
    guard.keep_cookie(answer, begun.token)
    guard.drop(answer, _COOKIE)
    return answer


@routes.post("/join/again")
@guard.public
async def again() -> ResponseReturnValue:
    """Send another code."""
    try:
        await guard.node().joining.again(guard.kept(_COOKIE), guard.client_address())
    except Rejected as error:
        return await _refused(error)
    return redirect("/join/confirm?sent=again", code=303)


async def _refused(error: Rejected) -> ResponseReturnValue:
    """Say it at the form of the code; where nobody signs up any more, at the beginning."""
    if error.code == "sign_up_gone":
        return await _page(_EMPTY, [mistake(error)], error.status)
    return await _confirm_page([mistake(error)], error.status)


async def _confirm_page(mistakes: list[Mistake], status: int = 200, *, sent: bool = False) -> ResponseReturnValue:
    try:
        address = await guard.node().joining.address(guard.kept(_COOKIE))
    except Rejected:
        return redirect("/join", code=303)
    return await shell.page(
        "join_confirm.html", status=status, here="join", address=address, mistakes=mistakes, sent=sent
    )
