"""Outbound HTTP: allowlisted origins only, bounded in time and size, never redirected. The only user of aiohttp.

The first rule is the allowlist, by exact origin and direction. The second is the address that is connected: resolved
once, checked, and connected as checked. Four exceptions to the first rule have methods of their own: what is read of a
candidate before it is a sibling, and told it of a pairing; the federation list, which is read at its pinned host or at
any entry's mirror; messages for browsers, which go to a closed list of push services and carry no activity; and feeds
of publishers, which are no part of the federation and are read unsigned, each at the one address approved here.

aiohttp is imported, and the authorities of TLS are read, when the first message goes out: together a tenth of a second
that nobody's start waits for. It is spent in a thread, so that the loop serves others meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from federation.addresses import may_connect
from federation.allowlist import Direction, Listed, LocalPolicy
from federation.errors import ForeignOrigin, NotASibling
from federation.ports import Answer, Clock, Exchange, Hears, Siblings
from federation.uri import Uri

if TYPE_CHECKING:
    import aiohttp
    from aiohttp.abc import AbstractResolver, ResolveResult
    from yarl import URL

ACTIVITY_ACCEPT: Final = (
    'application/activity+json, application/ld+json; profile="https://www.w3.org/ns/activitystreams"'
)
JRD_ACCEPT: Final = "application/jrd+json, application/json"
LIST_ACCEPT: Final = "application/vc, application/json"
FEED_ACCEPT: Final = "application/rss+xml, application/atom+xml, application/xml, text/xml"

MAX_DOCUMENT: Final = 262_144
MAX_MEDIA: Final = 10 * 1_048_576
#: What is read of an answer to a delivery.
MAX_ANSWER: Final = 1_024
_MAX_HEADERS: Final = 64
_LONGEST_CODE: Final = 64
# Shorter than the five seconds after which our own servers close an idle connection, so that a message seldom meets
# one that is just being closed.
_KEEP_ALIVE: Final = 4.0


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds, each for the whole of its step; a drip of bytes does not extend them."""

    connect: float = 5
    fetch: float = 10
    delivery: float = 15
    media: float = 30
    #: How long the body of a 2xx may keep a delivery that is already decided.
    body: float = 1


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer to a GET, whatever its status; a redirect is an answer like any other."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NotReached(Exception):
    """No usable answer.

    `code` is one of dns, address_refused, tls, refused, reset, deadline, not_http, too_large, encoded.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class NotApproved(Exception):
    """No address from which anything is read here."""


class BadHeader(ValueError):
    """A value that would break out of its header field; never sent."""


class AddressRefused(OSError):
    """The name leads to an address that may not be connected."""


#: Entries at which a list may be read: members, also when the list that says so has run out or is not there yet.
_MIRRORS: Final = frozenset({Listed.ACTIVE, Listed.EXPIRED, Listed.UNREAD})

Resolve = Callable[[str, int], Awaitable[list[str]]]


class Wire:
    """One pool of connections for one instance."""

    def __init__(
        self,
        siblings: Siblings,
        origin: str,
        *,
        clock: Clock,
        user_agent: str = "esanum-federation",
        extra_ca: Path | None = None,
        deadlines: Deadlines = Deadlines(),
        resolve: Resolve | None = None,
        hears: Hears = lambda origin, said: None,
        list_host: str = "",
        push_hosts: Collection[str] = (),
    ) -> None:
        self._siblings, self._origin, self._clock, self._hears = siblings, origin, clock, hears
        self._list_host, self._push_hosts = list_host, frozenset(push_hosts)
        self._user_agent, self._extra_ca, self._deadlines = user_agent, extra_ca, deadlines
        self._resolve = resolve or _by_dns
        self._loopback = Uri.parse(origin).is_loopback
        self._session: aiohttp.ClientSession | None = None
        self._opening = asyncio.Lock()

    async def post(self, url: Uri, body: bytes, headers: dict[str, str]) -> Answer:
        """Deliver; raise Refused where `Allowlist.require_sending` does, BadHeader for what must not be sent."""
        self._siblings().require_sending(url.origin, self._clock())
        try:
            return await self._post(url, body, headers)
        except NotReached as fault:
            if fault.code != "reset":
                return Answer(0, fault.code)
        # Most likely a kept connection that was closed under the message. An activity is the same however often it
        # arrives, so it may be sent once more on a new connection.
        try:
            return await self._post(url, body, headers)
        except NotReached as fault:
            return Answer(0, fault.code)

    async def get(
        self,
        url: Uri,
        headers: Mapping[str, str],
        *,
        limit: int = MAX_DOCUMENT,
        accept: str = ACTIVITY_ACCEPT,
        media: bool = False,
    ) -> Response:
        """Read at a sibling with the caller's signed headers; raise Refused, NotReached, BadHeader."""
        self._siblings().require(url.origin, Direction.FETCH)
        return await self._get(url, headers, limit, accept, self._deadlines.media if media else self._deadlines.fetch)

    async def get_instance_actor(self, url: Uri, headers: Mapping[str, str]) -> Response:
        """Read the instance actor of an origin that is not a sibling yet, because an administrator asks to.

        Its path is `/actor`, or what the candidate's own WebFinger names on the same origin (the caller has compared).
        """
        self._require_candidate(url)
        return await self._get(url, headers, MAX_DOCUMENT, ACTIVITY_ACCEPT, self._deadlines.fetch)

    async def get_instance_webfinger(self, origin: str, headers: Mapping[str, str]) -> Response:
        """Read the WebFinger of the instance actor of an origin that is not a sibling yet."""
        url = instance_webfinger(origin)
        self._require_candidate(url)
        return await self._get(url, headers, MAX_DOCUMENT, JRD_ACCEPT, self._deadlines.fetch)

    async def get_federation_list(self, url: Uri, headers: Mapping[str, str], *, limit: int) -> Response:
        """Read a federation list at the pinned host, or at a sibling's mirror; a list that has run out is no obstacle.

        Raises NotASibling for every other host, and for a sibling that is paused or blocked here; NotReached.
        """
        if url.origin == self._origin:
            raise ForeignOrigin("our own host")
        if url.origin != self._list_host:
            entry = self._siblings().find(url.origin)
            if entry is None or entry.listed not in _MIRRORS or entry.policy in (LocalPolicy.PAUSE, LocalPolicy.BLOCK):
                raise NotASibling(url.origin)
        return await self._get(url, headers, limit, LIST_ACCEPT, self._deadlines.fetch)

    async def get_feed(self, url: Uri, approved: Collection[str], *, limit: int) -> Response:
        """Read a publisher's feed, unsigned; raise NotApproved for every address but those approved, and NotReached.

        Nobody of the federation is read like this: an origin that is ours or stands on the allowlist is NotApproved.
        """
        if url not in approved or url.origin == self._origin or self._siblings().find(url.origin) is not None:
            raise NotApproved(url.origin)
        return await self._get(url, {}, limit, FEED_ACCEPT, self._deadlines.fetch, heard=False)

    async def post_pairing(self, url: Uri, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Tell an origin that may be no sibling yet what an administrator here has done about their pairing."""
        self._require_candidate(url)
        try:
            return await self._post(url, body, headers)
        except NotReached as fault:
            return Answer(0, fault.code)

    async def post_push(self, url: Uri, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Hand a message for a browser to its push service; raise ForeignOrigin for a host that is not on the list."""
        if not is_push_service(url, self._push_hosts):
            raise ForeignOrigin("no push service of ours")
        try:
            return await self._post(url, body, headers)
        except NotReached as fault:
            return Answer(0, fault.code)

    async def close(self) -> None:
        """Close every connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _require_candidate(self, url: Uri) -> None:
        if url.origin == self._origin:
            raise ForeignOrigin("an instance does not federate with itself")

    async def _post(self, url: Uri, body: bytes, headers: Mapping[str, str]) -> Answer:
        require_sendable(headers)
        time = asyncio.get_running_loop().time
        begun = time()
        with _NamedFaults():
            session = await self._open()
            async with asyncio.timeout(self._deadlines.delivery):
                async with session.post(_yarl(url), data=body, headers=headers, allow_redirects=False) as answer:
                    self._hear(url.origin, answer)
                    # To the head of the answer: that is when the sibling had committed it.
                    exchange = Exchange(answer.headers, round(1_000 * (time() - begun)))
                    return await self._read_answer(answer, exchange)

    async def _read_answer(self, answer: aiohttp.ClientResponse, exchange: Exchange) -> Answer:
        if 200 <= answer.status < 300:
            await self._finish(answer)
            return Answer(answer.status, exchange=exchange)
        code = "" if "Content-Encoding" in answer.headers else _code(await _at_most(answer, MAX_ANSWER))
        return Answer(answer.status, code, self._retry_after(answer), exchange)

    async def _finish(self, answer: aiohttp.ClientResponse) -> None:
        """Read the little a 2xx may say, so that the connection can be used again; its status has decided already."""
        import aiohttp

        if answer.content.at_eof():
            return
        try:
            async with asyncio.timeout(self._deadlines.body):
                whole = len(await _at_most(answer, MAX_ANSWER)) < MAX_ANSWER
        except (TimeoutError, aiohttp.ClientError):
            whole = False
        if not whole:
            answer.close()

    async def _get(
        self, url: Uri, headers: Mapping[str, str], limit: int, accept: str, deadline: float, *, heard: bool = True
    ) -> Response:
        require_sendable(headers)
        with _NamedFaults():
            session, wanted = await self._open(), {**headers, "Accept": accept}
            async with asyncio.timeout(deadline):
                async with session.get(_yarl(url), headers=wanted, allow_redirects=False) as answer:
                    if heard:
                        self._hear(url.origin, answer)
                    return await _whole(answer, limit)

    def _hear(self, origin: str, answer: aiohttp.ClientResponse) -> None:
        """Pass on the time an answer bears; one without it, or with none that can be read, says nothing."""
        said = _moment(answer.headers.get("Date", ""))
        if said is not None:
            self._hears(origin, said)

    def _retry_after(self, answer: aiohttp.ClientResponse) -> int | None:
        """Seconds, of either form of the header (RFC 9110 section 10.2.3)."""
        text = answer.headers.get("Retry-After", "").strip()
        if text.isascii() and text.isdigit() and len(text) < 10:
            return int(text)
        moment = _moment(text)
        return None if moment is None else max(0, int((moment - self._clock()).total_seconds()))

    async def _open(self) -> aiohttp.ClientSession:
        """Return the session; what the first one takes to make counts against no deadline of a sibling's."""
        if self._session is None:
            async with self._opening:
                if self._session is None:
                    self._session = self._new_session(await asyncio.to_thread(_prepare, self._extra_ca))
        return self._session

    def _new_session(self, context: ssl.SSLContext) -> aiohttp.ClientSession:
        import aiohttp

        connector = aiohttp.TCPConnector(
            resolver=cast("AbstractResolver", _Resolver(self._resolve, self._loopback)), socket_factory=self._socket,
            ssl=context, limit=0, keepalive_timeout=_KEEP_ALIVE,
        )  # fmt: skip
        return aiohttp.ClientSession(
            connector=connector,
            headers={"User-Agent": self._user_agent, "Accept-Encoding": "identity"},
            # Accept is ours to say; nothing is added to a signed request behind our back.
            skip_auto_headers=("Accept", "Content-Type"),
            auto_decompress=False, trust_env=False, cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._deadlines.connect),
            max_headers=_MAX_HEADERS,
        )  # fmt: skip

    def _socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        """Make the socket for the address that will be connected, and for no other."""
        family, kind, protocol, _, address = info
        if not may_connect(str(address[0]), loopback=self._loopback):
            raise AddressRefused("address_refused")
        return socket.socket(family, kind, protocol)


