"""hypercorn's HTTP/1.1 behind a listener of our own: so many connections for an address, none held without a reason.

hypercorn itself counts no connections, waits for ever for a client that reads no answer, keeps one that has gone for
five seconds more, never lets go of one whose request was answered before its body had come in many pieces, and goes on
in HTTP/2 or as a socket with whoever asks for it (imported where hypercorn serves).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.task_group import TaskGroup
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.events import Closed, RawData, Updated
from hypercorn.protocol.events import Request
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.typing import ConnectionState
from hypercorn.utils import parse_socket_addr

from instance.hot.answers import turn_away
from instance.hot.limits import ConnectionLimit
from instance.hot.unread import Unread

#: Pieces of a body that wait until they are asked for; then nothing more is read from the connection.
_PIECES: Final = 10
#: Bytes that may wait for a client to read them before it is looked at how long that takes.
_BUFFER: Final = 65_536

_log = logging.getLogger(__name__)


async def listen(app: Any, settings: Config, stop: asyncio.Event, limit: ConnectionLimit) -> None:
    """Serve until `stop`; then let requests under way be answered for as long as the settings say."""
    context, open_ = WorkerContext(None), dict[asyncio.Task[None], Connection]()
    wrapped = ASGIWrapper(app)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = str((writer.get_extra_info("peername") or ("",))[0])
        if not limit.enter(address):
            turn_away(writer.transport, busy=limit.full)
            return
        task = asyncio.current_task()
        assert task is not None
        connection = open_[task] = Connection(wrapped, settings, context, reader, writer)
        try:
            await connection.run()
        except asyncio.CancelledError:
            pass  # we are stopping, and its time is up
        finally:
            del open_[task]
            limit.leave(address)

    servers = [
        await asyncio.start_server(connected, sock=sock, backlog=settings.backlog)
        for sock in settings.create_sockets().insecure_sockets
    ]
    await stop.wait()
    await context.terminated.set()
    for server in servers:
        server.close()
    await _gone(open_, settings.graceful_timeout)


async def _gone(connections: dict[asyncio.Task[None], Connection], seconds: float) -> None:
    """Wait for every connection to end, then end those that have not, without a goodbye to wait for."""
    for connection in connections.values():
        connection.end()
    if connections:
        await asyncio.wait(tuple(connections), timeout=seconds)
    left = tuple(connections.items())
    for task, connection in left:
        connection.abort()
        task.cancel()
    await asyncio.gather(*(task for task, _ in left), return_exceptions=True)


class Connection:
    """One connection."""

    #: Until when a request, or the next one, is to have come with all its headers; none while one is answered.
    _deadline: asyncio.TimerHandle | None = None
    #: What is still to be read after our goodbye.
    _goodbye: Unread | None = None

    def __init__(
        self, app: ASGIWrapper, settings: Config, context: WorkerContext, reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:  # fmt: skip
        self._app, self._settings, self._context = app, settings, context
        self._reader, self._writer, self._transport = reader, writer, writer.transport
        self._loop, self._sending = asyncio.get_running_loop(), asyncio.Lock()
        self._protocol: Http1

    async def run(self) -> None:
        """Answer what comes until either side closes and what we have sent is read or given up."""
        try:
            raw = self._writer.get_extra_info("socket")
            client, server = (parse_socket_addr(raw.family, name()) for name in (raw.getpeername, raw.getsockname))
            async with Tasks(self._loop, self.abort) as tasks:
                self._protocol = Http1(
                    self._app, self._settings, self._context, tasks, ConnectionState({}), False, client, server,
                    self._send,
                )  # fmt: skip
                self._wait()
                await self._read()
        except OSError:
            pass
        finally:
            self._close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()
            if self._goodbye is not None:
                self._goodbye.stop()

    def end(self) -> None:
        """Close, unless a request is being answered."""
        if self._deadline is not None:
            self._close()

    def abort(self) -> None:
        """Close at once, whatever is still to be sent."""
        self._transport.abort()

    async def _read(self) -> None:
        while not self._reader.at_eof():
            try:
                data = await self._reader.read(_BUFFER)
            except OSError:
                break
            await self._protocol.handle(RawData(data))
        await self._protocol.handle(Closed())

    async def _send(self, event: Any) -> None:
        """Do what the protocol says."""
        if isinstance(event, RawData):
            await self._write(event.data)
        elif isinstance(event, Closed):
            self._close()
        elif isinstance(event, Updated):
            if event.idle:
                self._wait()
            else:
                self._come()

    async def _write(self, data: bytes) -> None:
        """Send; a client that takes nothing for too long is cut off, a slow one is not."""
        async with self._sending:
            try:
                self._writer.write(data)
                if self._transport.get_write_buffer_size() < _BUFFER:
                    await self._writer.drain()
                else:
                    with Unread(self._transport):
                        await self._writer.drain()
            except (ConnectionError, RuntimeError):
                await self._protocol.handle(Closed())

    def _wait(self) -> None:
        """A request is to come in time; none is waited for while we are stopping."""
        self._come()
        seconds = 0 if self._context.terminated.is_set() else self._settings.keep_alive_timeout
        self._deadline = self._loop.call_later(seconds, self._close)

    def _come(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _close(self) -> None:
        """Say goodbye: what waits for the client is still sent, unless it takes nothing of it."""
        self._come()
        self._transport.close()
        if self._goodbye is None and self._transport.get_write_buffer_size():
            self._goodbye = Unread(self._transport)


class Http1(H11Protocol):
    """HTTP/1.1 without a way up, to HTTP/2 or to a socket: either has led past many a proxy."""

    async def _check_protocol(self, event: Any) -> None:
        """A request is a request, whatever else it asks for."""

    async def _create_stream(self, request: Any) -> None:
        self.stream = HTTPStream(
            self.app, self.config, self.context, self.task_group, self.ssl, self.client, self.server,
            self.stream_send, STREAM_ID,
        )  # fmt: skip
        await self.stream.handle(
            Request(
                stream_id=STREAM_ID, headers=list(request.headers), http_version=request.http_version.decode(),
                method=request.method.decode(), raw_path=request.target, state=self.connection_state,
            )
        )  # fmt: skip
        self.keep_alive_requests += 1


class Tasks(TaskGroup):
    """The requests of one connection; `abort` ends it where nobody is left to answer."""

    def __init__(self, loop: asyncio.AbstractEventLoop, abort: Callable[[], None]) -> None:
        super().__init__(loop)
        self._abort = abort

    async def spawn_app(self, app: Any, config: Any, scope: Any, send: Any) -> Callable[[Any], Awaitable[None]]:
        """Begin to answer one; return where what the client sends is to be put."""
        events = Events()
        self.spawn(self._answer, app, scope, events.get, send)
        return events.put

    async def _answer(self, app: ASGIWrapper, scope: Any, receive: Any, send: Any) -> None:
        try:
            await app.app(scope, receive, send)
        except asyncio.CancelledError:
            self._abort()  # whoever is called off sends nothing more
            raise
        except Exception:
            _log.exception("application")
        await send(None)


class Events:
    """What a client has sent of one request: some waits for the application, nothing waits for one that has ended."""

    def __init__(self) -> None:
        self._events: deque[Any] = deque()
        self._came, self._room, self._over = asyncio.Event(), asyncio.Event(), False

    async def put(self, event: Any) -> None:
        """Add one; wait for room, unless the exchange is over."""
        if event["type"].endswith(".disconnect"):
            self._over = True
            self._room.set()
        elif len(self._events) >= _PIECES and not self._over:
            self._room.clear()
            await self._room.wait()
        self._events.append(event)
        self._came.set()

    async def get(self) -> Any:
        """Wait for the next."""
        while not self._events:
            self._came.clear()
            await self._came.wait()
        self._room.set()
        return self._events.popleft()
