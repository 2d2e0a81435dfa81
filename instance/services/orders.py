"""An order of somebody of the staff: what it must bring, and what the audit log calls whoever gave it."""

from __future__ import annotations

import re
from typing import Final

from instance.services.errors import Rejected
from verification.audit import COMMAND_LINE
from verification.people import SYSTEM

MAX_REASON: Final = 500
_STAFF: Final = re.compile(r"staff-[0-9A-Za-z]{1,26}\Z")


def check_order(by: str, reason: str) -> None:
    """Raise Rejected(reason_missing) where nobody gives the order, or without a reason that can be kept."""
    if not by.strip() or not 0 < len(reason.strip()) <= MAX_REASON:
        raise Rejected("reason_missing", "reason")


def who(by: str) -> str:
    """What the log calls whoever gave an order: an id of staff, the instance itself, or the command line.

    Whose command line, stands in the row alone.
    """
    return by if by == SYSTEM.id or _STAFF.match(by) else COMMAND_LINE
