"""The allowlist in force in this process: one immutable value, replaced as soon as a row says it is old.

Whoever asks per message awaits `refresh_if_changed` first: one look at a number, so that a change made by anybody
bites on the next message. What cannot be read admits nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

from federation.allowlist import Allowlist, IssuerKey, LocalPolicy, Sibling
from federation.farewell import Farewell
from federation.uri import BadUri, Uri, parse_origin
from federation.vocabulary import PostKind
from instance.storage.store import Reader, Row
from instance.times import from_ms

if TYPE_CHECKING:
    from instance.wiring import Node

POLL: Final = 0.25


class AllowlistCache:
    """Callable: returns the allowlist as last read."""

    def __init__(self, node: Node) -> None:
        self._store, self._log, self._origin = node.store, node.log, node.origin
        self._current = Allowlist()
        self._known: int | None = None
        self._readable = False
        self._former: Mapping[str, datetime] = {}
        self._told = False
        self._polling: asyncio.Task[None] | None = None
        self._reading = asyncio.Lock()

    def __call__(self) -> Allowlist:
        """Return the allowlist as last read; empty where it could not be."""
        return self._current

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
        return self._current

    async def _refresh(self) -> None:
        async with self._reading:
            version, rows, farewells = await self._store.read(_look)
            siblings = {row["origin"]: read_sibling(row) for row in rows}
            if self._origin in siblings:
                raise ValueError("our own origin is never listed")
            told = {row["origin"]: _farewell(row) for row in farewells if row["ended_at"] is None}
            self._current, self._known = replace(Allowlist(version, siblings), farewells=told), version
            self._former = {
                Uri.parse(row["origin"]).authority: from_ms(row["expelled_at"])
                for row in farewells
                if row["fate"] in _SHOWN and row["origin"] not in siblings
            }
            self._readable, self._told = True, False

    def _close(self, fault: Exception) -> None:
        """Closed until it can be read again: nobody is a sibling now."""
        if not self._told:
            self._log.critical("allowlist_unreadable", exc_info=fault)
            self._told = True
        self._current, self._known, self._readable = Allowlist(), None, False

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL)
            await self.refresh_if_changed()


#: Fates under which what came from a former sibling is shown, with a label.
_SHOWN: Final = ("labelled", "kept")


async def _look(reader: Reader) -> tuple[int, list[Row], list[Row]]:
    row = await reader.one("siblings.version")
    if row is None:
        raise ValueError("the version of the allowlist is missing")
    return int(row["value"]), await reader.all("siblings.all"), await reader.all("farewells.all")


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
