"""Staff: administrators invite, list and end; whoever was invited accepts."""

from __future__ import annotations

from contextlib import suppress

from quart import Blueprint, redirect, request
from quart.typing import ResponseReturnValue

from instance.routes import addresses, guard, shell
from instance.routes.account import device
from instance.routes.forms import Mistake, mistake, text_of
from instance.services.accounts import Session, Stage
from instance.services.errors import Missing, Rejected
from instance.services.staff import Invite, Invited
from verification.people import Actor, StaffRole

routes = Blueprint("staff", __name__)
_ADMINISTRATOR = StaffRole.ADMINISTRATOR


@routes.get("/staff")
@guard.staff_required(_ADMINISTRATOR)
async def staff(_actor: Actor) -> ResponseReturnValue:
    """List who works here and the invitations that wait, with the form for another."""
    return await _page(Invite(email="", roles=()), [])


async def _page(
    form: Invite, mistakes: list[Mistake], status: int = 200, made: Invited | None = None, reason: str = ""
) -> ResponseReturnValue:
    node = guard.node()
    return await shell.page(
        "staff.html", status=status, here="staff", staff=await node.staff.list(), waiting=await node.staff.waiting(),
        form=form, made=made, mistakes=mistakes, roles=[role.value for role in StaffRole], reason=reason,
        countries=dict.fromkeys((node.config.country, *node.config.may_issue_for)),
    )  # fmt: skip


@routes.post("/staff/invite")
@guard.staff_required(_ADMINISTRATOR)
@guard.fresh_factor
async def invite(actor: Actor) -> ResponseReturnValue:
    """Make an invitation; the page shows its link this once."""
    form = await request.form
    new = Invite(
        email=await text_of("email"), roles=tuple(form.getlist("role")), countries=tuple(form.getlist("country")),
        sites=tuple((await text_of("sites")).replace(",", " ").split()), former=await text_of("former"),
    )  # fmt: skip
    try:
        made = await guard.node().staff.invite(new, by=actor.id, inviter=actor.doctor)
    except Rejected as error:
        return await _page(new, [mistake(error)], error.status)
    return await _page(Invite(email="", roles=()), [], made=made)


@routes.post("/staff/invitations/withdraw")
@guard.staff_required(_ADMINISTRATOR)
async def withdraw(actor: Actor) -> ResponseReturnValue:
    """Take an invitation back."""
    await guard.node().staff.withdraw(await text_of("invitation"), by=actor.id)
    return redirect("/staff", code=303)


@routes.post("/staff/end")
@guard.staff_required(_ADMINISTRATOR)
@guard.fresh_factor
async def end(actor: Actor) -> ResponseReturnValue:
    """Take every role from somebody."""
    reason = await text_of("reason")
    try:
        await guard.node().staff.end(await text_of("member"), by=actor.id, reason=reason)
    except Rejected as error:
        return await _page(Invite(email="", roles=()), [mistake(error)], error.status, reason=reason)
    return redirect("/staff", code=303)


@routes.get("/invitation/<token>")
@guard.public
async def invitation(token: str) -> ResponseReturnValue:
    """Show what the holder of the link is asked, and the form to accept it; a sign-in that was begun comes first."""
    if guard.entered() is not None and guard.session() is None:
        return await guard.to_sign_in()
    return await _invitation_page(token, "", [])


async def _invitation_page(token: str, login: str, mistakes: list[Mistake], status: int = 200) -> ResponseReturnValue:
    asked = await guard.node().staff.invitation(token)
    present = guard.session()
    return await shell.page(
        "invitation.html", status=status, asked=asked, login=login, mistakes=mistakes, path=f"/invitation/{token}",
        account=present.login if present else "",
    )  # fmt: skip


@routes.post("/invitation/<token>")
@guard.public
async def accept(token: str) -> ResponseReturnValue:
    """Appoint whoever holds the link: the account that is signed in, or a new one."""
    form, staff = await request.form, guard.node().staff
    login, password = await text_of("login"), form.get("password", "")
    if guard.entered() is not None and guard.session() is None:
        return await guard.to_sign_in()
    present = guard.session()
    try:
        if present is not None:
            return await _accept_as(present, token, login)
        if password != form.get("again", ""):
            return await _invitation_page(token, login, [Mistake("passwords_differ", "again")], 422)
        account = await staff.accept(token, login, password)
    except Rejected as error:
        if error.code in ("invitation_gone", "already_signed_in", "not_signed_in"):
            raise
        return await _invitation_page(token, login, [mistake(error)], error.status)
    begun = await guard.node().people.begin(account, device(), enrols=True)
    answer = redirect(addresses.PATH if begun.stage is Stage.ENROL else guard.SECOND_STEP, code=303)
    guard.keep_cookie(answer, begun.token)
    with suppress(Missing, Rejected):  # one who comes back may have proved it before; the page sends another
        await addresses.send(answer, account)
    return answer


async def _accept_as(present: Session, token: str, login: str) -> ResponseReturnValue:
    """Appoint the account that is signed in, and no other: a name in the form is for an account to be made."""
    if login:
        raise Rejected("already_signed_in", status=409)
    goes_on = await guard.node().staff.accept_as(token, present.account_id, present)
    if not goes_on:
        return redirect("/sign-in?next=/me/security", code=303)
    await guard.go_on_as(goes_on)
    answer = redirect(addresses.PATH, code=303)
    with suppress(Missing, Rejected):
        await addresses.send(answer, present.account_id)
    return answer
