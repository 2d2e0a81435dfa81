"""What is left of somebody who has left: last words there, a label here, and nothing else.

A farewell begins in one transaction (`instance.services.farewells`): follows are cut, every last word stands in a
line. Two administrators bring it about, or a federation list by which a member has left. From those lines the messages
are written a few hundred at a time, each with its line in one transaction, so that whoever is killed in between goes on
where they were. After thirty days nothing more is said, and what came from there is hidden.

Codes raised here: see CODES.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from federation import render
from federation.delivery import Priority
from federation.uri import Uri
from federation.vocabulary import VERIFIED_DOCTORS, Delete, Reject, Undo
from instance.ids import new_ulid
from instance.services import sending
from instance.services.errors import Rejected
from instance.services.farewells import Cause, begin, leave
from instance.services.sibling_changes import Touched, follow, record
from instance.storage.store import Row, Transaction
from instance.times import to_ms
from verification.people import SYSTEM

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = ("unknown_sibling", "sibling_changed", "no_change")

KEEP, PURGE = "keep", "purge"
#: What two administrators can make of what came from there, and what it is called then.
FATES: Final[Mapping[str, str]] = {KEEP: "kept", PURGE: "purging"}
#: From when on nothing of theirs is shown, unless somebody has said otherwise.
HIDDEN_AFTER: Final = timedelta(days=30)
_BATCH: Final = 200
_AGAIN: Final = timedelta(days=1)
_KINDS: Final[Mapping[str, tuple[type[Any], Priority]]] = {
    "undo": (Undo, Priority.WITHDRAWAL),
    "reject": (Reject, Priority.WITHDRAWAL),
    "delete": (Delete, Priority.REVOCATION),
}
#: Before the rows go, by which their words are found: what was passed on, and what came as it came.
_WORDS: Final = ("farewells.purge_words", "farewells.purge_received_of")
_PURGED_WITH: Final = (
    "farewells.purge_likes_of", "farewells.purge_recommendations_of", "farewells.purge_mentions_of",
    "farewells.purge_revisions_of",
)  # fmt: skip
_PURGED_AT_LAST: Final = (
    "farewells.purge_likes_by", "farewells.purge_recommendations_by", "farewells.votes_lost",
    "farewells.purge_votes_by", "farewells.purge_notices_by", "farewells.purge_listed", "farewells.purge_marks",
    "farewells.purge_doctors",
)  # fmt: skip


class Expelling:
    """Expels, says the last words, hides, keeps and purges."""

    def __init__(self, node: Node) -> None:
        self._node, self._store = node, node.store

    # ── in the transaction of whoever confirms ──

    async def expel(self, tx: Transaction, row: Row, proposed_by: str, by: str, reason: str) -> None:
        """Take the sibling off the list, cut follows, and line up what is said to it at last."""
        node, origin = self._node, row["origin"]
        touched = Touched.of(await tx.one("siblings.touched", origin=origin))
        await leave(node, tx, origin)
        await begin(node, tx, row, Cause.EXPELLED, proposed_by, by)
        await record(
            node, tx, origin, "expel", by, reason, before=row, after=None, touched=touched, proposed_by=proposed_by
        )  # fmt: skip

    async def require_fate(self, tx: Transaction, origin: str, fate: str, seen: str) -> Row:
        """Return the farewell about which it can be decided so; raise Rejected: unknown_sibling, sibling_changed."""
        row = await tx.one("farewells.get", origin=origin)
        if row is None or fate not in FATES:
            raise Rejected("unknown_sibling", "origin", status=404)
        if row["fate"] != seen:
            raise Rejected("sibling_changed", status=409)
        if row["fate"] == FATES[fate] or row["fate"] in ("purging", "purged"):
            raise Rejected("no_change", status=409)
        return row

    async def settle(
        self, tx: Transaction, origin: str, fate: str, seen: str, proposed_by: str, by: str, reason: str
    ) -> None:
        """Keep what came from there, or begin to purge it."""
        row = await self.require_fate(tx, origin, fate, seen)
        await self._set_fate(tx, row, fate, by, reason, proposed_by)

    async def _set_fate(
        self, tx: Transaction, row: Row, act: str, by: str, reason: str, proposed_by: str = ""
    ) -> None:  # fmt: skip
        origin, fate = row["origin"], FATES.get(act, "hidden")
        if not await tx.run(
            "farewells.set_fate", origin=origin, fate=fate, seen=row["fate"], now=to_ms(self._node.clock())
        ):
            raise Rejected("sibling_changed", status=409)
        await tx.run("farewells.count_answers", origin=origin)
        touched = Touched.of(await tx.one("siblings.touched", origin=origin))
        await record(
            self._node, tx, origin, act, by, reason, before={"fate": row["fate"]}, after={"fate": fate},
            touched=touched, proposed_by=proposed_by,
        )  # fmt: skip

    # ── what the workers do ──

    async def write_words(self) -> int:
        """Write every last word that is not written yet into the queue; return how many."""
        written = 0
        while (rows := await self._unwritten()) and (number := await self._store.write(_writing(self._node, rows))):
            written += number
        if written:
            self._node.wake.deliveries.set()
        return written

    async def _unwritten(self) -> list[Row]:
        return await self._store.all("farewells.unwritten", now=to_ms(self._node.clock()), count=_BATCH)

    async def tick(self) -> None:
        """Do what is due: write, ask again, end what is over, hide after thirty days, purge what was ordered so."""
        await self.write_words()
        for row in await self._store.all("farewells.open"):
            await self._go_on(row)
        before = to_ms(self._node.clock() - HIDDEN_AFTER)
        for row in await self._store.all("farewells.to_hide", before=before):
            await self._hide(row["origin"])
        for row in await self._store.all("farewells.to_purge"):
            await self._purge(row["origin"])

    async def _go_on(self, row: Row) -> None:
        origin, now = row["origin"], to_ms(self._node.clock())

        async def work(tx: Transaction) -> bool:
            await tx.run("farewells.note_acknowledged", origin=origin)
            if row["words_until"] < now:
                await tx.run("farewells.silence_ends", origin=origin, now=now)
            over = row["erasures_until"] < now
            if over:
                await tx.run("farewells.silence", origin=origin, now=now)
            if over or (not row["copies"] and (not row["follows"] or row["words_until"] < now)):
                await tx.run("farewells.end", origin=origin, now=now)
                await tx.run("siblings.raise_version")
                return True
            await tx.run("farewells.again", origin=origin, now=now, before=now - _AGAIN // timedelta(milliseconds=1))
            return False

        if await self._store.write(work):
            self._node.log.info("farewell_ended", sibling=origin, count=row["copies"])
        await follow(self._node)

    async def _hide(self, origin: str) -> None:
        async def work(tx: Transaction) -> None:
            row = await tx.one("farewells.get", origin=origin)
            if row is not None and row["fate"] == "labelled":
                await self._set_fate(tx, row, "hide", SYSTEM.id, "thirty days are over")

        await self._store.write(work)
        await follow(self._node)

    async def _purge(self, origin: str) -> None:
        """Destroy what came from there, a few hundred rows in each transaction, until nothing is left."""

        async def some(tx: Transaction) -> int:
            await tx.run("farewells.purge_waiting", origin=origin, now=to_ms(self._node.clock()))
            for query in _WORDS:
                await tx.run(query, origin=origin, empty=b"")
            for query in _PURGED_WITH:
                await tx.run(query, origin=origin)
            return await tx.run("farewells.purge_comments", origin=origin) + await tx.run(
                "farewells.purge_posts", origin=origin
            )  # fmt: skip

        while await self._store.write(some):
            pass

        async def rest(tx: Transaction) -> None:
            for query in _PURGED_AT_LAST:
                await tx.run(query, origin=origin)
            for query in ("farewells.purge_kept_messages", "farewells.purge_received"):
                await tx.run(query, origin=origin, empty=b"")
            now = to_ms(self._node.clock())
            await tx.run("farewells.set_fate", origin=origin, fate="purged", seen="purging", now=now)
            await tx.run("siblings.raise_version")

        await self._store.write(rest)
        await follow(self._node)


def _writing(node: Node, rows: Sequence[Row]) -> Any:
    async def work(tx: Transaction) -> int:
        now, written = node.clock(), 0
        for row in rows:
            activity = _last_word(node, row, now)
            # Whoever was faster has written it.
            if not await tx.run(
                "farewells.written", origin=row["origin"], kind=row["kind"], object=row["object"], activity=activity.id
            ):
                continue
            await _queue(tx, row, activity, now)
            written += 1
        return written

    return work


def _last_word(node: Node, row: Row, now: datetime) -> Any:
    kind, _ = _KINDS[row["kind"]]
    to = (VERIFIED_DOCTORS,) if kind is Delete else ()
    return kind(
        id=sending.activity_id(node), actor=Uri.parse(row["actor"]), to=to, published=now,
        object=Uri.parse(row["object"]),
    )  # fmt: skip


async def _queue(tx: Transaction, row: Row, activity: Any, now: datetime) -> None:
    """Queue it past the allowlist, which has no entry for its receiver; `Allowlist.require_sending` decides again.

    It has its number like everything else that is said to a sibling.
    """
    kind, priority = _KINDS[row["kind"]]
    about = row["object"] if kind is Delete else ""
    await tx.run(
        "activities.add", uri=activity.id, actor=activity.actor, type=kind.__name__, object=about, audience="",
        body=render.activity(activity), at=to_ms(now),
    )  # fmt: skip
    await tx.run("lanes.number", origin=row["origin"])
    await tx.run(
        "deliveries.add", id=new_ulid(now), origin=row["origin"], inbox=row["inbox"], shared=int(kind is Delete),
        activity=activity.id, actor=activity.actor, object=about, priority=int(priority), state="waiting",
        now=to_ms(now), kind="",
    )  # fmt: skip
