"""The whole of an instance as one ASGI application: the guard, what siblings post and read, then the pages.

Everything that siblings do is answered here, without a web framework: `POST` to the inboxes, signed `GET` of actors,
objects and collections, and the few documents that are open to all; and the home feed. What is left goes to the pages.
"""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from federation import discovery
from federation.admission import SiblingAdmission
from federation.allowlist import Direction
from federation.errors import Malformed, MethodNotAllowed, NotASibling, NotFound, NotSigned, Refused
from federation.signatures import SignedMessage
from instance.hot import body as bodies
from instance.hot.answers import ACTIVITY, JSON, SERVER, VC, Answers
from instance.hot.body import ClientGone
from instance.hot.feed import HomeFeed
from instance.hot.guard import Guard, trail
from instance.hot.limits import OPEN, STRANGERS, AddressLimit, ClientAddress
from instance.hot.pairing_door import PairingDoor, host_of
from instance.services.notice_wishes import mails_off
from instance.services.own_refusals import refusals_of
from instance.services.serving import Withdrawn
from instance.storage.errors import StorageUnavailable

if TYPE_CHECKING:
    from instance.wiring import Node

Scope = Mapping[str, Any]
Callback = Callable[[], Awaitable[None]]

_JRD: Final = discovery.JRD_JSON.encode()
_NODEINFO: Final = discovery.NODEINFO_JSON.encode()
_COLLECTIONS: Final = frozenset({"outbox", "followers", "following"})
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
#: How often a sibling may ask at once what was refused to it; one more each second.
ASKING_SPAN: Final = 20
_MAX_QUERY: Final = 1_024
#: Where a mail program switches mails off with one press (RFC 8058); people are asked on the page of the same address.
MAIL_OFF: Final = "/mail/off/"
_RETRY_LATER: Final = [(b"retry-after", b"5")]
#: Faults of a moment in which there is no file, no memory or no buffer left; nothing is wrong with us.
_SCARCE: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
_CLOSE: Final = (b"connection", b"close")


