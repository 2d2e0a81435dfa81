"""Who is asking, and may they? Sessions, the CSRF check, and the marks every route must carry.

A route is `public` by name, or needs an account (`account_required`), a doctor in good standing (`doctor_required`), or
a member of staff with a second factor (`staff_required`). Three marks open what a session that is not whole is for: its
second step (`second_step`), the enrolment that staff owe (`enrolling`), and the question whose the factors are of an
account that was taken over (`factors_in_question`). One without a mark is refused when the application is made. Beneath
its mark a route may ask for a factor of the last five minutes (`fresh_factor`).
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast
from urllib.parse import quote

from quart import current_app, g, redirect, request
from quart.typing import ResponseReturnValue
from werkzeug.sansio.response import Response as AnyResponse
from werkzeug.wrappers import Response

from instance import frame
from instance.hot.limits import ClientAddress
from instance.services import attempts, standings
from instance.services.accounts import Session, Stage
from instance.services.errors import Forbidden, Missing, Rejected
from instance.services.factor_showing import FactorNeeded, Shown, is_fresh
from verification.people import StaffRole
from verification.standing import Action

if TYPE_CHECKING:
    from instance.wiring import Node

View = TypeVar("View", bound=Callable[..., Awaitable[ResponseReturnValue]])
Own = TypeVar("Own", bound="OwnThing")
#: A form from elsewhere says so; one that says nothing is not let in (security: closed until opened).
_OWN_PAGES: Final = frozenset({"same-origin", "none"})
#: Fields in which people write at length.
WRITTEN: Final = ("title", "text", "summary", "named", "conflict_text", "poll_options", "diagnosis", "outcome")
#: What `access` of a route may be.
MARKS: Final = ("public", "account", "doctor", "staff", "enrolling", "second step", "factors in question")
SIGN_IN: Final = "account.sign_in"
SECOND_STEP: Final = "/sign-in/second"
WHOSE_FACTORS: Final = "/sign-in/factors"
#: The fields in which a form brings a factor along.
FACTOR: Final = ("factor_code", "factor_credential", "factor_password")
#: Files that one account may bring in a quarter of an hour, those that are refused among them.
MOST_FILES: Final = 30
#: The longest a session lives; the row decides earlier.
_KEPT: Final = timedelta(days=30)
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class OwnThing(Protocol):
    """Something that knows whose it is."""

    @property
    def own(self) -> int:
        """1 where the reader wrote it."""

    @property
    def local(self) -> int:
        """1 where it was written here."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A doctor in good standing, as routes need them."""

    uri: str
    row: Mapping[str, Any]


def node() -> Node:
    """The instance this request is for."""
    return cast("Node", current_app.config["NODE"])


def session() -> Session | None:
    """Who is signed in, if anybody."""
    found = entered()
    return found if found is not None and found.stage is Stage.WHOLE else None


def entered() -> Session | None:
    """Who has a session, also one that opens its second step or the enrolment of a factor alone."""
    return cast("Session | None", g.get("session"))


def cookie_name(kind: str) -> str:
    """The name under which this instance keeps a cookie of that kind."""
    return frame.cookie_name(node(), kind)


async def load_session() -> None:
    """Find out who asks, once per request."""
    token = kept("session")
    g.session = await node().people.entered(token) if token else None
    if g.session is not None and g.session.reads:
        node().admission.reader_came()


async def admit_files() -> ResponseReturnValue | None:
    """Let a request with files in only from whoever is signed in, a few at once, before anything of it is read."""
    if not _brings_files():
        return None
    if (present := session()) is None:
        return await to_sign_in()
    awaited = await node().dossiers.awaited(present.account_id)
    node().uploads.enter(present.account_id, client_address(), awaited=awaited)
    g.uploads = present.account_id
    await attempts.count(node(), [(attempts.subject("files of", present.account_id), MOST_FILES)])
    return None


async def let_files_go(_: BaseException | None) -> None:
    """An upload is over, however it ended."""
    if "uploads" in g:
        node().uploads.leave(g.uploads)


async def go_on_as(token: str) -> None:
    """Go on in this request, and after it, with the session under its new token."""
    g.session, g.new_token = await node().people.entered(token), token


async def hand_out_token(answer: Response) -> Response:
    """Give the browser the token its session has had since this request."""
    if "new_token" in g:
        keep_cookie(answer, g.new_token)
    return answer


def keep_cookie(answer: Response, token: str) -> None:
    """Let the browser keep a session's token."""
    keep(answer, "session", token, _KEPT)


