"""What became of messages: found by address, sibling, time or verdict, and one of them whole; never a body.

Whatever a line says of a stranger is as the stranger said it: pages show it as text, apart from ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from federation.allowlist import Direction
from federation.errors import all_refusals
from federation.uri import BadUri, Uri
from instance.ids import first_ulid
from instance.services.errors import Rejected
from instance.services.sibling_entries import authority_of
from instance.storage.store import Row
from instance.times import from_ms, to_ms
from verification.verdicts import Reason

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = ("unknown_message",)
PER_PAGE: Final = 50
#: How far back is looked where nobody says from when, and how far at most: as long as refusals are kept.
LOOKED_BACK: Final = timedelta(days=7)
KEPT: Final = timedelta(days=90)
DIRECTIONS: Final = (Direction.IN.value, Direction.OUT.value, Direction.SERVE.value)
VERDICTS: Final = (
    "accepted", "repeated", "ignored", "held", "refused", "failed", "sent", "waiting", "resting", "dead", "dropped",
)  # fmt: skip
_REASONS: Final = frozenset(reason.value for reason in Reason if reason is not Reason.OK)
#: What a delivery ends with that is no refusal: faults on the way, and what we ourselves decided.
_OUTCOMES: Final = (
    "dns", "address_refused", "tls", "refused", "reset", "deadline", "not_http", "encoded", "gave_up", "withdrawn",
    "undone", "no_standing", "no_key", "foreign_inbox", "internal",
)  # fmt: skip
#: Every code that has a sentence of its own; `http` is a bare status, `other` one that others made up.
KNOWN_CODES: Final = (
    *sorted({*(refusal.code for refusal in all_refusals()), *_REASONS, *_OUTCOMES}), "http", "other",
)  # fmt: skip
_LONGEST: Final = 512
_RELATED: Final = 100
#: A row made before the clock was set back has a later id than now: it is found where nobody says until when.
EVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What is looked for; empty where anything will do."""

    text: str = ""
    origin: str = ""
    direction: str = ""
    verdict: str = ""
    code: str = ""
    since: datetime | None = None
    until: datetime | None = None
    #: The last line of the page before.
    before: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One message, or one refusal of one that was not kept."""

    id: str
    at: datetime
    direction: str
    verdict: str
    code: str
    #: Which check refused it, 1 to 19; 0 where none did.
    step: int
    origin: str
    key_id: str
    profile: str
    activity: str
    type: str
    kind: str
    #: How many like it were only counted.
    more: int = 0

    @property
    def sentence(self) -> str:
        """Which sentence explains the code: one of KNOWN_CODES, or empty where there is no code."""
        return sentence_of(self.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One page of lines; `after` is where the next begins, empty on the last."""

    lines: Sequence[Line]
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What the allowlist says of an origin: whether it stands there, under which policy."""

    policy: str = ""

    @property
    def listed(self) -> bool:
        """Whether it stands there."""
        return bool(self.policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message whole, but for its body."""

    line: Line
    actor: str
    inbox: str
    #: As it was received or sent, and what came back (deliveries); the first line without how long it took.
    head: str
    answer: str
    #: Milliseconds, or None where it is not known.
    took: int | None
    settled_at: datetime | None
    attempts: int
    status: int
    now: Listed
    then: Listed
    #: Under which authority the sibling has a page, also when it was expelled; empty for whoever has none.
    sibling: str = ""
    #: The doctor who spoke and how they stand now, where the verdict was about that.
    doctor: str = ""
    standing: str = ""
    related: Sequence[Line] = field(default_factory=tuple)


def sentence_of(code: str) -> str:
    """Return which of KNOWN_CODES explains a code; empty for none."""
    if not code or code in KNOWN_CODES:
        return code
    return "http" if code.startswith("http_") else "other"


async def find(node: Node, sought: Sought) -> Found:
    """Return one page, newest first. An activity's whole address finds all about it, whenever it was."""
    if not sought.before and (whole := _whole(sought.text)):
        rows = await node.store.all("messages.of_activity", activity=whole, home=whole.origin, most=_RELATED)
        if lines := [line for line in map(to_line, rows) if _fits(line, sought)]:
            return Found(lines=lines)
    now = node.clock()
    since = max(sought.since or now - LOOKED_BACK, now - KEPT)
    until = first_ulid(sought.until or EVER)
    rows = await node.store.all(
        "messages.find", since=first_ulid(since), until=min(until, sought.before or until), origin=sought.origin,
        direction=sought.direction, verdict=sought.verdict, code=sought.code, part=_pattern(sought.text),
        most=PER_PAGE + 1,
    )  # fmt: skip
    lines = [to_line(row) for row in rows[:PER_PAGE]]
    return Found(lines=lines, after=lines[-1].id if len(rows) > PER_PAGE else "")


