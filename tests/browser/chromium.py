"""The Chromium of this machine, if it has one."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from playwright.async_api import Browser, async_playwright

CHROMIUM: Final = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
_FLAGS: Final = ("--disable-background-networking", "--disable-component-update", "--no-first-run", "--disable-sync")


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start a browser; for root without its sandbox, with which Chromium would not start."""
    flags = [*_FLAGS, "--no-sandbox"] if os.geteuid() == 0 else [*_FLAGS]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        try:
            yield browser
        finally:
            await browser.close()