def keep(answer: AnyResponse, kind: str, value: str, lasts: int | timedelta) -> None:
    """Let the browser keep something of this kind: a choice, or the token of what it has begun."""
    answer.set_cookie(cookie_name(kind), value, max_age=lasts, **_cookie())


def kept(kind: str) -> str:
    """What the browser keeps of this kind; empty where it keeps nothing."""
    return request.cookies.get(cookie_name(kind), "")


def drop(answer: AnyResponse, kind: str) -> None:
    """Let the browser forget it."""
    answer.delete_cookie(cookie_name(kind), **_cookie())


def _cookie() -> dict[str, Any]:
    secure = node().origin.startswith("https://")
    return {"path": "/", "secure": secure, "httponly": True, "samesite": "Lax"}


def forget_session(answer: ResponseReturnValue) -> ResponseReturnValue:
    """Let the browser drop a session that has ended here."""
    if isinstance(answer, Response):
        drop(answer, "session")
    return answer


def session_ended() -> None:
    """Go on in this request as nobody: every session of the account has ended."""
    g.session = None
    g.pop("new_token", None)


async def refuse_foreign_forms() -> None:
    """Let a form in only from our own pages, and with the session's token (security: both, neither alone)."""
    if request.method in _READING:
        return
    if not from_own_page():
        raise Forbidden("foreign_form")
    # The sign-in form carries no token: one opened before somebody signed in, in another tab, is answered by its route.
    if (present := entered()) is None or request.endpoint == SIGN_IN:
        return
    sent = (await request.form).get("csrf", "")
    if not hmac.compare_digest(sent.encode(), present.csrf.encode()):
        raise Forbidden("stale_form")


def from_own_page() -> bool:
    """Whether the browser says that one of our pages, and not somebody else's, sent this form."""
    return request.method not in _READING and request.headers.get("Sec-Fetch-Site", "") in _OWN_PAGES


def may_be_read() -> bool:
    """Whether a form that is refused may still be read for what was written in it: ours, and without files."""
    return from_own_page() and not _brings_files()


def _brings_files() -> bool:
    return getattr(request, "brings_files", False)


def client_address() -> str:
    """The address the client came from: the socket's, or what a configured proxy says (security A111)."""
    hops = ",".join(request.headers.getlist("X-Forwarded-For"))
    return ClientAddress(node().config.trusted_proxies)(request.scope, {"x-forwarded-for": hops})


def language() -> str:
    """The account's language, else the one chosen on this device, else the browser's, else the instance's."""
    on_device, accepted = kept("language"), request.headers.getlist("Accept-Language")
    return frame.language_of(entered(), on_device, ", ".join(accepted), node().config.language)


def own_path(text: str, default: str) -> str:
    """A path of ours to go back to; the default for anything that could lead elsewhere."""
    safe = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isascii() and text.isprintable()
    return text if safe and "\\" not in text and len(text) <= 500 else default


def public(view: View) -> View:
    """Mark a route as open to everybody: it shows no content, no names, no counts."""
    view.access = "public"  # type: ignore[attr-defined]
    return view


def account_required(view: View) -> View:
    """Mark a route as open to whoever is signed in, whatever their standing."""

    @wraps(view)
    async def guarded(**values: Any) -> ResponseReturnValue:
        present = session()
        return await view(present, **values) if present else await to_sign_in()

    guarded.access = "account"  # type: ignore[attr-defined]
    return cast(View, guarded)


def doctor_required(view: View) -> View:
    """Mark a route as open to doctors who may read; hand the reader to it."""

    @wraps(view)
    async def guarded(**values: Any) -> ResponseReturnValue:
        if session() is None:
            return await to_sign_in()
        return await view(require(Action.READ), **values)

    guarded.access = "doctor"  # type: ignore[attr-defined]
    return cast(View, guarded)


def staff_required(*roles: StaffRole) -> Callable[[View], View]:
    """Mark a route as open to staff with one of these roles (any, where none is named); hand the Actor to it.

    403 without a second factor, whatever the role.
    """

    def mark(view: View) -> View:
        @wraps(view)
        async def guarded(**values: Any) -> ResponseReturnValue:
            if (present := session()) is None:
                return await to_sign_in()
            actor = await node().staff.actor(present)
            if roles and not actor.roles & set(roles):
                raise Forbidden("role_missing")
            return await view(actor, **values)

        guarded.access = "staff"  # type: ignore[attr-defined]
        return cast(View, guarded)

    return mark


