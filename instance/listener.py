"""hypercorn's protocols behind a listener of our own: so many connections for an address, none held without a reason.

hypercorn itself counts no connections, waits for ever for a client that reads no answer, keeps one that has gone for
five seconds more, and never lets go of one whose request was answered before its body had come in many pieces (imported
where hypercorn serves).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.task_group import TaskGroup
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.events import Closed, RawData, Updated
from hypercorn.protocol import ProtocolWrapper
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.h11 import H2ProtocolAssumedError, H11Protocol
from hypercorn.typing import ConnectionState
from hypercorn.utils import parse_socket_addr

from instance.hot.answers import turn_away
from instance.hot.limits import ConnectionLimit
from instance.hot.unread import Unread
from instance.http2 import Http2

#: Pieces of a body that wait until they are asked for; then nothing more is read from the connection.
_PIECES: Final = 10
#: Bytes that may wait for a client to read them before it is looked at how long that takes.
_BUFFER: Final = 65_536
#: Seconds for a connection that we have closed to be gone.
_LINGER: Final = 2.0

_log = logging.getLogger(__name__)


async def listen(app: Any, settings: Config, stop: asyncio.Event, limit: ConnectionLimit) -> None:
    """Serve until `stop`; then let requests under way be answered for as long as the settings say."""
    context, open_ = WorkerContext(None), dict[asyncio.Task[None], asyncio.WriteTransport]()
    wrapped, loop = ASGIWrapper(app), asyncio.get_running_loop()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_[task] = writer.transport
        task.add_done_callback(open_.pop)
        address = str((writer.get_extra_info("peername") or ("",))[0])
        if not limit.enter(address):
            turn_away(writer.transport, busy=limit.full)
            return
        try:
            await Connection(wrapped, loop, settings, context, {}, reader, writer).run()
        except asyncio.CancelledError:
            pass  # we are stopping, and its time is up
        finally:
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


async def _gone(connections: dict[asyncio.Task[None], asyncio.WriteTransport], seconds: float) -> None:
    """Wait for every connection to end, then end those that have not, without a goodbye to wait for."""
    if connections:
        await asyncio.wait(tuple(connections), timeout=seconds)
    for task, transport in connections.items():
        transport.abort()
        task.cancel()
    await asyncio.gather(*connections, return_exceptions=True)


class Connection(TCPServer):
    """One connection."""

    #: Nothing more comes from the client, so that nothing is waited for.
    _gone = False

    async def run(self) -> None:
        """Answer what comes until either side closes."""
        try:
            raw = self.writer.get_extra_info("socket")
            client, server = (parse_socket_addr(raw.family, name()) for name in (raw.getpeername, raw.getsockname))
            async with Tasks(self.loop) as tasks:
                self._task_group = tasks
                self.protocol = Protocol(
                    self.app, self.config, self.context, tasks, ConnectionState(self.state), False, client, server,
                    self.protocol_send,
                )  # fmt: skip
                await self.idle_task.restart(tasks, self._idle_timeout)
                try:
                    await self._read_data()
                finally:
                    self._gone = True
                await self.idle_task.stop()
        except OSError:
            pass
        finally:
            await self._close()

    async def protocol_send(self, event: Any) -> None:
        """Send; a client that takes nothing for too long is cut off, a slow one is not."""
        if not isinstance(event, RawData):
            if not (self._gone and isinstance(event, Updated)):
                await super().protocol_send(event)
            return
        async with self.send_lock:
            try:
                self.writer.write(event.data)
                await self._taken()
            except (ConnectionError, RuntimeError):
                await self.protocol.handle(Closed())

    async def _taken(self) -> None:
        """Wait until there is room for more."""
        transport = self.writer.transport
        if transport.get_write_buffer_size() < _BUFFER:
            await self.writer.drain()
            return
        with Unread(transport.get_write_buffer_size, transport.abort):
            await self.writer.drain()

    async def _close(self) -> None:
        try:
            async with asyncio.timeout(_LINGER):
                await super()._close()
        except (TimeoutError, OSError):
            self.writer.transport.abort()

    async def _initiate_server_close(self) -> None:
        await super()._initiate_server_close()
        self.loop.call_later(_LINGER, self.writer.transport.abort)


class Protocol(ProtocolWrapper):
    """HTTP/1.1, or HTTP/2 for whoever begins with it."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._make: Callable[[type[H2Protocol] | type[H11Protocol]], Any] = lambda kind: kind(*args)
        self.protocol = self._make(Http1)

    async def handle(self, event: Any) -> None:
        """Hand on what came."""
        try:
            await self.protocol.handle(event)
        except H2ProtocolAssumedError as error:
            self.protocol = self._make(Http2)
            await self.protocol.initiate()
            await self.protocol.handle(RawData(error.data))


class Http1(H11Protocol):
    """HTTP/1.1 without a way up: the upgrade to `h2c` is no more (RFC 9113), and has led past many a proxy."""

    async def _check_protocol(self, event: Any) -> None:
        if event.method == b"PRI" and event.target == b"*" and event.http_version == b"2.0":
            await super()._check_protocol(event)


class Tasks(TaskGroup):
    """The requests of one connection."""

    async def spawn_app(self, app: Any, config: Any, scope: Any, send: Any) -> Callable[[Any], Awaitable[None]]:
        """Begin to answer one; return where what the client sends is to be put."""
        events = Events()
        self.spawn(_answer, app, scope, events.get, send)
        return events.put


async def _answer(app: ASGIWrapper, scope: Any, receive: Any, send: Any) -> None:
    try:
        await app.app(scope, receive, send)
    except Exception:
        _log.exception("application")
    finally:
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
