"""A real instance, served once for each server we run on; two siblings are played."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.bench.ground import Ground, make_ground
from tests.instance.served import Served
from tests.servers.raw import Reply, request, send
from tests.tools.ports import free_ports

SERVERS = ("hypercorn", "uvicorn", "granian")


@dataclass(frozen=True)
class Door:
    """Where to knock."""

    ground: Ground
    server: str
    host: str
    port: int

    async def asks(self, method: str, target: str, *headers: str, body: bytes = b"", host: str | None = None) -> Reply:
        """Send one request."""
        return await send(
            self.port, request(method, target, self.host if host is None else host, headers, body), wait=0
        )

    async def answers(self) -> bool:
        """Whether somebody else is served now."""
        reply = await self.asks("GET", "/", "Connection: close")
        return reply.status == 200

    def kept(self) -> int:
        """How many messages are kept."""
        import sqlite3

        connection = sqlite3.connect(f"file:{self.ground.folder / 'esanum.db'}?mode=ro", uri=True)
        try:
            return int(connection.execute("select count(*) from inbound").fetchone()[0])
        finally:
            connection.close()


@pytest.fixture(scope="package")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """The instance, made once."""
    return asyncio.run(make_ground(tmp_path_factory.mktemp("servers"), doctors=1, authors=1))


@pytest.fixture(scope="package")
def copies(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> list[Ground]:
    """The instance as it was made, once for each server, at ports of its own."""
    made = [ground.copy(tmp_path_factory.mktemp("copies") / server) for server in SERVERS]
    for copy in made:
        copy.port, metrics = free_ports(2)
        text = copy.file.read_text("utf-8").replace(f':{ground.metrics}"', f':{metrics}"')
        listen = f'listen = "127.0.0.1:{ground.port}"'
        assert listen in text
        copy.metrics = metrics
        copy.file.write_text(text.replace(listen, f'listen = "127.0.0.1:{copy.port}"'), "utf-8")
    return made


@pytest.fixture(scope="package")
def doors(copies: list[Ground]) -> Iterator[list[Door]]:
    """The instance served by every server at once: for tests that wait for seconds."""
    with ExitStack() as served:
        for copy, server in zip(copies, SERVERS, strict=True):
            served.enter_context(Served(copy.file, server=server))
        yield [
            Door(copy, server, copy.config.authority, copy.port) for copy, server in zip(copies, SERVERS, strict=True)
        ]


@pytest.fixture(scope="package", params=SERVERS)
def door(request: pytest.FixtureRequest, ground: Ground, copies: list[Ground]) -> Iterator[Door]:
    """The instance served by each server in turn, once it has been copied."""
    with Served(ground.file, server=request.param):
        yield Door(ground, request.param, ground.config.authority, ground.port)
