"""Running an instance: its web server, its workers, its control socket and its health listener, in one process."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final, Protocol

from instance import log
from instance.app import make_app
from instance.asgi import FederationApp
from instance.config import Config
from instance.control import ControlServer
from instance.hot.limits import LOOPBACK, ConnectionLimit
from instance.ops import OpsApp
from instance.wiring import Node, open_node

#: Seconds from the signal until requests under way must be answered. A stop takes less than ten, and what is left of
#: them is for what comes after: uvicorn's own beat, the workers' last rows, the database.
GRACE: Final = 7
#: Whatever hangs: nothing acknowledged is lost by an end without goodbye, and the next start need not wait.
LAST_RESORT: Final = 9.5
#: What `sun_path` holds on the smallest of our systems (macOS: 104 bytes with the closing NUL).
_LONGEST_SOCKET: Final = 103

#: Containers made before the youngest are looked at, and how often the older ones are. With CPython's own numbers a
#: tenth of the server's time went into looking.
_COLLECT: Final = (10_000, 20, 20)

#: Of one connection, if it lasts that long.
REQUESTS: Final = 1_000


class Serve(Protocol):
    """Serves an application on one address until it is told to stop."""

    def __call__(
        self, app: Any, listen: str, stop: asyncio.Event, limit: ConnectionLimit | None = None
    ) -> Awaitable[None]: ...


class CannotServe(Exception):
    """The server is not installed, or its address cannot be had; the text says which and what to do."""


async def serve(config: Config, *, server: str | None = None) -> None:
    """Serve until SIGTERM or SIGINT, alone in this process; return after a clean stop within ten seconds."""
    stop, name = _stop_on_signal(), server or config.server
    for address in filter(None, (config.listen, config.metrics)):
        _check_free(address)
    _check_socket(config.socket)
    async with opened(config) as node:
        control = ControlServer(node, config.socket)
        await control.start()
        node.log.info("serving", listen=config.listen, server=name)
        _settle_memory()
        try:
            async with asyncio.TaskGroup() as group:
                limit = ConnectionLimit((*LOOPBACK, *config.trusted_proxies))
                group.create_task(_then(SERVERS[name](application(node, name), config.listen, stop, limit), stop))
                if config.metrics:
                    group.create_task(_then(run_hypercorn(OpsApp(node), config.metrics, stop), stop))
                # After the listeners: what was left undone yesterday keeps nobody waiting who asks now.
                await node.workers.start()
                await stop.wait()
                # Deliveries in flight are given their seconds beside the requests under way, not after them.
                await node.workers.stop()
        finally:
            await control.stop()
    log.get(origin=config.origin).info("stopped")


def _settle_memory() -> None:
    """Turn the collector on, for what is made from now on: what starting made stays for ever.

    It is not walked once more before it is set aside: the little garbage among it (1,600 of 98,000 objects, 0.1 MiB)
    would cost a tenth of the start to find.
    """
    gc.freeze()
    gc.set_threshold(*_COLLECT)
    gc.enable()


async def work(config: Config) -> None:
    """Work off queues without serving (PostgreSQL: as many of these as are needed), alone in this process."""
    stop = _stop_on_signal()
    async with running(config) as node:
        node.log.info("working")
        _settle_memory()
        await stop.wait()


@contextlib.asynccontextmanager
async def running(config: Config) -> AsyncIterator[Node]:
    """An open node with its workers at work; closed at the end."""
    async with opened(config) as node:
        await node.workers.start()
        yield node


@contextlib.asynccontextmanager
async def opened(config: Config) -> AsyncIterator[Node]:
    """An open node, whose workers are to be started; closed at the end."""
    node = await open_node(config)
    try:
        yield node
    finally:
        await node.close()


def application(node: Node, server: str) -> FederationApp:
    """The whole of an instance as one ASGI application; it must know the server, since they let different things in."""
    return FederationApp(node, make_app(node), server=server)


async def run_hypercorn(app: Any, listen: str, stop: asyncio.Event, limit: ConnectionLimit | None = None) -> None:
    """Serve with hypercorn in this loop until `stop`."""
    from hypercorn.config import Config as HypercornConfig

    from instance import listener

    settings = HypercornConfig()
    settings.bind = [listen]
    settings.include_server_header = False
    settings.keep_alive_timeout = 5
    settings.keep_alive_max_requests = REQUESTS
    settings.graceful_timeout = GRACE
    settings.accesslog = None
    settings.errorlog = None
    await listener.listen(app, settings, stop, limit or ConnectionLimit())


async def run_uvicorn(app: Any, listen: str, stop: asyncio.Event, limit: ConnectionLimit | None = None) -> None:
    """Serve with uvicorn (extra `fast`) in this loop until `stop`."""
    try:
        import uvicorn

        from instance.header_deadline import punctual
    except ImportError:
        raise CannotServe("uvicorn is not installed; install esanum-federation[fast]") from None
    host, port = _split(listen)
    settings = uvicorn.Config(
        app, host=host, port=port, http=punctual(limit or ConnectionLimit(), REQUESTS), lifespan="off", log_config=None,
        access_log=False, server_header=False, date_header=True, timeout_keep_alive=5, timeout_graceful_shutdown=GRACE,
        # HTTP/1.1 alone: a socket would be counted by nobody. What is no request is no fault of ours to log.
        ws="none", log_level="error",
    )  # fmt: skip

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            """Leave the process's signal handlers alone: ours end this server through `stop`."""
            yield

    server = Server(settings)
    await _until(stop, server.serve(), lambda: setattr(server, "should_exit", True))


