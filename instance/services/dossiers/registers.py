"""Imported registers: a file becomes a snapshot beside the one in force, and takes its place at once.

Rows are written as they are read, a batch in a transaction: memory does not grow with the file. What begins and does
not come to its end changes nothing and is cleared away by the next import. Afterwards every verified doctor of the
register is compared: as before, verified again without a word; missing, inactive or renamed, a task for a reviewer.

Whoever works with a snapshot holds it, for some minutes at a time: another import of the register is refused until
then. How far the comparison has come stands on the snapshot; one that nobody holds any more is gone on with by a chore.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from instance.ids import new_ulid
from instance.services.dossiers import carrying, chain, pieces
from instance.services.dossiers.cases import Decision
from instance.services.dossiers.values import File, RegisterAnswer
from instance.services.errors import Rejected
from instance.storage.errors import StorageUnavailable
from instance.storage.store import Row, Transaction
from instance.times import from_ms, to_ms
from verification import timing
from verification.acts import Outcome
from verification.dossier import Country
from verification.names import same_name
from verification.people import SYSTEM
from verification.registers import column_map
from verification.registers.column_map import BadColumnMap, ColumnMap
from verification.registers.imports import BadLine, BadRegisterFile, RegisterEntry, entries
from verification.registers.numbers import Number

if TYPE_CHECKING:
    from instance.services.dossiers import Dossiers

CODES: Final = ("register_busy", "register_unknown", "register_file", "column_map", "register_shrunk", "register_empty")
#: A snapshot with fewer doctors than this share of the last one is not taken unless somebody insists.
LEAST: Final = 0.9
_BATCH: Final = 2_000
_COMPARED: Final = 200
#: A snapshot is held so long after its last sign of work.
_HELD: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import did."""

    register: str
    doctors: int
    bad_lines: int
    before: int
    unchanged: int
    changed: int


@dataclass(frozen=True, slots=True)
class _Comparing:
    """What verified doctors are held against."""

    snapshot: str
    register: str
    country: str
    kind: str


