"""What this room needs of its surroundings. Implementations live in `instance/`; each port is named for the need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from federation.allowlist import Allowlist, Direction, Sibling
from federation.errors import Refused
from federation.keys import PrivateKey, PublicKey
from federation.signatures import Profile, Verified
from federation.uri import Uri

if TYPE_CHECKING:
    from federation.parse import Document


class Clock(Protocol):
    """The time, timezone-aware UTC; one place owns it."""

    def __call__(self) -> datetime: ...


class Siblings(Protocol):
    """The allowlist in force at this moment, in this process; asked anew for every message."""

    def __call__(self) -> Allowlist: ...


class Keys(Protocol):
    """Public keys of siblings' actors, each bound to its owner before it is handed out."""

    async def find(self, key_id: Uri, sibling: Sibling) -> PublicKey:
        """Return the key from memory or after one signed fetch. Raises UnknownKey, KeyNotOwned, PinMismatch."""

    async def reread(self, key_id: Uri, sibling: Sibling) -> PublicKey | None:
        """Read the key again past every cache, at most once a minute per key; None where that is not due."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Somebody who may speak here now: a doctor, or (without followers) the sibling's instance actor."""

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
    proof: Verified
    #: The sibling whose actor speaks; of a forwarded message, not the one that posted it.
    sibling: Sibling
    speaker: Speaker
    #: The home of the thread that passed the message on, or None where its author's instance sent it.
    forwarded_by: Sibling | None = None


class Inbound(Protocol):
    """Where accepted activities are kept."""

    async def keep(self, arrival: Arrival) -> bool:
        """Return after the activity is on disk; False where (actor, id) was here before.

        Raises Refused where it does not fit what is stored here (not the owner's, nobody asked, not visible): then
        nothing of it is kept.
        """


class Audit(Protocol):
    """The record of what was refused: facts, never bodies."""

    def refused(self, direction: Direction, refusal: Refused, origin: str, key_id: str, activity: str) -> None:
        """Note a refusal; at most ten rows a second per source, the rest is counted."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One activity on its way to one inbox."""

    id: str
    origin: str
    inbox: Uri
    shared: bool
    activity: Uri
    actor: Uri
    body: bytes
    attempts: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a status and the code in its body, or (status 0) the name of a transport fault."""

    status: int
    code: str = ""
    retry_after: int | None = None


class Poster(Protocol):
    """Outbound HTTP to allowlisted origins, bounded in time and size, without redirects."""

    async def post(self, url: Uri, body: bytes, headers: dict[str, str]) -> Answer: ...


class SigningKeys(Protocol):
    """Our own private keys."""

    async def signing_key(self, actor: Uri, profile: Profile) -> PrivateKey: ...


class DeliveryQueue(Protocol):
    """The table of deliveries, lane by lane."""

    async def claim(self, now: datetime, limit: int) -> Sequence[Delivery]:
        """Lease what is due: revocations and erasures first, one in flight per author and lane."""
