"""Numbered migrations: applied once, in order, never changed afterwards, whole or not at all."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from instance.storage import open_store
from instance.storage.store import MigrationFailed, Misused, SchemaChanged, Store
from tests.contract.databases import SQL

Open = Callable[[], Awaitable[Store]]


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    """A copy of the contract's schema that a test may change."""
    return Path(shutil.copytree(SQL / "schema", tmp_path / "schema"))


@pytest.fixture
async def opened(address: str, schema: Path) -> AsyncIterator[Open]:
    """Open the same database anew; what was open is closed first."""
    async with AsyncExitStack() as stack:

        async def again() -> Store:
            await stack.aclose()
            store = await open_store(address, schema_dir=schema, queries_dir=SQL / "queries")
            stack.push_async_callback(store.close)
            return store

        yield again


async def test_what_is_missing_is_applied_once(opened: Open, schema: Path) -> None:
    """The first run applies all, the second nothing, a new file alone."""
    store = await opened()

    assert [2, 0] == [await store.migrate(), await store.migrate()]

    (schema / "0003_more.sql").write_text("create table more (id text primary key);\n")
    assert [1, 0] == [await store.migrate(), await (await opened()).migrate()]


async def test_two_migrators_at_once_apply_each_file_once(opened: Open) -> None:
    """The second waits for the first and finds nothing to do."""
    store = await opened()

    assert [0, 2] == sorted(await asyncio.gather(store.migrate(), store.migrate()))


async def test_an_applied_file_may_not_change(opened: Open, schema: Path) -> None:
    """Edited, removed or overtaken: SchemaChanged names the file, and nothing is applied."""
    await (await opened()).migrate()
    first = schema / "0001_notes.sql"
    text = first.read_text()

    first.write_text(text + "\n")
    with pytest.raises(SchemaChanged, match=r"0001_notes\.sql is not what was applied"):
        await (await opened()).migrate()

    first.unlink()
    with pytest.raises(SchemaChanged, match=r"0001_notes\.sql, which this version does not know"):
        await (await opened()).migrate()

    first.write_text(text)
    (schema / "0000_late.sql").write_text("create table late (id text);")
    with pytest.raises(SchemaChanged, match=r"0000_late\.sql appeared after"):
        await (await opened()).migrate()


@pytest.mark.parametrize(
    "fault", ["insert into nowhere values (1);", "create tabel x (id text);", "select 1 / nothing"]
)
async def test_a_broken_migration_leaves_no_trace(opened: Open, schema: Path, fault: str) -> None:
    """What came before it in the same file is rolled back; mended, the file goes through."""
    broken = schema / "0003_broken.sql"
    broken.write_text(f"create table half (id text primary key);\n{fault}")
    store = await opened()

    with pytest.raises(MigrationFailed, match=r"0003_broken\.sql"):
        await store.migrate()
    assert ["migration 0003_broken.sql has not been applied"] == faults(await store.check())

    broken.write_text("create table half (id text primary key);")
    assert 1 == await store.migrate()


async def test_a_migration_may_not_end_its_transaction(opened: Open, schema: Path) -> None:
    """A commit inside a file could leave it half applied, so such a file is refused before anything runs."""
    (schema / "0003_sly.sql").write_text("create table one (id text);\ncommit;\nselect broken")

    with pytest.raises(Misused, match=r"0003_sly\.sql begins or ends a transaction"):
        await (await opened()).migrate()


@pytest.mark.parametrize("name", ["third.sql", "3_third.sql", "0002_other.sql", "0003_x.oracle.sql"])
async def test_wrong_file_names_are_refused(opened: Open, schema: Path, name: str) -> None:
    """A name that is no number and word, or a number used twice, is a mistake of ours."""
    (schema / name).write_text("create table third (id text);")

    with pytest.raises(Misused, match=r"(third|0003_x\.oracle)\.sql is no name|numbered 0002"):
        await (await opened()).migrate()


async def test_check_is_content_with_a_sound_database(opened: Open) -> None:
    """Before migrating it names what is missing; afterwards there is no fault."""
    store = await opened()
    before = faults(await store.check())
    await store.migrate()

    assert ["0001_notes.sql", f"0002_search.{store.engine}.sql"] == [sentence.split()[1] for sentence in before]
    assert [] == faults(await store.check())


def faults(sentences: list[str]) -> list[str]:
    """What check() found, without its advice."""
    return [sentence for sentence in sentences if not sentence.startswith("warning: ")]
