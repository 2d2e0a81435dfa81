"""What becomes of a delivery: the schedule and the meaning of answers, as tables and one pure function.

    judge(answer, delivery, now, lane_failures, rng) ─▶ Done | DeadRow | RowLater | LaneLater | Knock | Moved

An answer about the message settles its *row*; trouble of the sibling or on the way backs off its *lane*, so that ten
thousand waiting messages cost one probe. `federation.courier` does what is decided here, `federation.lanes` keeps
the order.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, IntEnum, auto
from random import Random
from typing import Final, TypeAlias

from federation.ports import Answer, Delivery


class Priority(IntEnum):
    """What goes first within a lane."""

    REVOCATION = 0  #: revocation, suspension, erasure: overtakes everything and is never given up
    WITHDRAWAL = 1  #: Delete, Undo
    NAMED = 2  #: for doctors who were asked by name
    REST = 3


#: Waiting times after failures 1, 2, 3 …, each give or take a quarter; after the last of them `HOURLY`.
BACK_OFF: Final = tuple(timedelta(seconds=20 * 2**n) for n in range(8))
SPREAD: Final = 0.25
#: Then at least one try an hour.
HOURLY: Final = (timedelta(minutes=45), timedelta(minutes=60))
GIVE_UP_AFTER: Final = timedelta(days=30)
#: What is never given up is tried this often once the thirty days are over.
DAILY: Final = timedelta(days=1)
#: A doctor's own inbox that is not there is tried three times over a day.
ABSENT_WAITS: Final = (timedelta(hours=6), timedelta(hours=18))
LONGEST_RETRY_AFTER: Final = timedelta(hours=1)


class Meaning(Enum):
    """The classes of answers (docs/federation.md lists them for siblings)."""

    COMMITTED = auto()  #: it is on their disk
    MOVED = auto()  #: somewhere else: never followed
    NEVER = auto()  #: this message will not pass, however often it is sent
    KEY_TROUBLE = auto()  #: our signature or key
    FORBIDDEN = auto()  #: membership, or the content: the code decides
    ABSENT = auto()  #: no such inbox
    FAILING = auto()  #: an error of theirs, perhaps with this message alone
    BUSY = auto()  #: come back later
    NOT_REACHED = auto()  #: no answer at all; the code names the fault


_Statuses: TypeAlias = Container[int]

#: The first line that holds the status decides; whatever no line holds is BUSY.
ANSWERS: Final[tuple[tuple[_Statuses, Meaning], ...]] = (
    (range(200, 300), Meaning.COMMITTED),
    (range(300, 400), Meaning.MOVED),
    (frozenset({401}), Meaning.KEY_TROUBLE),
    (frozenset({403}), Meaning.FORBIDDEN),
    (frozenset({404, 410}), Meaning.ABSENT),
    (frozenset({408, 425, 429}), Meaning.BUSY),
    (frozenset({501}), Meaning.NEVER),
    # 400 405 406 411 413 414 415 421 422 431, and whatever else blames the request
    (range(400, 500), Meaning.NEVER),
    (frozenset({502, 503, 504}), Meaning.BUSY),
    (range(500, 600), Meaning.FAILING),
    (frozenset({0}), Meaning.NOT_REACHED),
)

#: Codes of a 403 that speak of membership and not of the message; no code at all speaks of it too.
MEMBERSHIP: Final = frozenset(
    {"", "not_a_sibling", "sibling_paused", "sibling_blocked", "sibling_read_only", "pin_mismatch"}
)
#: Codes of a 503 that speak of the message: the sibling is well, and somebody it must ask first is away, or has still
#: to give back what the message answers.
OF_ANOTHER: Final = frozenset({"author_away", "still_taking_back"})
#: Faults that will hardly heal by themselves.
ALARMING_FAULTS: Final = frozenset({"dns", "tls", "address_refused"})


@dataclass(frozen=True, slots=True)
class Done:
    """The sibling has committed it."""


@dataclass(frozen=True, slots=True)
class DeadRow:
    """A dead letter: shown to the administrator, who may send it again."""

    code: str


@dataclass(frozen=True, slots=True)
class RowLater:
    """This row rests until then; the lane goes on without it."""

    at: datetime


@dataclass(frozen=True, slots=True)
class LaneLater:
    """Nothing is sent to this sibling before then. `row` settles the row apart where that is called for."""

    at: datetime
    code: str
    alarm: bool
    row: RowLater | DeadRow | None = None


@dataclass(frozen=True, slots=True)
class Knock:
    """Send it once more, at once, with the other signature profile."""


@dataclass(frozen=True, slots=True)
class Moved:
    """Read its actor anew, once; an inbox it names now on the same origin gets the message at once."""


Outcome: TypeAlias = Done | DeadRow | RowLater | LaneLater | Knock | Moved


def meaning(status: int) -> Meaning:
    """Look the status up in the table."""
    return next((found for statuses, found in ANSWERS if status in statuses), Meaning.BUSY)


def is_final(status: int, code: str) -> bool:
    """Whether an answer of ours makes the message a dead letter at its sender: it will never pass."""
    found = meaning(status)
    return found is Meaning.NEVER or (found is Meaning.FORBIDDEN and code not in MEMBERSHIP)


def next_try(failures: int, now: datetime, rng: Random) -> datetime:
    """When to try again after so many failures in a row (at least one)."""
    if failures <= len(BACK_OFF):
        return now + BACK_OFF[failures - 1] * rng.uniform(1 - SPREAD, 1 + SPREAD)
    shortest, longest = HOURLY
    return now + shortest + (longest - shortest) * rng.random()


def judge(
    answer: Answer, delivery: Delivery, now: datetime, lane_failures: int, rng: Random, *, repeated: bool = False
) -> Outcome:
    """Decide what becomes of the row and of its lane. `repeated`: after the second knock or the second reading."""
    match meaning(answer.status):
        case Meaning.COMMITTED:
            return Done()
        case Meaning.MOVED if not repeated:
            return Moved()
        case Meaning.KEY_TROUBLE if not repeated:
            return Knock()
        case Meaning.NEVER:
            return DeadRow(code_of(answer))
        case Meaning.FORBIDDEN if answer.code not in MEMBERSHIP:
            return DeadRow(answer.code)
        case Meaning.ABSENT if not delivery.shared:
            return _absent(answer, delivery, now)
        case Meaning.BUSY if answer.code in OF_ANOTHER:
            return _row_later(answer, delivery, now, rng)
        case found:
            return _lane_later(found, answer, delivery, now, lane_failures, rng)


def code_of(answer: Answer) -> str:
    """The code to show: theirs, or the bare status."""
    return answer.code or f"http_{answer.status}"


def _absent(answer: Answer, delivery: Delivery, now: datetime) -> DeadRow | RowLater:
    if delivery.attempts < len(ABSENT_WAITS):
        return RowLater(now + ABSENT_WAITS[delivery.attempts])
    return DeadRow(answer.code or "gone")


def _row_later(answer: Answer, delivery: Delivery, now: datetime, rng: Random) -> RowLater | DeadRow:
    """By the row's own schedule, and not before the sibling said."""
    at = next_try(delivery.attempts + 1, now, rng)
    if answer.retry_after is not None:
        at = max(at, _said(answer.retry_after, now))
    return _given_up(delivery, now) or RowLater(at)