def instance_webfinger(origin: str) -> Uri:
    """Where the WebFinger of an origin's instance actor is (its address is `acct:AUTHORITY@AUTHORITY`)."""
    authority = Uri.parse(origin).authority
    return Uri.parse(f"{origin}/.well-known/webfinger?resource=acct:{authority}@{authority}")


def is_push_service(url: Uri, hosts: Collection[str]) -> bool:
    """Whether this is at one of these services, at its usual port (`*.` before a name: any name under it)."""
    names = url.host.split(".")
    under = {f"*.{'.'.join(names[number:])}" for number in range(1, len(names))}
    return bool({url.host, *under} & set(hosts)) and (":" not in url.authority or url.is_loopback)


def require_sendable(headers: Mapping[str, str]) -> None:
    """Raise BadHeader for CR, LF, NUL and other controls, and for what is not ASCII."""
    text = "".join([*headers, *headers.values()])
    if not (text.isascii() and text.isprintable()):
        raise BadHeader("a header holds what must not be sent")


class _Resolver:
    """Names to addresses, of which only those that may be connected are handed out; aiohttp's AbstractResolver."""

    def __init__(self, resolve: Resolve, loopback: bool) -> None:
        self._resolve, self._loopback = resolve, loopback

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the permitted addresses; names under `localhost` never reach the DNS (RFC 6761 section 6.3)."""
        if host == "localhost" or host.endswith(".localhost"):
            found = ["127.0.0.1", "::1"]
        else:
            found = await self._resolve(host, port)
        allowed = [address for address in found if may_connect(address, loopback=self._loopback)]
        if not allowed:
            raise AddressRefused("address_refused") if found else socket.gaierror("no address")
        return [_result(host, address, port) for address in allowed]

    async def close(self) -> None:
        """Hold nothing."""


def _result(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return {
        "hostname": host, "host": address, "port": port, "family": family, "proto": socket.IPPROTO_TCP,
        "flags": socket.AI_NUMERICHOST,
    }  # fmt: skip


async def _by_dns(host: str, port: int) -> list[str]:
    infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(info[4][0]) for info in infos]


def _prepare(extra_ca: Path | None) -> ssl.SSLContext:
    """Import what connects, and return whom it trusts."""
    import aiohttp  # noqa: F401

    context = ssl.create_default_context()
    if extra_ca is not None:
        context.load_verify_locations(cafile=extra_ca)
    context.set_alpn_protocols(["http/1.1"])
    return context


# Under load many answers bear the time of the same second.
@lru_cache(maxsize=64)
def _moment(text: str) -> datetime | None:
    """Read an HTTP date; None for anything else, and for one that does not say its zone."""
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else None


# The text is canonical already (federation.uri); yarl must not spell it anew, it has been signed.
@lru_cache(maxsize=4_096)
def _yarl(url: Uri) -> URL:
    from yarl import URL

    return URL(url.without_fragment(), encoded=True)


async def _at_most(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    """Read until the end, or until so many bytes have come; what lies beyond is never asked for."""
    parts: list[bytes] = []
    left = limit
    while left > 0:
        part = await answer.content.read(left)
        if not part:
            break
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


async def _whole(answer: aiohttp.ClientResponse, limit: int) -> Response:
    if "Content-Encoding" in answer.headers:
        raise NotReached("encoded")
    if (answer.content_length or 0) > limit:
        raise NotReached("too_large")
    body = await _at_most(answer, limit + 1)
    if len(body) > limit:
        raise NotReached("too_large")
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Response(answer.status, headers, body)


def _code(body: bytes) -> str:
    """The code of `{"error": code}`; anything that does not look like one is no code."""
    try:
        document: Any = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    code = document.get("error") if isinstance(document, dict) else None
    if not isinstance(code, str) or len(code) > _LONGEST_CODE:
        return ""
    return code if code.replace("_", "").isalnum() and code.isascii() and code == code.lower() else ""


class _NamedFaults:
    """Turn what goes wrong below into NotReached with the code of its fault."""

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Raise NotReached in place of what the transport raised."""
        code = _fault(error)
        if code:
            raise NotReached(code) from None


def _fault(error: BaseException | None) -> str:
    if error is None:
        return ""
    import aiohttp

    if isinstance(error, AddressRefused):
        return "address_refused"
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, AddressRefused):
        return "address_refused"
    return next((code for kinds, code in _faults() if isinstance(error, kinds)), "")


@cache
def _faults() -> tuple[tuple[tuple[type[BaseException], ...], str], ...]:
    """Return kinds and codes; the first line that fits names the fault."""
    import aiohttp

    tls = (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError, aiohttp.ClientSSLError)
    cut = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientPayloadError)
    return (
        ((TimeoutError,), "deadline"),
        ((aiohttp.ClientConnectorDNSError, socket.gaierror), "dns"),
        ((*tls, ssl.SSLError), "tls"),
        ((aiohttp.ClientConnectorError,), "refused"),
        ((*cut, ConnectionError), "reset"),
        ((aiohttp.ClientError,), "not_http"),
        ((OSError,), "refused"),
    )