class Registers:
    """The imported registers of this instance."""

    def __init__(self, dossiers: Dossiers) -> None:
        self._dossiers, self._node, self._store = dossiers, dossiers.node, dossiers.node.store
        #: How far the import is that is at work: bytes read, bytes in all, entries.
        self.progress = (0, 0, 0)
        self._at_work = False

    # ── asking ──

    async def answer(self, number: Number | None, country: str, name: str) -> RegisterAnswer | None:
        """What the country's imported register says of a number, beside a name; None where it does not know it."""
        register = self._imported(country)
        if number is None or register is None:
            return None
        found = await self._store.all("registers.entries", register=register, kind=number.kind, number=number.value)
        return _answer(found, name) if found else None

    async def known(self, dossier_id: str) -> frozenset[str]:
        """The pieces of the application whose number an imported register knows, as active and under this name."""
        file, found = await self._dossiers.file(dossier_id), set()
        for each in file.counting():
            answer = await self.answer(each.number, file.dossier.country, file.said.name)
            if answer is not None and answer.active and answer.same_name:
                found.add(each.id)
        return frozenset(found)

    async def list(self) -> list[Row]:
        """The snapshots in force."""
        return await self._store.all("registers.all_current")

    # ── importing ──

    async def bring_in(
        self, register: str, path: Path, *, by: str = SYSTEM.id, map_text: str = "", force: bool = False
    ) -> Imported:  # fmt: skip
        """Read a file into a new snapshot, put it in force, and compare every verified doctor of the register.

        Raises Rejected: register_unknown, column_map, register_file, register_empty, and register_shrunk for one with
        less than nine tenths of the doctors of the last, unless `force`. Nothing is in force then that was not before.
        """
        columns = self._map(register, map_text)
        if self._at_work:
            raise Rejected("register_busy", status=409)
        self._at_work, self.progress = True, (0, 0, 0)
        try:
            return await self._bring_in(register, columns, path, by, force=force)
        finally:
            self._at_work = False

    async def _bring_in(self, register: str, columns: ColumnMap, path: Path, by: str, *, force: bool) -> Imported:
        snapshot = new_ulid(self._node.clock())
        last = await self._store.write(partial(self._begin, snapshot, register, columns))
        try:
            await self._clear(register, but=snapshot)
            bad = await self._fill(snapshot, register, columns, path)
            doctors = await self._count(snapshot)
            before = 0 if last is None else int(last["doctors"])
            _require_enough(doctors, before, force=force)
            await self._store.write(partial(self._swap, snapshot, register, doctors, bad, by))
        except BaseException:
            await self._store.write(partial(_let_go, snapshot))
            await self._clear(register, but="")
            raise
        await self._clear(register, but="")
        comparing = _Comparing(snapshot, register, columns.country, columns.number_column.kind or register)
        unchanged, changed = await self._compare(comparing, "")
        return Imported(
            register=register, doctors=doctors, bad_lines=bad, before=before, unchanged=unchanged, changed=changed
        )

    async def go_on(self) -> int:
        """Go on with comparisons that were ended in the middle; return how many came to their end. A chore."""
        if self._at_work:
            return 0
        done, now = 0, to_ms(self._node.clock())
        for row in await self._store.all("registers.to_compare", now=now):
            if await self._store.write(partial(self._take_up, row["id"])):
                comparing = _Comparing(row["id"], row["register"], row["country"], row["kind"])
                await self._compare(comparing, row["compare_from"])
                done += 1
        return done

    def _map(self, register: str, map_text: str) -> ColumnMap:
        kinds = self._dossiers.kinds()
        try:
            maps = column_map.read_maps(map_text, kinds) if map_text else column_map.shipped()
        except BadColumnMap as fault:
            raise Rejected("column_map", "map") from fault
        if register not in maps:
            raise Rejected("register_unknown", "name")
        return maps[register]

    async def _begin(self, snapshot: str, register: str, columns: ColumnMap, tx: Transaction) -> Row | None:
        """Begin a snapshot and hold it; return the one in force. Raises Rejected(register_busy)."""
        await tx.take_turn(f"register {register}")
        now = to_ms(self._node.clock())
        if await tx.one("registers.at_work", register=register, now=now) is not None:
            raise Rejected("register_busy", status=409)
        await tx.run(
            "registers.begin", id=snapshot, register=register, country=columns.country, at=now,
            kind=columns.number_column.kind or register, until=self._until(),
        )  # fmt: skip
        return await tx.one("registers.current", register=register)

    def _until(self) -> int:
        return to_ms(self._node.clock() + _HELD)

    async def _take_up(self, snapshot: str, tx: Transaction) -> int:
        return await tx.run("registers.take_up", id=snapshot, now=to_ms(self._node.clock()), until=self._until())

    async def _fill(self, snapshot: str, register: str, columns: ColumnMap, path: Path) -> int:
        """Write every entry; return how many lines gave none."""
        bad = part = 0
        size = await asyncio.to_thread(_size, path)
        with await asyncio.to_thread(_opened, path) as stream:
            reading = entries(stream, register, columns, self._dossiers.kinds())
            while batch := await asyncio.to_thread(_batch, reading):
                bad += sum(isinstance(each, BadLine) for each in batch)
                found = [each for each in batch if isinstance(each, RegisterEntry)]
                lines = [_row(snapshot, part + place, each) for place, each in enumerate(found)]
                part += len(lines)
                await self._store.write(partial(self._add, snapshot, lines))
                self.progress = (_told(stream), size, part)
        return bad

    async def _add(self, snapshot: str, lines: Iterable[dict[str, Any]], tx: Transaction) -> None:
        if not await tx.run("registers.hold", id=snapshot, state="loading", until=self._until()):
            raise Rejected("register_busy", status=409)
        await tx.many("registers.add", lines)

    async def _count(self, snapshot: str) -> int:
        row = await self._store.all("registers.count", snapshot=snapshot)
        return int(row[0]["number"])

    async def _swap(self, snapshot: str, register: str, doctors: int, bad: int, by: str, tx: Transaction) -> None:
        await tx.take_turn(f"register {register}")
        if not await tx.run("registers.put_in_force", id=snapshot, doctors=doctors, bad_lines=bad):
            raise Rejected("register_busy", status=409)  # another import has cleared it away
        await tx.run("registers.hold", id=snapshot, state="current", until=self._until())
        await tx.run("registers.retire", register=register, but=snapshot)
        await chain.append(tx, "register.imported", self._node.clock(), by, thing=f"s-{snapshot.lower()}")

    async def _clear(self, register: str, *, but: str) -> None:
        """Drop what is neither in force nor held by anybody, a part at a time."""
        now = to_ms(self._node.clock())
        for row in await self._store.all("registers.not_in_force", register=register, but=but, now=now):
            while await self._store.write(partial(_drop_some, row["id"])):
                await asyncio.sleep(0)
            await self._store.write(partial(_drop, row["id"]))

    # ── comparing ──

    async def _compare(self, what: _Comparing, after: str) -> tuple[int, int]:
        """Hold every verified doctor with a number of this register against it; count those as before, and the rest.

        Ends early where another snapshot has come in force, which is compared by whoever brought it in.
        """
        unchanged = changed = 0
        while found := await self._store.all("dossiers.of_register", kind=what.kind, after=after, most=_COMPARED):
            for row in found:
                after = row["id"]
                try:
                    same = await self._compare_one(row["id"], what)
                except Rejected as fault:  # one who is being decided on just now keeps no other from it
                    self._node.log.warning("register_not_compared", dossier=row["id"], code=fault.code)
                    continue
                except StorageUnavailable:
                    raise
                except Exception as fault:  # nor one whose rows are damaged, or the rest would never be reached
                    self._node.log.error("register_not_compared", dossier=row["id"], error=type(fault).__name__)
                    continue
                unchanged, changed = unchanged + same, changed + (not same)
            if not await self._store.write(partial(_compared, what.snapshot, after, self._until())):
                return unchanged, changed
        await self._store.write(partial(_compared, what.snapshot, None, 0))
        return unchanged, changed

    async def _compare_one(self, dossier_id: str, comparing: _Comparing) -> bool:
        file = await self._dossiers.file(dossier_id)
        if file.dossier.country != comparing.country:
            return True
        what = await self._what_changed(file, comparing.register, comparing.kind)
        if what:
            await self._store.write(partial(self._add_task, file, comparing.register, what))
            return False
        await self._verify_again(dossier_id)
        return True

    async def _what_changed(self, file: File, register: str, kind: str) -> str:
        """What the register says otherwise; whoever has no number left to ask for is missing in it."""
        compared = False
        for each in file.pieces:
            if not each.counts or each.number is None or each.number.kind != kind:
                continue
            found = await self._store.all("registers.entries", register=register, kind=kind, number=each.number.value)
            if not found:
                return "missing"
            answer = _answer(found, file.said.name)
            if not answer.active:
                return "inactive"
            if not answer.same_name:
                return "renamed"
            compared = True
        return "" if compared else "missing"

    async def _verify_again(self, dossier_id: str) -> None:
        """Silently; who is not followed by the register, or is doubted by people, is left as they are."""

        def decide(file: File, now: datetime) -> Decision:
            if not file.dossier.followed or (file.dossier.campaign is not None and not _quiet(file)):
                return Decision(outcome=Outcome(file.dossier, ()))
            until = pieces.latest(file.dossier, self._dossiers.policy(file.dossier.country), now)
            return Decision(outcome=timing.register_unchanged(file.dossier, now, until=until))

        file = await self._dossiers.file(dossier_id)
        if file.dossier.followed:
            await self._dossiers.cases.carry(dossier_id, decide, seen=None)

    async def _add_task(self, file: File, register: str, what: str, tx: Transaction) -> None:
        now, dossier = self._node.clock(), file.dossier
        added = await tx.run(
            "dossiers.add_task", id=new_ulid(now), dossier=dossier.id, register=register, what=what, at=to_ms(now)
        )
        if not added:
            return
        await carrying.tell(
            self._node, tx, whom="reviewers", dossier=dossier.id, account="", country=dossier.country,
            notice="register_changed", grounds=[], until=None, now=now,
        )  # fmt: skip
        await chain.append(tx, "register.changed", now, SYSTEM.id, dossier=dossier.id)

    def _imported(self, country: str) -> str | None:
        policy = self._dossiers.policies().get(Country(country))
        return None if policy is None or policy.register is None else policy.register.imported


