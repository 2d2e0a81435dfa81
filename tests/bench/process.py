"""An instance in a process of its own, and what that process costs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class Costing:
    """A process, and what it costs."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._log = log
        with log.open("wb") as errors:
            self.process = subprocess.Popen(command, stderr=errors)

    def cpu(self) -> float:
        """CPU seconds used so far, children included."""
        return sum(_cpu(pid) for pid in self._pids())

    def loop(self) -> float:
        """CPU seconds of the first thread, where the event loop runs; the others write and read rows."""
        pid = self.process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9

    def rss(self) -> float:
        """Resident memory in MiB, children included."""
        return sum(_rss(pid) for pid in self._pids())

    def stop(self) -> float:
        """End it cleanly; return how long that took."""
        began = time.perf_counter()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        return time.perf_counter() - began

    def _pids(self) -> list[int]:
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *(int(child) for child in children)]


class Served(Costing):
    """`esanum serve`, started and stopped."""

    def __init__(self, config: Path, port: int, metrics: int, server: str, profile: str = "") -> None:
        began = time.perf_counter()
        self.port = port
        profiler = ["-m", "cProfile", "-o", profile] if profile else []
        command = [sys.executable, *profiler, "-m", "instance.cli", "-c", str(config), "serve", "--server", server]
        super().__init__(command, config.with_name("server.log"))
        self._until_ready(metrics)
        self.start_seconds = time.perf_counter() - began

    def _until_ready(self, metrics: int) -> None:
        for _ in range(6_000):
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended at once: {self._log.read_text('utf-8')}")
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/health", timeout=5):
                    return
            except OSError:
                time.sleep(0.005)
        raise RuntimeError("the server did not become ready")


def _cpu(pid: int) -> float:
    """From schedstat in nanoseconds for every thread; the ticks of stat are too coarse for short runs."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            continue
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return max(total / 1e9, (int(fields[11]) + int(fields[12])) / TICK)


def _rss(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 2**20
