"""The Chromium of this machine, if it has one: started once a run, since to start it costs more than most tests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from playwright._impl._driver import compute_driver_executable, get_driver_env
from playwright.async_api import Browser, async_playwright

CHROMIUM: Final = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
_FLAGS: Final = ("--disable-background-networking", "--disable-component-update", "--no-first-run", "--disable-sync")


def flags() -> list[str]:
    """How it is started; for root without its sandbox: else it would not start."""
    return [*_FLAGS, "--no-sandbox"] if os.geteuid() == 0 else [*_FLAGS]


class Running:
    """One Chromium for all tests of this process; each test has windows of its own, which share nothing."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._address = ""

    def address(self) -> str:
        """Where it is reached; started where it is not running."""
        if self._process is None or self._process.poll() is not None:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "browser.json"
                file.write_text(json.dumps({"executablePath": CHROMIUM, "args": flags(), "headless": True}), "utf-8")
                self._process = subprocess.Popen(
                    [*compute_driver_executable(), "launch-server", "--browser", "chromium", "--config", str(file)],
                    stdout=subprocess.PIPE, text=True, env=get_driver_env(),
                )  # fmt: skip
                assert self._process.stdout is not None
                self._address = self._process.stdout.readline().strip()
        return self._address

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.communicate()
            self._process = None


RUNNING: Final = Running()


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The browser; what was opened in it is closed afterwards."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.connect(RUNNING.address())
        try:
            yield browser
        finally:
            await browser.close()
