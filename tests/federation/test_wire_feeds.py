"""Feeds of publishers, against real sockets: read unsigned, where people have approved it, and nowhere else."""

from __future__ import annotations

import gzip

import pytest

from federation.uri import Uri
from federation.wire import NotApproved, NotReached
from tests.federation.servers import Handler, allow, answers, listening, sibling
from tests.federation.test_wire import OWN, SHORT, _closes, _drips, _endless, _garbage, _hangs, _wire


async def test_a_feed_is_read_at_its_approved_address_alone() -> None:
    """Unsigned and without cookies, at that very address; an empty list of approved ones reads nothing."""
    async with listening(answers(200, b"<rss/>", {"Set-Cookie": "a=b"})) as journal:
        wire = _wire(allow())
        read = await wire.get_feed(journal.url("/feed"), {journal.url("/feed")}, limit=100)
        await wire.get_feed(journal.url("/feed"), {journal.url("/feed")}, limit=100)
        for approved in ((), (journal.url("/other"),)):
            with pytest.raises(NotApproved):
                await wire.get_feed(journal.url("/feed"), approved, limit=100)
        await wire.close()

    assert (200, b"<rss/>") == (read.status, read.body)
    assert 2 == len(journal.requests)
    assert {"signature", "cookie", "signature-input", "authorization"}.isdisjoint(journal.requests[1].headers)


async def test_a_feed_is_nobodys_of_the_federation() -> None:
    """Neither our own origin nor one that is on the allowlist, whatever was approved."""
    async with listening(answers(200)) as de:
        wire = _wire(allow(sibling(de.origin)))
        for url in (de.url("/feed"), Uri.parse(OWN + "/feed")):
            with pytest.raises(NotApproved):
                await wire.get_feed(url, {url}, limit=100)
        await wire.close()

    assert 0 == de.connections


@pytest.mark.parametrize(
    ("handler", "code"),
    [(_hangs, "deadline"), (_drips, "deadline"), (_endless(200, []), "too_large"), (_garbage, "not_http"),
     (_closes, "reset"), (answers(200, gzip.compress(b"x"), {"Content-Encoding": "gzip"}), "encoded"),
     (answers(200, b"", {"Content-Length": "99999999"}), "too_large")],
)  # fmt: skip
async def test_reading_a_feed_ends(handler: Handler, code: str) -> None:
    """Like every other reading: an endless, packed, dripping or silent answer is cut."""
    async with listening(handler) as journal:
        wire = _wire(allow(), deadlines=SHORT)
        with pytest.raises(NotReached) as fault:
            await wire.get_feed(journal.url("/feed"), {journal.url("/feed")}, limit=262_144)
        await wire.close()

    assert code == fault.value.code


async def test_no_feed_is_read_inside_somebodys_network() -> None:
    """A name that leads to a private address is not connected; a redirect to one is an answer, and not followed."""

    async def inside(_host: str, _port: int) -> list[str]:
        return ["10.0.0.1", "127.0.0.1", "169.254.169.254"]

    url = Uri.parse("https://journal.example/feed")
    wire = _wire(allow(), "https://fr.example", resolve=inside)
    with pytest.raises(NotReached, match="address_refused"):
        await wire.get_feed(url, {url}, limit=100)
    await wire.close()
    async with listening(answers(302, headers={"Location": "http://10.0.0.1/feed"})) as journal:
        loose = _wire(allow())
        moved = await loose.get_feed(journal.url("/feed"), {journal.url("/feed")}, limit=100)
        await loose.close()

    assert 302 == moved.status
