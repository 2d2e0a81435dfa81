"""`esanum`, as impatient as `tests.faults.impatient`, whose clock is off by the seconds that the file CLOCK_OFF says."""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta
from pathlib import Path

import federation.delivery
import federation.lanes
from instance import wiring
from instance.cli import main
from instance.times import system_clock
from tests.faults.impatient import SHORTLY


class ShakenClock:
    """The time of the machine, and what the file adds to it; looked into twenty times a second."""

    def __init__(self, file: Path) -> None:
        self._file, self._off, self._looked = file, timedelta(0), 0.0

    def __call__(self) -> datetime:
        """The time."""
        if time.monotonic() - self._looked > 0.05:
            self._looked = time.monotonic()
            self._off = timedelta(seconds=float(self._file.read_text() or "0"))
        return system_clock() + self._off


if __name__ == "__main__":
    federation.delivery.BACK_OFF = federation.lanes.BACK_OFF = SHORTLY  # type: ignore[misc]
    wiring.open_node.__kwdefaults__["clock"] = ShakenClock(Path(os.environ["CLOCK_OFF"]))
    main()
