"""`esanum`, but a sibling that was away is tried again after a third of a second: for tests that kill receivers."""

from __future__ import annotations

from datetime import timedelta

import federation.delivery
import federation.lanes
from instance.cli import main

if __name__ == "__main__":
    shortly = (timedelta(milliseconds=300),) * 1_000
    federation.delivery.BACK_OFF = federation.lanes.BACK_OFF = shortly  # type: ignore[misc]
    main()
