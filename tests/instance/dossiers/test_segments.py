"""The audit log month by month: closed, kept twelve months, destroyed, and still found to be what it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from instance.services.dossiers import chain, checking, segments
from instance.storage.store import Transaction
from tests.instance.dossiers.test_audit import damage, found
from tests.town import Network, Place, rows
from verification.audit import Fault, Head

SECOND = timedelta(seconds=1)


async def adds(fr: Place, number: int = 3) -> Head:
    """So many entries of this moment."""
    for _ in range(number):

        async def work(tx: Transaction) -> Head:
            return await chain.append(tx, "key.made", fr.node.clock(), "system")

        await fr.node.store.write(work)
    return await chain.head(fr.node.store)


def moves_to(fr: Place, year: int, month: int, day: int = 1) -> None:
    """Move the clock to a day's midnight."""
    fr.network.clock.now = datetime(year, month, day, tzinfo=UTC)


async def three_months(fr: Place) -> list[Head]:
    """Entries in November, December and January; the heads at their ends."""
    heads = []
    for year, month in ((2026, 11), (2026, 12), (2027, 1)):
        moves_to(fr, year, month, 20)
        heads.append(await adds(fr))
    await segments.tidy(fr.node)
    return heads


async def parts(fr: Place) -> list[tuple[str, int, int, str]]:
    """What is known of the months."""
    return [(each.month, each.first, each.last, each.gone) for each in await segments.all_of(fr.node.store)]


async def numbers(fr: Place) -> list[int]:
    """The entries that are there."""
    return [row[0] for row in await rows(fr.node, "select n from audit order by n")]


async def test_a_month_is_closed_when_the_next_has_begun(fr: Place) -> None:
    """Each begins with the head before it; the month that runs is open."""
    november, december, _ = await three_months(fr)
    first, second = await segments.all_of(fr.node.store)

    assert [("2026-11", 1, 3, ""), ("2026-12", 4, 6, "")] == await parts(fr)
    assert (Head(0, bytes(32)), november) == (first.before, first.head)
    assert (november, december) == (second.before, second.head)


async def test_a_month_ends_by_the_calendar_also_where_nothing_is_added(fr: Place) -> None:
    """The last day of a month is still that month; entries of later months make parts of their own."""
    await adds(fr)
    moves_to(fr, 2026, 12)
    fr.network.clock.now -= SECOND
    await segments.tidy(fr.node)
    before = await parts(fr)
    fr.network.clock.now += SECOND
    await segments.tidy(fr.node)

    assert [] == before
    assert [("2026-11", 1, 3, "")] == await parts(fr)


