"""Who is asking, and may they? Sessions, the CSRF check, and the marks every route must carry.

A route is `public` by name, or needs an account (`account_required`), or needs a doctor in good standing
(`doctor_required`). One without a mark is refused when the application is made.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast
from urllib.parse import quote

from quart import current_app, g, redirect, request
from quart.typing import ResponseReturnValue

from instance import frame
from instance.hot.limits import ClientAddress
from instance.services import standings
from instance.services.errors import Forbidden, Missing, Rejected
from verification.standing import Action

if TYPE_CHECKING:
    from instance.services.accounts import Session
    from instance.wiring import Node

View = TypeVar("View", bound=Callable[..., Awaitable[ResponseReturnValue]])
Own = TypeVar("Own", bound="OwnThing")
#: A form from elsewhere says so; one that says nothing is not let in (security: closed until opened).
_OWN_PAGES: Final = frozenset({"same-origin", "none"})
#: Fields in which people write at length.
WRITTEN: Final = ("title", "text", "summary", "named")
SIGN_IN: Final = "account.sign_in"
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
    return cast("Session | None", g.get("session"))


def cookie_name(kind: str) -> str:
    """The name under which this instance keeps a cookie of that kind."""
    return frame.cookie_name(node(), kind)


async def load_session() -> None:
    """Find out who asks, once per request."""
    token = request.cookies.get(cookie_name("session"), "")
    g.session = await node().people.session(token) if token else None


async def refuse_foreign_forms() -> None:
    """Let a form in only from our own pages, and with the session's token (security: both, neither alone)."""
    if request.method in _READING:
        return
    if not from_own_page():
        raise Forbidden("foreign_form")
    # The sign-in form carries no token: one opened before somebody signed in, in another tab, is answered by its route.
    if (present := session()) is None or request.endpoint == SIGN_IN:
        return
    sent = (await request.form).get("csrf", "")
    if not hmac.compare_digest(sent.encode(), present.csrf.encode()):
        raise Forbidden("stale_form")


def from_own_page() -> bool:
    """Whether the browser says that one of our pages, and not somebody else's, sent this form."""
    return request.method not in _READING and request.headers.get("Sec-Fetch-Site", "") in _OWN_PAGES


def client_address() -> str:
    """The address the client came from: the socket's, or what a configured proxy says (security A111)."""
    hops = ",".join(request.headers.getlist("X-Forwarded-For"))
    return ClientAddress(node().config.trusted_proxies)(request.scope, {"x-forwarded-for": hops})


def language() -> str:
    """The account's language, else the one chosen on this device, else the browser's, else the instance's."""
    on_device, accepted = request.cookies.get(cookie_name("language"), ""), request.headers.getlist("Accept-Language")
    return frame.language_of(session(), on_device, ", ".join(accepted), node().config.language)


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
        return await view(present, **values) if present else await _to_sign_in()

    guarded.access = "account"  # type: ignore[attr-defined]
    return cast(View, guarded)


def doctor_required(view: View) -> View:
    """Mark a route as open to doctors who may read; hand the reader to it."""

    @wraps(view)
    async def guarded(**values: Any) -> ResponseReturnValue:
        if session() is None:
            return await _to_sign_in()
        return await view(require(Action.READ), **values)

    guarded.access = "doctor"  # type: ignore[attr-defined]
    return cast(View, guarded)


def require(action: Action) -> Reader:
    """Return the signed-in doctor when their standing allows this action; raise Forbidden with the reason otherwise."""
    present = session()
    row = standings.require(action, present.doctor if present else None, node().clock())
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


async def _to_sign_in() -> ResponseReturnValue:
    """Lead to the sign-in; not away from something written at length, which the page that refuses it shows again."""
    form = await request.form if from_own_page() else {}
    written = any(form.get(name, "").strip() for name in WRITTEN)
    if written or not wants_page():
        raise Rejected("not_signed_in", status=401)
    target = request.full_path.rstrip("?") if request.method == "GET" else ""
    back = f"?next={quote(target, safe='/')}" if target else ""
    return redirect(f"/sign-in{back}", code=303)
