"""What would have been decided under another allowlist: messages of the past, asked of the functions that decide.

Of a message that was refused it is known which step refused it, and not what the steps behind it would have said: one
that the other list would let through is `OPEN`, no more. Hosts that a message merely names are not replayed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from federation.allowlist import Allowlist, Direction
from federation.errors import (
    FederationListExpired,
    IssuerSuspended,
    IssuerWithdrawn,
    KindNotFederated,
    NotASibling,
    Refused,
    SiblingBlocked,
    SiblingPaused,
    SiblingReadOnly,
)
from federation.trail import Step
from federation.vocabulary import PostKind

#: The code of a message that the list lets through, while nobody knows what the next steps would say.
OPEN: Final = "open"
#: What the list itself answers with.
OF_LIST: Final = frozenset(each.code for each in (NotASibling, SiblingPaused, SiblingBlocked, SiblingReadOnly))
#: What the federation list refuses with at the door; further on the same words are about a doctor's credential.
OF_MEMBERSHIP: Final = frozenset(each.code for each in (IssuerSuspended, IssuerWithdrawn, FederationListExpired))


@dataclass(frozen=True, slots=True)
class Past:
    """What the decision needs of a message, and how it was decided: `code` is empty where it was let through."""

    direction: Direction
    origin: str
    code: str
    #: The step that refused it; UNKNOWN where that was not noted, or where nothing did.
    step: Step = Step.UNKNOWN
    kind: PostKind | None = None


def replay(past: Past, allowlist: Allowlist) -> str:
    """Return the code the message would be refused with under this list; empty where it would be taken as it was.

    OPEN where it was refused for the list, and this list lets it go on to the next steps.
    """
    if past.code and past.step < Step.LISTED and not _by_list(past):
        return past.code  # refused before the list is asked
    try:
        sibling = allowlist.require(past.origin, past.direction)
    except Refused as refusal:
        return refusal.answer_code
    if _by_list(past):
        return OPEN
    behind = not past.code or past.step > Step.AUDIENCE or past.code == KindNotFederated.code
    if past.kind is None or not behind:
        return past.code
    open_kinds = sibling.kinds_in if past.direction is Direction.IN else sibling.kinds_out
    if past.kind not in open_kinds:
        return KindNotFederated.code
    return OPEN if past.code == KindNotFederated.code else past.code


def _by_list(past: Past) -> bool:
    """Whether the allowlist refused it."""
    at_door = past.step in (Step.UNKNOWN, Step.LISTED)
    return past.code in OF_LIST or (at_door and past.code in OF_MEMBERSHIP)
