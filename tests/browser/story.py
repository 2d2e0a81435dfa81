"""Two real instances, two doctors on their phones, and the hands they use: a finger or the keyboard alone.

With ESANUM_SHOTS=<folder> every step also leaves pictures of what was seen, narrow and wide, light and dark.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from playwright.async_api import Browser, Locator, Page

from instance.demo.fill import fill
from instance.demo.town import Country, Login, open_town
from instance.i18n import Catalogue, catalogue
from instance.rendering import Phrases
from tests.browser.chromium import chromium

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
DESK = {"viewport": {"width": 1280, "height": 900}}
#: What a browser says of a page refused, gone or returned with mistakes: on purpose here.
EXPECTED = re.compile(r"Failed to load resource: the server responded with a status of (403|404|409|422)")
PATIENCE = 15_000
SHOTS = os.environ.get("ESANUM_SHOTS", "")
#: Twice the size of text on every page that is opened, as a browser's own setting makes it.
LARGE = """addEventListener('DOMContentLoaded', () => {
  const style = document.createElement('style');
  style.textContent = 'html { font-size: 225% !important }';
  document.head.append(style);
})"""
REPORTS = "addEventListener('securitypolicyviolation', e => report(`${e.violatedDirective} ${e.blockedURI}`))"


class Hand(Protocol):
    """How somebody acts on a page."""

    async def press(self, thing: Locator) -> None:
        """Follow a link, press a button, open what is folded."""

    async def write(self, thing: Locator, text: str) -> None:
        """Put this text into a field."""

    async def pick(self, thing: Locator) -> None:
        """Choose one of several."""

    async def tick(self, thing: Locator) -> None:
        """Set a cross, or take it away."""

    async def select(self, thing: Locator, label: str) -> None:
        """Choose from a list."""


class Finger:
    """Touch alone."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def press(self, thing: Locator) -> None:
        """Tap it."""
        await thing.tap()

    async def write(self, thing: Locator, text: str) -> None:
        """Tap into it and type."""
        await thing.tap()
        await thing.fill(text)

    async def pick(self, thing: Locator) -> None:
        """Tap it."""
        await thing.tap()

    async def tick(self, thing: Locator) -> None:
        """Tap it."""
        await thing.tap()

    async def select(self, thing: Locator, label: str) -> None:
        """Choose in the list the phone shows."""
        await thing.select_option(label=label)


class Mouse(Finger):
    """A mouse, at a desk."""

    async def press(self, thing: Locator) -> None:
        """Click on it."""
        await thing.click()

    async def write(self, thing: Locator, text: str) -> None:
        """Click into it and type."""
        await thing.click()
        await thing.fill(text)

    async def pick(self, thing: Locator) -> None:
        """Click on it."""
        await thing.click()

    async def tick(self, thing: Locator) -> None:
        """Click on it."""
        await thing.click()


