"""uvicorn's protocol with a deadline for headers, which the other servers bring, and with limits for a connection.

Imported with the extra `fast`.
"""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from instance.hot.answers import turn_away
from instance.hot.limits import ConnectionLimit
from instance.hot.unread import Unread

#: From the connection, or from the last answer, to the end of the next request's headers.
SECONDS: Final = 5


def punctual(limit: ConnectionLimit, requests: int) -> type[HttpToolsProtocol]:
    """Return the protocol for connections that are counted by address and end after so many requests."""
    return type("Punctual", (PunctualProtocol,), {"limit": limit, "requests": requests})


class PunctualProtocol(HttpToolsProtocol):
    """Closes a connection whose next request has not come with all its headers in time, however they drip."""

    limit: ConnectionLimit
    #: How many are still answered.
    requests: int
    _deadline: asyncio.TimerHandle | None = None
    _unread: Unread | None = None
    _entered = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, if the address has not too many connections already."""
        super().connection_made(transport)
        self._entered = self.limit.enter(self._address)
        if self._entered:
            self._wait()
        else:
            turn_away(transport, busy=self.limit.full)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._come()
        self._unwatch()
        if self._entered:
            self.limit.leave(self._address)
        super().connection_lost(exc)

    @property
    def _address(self) -> str:
        return self.client[0] if self.client else ""

    def on_headers_complete(self) -> None:
        """They came in time."""
        self._come()
        super().on_headers_complete()
        self.requests -= 1
        if self.requests <= 0:
            self.cycle.keep_alive = False

    def on_response_complete(self) -> None:
        """Begin to wait for the next request, unless one is being answered already."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._watch()
        elif self.cycle.response_complete:
            self._wait()

    def pause_writing(self) -> None:
        """Much of an answer waits to be read; not for ever, if none of it is."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """It is being read; after a goodbye all of it must be."""
        if not self.transport.is_closing():
            self._unwatch()
        super().resume_writing()

    def shutdown(self) -> None:
        """The server is stopping: end here, or after the answer under way."""
        super().shutdown()
        if self.transport.is_closing():
            self._watch()

    def send_400_response(self, msg: str) -> None:
        """Say that this is no request, and close."""
        super().send_400_response(msg)
        self._watch()

    def timeout_keep_alive_handler(self) -> None:
        """Nothing came after the last answer."""
        self._close()

    def _unsupported_upgrade_warning(self) -> None:
        """Whoever asks for another protocol is answered in this one; what follows may be in the other."""
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def _close(self) -> None:
        """Say goodbye: what waits for the client is still sent, unless it takes nothing of it."""
        self.transport.close()
        self._watch()

    def _watch(self) -> None:
        if self._unread is None and self.transport.get_write_buffer_size():
            self._unread = Unread(self.transport)

    def _unwatch(self) -> None:
        if self._unread is not None:
            self._unread.stop()
            self._unread = None

    def _wait(self) -> None:
        self._come()
        self._deadline = self.loop.call_later(SECONDS, self._close)

    def _come(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
