"""`esanum`, as impatient as `tests.faults.impatient`, whose clock is off by the seconds that the file CLOCK_OFF says."""

from __future__ import annotations

import os
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path

from instance import wiring
from instance.cli import main
from instance.times import system_clock
from tests.faults.impatient import hurry


class ShakenClock(threading.Thread):
    """The time of the machine, and what the file adds to it; looked into a hundred times a second, at no particular line."""

    def __init__(self, file: Path) -> None:
        super().__init__(daemon=True, name="clock")
        self._file, self._off = file, timedelta(seconds=float(file.read_text()))

    def __call__(self) -> datetime:
        """The time."""
        return system_clock() + self._off

    def run(self) -> None:
        """Look for steps."""
        while True:
            time.sleep(0.01)
            if text := self._file.read_text():  # empty while it is being written
                self._off = timedelta(seconds=float(text))


if __name__ == "__main__":
    hurry()
    clock = wiring.open_node.__kwdefaults__["clock"] = ShakenClock(Path(os.environ["CLOCK_OFF"]))
    clock.start()
    main()
