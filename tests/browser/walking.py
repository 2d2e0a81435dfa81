"""The ways of an applicant, of reviewers and of an administrator through the pages of real instances on loopback."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Final

from instance.demo.desk import appoint
from instance.demo.town import PASSWORD, Country, Login
from instance.services.staff import Invite
from tests.browser.steps import enter
from tests.browser.story import PATIENCE, Doctor, Scene
from tests.factors import code
from tests.instance.files import PDF, pdf

APPLICANT: Final = Login("eliane.vauquelin", "a-long-enough-passphrase", "applicant")
NAME: Final = "Dr Éliane Vauquelin"
EMAIL: Final = "eliane@mail.example"
BORN: Final = {"#birth_day": "3", "#birth_month": "2", "#birth_year": "1980"}
#: What reviewers find in a deed that is in order.
FACTS: Final = ("same_name", "from_authority")


@dataclass
class Walk:
    """A scene with a review desk in its first country."""

    scene: Scene

    @property
    def home(self) -> Country:
        """Where the applicant lives."""
        return self.scene.town[0]

    async def appoint(self, *logins: str, role: str = "reviewer") -> None:
        """Give these people a part at the desk, and an app that shows codes."""
        for login in logins:
            self.home.staff.append(await appoint(self.home.node, login, role))

    @asynccontextmanager
    async def newcomer(self, language: str = "fr") -> AsyncIterator[Doctor]:
        """Somebody who is not known yet, on a phone."""
        async with self.scene.somebody(self.home, APPLICANT, language, "touch") as who:
            yield who

    @asynccontextmanager
    async def staff(self, login: str, hand: str = "touch") -> AsyncIterator[Doctor]:
        """A member of staff, signed in with the password and the code that the app shows now."""
        known = next(each for each in self.home.staff if each.handle == login)
        async with self.scene.somebody(self.home, known, "en", hand) as who:
            await enter(who, login, arrives="/sign-in/second")
            await who.write("#factor_code", code(known.secret, datetime.now(UTC)))
            await who.press_to("main form button", "/administration$" if known.what == "administrator" else "/desk$")
            yield who

    @asynccontextmanager
    async def invited(self, login: str) -> AsyncIterator[Doctor]:
        """A reviewer who accepts an invitation, proves the address, adds an app and keeps the codes, by keyboard."""
        new = Invite(email=f"{login}@chamber.example", roles=("reviewer",), countries=(self.home.code,))
        link = (await self.home.node.staff.invite(new, by="test")).link
        async with self.scene.somebody(self.home, Login(login, PASSWORD, "reviewer"), "en", "keys") as who:
            await who.open(link.removeprefix(who.origin))
            for field, text in (("#login", login), ("#password", PASSWORD), ("#again", PASSWORD)):
                await who.write(field, text)
            await who.press_to("main form button", "/invitation/confirm$")
            await types_the_code(who, new.email, "/me/security")
            assert who.text("security.owed") in await who.see("owed")
            await who.press_to("form[action='/me/security/app'] button", "/me/security/app")
            await who.see("app")
            secret = await who.page.inner_text(".secret code")
            await who.write("#code", code(secret, datetime.now(UTC)))
            await who.press_to("main form button", "/me/security")
            assert 10 == await who.page.locator(".codes li").count()
            yield who


# ── the applicant ──


async def join(who: Doctor, role: str) -> None:
    """Fill the form in, read the mail, type its code."""
    await who.open("/join")
    await who.see("join")
    secrets = dict.fromkeys(("#password", "#again"), PASSWORD)
    for field, text in ({"#name": NAME, "#email": EMAIL} | BORN | secrets).items():
        await who.write(field, text)
    await who.page.locator(f"input[name=role][value={role}]").check()
    await who.select("#specialty-0", who.words.specialty("cardiology"))
    await who.press_to("main form.form .button", "/join/confirm")
    await types_the_code(who, EMAIL, "/application$")


async def types_the_code(who: Doctor, to: str, arrives: str) -> None:
    """Prove the address with the code that was sent there."""
    await who.see("confirm")
    await who.write("#code", re.findall(r"^\d{6}$", await last_mail(who, to), re.MULTILINE)[-1])
    await who.press_to("main form.form .button", arrives)


async def last_mail(who: Doctor, to: str, *, beyond: int = 0) -> str:
    """The last mail to this address, once there are more than `beyond`; read where the instance lays them."""
    async with asyncio.timeout(PATIENCE / 1000):
        while len(found := mails(who.country, to)) <= beyond:
            await asyncio.sleep(0.02)
    return found[-1]


def mails(country: Country, to: str) -> list[str]:
    """The texts of all mails to this address, the first first, each under its subject."""
    folder: Path = country.node.config.data / "mail"
    files = sorted(folder.glob("*.eml")) if folder.exists() else []
    read = [message_from_bytes(file.read_bytes().replace(b"\r\n", b"\n"), policy=policy.default) for file in files]
    return [f"{mail['Subject']}\n{mail.get_content()}" for mail in read if mail["To"] == to]  # type: ignore[attr-defined]


async def show(who: Doctor, proof: str = "licence") -> None:
    """Add a diploma of this kind with its document, from the page of the application."""
    await who.press_to("a[href='/application/add/diploma']", "/application/add/diploma")
    await who.page.locator(f"input[name=proof][value={proof}]").check()
    await who.press_to("main form .button", "/application#")
    deed = {"name": "deed.pdf", "mimeType": PDF, "buffer": pdf(1, text=NAME)}
    await who.page.locator("[type=file]").last.set_input_files(deed)  # type: ignore[arg-type]
    await who.page.locator("form[enctype] .button").last.tap()
    await who.page.locator("form[enctype] .button.quiet").last.wait_for()


async def hand_in(who: Doctor) -> None:
    """Hand in what was added."""
    await who.press_to("form[action='/application/submit'] .button", "/application$")


async def applies(who: Doctor, role: str = "generalist") -> None:
    """Join, show a licence deed and hand it in; nothing else of the network opens meanwhile."""
    await join(who, role)
    await show(who)
    await who.see("ready")
    await hand_in(who)
    assert who.text("application.state.submitted") in await who.see("received")
    for path in ("/feed", "/posts/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/colleagues"):
        await who.open(path)
        assert who.text("application.closed_to_you") in await who.see("closed")


# ── the desk ──


async def opens(who: Doctor, name: str = NAME) -> str:
    """Find somebody in the queue and open the dossier; return its path."""
    await who.open("/desk")
    await who.see("queue")
    await who.press_to(".card-title a", "/desk/", name)
    await who.see("dossier")
    return who.page.url.removeprefix(who.origin)


async def takes(who: Doctor) -> None:
    """Begin to review; the page of the document is there to look at."""
    await who.press_to("form[action$='/take'] button", "/desk/")
    assert who.text("done.desk_take") in await who.see("taken")


async def finds(who: Doctor) -> None:
    """Look at every document and say that it is what it says."""
    shown = who.page.locator(".piece", has=who.page.locator("form[action$='/findings']"))
    assert await shown.count()
    for number in range(await shown.count()):
        piece = shown.nth(number)
        picture = piece.locator(".pages img").first
        await picture.scroll_into_view_if_needed()
        await who.page.wait_for_function("e => e.complete && e.naturalWidth > 0", arg=await picture.element_handle())
        for fact in FACTS:
            await who.hand.tick(piece.locator(f"[name={fact}]"))
        async with who.page.expect_navigation(url=re.compile("/desk/")):
            await who.hand.press(piece.locator("form[action$='/findings'] button"))
        assert who.text("done.desk_findings") in await who.see("found")


async def votes(who: Doctor, choice: str, ground: str) -> str:
    """Say what one thinks, with its reason; return what is read then."""
    await who.select(f"#vote-{choice}-ground", who.text(f"desk.ground.{ground}"))
    await who.press_to(f"form[aria-labelledby=vote-{choice}-title] .button", "/desk/")
    assert not await who.page.locator("#mistakes").count(), await who.page.inner_text("#mistakes")
    return await who.see(f"voted-{choice}")


async def asks(who: Doctor, ground: str) -> str:
    """Ask for more, by a reason of the list."""
    await who.select("#ask-ground", who.text(f"desk.ground.{ground}"))
    await who.press_to("form[action$='/ask'] .button", "/desk/")
    return await who.see("asked")


async def lifts(who: Doctor, path: str, ground: str = "cleared") -> str:
    """Say that a suspension should end; the second who says so ends it."""
    await who.open(path)
    if not await who.page.locator("details[open] #lift-ground").count():
        await who.press("details summary", who.text("desk.two"))
    await who.select("#lift-ground", who.text(f"desk.ground.{ground}"))
    await who.press_to("form[action$='/lift'] .button", "/desk/")
    return await who.see("lifted")
