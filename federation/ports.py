"""What this room needs of its surroundings. Implementations live in `instance/`; each port is named for the need."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from federation.allowlist import Allowlist, Direction, Sibling
from federation.errors import Refused
from federation.keys import PrivateKey, PublicKey
from federation.signatures import Profile, Verified
from federation.trail import Trail
from federation.uri import Uri

if TYPE_CHECKING:
    from federation.catch_up import Logged, LogNumber
    from federation.parse import Document


class Clock(Protocol):
    """The time, timezone-aware UTC; one place owns it."""

    def __call__(self) -> datetime: ...


class Hears(Protocol):
    """Told with each answer what time it is at the sibling."""

    def __call__(self, origin: str, said: datetime) -> None: ...


class Siblings(Protocol):
    """The allowlist in force at this moment, in this process; asked anew for every message."""

    def __call__(self) -> Allowlist: ...


class SiblingsNow(Protocol):
    """The allowlist in force at this moment in every process: one look at its version, then the value."""

    async def __call__(self) -> Allowlist: ...


class Keys(Protocol):
    """Public keys of siblings' actors, each bound to its owner before it is handed out."""

    async def find(self, key_id: Uri, sibling: Sibling) -> PublicKey:
        """Return the key from memory or after one signed fetch. Raises UnknownKey, KeyNotOwned, PinMismatch."""

    async def reread(self, key_id: Uri, sibling: Sibling) -> PublicKey | None:
        """Read the key again past every cache, at most once a minute per key; None where that is not due."""

    async def pinned(self, key_id: Uri, sibling: Sibling) -> PublicKey:
        """Return a pinned key of the sibling's instance actor, however old our reading of it is.

        Whoever may not be read is not asked for it. Raises UnknownKey, KeyNotOwned, PinMismatch.
        """


@dataclass(frozen=True, slots=True)
class Speaker:
    """Somebody who may speak here now: a doctor, or (without followers) nobody's doctor.

    That is the sibling's instance actor, which does housekeeping only, or a doctor who has left and takes back only.
    """

    actor: Uri
    followers: Uri | None = None
    #: What the message has to wait for before it is applied, or None.
    held: str | None = None


class Recognise(Protocol):
    """Whether the actor may speak here now."""

    async def __call__(self, actor: Uri, sibling: Sibling) -> Speaker:
        """Return who speaks; raise StandingRefused or StandingDeferred where no verified doctor does."""


class Admission(Protocol):
    """Each sibling's share of this server."""

    async def enter(self, origin: str) -> None:
        """Count one message and wait for a place; raise TooManyRequests beyond the share."""

    def leave(self, origin: str) -> None:
        """Give the place back."""