def _quiet(file: File) -> bool:
    return file.dossier.state.value == "approved"


def _require_enough(doctors: int, before: int, *, force: bool) -> None:
    if not doctors:
        raise Rejected("register_empty", "file")
    if doctors < LEAST * before and not force:
        raise Rejected("register_shrunk", "file", status=409)


def _batch(reading: Iterator[RegisterEntry | BadLine]) -> list[RegisterEntry | BadLine]:
    try:
        return list(islice(reading, _BATCH))
    except BadRegisterFile as fault:
        raise Rejected("register_file", "file") from fault


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as fault:
        raise Rejected("register_file", "file") from fault


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as fault:
        raise Rejected("register_file", "file") from fault


def _told(stream: BinaryIO) -> int:
    return stream.tell() if not stream.closed else 0


async def _let_go(snapshot: str, tx: Transaction) -> None:
    await tx.run("registers.let_go", id=snapshot)


async def _compared(snapshot: str, place: str | None, until: int, tx: Transaction) -> int:
    return await tx.run("registers.compared_up_to", id=snapshot, place=place, until=until)


async def _drop_some(snapshot: str, tx: Transaction) -> int:
    return await tx.run("registers.drop_entries", snapshot=snapshot, most=20_000)


async def _drop(snapshot: str, tx: Transaction) -> None:
    await tx.run("registers.drop", id=snapshot)


def _row(snapshot: str, part: int, entry: RegisterEntry) -> dict[str, Any]:
    other = {name: list(values) for name, values in entry.other.items()}
    return {
        "snapshot": snapshot, "kind": entry.number.kind, "number": entry.number.value, "part": part,
        "family": entry.family, "given": entry.given, "folded": entry.folded, "active": int(entry.active),
        "other": json.dumps(other, ensure_ascii=False),
    }  # fmt: skip


def _answer(found: list[Row], name: str) -> RegisterAnswer:
    """One answer out of the rows of one number: active where one of them is, and under this name where one is."""
    other: dict[str, tuple[str, ...]] = {}
    for row in found:
        for key, values in json.loads(row["other"]).items():
            other[key] = tuple(dict.fromkeys((*other.get(key, ()), *values)))
    fitting = [row for row in found if same_name(f"{row['given']} {row['family']}", name)]
    shown = (fitting or found)[0]
    return RegisterAnswer(
        name=f"{shown['given']} {shown['family']}".strip(), active=any(row["active"] for row in fitting or found),
        same_name=bool(fitting), other=other, imported_at=from_ms(found[0]["at"]),
    )  # fmt: skip