def _lane_later(
    found: Meaning, answer: Answer, delivery: Delivery, now: datetime, lane_failures: int, rng: Random
) -> LaneLater:
    at = next_try(lane_failures + 1, now, rng)
    if found is Meaning.BUSY and answer.retry_after is not None:
        at = _said(answer.retry_after, now)
    alarm = answer.code in ALARMING_FAULTS if found is Meaning.NOT_REACHED else found in _ALARMING
    return LaneLater(at, code_of(answer), alarm, _row_beside(found, delivery, now, rng))


_ALARMING: Final = frozenset({Meaning.MOVED, Meaning.KEY_TROUBLE, Meaning.FORBIDDEN, Meaning.ABSENT})


def _row_beside(found: Meaning, delivery: Delivery, now: datetime, rng: Random) -> RowLater | DeadRow | None:
    """What the row that met the trouble does while its lane waits."""
    given_up = _given_up(delivery, now)
    if given_up is not None:
        return given_up
    if found in (Meaning.KEY_TROUBLE, Meaning.FAILING):
        # It may be this signer's key, or this very message: the next probe is another row, or one doctor's trouble
        # would keep everybody's messages back for a month.
        return RowLater(next_try(delivery.attempts + 1, now, rng))
    return None


def _given_up(delivery: Delivery, now: datetime) -> RowLater | DeadRow | None:
    """What becomes of a row whose thirty days are over; None before."""
    if now - delivery.created_at < GIVE_UP_AFTER:
        return None
    return RowLater(now + DAILY) if delivery.priority == Priority.REVOCATION else DeadRow("gave_up")


def _said(seconds: int, now: datetime) -> datetime:
    """When a Retry-After of so many seconds is over, an hour at most."""
    return now + min(timedelta(seconds=max(seconds, 1)), LONGEST_RETRY_AFTER)
