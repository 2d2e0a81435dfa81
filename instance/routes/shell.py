"""Around every page: language, who is signed in, where one is, and the answer's headers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from msgspec import Struct
from quart import Response, g, make_response, redirect, request
from quart.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from instance.frame import Look, framed, is_outside
from instance.headers import PAGE
from instance.routes import guard
from instance.routes.forms import Mistake
from instance.services.accounts import Session
from instance.services.acting import HOUR
from instance.services.attempts import WINDOW
from instance.services.errors import Rejected
from instance.services.factor_showing import FactorNeeded
from instance.storage.errors import StorageUnavailable
from instance.times import to_ms
from instance.views import application

#: What can be said once on the page after an act (`done.CODE` in the catalogues); nothing else is.
DONE: Final = (
    "published", "answered", "edited", "post_withdrawn", "answer_withdrawn", "follow_accepted", "follow_pending",
    "followed", "unfollowed", "muted", "unmuted", "saved", "unsaved", "voted", "poll_added", "poll_closed", "resolved",
    "reopened",
    "unfollow", "accept", "reject", "block", "unblock", "profile",
    "mute", "unmute", "remove", "list", "unlist", "list_made", "list_renamed", "list_deleted", "contact",
    "application_said", "application_withdrawn", "application_left", "annex_handed_in", "annex_taken_back", "retired",
    "desk_take", "desk_findings", "desk_ask", "desk_vote", "desk_confirm", "desk_lift", "desk_revoke", "desk_death",
    "desk_task", "desk_suspend", "desk_proposed", "desk_propose", "desk_start", "policy_changed", "policy_proposed",
    "policy_confirmed", "policy_withdrawn", "move_from", "move_drop", "pairing_invited", "pairing_read",
    "pairing_proposed", "pairing_confirmed", "pairing_active", "pairing_declined",
    "allowlist_changed", "allowlist_proposed", "allowlist_confirmed", "allowlist_withdrawn",
    "lane_tried", "letter_again", "letters_again",
    "news_source_added", "news_source_approved", "news_source_ended", "news_item_withdrawn",
)  # fmt: skip
#: The time that page has to be asked for, in seconds.
_SAID_WITHIN: Final = 60
_PLACE: Final = re.compile(r"[0-9A-Z]{26}\Z")


class Done(Struct, frozen=True):
    """What has just been done, and the answer at which to say so; at the top of the page where `at` is empty."""

    code: str
    at: str = ""


def now_ms() -> int:
    """The present as rows keep it."""
    return to_ms(guard.node().clock())


async def page(template: str, /, *, status: int = 200, here: str = "", **values: Any) -> ResponseReturnValue:
    """Answer with a page in the reader's language; `here` is the entry of the navigation it belongs to."""
    done_before = said()
    shown = answer(await page_text(template, here=here, said=done_before, **values), done_before, status=status)
    if status == 429:
        shown.headers["Retry-After"] = _wait(found.code for found in values.get("mistakes", ()))
    return shown


def answer(text: str, said: Done | None, *, status: int = 200) -> Response:
    """Answer with a page; what it said is not said again."""
    shown = Response(text, status=status, content_type=PAGE)
    if said is not None:
        guard.drop(shown, "done")
    return shown


def done(code: str, path: str, *, at: str = "") -> ResponseReturnValue:
    """Lead on after an act; the next page says once what was done."""
    led = redirect(path, code=303)
    guard.keep(led, "done", f"{code}.{at}", _SAID_WITHIN)
    return led


def said() -> Done | None:
    """What has just been done, if this page is the one to say so."""
    code, _, at = guard.kept("done").partition(".")
    return Done(code, at if _PLACE.match(at) else "") if code in DONE else None


def _wait(codes: Iterable[str]) -> str:
    """The seconds after which every place of the limit that was met is free again, at the latest."""
    return str(int((WINDOW if "too_many_attempts" in codes else HOUR).total_seconds()))


def look() -> Look:
    """Who looks, and how, as the frame of a page needs it."""
    return Look(guard.entered(), guard.language(), _here() if request.method in ("GET", "HEAD") else "/")


def _here() -> str:
    """The present address, as far as a form of the frame can bring it back."""
    return guard.own_path(request.full_path.rstrip("?"), request.path)


async def page_text(template: str, /, *, here: str = "", said: Done | None = None, **values: Any) -> str:
    """Return the page's HTML."""
    return await framed(guard.node(), look(), template, here=here, said=said, **values)


async def error_page(error: Rejected) -> ResponseReturnValue:
    """Answer a refused request: a page for people, `{"error": code}` for programs."""
    extra = {"Retry-After": _wait([error.code])} if error.status == 429 else {}
    if not guard.wants_page():
        return {"error": error.code}, error.status, extra
    g.setdefault("session", None)
    if isinstance(error, FactorNeeded) and (asked := guard.entered()) is not None:
        return await _ask_again(error, asked)
    template = "refused.html" if error.status in (401, 403) else "error.html"
    known = {401: "signed_out", 403: "forbidden", 404: "missing", 413: "too_large", 429: "too_many", 405: "method"}
    text = await framed(
        guard.node(), _refused_look(error), template, code=error.code, status=error.status,
        title_key=f"error_page.{known.get(error.status, 'failed')}", typed=await _typed(), counted=False,
        applied=await _applied(error),
    )  # fmt: skip
    return await make_response(text, error.status, extra)


def _refused_look(error: Rejected) -> Look:
    """To somebody who is not verified, or no longer, every address looks alike: the page does not repeat it."""
    seen = look()
    return replace(seen, back="/application") if error.status == 403 and is_outside(seen.session) else seen


async def _applied(error: Rejected) -> str | None:
    """Where the application of whoever is refused stands."""
    present = guard.session()
    if error.status != 403 or present is None or not is_outside(present):
        return None
    with suppress(StorageUnavailable):
        return await application.state_of(guard.node().store, present.account_id)
    return None


async def _ask_again(error: FactorNeeded, who: Session) -> ResponseReturnValue:
    """Ask for a factor, with everything the refused form held: sent again with a factor, it is carried out."""
    node = guard.node()
    factors = await node.factors.of(who.account_id)
    mistakes = [] if error.mistake is None else [Mistake(error.mistake.code, error.mistake.field or "")]
    sent = request.method == "POST"
    return await page(
        "confirm.html", status=error.status, here="me", mistakes=mistakes, factors=factors,
        options=await node.factors.ask(who), action=request.path if sent else "/me/confirm",
        kept=await _kept() if sent else [("next", _here())],
    )  # fmt: skip


async def _kept() -> list[tuple[str, str]]:
    form = await request.form
    left_out = {"csrf", *guard.FACTOR}
    return [(name, value) for name, value in form.items(multi=True) if name not in left_out]


async def _typed() -> list[str]:
    """What somebody wrote in a form of ours that could not be taken, so that it can be copied and is not lost."""
    if not guard.may_be_read():
        return []
    try:
        form = await request.form
    except HTTPException:  # too large, or never whole
        return []
    return [text for text in (form.get(name, "").strip() for name in guard.WRITTEN) if text]