async def test_the_month_that_runs_is_neither_read_nor_locked(fr: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it is: of its entries the first page is read, and nobody who adds one waits."""
    monkeypatch.setattr(segments, "_PAGE", 2)
    await adds(fr)
    moves_to(fr, 2026, 12, 20)
    await adds(fr, 9)
    await segments.tidy(fr.node)
    seen: list[str] = []
    for name in ("all", "write"):
        monkeypatch.setattr(fr.node.store, name, _noting(seen, getattr(fr.node.store, name)))
    await segments.tidy(fr.node)

    assert ["audit.page"] == seen
    assert [("2026-11", 1, 3, "")] == await parts(fr)


def _noting(seen: list[str], own: Any) -> Any:
    """The same, and what was asked for."""

    async def asks(what: Any, **values: Any) -> Any:
        seen.append(str(what))
        return await own(what, **values)

    return asks


async def test_what_was_closed_meanwhile_is_not_closed_twice(fr: Place) -> None:
    """Two processes find the same month: the one that comes second adds nothing."""
    await adds(fr)
    moves_to(fr, 2026, 12)
    found = await segments.next_closed(fr.node.store, fr.node.clock())
    assert found is not None
    await segments.tidy(fr.node)
    await fr.node.store.write(lambda tx: segments.close(tx, found))

    assert [("2026-11", 1, 3, "")] == await parts(fr)


async def test_a_month_goes_twelve_months_after_its_end_and_not_a_second_before(fr: Place) -> None:
    """Its head stays, the destruction is in the log, and the log still holds from there on."""
    november, *_ = await three_months(fr)
    moves_to(fr, 2027, 12)
    fr.network.clock.now -= SECOND
    before = await segments.tidy(fr.node), await numbers(fr)
    fr.network.clock.now += SECOND
    gone = await segments.tidy(fr.node)
    entry = await rows(fr.node, "select entry from audit order by n desc limit 1")

    assert (0, list(range(1, 10))) == before
    assert (1, [*range(4, 11)]) == (gone, await numbers(fr))
    assert ("2026-11", 1, 3, "destroyed") == (await parts(fr))[0]
    assert '"act":"audit.segment_destroyed","at":"2027-12-01T00:00:00Z"' in entry[0][0]
    assert '"thing":"m-202611"' in entry[0][0]
    assert november == await chain.at(fr.node.store, 3)
    assert await found(fr) is None


async def test_all_of_it_may_go_in_time(fr: Place) -> None:
    """Years later every old month is gone, what told of the first with the later ones; new entries go on with the chain."""
    await three_months(fr)
    moves_to(fr, 2028, 2)
    first = await segments.tidy(fr.node)
    for year in (2028, 2029, 2030):
        moves_to(fr, year, 6)
        await adds(fr)
        await segments.tidy(fr.node)
    left = await numbers(fr)

    assert 3 == first
    assert left == list(range(left[0], left[-1] + 1))
    assert left[0] > 12
    assert await found(fr) is None
    assert left[-1] == (await chain.head(fr.node.store)).sequence


@pytest.mark.parametrize(
    ("statements", "at", "fault"),
    [
        (["update audit set entry = replace(entry, 'system', 'staff-1') where n = 5"], 5, Fault.CHANGED),
        (["update audit set hash = zeroblob(32) where n = 8"], 8, Fault.CHANGED),
        (["delete from audit where n = 5"], 5, Fault.MISSING),
        (["delete from audit where n = 4"], 4, Fault.MISSING),
        (
            ["update audit set n = 1000 where n = 5", "update audit set n = 5 where n = 6",
             "update audit set n = 6 where n = 1000"], 5, Fault.UNREADABLE,
        ),
        (["delete from audit where n between 4 and 6"], 4, Fault.MISSING),
        (
            ["delete from audit where n between 4 and 6", "update audit_segments set gone = 'destroyed' where first = 4"],
            4, Fault.GONE,
        ),
        (
            ["delete from audit where n between 4 and 6",
             "update audit_segments set gone = 'destroyed', told = 10 where first = 4"], 4, Fault.GONE,
        ),
        (
            ["delete from audit where n between 4 and 6", "update audit_segments set gone = 'lost', told = 10 where first = 4"],
            4, Fault.GONE,
        ),
        (["update audit_segments set head = zeroblob(32) where first = 1"], 4, Fault.CHANGED),
        (["update audit_segments set told = 9 where first = 1"], 1, Fault.GONE),
        (["delete from audit_segments where first = 1"], 1, Fault.MISSING),
    ],
)  # fmt: skip
async def test_what_is_changed_behind_its_back_is_found(
    fr: Place, statements: list[str], at: int, fault: Fault
) -> None:
    """Also after a month has gone, and where the record of the months is changed along with it."""
    await three_months(fr)
    moves_to(fr, 2027, 12)
    await segments.tidy(fr.node)
    before = await found(fr)
    damage(fr, *statements)

    assert before is None
    assert (at, fault) == await found(fr)


async def test_a_month_destroyed_by_the_product_before_its_day_would_be_found(fr: Place) -> None:
    """An entry that tells of it does not help: its time is before the month's day."""
    await three_months(fr)

    async def early(tx: Transaction) -> None:
        await tx.run("audit.destroy", first=1, last=3)
        await tx.run("audit.segment_gone", first=1, told=10)
        await chain.append(tx, segments.DESTRUCTION, fr.node.clock(), "system", thing="m-202611", reason="retention")

    await fr.node.store.write(early)

    assert (1, Fault.GONE) == await found(fr)


async def test_a_cut_tail_and_a_log_written_anew_are_found_by_heads_that_others_hold(fr: Place) -> None:
    """Heads within what is gone say nothing any more; the head of a part that is gone still does."""
    november, december, january = await three_months(fr)
    moves_to(fr, 2027, 12)
    await segments.tidy(fr.node)
    whole = await found(fr, Head(2, bytes(32)), november, december, january)
    other = await found(fr, Head(3, bytes(32)))
    head = await chain.head(fr.node.store)
    damage(fr, f"delete from audit where n >= {head.sequence - 1}")

    assert whole is None
    assert (3, Fault.FORKED) == other
    assert (head.sequence - 1, Fault.CUT) == await found(fr, head)


async def test_pages_and_months_do_not_fall_together(fr: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read two at a time, across a part that is gone."""
    heads = await three_months(fr)
    moves_to(fr, 2027, 12)
    await segments.tidy(fr.node)
    monkeypatch.setattr(checking, "PAGE", 2)
    whole = await found(fr, *heads)
    damage(fr, "update audit set entry = replace(entry, 'system', 'staff-1') where n = 9")

    assert whole is None
    assert (9, Fault.CHANGED) == await found(fr)


async def test_an_entry_of_a_clock_put_back_stays_with_its_neighbours(fr: Place) -> None:
    """A month is a stretch of the log: what says an earlier month in the middle of one belongs to that one."""
    moves_to(fr, 2026, 12, 1)
    await adds(fr, 2)
    moves_to(fr, 2026, 11, 30)
    await adds(fr, 1)
    moves_to(fr, 2026, 12, 2)
    await adds(fr, 1)
    moves_to(fr, 2027, 1, 2)
    await adds(fr, 1)
    await segments.tidy(fr.node)

    assert [("2026-12", 1, 4, "")] == await parts(fr)


# ── what is remembered ──


async def test_only_what_is_new_is_recomputed_between_two_days(fr: Place) -> None:
    """A page reads what was added since; the whole is done when it was not for a day, and at once where asked."""
    log = fr.node.dossiers.checking
    await adds(fr, 5)
    first = await log.newest()
    await adds(fr, 2)
    second, third = await log.newest(), await log.newest()
    fr.network.clock.move(hours=23)
    await log.daily()
    still = await log.newest()
    fr.network.clock.move(hours=1)
    await log.daily()
    daily = await log.newest()

    assert [5, 7, 7] == [each.holds for each in (first, second, third)]
    assert [5, 2, 0] == [each.new for each in (first, second, third)]
    assert first.whole_at == second.whole_at == still.whole_at
    assert fr.network.clock.now == daily.whole_at


async def test_what_is_changed_in_what_was_seen_is_found_within_a_day(fr: Place) -> None:
    """Not by the next page, by the next whole look, which says it loudly; from then on by every page."""
    log = fr.node.dossiers.checking
    await adds(fr, 6)
    await log.newest()
    damage(fr, "update audit set entry = replace(entry, 'system', 'staff-1') where n = 3")
    page = await log.newest()
    fr.network.clock.move(days=1)
    await log.daily()
    after = await log.newest()

    assert page.broken is None
    assert (3, Fault.CHANGED) == (after.broken.at, after.broken.fault)
    assert 2 == after.holds
    assert b"esanum_audit_log_holds 0.0" in fr.node.metrics.render()


@pytest.mark.parametrize(
    "value", ["", "{}", '{"n":5,"hash":"00","at":1}', '{"n":99,"hash":"' + "00" * 32 + '","at":1}']
)
async def test_a_memory_that_does_not_fit_counts_for_nothing(fr: Place, value: str) -> None:
    """The whole is recomputed, as after a restore: also where the head there is another."""
    log = fr.node.dossiers.checking
    await adds(fr, 5)
    await log.newest()
    damage(fr, f"update settings set value = '{value}' where name = 'audit checked'")
    report = await log.newest()

    assert (5, 5) == (report.holds, report.new)
    assert report.broken is None


async def test_a_tail_cut_off_after_it_was_seen_is_looked_at_anew(fr: Place) -> None:
    """What is remembered is not there any more: the whole is read, and siblings know the rest."""
    log = fr.node.dossiers.checking
    head = await adds(fr, 5)
    await log.newest()
    damage(fr, "delete from audit where n = 5")
    report = await log.newest()
    whole = await log.whole([head])

    assert 4 == report.holds
    assert Fault.CUT is whole.broken.fault


async def test_months_are_destroyed_by_the_chores(network: Any) -> None:
    """Nobody has to ask for it."""
    town: Network = await network("fr")
    fr = town["fr"]
    await three_months(fr)
    moves_to(fr, 2027, 12)
    await fr.node.workers.housekeep()

    assert 4 == (await numbers(fr))[0]
