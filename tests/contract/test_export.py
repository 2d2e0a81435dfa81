"""The file of the own data on both engines: one snapshot, whole pages, bounded memory; and no table is forgotten."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import re
import secrets
import tracemalloc
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from zipfile import ZipFile

import pytest

from instance.services.errors import Rejected
from instance.services.exports import Exports
from instance.storage import QUERIES, open_store
from instance.storage.queries import Queries
from instance.storage.store import Reader, Row, Store, Transaction
from instance.views.export import LEFT_OUT, PAGE, SECTIONS, Owner
from tests.contract.test_who_sees_what import HERE, READER, add_doctor

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SCHEMA = Path("instance/storage/schema")
#: More than two pages, and one post over.
MANY = 2 * PAGE + 1


@pytest.fixture
async def store(address: str) -> AsyncIterator[Store]:
    """The product's rows on each engine in turn: a doctor with an account, and another."""
    opened = await open_store(address)
    try:
        await opened.migrate()
        await opened.write(_people)
        yield opened
    finally:
        await opened.close()


async def _people(tx: Transaction) -> None:
    for uri in (READER, f"{HERE}/doctors/other"):
        await add_doctor(tx, uri)
        login = uri.rpartition("/")[2]
        await tx.run(
            "people.add_account", id=f"a-{login}", login=login, password="hash", doctor=uri, roles="[]", language="",
            now=0,
        )  # fmt: skip


async def add_post(tx: Transaction, number: int, author: str = READER, text: str = "<p>Text.</p>") -> None:
    """A post, with who is named in it."""
    slug = f"01JDB{number:021d}"
    await tx.run(
        "posts.add", uri=f"{HERE}/posts/{slug}", slug=slug, origin=HERE, author=author, kind="case",
        title=f"T{number}", content=text, source=text, language="en", specialties="[]", audience="named",
        role_then="specialist", context="", now=number // 3, facts="{}", interests="", event_from="",
    )  # fmt: skip
    await tx.run("posts.add_mention", object=f"{HERE}/posts/{slug}", doctor=f"{HERE}/doctors/named{number}")


async def file_of(store: Any, folder: Path) -> dict[str, Any]:
    """The document of the reader's file."""
    return json.loads(ZipFile(io.BytesIO(b"".join(await parts_of(store, folder)))).read("data.json"))


async def parts_of(store: Any, folder: Path) -> list[bytes]:
    """The reader's file as it is sent."""
    config = SimpleNamespace(data=folder, country="FR", name="esanum France")
    node: Any = SimpleNamespace(store=store, clock=lambda: NOW, origin=HERE, config=config)
    file = await Exports(node).make(Owner("a-reader", READER), "en")
    try:
        assert [] == list(folder.glob("tmp*"))
        return list(file.parts())
    finally:
        file.close()


async def test_every_page_is_in_the_file_once(store: Store, tmp_path: Path) -> None:
    """Posts of one moment are neither left out nor told twice where a page ends, each with its own named doctors."""

    async def fill(tx: Transaction) -> None:
        for number in range(MANY):
            await add_post(tx, number)
        await add_post(tx, MANY, author=f"{HERE}/doctors/other")

    await store.write(fill)
    posts = (await file_of(store, tmp_path))["posts"]

    assert [f"T{number}" for number in reversed(range(MANY))] == [each["title"] for each in posts]
    assert [[f"{HERE}/doctors/named{number}"] for number in reversed(range(MANY))] == [
        [named["doctor"] for named in each["named"]] for each in posts
    ]


class _Meddled:
    """Rows in the middle of whose reading somebody blocks a colleague, by another connection."""

    def __init__(self, rows: Reader, meddle: Any) -> None:
        self._rows, self._meddle = rows, meddle

    async def one(self, query: str, /, **values: Any) -> Row | None:
        return await self._rows.one(query, **values)

    async def all(self, query: str, /, **values: Any) -> list[Row]:
        found = await self._rows.all(query, **values)
        if query == "export.profile":
            await self._meddle()
        return found


class _Meddling:
    """A store whose snapshots are meddled with."""

    def __init__(self, store: Store, meddle: Any) -> None:
        self._store, self._meddle = store, meddle

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def read(self, look: Any) -> Any:
        return await self._store.read(lambda rows: look(_Meddled(rows, self._meddle)))


async def test_what_is_in_the_file_belongs_together(store: Store, address: str, tmp_path: Path) -> None:
    """What is committed while the file is made is in none of its parts; the next file has it."""
    block = f"insert into blocks (doctor, blocked, at) values ('{READER}', '{HERE}/doctors/other', 0) on conflict do nothing"

    async def meddle() -> None:
        if store.engine == "sqlite":
            import sqlite3

            with sqlite3.connect(address.removeprefix("sqlite://")) as db:
                db.execute(block)
            return
        import asyncpg

        connection = await asyncpg.connect(address)
        try:
            await connection.execute(block)
        finally:
            await connection.close()

    first = await file_of(_Meddling(store, meddle), tmp_path)
    then = await file_of(store, tmp_path)

    assert ([], 1) == (first["blocks"], len(then["blocks"]))


