"""A poll as its author types it, checked whole before anything is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from federation.vocabulary import PostKind
from instance.services.case_parts import CLINICAL
from instance.services.errors import Rejected
from instance.text import one_line

FEWEST: Final = 2
MOST: Final = 8
MAX_OPTION: Final = 100
#: For how many days a poll may be open; 0 is until its author ends it.
DAYS: Final = (0, 1, 3, 7, 14, 30)


@dataclass(frozen=True, slots=True, kw_only=True)
class PollDraft:
    """A poll as typed: one option on each line."""

    options: str
    days: str = "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedPoll:
    """A poll that can be asked."""

    options: tuple[str, ...]
    days: int

    def closes(self, now: datetime) -> datetime | None:
        """When it ends by itself."""
        return now + timedelta(days=self.days) if self.days else None


def check_poll(draft: PollDraft | None, kind: PostKind) -> CheckedPoll | None:
    """Return the poll as values, None where nothing was typed; raise Rejected naming the field to mend."""
    lines = [one_line(line) for line in (draft.options if draft is not None else "").splitlines()]
    options = tuple(line for line in lines if line)
    if draft is None or not options:
        return None
    if kind not in CLINICAL:
        raise Rejected("poll_kind", "poll_options")
    if not FEWEST <= len(options) <= MOST or len({option.casefold() for option in options}) != len(options):
        raise Rejected("poll_options", "poll_options")
    if any(len(option) > MAX_OPTION for option in options):
        raise Rejected("poll_option_too_long", "poll_options")
    if draft.days not in {str(days) for days in DAYS}:
        raise Rejected("poll_days", "poll_days")
    return CheckedPoll(options=options, days=int(draft.days))
