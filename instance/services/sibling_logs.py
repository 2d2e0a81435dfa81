"""The logs between siblings: ours as they read it, and what we keep of theirs.

    ours     every delivery has a number that rises by one for its sibling; together they are that sibling's log
    theirs   each message that comes leaves its number and, for some days, its signed head and its words

An epoch says which counting a number is of. It is drawn once, and anew when an older state of the rows was put back:
numbers given twice are never taken for one another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from federation import catch_up
from federation.allowlist import Sibling
from federation.catch_up import Entry, Keepsake, LogNumber, Page
from federation.delivery import Priority
from federation.errors import NotFound
from federation.inbox import Reader
from federation.integrity import Json
from federation.ports import Delivery
from federation.sibling_sets import Passage
from federation.signatures import Profile, sign
from federation.uri import Uri
from instance.ids import new_ulid
from instance.services import circles, own_set
from instance.storage.store import Reader as Rows
from instance.storage.store import Row, Transaction
from instance.times import to_ms

if TYPE_CHECKING:
    from instance.wiring import Node

#: How long what siblings sent is kept as it came: longer than the oldest back-up anybody should put back.
KEPT: Final = timedelta(days=8)
#: Rows that are dropped in one step.
STEP: Final = 1_000
_EPOCH: Final = "log epoch"
_COPIED: Final = "log copied"
_DIGITS: Final = 15


class SiblingLogs:
    """The pages of logs, and the number on each delivery; implements `federation.ports.Besides`."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._epoch = self._before = ""

    @property
    def epoch(self) -> str:
        """The counting of the numbers that are given now."""
        return self._epoch

    @property
    def before(self) -> str:
        """The counting before it, which ended where the present one begins; empty: none."""
        return self._before

    async def open(self) -> None:
        """Read the epoch; draw one where there is none, and another where these rows are a back-up's."""
        await self._node.store.write(self._open)
        await self.refresh()
        await self._node.sets.load()

    async def refresh(self) -> None:
        """Read the epoch as it stands in the rows."""
        row = await self._node.store.one("settings.get", name=_EPOCH)
        if row is not None:
            found = json.loads(row["value"])
            self._epoch, self._before = found["epoch"], found["before"]

    async def begin_anew(self, epoch: str, ends: Mapping[str, int]) -> None:
        """Draw another epoch, because a sibling has seen more of this one than these rows know; once.

        `ends` are the highest numbers that the rows knew when this process began, by sibling.
        """

        async def work(tx: Transaction) -> None:
            await tx.take_turn(_EPOCH)
            row = await tx.one("settings.get", name=_EPOCH)
            if row is None or json.loads(row["value"])["epoch"] != epoch:
                return  # another sibling has shown it already
            await self._draw(tx)
            await tx.many("logs.begin_epoch_at", [{"origin": one, "number": ends[one]} for one in sorted(ends)])

        await self._node.store.write(work)
        await self.refresh()
        await self._node.sets.load()

    async def before_copy(self) -> None:
        """Mark the rows, so that whoever opens a copy of them knows that it is one."""
        await self._node.store.write(_mark)

    async def after_copy(self) -> None:
        """Take the mark away here; the copy keeps it."""
        await self._node.store.write(_unmark)

    async def _open(self, tx: Transaction) -> None:
        known = await tx.one("settings.get", name=_EPOCH)
        copied = await tx.one("settings.get", name=_COPIED)
        if known is None or (copied is not None and copied["value"]):
            await self._draw(tx)
            await _unmark(tx)

    async def _draw(self, tx: Transaction) -> None:
        known = await tx.one("settings.get", name=_EPOCH)
        before = json.loads(known["value"])["epoch"] if known is not None else ""
        value = json.dumps({"epoch": new_ulid(self._node.clock()), "before": before})
        await tx.run("settings.set", name=_EPOCH, value=value)
        await tx.run("logs.begin_epoch")
        # What siblings said of their sets since then, these rows do not know.
        await tx.run("sibling_sets.doubt_all")
        if known is not None:
            await own_set.doubt_readers(tx)
        await tx.run("sibling_sets.raise_version")

    # ── what a delivery carries ──

    async def __call__(self, delivery: Delivery) -> dict[str, str]:
        """Return the number of the delivery as its header; nothing for what is older than the log."""
        if not delivery.number:
            return {}
        return {catch_up.HEADER: catch_up.number_header(LogNumber(self._epoch, delivery.number))}

    # ── what siblings read ──

    async def page(self, authority: str, after: str, reader: Reader) -> bytes:
        """Return a page of the log for the sibling that reads; NotFound for another's, and for what is no number."""
        number = _asked(authority, after, reader)
        await self._arrived(reader.sibling.origin, number)
        rows, last, begins = await self._node.store.read(lambda rows: _look(rows, reader.sibling.origin, number))
        entries, full = await self._entries(rows[: catch_up.ENTRIES], reader.sibling)
        await self._withhold(rows, reader.sibling.origin)
        await self._shown(rows, entries, reader.sibling.origin)
        goes_on = full or len(rows) > catch_up.ENTRIES
        through = entries[-1].last if goes_on else last
        numbers = [entry.number for entry in entries]
        whole = _joined([*entries, *catch_up.holes(numbers, number, through)])
        page = Page(self._epoch, self._before, begins if self._before else 0, last, tuple(whole[: catch_up.ENTRIES]))
        return await self._sealed(catch_up.write_page(page), catch_up.page_url(self._node.origin, authority, number))

    async def received(self, authority: str, epoch: str, after: str, reader: Reader) -> bytes:
        """Return what came from the sibling that reads, in one of its epochs and after a number."""
        number = _asked(authority, after, reader)
        asked = {"origin": reader.sibling.origin, "epoch": epoch}
        rows = await self._node.store.all("logs.kept", **asked, after=number, count=catch_up.ENTRIES)
        highest = await self._node.store.one("logs.highest", **asked)
        kept: list[Keepsake] = []
        size = 0
        for row in rows:
            one = Keepsake(int(row["number"]), row["head"], bytes(row["body"]))
            weight = catch_up.weight(one)
            if weight > catch_up.MAX_ENTRY:
                continue  # no reader takes it, and what lies behind it must be within reach
            size += weight
            if size > catch_up.PAGE_BYTES and kept:
                break
            kept.append(one)
        document = catch_up.write_received(int((highest or {}).get("number") or 0), kept)
        return await self._sealed(document, catch_up.received_url(self._node.origin, authority, epoch, number))

    async def _sealed(self, document: Mapping[str, Json], url: Uri) -> bytes:
        """Sign a page with our instance actor's key: whoever holds our address alone cannot make one."""
        key = await self._node.keys.proof_key(self._node.actor)
        return catch_up.seal_page(document, url, key, self._node.clock())

    async def _arrived(self, origin: str, number: int) -> None:
        """Settle what was given up and lies under the number from which the sibling asks: it misses nothing there."""

        async def work(tx: Transaction) -> None:
            now = to_ms(self._node.clock())
            for row in await tx.all("logs.arrived", origin=origin, number=number, now=now):
                if row["object"]:
                    about = {"object": row["object"], "origin": origin, "activity": row["activity"], "now": now}
                    # Each takes what is its own: a version, or a withdrawal.
                    await tx.run("copies.delivered", **about)
                    await tx.run("copies.released", **about)

        if number and await self._node.store.one("logs.given_up", origin=origin, number=number) is not None:
            await self._node.store.write(work)

    async def _withhold(self, rows: Sequence[Row], origin: str) -> None:
        """Note what stands on the page and is not said, since nobody there belongs to its circle today."""
        closed = sorted({row["object"] for row in rows if row["type"] in ("Create", "Update") and not row["inside"]})
        if closed:
            await self._node.store.write(lambda tx: circles.withheld(tx, origin, closed))

    async def _shown(self, rows: Sequence[Row], entries: Sequence[Entry], origin: str) -> None:
        """Note that what is read here may be there from now on, though it was never sent: its withdrawal goes there."""
        said = {entry.number for entry in entries if entry.body is not None}
        read = sorted({int(row["number"]) for row in rows if row["state"] != "done" and row["tried_at"] is None} & said)
        if read:
            rows_read = [{"origin": origin, "number": number, "now": to_ms(self._node.clock())} for number in read]
            await self._node.store.write(lambda tx: tx.many("logs.read", rows_read))

    async def _entries(self, rows: Sequence[Row], reader: Sibling) -> tuple[list[Entry], bool]:
        """Return one entry for each number, as long as they fit on the page; and whether some did not."""
        entries: list[Entry] = []
        size = 0
        for row in rows:
            if entries and entries[-1].number == row["number"]:
                continue  # the same activity to a second inbox
            entry = await self._entry(row, reader)
            size += catch_up.weight(entry)
            if size > catch_up.PAGE_BYTES and entries:
                return entries, True
            entries.append(entry)
        return entries, False

    async def _entry(self, row: Row, reader: Sibling) -> Entry:
        """What is said under a number today: never more than would be sent, or shown at the object's own address."""
        number = int(row["number"])
        closed = row["kind"] and row["kind"] not in reader.kinds_out
        if row["state"] == "dropped" or not row["body"] or not row["inside"] or closed:
            return Entry(number, gone=number)
        passage = self._node.sets.passage(row["homes"].split(), reader.origin)
        if passage is Passage.CLOSED:
            return Entry(number, gone=number)
        if (
            passage is Passage.UNKNOWN
            or row["state"] == "held"
            or (row["state"] != "done" and not await self._may_say(row))
        ):
            return Entry(number)
        body = bytes(row["body"])
        entry = Entry(number, body, head=await self._head(row, body))
        return entry if catch_up.weight(entry) <= catch_up.MAX_ENTRY else Entry(number, gone=number)

    async def _head(self, row: Row, body: bytes) -> str:
        """Sign what is read as it would have been sent, so that the sibling can give it back; nothing where we passed
        it on, or where its signer has no key any more."""
        signer, inbox = Uri.parse(row["signer"]), Uri.parse(row["inbox"])
        if signer == self._node.actor:
            return ""
        try:
            key = await self._node.keys.proof_key(signer)
        except LookupError:
            return ""
        more = {catch_up.HEADER: catch_up.number_header(LogNumber(self._epoch, int(row["number"])))}
        headers = sign("POST", inbox, body, key, Profile.RFC9421, self._node.clock(), more=more)
        return catch_up.head_of(inbox, headers, body)

    async def _may_say(self, row: Row) -> bool:
        """Whether what was not sent yet may be sent now, as the courier asks it."""
        signer = Uri.parse(row["signer"])
        if signer == self._node.actor or row["priority"] == Priority.REVOCATION:
            return True
        return await self._node.own_standing(signer)

    # ── housekeeping ──

    async def sweep(self) -> None:
        """Forget what siblings sent long ago, in steps; the mark stays."""
        before = to_ms(self._node.clock() - KEPT)
        origin = ""
        while (row := await self._node.store.one("logs.next_origin", after=origin)) and row["origin"] is not None:
            origin = row["origin"]
            known = await self._node.store.one("logs.known", origin=origin)
            epoch, mark = (known["epoch"], known["mark"]) if known is not None else ("", 0)
            while await self._drop("logs.drop_others", origin=origin, epoch=epoch, before=before, most=STEP) >= STEP:
                continue
            while await self._sweep(origin, epoch, mark, before) == STEP:
                continue

    async def _sweep(self, origin: str, epoch: str, mark: int, before: int) -> int:
        """Forget a step of what lies under the mark; return how many were old enough."""
        oldest = await self._node.store.all("logs.oldest", origin=origin, epoch=epoch, mark=mark, count=STEP)
        passed = [row["number"] for row in oldest if row["at"] <= before]
        if passed:
            await self._drop("logs.drop_through", origin=origin, epoch=epoch, number=max(passed))
        return len(passed)

    async def _drop(self, query: str, **values: object) -> int:
        async def work(tx: Transaction) -> int:
            return await tx.run(query, **values)

        return await self._node.store.write(work)


