"""Signing up: what somebody says of themselves, the code of the mail, and in as an applicant."""

from __future__ import annotations

from quart import Blueprint, redirect, request
from quart.typing import ResponseReturnValue

from instance.routes import guard, shell
from instance.routes.account import device_name
from instance.routes.forms import Mistake, mistake, specialty_choices, text_of
from instance.services.errors import Rejected
from instance.services.joining import SignUp

routes = Blueprint("join", __name__)
_COOKIE = "join"
_KEPT = 3_600
_EMPTY = SignUp(email="", password="", name="", country="", role="", specialties=())


@routes.get("/join")
@guard.public
async def join_form() -> ResponseReturnValue:
    """Show the form; whoever is signed in goes to the own application."""
    return redirect("/application", code=303) if guard.session() else await _page(_EMPTY, [])


@routes.post("/join")
@guard.public
async def join() -> ResponseReturnValue:
    """Keep what was said and send a code; nothing else of the form counts."""
    form = await request.form
    new = SignUp(
        email=await text_of("email"), password=form.get("password", ""), name=await text_of("name"),
        country=await text_of("country"), role=await text_of("role"), specialties=await specialties_of(),
    )  # fmt: skip
    if new.password != form.get("again", ""):
        return await _page(new, [Mistake("passwords_differ", "again")], 422)
    try:
        token = await guard.node().joining.begin(new, guard.client_address(), guard.language())
    except Rejected as error:
        return await _page(new, [mistake(error)], error.status)
    answer = redirect("/join/confirm", code=303)
    secure = guard.node().origin.startswith("https://")
    answer.set_cookie(
        guard.cookie_name(_COOKIE), token, max_age=_KEPT, secure=secure, httponly=True, samesite="Lax", path="/"
    )
    return answer


async def _page(form: SignUp, mistakes: list[Mistake], status: int = 200) -> ResponseReturnValue:
    joining = guard.node().joining
    await guard.node().policies.look()
    return await shell.page(
        "join.html", status=status, here="join", form=form, mistakes=mistakes, countries=joining.countries(),
        roles=joining.roles(), choices=specialty_choices(guard.language()),
    )  # fmt: skip


async def specialties_of() -> tuple[str, ...]:
    """The specialties that a form names, each once."""
    form = await request.form
    return tuple(dict.fromkeys(slug for slug in form.getlist("specialty") if slug))


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
    """Take the code: the account is made, and its owner is signed in."""
    people = guard.node().people
    try:
        account = await guard.node().joining.confirm(_token(), await text_of("code"))
    except Rejected as error:
        return await _refused(error)
    begun = await people.begin(account, device_name(request.headers.get("User-Agent", "")))
    answer = redirect("/application", code=303)
    guard.keep_cookie(answer, begun.token)
    answer.delete_cookie(
        guard.cookie_name(_COOKIE), path="/", secure=guard.node().origin.startswith("https://"), httponly=True,
        samesite="Lax",
    )  # fmt: skip
    return answer


@routes.post("/join/again")
@guard.public
async def again() -> ResponseReturnValue:
    """Send another code."""
    try:
        await guard.node().joining.again(_token(), guard.client_address())
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
        address = await guard.node().joining.address(_token())
    except Rejected:
        return redirect("/join", code=303)
    return await shell.page(
        "join_confirm.html", status=status, here="join", address=address, mistakes=mistakes, sent=sent
    )


def _token() -> str:
    return request.cookies.get(guard.cookie_name(_COOKIE), "")