async def show(node: Node, id: str) -> Message:
    """Return one message; raise Rejected(unknown_message)."""
    row = await node.store.one("messages.show", id=id)
    if row is None:
        raise Rejected("unknown_message", "id", status=404)
    line, (took, head, answer) = to_line(row), _read_head(row["head"])
    allowlist = await node.allowlist.refresh_if_changed()
    sibling = allowlist.find(line.origin)
    current = Listed(policy=sibling.policy.value if sibling is not None else "")
    known = current.listed or await node.store.one("farewells.get", origin=line.origin) is not None
    doctor = await _doctor(node, line, row["actor"])
    return Message(
        line=line, actor=row["actor"], inbox=row["inbox"], head=head, answer=answer, took=took,
        settled_at=None if row["settled_at"] is None else from_ms(row["settled_at"]), attempts=row["attempts"],
        status=row["status"], now=current, then=await _then(node, line, current),
        sibling=authority_of(line.origin) if known else "",
        doctor=doctor["uri"] if doctor else "", standing=doctor["standing"] if doctor else "",
        related=await _related(node, line, row["message"]),
    )  # fmt: skip


def to_line(row: Row) -> Line:
    """Return the line a row of `messages.find` or its like holds."""
    return Line(
        id=row["id"], at=from_ms(row["at"]), direction=row["direction"], verdict=row["verdict"], code=row["code"],
        step=row["step"] if row["verdict"] == "refused" else 0,
        origin=row["origin"], key_id=row["key_id"], profile=row["profile"], activity=row["activity"], type=row["type"],
        kind=row["kind"], more=row["more"],
    )  # fmt: skip


def _whole(text: str) -> Uri | None:
    try:
        return Uri.parse(text.strip())
    except BadUri:
        return None


def _pattern(text: str) -> str:
    part = text.strip().lower()[:_LONGEST]
    for mark in "!%_":
        part = part.replace(mark, "!" + mark)
    return f"%{part}%" if part else ""


def _fits(line: Line, sought: Sought) -> bool:
    wanted = ((sought.origin, line.origin), (sought.direction, line.direction), (sought.verdict, line.verdict))
    return all(not asked or asked == found for asked, found in (*wanted, (sought.code, line.code)))


def _read_head(text: str) -> tuple[int | None, str, str]:
    """How long it took, what was asked, what came back: as `services.message_heads` writes them."""
    asked, _, answer = text.partition("\n\n")
    took, _, rest = asked.partition(" ")
    return (int(took), rest, answer) if took.isdigit() else (None, asked, answer)


async def _doctor(node: Node, line: Line, actor: str) -> Mapping[str, Any] | None:
    if line.code not in _REASONS:
        return None
    return await node.store.one("messages.standing", actor=actor, key_id=line.key_id)


async def _then(node: Node, line: Line, now: Listed) -> Listed:
    """What the list said when the message came: by the record of changes, or as now where nothing has changed."""
    rows = await node.store.all("messages.changes_about", origin=line.origin, at=to_ms(line.at))
    if not rows:
        return now
    first = rows[0]
    return Listed(policy=_policy(first["after"] if first["at"] <= to_ms(line.at) else first["before"]))


def _policy(text: str) -> str:
    entry = json.loads(text)
    return str(entry.get("policy", "inherit")) if isinstance(entry, dict) else ""


async def _related(node: Node, line: Line, message: str) -> list[Line]:
    """Why it was refused after it was taken, the message a refusal is about, and the same activity elsewhere."""
    rows = [*await node.store.all("messages.refusals_of", message=line.id, most=_RELATED)]
    if message:
        rows += [row for row in [await node.store.one("messages.show", id=message)] if row is not None]
    if whole := _whole(line.activity):
        rows += await node.store.all("messages.of_activity", activity=whole, home=whole.origin, most=_RELATED)
    lines = {row["id"]: to_line(row) for row in rows if row["id"] != line.id}
    return [lines[id] for id in sorted(lines, reverse=True)][:_RELATED]
