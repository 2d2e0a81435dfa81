"""What the page of deliveries reads, on both engines: counted along the index and no farther than asked, page by page."""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing
from pathlib import Path

from instance import storage
from instance.ids import first_ulid
from instance.storage import open_store
from instance.storage.queries import Queries
from instance.storage.store import Store, Transaction
from instance.times import to_ms
from tests.federation.servers import NOON

QUERIES = Path(storage.__file__).parent / "queries"
DE, IT = "https://de.example", "https://it.example"
NOW = to_ms(NOON)
_numbers = itertools.count()


async def queued(store: Store, state: str, number: int = 1, priority: int = 3, origin: str = DE, at: int = NOW) -> None:
    """So many deliveries in this state, written at that time."""
    rows = []
    for _ in range(number):
        each = f"{first_ulid(NOON)[:-8]}{next(_numbers):08}"
        rows.append({
            "id": each, "origin": origin, "inbox": origin + "/inbox", "shared": 1, "uri": f"https://fr.example/a/{each}",
            "activity": f"https://fr.example/a/{each}", "actor": "https://fr.example/doctors/m", "object": "",
            "priority": priority, "state": state, "now": at, "kind": "case", "type": "Create", "audience": "",
            "body": b"", "at": at,
        })  # fmt: skip

    def those(*names: str) -> list[dict[str, object]]:
        return [{name: row[name] for name in names} for row in rows]

    async def work(tx: Transaction) -> None:
        await tx.many("lanes.number", [{"origin": origin}])
        await tx.many("activities.add", those("uri", "actor", "type", "object", "audience", "body", "at"))
        await tx.many("deliveries.add", those(
            "id", "origin", "inbox", "shared", "activity", "actor", "object", "priority", "state", "now", "kind"
        ))  # fmt: skip

    await store.write(work)


async def counted(store: Store, most: int, origin: str = "") -> dict[tuple[str, str, int], tuple[int, int | None]]:
    """What is counted, where there is anything: how many, and since when."""
    rows = await store.all("delivery_pages.queued", origin=origin, most=most)
    return {
        (row["origin"], row["state"], row["priority"]): (int(row["number"]), row["oldest"])
        for row in rows
        if row["number"]
    }


async def test_each_lane_is_counted_by_state_and_priority(product: Store) -> None:
    """What is done or dropped is not looked at; the oldest of each is where its part of the index begins."""
    await queued(product, "waiting", 3, at=NOW + 5)
    await queued(product, "waiting", 2, priority=0, at=NOW + 1)
    await queued(product, "held", at=NOW + 2)
    await queued(product, "dead", 2, origin=IT)
    await queued(product, "done", 4)
    await queued(product, "dropped", 4)
    found = await counted(product, 100)

    assert {
        (DE, "waiting", 3): (3, NOW + 5), (DE, "waiting", 0): (2, NOW + 1), (DE, "held", 3): (1, NOW + 2),
        (IT, "dead", 3): (2, NOW),
    } == found  # fmt: skip
    assert {(IT, "dead", 3): (2, NOW)} == await counted(product, 100, IT)


async def test_nothing_is_counted_farther_than_asked(product: Store) -> None:
    """However much waits, the page costs what it says."""
    await queued(product, "waiting", 30)

    assert {(DE, "waiting", 3): (10, NOW)} == await counted(product, 10)


async def test_dead_letters_come_page_by_page(product: Store) -> None:
    """The newest first, each once, of this sibling alone."""
    await queued(product, "dead", 5)
    await queued(product, "dead", 1, origin=IT)
    await queued(product, "waiting", 5)
    seen, before = [], "~"
    while rows := await product.all("delivery_pages.dead", origin=DE, before=before, most=2):
        seen.append([row["id"] for row in rows])
        before = rows[-1]["id"]
    every = [id for page in seen for id in page]

    assert ([2, 2, 1], sorted(every, reverse=True)) == ([len(page) for page in seen], every)


async def test_whoever_is_no_sibling_is_shown_while_something_is_left(product: Store) -> None:
    """A lane without an entry: shown for its dead letter, and not for what is done."""
    await queued(product, "dead")
    await queued(product, "done", origin=IT)

    assert [DE] == [row["origin"] for row in await product.all("delivery_pages.lanes", origin="", now=NOW)]


async def test_the_page_reads_along_its_indexes(tmp_path: Path) -> None:
    """No query of the page goes through the table of deliveries, and none sorts it."""
    store = await open_store(f"sqlite://{tmp_path}/plans.db")
    await store.migrate()
    await store.close()
    queries = Queries(QUERIES, "sqlite")
    asked = {
        "delivery_pages.lanes": {"origin": "", "now": NOW}, "delivery_pages.queued": {"origin": "", "most": 10},
        "delivery_pages.dead": {"origin": DE, "before": "~", "most": 51},
        "deliveries.dead_letters": {"origin": DE, "id": "", "after": "", "most": 1_000},
        "copies.words": {"object": "x"},
    }  # fmt: skip
    plans = {}
    with closing(sqlite3.connect(tmp_path / "plans.db")) as connection:
        for name, values in asked.items():
            rows = connection.execute(f"explain query plan {queries[name].text}", queries[name].bind(values)).fetchall()
            plans[name] = [row[3] for row in rows]
    looked = {
        name: [each for each in plan if each.split()[1] in ("q", "o", "d", "deliveries")]
        for name, plan in plans.items()
    }

    assert [] == [(name, each) for name, plan in looked.items() for each in plan if not each.startswith("SEARCH")]
    assert all(looked.values())
    assert ["SEARCH q USING COVERING INDEX deliveries_by_lane (origin=? AND state=? AND priority=?)"] == [
        each for each in plans["delivery_pages.queued"] if each.split()[1] == "q"
    ]
    assert [] == [
        each for name in ("delivery_pages.dead", "deliveries.dead_letters") for each in plans[name] if "TEMP" in each
    ]
