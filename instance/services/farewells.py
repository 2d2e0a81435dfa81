"""How somebody leaves the allowlist, how a farewell begins, and how it ends when they are admitted again.

There is one way: an entry that goes takes with it what hangs on it (`leave`); whoever is expelled, or withdrawn by a
federation list, is told the end of each follow and asked for our copies (`begin`); whoever is admitted again ends that
(`welcome`); and where that admission is taken back, what stood before it stands again (`leave` once more).

Codes raised here: see CODES.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from federation import farewell
from instance.services import notices
from instance.services.errors import Rejected
from instance.services.pairing_ends import end_all
from instance.services.sibling_changes import drop_queue
from instance.storage.store import Row, Transaction
from instance.times import to_ms

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = ("unknown_sibling", "being_purged")

#: The notice for our doctors whose follows were cut.
FOLLOWS_CUT: Final = "follows_cut"


class Cause(StrEnum):
    """Why somebody is in our federation no more."""

    EXPELLED = "expelled"  #: by two administrators here; its entry is gone
    WITHDRAWN = "withdrawn"  #: by a federation list; its entry stays, closed, with the policy it has here


async def leave(node: Node, tx: Transaction, origin: str, *, never_there: bool = False) -> None:
    """Take an entry off the list with what hangs on it: queue, keys, status lists, pairings that are not over.

    Whoever had a farewell before that admission is labelled again: thirty days begin anew and nothing is said; where
    the other side has never had it, everything stands as it stood, and our copies are asked back further.

    Whoever calls has taken the turn of the allowlist. Raises Rejected(unknown_sibling).
    """
    now = node.clock()
    await end_all(tx, origin, now)
    if not await tx.run("siblings.remove", origin=origin):
        raise Rejected("unknown_sibling", "origin", status=404)
    await drop_queue(node, tx, origin, "not_a_sibling")
    await forget(tx, origin)
    await tx.run("siblings.forget_shown", origin=origin)
    await tx.run("siblings.end_alarm", origin=origin)
    if never_there:
        if await tx.run("farewells.stands_again", origin=origin):
            await _line_up_deletes(node, tx, origin)
    else:
        await tx.run("farewells.stands_anew", origin=origin, now=to_ms(now))
    await tx.run("farewells.count_answers", origin=origin)


async def forget(tx: Transaction, origin: str) -> None:
    """Forget what was read at a sibling to judge its messages; its lane begins anew."""
    await tx.run("siblings.forget_keys", origin=origin)
    await tx.run("status.forget_lists", origin=origin)
    await tx.run("federation_list.forget_holder", origin=origin)
    await tx.run("sibling_directories.forget", origin=origin)
    await tx.run("siblings.reset_lane", origin=origin)


async def begin(node: Node, tx: Transaction, row: Row, cause: Cause, proposed_by: str, by: str) -> None:
    """Cut follows and line up what is said at last, in the transaction that closes this entry (a row of `siblings`)."""
    now, origin = node.clock(), row["origin"]
    await tx.run("farewells.silence_words", origin=origin, now=to_ms(now))
    await tx.run("farewells.remove", origin=origin)
    await tx.run("farewells.drop_words", origin=origin)
    await tx.run(
        "farewells.add", origin=origin, actor=row["actor"], name=row["name"], country=row["country"],
        inbox=row["inbox"], speaks_rfc9421=row["speaks_rfc9421"], proposed_by=proposed_by, confirmed_by=by,
        now=to_ms(now), words_until=to_ms(now + farewell.WORDS), erasures_until=to_ms(now + farewell.ERASURES),
        cause=cause.value,
    )  # fmt: skip
    await tx.run("farewells.add_undos", origin=origin)
    await tx.run("farewells.add_rejects", origin=origin)
    await _line_up_deletes(node, tx, origin)
    await _tell(tx, row, now)
    await tx.run("farewells.cut_follows", origin=origin)
    await tx.run("farewells.forget_notices", origin=origin)


async def _line_up_deletes(node: Node, tx: Transaction, origin: str) -> None:
    row = await tx.one("farewells.get", origin=origin)
    if row is not None and row["ended_at"] is None:
        await tx.run(
            "farewells.add_deletes", origin=origin, instance=node.actor, inbox=row["inbox"], own=f"{node.origin}/"
        )  # fmt: skip


async def _tell(tx: Transaction, row: Row, now: datetime) -> None:
    """Our doctors hear that follows of theirs have ended; no doctor is named."""
    about = f"{row['origin']} {to_ms(now)}"
    for told in await tx.all("farewells.told", origin=row["origin"]):
        await notices.put(tx, told["actor"], FOLLOWS_CUT, row["actor"], now=now, about=about)


async def welcome(tx: Transaction, origin: str, now: datetime) -> bool:
    """End a farewell, in the transaction that admits its origin anew; raise Rejected(being_purged) for a moment.

    What was to be said at last is not said any more; what came from there and was not purged counts as theirs again.
    Returns whether there was one.
    """
    found = await tx.one("farewells.get", origin=origin)
    if found is None:
        return False
    if found["fate"] == "purging":
        raise Rejected("being_purged", "origin", status=409)
    await tx.run("farewells.silence", origin=origin, now=to_ms(now))
    await tx.run("farewells.drop_words", origin=origin)
    await tx.run("farewells.returns", origin=origin, now=to_ms(now))
    await tx.run("farewells.count_answers", origin=origin)
    return True
