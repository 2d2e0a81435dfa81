"""An instance in a process of its own, and what that process costs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class Served:
    """`esanum serve`, started and stopped."""

    def __init__(self, config: Path, port: int, metrics: int, server: str) -> None:
        began = time.perf_counter()
        self.port = port
        self.process = subprocess.Popen(
            [sys.executable, "-m", "instance.cli", "-c", str(config), "serve", "--server", server],
            stderr=subprocess.DEVNULL,
        )
        self._until_ready(metrics)
        self.start_seconds = time.perf_counter() - began

    def _until_ready(self, metrics: int) -> None:
        for _ in range(1_000):
            if self.process.poll() is not None:
                raise RuntimeError("the server ended at once")
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/health", timeout=1):
                    return
            except OSError:
                time.sleep(0.01)
        raise RuntimeError("the server did not become ready")

    def cpu(self) -> float:
        """CPU seconds used so far, children included."""
        return sum(_cpu(pid) for pid in self._pids())

    def rss(self) -> float:
        """Resident memory in MiB, children included."""
        return sum(_rss(pid) for pid in self._pids())

    def stop(self) -> None:
        """End it cleanly."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(12)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _pids(self) -> list[int]:
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *(int(child) for child in children)]


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def _rss(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 2**20
