"""Reading at siblings: signed, only what the allowlist opens, one request per address at a time, within a budget."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from federation import catch_up, parse, signatures
from federation.allowlist import Direction, Sibling
from federation.errors import KeyAway, KeyNotOwned, NotASibling, PinMismatch, Refused, TooManyRequests, UnknownKey
from federation.inbox import require_activity_type
from federation.signatures import Profile
from federation.uri import Uri
from federation.wire import ACTIVITY_ACCEPT, JRD_ACCEPT, MAX_DOCUMENT

__all__ = ["JRD_ACCEPT", "Budget", "Fetcher", "GoneThere", "NotListed", "NotReached", "NotThere", "SingleFlight"]

if TYPE_CHECKING:
    from instance.wiring import Node

#: The media type of pages of logs.
LOG_ACCEPT: Final = "application/json"
#: Key fetches a minute at one sibling, and first contacts a minute from one.
FETCHES: Final = 60
MISSING_FOR: Final = timedelta(minutes=5)
GONE_FOR: Final = timedelta(hours=1)
_MINUTE: Final = timedelta(minutes=1)
_REMEMBERED: Final = 4_096
#: Answers that say nothing of what was asked for: it may be there when the sibling has time.
_BUSY: Final = frozenset({408, 425, 429})

T = TypeVar("T")


class NotThere(UnknownKey):
    """The sibling answered, and there is no such document."""


class NotListed(NotThere):
    """The other answered that we are none of its siblings."""


class GoneThere(NotThere):
    """The sibling answered that it was withdrawn; `document` is the Tombstone it showed, where it showed one."""

    def __init__(self, reason: str = "", document: dict[str, Any] | None = None) -> None:
        super().__init__(reason)
        self.document = document


class NotReached(KeyAway):
    """The sibling did not answer, or with an error of its own: what was known before still counts for a while."""


class Budget:
    """So many events a minute for each origin."""

    def __init__(self, most: int = FETCHES) -> None:
        self._most = most
        self._times: dict[str, deque[datetime]] = {}

    def spend(self, origin: str, now: datetime) -> None:
        """Count one; raise TooManyRequests where the minute is used up."""
        times = self._times.setdefault(origin, deque())
        while times and not timedelta(0) <= now - times[0] < _MINUTE:
            times.popleft()
        if len(times) >= self._most:
            raise TooManyRequests("too many first contacts or key fetches a minute")
        times.append(now)


class SingleFlight:
    """Everybody who asks for the same thing at once gets the one answer."""

    def __init__(self) -> None:
        self._flying: dict[str, asyncio.Task[Any]] = {}

    def under_way(self, name: str) -> bool:
        """Whether somebody waits for this now."""
        return name in self._flying

    async def do(self, name: str, start: Callable[[], Awaitable[T]]) -> T:
        """Run `start` unless it runs already under this name; a caller that goes away does not stop the others."""
        task: asyncio.Task[T] | None = self._flying.get(name)
        if task is None:
            task = asyncio.ensure_future(_awaited(start))
            self._flying[name] = task
            task.add_done_callback(lambda _: self._flying.pop(name, None))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_seen)
            raise


async def _awaited(start: Callable[[], Awaitable[T]]) -> T:
    return await start()


def _seen(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()


@dataclass(frozen=True, slots=True)
class _Failure:
    until: datetime
    refusal: type[Refused]


class Fetcher:
    """Signed GETs in the name of the instance actor; failures are remembered, so that none is asked for in vain."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._budget = Budget()
        self._flights = SingleFlight()
        self._failures: OrderedDict[str, _Failure] = OrderedDict()

    async def document(self, url: Uri, sibling: Sibling) -> dict[str, Any]:
        """Return the document with the id `url`, read there now.

        Raises NotThere, NotReached, TooManyRequests, Malformed, and what the allowlist says of this direction.
        """
        self._node.allowlist().require(url.origin, Direction.FETCH)
        failure = self._failures.get(url)
        now = self._node.clock()
        if failure is not None and now < failure.until:
            raise failure.refusal("remembered")
        return await self._flights.do(url, lambda: self._document(url, sibling, now))

    async def json(self, url: Uri, sibling: Sibling, accept: str, *, limit: int = MAX_DOCUMENT) -> dict[str, Any]:
        """Return JSON of another media type (WebFinger, status lists), at most `limit` bytes; nothing is remembered.

        Raises NotReached where the sibling is busy or failing, NotThere for every other answer that is none.
        """
        self._node.allowlist().require(url.origin, Direction.FETCH)
        answer = await self._get(url, sibling, accept, limit)
        media = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if answer.status == NotASibling.status and _code(answer) == NotASibling.code:
            raise NotListed(NotASibling.code)
        if answer.status >= 500 or answer.status in _BUSY:
            raise NotReached(f"status {answer.status}")
        if answer.status != 200 or media not in accept.split(", "):
            raise NotThere(f"status {answer.status}")
        return parse.strict_json(answer.body, limit)

    async def log_page(self, url: Uri, sibling: Sibling) -> dict[str, Any]:
        """Return a page of a log that a pinned key of the sibling's instance actor has signed for this address, now.

        Raises PinMismatch for every other, whoever answered at the address, and what `json` raises.
        """
        document = await self.json(url, sibling, LOG_ACCEPT, limit=catch_up.MAX_PAGE)
        key_id = catch_up.proved_by(document, url, self._node.clock())
        try:
            key = await self._node.directory.pinned(key_id, sibling)
        except KeyAway:
            raise
        except (UnknownKey, KeyNotOwned):
            raise PinMismatch(sibling.origin) from None
        catch_up.prove_page(document, key)
        return document

    def forget(self, origin: str) -> None:
        """Ask anew at this origin, whatever failed before."""
        for url in [url for url in self._failures if Uri(url).origin == origin]:
            del self._failures[url]

    async def _document(self, url: Uri, sibling: Sibling, now: datetime) -> dict[str, Any]:
        self._budget.spend(sibling.origin, now)
        try:
            return await self._read(url, sibling)
        except Refused as refusal:
            if not isinstance(refusal, NotReached):
                wait = GONE_FOR if isinstance(refusal, GoneThere) else MISSING_FOR
                self._remember(url, now + wait, type(refusal))
            raise

    async def _read(self, url: Uri, sibling: Sibling) -> dict[str, Any]:
        answer = await self._get(url, sibling, ACTIVITY_ACCEPT)
        if answer.status == 404:
            raise NotThere("404")
        if answer.status == 410:
            raise GoneThere("410", _shown(answer, url))
        if answer.status != 200:
            raise NotReached(f"status {answer.status}")
        try:
            require_activity_type(answer.headers.get("content-type", ""))
        except Refused:
            raise NotThere("not an ActivityPub document") from None
        document = parse.strict_json(answer.body)
        if document.get("id") != url:
            raise NotThere("another document than the one asked for")
        return document

    async def _get(self, url: Uri, sibling: Sibling, accept: str, limit: int = MAX_DOCUMENT) -> Any:
        node = self._node
        profile = Profile.RFC9421 if sibling.speaks_rfc9421 else Profile.CAVAGE
        key = await node.keys.signing_key(node.actor, profile)
        headers = signatures.sign("GET", url, None, key, profile, node.clock())
        try:
            return await node.wire.get(url, headers, limit=limit, accept=accept)
        except Refused:
            raise
        except Exception as fault:
            node.log.info("not_reached", sibling=sibling.origin, error=type(fault).__name__)
            raise NotReached(type(fault).__name__) from None

    def _remember(self, url: Uri, until: datetime, refusal: type[Refused]) -> None:
        self._failures[url] = _Failure(until, refusal)
        if len(self._failures) > _REMEMBERED:
            self._failures.popitem(last=False)


def _code(answer: Any) -> str:
    """The code of a refusal; empty where it names none."""
    try:
        return str(parse.strict_json(answer.body).get("error", ""))
    except Refused:
        return ""


def _shown(answer: Any, url: Uri) -> dict[str, Any] | None:
    """What a 410 shows in place of the document; None where that is nothing of ours to read."""
    try:
        require_activity_type(answer.headers.get("content-type", ""))
        document = parse.strict_json(answer.body)
    except Refused:
        return None
    return document if document.get("id") == url else None