class Keys:
    """The keyboard alone: Tab until it is reached, then what its kind asks for."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def reach(self, thing: Locator) -> None:
        """Press Tab until the focus is there; fail when it never is."""
        target = await thing.element_handle(timeout=PATIENCE)
        for _ in range(250):
            if await self.page.evaluate("e => e === document.activeElement", target):
                return
            await self.page.keyboard.press("Tab")
        raise AssertionError(f"no way there by Tab: {thing}")

    async def press(self, thing: Locator) -> None:
        """Reach it and press Enter."""
        await self.reach(thing)
        await self.page.keyboard.press("Enter")

    async def write(self, thing: Locator, text: str) -> None:
        """Reach it, mark what is there and type over it."""
        await self.reach(thing)
        await self.page.keyboard.press("ControlOrMeta+a")
        await self.page.keyboard.insert_text(text)

    async def pick(self, thing: Locator) -> None:
        """Reach the group, then go down in it until the choice is made."""
        name = await thing.get_attribute("name")
        await self.reach(self.page.locator(f"input[name={name}]:checked"))
        for _ in range(12):
            if await thing.is_checked():
                return
            await self.page.keyboard.press("ArrowDown")
        raise AssertionError(f"no way there by arrow: {thing}")

    async def tick(self, thing: Locator) -> None:
        """Reach it and press the space bar."""
        await self.reach(thing)
        await self.page.keyboard.press("Space")

    async def select(self, thing: Locator, label: str) -> None:
        """Reach it and type the beginning of the entry."""
        await self.reach(thing)
        await self.page.keyboard.type(label)


HANDS: dict[str, type[Finger] | type[Keys]] = {"touch": Finger, "mouse": Mouse, "keys": Keys}


@dataclass
class Doctor:
    """Somebody in front of a browser, in one language."""

    page: Page
    hand: Finger | Keys
    country: Country
    login: Login
    words: Catalogue
    marks: Iterator[str]
    complaints: list[str] = field(default_factory=list)

    @property
    def origin(self) -> str:
        """Where this doctor's instance is."""
        return self.country.node.origin

    @property
    def name(self) -> str:
        """The doctor's name as the demo gives it."""
        return str(next(entry[1] for entry in self.country.people if entry[0] == self.login.handle))

    @property
    def address(self) -> str:
        """The doctor's address as colleagues abroad write it."""
        return f"{self.login.handle}@{self.country.node.authority}"

    def text(self, key: str, **values: object) -> str:
        """A text of the interface as this doctor reads it."""
        return self.words.text(key, **values)

    def role_line(self, other: Doctor) -> str:
        """How this doctor reads the other's role, specialty and country."""
        _, _, role, specialty, _ = next(entry for entry in other.country.people if entry[0] == other.login.handle)
        return Phrases(self.words).role_line(role, f'["{specialty}"]', other.country.code)

    async def open(self, path: str) -> None:
        """Type an address."""
        await self.page.goto(self.origin + path, wait_until="load")

    async def press(self, selector: str, text: str = "") -> None:
        """Act on the first element of this kind with this text."""
        await self.hand.press(self._thing(selector, text))

    async def press_to(self, selector: str, where: str, text: str = "") -> None:
        """The same, and arrive at a page whose address matches."""
        async with self.page.expect_navigation(url=re.compile(where), timeout=PATIENCE):
            await self.press(selector, text)

    def _thing(self, selector: str, text: str) -> Locator:
        return self.page.locator(selector, has_text=text).first if text else self.page.locator(selector).first

    async def write(self, selector: str, text: str) -> None:
        """Fill a field."""
        await self.hand.write(self.page.locator(selector), text)

    async def pick(self, name: str, value: str) -> None:
        """Choose one of several."""
        await self.hand.pick(self.page.locator(f"input[name={name}][value={value}]"))

    async def tick(self, name: str, value: str) -> None:
        """Set a cross, or take it away."""
        await self.hand.tick(self.page.locator(f"input[name={name}][value='{value}']"))

    async def select(self, selector: str, label: str) -> None:
        """Choose from a list."""
        await self.hand.select(self.page.locator(selector), label)

    async def reads(self) -> str:
        """The text of the page, as it is shown."""
        return await self.page.inner_text("main")

    async def until(self, path: str, text: str, *, there: bool = True) -> None:
        """Look at a page again and again until it shows the text (or no longer does)."""
        async with asyncio.timeout(PATIENCE / 1000):
            while True:
                await self.open(path)
                if (text in await self.reads()) is there:
                    return

    async def see(self, step: str) -> str:
        """Check what must hold on every page, keep pictures where wanted, and return what is read."""
        wide = await self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        lang = await self.page.evaluate("document.documentElement.lang")
        if SHOTS:
            await self._picture(step)

        assert 0 == wide, f"{step}: {wide} px too wide"
        assert self.words.language == lang, step
        assert [] == self.complaints, step
        return await self.reads()

    async def _picture(self, step: str) -> None:
        test = os.environ.get("PYTEST_CURRENT_TEST", "").partition(" ")[0].rpartition("::")[2]
        folder, name = Path(SHOTS, test), f"{next(self.marks)}-{step}-{self.words.language}"
        shown = self.page.viewport_size
        for width, scheme in ((1280, "light"), (1280, "dark"), (360, "dark"), (360, "light")):
            await self.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            await self.page.set_viewport_size({"width": width, "height": 740})
            await self.page.screenshot(
                path=folder / f"{name}-{width}-{scheme}.png", full_page=True, animations="disabled"
            )
        assert shown is not None
        await self.page.set_viewport_size(shown)


@dataclass
class Scene:
    """Two countries on loopback and a browser."""

    town: list[Country]
    browser: Browser
    marks: Iterator[str] = field(default_factory=lambda: (f"{number:02d}" for number in count(1)))

    @asynccontextmanager
    async def doctor(self, place: int, language: str, hand: str, login: int = 0) -> AsyncIterator[Doctor]:
        """Somebody takes out a phone; whatever the browser complains of is kept."""
        country = self.town[place]
        async with self.somebody(country, country.logins[login], language, hand) as who:
            yield who

    @asynccontextmanager
    async def somebody(
        self, country: Country, login: Login, language: str, hand: str, *, wide: bool = False, large: bool = False
    ) -> AsyncIterator[Doctor]:
        """The same, for whoever has this sign-in, or will have; at a desk where it is wide, with text of 200 % if large."""
        screen = DESK if wide else PHONE
        context = await self.browser.new_context(**screen, locale=language, bypass_csp=large)
        if large:
            await context.add_init_script(LARGE)
        context.set_default_timeout(PATIENCE)
        page = await context.new_page()
        who = Doctor(page, HANDS[hand](page), country, login, catalogue(language), self.marks)
        await watch(who)
        try:
            yield who
        finally:
            await context.close()


async def watch(who: Doctor) -> None:
    """Keep console errors, script errors, policy reports and requests to any other host."""
    page, said = who.page, who.complaints
    await page.expose_function("report", lambda text: said.append(f"policy: {text}"))
    await page.add_init_script(REPORTS)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on(
        "console",
        lambda note: (
            said.append(note.text) if note.type in ("error", "warning") and not EXPECTED.match(note.text) else None
        ),
    )
    own = urlsplit(who.origin).netloc
    page.on("request", lambda asked: None if urlsplit(asked.url).netloc == own else said.append(f"to {asked.url}"))


@asynccontextmanager
async def open_scene(folder: Path) -> AsyncIterator[Scene]:
    """Start France and Germany, two doctors each and nothing written yet, and a browser."""
    async with open_town(folder, countries=2, port=_some_port(), server="hypercorn", say=lambda _: None) as town:
        await fill(town, posts=False, say=lambda _: None)
        async with chromium() as browser:
            yield Scene(town, browser)


def _some_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


async def chooses(who: Doctor, place: int) -> None:
    """One of those nothing is chosen of yet: by a tap, or down from the first."""
    if isinstance(who.hand, Keys):
        await who.hand.tick(who.page.locator("input[name=choice]").first)
        for _ in range(place):
            await who.page.keyboard.press("ArrowDown")
    else:
        await who.hand.tick(who.page.locator(f"input[name=choice][value='{place}']"))
