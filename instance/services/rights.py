"""What an activity of a sibling's doctor asks of their role: the same rights as at our own pages, by the same question.

Taking back asks for nothing: whoever may no longer speak still withdraws, unfollows and blocks.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final, assert_never

from federation.errors import StandingRefused
from federation.vocabulary import (
    Accept,
    Announce,
    AnyActivity,
    Comment,
    Create,
    Delete,
    Flag,
    Follow,
    Ignored,
    Like,
    Move,
    Post,
    Reject,
    Undo,
    Update,
    Vote,
)
from instance.services import standings
from verification.standing import Action, Policy, why_not

if TYPE_CHECKING:
    from instance.services.judging import KnownDoctor


def require(
    activity: AnyActivity, fetched: Post | Comment | None, author: KnownDoctor, policy: Policy, now: datetime
) -> None:
    """Raise StandingRefused where the role of this doctor does not have the right the activity needs."""
    action = _asked(activity, fetched)
    reason = None if action is None else why_not(action, standings.of_sibling(author), policy, now)
    if reason is not None:
        raise StandingRefused(reason.value)


#: What a Create asks for, by what it brings.
_CREATING: Final = {Post: Action.POST, Comment: Action.COMMENT, Vote: Action.VOTE}


def _asked(activity: AnyActivity, fetched: Post | Comment | None) -> Action | None:
    match activity:
        case Create(object=thing):
            return _CREATING[type(thing)]
        case Update(object=thing):
            # A doctor's own new version is judged by itself, and an address by what is read there.
            return Action.EDIT if isinstance(fetched or thing, Post | Comment) else None
        case Follow():
            return Action.FOLLOW
        case Like():
            return Action.LIKE
        case Announce():
            return Action.RECOMMEND
        case Flag():
            return Action.FLAG
        case Accept() | Reject() | Undo() | Delete() | Ignored():
            return None
        case Move():
            return None  # nobody speaks in it: what it needs is read from both homes
        case _ as never:
            assert_never(never)
