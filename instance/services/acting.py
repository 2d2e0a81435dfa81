"""What every act of a doctor begins with: may they, have they done it already, and how often this hour."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from instance.ids import new_ulid
from instance.services import standings
from instance.services.errors import Forbidden, Missing, Rejected
from instance.storage.store import Row, Transaction
from instance.times import from_ms, to_ms
from verification.standing import Action

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = ("too_many_posts", "too_many_comments", "too_many_votes", "form_used")

HOUR: Final = timedelta(hours=1)
#: In an hour, per doctor (security: limits).
MOST: Final = {"post": 30, "comment": 120, "vote": 120}
_REFUSED: Final = {"post": "too_many_posts", "comment": "too_many_comments", "vote": "too_many_votes"}
#: How long a form that was carried out is remembered.
_REMEMBERED: Final = timedelta(days=2)
_MAX_KEY: Final = 100


async def doctor(node: Node, uri: str, action: Action) -> Row:
    """Return the row of our own doctor who may do this now; raise Forbidden with the reason otherwise."""
    row = await node.store.one("people.standing", uri=uri)
    if row is not None and not row["local"]:
        raise Forbidden("no_credential")
    if standings.is_student(row):
        await node.policies.look()
    return standings.require(action, row, node.policies.standing, node.clock())


async def earlier(node: Node, doctor_uri: str, form_key: str) -> str | None:
    """Return what this form made when it was sent before."""
    if not form_key:
        return None
    row = await node.store.one("posts.submission", doctor=doctor_uri, form_key=form_key[:_MAX_KEY])
    return None if row is None else str(row["result"])


def same(made: str, row: Row | None, text: str) -> str:
    """Return what the form made, when it was sent again with the same text; raise Rejected for another one.

    Whoever went back and wrote something new must not lose it: it comes back, in a form of its own.
    """
    if row is not None and row["source"] != text:
        raise Rejected("form_used", "text", status=409)
    return made


async def once(node: Node, tx: Transaction, doctor_uri: str, what: str, form_key: str, result: str) -> str | None:
    """Write the form down; return what it made where it was carried out before, and raise Rejected over the limit."""
    now = node.clock()
    key = form_key[:_MAX_KEY] or new_ulid(now)
    await tx.take_turn(doctor_uri)
    await tx.run("posts.forget_submissions", doctor=doctor_uri, before=to_ms(now - _REMEMBERED))
    if not await tx.run("posts.submit", doctor=doctor_uri, form_key=key, what=what, result=result, now=to_ms(now)):
        row = await tx.one("posts.submission", doctor=doctor_uri, form_key=key)
        if row is None:
            raise Missing()
        return str(row["result"])
    done = await tx.one("posts.submissions_since", doctor=doctor_uri, what=what, since=to_ms(now - HOUR))
    if done is not None and done["number"] > MOST[what]:
        raise Rejected(_REFUSED[what], status=429)
    return None


def require_seen(before: Row, seen: int | None) -> None:
    """Raise Rejected where a new version was made from another than the present one; None is made from that.

    `seen` is the time of the version its author was shown, in milliseconds; 0 is one that was never mended.
    """
    if seen is not None and seen != (before["updated_at"] or 0):
        raise Rejected("changed_meanwhile", status=409)


async def withdrawn(node: Node, doctor_uri: str, path: str) -> bool:
    """Whether this doctor has withdrawn what stood at this path of ours: whoever presses twice has done it once."""
    uri = f"{node.origin}/{path}"
    return await node.store.one("posts.withdrawn_by", uri=uri, actor=doctor_uri) is not None


def after(before: Row, now: datetime) -> datetime:
    """The time of a new version: later than the last one, or siblings would take it for an old one come late."""
    last = from_ms(before["updated_at"] or before["published_at"])
    return max(now, last + timedelta(milliseconds=1))
