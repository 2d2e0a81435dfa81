"""`esanum serve` as a process of its own, for tests that need a real one."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parents[2]


class Served:
    """Started on entry (unless not wanted), stopped on exit."""

    def __init__(self, file: Path, *, wanted: bool = True, server: str = "hypercorn") -> None:
        self.file, self.wanted, self.server = file, wanted, server
        self.settings = tomllib.loads(file.read_text())
        self.log = file.with_name("server.log")
        self.process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def origin(file: Path) -> str:
        """The origin of a configuration."""
        return str(tomllib.loads(file.read_text())["origin"])

    def __enter__(self) -> Served:
        if self.wanted:
            with self.log.open("wb") as log:
                command = [sys.executable, "-m", "instance.cli", "-c", str(self.file), "serve", "--server", self.server]
                self.process = subprocess.Popen(command, stderr=log, cwd=ROOT)
            self._until_healthy()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process is not None and self.process.poll() is None:
            self.end()

    def health(self) -> bytes:
        """What the listener for health says."""
        with urllib.request.urlopen(f"http://{self.settings['metrics']}/health", timeout=5) as answer:
            return bytes(answer.read())

    def end(self) -> tuple[int, float]:
        """Send SIGTERM; return the exit status and the seconds it took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        return status, time.monotonic() - began

    def _until_healthy(self) -> None:
        """Wait until both listeners answer: the one for health may be a moment earlier."""
        assert self.process is not None
        host, _, port = self.settings["listen"].rpartition(":")
        for _ in range(1_500):
            assert self.process.poll() is None, self.log.read_text()
            try:
                self.health()
                socket.create_connection((host, int(port)), timeout=5).close()
            except OSError:
                time.sleep(0.01)
            else:
                return
        raise AssertionError("the server did not become healthy")