def _asked(authority: str, after: str, reader: Reader) -> int:
    """Return the number asked for; NotFound unless the instance itself asks for its own log."""
    own = authority == Uri.parse(reader.sibling.origin).authority and reader.actor == reader.sibling.actor
    plain = after.isascii() and after.isdigit() and len(after) <= _DIGITS and str(int(after)) == after
    if not own or not plain:
        raise NotFound
    return int(after)


async def _look(rows: Rows, origin: str, after: int) -> tuple[list[Row], int, int]:
    """Read a page with the end of the log, of one instant: a number below the end that has no row has none for ever."""
    ends = await rows.one("logs.ends", origin=origin)
    page = await rows.all("logs.page", origin=origin, after=after, count=catch_up.ENTRIES + 1)
    return page, *((int(ends["last_number"]), int(ends["epoch_from"])) if ends is not None else (0, 0))


def _joined(entries: list[Entry]) -> list[Entry]:
    """In order, neighbours that are gone as one."""
    joined: list[Entry] = []
    for entry in sorted(entries, key=lambda entry: entry.number):
        before = joined[-1] if joined else None
        if (
            before is not None
            and before.gone is not None
            and entry.gone is not None
            and before.gone + 1 == entry.number
        ):
            joined[-1] = Entry(before.number, gone=entry.gone)
        else:
            joined.append(entry)
    return joined


async def _mark(tx: Transaction) -> None:
    await tx.run("settings.set", name=_COPIED, value="1")


async def _unmark(tx: Transaction) -> None:
    await tx.run("settings.set", name=_COPIED, value="")
