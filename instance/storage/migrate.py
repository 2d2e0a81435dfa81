"""Numbered migrations: which there are, and which are missing.

`schema/NNNN_name.sql` holds for both engines; `NNNN_name.sqlite.sql` and `NNNN_name.postgres.sql` are the parts of one
alone. Each file is one transaction together with its row in `schema_migrations`. A file that was applied never changes.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from instance.storage.errors import Misused, SchemaChanged
from instance.storage.queries import Engine

TABLE = (
    "create table if not exists schema_migrations ("
    "number bigint not null, name text not null, checksum text not null, applied_at bigint not null, "
    "primary key (number, name))"
)
APPLIED = "select number, name, checksum from schema_migrations order by number, name"

_FILE = re.compile(r"(\d{4})_([a-z0-9_]+)(?:\.(sqlite|postgres))?\.sql")

# A file is one transaction; one that ends it half-way could be left half applied.
_TRANSACTION = re.compile(
    r"^\s*(begin|commit|rollback)(\s+(immediate|exclusive|transaction|work))?\s*;", re.IGNORECASE | re.MULTILINE
)


@dataclass(frozen=True, slots=True, order=True)
class Migration:
    """One file of the schema; `name` ends in the engine where the file is of one engine alone."""

    number: int
    name: str
    checksum: str
    script: str

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.number:04}_{self.name}.sql"

    def row(self) -> tuple[int, str, str, int]:
        """Its row in `schema_migrations`, applied now."""
        return self.number, self.name, self.checksum, time.time_ns() // 1_000_000


def read_migrations(folder: Path, engine: Engine) -> list[Migration]:
    """Return the migrations of this engine in the order in which they are applied."""
    found: list[Migration] = []
    stems: dict[int, str] = {}
    for path in sorted(folder.glob("*.sql")):
        matched = _FILE.fullmatch(path.name)
        if matched is None:
            raise Misused(f"{path.name} is no name of a migration (NNNN_name.sql)")
        number, stem, only = int(matched[1]), matched[2], matched[3]
        if stems.setdefault(number, stem) != stem:
            raise Misused(f"two migrations are numbered {number:04}: {stems[number]} and {stem}")
        if only in (None, engine):
            found.append(_read(path, number, f"{stem}.{only}" if only else stem))
    return sorted(found)


def missing(migrations: Iterable[Migration], applied: Iterable[tuple[int, str, str]]) -> list[Migration]:
    """Return what is still to be applied; raise SchemaChanged where the two histories are not one."""
    known = {(number, name): checksum for number, name, checksum in applied}
    last = max(known, default=(0, ""))
    waiting: list[Migration] = []
    for migration in migrations:
        checksum = known.pop((migration.number, migration.name), None)
        if checksum is None and (migration.number, migration.name) < last:
            raise SchemaChanged(f"{migration.file} appeared after a later migration was applied")
        if checksum is None:
            waiting.append(migration)
        elif checksum != migration.checksum:
            raise SchemaChanged(f"{migration.file} is not what was applied; put it back and add a new migration")
    for number, name in known:
        raise SchemaChanged(f"the database has {number:04}_{name}.sql, which this version does not know")
    return waiting


def _read(path: Path, number: int, name: str) -> Migration:
    raw = path.read_bytes()
    script = raw.decode("utf-8")
    if _TRANSACTION.search(script):
        raise Misused(f"{path.name} begins or ends a transaction; each migration is one already")
    return Migration(number, name, hashlib.sha256(raw).hexdigest(), script)
