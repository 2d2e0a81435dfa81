"""Two instances over https on loopback: the story, and every certificate that must not be believed."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme

from instance.services.errors import Rejected
from tests.tls.conftest import House, certificate_for, eventually
from tests.town import rows

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("tls")]


async def test_the_story_goes_over_https(houses: list[House]) -> None:
    """A follow, a case and an answer cross the border both ways, each message over TLS."""
    fr, de = houses
    marie, anna = await fr.doctor("marie"), await de.doctor("anna")
    await fr.node.follows.ask(marie, f"anna@{de.node.authority}")
    post = await de.posts(anna, "Ataxia with a normal MRI")
    await eventually(lambda: fr.has(post))
    await fr.comments(marie, post, "Ask for the CSF.")

    async def answer() -> Any:
        thread = await rows(de.node, f"select content from comments where post = '{post}'")
        return [row for row in thread if "Ask for the CSF." in row["content"]]

    assert 1 == len(await eventually(answer))
    assert 0 < fr.proxy.connections
    assert 0 < de.proxy.connections


async def test_pages_over_https_say_so(houses: list[House]) -> None:
    """A134: HSTS on every answer; the session's cookie is __Host-, Secure, HttpOnly and SameSite."""
    fr, _ = houses
    await fr.doctor("marie")
    landing = await _ask(fr, "GET", "/")
    signed_in = await _ask(fr, "POST", "/sign-in", b"login=marie&password=a-long-enough-passphrase")
    cookie = next(line for line in signed_in.split("\r\n") if line.lower().startswith("set-cookie: __host-session="))

    assert "strict-transport-security: max-age=63072000; includesubdomains" in landing.lower()
    assert {"secure", "httponly", "samesite=lax", "path=/"} <= set(cookie.lower().split("; "))
    assert " 303 " in signed_in.splitlines()[0]


@pytest.mark.parametrize("fault", ["expired", "wrong name", "unknown issuer"])
async def test_a_bad_certificate_keeps_the_lane_back_with_an_alarm(houses: list[House], fault: str) -> None:
    """F20, A133: nothing is sent, in plain or otherwise; the lane waits with an alarm, and goes on once it is mended."""
    fr, de = houses
    anna = await de.doctor("anna")
    good = certificate_for(fr.authority, fr.host)
    await fr.shows(_bad(fault, fr))
    await asyncio.sleep(0)
    before = fr.proxy.connections
    post = await de.posts(anna, "Kept back")

    async def alarm() -> Any:
        lanes = (await de.node.queue.overview())["lanes"]
        return [lane for lane in lanes if lane["alarm"]]

    (lane,) = await eventually(alarm)
    assert "tls" == lane["alarm"]
    assert 1 == lane["failures"]
    assert await fr.has(post) is None
    assert before == fr.proxy.connections

    await fr.shows(good)
    await _try_now(de, fr.node.origin)
    assert await eventually(lambda: fr.has(post))


async def test_a_candidate_with_a_bad_certificate_is_not_looked_up(houses: list[House]) -> None:
    """A133: an administrator cannot admit what does not prove its name."""
    fr, de = houses
    await de.node.siblings.remove(fr.node.origin, by="test", reason="test")
    await fr.shows(_bad("unknown issuer", fr))

    with pytest.raises(Rejected):
        await de.node.siblings.look_up(fr.node.origin)


def _bad(fault: str, house: House) -> trustme.LeafCert:
    match fault:
        case "expired":
            return certificate_for(house.authority, house.host, until=datetime.now(UTC) - timedelta(minutes=1))
        case "wrong name":
            return certificate_for(house.authority, "it.localhost")
        case _:
            return certificate_for(trustme.CA(), house.host)


async def _try_now(house: House, origin: str) -> None:
    async def work(tx: Any) -> None:
        await tx.run("lanes.try_now", origin=origin)

    await house.node.store.write(work)
    house.node.wake.deliveries.set()


async def _ask(house: House, method: str, target: str, body: bytes = b"") -> str:
    context = ssl.create_default_context()
    house.authority.configure_trust(context)
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port, ssl=context, server_hostname=house.host)
    head = (
        f"{method} {target} HTTP/1.1\r\nHost: {house.node.authority}\r\nConnection: close\r\n"
        f"Sec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer.decode("utf-8", "replace")
