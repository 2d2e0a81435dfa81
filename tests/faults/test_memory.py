"""F29: everything that is meant to eat memory, at once, against one instance: it stays below 256 MiB and serves."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from federation.signatures import Profile, sign
from federation.uri import Uri
from tests.bench.ground import Author, Ground, make_ground
from tests.bench.letters import creates
from tests.faults.played import played
from tests.instance.served import Served
from tests.servers.raw import Reply, request, send

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("faults")]
MIB = 1_048_576
SECONDS = 6
AT_ONCE = 24


def bodies(author: Author) -> Iterator[bytes]:
    """Documents that cost most to read (A72 to A75), each of the size that is just let in."""
    head = json.dumps({"@context": "https://www.w3.org/ns/activitystreams", "actor": author.uri, "type": "Create"})[:-1]
    for inside in (
        "[" * 250_000,
        '{"a":' * 50_000,
        "[" + "0," * 120_000 + "0]",
        "{" + ",".join(f'"k{number}":{{}}' for number in range(18_000)) + "}",
        "{" + '"k":1,' * 40_000 + '"k":1}',
        "1" * 250_000,
        '"' + "\\ud83d\\ude00" * 20_000 + '"',
        json.dumps([{"@id": f"_:b{one}", "p": [{"@id": f"_:b{two}"} for two in range(12)]} for one in range(12)]),
        '{"@graph":' * 20 + "{}" + "}" * 20,
    ):
        yield f'{head},"object":{inside}}}'.encode()[:262_144]


def signed(ground: Ground, author: Author, body: bytes, key_id: str = "") -> bytes:
    """A message of a sibling's doctor, or one that names a key nobody knows."""
    now = datetime.now(UTC)
    headers = sign("POST", Uri.parse(f"{ground.config.origin}/inbox"), body, author.keys[Profile.RFC9421],
                   Profile.RFC9421, now)  # fmt: skip
    if key_id:
        headers["Signature-Input"] = re.sub(r'keyid="[^"]*"', f'keyid="{key_id}"', headers["Signature-Input"])
    return request(
        "POST", "/inbox", headers.pop("Host"), [*(f"{n}: {v}" for n, v in headers.items()), f"Content-Length: {len(body)}"],
        body,
    )  # fmt: skip


class Endless:
    """A sibling whose every answer is of another unkind sort (A67 to A69)."""

    def __init__(self) -> None:
        self._turn, self.asked = itertools.count(), 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer without end, in whatever way is next."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            self.asked += 1
            kind = next(self._turn) % 4
            more = (b"", b"Content-Length: 4000000000\r\n", b"Content-Encoding: gzip\r\n", b"Content-Length: 4000\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/activity+json\r\n" + more[kind] + b"\r\n")
            while True:
                writer.write(b" " if kind == 3 else b"[" * 65_536)
                await writer.drain()
                await asyncio.sleep(0.5 if kind == 3 else 0)
        writer.close()


async def test_nothing_that_eats_memory_gets_much_of_it(tmp_path):
    """F29, A67 to A75: endless answers, deep, wide, packed and oversize bodies together: below 256 MiB, and served."""
    ground = await make_ground(tmp_path, doctors=1, authors=2)
    author = ground.authors["de"][0]
    endless = Endless()
    async with played(endless.serve, Uri.parse(author.uri).port):
        with Served(ground.file) as served:
            process = served.process.pid
            ends = asyncio.get_running_loop().time() + SECONDS
            statuses = Counter(
                itertools.chain(*await asyncio.gather(*(_attack(ground, at, ends) for at in range(AT_ONCE))))
            )
            most = _most_memory(process)
            good = await send(ground.port, creates(ground, ground.authors["de"], 1, Profile.CAVAGE).requests[0], wait=0)
            healthy = json.loads(served.health())["ok"]

    assert most < 256
    assert healthy
    assert 202 == good.status
    assert endless.asked > 3
    assert set(statuses) <= {0, 400, 401, 413, 429}, statuses
    assert statuses[400] > 20


async def _attack(ground: Ground, number: int, ends: float) -> list[int]:
    """One attacker, who goes through everything again and again."""
    author = ground.authors["de"][0]
    letters, found = itertools.cycle(bodies(author)), []
    for turn in itertools.count(number):
        if asyncio.get_running_loop().time() > ends:
            return found
        if turn % 4 == 0:
            reply = await _oversize(ground, author)
        elif turn % 4 == 1:
            key = f"{author.uri}/keys/{number}-{turn}"
            reply = await send(ground.port, signed(ground, author, b"{}", key), wait=12)
        else:
            reply = await send(ground.port, signed(ground, author, next(letters)), wait=12)
        found.append(reply.status)
    return found


async def _oversize(ground: Ground, author: Author) -> Reply:
    """A message of twelve mebibytes, in chunks, none of them announced."""
    head = (
        signed(ground, author, b"{}")
        .partition(b"\r\n\r\n")[0]
        .replace(b"Content-Length: 2", b"Transfer-Encoding: chunked")
    )
    chunk = b"10000\r\n" + b"a" * 65_536 + b"\r\n"
    return await send(ground.port, head + b"\r\n\r\n", *[chunk] * 192, wait=2)


def _most_memory(process: int) -> float:
    """The most that was ever resident, in MiB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024
