"""What was refused to a sibling, for that sibling: answered to it here, asked of others for our administrator.

Times, codes and ids alone: no headers, nothing of anybody else. Codes raised here: see CODES.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson

from federation.allowlist import Direction, Sibling
from federation.errors import Refused
from federation.integrity import read_instant
from federation.uri import Uri
from instance.services.errors import Rejected
from instance.services.fetching import JRD_ACCEPT, Fetcher, NotListed, NotReached
from instance.times import from_ms, rfc3339, to_ms

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = ("unknown_sibling", "sibling_not_read", "not_listed_there", "not_answered")
#: How far back a sibling is told, and how many at most, the newest first.
SINCE: Final = timedelta(days=7)
MOST: Final = 100
_LONGEST: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One refusal as the other side tells it; `more` like it were only counted."""

    at: datetime
    direction: str
    code: str
    activity: str
    key_id: str
    more: int


async def refusals_of(node: Node, sibling: Sibling) -> bytes:
    """Return what was refused to this sibling in the last seven days, for its own eyes."""
    since = to_ms(node.clock() - SINCE)
    rows = await node.store.all("messages.own_refusals", origin=sibling.origin, since=since, most=MOST)
    refusals = [
        {
            "at": rfc3339(from_ms(row["at"])), "direction": row["direction"], "code": row["code"],
            "activity": row["activity"], "keyId": row["key_id"], "more": row["more"],
        }
        for row in rows
    ]  # fmt: skip
    return orjson.dumps({"origin": sibling.origin, "policy": sibling.policy.value, "refusals": refusals})


async def ask(node: Node, origin: str) -> list[Told]:
    """Ask a sibling what it refused to us; raise Rejected where it may not be read or does not answer."""
    sibling = node.allowlist().find(origin.strip().rstrip("/"))
    if sibling is None:
        raise Rejected("unknown_sibling", "origin", status=404)
    if sibling.refusal(Direction.FETCH) is not None:
        raise Rejected("sibling_not_read", "origin", status=409)
    url = Uri.parse(f"{sibling.origin}/siblings/{node.authority}/refusals")
    try:
        document = await Fetcher(node).json(url, sibling, JRD_ACCEPT)
    except NotListed:
        raise Rejected("not_listed_there", "origin", status=409) from None
    except NotReached:
        raise Rejected("not_reached", "origin", status=502) from None
    except Refused:
        raise Rejected("not_answered", "origin", status=502) from None
    return _read(document)


def _read(document: Mapping[str, Any]) -> list[Told]:
    """Read an answer strictly: it is shown to people."""
    try:
        return [
            Told(
                at=read_instant(_text(each["at"])), direction=Direction(each["direction"]).value,
                code=_text(each["code"]), activity=_text(each["activity"]), key_id=_text(each["keyId"]),
                more=int(each["more"]),
            )
            for each in document["refusals"][:MOST]
        ]  # fmt: skip
    except (KeyError, TypeError, ValueError):
        raise Rejected("not_answered", "origin", status=502) from None


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST or not value.isascii() or not value.isprintable():
        raise ValueError("not a plain text")
    return value
