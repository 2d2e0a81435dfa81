"""What `Store` promises about units of work, reads and values, kept by both engines."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from instance.storage.store import (
    BadValue,
    BrokenRule,
    Conflict,
    Misused,
    Reader,
    StorageUnavailable,
    Store,
    Transaction,
)


async def add(store: Store, note: str, number: int = 1, body: str = "", raw: bytes | None = None) -> None:
    """Write one note."""

    async def work(tx: Transaction) -> None:
        await tx.run("notes.add", id=note, number=number, body=body, raw=raw)

    await store.write(work)


async def ids(reader: Reader | Store) -> list[str]:
    """The ids of all notes, in order."""
    return [row["id"] for row in await reader.all("notes.in_order", most=1000)]


async def test_what_was_written_is_there_after_write_returns(store: Store) -> None:
    """A row is visible to every kind of read as soon as `write` has returned."""
    await add(store, "a", 5, "text", b"\x00\xff")

    async def look(reader: Reader) -> Any:
        return await reader.one("notes.by_id", id="a")

    expected = {"id": "a", "number": 5, "body": "text", "raw": b"\x00\xff"}
    assert expected == await store.one("notes.by_id", id="a")
    assert [{"id": "a", "number": 5}] == await store.all("notes.in_order", most=9)
    assert [{"id": "a", "number": 5}] == await store.few("notes.in_order", most=9)
    assert expected == await store.read(look)


async def test_absent_rows_are_none_and_empty(store: Store) -> None:
    """Asking for what is not there is no error."""
    assert await store.one("notes.by_id", id="nobody") is None
    assert [] == await store.all("notes.in_order", most=9)


async def test_a_unit_returns_its_result(store: Store) -> None:
    """`write` and `read` hand back what the coroutine returned."""

    async def work(tx: Transaction) -> str:
        return "done"

    assert "done" == await store.write(work)
    assert "done" == await store.read(work)


async def test_a_unit_sees_its_own_rows(store: Store) -> None:
    """Inside a unit of work earlier changes are visible, outside they are not yet."""

    async def work(tx: Transaction) -> list[str]:
        await tx.run("notes.add", id="a", number=1, body="", raw=None)
        return await ids(tx)

    assert ["a"] == await store.write(work)


async def test_a_unit_that_raises_leaves_no_trace_while_its_neighbour_is_kept(store: Store) -> None:
    """One unit of a batch fails alone."""

    async def fails(tx: Transaction) -> None:
        await tx.run("notes.add", id="bad", number=3, body="", raw=None)
        raise LookupError("on purpose")

    outcomes = await asyncio.gather(
        add(store, "before"), store.write(fails), add(store, "after", 2), return_exceptions=True
    )

    assert [type(None), LookupError, type(None)] == [type(outcome) for outcome in outcomes]
    assert ["after", "before"] == await ids(store)


async def test_a_hundred_units_at_once_are_all_kept(store: Store) -> None:
    """Nothing is lost where many write together."""
    await asyncio.gather(*(add(store, f"{number:03}", number) for number in range(100)))

    assert {"many": 100, "total": 4950, "colon": "a:b"} == await store.one("notes.count")


async def test_a_taken_key_is_a_conflict(store: Store) -> None:
    """Primary key and unique index are one error, which names the table and no value."""
    await add(store, "secret", 7, "private")

    with pytest.raises(Conflict) as by_key:
        await add(store, "secret", 8)
    with pytest.raises(Conflict) as by_index:
        await add(store, "other", 7, "private")

    assert ("notes", "notes") == (by_key.value.table, by_index.value.table)
    assert "secret" not in str(by_key.value)
    assert "private" not in str(by_index.value)
    assert by_index.value.__cause__ is None


async def test_other_rules_of_the_schema_are_no_conflict(store: Store) -> None:
    """A missing reference, a failed check and a null are BrokenRule, without values."""
    await add(store, "a")

    for note, word, weight in [("nobody", "w", 1), ("a", "secret", 0), ("a", None, 1)]:

        async def work(tx: Transaction, values: Any = (note, word, weight)) -> None:
            await tx.run("notes.tag", note=values[0], word=values[1], weight=values[2])

        with pytest.raises(BrokenRule) as broken:
            await store.write(work)
        assert not isinstance(broken.value, Conflict)
        assert "secret" not in str(broken.value)


async def test_a_unit_is_over_after_a_failed_statement(store: Store) -> None:
    """Whoever catches a conflict and goes on is refused, and nothing of the unit is kept."""
    await add(store, "a")

    async def swallows(tx: Transaction) -> None:
        await tx.run("notes.add", id="b", number=2, body="", raw=None)
        try:
            await tx.run("notes.add", id="a", number=3, body="", raw=None)
        except Conflict:
            pass

    async def goes_on(tx: Transaction) -> None:
        try:
            await tx.run("notes.add", id="a", number=3, body="", raw=None)
        except Conflict:
            await tx.run("notes.add", id="c", number=4, body="", raw=None)

    for work in (swallows, goes_on):
        with pytest.raises(Conflict):
            await store.write(work)
    assert ["a"] == await ids(store)


async def test_on_conflict_do_nothing_counts_what_was_kept(store: Store) -> None:
    """The one way to write what may be there already."""

    async def work(tx: Transaction) -> list[int]:
        return [await tx.run("notes.keep", id="a", number=1), await tx.run("notes.keep", id="a", number=2)]

    assert [1, 0] == await store.write(work)


async def test_run_counts_the_rows_it_changed(store: Store) -> None:
    """Insert, update, delete, a statement that begins with `with`, and triggers that are not counted."""

    async def work(tx: Transaction) -> list[int]:
        return [
            await tx.run("notes.add", id="a", number=1, body="", raw=None),
            await tx.run("notes.keep", id="b", number=2),
            await tx.run("notes.set_body", id="a", body="x"),
            await tx.run("notes.set_body", id="nobody", body="x"),
            await tx.run("notes.set_body_of_all", least=0, body="y"),
            await tx.run("notes.raise_number", id="a", other="b", by=10),
            await tx.run("notes.remove", id="a"),
        ]

    assert [1, 1, 1, 0, 2, 2, 1] == await store.write(work)
    assert [{"id": "a"}, {"id": "b"}] == await store.all("notes.seen")


async def test_returning_changes_every_row_even_where_one_is_asked_for(store: Store) -> None:
    """`one` of an update that returns rows still changes all of them."""
    await add(store, "a", 1)
    await add(store, "b", 2)

    async def first(tx: Transaction) -> Any:
        return await tx.one("notes.raise_number", id="a", other="b", by=10)

    async def every(tx: Transaction) -> Any:
        return await tx.all("notes.raise_number", id="a", other="b", by=10)

    row = await store.write(first)
    rows = await store.write(every)

    assert row in ({"id": "a", "number": 11}, {"id": "b", "number": 12})
    assert [("a", 21), ("b", 22)] == sorted((row["id"], row["number"]) for row in rows)


async def test_many_runs_once_for_each_mapping(store: Store) -> None:
    """All rows of `many` belong to the unit; a bad one takes them all along."""

    async def good(tx: Transaction) -> None:
        await tx.many("notes.keep", ({"number": number, "id": f"{number}"} for number in range(5)))

    async def bad(tx: Transaction) -> None:
        await tx.many("notes.add", [{"id": note, "number": 9, "body": note, "raw": None} for note in ("x", "y", "1")])

    async def none(tx: Transaction) -> None:
        await tx.many("notes.keep", [])

    await store.write(good)
    await store.write(none)
    with pytest.raises(Conflict):
        await store.write(bad)

    assert ["0", "1", "2", "3", "4"] == await ids(store)


async def test_turns_taken_crosswise_are_both_had(store: Store) -> None:
    """Two units that want the same two subjects in opposite order both end well, if need be after another run."""
    runs: list[str] = []
    both = asyncio.Barrier(2)

    async def turns(tx: Transaction, first: str, second: str) -> str:
        runs.append(first)
        await tx.take_turn(first)
        if store.engine == "postgres" and len(runs) <= 2:
            await both.wait()
        await tx.take_turn(second)
        await tx.run("notes.keep", id=first, number=ord(first))
        return first

    outcomes = await asyncio.gather(
        store.write(lambda tx: turns(tx, "a", "b")), store.write(lambda tx: turns(tx, "b", "a")), return_exceptions=True
    )

    assert ["a", "b"] == outcomes
    assert ["a", "b"] == await ids(store)
    assert (2 if store.engine == "sqlite" else 3) == len(runs)


async def test_a_snapshot_stands_still_while_others_write(store: Store) -> None:
    """Two reads of one look agree, whatever is committed between them."""
    await add(store, "a")
    loop = asyncio.get_running_loop()

    async def look(reader: Reader) -> tuple[Any, Any]:
        first = await reader.one("notes.count")
        if store.engine == "sqlite":
            # Here the look runs in a reader's thread, and the write has to come from the loop.
            asyncio.run_coroutine_threadsafe(add(store, "b", 2), loop).result(10)
        else:
            await add(store, "b", 2)
        return first, await reader.one("notes.count")

    first, second = await store.read(look)

    assert (1, 1) == (first["many"], second["many"])
    assert ["a", "b"] == await ids(store)


async def test_a_read_cannot_change_rows(store: Store) -> None:
    """Only a unit of work may write."""
    await add(store, "a")

    async def look(reader: Reader) -> None:
        await reader.one("notes.raise_number", id="a", other="a", by=1)

    for attempt in (
        lambda: store.one("notes.raise_number", id="a", other="a", by=1),
        lambda: store.all("notes.raise_number", id="a", other="a", by=1),
        lambda: store.read(look),
    ):
        with pytest.raises(Misused, match="would change rows"):
            await attempt()
    assert {"id": "a", "number": 1} == (await store.all("notes.in_order", most=1))[0]


TEXTS = ["", "ü ß é 日本 🩺", "a\u200bb\u202ec", "line\r\nline\t'\"\\;--", "x" * 300_000]
NUMBERS = [0, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63)]
BYTES = [b"", b"\x00\x01\xff", bytes(range(256)) * 400]


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
async def test_text_comes_back_as_it_went(store: Store, text: str) -> None:
    """Any text without NUL is kept exactly."""
    await add(store, "a", body=text)

    assert text == (await store.one("notes.by_id", id="a") or {})["body"]


async def test_numbers_bytes_and_truth_come_back_as_they_went(store: Store) -> None:
    """64-bit integers are exact, bytes are bytes, null is None, true is 1."""
    for place, number in enumerate(NUMBERS):
        await add(store, f"n{place}", number)
    for place, raw in enumerate(BYTES):
        await add(store, f"b{place}", place + 10, raw=raw)
    await add(store, "true", True)

    assert NUMBERS == [(await store.one("notes.by_id", id=f"n{place}") or {})["number"] for place in range(6)]
    found = [(await store.one("notes.by_id", id=f"b{place}") or {})["raw"] for place in range(3)]
    assert BYTES == found
    assert {bytes} == {type(raw) for raw in found}
    assert (1, None) == ((row := await store.one("notes.by_id", id="true") or {})["number"], row["raw"])
    assert int is type(row["number"])


@pytest.mark.parametrize(
    "values",
    [{"body": "nul\0here"}, {"body": "half a pair \ud800"}, {"number": 2**63}, {"number": -(2**63) - 1}],
    ids=["nul", "surrogate", "too large", "too small"],
)
async def test_what_no_column_can_hold_is_refused(store: Store, values: dict[str, Any]) -> None:
    """A bad value is BadValue on both engines, says nothing of the value, and leaves no trace."""

    async def work(tx: Transaction) -> None:
        await tx.run("notes.add", **{"id": "a", "number": 1, "body": "", "raw": None, **values})

    with pytest.raises(BadValue) as refused:
        await store.write(work)

    assert "here" not in str(refused.value)
    assert "922337" not in str(refused.value)
    assert [] == await ids(store)


async def test_sums_are_integers_and_sorting_is_by_code_point(store: Store) -> None:
    """What the engines do differently by themselves, they do alike here."""
    for place, note in enumerate(["b", "B", "a-b", "aa", "ä", "Z"]):
        await add(store, note, place)
    total = (await store.one("notes.count") or {})["total"]

    assert (15, int) == (total, type(total))
    assert ["B", "Z", "a-b", "aa", "b", "ä"] == await ids(store)


async def test_each_engine_has_its_own_form_of_a_query(store: Store) -> None:
    """`[sqlite]` and `[postgres]` choose; the store says which it is."""
    assert {"engine": store.engine} == await store.one("notes.which")


async def test_a_fragment_is_put_in_its_place(store: Store) -> None:
    """A shared condition works in the statement that names it."""
    await add(store, "a", 1, "x")
    await add(store, "b", 2, "y")

    assert [{"id": "b"}] == await store.all("notes.matching", word="y")
    assert [{"id": "a"}, {"id": "b"}] == await store.all("notes.matching", word=None)


async def test_mistakes_of_ours_are_named(store: Store) -> None:
    """An unknown query, a missing value, a surplus value, a wrong statement: Misused, with the name."""
    with pytest.raises(Misused, match=r"no query notes\.nothing"):
        await store.one("notes.nothing")
    with pytest.raises(Misused, match=r"notes\.by_id needs a value for 'id'"):
        await store.one("notes.by_id")
    with pytest.raises(Misused, match=r"notes\.by_id knows no number"):
        await store.all("notes.by_id", id="a", number=1)
    with pytest.raises(Misused, match=r"notes\.no_such_table"):
        await store.one("notes.no_such_table")


async def test_a_transaction_is_over_with_its_unit(store: Store) -> None:
    """A transaction that was carried out of its unit can do nothing."""
    kept: list[Transaction] = []

    async def work(tx: Transaction) -> None:
        kept.append(tx)

    await store.write(work)

    with pytest.raises(Misused, match="after its unit of work had ended"):
        await kept[0].run("notes.keep", id="a", number=1)


async def test_a_caller_that_goes_away_hurts_nobody(store: Store) -> None:
    """A cancelled write ends quietly; those after it are kept."""
    gone = asyncio.create_task(add(store, "gone"))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, add(store, "stays", 2), return_exceptions=True)

    assert gone.cancelled()
    assert "stays" in await ids(store)


async def test_close_finishes_what_was_begun_and_refuses_the_rest(address: str, store: Store) -> None:
    """A write that was waiting is kept; a store that is closed answers storage_closed, twice closed is closed."""
    await add(store, "a")
    await store.close()
    await store.close()

    async def look(reader: Reader) -> None: ...

    for attempt in (
        lambda: store.one("notes.by_id", id="a"),
        lambda: store.all("notes.in_order", most=1),
        lambda: store.read(look),
        lambda: store.write(look),
        store.migrate,
        store.check,
    ):
        with pytest.raises(StorageUnavailable) as refused:
            await attempt()
        assert "storage_closed" == refused.value.code


async def test_what_is_known_is_what_is_there(store: Store) -> None:
    """A remembered row, and a remembered absence, last until the next commit and not a moment longer."""
    before = [await store.known("notes.by_id", id="a"), await store.known("notes.by_id", id="b")]
    await add(store, "a", 1)
    first, second = await store.known("notes.by_id", id="a"), await store.known("notes.by_id", id="a")
    await add(store, "b", 2)
    after = [await store.known("notes.by_id", id="a"), await store.known("notes.by_id", id="b")]

    assert [None, None] == before
    assert first == second == await store.one("notes.by_id", id="a")
    assert ["a", "b"] == [row["id"] for row in after if row is not None]


async def test_what_is_known_depends_on_every_name(store: Store) -> None:
    """The same values under other names are another question, and one that is misspelt is told so each time."""
    await add(store, "a", 1)
    found = await store.known("notes.within", least=0, most=2)

    assert {"id": "a"} == found
    assert found == await store.known("notes.within", most=2, least=0)
    assert await store.known("notes.within", most=0, least=2) is None
    with pytest.raises(Misused):
        await store.known("notes.within", least=0, highest=2)