class FederationApp:
    """ASGI; `on_start` and `on_stop` run where the server speaks the lifespan protocol."""

    def __init__(
        self,
        node: Node,
        pages: Any,
        *,
        server: str = "",
        on_start: Callback | None = None,
        on_stop: Callback | None = None,
    ) -> None:
        self._node, self._pages = node, pages
        self._on_start, self._on_stop = on_start, on_stop
        self._guard = Guard(node.origin, server or node.config.server)
        self._answers = Answers(secure=node.origin.startswith("https://"))
        self._serving = node.serving
        self._address = ClientAddress(node.config.trusted_proxies)
        self._strangers = AddressLimit(node.clock, STRANGERS)
        self._open = AddressLimit(node.clock, OPEN)
        self._feed = HomeFeed(node, self._answers)
        # Apart from what siblings post and read: who asks why it was refused takes no place from anybody.
        self._asking_share = SiblingAdmission(node.clock, rate=1, span=ASKING_SPAN, in_work=2, waiting=8)
        self._pairing = PairingDoor(node)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request; nothing but an answer leaves here."""
        match scope["type"]:
            case "http":
                await self._http(scope, receive, send)
            case "lifespan":
                await self._lifespan(receive, send)
            case _:
                await receive()
                await send({"type": "websocket.close", "code": 1000})

    async def _http(self, scope: Scope, receive: Any, send: Any) -> None:
        try:
            message = self._guard.message(scope)
        except Refused as refusal:
            self._node.audit.refused(Direction.IN, refusal, trail(scope, refusal, self._node.clock()))
            await self._answers.refused(scope, send, refusal, close=True)
            return
        try:
            if message.method == "POST":
                await self._post(message, scope, receive, send)
            else:
                await self._get(message, scope, receive, send)
        except ClientGone:
            return
        except Withdrawn as gone:
            await self._answers.document(scope, send, gone.body, status=410)
        except Refused as refusal:
            await self._refuse(message, scope, send, refusal)
        except StorageUnavailable as fault:
            self._node.log.error("storage", code=fault.code)
            await self._answers.problem(scope, send, 503, fault.code, extra=_RETRY_LATER, close=True)
        except Exception as fault:
            self._node.log.error("fault", path=_kind_of(message.target), exc_info=fault)
            if isinstance(fault, OSError) and fault.errno in _SCARCE:
                await self._answers.problem(scope, send, 503, "too_busy", extra=_RETRY_LATER, close=True)
            else:
                await self._answers.problem(scope, send, 500, "internal", close=True)

    # ── what siblings post ──

    async def _post(self, message: SignedMessage, scope: Scope, receive: Any, send: Any) -> None:
        target = message.target
        if target == "/inbox":
            await self._receive(message, receive, None)
        elif target.startswith("/doctors/") and target.endswith("/inbox") and target.count("/") == 3:
            handle = target[len("/doctors/") : -len("/inbox")]
            await self._receive(message, receive, partial(self._serving.require_inbox, handle))
        elif (host := host_of(target)) is not None:
            address = self._address(scope, message.headers)
            await self._answers.document(scope, send, await self._pairing(message, host, address, receive), JSON)
            return
        elif target == "/outbox" or (target.startswith("/doctors/") and target.endswith("/outbox")):
            raise MethodNotAllowed("GET, HEAD")  # C1: our forms are the only door
        elif target.startswith(MAIL_OFF):
            # A mail program asks, from anywhere and without a session; it can switch mails off and learns nothing.
            self._open.count(self._address(scope, message.headers))
            await mails_off(self._node, target.removeprefix(MAIL_OFF))
            await self._answers.document(scope, send, b"{}", JSON)
            return
        elif message.headers.get("content-type", "").startswith(_FORMS):
            await self._page(scope, receive, send)
            return
        else:
            raise NotFound  # whatever is no form of a page has no door but these (A34)
        await self._answers.accepted(send)

    async def _receive(self, message: SignedMessage, receive: Any, recipient: Callback | None) -> None:
        await self._node.inbox.receive(message, partial(bodies.read, receive), recipient)

    # ── what anybody or siblings read ──

    async def _get(self, message: SignedMessage, scope: Scope, receive: Any, send: Any) -> None:
        path, _, query = message.target.partition("?")
        first, *rest = path[1:].split("/")
        match first, rest:
            case "api", ["feed"]:
                await self._feed.document(scope, send, query)
            case "events", [] if not query:
                await self._feed.events(scope, receive, send)
            case "feed", []:
                if not await self._feed.page(scope, send, query, message.headers.get("accept-language", "")):
                    await self._page(scope, receive, send)
            case "feed", ["new"]:
                await self._feed.news(scope, send, query)
            case "inbox", []:
                raise MethodNotAllowed("POST")  # G4: a shared inbox shows nothing
            case "siblings", [host, "refusals"]:
                await self._asking(message, host, query, scope, send)
            case (
                ("vc", ["status", _, _])
                | ("audit", ["heads", _] | ["held"])
                | ("federation", ["list", *_])
                | ("siblings", ["set"] | [_, "log", _] | [_, "received", _, _])
            ):
                await self._for_siblings(message, rest, query, scope, send)
            case "directory", [] | [_]:
                await self._directory(message, "".join(rest), query, scope, send)
            case "actor" | "outbox" | ".well-known" | "nodeinfo", _:
                await self._open_document(message, path, query, scope, send)
            case "doctors" | "posts" | "comments" | "activities", [_, *_] if _for_machines(message, first, rest):
                await self._object(message, first, rest, scope, send)
            case _:
                await self._page(scope, receive, send)

    async def _for_siblings(
        self, message: SignedMessage, rest: list[str], query: str, scope: Scope, send: Any
    ) -> None:  # fmt: skip
        """What siblings alone read: status lists, the federation list, our set, audit heads, logs."""
        reader = await self._node.inbox.authorise_get(message)
        if query:
            raise NotFound
        known = message.headers.get("if-none-match", "")
        match rest:
            case ["status", purpose, number]:
                body, validator = await self._node.own_status.document(purpose, number)
                await self._answers.validated(scope, send, body, VC, validator, known)
            case ["list", *which] if len(which) < 2:
                body, validator = await self._node.federation_list.document(*which)
                await self._answers.validated(scope, send, body, VC, validator, known)
            case ["heads", number]:
                await self._answers.document(scope, send, await self._node.dossiers.heads.document(number), VC)
            case ["set"]:
                await self._answers.document(scope, send, await self._node.sets.own.document(reader), JSON)
            case [host, "log", after]:
                await self._answers.document(scope, send, await self._node.logs.page(host, after, reader), JSON)
            case [host, "received", epoch, after]:
                found = await self._node.logs.received(host, epoch, after, reader)
                await self._answers.document(scope, send, found, JSON)
            case ["held"]:
                await self._answers.document(scope, send, await self._node.dossiers.heads.held(reader.sibling), JSON)
            case _:
                raise NotFound

    async def _directory(self, message: SignedMessage, after: str, query: str, scope: Scope, send: Any) -> None:
        """Our doctors, a page at a time, for siblings to find by name."""
        await self._node.inbox.authorise_get(message)
        if query:
            raise NotFound
        await self._answers.document(scope, send, await self._serving.directory(after))

    async def _asking(self, message: SignedMessage, host: str, query: str, scope: Scope, send: Any) -> None:
        """What a sibling was refused here, also one that is paused or blocked: about itself and nobody else."""
        reader = await self._node.inbox.authorise_asking(message, self._asking_share)
        if query or host != reader.actor.authority:
            raise NotFound
        await self._answers.document(scope, send, await refusals_of(self._node, reader.sibling), JSON)

    async def _open_document(self, message: SignedMessage, path: str, query: str, scope: Scope, send: Any) -> None:
        """The documents everybody may read (and WebFinger of doctors, which asks for a signature)."""
        if path == "/.well-known/webfinger":
            await self._webfinger(message, query, scope, send)
            return
        self._open.count(self._address(scope, message.headers))
        if query:
            raise NotFound
        match path:
            case "/actor":
                await self._answers.document(scope, send, await self._serving.instance_document())
            case "/.well-known/nodeinfo":
                await self._answers.document(scope, send, self._serving.nodeinfo_links(), JSON)
            case "/nodeinfo/2.1":
                await self._answers.document(scope, send, self._serving.nodeinfo(), _NODEINFO)
            case _:
                raise NotFound

    async def _webfinger(self, message: SignedMessage, query: str, scope: Scope, send: Any) -> None:
        """RFC 7033: the instance is found by everybody, a doctor by siblings alone."""
        resources = _query(query).get("resource", [])
        if len(resources) != 1:
            raise Malformed("resource")
        account = discovery.read_account(resources[0])
        if account.is_instance and account.authority == self._node.authority:
            self._open.count(self._address(scope, message.headers))
            found = await self._serving.webfinger_of_instance()
        else:
            await self._node.inbox.authorise_get(message)
            discovery.asked_for(resources[0], self._node.origin)
            found = await self._serving.webfinger_of_doctor(account.user)
        await self._answers.document(scope, send, found, _JRD)

    async def _object(self, message: SignedMessage, folder: str, rest: list[str], scope: Scope, send: Any) -> None:
        """What a sibling may read: the signature first, so that nobody else learns what exists."""
        if folder == "doctors" and rest[1:] == ["inbox"]:
            raise MethodNotAllowed("POST")
        reader = await self._node.inbox.authorise_get(message)
        serving, sibling = self._serving, reader.sibling
        match folder, rest:
            case "doctors", [handle]:
                found = await serving.doctor(handle, sibling)
            case "doctors", [handle, name] if name in _COLLECTIONS:
                found = await serving.collection(handle, name, sibling)
            case "posts", [slug]:
                found = await serving.post(slug, sibling)
            case "posts", [slug, "context"]:
                found = await serving.context(slug, sibling)
            case "comments", [slug]:
                found = await serving.comment(slug, sibling)
            case "activities", [slug]:
                found = await serving.activity(slug, sibling)
            case _:
                raise NotFound
        await self._answers.document(scope, send, found)

    # ── what people read ──

    async def _page(self, scope: Scope, receive: Any, send: Any) -> None:
        async def dressed(event: Any) -> None:
            if event["type"] == "http.response.start":
                kept = [pair for pair in event["headers"] if pair[0].lower() != b"server"]
                # A body that was too slow or too large is not read to its end.
                close = [_CLOSE] if event["status"] in (408, 413) else []
                event = {**event, "headers": [*kept, SERVER, *close]}
            await send(event)

        await self._pages(scope, receive, dressed)

    # ── the rest ──

    async def _refuse(self, message: SignedMessage, scope: Scope, send: Any, refusal: Refused) -> None:
        """Answer a refusal; whoever is unsigned or a stranger too often learns nothing more."""
        close = message.method == "POST"
        if isinstance(refusal, NotASibling):
            self._node.federation_list.knocked(refusal.reason)
        if isinstance(refusal, NotSigned | NotASibling):
            try:
                self._strangers.count(self._address(scope, message.headers))
            except Refused as over:
                refusal = over
        await self._answers.refused(scope, send, refusal, close=close)

    async def _lifespan(self, receive: Any, send: Any) -> None:
        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
                if self._on_start is not None:
                    await self._on_start()
                await send({"type": "lifespan.startup.complete"})
            else:
                if self._on_stop is not None:
                    await self._on_stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


def _for_machines(message: SignedMessage, folder: str, rest: list[str]) -> bool:
    """Whether an address that people read too is asked for by software (ActivityPub section 3.2)."""
    if folder == "activities" or rest[1:] == ["context"]:
        return True
    headers = message.headers
    return "signature" in headers or discovery.wants_activity(headers.get("accept", ""))


def _query(text: str) -> dict[str, list[str]]:
    """The parameters of a query; NotFound for one that is too long to be ours."""
    if len(text) > _MAX_QUERY:
        raise NotFound
    try:
        return parse_qs(text, max_num_fields=10, errors="strict")
    except ValueError:
        raise Malformed("query") from None


def _kind_of(target: str) -> str:
    """The first step of a path: what a log may say of it."""
    return "/" + target[1:].partition("/")[0].partition("?")[0][:32]


__all__ = ["ACTIVITY", "FederationApp"]
