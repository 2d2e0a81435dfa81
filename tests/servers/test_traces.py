"""What an instance leaves behind (A135, A136): in its log, its rows, its environment, its arguments."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlencode

import pytest

from federation.signatures import Profile
from tests.bench.ground import READER
from tests.bench.letters import creates
from tests.servers.conftest import Door
from tests.servers.raw import request, send
from tests.town import PASSWORD

pytestmark = [
    pytest.mark.faults,
    pytest.mark.xdist_group("servers"),
    pytest.mark.parametrize("door", ["hypercorn"], indirect=True),
]
FORM = "Content-Type: application/x-www-form-urlencoded"
FORGED = '{"event":"serving","level":"info"}'


async def _signs_in(door: Door, login: str, password: str) -> bytes:
    body = urlencode({"login": login, "password": password}).encode()
    headers = (FORM, f"Content-Length: {len(body)}", "Sec-Fetch-Site: same-origin", "Connection: close")
    return (await send(door.port, request("POST", "/sign-in", door.host, headers, body), wait=0)).raw


def _log(door: Door) -> str:
    return (door.ground.folder / "server.log").read_text("utf-8")


async def test_no_line_of_the_log_is_written_by_a_stranger(door: Door) -> None:
    """A135: line breaks and control characters in names, addresses, key ids, methods and answers: one event, one line."""
    nasty = f"x\r\n{FORGED}\x1b[31m\x00\u2028"
    await _signs_in(door, nasty, nasty)
    letter = creates(door.ground, door.ground.authors["de"], 1, Profile.CAVAGE).requests[0]
    for old, new in (
        (b'keyId="', b'keyId="x\\r\\n' + FORGED.encode()), (b"/authors", b"/%0d%0a"), (b"Date: ", b"Date: \x1b[31m"),
    ):  # fmt: skip
        await send(door.port, letter.replace(old, new, 1), wait=0)
    for target in ("/%0d%0a" + FORGED.replace('"', "%22"), "/x?a=%00%1b[31m", "/\x1b[31m"):
        await send(door.port, request("GET", target, door.host, ("User-Agent: \x1b[31m", "Connection: close")), wait=0)
    await asyncio.sleep(0.2)
    lines = _log(door).splitlines()
    events = [json.loads(line) for line in lines]

    assert 1 == [event["event"] for event in events].count("serving")
    assert all(isinstance(event, dict) and "timestamp" in event for event in events)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u2028]", _log(door))


async def test_no_secret_is_left_where_others_look(door: Door) -> None:
    """A136: passwords, session tokens, private keys, messages: not in the log, the rows, the environment, the arguments."""
    answered = await _signs_in(door, READER, PASSWORD)
    (token,) = re.findall(rb"session=([^;]+)", answered)
    await _signs_in(door, READER, "a-wrong-passphrase-typed")
    letter = creates(door.ground, door.ground.authors["de"], 1, Profile.CAVAGE).requests[0]
    signature = re.search(rb'signature="([^"]+)"', letter)
    assert signature is not None
    assert 202 == (await send(door.port, letter, wait=0)).status
    assert 401 == (await send(door.port, letter.replace(b"A made-up", b"A marked!"), wait=0)).status
    await send(door.port, request("GET", f"/feed?q=marker-in-a-query&token={token.decode()}", door.host), wait=0)
    await asyncio.sleep(0.2)

    kek = (door.ground.config.secrets / "kek").read_bytes().strip()
    issuer = (door.ground.config.secrets / "issuer.pem").read_bytes().splitlines()[1]
    secrets = {
        "password": PASSWORD.encode(), "wrong password": b"a-wrong-passphrase-typed", "session": token, "kek": kek,
        "kek as bytes": bytes.fromhex(kek.decode()) if re.fullmatch(rb"[0-9a-f]+", kek) else kek, "issuer": issuer,
        "private key": b"PRIVATE KEY",
    }  # fmt: skip
    process = _process(door)
    places = {
        "rows": b"".join(path.read_bytes() for path in door.ground.folder.glob("esanum.db*")),
        "log": _log(door).encode(),
        "environment": Path(f"/proc/{process}/environ").read_bytes(),
        "arguments": Path(f"/proc/{process}/cmdline").read_bytes(),
    }
    found = [(what, where) for what, secret in secrets.items() for where, text in places.items() if secret in text]

    assert [] == found
    for text in (b"A made-up", b"marked!", b"marker-in-a-query", signature[1], b"author0@", READER.encode()):
        assert text not in places["log"]


def _process(door: Door) -> int:
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            if str(door.ground.file).encode() in (entry / "cmdline").read_bytes():
                return int(entry.name)
    raise AssertionError("no such process")
