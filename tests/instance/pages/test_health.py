"""Health in one look: what the page says is what Prometheus reads, it costs what is open, and nobody else sees either."""

from __future__ import annotations

import asyncio
import html
import math
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from federation.signatures import Profile, sign
from federation.uri import Uri
from instance.commands import backup
from instance.figures import FIGURES, HOUR, PREFIX, State
from instance.ops import OpsApp
from instance.services import backups, health_days
from instance.storage import QUERIES, SCHEMA
from instance.storage.migrate import read_migrations
from instance.storage.queries import Queries
from instance.views import administration, health
from tests.instance.pages.alarming import alarm
from tests.instance.pages.desk_house import Desk, open_desk
from tests.network.expelling import DE
from tests.town import PASSWORD, call, rows

PATH = "/administration"
#: What is read at a look: its own statements, and those that it shares with the allowlist's page and with the desk.
LOOKED = [
    each for each in Queries(QUERIES, "sqlite")
    if each.name.startswith("health.") or each.name in ("sibling_pages.refusals", "dossiers.waiting")
]  # fmt: skip


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """France, which lists Germany."""
    opened = await open_desk(tmp_path, origin="https://fr.example")
    await opened.place.admits(await opened.network.add(tmp_path, "de"))
    yield opened
    await opened.network.close()


async def served(desk: Desk) -> dict[tuple[str, str], float]:
    """What the listener of health really serves, by name and value of the label."""
    answer = await call(OpsApp(desk.node), "GET", "/metrics", {"Host": "127.0.0.1"}, b"")
    families = text_string_to_metric_families(answer.body.decode())
    return {
        (sample.name.removeprefix(PREFIX), next(iter(sample.labels.values()), "")): sample.value
        for family in families
        for sample in family.samples
    }


def todo(page: str) -> list[str]:
    """What the page asks for, in its order."""
    part = page.partition('aria-labelledby="todo"')[2].partition("</section>")[0]
    return [html.unescape(text) for text in re.findall(r"</p>\n<p>(.+?)</p>", part)]


# ── one source ──


async def test_the_page_and_the_series_say_the_same(desk: Desk) -> None:
    """Each figure of the page is a series of the same value, when all is quiet and when much is wrong; none is missing."""
    ages = {"late_seconds", "disk_free_bytes", "disk_free_ratio", "wal_bytes", "database_bytes"}
    for wrong in (False, True):
        if wrong:
            await alarm(desk, DE)
        series, shown = await served(desk), await administration.overview(desk.node)
        lines = {(line.figure.name, line.value): line.number for card in shown.cards for line in card.lines}

        assert {figure.name for figure in FIGURES} - {"federation_list_alarm"} == {name for name, _ in lines}
        assert {key: value for key, value in lines.items() if key[0] not in ages} == {
            key: series[key] for key in lines if key[0] not in ages
        }
        assert set(lines) <= set(series)


async def test_what_is_wrong_stands_first(desk: Desk) -> None:
    """The urgent above the rest, each with a sentence; what is in order is not named."""
    await alarm(desk, DE)
    page = await (await desk.staff("ada", "administrator")).text(PATH)
    said = todo(page)
    states = re.findall(r'<li class="card"><p class="labels"><span class="health health-(\w+)">', page)

    assert sorted(states) == states
    assert {"act", "look"} == set(states)
    assert len(said) == len(states) > 12
    assert any(text.startswith("The last back-up is old") for text in said)
    assert any(text.startswith("Messages were given up.") for text in said)
    assert not any(text.startswith("The federation list") for text in said)
    assert "One sibling is suspended: its keys have changed." in page
    assert page.index("its keys have changed") < page.index('id="todo"') < page.index('id="part-federation"')


async def test_in_order_nothing_is_asked(desk: Desk, tmp_path: Path) -> None:
    """The twin: a quiet instance with a fresh copy asks for nothing, the disk of this machine apart."""
    await backup(desk.node, "test", str(tmp_path / "copy.db"))
    shown = await administration.overview(desk.node)

    assert [] == [each.code for each in shown.todo if each.code != "disk"]
    assert {State.OK} == {card.state for card in shown.cards if card.part != "storage"}


async def test_every_chart_says_in_words_what_it_draws(desk: Desk) -> None:
    """Each has a name for those who do not see it, and its numbers as text; a day that was not counted is none."""
    await alarm(desk, DE)
    await health_days.keep(desk.node, await health.read(desk.node))
    page = await (await desk.staff("ada", "administrator")).text(PATH)
    named = re.findall(r'<svg class="chart week"[^>]* role="img" aria-label="([^"]+)">', page)

    assert 5 == len(named) == page.count('<svg class="chart')
    assert "today last: 62 · 899 · – · 558 · 0 · 93 · 4</p>" in page
    assert "Messages of the last seven days: 133 in, 126 out" in named


async def test_nobody_is_named(desk: Desk) -> None:
    """Neither who applies nor who writes, neither on the page nor in a series; no sibling in a series."""
    await alarm(desk, DE)
    page = await (await desk.staff("ada", "administrator")).text(PATH)
    answer = await call(OpsApp(desk.node), "GET", "/metrics", {"Host": "127.0.0.1"}, b"")
    dossier = (await rows(desk.node, "select id, name from dossiers"))[0]

    for text in (page, answer.body.decode()):
        assert [] == [word for word in (dossier["id"], dossier["name"], "eliane", "marie", "Syncope") if word in text]
    assert "de.example" not in answer.body.decode()


# ── who sees it ──


