"""Group commit: many units, one commit; each for itself all the same."""

from __future__ import annotations

import asyncio
import contextvars
import sqlite3
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from instance.storage.sqlite import SqliteStore
from instance.storage.sqlite_writer import BATCH, LONGEST, Writer
from instance.storage.store import BrokenRule, Misused, StorageUnavailable, Transaction
from tests.contract.test_store import add, ids


@pytest.fixture(params=[False, True], ids=["in the thread", "on the loop"])
def store(store: SqliteStore, request: pytest.FixtureRequest) -> SqliteStore:
    """The same promises hold where brief units are driven on the loop."""
    store.write = partial(store.write, brief=request.param)  # type: ignore[method-assign]
    return store


async def where(tx: Transaction) -> bool:
    """Write something; whether this runs on the event loop."""
    await tx.run("notes.add", id=f"n{time.monotonic_ns()}", number=time.monotonic_ns(), body="", raw=None)
    return threading.current_thread() is threading.main_thread()


async def test_units_that_come_together_are_committed_together(store: SqliteStore) -> None:
    """A hundred units at once cost two commits, one after the other a commit each."""
    before = store.commits
    await asyncio.gather(*(add(store, f"{number:03}", number) for number in range(100)))
    together = store.commits - before
    for number in range(3):
        await add(store, f"x{number}", 1000 + number)

    assert (-(-100 // BATCH), 3) == (together, store.commits - before - together)


async def test_what_gathers_during_a_batch_is_the_next_batch(store: SqliteStore) -> None:
    """One batch is in flight; while it is, the others gather."""
    before = store.commits
    first = asyncio.create_task(add(store, "first"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    others = [asyncio.create_task(add(store, f"{number}", number + 2)) for number in range(20)]
    await asyncio.gather(first, *others)

    assert 2 == store.commits - before
    assert 21 == len(await ids(store))


@pytest.mark.parametrize("outside", ["sleep", "future", "another write"])
async def test_a_unit_that_waits_for_something_outside_is_refused(store: SqliteStore, outside: str) -> None:
    """Waiting for the loop inside the writing thread would hold everybody up; its neighbour is kept."""

    async def waits(tx: Transaction) -> None:
        await tx.run("notes.add", id="waits", number=5, body="", raw=None)
        if outside == "sleep":
            await asyncio.sleep(0)
        elif outside == "future":
            await asyncio.Future(loop=loop)
        else:
            await other
        pytest.fail("went on")

    loop = asyncio.get_running_loop()
    other = asyncio.create_task(add(store, "other", 9))
    refused, _ = await asyncio.gather(store.write(waits), add(store, "neighbour", 2), return_exceptions=True)

    assert isinstance(refused, Misused)
    assert "waits for something outside" in str(refused)
    assert ["neighbour", "other"] == await ids(store)


async def test_a_unit_runs_in_the_context_of_its_caller(store: SqliteStore) -> None:
    """Context variables (the request's log keys) are seen inside the unit."""
    request = contextvars.ContextVar("request", default="nobody")

    async def work(tx: Transaction) -> str:
        return request.get()

    request.set("r1")
    writing, reading = await store.write(work), await store.read(work)

    assert ("r1", "r1") == (writing, reading)


async def test_a_rule_checked_at_commit_strikes_only_its_own_unit(store: SqliteStore) -> None:
    """With deferred foreign keys the commit itself fails; then each unit is tried alone."""

    async def broken(tx: Transaction) -> None:
        tx._connection.execute("pragma defer_foreign_keys = on")  # type: ignore[attr-defined]
        await tx.run("notes.tag", note="nobody", word="w", weight=1)

    outcomes = await asyncio.gather(add(store, "a", 1), store.write(broken), add(store, "b", 2), return_exceptions=True)

    assert [type(None), BrokenRule, type(None)] == [type(outcome) for outcome in outcomes]
    assert ["a", "b"] == await ids(store)


async def test_a_full_disk_is_told_to_every_caller_and_heals(store: SqliteStore) -> None:
    """Nobody is told yes; with room again the same store goes on (F8)."""
    await store._writer.call(_limit_pages, 0)
    outcomes = await asyncio.gather(
        *(add(store, f"{number}", number, "x" * 50_000) for number in range(20)), return_exceptions=True
    )
    kept = [f"{number}" for number, outcome in enumerate(outcomes) if outcome is None]
    codes = {outcome.code for outcome in outcomes if isinstance(outcome, StorageUnavailable)}
    await store._writer.call(_limit_pages, 1_000_000)
    await add(store, "later", 99)

    assert {"storage_full"} == codes
    assert sorted([*kept, "later"]) == await ids(store)


async def test_a_lost_transaction_loses_the_batch_loudly(store: SqliteStore) -> None:
    """Where SQLite rolls back everything by itself, every caller learns it, and the next batch is committed."""

    async def loses(tx: Transaction) -> None:
        tx._connection.execute("rollback")  # type: ignore[attr-defined]

    outcomes = await asyncio.gather(add(store, "a", 1), store.write(loses), add(store, "b", 2), return_exceptions=True)
    await add(store, "later", 3)

    assert [StorageUnavailable] * 3 == [type(outcome) for outcome in outcomes]
    assert ["later"] == await ids(store)


async def test_a_connection_that_is_lost_is_opened_again(store: SqliteStore) -> None:
    """A writing connection that fails altogether costs one batch."""
    await store._writer.call(sqlite3.Connection.close)

    with pytest.raises(StorageUnavailable):
        await add(store, "lost")
    await add(store, "later", 2)

    assert ["later"] == await ids(store)


async def test_a_busy_loop_does_not_starve_the_writer(store: SqliteStore) -> None:
    """With the event loop spinning all the time, thirty units are still committed within a second or so."""
    going = True

    async def spin() -> None:
        while going:
            until = time.perf_counter() + 0.0003
            while time.perf_counter() < until:
                pass
            await asyncio.sleep(0)

    spinning = asyncio.create_task(spin())
    before = time.perf_counter()
    await asyncio.gather(*(add(store, f"{number}", number) for number in range(30)))
    took = time.perf_counter() - before
    going = False
    await spinning

    assert took < 2


def _limit_pages(connection: sqlite3.Connection, most: int) -> None:
    """Let the file grow to so many pages (or, below its size, not at all)."""
    connection.execute(f"pragma max_page_count = {max(most, 1)}")


async def test_only_brief_units_are_driven_on_the_loop(store: SqliteStore) -> None:
    """One that may be long takes its whole batch into the thread; so does a function that the thread still runs."""
    write = SqliteStore.write
    brief = await write(store, where, brief=True)
    usual = await write(store, where)
    together = await asyncio.gather(write(store, where, brief=True), write(store, where))
    _, beside = await asyncio.gather(store._writer.call(lambda raw: time.sleep(0.1)), write(store, where, brief=True))

    assert (True, False, [False, False], False) == (brief, usual, together, beside)


async def test_another_process_with_the_file_holds_up_the_unit_and_not_the_loop(store: SqliteStore, path: Path) -> None:
    """Whoever opened the file by hand and writes is waited for in the thread."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin immediate")
    waiting = asyncio.create_task(add(store, "waits"))
    longest, before = 0.0, time.perf_counter()
    for _ in range(20):
        await asyncio.sleep(0.01)
        now = time.perf_counter()
        longest, before = max(longest, now - before), now
    undone = waiting.done()
    other.execute("rollback")
    other.close()
    await waiting

    assert (False, ["waits"]) == (undone, await ids(store))
    assert longest < 1


@pytest.mark.parametrize("swallows", [False, True])
async def test_a_brief_unit_that_is_not_brief_goes_on_in_the_thread(store: SqliteStore, swallows: bool) -> None:
    """Whoever said so was wrong: the loop is held up for an instant, and the batch is run once more, as a whole."""

    async def lingers(tx: Transaction) -> bool:
        await tx.run("notes.add", id="a", number=1, body="", raw=None)
        time.sleep(1.2 * LONGEST)
        with suppress(Exception if swallows else ZeroDivisionError):
            await tx.run("notes.add", id="b", number=2, body="", raw=None)
        return threading.current_thread() is threading.main_thread()

    write = SqliteStore.write
    on_the_loop, _, neighbour = await asyncio.gather(
        write(store, lingers, brief=True), add(store, "c", 3), write(store, where, brief=True)
    )
    alone = await write(store, where, brief=True)

    assert (False, False, True) == (on_the_loop, neighbour, alone)
    assert ["a", "b", "c"] == [id for id in await ids(store) if len(id) == 1]


async def test_one_that_lingers_behind_one_that_raises_is_kept(store: SqliteStore) -> None:
    """The loop undoes the batch twice, for the one and for the other; in the thread only the one that raises falls."""
    runs: list[bool] = []

    async def raises(tx: Transaction) -> None:
        raise LookupError("on purpose")

    async def lingers_once(tx: Transaction) -> str:
        await tx.run("notes.add", id="b", number=2, body="", raw=None)
        if not runs:
            time.sleep(1.2 * LONGEST)
        runs.append(threading.current_thread() is threading.main_thread())
        await tx.run("notes.add", id="c", number=3, body="", raw=None)
        return "kept"

    write = partial(SqliteStore.write, store, brief=True)
    outcomes = await asyncio.gather(add(store, "a"), write(raises), write(lingers_once), return_exceptions=True)

    assert [type(None), LookupError, str] == [type(outcome) for outcome in outcomes]
    assert ["a", "b", "c"] == await ids(store)
    assert not runs[-1]


async def test_what_the_thread_still_runs_is_left_alone(store: SqliteStore) -> None:
    """Also where nobody waits for it any more: its rows and those of the next batch are two transactions."""
    ended = []

    def slowly(raw: sqlite3.Connection) -> None:
        for number in range(3):
            time.sleep(0.05)
            raw.execute("begin immediate")
            raw.execute("insert into notes (id, number, body) values (?, ?, '')", (f"t{number}", 100 + number))
            raw.execute("commit")
        ended.append(True)

    running = asyncio.create_task(store._writer.call(slowly))
    await asyncio.sleep(0.02)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    on_the_loop = await SqliteStore.write(store, where, brief=True)

    assert (False, [True]) == (on_the_loop, ended)
    assert ["t0", "t1", "t2"] == [id for id in await ids(store) if id.startswith("t")]


async def test_a_batch_whose_driver_was_stopped_is_left_alone(store: SqliteStore) -> None:
    """It is kept whole or not at all; the batch after it waits for the thread, and has a transaction of its own."""

    async def slowly(tx: Transaction) -> None:
        await tx.run("notes.add", id="first", number=1, body="", raw=None)
        time.sleep(0.1)
        await tx.run("notes.add", id="second", number=2, body="", raw=None)

    stopped = asyncio.create_task(SqliteStore.write(store, slowly))
    await asyncio.sleep(0.03)
    driver = store._writer._task
    assert driver is not None
    driver.cancel()
    with pytest.raises(StorageUnavailable, match="before the commit was known"):
        await stopped
    on_the_loop = await SqliteStore.write(store, where, brief=True)
    await add(store, "next", 3)

    assert not on_the_loop
    assert {"first", "next", "second"} - set(await ids(store)) in (set(), {"first", "second"})


async def test_whoever_waits_behind_a_driver_that_was_stopped_is_told(store: SqliteStore) -> None:
    """Their units have not begun: nobody was cancelled, so nobody hears that they were."""

    async def slowly(tx: Transaction) -> None:
        time.sleep(0.1)

    stopped = asyncio.create_task(SqliteStore.write(store, slowly))
    await asyncio.sleep(0.03)
    waits = asyncio.create_task(add(store, "waits"))
    await asyncio.sleep(0)
    driver = store._writer._task
    assert driver is not None
    driver.cancel()
    told = await asyncio.gather(stopped, waits, return_exceptions=True)
    await add(store, "later", 2)

    assert ["storage_closed"] * 2 == [error.code for error in told if isinstance(error, StorageUnavailable)]
    assert ["later"] == await ids(store)


async def test_whatever_ends_a_batch_nobody_is_told_yes(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its units have run and are not committed: each caller hears that, nothing stays, and the next batch is kept."""

    class Ended(BaseException):
        """As somebody who presses Ctrl-C twice."""

    def interrupted(self: Writer, *arguments: object) -> bool:
        true(self, *arguments)  # type: ignore[arg-type]
        raise Ended

    true = Writer._together
    monkeypatch.setattr(Writer, "_together", interrupted)
    told = asyncio.create_task(add(store, "lost"))
    await asyncio.sleep(0)
    driver = store._writer._task
    assert driver is not None
    with pytest.raises(StorageUnavailable, match="before the commit was known"):
        await told
    with pytest.raises(Ended):
        await driver
    monkeypatch.undo()
    await add(store, "later", 2)

    assert ["later"] == await ids(store)
