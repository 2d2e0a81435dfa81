"""Rows: one `Store` promise (store.py), two engines (sqlite.py, postgres.py), SQL in named files (queries/).

Read in this order: store (the promise), errors (what it raises), queries and migrate (the files), sqlite with
sqlite_writer and sqlite_rows (the embedded engine, group commit), postgres (the other one).
"""

from __future__ import annotations

from pathlib import Path

from instance.storage.errors import Misused
from instance.storage.store import Store

_HERE = Path(__file__).resolve().parent
SCHEMA = _HERE / "schema"
QUERIES = _HERE / "queries"


async def open_store(
    where: str | Path, *, schema_dir: Path = SCHEMA, queries_dir: Path = QUERIES, examine: bool = False
) -> Store:
    """Open the database at a path, `sqlite:///absolute/path` or `postgresql://…`; migrate() is the caller's next step.

    `examine` reads through the whole SQLite file first and raises DatabaseDamaged where it is not sound.
    Raises AlreadyRunning where another process has the file, NotSupported where the database cannot be used.
    """
    if str(where).startswith(("postgresql://", "postgres://")):
        from instance.storage.postgres import open_postgres

        return await open_postgres(str(where), schema_dir, queries_dir)
    from instance.storage.sqlite import open_sqlite

    return await open_sqlite(_path(where), schema_dir, queries_dir, examine=examine)


def _path(where: str | Path) -> Path:
    if isinstance(where, Path):
        return where
    if not where.startswith("sqlite:///") or where == "sqlite:///":
        raise Misused("a database is a Path, sqlite:///absolute/path or postgresql://…")
    return Path("/" + where.removeprefix("sqlite:///").lstrip("/"))
