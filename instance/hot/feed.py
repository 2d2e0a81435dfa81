"""The home feed, answered in front of the pages: the address that is opened most, and the one where nothing is decided.

Whoever may not read, has just done something that is to be said once, or met a fault, is left to the pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from werkzeug.http import parse_cookie

from instance import frame
from instance.hot.answers import JSON, Answers
from instance.hot.live import Full
from instance.storage.errors import StorageUnavailable
from instance.views.feed_json import feed_json
from instance.views.feed_page import Asked, feed_page
from instance.views.marks import moment

if TYPE_CHECKING:
    from instance.services.accounts import Session
    from instance.wiring import Node

PATH: Final = "/feed"


class HomeFeed:
    """The feed as a page and as a document, for the holder of a session."""

    def __init__(self, node: Node, answers: Answers) -> None:
        self._node, self._answers = node, answers
        self._session_cookie, self._done_cookie, self._language_cookie = (
            frame.cookie_name(node, kind) for kind in ("session", "done", "language")
        )

    async def page(self, scope: Mapping[str, Any], send: Any, query: str, accepted: str) -> bool:
        """Answer with the page of this query; False, with nothing sent, where that is for the pages to do."""
        try:
            found = await self._text(_cookies(scope), query, accepted)
        except StorageUnavailable:
            return False
        except Exception as fault:  # the pages have words for people, whatever it was
            self._node.log.error("fault", path=PATH, exc_info=fault)
            return False
        if found is None:
            return False
        await self._answers.page(scope, send, *found)
        return True

    async def _text(self, cookies: Mapping[str, str], query: str, accepted: str) -> tuple[str, str] | None:
        """The page and its language; None where nobody may read, or something is to be said once."""
        session = await self._session(cookies)
        if session is None or session.doctor_uri is None or session.closed is not None:
            return None
        if cookies.get(self._done_cookie):
            return None
        on_device = cookies.get(self._language_cookie, "")
        language = frame.language_of(session, on_device, accepted, self._node.config.language)
        look = frame.Look(session, language, PATH)
        return await feed_page(self._node, look, session.doctor_uri, Asked.read(query)), language

    async def document(self, scope: Mapping[str, Any], send: Any, query: str) -> None:
        """Answer with the same cards as JSON, or with the code for which there are none."""
        session = await self._session(_cookies(scope))
        if session is None or session.doctor_uri is None:
            await self._answers.problem(scope, send, 401, "not_signed_in")
            return
        if session.closed is not None:
            await self._answers.problem(scope, send, 403, session.closed.value)
            return
        page = await Asked.read(query).page(self._node, session.doctor_uri)
        await self._answers.document(scope, send, feed_json(page, moment(self._node)), JSON)

    async def news(self, scope: Mapping[str, Any], send: Any, query: str) -> None:
        """Answer how many posts have come since (`{"new": 3}`), or with the code for which that is not said.

        A page asks this by itself, with nobody before it: asking keeps no session alive.
        """
        session = await self._unattended(_cookies(scope))
        if session is None or session.doctor_uri is None:
            await self._answers.problem(scope, send, 401, "not_signed_in")
            return
        if session.closed is not None:
            await self._answers.problem(scope, send, 403, session.closed.value)
            return
        number = await Asked.read(query).how_many_new(self._node, session.doctor_uri)
        await self._answers.document(scope, send, b'{"new":%d}' % number, JSON)

    async def events(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        """Keep an open page of somebody who reads up to date, or answer with the code for which it is not.

        This, too, is asked by the page itself, again every few minutes: it keeps no session alive.
        """
        session = await self._unattended(_cookies(scope))
        if session is None or session.doctor_uri is None:
            await self._answers.problem(scope, send, 401, "not_signed_in")
        elif session.closed is not None:
            await self._answers.problem(scope, send, 403, session.closed.value)
        else:
            try:
                await self._node.live.serve(session, scope, receive, send, self._answers)
            except Full:
                await self._answers.problem(scope, send, 503, "too_busy", extra=[(b"retry-after", b"60")])

    async def _session(self, cookies: Mapping[str, str]) -> Session | None:
        token = cookies.get(self._session_cookie, "")
        session = await self._node.people.session(token) if token else None
        if session is not None and session.reads:
            self._node.admission.reader_came()
        return session

    async def _unattended(self, cookies: Mapping[str, str]) -> Session | None:
        """Whose page asks by itself: nobody has come, and nobody uses the session."""
        token = cookies.get(self._session_cookie, "")
        return await self._node.people.session(token, used=False) if token else None


def _cookies(scope: Mapping[str, Any]) -> Mapping[str, str]:
    """The cookies as the pages read them; a proxy may bring them in several fields."""
    fields = [value for name, value in scope["headers"] if name.lower() == b"cookie"]
    return parse_cookie(b";".join(fields).decode("ascii"))
