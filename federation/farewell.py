"""What may still be said to somebody who is no sibling any more: that follows have ended, and that our copies go.

The permission is apart from the allowlist and opens nothing else: nothing comes in, nothing is read either way, and of
what goes out only what takes something of ours back, for a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from federation.uri import Uri

#: How long the ends of follows are told.
WORDS: Final = timedelta(hours=1)
#: How long our copies are asked back.
ERASURES: Final = timedelta(days=30)
#: The urgencies (`federation.delivery.Priority`) of an erasure and of a withdrawal.
ERASURE: Final = 0
WITHDRAWAL: Final = 1


@dataclass(frozen=True, slots=True)
class Farewell:
    """A former sibling, with what a delivery to it needs."""

    origin: str
    inbox: Uri
    speaks_rfc9421: bool
    words_until: datetime
    erasures_until: datetime

    def permits(self, urgency: int, now: datetime) -> bool:
        """Whether a message of this urgency may still go there: an erasure for thirty days, an Undo for an hour."""
        if urgency == ERASURE:
            return now <= self.erasures_until
        return urgency == WITHDRAWAL and now <= self.words_until
