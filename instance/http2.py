"""hypercorn's HTTP/2, with an end to whatever keeps a connection busy and asks for nothing (rapid resets, floods).

A reverse proxy may speak it to us in clear; siblings and browsers do not. hypercorn itself answers every PING and every
SETTINGS, holds a connection that never asks, and waits for ever for a window that never opens.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final

from h2.connection import ConnectionState
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, PriorityUpdated, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import StreamClosedError
from hypercorn.events import Closed, RawData, Updated
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.h2 import H2Protocol

from instance.hot.limits import UNREAD

#: Requests that a client may take back, on one connection.
RESETS: Final = 100
#: Frames that bring no request, on one connection: so many, and so many more for each request.
TALK, TALK_EACH = 200, 10
#: Read so much, then look whether it is too much already.
_PIECE: Final = 4_096


class Http2(H2Protocol):
    """One connection."""

    _resets = _talk = 0

    async def initiate(self, headers: Any = None, settings: Any = None) -> None:
        """Greet, and begin to wait for the first request as for any other."""
        await super().initiate(headers, settings)
        await self.send(Updated(idle=True))

    async def handle(self, event: Any) -> None:
        """Take what came, piece by piece, until the connection is over."""
        if not isinstance(event, RawData):
            await super().handle(event)
            return
        for at in range(0, len(event.data), _PIECE):
            if self.connection.state_machine.state is ConnectionState.CLOSED:
                return
            await super().handle(RawData(event.data[at : at + _PIECE]))

    async def stream_send(self, event: StreamEvent) -> None:
        """Answer; give the connection up where nobody takes it."""
        try:
            async with asyncio.timeout(UNREAD):
                await super().stream_send(event)
        except TimeoutError:
            await self._end(ErrorCodes.FLOW_CONTROL_ERROR)

    async def _handle_events(self, events: list[Event]) -> None:
        # One after the other: what an event does may make the next one late.
        for event in events:
            if self._wanted(event):
                await super()._handle_events([event])
        await self._flush()
        if self._resets > RESETS or self._talk > TALK + TALK_EACH * self.keep_alive_requests:
            await self._end(ErrorCodes.ENHANCE_YOUR_CALM)

    def _wanted(self, event: Event) -> bool:
        """Count it; say whether there is anything to do for it."""
        match event:
            case RequestReceived():
                return self._well_formed(event)
            case DataReceived(stream_id=stream, flow_controlled_length=size):
                self._talk += not event.data
                if stream in self.streams:
                    return True
                self._take_late(int(stream or 0), int(size or 0))
                return False
            case StreamReset():
                self._resets += 1
            case StreamEnded():
                return True
            case PriorityUpdated():
                self._talk += 1
                return False  # deprecated by RFC 9113, and a tree that strangers could grow
            case _:
                self._talk += 1
        return True

    def _well_formed(self, event: RequestReceived) -> bool:
        """Refuse tunnels and what is not ASCII: hypercorn would stumble over either."""
        named = {bytes(name): bytes(value) for name, value in event.headers or () if bytes(name)[:1] == b":"}
        method, path = named.get(b":method", b""), named.get(b":path", b"")
        if method != b"CONNECT" and method.isascii() and path.isascii() and path:
            return True
        self.connection.reset_stream(event.stream_id, ErrorCodes.PROTOCOL_ERROR)
        return False

    def _take_late(self, stream: int, size: int) -> None:
        """A body whose request is answered already: make room for others, and ask for no more of it."""
        with contextlib.suppress(StreamClosedError):  # it is reset already
            self.connection.acknowledge_received_data(size, stream)
            self.connection.reset_stream(stream, ErrorCodes.NO_ERROR)

    async def _end(self, code: ErrorCodes) -> None:
        self.connection.close_connection(code)
        await self._flush()
        await self.send(Closed())
