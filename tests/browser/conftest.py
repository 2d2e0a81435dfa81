"""A Chromium, and an instance it can look at. Without a Chromium nothing here runs, and the run says so."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from hypercorn.asyncio import serve
from hypercorn.config import Config as ServerConfig
from playwright.async_api import Browser, BrowserContext, Page

from instance.hot.answers import Answers
from instance.hot.feed import HomeFeed
from tests.browser.chromium import CHROMIUM, RUNNING, chromium
from tests.browser.story import Scene, open_scene
from tests.instance.pages.house import House, Visitor, close_house, open_house
from tests.instance.pages.rows import PASSWORD
from tests.instance.pages.scene import fill


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what stands here; without a Chromium say loudly that it did not run."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("browser")
            if not CHROMIUM and not os.environ.get("CI"):
                item.add_marker(pytest.mark.skip(reason="NOT RUN: no Chromium found (apt-get install chromium)"))


@dataclass
class Visit:
    """One browser window on the instance, and everything it complained about."""

    page: Page
    context: BrowserContext
    origin: str
    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    async def open(self, path: str) -> None:
        """Open a page of the instance."""
        await self.page.goto(self.origin + path, wait_until="load")

    async def sign_in(self, login: str, arrives: str = "/feed|/me/security") -> None:
        """Sign in through the form; staff who owe a factor arrive at their security."""
        await self.open("/sign-in")
        await self.page.fill("#login", login)
        await self.page.fill("#password", PASSWORD)
        await self.page.click("main button")
        await self.page.wait_for_url(re.compile(arrives))

    async def be(self, somebody: Visitor) -> None:
        """Go on with the cookies of somebody who has signed in without a browser."""
        jar: Any = somebody.client.cookie_jar  # type: ignore[attr-defined]
        kept = [{"name": each.name, "value": each.value, "url": self.origin} for each in jar]
        await self.context.add_cookies(kept)

    async def keep_picture(self, name: str) -> None:
        """Keep a picture of the whole page where somebody asked for pictures."""
        if folder := os.environ.get("PICTURES"):
            width = self.page.viewport_size["width"]  # type: ignore[index]
            await self.page.screenshot(path=f"{folder}/{name}-{width}.png", full_page=True)


@dataclass
class Shown:
    """The instance, served, and a browser to look at it."""

    house: House
    browser: Browser
    origin: str

    @asynccontextmanager
    async def visit(self, *, language: str = "en", scheme: str = "light", width: int = 360, **more: Any):  # type: ignore[no-untyped-def]
        """Open a window; what it complains about is kept."""
        context = await self.browser.new_context(
            locale=language, color_scheme=scheme, viewport={"width": width, "height": 780}, **more
        )
        page = await context.new_page()
        visit = Visit(page, context, self.origin)
        page.on(
            "console", lambda note: visit.complaints.append(note.text) if note.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith(self.origin) else visit.foreign.append(asked.url))
        try:
            yield visit
        finally:
            await context.close()


class InFront:
    """The pages, and what is answered before them to pages that are open."""

    def __init__(self, house: House) -> None:
        self._pages, self._events = house.app, HomeFeed(house.node, Answers(secure=False)).events

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["path"] == "/events":
            await self._events(scope, receive, send)
        else:
            await self._pages(scope, receive, send)


class Port:
    """A free port of loopback, and the origin under which a browser finds it."""

    def __init__(self) -> None:
        if not CHROMIUM:
            pytest.fail("a Chromium is needed in CI")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.origin = f"http://fr.localhost:{self._listener.getsockname()[1]}"

    @asynccontextmanager
    async def serving(self, house: House) -> AsyncIterator[Shown]:
        """Serve these pages here, with a browser in front of them, until it is left."""
        stop, server = asyncio.Event(), ServerConfig()
        server.bind, server.accesslog = [f"fd://{self._listener.detach()}"], None
        served = asyncio.create_task(serve(InFront(house), server, shutdown_trigger=stop.wait))  # type: ignore[arg-type]
        try:
            async with chromium() as browser:
                yield Shown(house, browser, self.origin)
        finally:
            await house.node.live.stop()
            stop.set()
            await served


@pytest.fixture
async def shown(tmp_path: Path) -> AsyncIterator[Shown]:
    """Serve the scene on a free port and start a browser."""
    port, house = Port(), await open_house(tmp_path, fill)
    try:
        async with port.serving(house) as shown:
            yield shown
    finally:
        await close_house(house)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """France and Germany, started; nothing written yet."""
    async with open_scene(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="session", autouse=True)
def running() -> Iterator[None]:
    """Ends the Chromium that the first test started."""
    yield
    RUNNING.stop()


@pytest.fixture(scope="session")
def axe() -> Axe:
    """The automated checker."""
    return Axe()
