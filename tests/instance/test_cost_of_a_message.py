"""What one message costs, counted and not timed: statements and calls, of the many that arrive together."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import pytest

from federation.signatures import Profile, sign
from federation.uri import Uri
from instance.storage import sqlite_writer
from instance.storage.sqlite import SqliteStore
from tests.town import MovedClock, Network, Place, rows

TOGETHER = 32
_OWN_ID = re.compile(rb"/(posts|activities)/([0-9A-Z]{26})")


@pytest.fixture
async def town(tmp_path) -> Any:
    """Two instances, and the Create of a doctor of one as it came to the other."""
    network = await Network.open(tmp_path, "fr", "de")
    yield network
    await network.close()


async def letters(town: Network, number: int, profile: Profile) -> list[tuple[list[tuple[bytes, bytes]], bytes]]:
    """So many new Creates by one doctor, signed."""
    de, fr = town["de"], town["fr"]
    found = await rows(de.node, "select actor, body from activities where type = 'Create'")
    body, actor = bytes(found[0]["body"]), Uri.parse(found[0]["actor"])
    key = await de.node.keys.signing_key(actor, profile)
    made = []
    for at in range(number):
        new = _OWN_ID.sub(lambda id, at=at: b"/%b/%b%010d" % (id[1], id[2][:16], at), body)  # type: ignore[misc]
        assert orjson.loads(new)["id"] != orjson.loads(body)["id"]
        headers = sign("POST", Uri.parse(f"{fr.node.origin}/inbox"), new, key, profile, town.clock())
        made.append(([(name.lower().encode(), value.encode()) for name, value in headers.items()], new))
    return made


async def deliver(to: Place, made: list[tuple[list[tuple[bytes, bytes]], bytes]]) -> list[int]:
    """Post them as a server does, all at once; return the statuses."""
    statuses: list[int] = []

    async def one(headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(event: dict[str, Any]) -> None:
            statuses.extend([event["status"]] if event["type"] == "http.response.start" else [])

        scope = {
            "type": "http", "method": "POST", "path": "/inbox", "raw_path": b"/inbox", "query_string": b"",
            "headers": headers, "http_version": "1.1", "client": ("127.0.0.1", 1),
        }  # fmt: skip
        await to.app(scope, receive, send)

    await asyncio.gather(*(one(headers, body) for headers, body in made))
    return statuses


@contextmanager
def statements(store: SqliteStore) -> Iterator[list[str]]:
    """What is asked of the rows meanwhile."""
    asked: list[str] = []
    writing = store._writer._connection
    assert writing is not None
    assert store._inline is not None
    connections: tuple[sqlite3.Connection, ...] = (store._inline, writing._conn)

    def note(text: str) -> None:
        # Of a statement that sets off a trigger SQLite tells once more, word by word, for each step of the trigger.
        if not (asked and asked[-1] == text and text.startswith("insert")):
            asked.append(text)

    for connection in connections:
        connection.set_trace_callback(note)
    try:
        yield asked
    finally:
        for connection in connections:
            connection.set_trace_callback(None)


@contextmanager
def calls() -> Iterator[Counter[str]]:
    """How many functions are entered in this thread meanwhile."""
    seen: Counter[str] = Counter()
    sys.setprofile(lambda frame, event, value: seen.update([event]))
    try:
        yield seen
    finally:
        sys.setprofile(None)


@pytest.mark.parametrize(("profile", "most"), [(Profile.CAVAGE, 1_130), (Profile.RFC9421, 1_095)])
async def test_a_message_costs_what_its_checks_and_its_rows_cost(
    town: Network, monkeypatch: pytest.MonkeyPatch, profile: Profile, most: int
) -> None:
    """Four statements and a look at the version for each; the batch, and what is looked at now and then, is shared."""
    # A batch that takes long on a busy machine would be begun anew elsewhere, and counted twice.
    monkeypatch.setattr(sqlite_writer, "LONGEST", 60.0)
    anna = await town["de"].doctor("anna")
    await anna.posts("A made-up case")
    await town.settle()
    fr, made = town["fr"], await letters(town, 3 * TOGETHER, profile)
    assert isinstance(town.clock, MovedClock)
    assert isinstance(fr.node.store, SqliteStore)
    await deliver(fr, made[:TOGETHER])
    with statements(fr.node.store) as asked:
        first = await deliver(fr, made[TOGETHER : 2 * TOGETHER])
    with calls() as entered:
        second = await deliver(fr, made[2 * TOGETHER :])

    assert [202] * TOGETHER == first == second
    assert len(asked) / TOGETHER <= 5.6, Counter(one[:40] for one in asked)
    assert (entered["call"] + entered["c_call"]) / TOGETHER <= most, entered
    assert 3 * TOGETHER + 1 == len(await town["fr"].titles())