def enrolling(view: View) -> View:
    """Mark a route as open to whoever is signed in, and to staff who still owe the enrolment of a factor."""

    @wraps(view)
    async def guarded(**values: Any) -> ResponseReturnValue:
        present = entered()
        if present is None or present.stage not in (Stage.WHOLE, Stage.ENROL):
            return await to_sign_in()
        return await view(present, **values)

    guarded.access = "enrolling"  # type: ignore[attr-defined]
    return cast(View, guarded)


def second_step(view: View) -> View:
    """Mark a route as open to whoever has shown the password and owes the second factor; others are led on."""

    @wraps(view)
    async def guarded(**values: Any) -> ResponseReturnValue:
        present = entered()
        if present is None:
            return redirect("/sign-in", code=303)
        if present.stage is not Stage.SECOND_STEP:
            return redirect(own_path(request.args.get("next", ""), "/me"), code=303)
        return await view(present, **values)

    guarded.access = "second step"  # type: ignore[attr-defined]
    return cast(View, guarded)


def factors_in_question(view: View) -> View:
    """Mark a route as open to whoever has still to say which factors are theirs; others are led on."""

    @wraps(view)
    async def guarded(**values: Any) -> ResponseReturnValue:
        present = entered()
        if present is None or present.stage is Stage.SECOND_STEP:
            return await to_sign_in()
        if present.stage is not Stage.FACTORS:
            return redirect("/me", code=303)
        return await view(present, **values)

    guarded.access = "factors in question"  # type: ignore[attr-defined]
    return cast(View, guarded)


def fresh_factor(view: View) -> View:
    """Ask for a factor of the last five minutes; it stands beneath the mark that says who may use the route.

    A form may bring one along (`FACTOR`). Without one the answer is a page that asks for it and sends the same form
    again, so that nothing written is lost (FactorNeeded).
    """

    @wraps(view)
    async def guarded(who: Any, **values: Any) -> ResponseReturnValue:
        await _freshen()
        return await view(entered() if isinstance(who, Session) else who, **values)

    return cast(View, guarded)


async def _freshen() -> None:
    present = entered()
    if present is None or is_fresh(present, node().clock()):
        return
    shown = await shown_factor()
    if not shown.anything:
        raise FactorNeeded()
    try:
        renewed = await node().factors.show(present, shown)
    except Rejected as error:
        raise FactorNeeded(error) from None
    await go_on_as(renewed.token)


async def shown_factor() -> Shown:
    """What the form brings along as a factor."""
    form: Mapping[str, str] = await request.form if request.method not in _READING else {}
    return Shown(*(form.get(name, "").replace("\0", "") for name in FACTOR))


def require(action: Action) -> Reader:
    """Return the signed-in doctor when their standing allows this action; raise Forbidden with the reason otherwise."""
    present = session()
    # Of a student the policy was looked at when the session was found, in this very request.
    row = standings.require(action, present.doctor if present else None, node().policies.standing, node().clock())
    return Reader(row["uri"], row)


def allows(action: Action) -> bool:
    """Whether the signed-in doctor may do this; for showing a form or leaving it out."""
    try:
        require(action)
    except Forbidden:
        return False
    return True


def own(shown: Own) -> Own:
    """Return what is the reader's own; raise Missing for anything else, as if it were not there."""
    if not shown.own or not shown.local:
        raise Missing
    return shown


def own_specialties(reader: Reader) -> tuple[str, ...]:
    """The specialties the reader was verified in."""
    return slugs(reader.row["specialties"])


def slugs(text: str) -> tuple[str, ...]:
    """Read a JSON array of slugs, as rows keep them."""
    return tuple(json.loads(text))


def doctor_path(address: str) -> str:
    """The page of the doctor with this address."""
    return "/doctors/" + quote(address, safe="@:")


def wants_page() -> bool:
    """Whether the answer is for a browser."""
    return bool(request.accept_mimetypes.accept_html)


async def to_sign_in() -> ResponseReturnValue:
    """Lead to the sign-in; not away from something written at length, which the page that refuses it shows again.

    Whoever has begun to sign in is led on to what is missing, or told.
    """
    begun = entered()
    if begun is not None and begun.stage is Stage.ENROL:
        raise Forbidden("factor_missing")
    if begun is not None and begun.stage is Stage.FACTORS and wants_page():
        return redirect(WHOSE_FACTORS, code=303)
    form = await request.form if may_be_read() else {}
    written = any(form.get(name, "").strip() for name in WRITTEN)
    if written or not wants_page():
        raise Rejected("factor_owed" if begun else "not_signed_in", status=401)
    target = request.full_path.rstrip("?") if request.method == "GET" else ""
    back = f"?next={quote(target, safe='/')}" if target else ""
    return redirect(f"{SECOND_STEP if begun else '/sign-in'}{back}", code=303)
