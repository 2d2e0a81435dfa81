"""The allowlist in force in this process: one immutable value, replaced as soon as a row says it is old.

Whoever asks per message awaits `refresh_if_changed` first: one look at a number, so that a change made by anybody
bites on the next message. What cannot be read admits nobody.

Where a federation list is kept, what counts of each entry is what the list in force leaves of it. A list runs out by
the clock alone: the value for that moment is made with the other, and handed out from then on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import orjson

from federation import membership
from federation.allowlist import Allowlist, IssuerKey, Listed, LocalPolicy, Sibling
from federation.farewell import Farewell
from federation.membership import FederationList
from federation.uri import BadUri, Uri, parse_origin
from federation.vocabulary import PostKind
from instance.services import federation_list_rows
from instance.storage.store import Reader, Row
from instance.times import from_ms

if TYPE_CHECKING:
    from instance.config import ListAnchor
    from instance.wiring import Node

POLL: Final = 0.25


class AllowlistCache:
    """Callable: returns the allowlist as last read."""

    def __init__(self, node: Node) -> None:
        self._store, self._log, self._origin = node.store, node.log, node.origin
        self._clock, self._anchor = node.clock, node.config.federation_list
        self._current = self._expired = _nobody(self._anchor)
        self._found: FederationList | None = None
        self._known: int | None = None
        self._readable = False
        self._former: Mapping[str, datetime] = {}
        self._told = False
        self._polling: asyncio.Task[None] | None = None
        self._reading = asyncio.Lock()

    def __call__(self) -> Allowlist:
        """Return the allowlist as last read, as it counts at this moment; empty where it could not be read."""
        if self._found is not None and self._found.is_over(self._clock()):
            return self._expired
        return self._current

    @property
    def federation_list(self) -> FederationList | None:
        """The federation list last adopted, also where it has run out; None where none is kept or can be read."""
        return self._found

    @property
    def readable(self) -> bool:
        """Whether the rows could be read the last time."""
        return self._readable

    @property
    def former(self) -> Mapping[str, datetime]:
        """By authority: instances whose doctors and words are here and that are in our federation no more, since when.

        Those that are hidden are not among them: nothing of theirs is shown. Empty where it could not be read.
        """
        return self._former

    async def start(self) -> None:
        """Read the allowlist, and look four times a second whether another process has changed it."""
        await self.refresh_if_changed()
        self._polling = asyncio.create_task(self._poll(), name="allowlist")

    async def stop(self) -> None:
        """Stop looking."""
        task, self._polling = self._polling, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def refresh_if_changed(self) -> Allowlist:
        """Return the allowlist in force at this moment."""
        try:
            row = await self._store.known("siblings.version")
            if row is None or row["value"] != self._known:
                await self._refresh()
        except Exception as fault:
            self._close(fault)
        return self()

    async def _refresh(self) -> None:
        async with self._reading:
            version, rows, found, farewells = await self._store.read(partial(_look, self._anchor))
            siblings = {row["origin"]: read_sibling(row) for row in rows}
            if self._origin in siblings:
                raise ValueError("our own origin is never listed")
            told = {row["origin"]: _farewell(row) for row in farewells if row["ended_at"] is None}
            former = frozenset(row["origin"] for row in farewells)
            counted = counting(version, siblings, found, listed=self._anchor is not None, former=former)
            self._current = replace(counted, farewells=told)
            self._expired, self._found, self._known = self._current.expired(), found, version
            self._former = {
                Uri.parse(row["origin"]).authority: from_ms(row["expelled_at"])
                for row in farewells
                if row["fate"] in _SHOWN
            }
            self._readable, self._told = True, False

    def _close(self, fault: Exception) -> None:
        """Closed until it can be read again: nobody is a sibling now."""
        if not self._told:
            self._log.critical("allowlist_unreadable", exc_info=fault)
            self._told = True
        self._current = self._expired = _nobody(self._anchor)
        self._found, self._known, self._readable = None, None, False

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL)
            await self.refresh_if_changed()


#: Fates under which what came from a former sibling is shown, with a label.
_SHOWN: Final = ("labelled", "kept")


def counting(
    version: int, siblings: Mapping[str, Sibling], found: FederationList | None, *, listed: bool,
    former: Collection[str] = (),
) -> Allowlist:  # fmt: skip
    """Return the entries as they count: alone where no list is kept, else as far as the list in force has them.

    An entry that came of a list counts for nothing where none is kept: nobody here has vouched for it. Those that are
    `former` have left until their farewell has ended, whatever the list says by now.
    """
    counted = _counted(version, siblings, found, listed=listed)
    left = {
        origin: replace(counted.siblings[origin], listed=Listed.WITHDRAWN)
        for origin in former
        if origin in counted.siblings
    }
    return replace(counted, siblings={**counted.siblings, **left}) if left else counted


def _counted(
    version: int, siblings: Mapping[str, Sibling], found: FederationList | None, *, listed: bool
) -> Allowlist:  # fmt: skip
    if not listed:
        alone = {
            origin: replace(entry, listed=Listed.ABSENT) if entry.source == "list" else entry
            for origin, entry in siblings.items()
        }
        return Allowlist(version, alone)
    entries = {origin: membership.narrowed(entry, found) for origin, entry in siblings.items()}
    if found is None:
        return Allowlist(version, entries, list_state=Listed.UNREAD)
    others = {each.origin: membership.standing_of(each) for each in found.members if each.origin not in entries}
    return Allowlist(version, entries, others, list_state=Listed.ACTIVE, list_until=found.valid_until)


def _nobody(anchor: ListAnchor | None) -> Allowlist:
    return Allowlist(list_state=Listed.UNASKED if anchor is None else Listed.UNREAD)


async def _look(anchor: ListAnchor | None, reader: Reader) -> tuple[int, list[Row], FederationList | None, list[Row]]:
    row = await reader.one("siblings.version")
    if row is None:
        raise ValueError("the version of the allowlist is missing")
    found = None if anchor is None else (await federation_list_rows.in_force(reader, anchor)).current
    return int(row["value"]), await reader.all("siblings.all"), found, await reader.all("farewells.all")


def _farewell(row: Row) -> Farewell:
    inbox, origin = Uri.parse(row["inbox"]), parse_origin(row["origin"])
    if inbox.origin != origin:
        raise BadUri("an inbox elsewhere")
    return Farewell(
        origin, inbox, bool(row["speaks_rfc9421"]), from_ms(row["words_until"]), from_ms(row["erasures_until"])
    )  # fmt: skip


def read_sibling(row: Row) -> Sibling:
    """Return the entry a row holds; raise ValueError for a row that is not whole."""
    actor, inbox = Uri.parse(row["actor"]), Uri.parse(row["inbox"])
    origin = parse_origin(row["origin"])
    keys = frozenset(_texts(row["instance_keys"]))
    if not keys or actor.origin != origin or inbox.origin != origin:
        raise BadUri("an entry without pinned keys, or with addresses elsewhere")
    return Sibling(
        origin=origin, actor=actor, name=row["name"], country=row["country"], since=from_ms(row["since"]),
        instance_keys=keys, issuer_keys=tuple(_issuer_key(key) for key in orjson.loads(row["issuer_keys"])),
        may_issue_for=frozenset(_texts(row["may_issue_for"])), policy=LocalPolicy(row["policy"]),
        kinds_in=_kinds(row["kinds_in"]), kinds_out=_kinds(row["kinds_out"]), inbox=inbox,
        speaks_rfc9421=bool(row["speaks_rfc9421"]), source=row["source"],
    )  # fmt: skip


def write_issuer_keys(keys: Iterable[IssuerKey]) -> str:
    """Return issuer keys as rows keep them."""
    items: list[dict[str, Any]] = [
        {"id": key.id, "key": key.key, "valid_from": _text(key.valid_from), "valid_until": _text(key.valid_until)}
        for key in keys
    ]
    return orjson.dumps(items, default=str).decode()


def _issuer_key(item: dict[str, str]) -> IssuerKey:
    begins, ends = datetime.fromisoformat(item["valid_from"]), datetime.fromisoformat(item["valid_until"])
    if begins.tzinfo is None or ends.tzinfo is None:
        raise ValueError("a time without a zone")
    return IssuerKey(Uri.parse(item["id"]), item["key"], begins, ends)


def _text(at: datetime) -> str:
    return at.isoformat()


def _texts(text: str) -> list[str]:
    found = orjson.loads(text)
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise ValueError("not a list of texts")
    return found


def _kinds(text: str) -> frozenset[PostKind]:
    return frozenset(PostKind(kind) for kind in _texts(text))