class GivenUp(Exports):
    """One whose request is given up when its file has been begun, be the file made on the loop or in a thread."""

    making: asyncio.Task[Any] | None = None

    async def _fill(self, *given: Any) -> None:
        if self.making is not None:
            self.making.get_loop().call_soon_threadsafe(self.making.cancel)
        await super()._fill(*given)


async def test_whoever_goes_away_meanwhile_leaves_nothing(store: Store, tmp_path: Path) -> None:
    """A request that is given up while its file is made ends without an entry, and counts for nothing."""

    async def fill(tx: Transaction) -> None:
        for number in range(MANY):
            await add_post(tx, number)

    await store.write(fill)
    config = SimpleNamespace(data=tmp_path, country="FR", name="esanum France")
    exports = GivenUp(cast("Any", SimpleNamespace(store=store, clock=lambda: NOW, origin=HERE, config=config)))
    exports.making = asyncio.create_task(exports.make(Owner("a-reader", READER), "en"))
    with pytest.raises(asyncio.CancelledError):
        await exports.making
    exports.making = None
    for _ in range(3):
        (await exports.make(Owner("a-reader", READER), "en")).close()

    assert not exports._turn.locked()
    assert 3 == len(await store.all("audit.page", after=0, most=9))
    with pytest.raises(Rejected, match="too_many_exports"):
        await exports.make(Owner("a-reader", READER), "en")


async def test_the_memory_does_not_grow_with_what_was_written(store: Store, tmp_path: Path) -> None:
    """Of more than twenty megabytes that do not pack well less than half is in memory at a time."""
    whole = 12 * PAGE

    async def fill(tx: Transaction) -> None:
        for number in range(whole):
            await add_post(tx, number, text=f"<p>{secrets.token_hex(6_000)}</p>")

    # What is read and compiled once is there before.
    await parts_of(store, tmp_path)
    await store.write(fill)
    config = SimpleNamespace(data=tmp_path, country="FR", name="esanum France")
    node: Any = SimpleNamespace(store=store, clock=lambda: NOW, origin=HERE, config=config)
    gc.collect()
    tracemalloc.start()
    file = await Exports(node).make(Owner("a-reader", READER), "en")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    size = file.size
    file.close()

    assert size > 8_000_000
    assert peak < 11_000_000


# ── what could be forgotten ──


def columns() -> dict[str, set[str]]:
    """The columns of every table of the schema."""
    found: dict[str, set[str]] = {}
    schema = "\n".join(re.sub(r"--.*", "", path.read_text("utf-8")) for path in sorted(SCHEMA.glob("*.sql")))
    for table, body in re.findall(r"create table (\w+) \((.*?)\n\);", schema, re.DOTALL):
        found[table] = set(re.findall(r"^    (?!primary|unique|check)(\w+) ", body, re.MULTILINE))
    for table, column in re.findall(r"alter table (\w+) add column (\w+)", schema):
        found[table].add(column)
    return found


def read() -> dict[str, set[str]]:
    """The words of all queries of the export that read a table, by table."""
    found: dict[str, set[str]] = {}
    queries = Queries(QUERIES, "sqlite")
    for query in (*(each for each in queries if each.name.startswith("export.")), queries["audit.of_dossier"]):
        for table in re.findall(r"(?:from|join) (\w+)", query.text):
            found.setdefault(table, set()).update(re.findall(r"\w+", query.text))
    return found


def test_no_table_is_forgotten() -> None:
    """Every table is read for the file, or is left out with a reason, and not both."""
    left_out = {name for name in LEFT_OUT if "." not in name}

    assert set() == columns().keys() - read().keys() - left_out
    assert set() == read().keys() & left_out
    assert set() == left_out - columns().keys()


def test_no_column_is_forgotten() -> None:
    """Of a table that is read every column is in the file, or is left out with a reason, and not both."""
    known = {f"{table}.{name}" for table, names in columns().items() for name in names}
    named = {f"{table}.{name}" for table, names in columns().items() for name in names & read().get(table, set())}
    tables = {f"{table}.{name}" for table in read() for name in columns()[table]}
    left_out = {name for name in LEFT_OUT if "." in name}

    assert [] == sorted(tables - named - left_out)
    assert [] == sorted(left_out - known)


def test_every_section_has_a_query_of_its_own() -> None:
    """And no query is idle."""
    queries = {each.name for each in Queries(QUERIES, "sqlite") if each.name.startswith("export.")}
    beside = {
        f"export.{each}_{name}" for name in ("posts", "comments") for each in ("revisions_of", "named_in", "copies_of")
    }

    assert {f"export.{section.name}" for section in SECTIONS if section.name != "log"} | {"export.dossiers"} == (
        queries - beside
    )
