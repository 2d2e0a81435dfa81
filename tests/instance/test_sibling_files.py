"""The allowlist as a file, the week's chart, and a sibling's clock: what is counted and written, to the letter."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from instance.services import sibling_csv, sibling_days
from instance.services.errors import Rejected
from instance.services.sibling_csv import CHANGED, COLUMNS, MAX_LINES, harmless, plain
from instance.views.week import week
from tests.town import Network, rows

DE = "https://de.example"
HEAD = ",".join(CHANGED)


@pytest.fixture
async def town(network: Any) -> Network:
    """France and Germany."""
    opened: Network = await network("fr", "de")
    return opened


@given(some.text())
def test_no_cell_begins_a_formula_and_every_cell_comes_back(cell: str) -> None:
    """A96: `=`, `+`, `-`, `@`, tab and return, also behind spaces; what was not one is as it was."""
    written = harmless(cell)

    assert not written.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))
    assert cell == plain(written)


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "'=1"])
def test_a_formula_gets_an_apostrophe(cell: str) -> None:
    """By name, beside the property."""
    assert f"'{cell}" == harmless(cell)


async def test_the_file_has_a_line_for_each_entry(town: Network) -> None:
    """Under the names of the columns, readable by whatever reads CSV."""
    node = town["fr"].node
    await node.siblings.set_kinds(DE, ["case", "news"], [], by="shell", reason="x")
    text = sibling_csv.written(await node.store.all("sibling_pages.lines"))
    (head, line) = csv.reader(io.StringIO(text))

    assert list(COLUMNS) == head
    assert [DE, "inherit", "case news", "", "DE", ""] == line[: len(CHANGED)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "csv_header"), ("origin,policy\n", "csv_header"), (HEAD.upper(), "csv_header"),
        (f"{HEAD}\n" + f"{DE},pause,,,DE,\n" * (MAX_LINES + 1), "csv_too_long"), (f'{HEAD}\n"' + "x" * 200_000, "csv_header"),
    ],
    ids=["empty", "other columns", "capitals", "too long", "a field without an end"],
)  # fmt: skip
async def test_what_is_no_such_file_is_refused_whole(town: Network, text: str, code: str) -> None:
    """Before any line of it is looked at."""
    with pytest.raises(Rejected) as refused:
        await sibling_csv.dry_run(town["fr"].node, text)

    assert code == refused.value.code


async def test_a_file_of_a_spreadsheet_is_read(town: Network) -> None:
    """With a mark of its encoding, semicolons, other line ends, and the formula's apostrophe."""
    text = "\ufeff" + f"{HEAD};".rstrip(";").replace(",", ";") + f"\r\n{DE};pause;case;case;DE;'=1\r\n"
    found = await sibling_csv.dry_run(town["fr"].node, text)

    assert (True, False) == (found.holds, found.widens)
    (change,) = found.changes
    assert ("pause", "=1") == (change.policy, change.note)


async def test_a_dry_run_changes_nothing(town: Network) -> None:
    """Not a row, and not the version that processes look at."""
    node = town["fr"].node
    tables = ("siblings", "sibling_changes", "sibling_proposals", "versions")
    before = [[tuple(row) for row in await rows(node, f"select * from {table}")] for table in tables]
    await sibling_csv.dry_run(node, f"{HEAD}\n{DE},block,case news,case,AT DE,note\n")

    assert before == [[tuple(row) for row in await rows(node, f"select * from {table}")] for table in tables]


# ── a week of traffic ──


async def days(node: Any) -> list[tuple[str, int, int]]:
    """What is counted: sibling, received, sent, a line for each day."""
    found = await rows(node, "select origin, received, sent from sibling_days order by day, origin")
    return [(row["origin"], row["received"], row["sent"]) for row in found]


async def test_each_message_is_counted_once(town: Network) -> None:
    """However often it is counted, and also where a process counts again what another has counted."""
    fr, marie, anna = town["fr"].node, await town["fr"].doctor("marie"), await town["de"].doctor("anna")
    await town.settle()
    for number in range(3):
        await marie.posts(f"Out {number}")
    await anna.posts("In")
    await town.settle()
    sent = len(await rows(fr, "select id from deliveries where state = 'done'"))
    received = len(await rows(fr, "select id from inbound"))
    town.clock.move(minutes=2)
    for _ in range(3):
        await sibling_days.count(fr)
    first = await days(fr)
    town.clock.move(days=1)
    await marie.posts("Out tomorrow")
    await town.settle()
    town.clock.move(minutes=2)
    await sibling_days.count(fr)

    assert sent >= 3
    assert received >= 1
    assert [(DE, received, sent)] == first
    assert (DE, 0, 1) == (await days(fr))[1]


async def test_what_is_being_committed_is_counted_the_next_time(town: Network) -> None:
    """The last minute is left open; a clock that is set back counts nothing twice."""
    fr, marie = town["fr"].node, await town["fr"].doctor("marie")
    await town.settle()
    town.clock.move(minutes=5)
    await sibling_days.count(fr)
    before = await days(fr)
    await marie.posts("Just now")
    await town.settle()
    await sibling_days.count(fr)
    at_once = await days(fr)
    town.clock.move(minutes=2)
    await sibling_days.count(fr)
    later = await days(fr)
    town.clock.move(minutes=-60)
    await sibling_days.count(fr)
    town.clock.move(minutes=62)
    await sibling_days.count(fr)

    assert before == at_once
    assert sum(line[2] for line in before) + 1 == sum(line[2] for line in later)
    assert later == await days(fr)


async def test_old_days_are_forgotten(town: Network) -> None:
    """After ninety of them."""
    fr = town["fr"].node
    today = int(town.clock().timestamp()) // 86_400

    async def old(tx: Any) -> None:
        for back in (89, 91):
            await tx.run("sibling_days.add", origin=DE, day=today - back, received=1, sent=1)

    await fr.store.write(old)
    await sibling_days.count(fr)

    assert [today - 89] == [row["day"] for row in await rows(fr, "select day from sibling_days")]


def test_a_bar_is_never_nothing_where_there_was_something() -> None:
    """The longest fills the height; one message of ten thousand is seen; a day without any has no bar."""
    found = week({20: (10_000, 1), 14: (3, 0), 13: (9, 9)}, 20)

    assert (10_003, 1, 7) == (found.received, found.sent, len(found.bars))
    assert [(1, 0)] + [(0, 0)] * 5 + [(30, 1)] == [(bar.received_height, bar.sent_height) for bar in found.bars]


# ── a clock ──


async def test_how_far_a_clock_is_off_is_known_of_siblings_alone(town: Network) -> None:
    """By the last answer; of whoever is no sibling any more nothing."""
    node = town["fr"].node
    node.clocks(DE, town.clock() + timedelta(seconds=7))
    known = node.clocks.offset(DE)
    node.clocks(DE, town.clock() - timedelta(seconds=2))
    later = node.clocks.offset(DE)
    await node.siblings.remove(DE, by="shell", reason="x")
    node.clocks.forget_strangers()

    assert (timedelta(seconds=7), timedelta(seconds=-2)) == (known, later)
    assert node.clocks.offset(DE) is None
    assert node.clocks.offset("https://it.example") is None
