"""The address of an account that somebody else has typed: whoever was invited proves it by the code of a mail."""

from __future__ import annotations

from quart import Blueprint, redirect, request
from quart.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from instance.routes import guard, shell
from instance.routes.forms import Mistake, mistake, text_of
from instance.services.accounts import Session, Stage
from instance.services.errors import Missing, Rejected

routes = Blueprint("addresses", __name__)
PATH = "/invitation/confirm"
_COOKIE = "address"
_KEPT = 3_600


@routes.get("/invitation/confirm")
@guard.enrolling
async def confirm_form(present: Session) -> ResponseReturnValue:
    """Ask for the code, or offer to send one."""
    return await _page(present, [], sent=request.args.get("sent", "") == "again")


@routes.post("/invitation/confirm")
@guard.enrolling
async def confirm(present: Session) -> ResponseReturnValue:
    """Take the code: from now on mails about the account go there."""
    try:
        await guard.node().addresses.confirm(present.account_id, guard.kept(_COOKIE), await text_of("code"))
    except Rejected as error:
        return await _page(present, [mistake(error)], error.status)
    answer = redirect(_onward(present), code=303)
    guard.drop(answer, _COOKIE)
    return answer


@routes.post("/invitation/confirm/again")
@guard.enrolling
async def again(present: Session) -> ResponseReturnValue:
    """Send a code, or another."""
    answer = redirect(f"{PATH}?sent=again", code=303)
    try:
        await send(answer, present.account_id)
    except Missing:
        return redirect(_onward(present), code=303)
    except Rejected as error:
        return await _page(present, [Mistake(error.code)], error.status)
    return answer


async def send(answer: Response, account: str) -> None:
    """Send a code to the address that waits, and let the browser keep what belongs to it."""
    token = await guard.node().addresses.send(account, guard.client_address(), guard.language())
    guard.keep(answer, _COOKIE, token, _KEPT)


def _onward(present: Session) -> str:
    return "/me/security" if present.stage is Stage.ENROL else "/me"


async def _page(
    present: Session, mistakes: list[Mistake], status: int = 200, *, sent: bool = False
) -> ResponseReturnValue:
    address = await guard.node().addresses.waiting(present.account_id)
    if not address:
        return redirect(_onward(present), code=303)
    return await shell.page(
        "invitation_confirm.html", status=status, here="me" if present.stage is Stage.WHOLE else "sign-in",
        address=address, mistakes=mistakes, sent=sent, asked=bool(guard.kept(_COOKIE)), onward=_onward(present),
    )  # fmt: skip
