"""Requests with files, at every server: strangers are answered before anything of theirs is read."""

from __future__ import annotations

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
