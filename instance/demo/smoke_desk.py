"""The smoke test at the review desk: from joining to a doctor abroad and back, and what waits there from the start."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from federation.keys import PrivateKey
from federation.signatures import Profile
from federation.uri import Uri
from instance.demo import papers
from instance.demo.board import code_now, mails
from instance.demo.browser import Browser, Page
from instance.demo.fill import settle
from instance.demo.messages import StepFailed, create, expect, post
from instance.demo.town import PASSWORD, Country

_NAME: Final = "Dr Sam Smoke"
_EMAIL: Final = "sam.smoke@mail.example"
_HANDLE: Final = "sam.smoke"
_PATIENCE: Final = 10.0

Play = Callable[[], Awaitable[str]]


@dataclass(slots=True)
class DeskStage:
    """Where somebody applies, a sibling, and what later steps need of earlier ones."""

    home: Country
    abroad: Country
    staff: dict[str, Browser] = field(default_factory=dict)
    key: PrivateKey | None = None
    dossier: str = ""

    async def of(self, login: str) -> Browser:
        """A member of staff, signed in with the password and the code of this moment."""
        if login not in self.staff:
            known = next(each for each in self.home.staff if each.handle == login)
            browser = Browser(self.home.node.origin)
            await browser.submit("/sign-in", "/sign-in", login=login, password=known.password, next="/me")
            page = await browser.submit("/sign-in/second", "/sign-in/second", factor_code=code_now(known), next="/me")
            expect(page.path == "/me", f"the second step of {login} led to {page.path}")
            self.staff[login] = browser
        return self.staff[login]


def desk_steps(stage: DeskStage) -> tuple[tuple[str, Play], ...]:
    """The steps that there is something for."""
    waiting = _WAITING if stage.home.applicants else ()
    return tuple((name, partial(step, stage)) for name, step in (*waiting, *_STEPS))


# ── from joining to a doctor abroad, and back ──


async def joined(stage: DeskStage) -> str:
    """Somebody joins with the code of a mail and hands a licence in; nothing else opens."""
    browser = Browser(stage.home.node.origin)
    await browser.submit(
        "/join", "/join", name=_NAME, country=stage.home.code, role="generalist", specialty="general-practice",
        email=_EMAIL, password=PASSWORD, again=PASSWORD, birth_day="3", birth_month="2", birth_year="1988",
    )  # fmt: skip
    await browser.submit("/join/confirm", "/join/confirm", code=await _code(stage.home))
    page = await browser.submit("/application/add/diploma", "/application/add/diploma", proof="licence")
    piece = _found(r'action="(/application/pieces/[^/"]+/files)"', page)
    await browser.send("/application", piece, papers.licence(_NAME, "fr"), "image/png", "licence.png")
    page = await browser.submit("/application", "/application/submit")
    expect(page.holds("Received"), "the application was not received")
    closed = (await browser.get("/feed")).status
    expect(closed == 403, f"the feed answered {closed} to an applicant")
    return f"received in {stage.home.code}; the feed answers {closed}"


async def verified(stage: DeskStage) -> str:
    """Two reviewers approve at the desk, the second blind to the first; abroad the new doctor is found and heard."""
    for login in ("rita.reviewer", "rene.reviewer"):
        browser = await stage.of(login)
        stage.dossier = _found(rf'href="(/desk/d-[^"]+)"><bdi>{_NAME}<', await browser.get("/desk"))
        if login.startswith("rita"):
            await browser.submit(stage.dossier, f"{stage.dossier}/take")
        expect((await browser.get(stage.dossier)).holds("No vote that you may see"), f"{login} sees a vote")
        await browser.submit(stage.dossier, f"{stage.dossier}/findings", same_name="1", from_authority="1")
        page = await _votes(browser, stage.dossier)
    expect(page.holds("Approved"), "two votes did not approve")
    await settle([stage.home, stage.abroad])
    answered = await _speaks(stage)
    expect(answered == (202, ""), f"answered {answered}")
    return f"approved by two; heard in {stage.abroad.code}"


async def suspended(stage: DeskStage) -> str:
    """One administrator suspends; abroad the doctor is refused."""
    browser = await stage.of("ada.admin")
    page = f"/desk/suspend?handle={_HANDLE}"
    form = {"act": "suspend", "ground": "authority_letter", "handle": _HANDLE}
    said = await browser.submit(page, "/desk/suspend", **form)
    expect(said.holds("Suspended for 72 hours"), f"the page answered {said.status}")
    await settle([stage.home, stage.abroad])
    answered = await _speaks(stage)
    expect(answered == (403, "suspended"), f"answered {answered}")
    return f"{stage.abroad.code} answered {answered[0]} {answered[1]}"


async def lifted(stage: DeskStage) -> str:
    """Two reviewers lift it; one alone does not."""
    answers = []
    for login in ("rita.reviewer", "rene.reviewer"):
        browser = await stage.of(login)
        await browser.submit(stage.dossier, f"{stage.dossier}/lift", ground="cleared")
        await settle([stage.home, stage.abroad])
        answers.append(await _speaks(stage))
    expect(answers == [(403, "suspended"), (202, "")], f"answered {answers}")
    return f"refused after the first, heard in {stage.abroad.code} after the second"


# ── what waits from the start ──


async def shown(stage: DeskStage) -> str:
    """What is claimed, the document as a picture, and what the imported register says of the number."""
    browser = await stage.of("rita.reviewer")
    page = await browser.get(_found(r'href="(/desk/d-[^"]+)"><bdi>Dr Nora Kervella<', await browser.get("/desk")))
    expect(page.holds("KERVELLA"), "the register's answer is not on the page")
    picture = await browser.get(_found(r'<img src="(/desk/[^"]+/1\.jpg)"', page))
    expect(picture.status == 200, f"the page of the document answered {picture.status}")
    return "the register knows the number; the document is shown as a picture"


async def appealed(stage: DeskStage) -> str:
    """An appeal waits for those who did not decide, and for nobody else."""
    name = "Dr Thibault Fauconnier"
    there = [(await (await stage.of(login)).get("/desk")).holds(name) for login in ("remy.reviewer", "rita.reviewer")]
    expect(there == [True, False], f"in the queues of remy and rita: {there}")
    return "in the queue of remy.reviewer, not of rita.reviewer, who refused"


async def renewable(stage: DeskStage) -> str:
    """Whose year is over signs in, reads nothing and finds how to renew."""
    browser = Browser(stage.home.node.origin)
    login = next(each for each in stage.home.applicants if each.handle.startswith("marc"))
    await browser.submit("/sign-in", "/sign-in", login=login.handle, password=login.password)
    feed, page = await browser.get("/feed"), await browser.get("/application")
    expect(feed.status == 403, f"the feed answered {feed.status}")
    expect("/application/add/diploma" in page.text, "there is no way to renew")
    return f"the feed answers {feed.status}; the own page takes new evidence"


Step = Callable[[DeskStage], Awaitable[str]]
_WAITING: Final[tuple[tuple[str, Step], ...]] = (
    ("an applicant at the desk", shown),
    ("an appeal", appealed),
    ("renewal after the end", renewable),
)
_STEPS: Final[tuple[tuple[str, Step], ...]] = (
    ("joining with a mailed code", joined),
    ("verified by two", verified),
    ("suspended, and refused abroad", suspended),
    ("lifted by two", lifted),
)


async def _votes(browser: Browser, dossier: str) -> Page:
    return await browser.submit(dossier, f"{dossier}/vote", choice="approve", ground="evidence_holds")


async def _speaks(stage: DeskStage) -> tuple[int, str]:
    """Send a case of the new doctor abroad, signed with the doctor's own key; return what is answered."""
    doctor = Uri.parse(f"{stage.home.node.origin}/doctors/{_HANDLE}")
    if stage.key is None:
        stage.key = await stage.home.node.keys.signing_key(doctor, Profile.CAVAGE)
    return await post(stage.abroad, create(doctor, stage.home.node.clock()), stage.key)


async def _code(country: Country) -> str:
    """The code of the last mail to whoever joins."""
    async with asyncio.timeout(_PATIENCE):
        while True:
            for mail in await asyncio.to_thread(mails, country):
                if _EMAIL in mail and (found := re.search(r"^\d{6}$", mail, re.MULTILINE)):
                    return found[0]
            await asyncio.sleep(0.05)


def _found(pattern: str, page: Page) -> str:
    found = re.search(pattern, page.text)
    if found is None:
        raise StepFailed(f"{page.path} answered {page.status} without {pattern}")
    return found[1]
