"""F34, F40 on PostgreSQL: two processes work off one database; one of them is killed."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from instance.wiring import Node, open_node
from tests.contract.databases import fresh_postgres
from tests.faults.postgres.conftest import rows
from tests.tools.ports import free_ports
from tests.town import MovedClock, Network, Person, Place, pooled_rsa

pytestmark = [pytest.mark.faults, pytest.mark.postgres, pytest.mark.xdist_group("postgres")]
AUTHORS, EACH = 10, 25


@dataclass
class Sink:
    """A sibling that takes everything and notes which activity came how often, and from which author in what order."""

    came: list[tuple[str, str, str]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer what comes on one connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().lower().split("\r\n")
                length = next((int(one.split(":")[1]) for one in lines if one.startswith("content-length")), 0)
                body = json.loads(await reader.readexactly(length) or b"{}")
                if body.get("type") == "Create":
                    self.came.append((body["actor"], body["id"], body["object"]["name"]))
                await asyncio.sleep(0.002)
                writer.write(b"HTTP/1.1 202 X\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@dataclass
class Working:
    """The instance: its node in this process, which publishes, and its worker processes, which send."""

    node: Node
    file: Path
    authors: list[Person]
    sinks: list[Sink]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def work(self) -> subprocess.Popen[bytes]:
        """Start one more `esanum work`."""
        with (self.file.parent / f"log-{len(self.processes)}").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "instance.cli", "-c", str(self.file), "work"], stderr=log, env=os.environ.copy()
            )
        self.processes.append(process)
        return process

    async def publish(self) -> set[str]:
        """Publish everything; return the titles."""
        titles = set()
        for number in range(EACH):
            for author in self.authors:
                await author.posts(title := f"{number:03} of {author.handle}")
                titles.add(title)
        return titles

    async def drained(self, *, seconds: float) -> None:
        """Return when nothing waits."""
        async with asyncio.timeout(seconds):
            while await rows(self.node, "select 1 from deliveries where state <> 'done' limit 1"):
                await asyncio.sleep(0.1)


@asynccontextmanager
async def working(folder: Path, server: Any) -> AsyncIterator[Working]:
    """France on PostgreSQL, with two siblings that are played."""
    ports = free_ports(3)
    town = Network(MovedClock(datetime.now(UTC)))
    url = await fresh_postgres(server)
    fr = await town.add(
        folder, "fr", origin=f"http://fr.localhost:{ports[0]}", listen=f"127.0.0.1:{ports[0]}", database=url
    )
    for name, port in zip(("de", "it"), ports[1:], strict=True):
        await fr.admits(await town.add(folder, name, origin=f"http://{name}.localhost:{port}", listen="127.0.0.1:9"))
    people = [await fr.doctor(f"author{number}") for number in range(AUTHORS)]
    await town.close()
    file = folder / "fr" / "esanum.toml"
    file.write_text(
        f'origin = "{fr.config.origin}"\ncountry = "FR"\nname = "France"\nlisten = "{fr.config.listen}"\n'
        f'database = "{url}"\nrsa_bits = 2048\n'
    )
    node = await open_node(fr.config, make_rsa=pooled_rsa)
    place = Place("fr", town, fr.config, node, fr.app)
    sinks = [Sink(), Sink()]
    servers = [
        await asyncio.start_server(sink.serve, "127.0.0.1", port) for sink, port in zip(sinks, ports[1:], strict=True)
    ]
    found = Working(node, file, [Person(place, one.handle, one.uri) for one in people], sinks)
    try:
        yield found
    finally:
        for process in found.processes:
            process.terminate()
        for process in found.processes:
            await asyncio.to_thread(process.wait, 15)
        for one in servers:
            one.close()
        await node.close()


async def test_two_workers_send_everything_once_and_in_order(tmp_path, postgres_server):
    """F34: leases: two processes empty the lanes of one database; nothing is sent twice, each author's in order."""
    async with working(tmp_path, postgres_server) as fr:
        fr.work()
        fr.work()
        titles = await fr.publish()
        await fr.drained(seconds=60)

        for sink in fr.sinks:
            assert dict.fromkeys(titles, 1) == Counter(title for _, _, title in sink.came)
            for author in fr.authors:
                order = [title for actor, _, title in sink.came if actor == author.uri]
                assert sorted(order) == order


async def test_a_worker_that_is_killed_costs_attempts_and_no_message(tmp_path, postgres_server):
    """F1, F40: `kill -9` of one of two workers at random instants: the other takes its lanes over when they lapse."""
    chance = random.Random(11)
    async with working(tmp_path, postgres_server) as fr:
        fr.work()
        victim = fr.work()
        publishing = asyncio.create_task(fr.publish())
        kills = 0
        while not publishing.done() and kills < 6:
            await asyncio.sleep(chance.uniform(0.5, 2))
            victim.kill()
            victim.wait()
            kills += 1
            victim = fr.work()
        titles, began = await publishing, time.monotonic()
        await fr.drained(seconds=75)

        assert 1 <= kills
        assert time.monotonic() - began < 75
        for sink in fr.sinks:
            came = Counter(title for _, _, title in sink.came)
            assert titles == set(came)
            # What was in flight at a kill is sent again; the receiver keeps each activity once.
            assert sum(came.values()) - len(came) <= kills * 32
