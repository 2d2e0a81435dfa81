"""Running an instance: its web server, its workers, its control socket and its health listener, in one process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Final

from instance import log
from instance.app import make_app
from instance.asgi import FederationApp
from instance.config import Config
from instance.control import ControlServer
from instance.ops import OpsApp
from instance.wiring import Node, open_node

#: From the signal to the end: requests under way are answered, deliveries under way settled.
GRACE: Final = 8

Serve = Callable[[Any, str, asyncio.Event], Awaitable[None]]


class MissingServer(Exception):
    """The chosen server is not installed; the text names the extra."""


async def serve(config: Config, *, server: str | None = None, ready: Callable[[], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; return after a clean stop within ten seconds."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    run = _servers()[server or config.server]
    async with running(config) as node:
        control = ControlServer(node, config.socket)
        await control.start()
        node.log.info("serving", listen=config.listen, server=server or config.server)
        if ready is not None:
            ready()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_then(run(application(node), config.listen, stop), stop))
                if config.metrics:
                    group.create_task(_then(run_hypercorn(OpsApp(node), config.metrics, stop), stop))
        finally:
            await control.stop()
    log.get(origin=config.origin).info("stopped")


@contextlib.asynccontextmanager
async def running(config: Config) -> AsyncIterator[Node]:
    """An open node with its workers at work; closed at the end."""
    node = await open_node(config)
    try:
        await node.workers.start()
        yield node
    finally:
        await node.close()


async def work(config: Config) -> None:
    """Work off queues without serving (PostgreSQL: as many of these as are needed)."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(config) as node:
        node.log.info("working")
        await stop.wait()


def application(node: Node) -> FederationApp:
    """The whole of an instance as one ASGI application."""
    return FederationApp(node, make_app(node))


async def run_hypercorn(app: Any, listen: str, stop: asyncio.Event) -> None:
    """Serve with hypercorn in this loop until `stop`."""
    from hypercorn.asyncio import serve as hypercorn_serve
    from hypercorn.config import Config as HypercornConfig

    settings = HypercornConfig()
    settings.bind = [listen]
    settings.include_server_header = False
    settings.keep_alive_timeout = 5
    settings.h2_max_concurrent_streams = 64
    settings.graceful_timeout = GRACE
    settings.accesslog = None
    settings.errorlog = None
    await hypercorn_serve(app, settings, shutdown_trigger=stop.wait)


async def run_uvicorn(app: Any, listen: str, stop: asyncio.Event) -> None:
    """Serve with uvicorn (extra `fast`) in this loop until `stop`."""
    try:
        import uvicorn
    except ImportError:
        raise MissingServer("uvicorn is not installed; install esanum-federation[fast]") from None
    host, _, port = listen.rpartition(":")
    settings = uvicorn.Config(
        app, host=host, port=int(port), http="httptools", lifespan="off", log_config=None, access_log=False,
        server_header=False, date_header=True, timeout_keep_alive=5, timeout_graceful_shutdown=GRACE,
    )  # fmt: skip

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            """Leave the process's signal handlers alone: ours end this server through `stop`."""
            yield

    server = Server(settings)
    await _until(stop, server.serve(), lambda: setattr(server, "should_exit", True))


async def run_granian(app: Any, listen: str, stop: asyncio.Event) -> None:
    """Serve with granian (extra `fast`) in this loop until `stop`."""
    try:
        from granian.constants import Interfaces
        from granian.server.embed import Server
    except ImportError:
        raise MissingServer("granian is not installed; install esanum-federation[fast]") from None
    host, _, port = listen.rpartition(":")
    server = Server(app, address=host, port=int(port), interface=Interfaces.ASGINL, log_enabled=False)
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


def _servers() -> dict[str, Serve]:
    return {"hypercorn": run_hypercorn, "uvicorn": run_uvicorn, "granian": run_granian}
