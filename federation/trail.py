"""What is known of a message at the door, step by step: the facts that explain afterwards what became of it.

The steps are the numbered checks of the security design, section 1: a message is refused by the first that fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from federation.catch_up import LogNumber
    from federation.synchronisation import Said


class Step(IntEnum):
    """The checks of the door in their order; each asks one thing."""

    UNKNOWN = 0  #: of before steps were noted
    REQUEST = 1  #: method and address
    FORM = 2  #: headers single, plain and of bounded size
    HOST = 3  #: the Host is ours
    TYPE = 4  #: media type and declared length
    CLAIM = 5  #: one signature, covering what it must
    TIME = 6  #: of now
    LISTED = 7  #: the origin of the key may do this here
    SHARE = 8  #: the sibling's share of this server
    BODY = 9  #: read in time and in bounds
    DIGEST = 10  #: the body is the one that was signed
    KEY = 11  #: the key is its owner's, an instance's key the pinned one
    SIGNATURE = 12  #: it holds
    REPLAY = 13  #: not seen before
    DOCUMENT = 14  #: strict JSON, an activity of the vocabulary
    ACTOR = 15  #: the actor owns the key
    ORIGINS = 16  #: every id on the actor's origin, every host listed
    STANDING = 17  #: a verified doctor speaks
    AUDIENCE = 18  #: nothing public, a kind that is open
    KEPT = 19  #: it fits what is stored here


@dataclass(frozen=True, slots=True)
class Head:
    """What a request says before its body, as it came: to be shown, never to be decided by."""

    method: str
    target: str
    headers: Mapping[str, str]


@dataclass(slots=True)
class Trail:
    """A message on its way through the door. What is not known yet is empty; `at` is when it came, None if unknown."""

    at: datetime | None = None
    head: Head | None = None
    step: Step = Step.UNKNOWN
    origin: str = ""
    key_id: str = ""
    profile: str = ""
    activity: str = ""
    #: The activity's type, and the kind of the post that it brings.
    type: str = ""
    kind: str = ""
    #: The row that keeps the message, where it was taken before it was refused.
    message: str = ""
    #: Its place in the log of the instance it came from, and its head as signed there (where it was read: for reading).
    place: LogNumber | None = None
    signed: str = ""
    #: What it says of its actor's followers here.
    said: Said | None = None