class Replays(Protocol):
    """The memory of signatures already accepted (15 minutes)."""

    def seen(self, replay_key: bytes) -> bool: ...

    def remember(self, replay_key: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message that every check at the door has passed."""

    document: Document
    proof: Verified | Logged
    #: The sibling whose actor speaks; of a forwarded message, not the one that posted it.
    sibling: Sibling
    speaker: Speaker
    #: The home of the thread that passed the message on, or None where its author's instance sent it.
    forwarded_by: Sibling | None = None
    #: How it came through the door, and its place in the log of the instance it came from.
    trail: Trail = field(default_factory=Trail)


class Inbound(Protocol):
    """Where accepted activities are kept."""

    async def keep(self, arrival: Arrival) -> bool:
        """Return after the activity is on disk; False where (actor, id) was here before.

        Raises Refused where it does not fit what is stored here (not the owner's, nobody asked, not visible): then
        nothing of it is kept. Its place in the sender's log is kept with it, and with what was here before.
        """

    async def note(self, origin: str, place: LogNumber) -> None:
        """Return after it is on disk that this number of that instance's log has come, and left nothing to keep."""


class Audit(Protocol):
    """The record of what was refused, and of what was taken and left nothing to keep: facts, never bodies."""

    def refused(self, direction: Direction, refusal: Refused, trail: Trail) -> None:
        """Note a refusal; at most ten rows a second per source, the rest is counted."""

    def unkept(self, verdict: str, trail: Trail) -> None:
        """Note a message that was taken without a row of its own (`repeated`, `ignored`), bounded alike."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One activity on its way to one inbox; its bytes are asked for when it is sent (`DeliveryQueue.body`)."""

    id: str
    origin: str
    inbox: Uri
    shared: bool
    activity: Uri
    #: Whose key signs: the activity's actor, or the instance actor for what it forwards.
    signer: Uri
    priority: int
    #: How often the sibling has answered about this very row.
    attempts: int
    created_at: datetime
    #: The post or comment it is about, for the copy ledger.
    object: str = ""
    #: Its place in the log for that sibling; 0 for what is older than the log.
    number: int = 0
    #: Origins that have to speak with the receiver themselves for this to be sent to it: it concerns what is theirs.
    homes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lane:
    """One sibling's queue, as it stands between two rounds of sending."""

    origin: str
    #: Failed rounds in a row; 0 when the last try reached the sibling.
    failures: int = 0
    #: How many may be in flight.
    width: int = 32
    failing_since: datetime | None = None
    next_at: datetime | None = None
    #: The code an administrator should see, or nothing.
    alarm: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a status and the code in its body, or (status 0) the name of a transport fault."""

    status: int
    code: str = ""
    #: Seconds.
    retry_after: int | None = None
    #: How it was asked for, and the headers that came back; what is decided rests on none of it.
    exchange: Exchange | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One try of a delivery: what was sent beside the body, what came back beside it, and how long it took."""

    received: Mapping[str, str] = field(default_factory=dict)
    #: Milliseconds.
    took: int = 0
    target: str = ""
    sent: Mapping[str, str] = field(default_factory=dict)
    key_id: str = ""
    profile: str = ""


class Besides(Protocol):
    """What a delivery says of our logs and collections besides its body; its signature covers it."""

    async def __call__(self, delivery: Delivery) -> Mapping[str, str]: ...


class Poster(Protocol):
    """Outbound HTTP to allowlisted origins, bounded in time and size, without redirects."""

    async def post(self, url: Uri, body: bytes, headers: dict[str, str]) -> Answer:
        """Return the answer, or status 0 and what went wrong; raise Refused where the allowlist is closed to us."""


class SigningKeys(Protocol):
    """Our own private keys."""

    async def signing_key(self, actor: Uri, profile: Profile) -> PrivateKey:
        """Return the key the actor signs with now; raise LookupError where there is none."""


class MaySend(Protocol):
    """Whether one of our own actors has standing at this moment."""

    async def __call__(self, actor: Uri) -> bool: ...


class Passes(Protocol):
    """Whether what concerns other instances may go on to a receiver, at this moment."""

    def __call__(self, homes: Collection[str], receiver: str, /) -> str:
        """Return why it is not sent, `sibling_set_unknown` (not yet) or another code (never); empty where it is."""


class Reread(Protocol):
    """Read anew where an inbox is, after its sibling said that it has moved."""

    async def __call__(self, delivery: Delivery) -> Uri | None:
        """Return the inbox its actor names now, on the same origin; None where it cannot be read."""


class DeliveryQueue(Protocol):
    """The table of deliveries, lane by lane. A lane belongs to one process at a time.

    What is settled here may be written a moment later, together with others; `flush` returns when it is on disk. A row
    that was not settled is sent again: after a crash a sibling may get it twice, never not at all.
    """

    async def claim(self, now: datetime, limit: int) -> Sequence[Lane]:
        """Take lanes that have something due and belong to nobody who is alive."""

    async def keep(self, now: datetime) -> None:
        """Say that this process lives; what it has claimed stays its own for another lease."""

    async def release(self, origin: str) -> None:
        """Give a lane back."""

    async def next(self, origin: str, now: datetime, limit: int) -> Sequence[Delivery]:
        """Return what is to be sent, most urgent and then oldest first; nothing that its signer wrote to the same inbox
        after a row that rests (revocations and withdrawals do not wait for that)."""

    async def body(self, activity: Uri) -> bytes:
        """Return the activity as it is sent."""

    def done(self, delivery: Delivery, answer: Answer, now: datetime) -> None:
        """The sibling has it."""

    def dead(self, delivery: Delivery, code: str, answer: Answer, now: datetime) -> None:
        """It will not be sent again unless an administrator says so."""

    def rest(self, delivery: Delivery, until: datetime, answer: Answer, now: datetime) -> None:
        """It waits for an hour of its own."""

    def tried(self, delivery: Delivery, answer: Answer, now: datetime) -> None:
        """The sibling was not reached, or was not ready; the row waits with its lane."""

    def hold(self, delivery: Delivery, code: str, now: datetime) -> None:
        """It waits until the sibling is resumed, or its signer has standing again."""

    def drop(self, delivery: Delivery, code: str, now: datetime) -> None:
        """It must not be sent any more."""

    def lane(self, lane: Lane, now: datetime) -> None:
        """Keep how a lane stands; what has waited in it for thirty days is given up, but for erasures."""

    async def flush(self) -> None:
        """Return when everything settled so far is on disk; raise what the database raised."""
