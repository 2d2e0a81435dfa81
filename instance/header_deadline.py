"""uvicorn's protocol with a deadline for headers; the other servers bring one (imported with the extra `fast`)."""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: From the connection, or from the last answer, to the end of the next request's headers.
SECONDS: Final = 5


class PunctualProtocol(HttpToolsProtocol):
    """Closes a connection whose next request has not come with all its headers in time, however they drip."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._come()
        super().connection_lost(exc)

    def on_headers_complete(self) -> None:
        """They came in time."""
        self._come()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request, unless one is being answered already."""
        super().on_response_complete()
        if not self.transport.is_closing() and self.cycle.response_complete:
            self._wait()

    def _wait(self) -> None:
        self._come()
        self._deadline = self.loop.call_later(SECONDS, self.transport.close)

    def _come(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