async def test_nobody_but_administrators_and_this_machine(desk: Desk) -> None:
    """Reviewers, doctors, siblings and strangers see neither page nor series; an administrator no series at the public door."""
    await desk.place.doctor("marie")
    marie, ada = desk.house.visitor(), await desk.staff("ada", "administrator")
    await marie.post("/sign-in", login="marie", password=PASSWORD)
    rita, stranger = await desk.staff("rita", "reviewer"), desk.house.visitor()
    german = desk.network.places[DE].node
    statuses = {}
    for path in (PATH, "/metrics"):
        key = await german.keys.signing_key(german.actor, Profile.RFC9421)
        signed = sign("GET", Uri.parse(f"https://fr.example{path}"), None, key, Profile.RFC9421, german.clock())
        asked = await desk.place.request("GET", path, {"Host": "fr.example", **signed})
        statuses[path] = [(await who.get(path)).status_code for who in (ada, rita, marie, stranger)] + [asked.status]
        assert b"deliver" not in asked.body

    assert [200, 403, 403, 303, 401] == statuses[PATH]
    assert [404] * 5 == statuses["/metrics"]


# ── copies, days ──


async def test_a_copy_counts_when_it_is_whole(desk: Desk, tmp_path: Path) -> None:
    """Before the first its age has no end; one that fails changes nothing, and the copy knows the one before it."""
    node, target = desk.node, tmp_path / "copy.db"
    before = (await health.read(node))["backup_age_seconds", ""]
    await backup(node, "test", str(target))
    desk.move(hours=3)
    with pytest.raises(FileExistsError):
        await backup(node, "test", str(target))
    await backup(node, "test", str(tmp_path / "second.db"))
    desk.move(hours=1)
    with closing(sqlite3.connect(tmp_path / "second.db")) as copy:
        (kept,) = copy.execute("select value from settings where name = 'backup made'").fetchone()
    last = await backups.last(node.store)

    assert math.inf == before
    assert last is not None
    assert 3 * HOUR * 1_000 == round(last.timestamp() * 1_000) - int(kept)
    assert HOUR == (await health.read(node))["backup_age_seconds", ""]


async def test_of_a_day_the_highest_stands(desk: Desk) -> None:
    """Counted again with less it stays, with more it rises; the next day begins anew, and old days go."""
    node, kept = desk.node, []
    for number, days in ((5.0, 0), (2.0, 0), (9.0, 0), (1.0, 1), (1.0, 95)):
        desk.move(days=days)
        await health_days.keep(node, {("dossiers_waiting", ""): number})
        kept.append([row["value"] for row in await rows(node, "select value from health_days order by day")])

    assert [[5], [5], [9], [9, 1], [1]] == kept


async def test_what_is_missing_is_no_day(desk: Desk) -> None:
    """A figure that does not apply is not kept as nought."""
    assert {} == health_days.counted({("deliveries", "waiting"): 3.0, ("database_bytes", ""): math.nan})


# ── what it costs ──


@pytest.mark.parametrize("query", LOOKED, ids=lambda query: query.name)
def test_no_look_walks_through_what_there_ever_was(query: Any) -> None:
    """Each statement searches an index, or walks one that holds what is open alone; the queue is counted beside its rows."""
    db = sqlite3.connect(":memory:")
    for migration in read_migrations(SCHEMA, "sqlite"):
        db.executescript(migration.script)
    plan = [row[3] for row in db.execute("explain query plan " + query.text, [1] * len(query.names))]
    through = [step for step in plan if re.match(r"(SCAN|SEARCH)", step) and not _is_bounded(step)]

    assert [] == through
    if query.name in ("health.deliveries", "health.evidence"):
        assert any("COVERING INDEX deliveries_by_lane" in each or "INDEX evidence_files_held" in each for each in plan)


def _is_bounded(step: str) -> bool:
    """A search with a value; a walk along siblings, lanes or days, of which there are few, or along what is open."""
    if step.startswith("SEARCH"):
        return "(" in step
    few = r"SCAN (s|l|lanes|siblings|w|p|sibling_days)( |$)"
    partial = r" USING (COVERING )?INDEX (inbound_due|inbound_held|inbound_failed|mails_waiting|annexes_open|evidence_files_held)$"
    return re.match(few, step) is not None or re.search(partial, step) is not None


def test_a_walk_through_everything_is_noticed() -> None:
    """The twin: the oldest that waits, looked for along the ids of everything that ever came."""
    assert not _is_bounded("SEARCH f USING INDEX sqlite_autoindex_inbound_1")
    assert not _is_bounded("SCAN deliveries USING COVERING INDEX deliveries_by_lane")
    assert not _is_bounded("SCAN posts")


async def test_a_hundred_thousand_in_the_queue_are_counted_from_the_index(desk: Desk) -> None:
    """Of each state and priority the right number, beside others that are done; the oldest is found by its id."""
    node, now = desk.node, int(desk.node.clock().timestamp() * 1_000)
    made = [
        (
            f"{number:026d}",
            DE,
            f"{DE}/inbox/{number}",
            number % 4,
            "waiting" if number < 100_000 else "done",
            now - 7_200_000,
        )
        for number in range(110_000)
    ]

    def fill() -> None:
        path = node.config.database.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, timeout=5)) as db:
            db.execute("insert or ignore into lanes (origin) values (?)", (DE,))
            db.executemany(
                "insert into deliveries (id, origin, inbox, shared, activity, actor, priority, state, created_at, due_at)"
                " values (?, ?, ?, 1, 'a', 'b', ?, ?, ?, 0)",
                made,
            )
            db.commit()

    await asyncio.to_thread(fill)
    values = await health.read(node)

    assert 100_000 == values["deliveries", "waiting"]
    assert [25_000] * 4 == [
        values["deliveries_by_priority", each] for each in ("revocation", "withdrawal", "named", "rest")
    ]
    assert 7_200 == values["delivery_oldest_seconds", ""]
    assert 1 == values["siblings_behind", ""]
