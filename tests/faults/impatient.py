"""`esanum`, but a sibling that was away is tried again after a third of a second: for tests that kill receivers."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import federation.delivery
import federation.lanes
from instance.cli import main

SHORTLY: Final = (timedelta(milliseconds=300),) * 1_000


def hurry() -> None:
    """From now on, a sibling that was away is tried again shortly."""
    federation.delivery.BACK_OFF = federation.lanes.BACK_OFF = SHORTLY  # type: ignore[misc]


if __name__ == "__main__":
    hurry()
    main()
