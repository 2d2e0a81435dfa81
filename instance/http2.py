"""hypercorn's HTTP/2, with an end to whatever keeps a connection busy and asks for nothing (rapid resets, floods).

A reverse proxy may speak it to us in clear; siblings and browsers do not. hypercorn itself answers every PING and every
SETTINGS, holds a connection that never asks, and waits for ever for a window that never opens.
"""

from __future__ import annotations

import contextlib
from functools import partial
from typing import Any, Final

from h2.connection import ConnectionState
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, PriorityUpdated, RequestReceived, StreamReset
from h2.exceptions import ProtocolError, StreamClosedError
from h2.frame_buffer import FrameBuffer
from hypercorn.events import Closed, RawData, Updated
from hypercorn.protocol.events import Body
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.http_stream import ASGIHTTPState
from hyperframe.frame import Frame, GoAwayFrame

from instance.hot.unread import Unread

#: Requests that a client may take back before anything was answered, on one connection.
RESETS: Final = 100
#: Frames on one connection: so many, so many more for each request, and one for so many bytes of bodies and of answers,
#: for which windows are opened.
TALK, TALK_EACH, TALK_BYTES = 200, 10, 1_024
#: Read so much, then look whether it is too much already.
_PIECE: Final = 4_096


class Frames(FrameBuffer):
    """The frames of one connection, counted as they come: of those for a stream that it has reset, h2 tells nothing."""

    count = 0

    def __next__(self) -> Frame:
        """Take the next; a frame whose end is still to come is none yet."""
        frame = super().__next__()
        self.count += 1
        return frame


class Http2(H2Protocol):
    """One connection."""

    _resets = _carried = 0
    #: No more requests are taken on this connection, and that has been said.
    _full = False
    #: The last stream whose request was taken.
    _taken_up = 0

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._frames = self.connection.incoming_buffer = Frames(server=True)

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
        """Answer; give up what nobody takes. A proxy carries others on the same connection: those go on."""
        size = len(event.data) if isinstance(event, Body) else 0
        self._carried += size
        given_up = partial(self.task_group.spawn, self._give_up, event.stream_id)
        with Unread(partial(self._left, event.stream_id), given_up, coming=size):
            await super().stream_send(event)

    def _left(self, stream: int) -> int:
        """What of an answer waits for its window."""
        kept = self.stream_buffers.get(stream)
        return 0 if kept is None else len(kept.buffer)

    async def _give_up(self, stream: int) -> None:
        with contextlib.suppress(ProtocolError):
            self.connection.reset_stream(stream, ErrorCodes.CANCEL)
        await self._close_stream(stream)
        await self._window_updated(stream)
        if self.streams:
            await self._flush()
        else:
            await self._end(ErrorCodes.FLOW_CONTROL_ERROR)

    async def _handle_events(self, events: list[Event]) -> None:
        # One after the other: what an event does may make the next one late.
        for event in events:
            if self._wanted(event):
                await super()._handle_events([event])
        await self._flush()
        if self._floods():
            await self._end(ErrorCodes.ENHANCE_YOUR_CALM)
        elif self._is_last() and not self._full:
            self._full = True
            # Past h2, for which a connection that says so is over at once, whatever is under way on it.
            await self.send(RawData(GoAwayFrame(0, last_stream_id=self._taken_up, error_code=0).serialize()))

    def _floods(self) -> bool:
        allowed = TALK + TALK_EACH * self.keep_alive_requests + self._carried // TALK_BYTES
        return self._resets > RESETS or self._frames.count > allowed

    def _is_last(self) -> bool:
        """Whether nothing more may be asked on this connection."""
        return self.keep_alive_requests >= self.config.keep_alive_max_requests

    def _wanted(self, event: Event) -> bool:
        """Count it; say whether there is anything to do for it."""
        match event:
            case RequestReceived() if self._is_last() or self.context.terminated.is_set():
                return self._refuse_late(event)
            case RequestReceived():
                return self._well_formed(event)
            case DataReceived(stream_id=stream, flow_controlled_length=size):
                if stream in self.streams:
                    self._carried += len(event.data)
                    return True
                self._take_late(int(stream or 0), int(size or 0))
                return False
            case StreamReset(stream_id=stream):
                self._take_back(int(stream or 0))
            case PriorityUpdated():
                return False  # deprecated by RFC 9113, and a tree that strangers could grow
        return True

    def _well_formed(self, event: RequestReceived) -> bool:
        """Refuse tunnels and what is not ASCII: hypercorn would stumble over either."""
        named = {bytes(name): bytes(value) for name, value in event.headers or () if bytes(name)[:1] == b":"}
        method, path = named.get(b":method", b""), named.get(b":path", b"")
        if method != b"CONNECT" and method.isascii() and path.isascii() and path:
            self._taken_up = int(event.stream_id or 0)
            return True
        self.connection.reset_stream(event.stream_id, ErrorCodes.PROTOCOL_ERROR)
        return False

    def _refuse_late(self, event: RequestReceived) -> bool:
        """Give back what comes when no more is taken: whoever sent it may send it elsewhere (RFC 9113, 8.7)."""
        self.connection.reset_stream(event.stream_id, ErrorCodes.REFUSED_STREAM)
        return False

    def _take_back(self, stream: int) -> None:
        """A page that was left while it came is like any other; a request nobody waited for is half of a flood."""
        asked = self.streams.get(stream)
        if asked is not None and asked.state is ASGIHTTPState.REQUEST:
            self._resets += 1

    def _take_late(self, stream: int, size: int) -> None:
        """A body whose request is answered already: make room for others, and ask for no more of it."""
        with contextlib.suppress(StreamClosedError):  # it is reset already
            self.connection.acknowledge_received_data(size, stream)
            self.connection.reset_stream(stream, ErrorCodes.NO_ERROR)

    async def _end(self, code: ErrorCodes) -> None:
        self.connection.close_connection(code)
        await self._flush()
        await self.send(Closed())
