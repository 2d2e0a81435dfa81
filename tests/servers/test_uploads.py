"""Requests with files, at every server: strangers are answered before anything of theirs is read."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from uuid import uuid4

import pytest

from tests.servers.conftest import Door
from tests.servers.raw import request, send

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("servers")]
PIECE = "/application/pieces/01KB000000000000000000PIECE/files"
MEGABYTE = 1_048_576
HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="deed.pdf"\r\n\r\n'


@pytest.mark.parametrize("target", [PIECE, "/nobody/files"])
@pytest.mark.parametrize("cookie", ["", "Cookie: session=made-up"], ids=["no cookie", "a made-up one"])
async def test_a_stranger_is_answered_before_the_file_has_come(door: Door, target: str, cookie: str) -> None:
    """Eleven megabytes are announced and two arrive: the answer does not wait for the rest."""
    head = request(
        "POST", target, door.host,
        ("Sec-Fetch-Site: same-origin", "Accept: text/html", "Content-Type: multipart/form-data; boundary=b",
         f"Content-Length: {11 * MEGABYTE}", *([cookie] if cookie else [])),
    )  # fmt: skip
    reply = await send(door.port, head + HEAD, b"A" * 2 * MEGABYTE, wait=0)

    assert reply.status in (303, 404, 413), reply.raw[:300]
    assert reply.seconds < 3
    assert await door.answers()


def _signed_in(door: Door, number: int) -> str:
    """Another account, signed in; the cookie of its session."""
    with sqlite3.connect(door.ground.folder / "esanum.db") as file:
        file.row_factory = sqlite3.Row
        kept = hashlib.sha256(door.ground.token.encode()).digest()
        session = dict(file.execute("select * from sessions where token = ?", (kept,)).fetchone())
        account = dict(file.execute("select * from accounts where id = ?", (session["account"],)).fetchone())
        token = f"{door.server}-{number}-{uuid4().hex}"
        account |= {"id": token[:30], "login": token, "email": "", "doctor": None}
        session |= {"token": hashlib.sha256(token.encode()).digest(), "account": account["id"]}
        for table, row in (("accounts", account), ("sessions", session)):
            names = ", ".join(row)
            file.execute(f"insert into {table} ({names}) values ({', '.join('?' * len(row))})", list(row.values()))
    return f"Cookie: session={token}"


async def test_throw_away_accounts_of_one_network_hold_two_places(door: Door) -> None:
    """Two that trickle have theirs; four more are answered at once, before anything of theirs is read."""
    cookies = [_signed_in(door, number) for number in range(6)]
    heads = [
        request(
            "POST", PIECE, door.host,
            ("Sec-Fetch-Site: same-origin", "Accept: text/html", "Content-Type: multipart/form-data; boundary=b",
             f"Content-Length: {11 * MEGABYTE}", cookie),
        )
        for cookie in cookies
    ]  # fmt: skip
    held = [asyncio.create_task(send(door.port, head + HEAD, b"A", wait=1.5)) for head in heads[:2]]
    await asyncio.sleep(0.5)
    refused = [await send(door.port, head + HEAD, b"A", wait=0) for head in heads[2:]]
    waiting = [reply.done() for reply in held]
    first = await asyncio.gather(*held)

    assert [503] * 4 == [reply.status for reply in refused]
    assert [False, False] == waiting
    assert [0, 0] == [reply.status for reply in first]
    assert await door.answers()
