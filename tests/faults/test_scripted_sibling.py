"""F17: a sibling on a real socket that answers as the test says; the courier obeys the table of answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from instance.times import to_ms
from instance.wiring import Node, open_node
from tests.tools.ports import free_ports
from tests.town import Network, Person, Place, pooled_rsa

pytestmark = pytest.mark.faults


@dataclass
class Scripted:
    """Answers every POST with one status, code and headers; GETs with 404."""

    status: int = 202
    code: str = ""
    headers: str = ""
    posts: int = 0
    targets: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer what comes on one connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                method, target, _ = lines[0].split(" ")
                length = next((int(one.split(":")[1]) for one in lines if one.lower().startswith("content-length")), 0)
                await reader.readexactly(length)
                self.posts += method == "POST"
                self.targets.append(target)
                writer.write(self._answer(method))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, method: str) -> bytes:
        status, headers = (self.status, self.headers) if method == "POST" else (404, "")
        body = f'{{"error": "{self.code}"}}'.encode() if self.code else b""
        return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


@asynccontextmanager
async def facing(folder: Any, scripted: Scripted) -> AsyncIterator[tuple[Node, Person]]:
    """An instance with the product's own wire, one doctor, and the scripted sibling on its list."""
    here, there = free_ports(2)
    town = Network(clock := _clock())
    fr = await town.add(folder, "fr", origin=f"http://fr.localhost:{here}", listen=f"127.0.0.1:{here}")
    de = await town.add(folder, "de", origin=f"http://de.localhost:{there}", listen=f"127.0.0.1:{there}")
    await fr.admits(de)
    marie = await fr.doctor("marie")
    await town.close()
    node = await open_node(fr.config, clock=clock, make_rsa=pooled_rsa)
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", there)
    try:
        yield node, Person(Place("fr", town, fr.config, node, fr.app), "marie", marie.uri)
    finally:
        server.close()
        await node.close()


def _clock() -> Any:
    from tests.town import MovedClock

    return MovedClock()


WAITS, DEAD, DONE = "waiting", "dead", "done"
TABLE = [
    # status, code, headers, posts, state, alarm, seconds to the next try (at least, at most)
    (202, "", "", 1, DONE, "", None),
    (301, "", "Location: http://it.localhost:1/inbox\r\n", 1, WAITS, "http_301", (15, 25)),
    (400, "malformed", "", 1, DEAD, "", None),
    (401, "bad_signature", "", 2, "resting", "bad_signature", (15, 25)),
    (403, "not_a_sibling", "", 1, WAITS, "not_a_sibling", (15, 25)),
    (403, "", "", 1, WAITS, "http_403", (15, 25)),
    (403, "kind_not_federated", "", 1, DEAD, "", None),
    (404, "", "", 1, WAITS, "http_404", (15, 25)),
    (408, "", "", 1, WAITS, "", (15, 25)),
    (410, "", "", 1, WAITS, "http_410", (15, 25)),
    (413, "", "", 1, DEAD, "", None),
    (429, "", "Retry-After: 120\r\n", 1, WAITS, "", (120, 120)),
    (429, "", "Retry-After: 86400\r\n", 1, WAITS, "", (3600, 3600)),
    (500, "", "", 1, "resting", "", (15, 25)),
    (502, "", "", 1, WAITS, "", (15, 25)),
    (503, "", "Retry-After: 60\r\n", 1, WAITS, "", (60, 60)),
]


@pytest.mark.parametrize(("status", "code", "headers", "posts", "state", "alarm", "wait"), TABLE, ids=str)
async def test_each_answer_is_obeyed(tmp_path, status, code, headers, posts, state, alarm, wait):
    """F17: the status decides what becomes of the row and of its lane, over real sockets."""
    scripted = Scripted(status, code, headers)
    async with facing(tmp_path, scripted) as (node, marie):
        await marie.posts("Sent")
        await node.workers.run_until_quiet()
        overview = await node.queue.overview()
        (lane,) = overview["lanes"]
        states = [row["state"] for row in overview["counts"]]
        next_at = to_ms(lane["next_at"]) if lane["next_at"] else 0

        assert posts == scripted.posts
        assert [state] == states
        assert alarm == lane["alarm"]
        if wait is None:
            assert 0 == lane["failures"]
        else:
            assert wait[0] <= (next_at - to_ms(node.clock())) / 1000 <= wait[1]
        assert not any("it.localhost" in target for target in scripted.targets)


async def test_after_trouble_the_message_is_delivered_once(tmp_path):
    """F17: the sibling failed, was busy, and takes it in the end: one more attempt each time, and then no more."""
    scripted = Scripted(503)
    async with facing(tmp_path, scripted) as (node, marie):
        await marie.posts("Sent")
        for status in (503, 500, 401, 202, 202):
            scripted.status = status
            await node.workers.run_until_quiet()
            node.clock.move(hours=1)
        delivered = scripted.posts
        await node.workers.run_until_quiet()

        assert [("done", 1)] == [(row["state"], row["number"]) for row in (await node.queue.overview())["counts"]]
        assert delivered == scripted.posts == 5
