"""What the evidence vault has on the disk: sealed files, wrapped keys, and the record of what was erased.

    evidence/ID.sealed      ciphertext, each under a key of its own     backed up with the database
    evidence-keys.db        those keys, wrapped by `evidence_kek`       backed up apart, for a week
    evidence-erased.log     the ids of what must never be read again    append-only, replayed at every start
    evidence-orphans.log    since when nobody can name what is here     of this machine alone, in no back-up

Nothing here knows what is in a file. What is done is on the disk when a function returns; all of it blocks, and is
called in a thread.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from instance.vault import sync_folder

_SEALED: Final = ".sealed"
_PART: Final = ".part"
_ULID: Final = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}\Z")
_LINE: Final = re.compile(r"[0-9A-HJKMNP-TV-Z]{26} [a-z_]+ [0-9]+\Z")
_SEEN: Final = re.compile(r"[0-9A-HJKMNP-TV-Z]{26} [0-9]{1,15}\Z")
#: Seconds that one process waits for another that is at the keys.
_BUSY: Final = 10.0
_TABLES: Final = (
    "create table if not exists wrapped_keys (id text not null primary key, wrapped blob not null) without rowid",
    "create table if not exists checks (one integer not null primary key check (one = 1), sealed blob not null)",
)


_OTHERWISE: Final = "select id, wrapped from wrapped_keys where substr(wrapped, 1, 5) <> ? order by id"


class SealedFiles:
    """A folder of ciphertext; a file is there whole or not at all, and never changes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def prepare(self) -> None:
        """Make the folder for its owner alone."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)

    def write(self, id: str, sealed: bytes) -> None:
        """Put a new file in its place at once."""
        _put(self._folder / f"{id}{_PART}", self._folder / f"{id}{_SEALED}", sealed)

    def read(self, id: str) -> bytes:
        """Return the bytes; raise FileNotFoundError."""
        return (self._folder / f"{id}{_SEALED}").read_bytes()

    def remove(self, ids: Iterable[str]) -> None:
        """Take files away, finished or not; those that are not there are no fault."""
        for id in ids:
            for end in (_SEALED, _PART):
                (self._folder / f"{id}{end}").unlink(missing_ok=True)
        sync_folder(self._folder)

    def ids(self) -> set[str]:
        """What is there, also what was not finished."""
        names = (path.name.partition(".") for path in self._folder.iterdir())
        return {id for id, dot, end in names if _ULID.match(id) and dot + end in (_SEALED, _PART)}

    def copy_to(self, target: Path, erased: set[str]) -> int:
        """Bring a copy of the folder up to date; return how many were added. What was erased is taken from it."""
        copy = SealedFiles(target)
        copy.prepare()
        there, added = copy.ids(), 0
        for path in sorted(self._folder.glob(f"*{_SEALED}")):
            id = path.name.removesuffix(_SEALED)
            if id in there or id in erased:
                continue
            try:
                copy.write(id, path.read_bytes())
            except FileNotFoundError:  # destroyed in this moment
                continue
            added += 1
        copy.remove(there & erased)
        return added


class WrappedKeys:
    """A small SQLite file of wrapped keys. What is destroyed is overwritten, in the file and in its journal."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def there(self) -> bool:
        """Whether the file exists; only `create` makes one."""
        return self._path.exists()

    def create(self, check: bytes) -> None:
        """Make the file, with something sealed by which the key-encryption key is known again."""
        os.close(os.open(self._path, os.O_CREAT | os.O_CLOEXEC, 0o600))
        with self._changing() as connection:
            for table in _TABLES:
                connection.execute(table)
            connection.execute("insert into checks values (1, ?) on conflict do nothing", (check,))
        sync_folder(self._path.parent)

    def settle(self) -> None:
        """Finish or undo what a crash interrupted, and leave nothing of it in the journal."""
        # SQLite takes a journal away when it has undone what stands in it; by its second name it can be overwritten.
        journal = self._path.with_name(f"{self._path.name}-journal")
        second = journal.with_name(f"{journal.name}-old")
        if journal.exists() and not second.exists():
            os.link(journal, second)
        with self._changing():
            # Alone at the file, and nothing of ours in a journal yet.
            _blacken(second)
            second.unlink(missing_ok=True)

    def check(self) -> bytes | None:
        """Return what was given to `create`, or None where it never came to that."""
        with closing(self._connect()) as connection:
            row = connection.execute("select sealed from checks").fetchone()
        return None if row is None else bytes(row[0])

    def add(self, id: str, wrap: Callable[[bytes], bytes]) -> None:
        """Keep a new key, wrapped while nobody else is at the file; `wrap` is given what `check` returns then."""
        with self._changing() as connection:
            (check,) = connection.execute("select sealed from checks").fetchone()
            connection.execute("insert into wrapped_keys values (?, ?)", (id, wrap(check)))

    def rewrap(
        self, head: bytes, check: bytes, wrap: Callable[[str, bytes], bytes | None], most: int
    ) -> tuple[int, int]:  # fmt: skip
        """Wrap so many keys anew that do not begin with this head, and put another check in its place, at once.

        Return how many were wrapped, and how many were left as they are because `wrap` returned None.
        """
        with self._changing() as connection:
            connection.execute("update checks set sealed = ?", (check,))
            found = connection.execute(_OTHERWISE, (head,)).fetchmany(most)
            new = [(wrapped, id) for id, old in found if (wrapped := wrap(id, bytes(old))) is not None]
            connection.executemany("update wrapped_keys set wrapped = ? where id = ?", new)
        return len(new), len(found) - len(new)

    def get(self, id: str) -> bytes | None:
        """Return a wrapped key, or None."""
        with closing(self._connect()) as connection:
            row = connection.execute("select wrapped from wrapped_keys where id = ?", (id,)).fetchone()
        return None if row is None else bytes(row[0])

    def ids(self) -> set[str]:
        """Whose keys are kept."""
        with closing(self._connect()) as connection:
            return {id for (id,) in connection.execute("select id from wrapped_keys")}

    def destroy(self, ids: Iterable[str]) -> None:
        """Overwrite and delete these keys; those that are not there are no fault."""
        rows = [(id,) for id in ids]
        with self._changing() as connection:
            connection.executemany("update wrapped_keys set wrapped = zeroblob(length(wrapped)) where id = ?", rows)
            connection.executemany("delete from wrapped_keys where id = ?", rows)

    def copy_to(self, target: Path) -> None:
        """Write a copy of one instant; raise FileExistsError rather than overwrite."""
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with closing(self._connect()) as source, closing(sqlite3.connect(target, isolation_level=None)) as copy:
            source.backup(copy)
        sync_folder(target.parent)

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, alone at the file; the journal, which holds what stood there before, is overwritten."""
        with closing(self._connect()) as connection:
            # Kept until the connection closes, and so beyond the commit.
            connection.execute("pragma locking_mode = exclusive")
            connection.execute("begin exclusive")
            try:
                yield connection
                connection.execute("commit")
            except BaseException:
                connection.execute("rollback")
                raise
            # Not after a rollback that failed: then the journal is what mends the file.
            _blacken(self._path.with_name(f"{self._path.name}-journal"))

    def _connect(self) -> sqlite3.Connection:
        """Connect to a file that is there; raise sqlite3.Error."""
        connection = sqlite3.connect(f"{self._path.as_uri()}?mode=rw", uri=True, timeout=_BUSY, isolation_level=None)
        try:
            for pragma in ("journal_mode = persist", "synchronous = full", "secure_delete = on", "temp_store = memory"):
                connection.execute(f"pragma {pragma}").fetchall()
        except BaseException:
            connection.close()
            raise
        return connection


class ErasureLog:
    """Lines `ID reason milliseconds`, only ever added: what stands here is destroyed again after any restore."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, ids: Iterable[str], why: str, at: int) -> None:
        """Record that these are to be destroyed, before they are."""
        self._add(f"{id} {why} {at}" for id in ids)

    def read(self) -> dict[str, str]:
        """Return the recorded ids with their reasons."""
        return {id: line.split(" ")[1] for id, line in self._lines().items()}

    def copy_to(self, folder: Path) -> None:
        """Add to the record in a folder what it has not yet."""
        copy = ErasureLog(folder / self._path.name)
        known = copy._lines()
        copy._add(line for id, line in self._lines().items() if id not in known)

    def _add(self, lines: Iterable[str]) -> None:
        new = not self._path.exists()
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            # Behind a line that a crash has torn everything would belong to it; an empty line is none.
            file.write("\n".join(["", *lines, ""]).encode())
            file.flush()
            os.fsync(file.fileno())
        if new:
            sync_folder(self._path.parent)

    def _lines(self) -> dict[str, str]:
        """The whole lines by their ids."""
        try:
            lines = self._path.read_text("utf-8", "replace").split("\n")
        except FileNotFoundError:
            return {}
        return {line[:26]: line for line in lines if _LINE.match(line)}


class Orphans:
    """Lines `ID milliseconds`: when what no row names was first seen so. A line that is torn is seen anew."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def see(self, ids: Iterable[str], at: int) -> dict[str, int]:
        """Return since when each of these is an orphan, new ones from now; forget those that are none any more."""
        known = self._read()
        seen = {id: min(known.get(id, at), at) for id in sorted(ids)}
        if seen != known:
            part = self._path.with_name(f"{self._path.name}.{os.getpid()}{_PART}")  # another process may look too
            part.unlink(missing_ok=True)
            _put(part, self._path, "".join(f"{id} {since}\n" for id, since in seen.items()).encode())
        return seen

    def _read(self) -> dict[str, int]:
        try:
            lines = self._path.read_text("utf-8", "replace").split("\n")
        except FileNotFoundError:
            return {}
        return {line[:26]: int(line[27:]) for line in lines[:-1] if _SEEN.match(line)}


def _put(part: Path, target: Path, content: bytes) -> None:
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.rename(target)
    sync_folder(target.parent)


def _blacken(path: Path) -> None:
    """Overwrite a file in its place, and leave it empty."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        os.pwrite(descriptor, bytes(os.fstat(descriptor).st_size), 0)
        os.fsync(descriptor)
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)