async def run_granian(app: Any, listen: str, stop: asyncio.Event, limit: ConnectionLimit | None = None) -> None:
    """Serve with granian (extra `fast`) in this loop until `stop`; it accepts by itself, and counts no addresses."""
    try:
        from granian.constants import HTTPModes, Interfaces
        from granian.http import HTTP1Settings
        from granian.server.embed import Server
    except ImportError:
        raise CannotServe("granian is not installed; install esanum-federation[fast]") from None
    host, port = _split(listen)
    # HTTP/1.1 alone: while granian finds out which version is spoken it waits for ever for somebody who says nothing.
    server = Server(
        app, address=host, port=port, interface=Interfaces.ASGINL, log_enabled=False, websockets=False,
        http=HTTPModes.http1, http1_settings=HTTP1Settings(header_read_timeout=5_000),
        backpressure=(limit or ConnectionLimit()).total,
    )  # fmt: skip
    await _until(stop, server.serve(), server.stop)


async def _until(stop: asyncio.Event, serving: Any, end: Callable[[], Any]) -> None:
    task = asyncio.ensure_future(serving)
    waiter = asyncio.ensure_future(stop.wait())
    await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)
    if not task.done():
        end()
    waiter.cancel()
    await task


async def _then(serving: Awaitable[None], stop: asyncio.Event) -> None:
    """When one listener ends, however it ends, the others end too."""
    try:
        await serving
    finally:
        stop.set()


def _stop_on_signal() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set; from then on the process ends within LAST_RESORT seconds."""
    stop = asyncio.Event()

    def end() -> None:
        if not stop.is_set():
            stop.set()
            timer = threading.Timer(LAST_RESORT, os._exit, (1,))
            timer.daemon = True
            timer.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end)
    return stop


def _check_free(listen: str) -> None:
    """Raise CannotServe where the address cannot be had, before anything is opened."""
    host, port = _split(listen)
    try:
        family, kind, number, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, number) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise CannotServe(f"cannot listen on {listen}: {error.strerror or error}") from None


def _check_socket(path: Path) -> None:
    if len(os.fsencode(path)) > _LONGEST_SOCKET:
        raise CannotServe(f"{path}: too long for a local socket; choose a folder for data with a shorter path")


def _split(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


SERVERS: Final[dict[str, Serve]] = {"hypercorn": run_hypercorn, "uvicorn": run_uvicorn, "granian": run_granian}
