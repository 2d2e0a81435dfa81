"""`esanum demo --smoke`: the whole exchange over HTTP, one line a step with what was seen on the other side."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from federation.keys import make_rsa
from federation.signatures import Profile
from federation.uri import Uri
from instance.demo.browser import Browser
from instance.demo.fill import settle
from instance.demo.messages import StepFailed, create, expect, post
from instance.demo.smoke_desk import DeskStage, Play, desk_steps
from instance.demo.town import Country, Say

_TITLE: Final = "Smoke test: palpitations on a night shift"
_BETTER: Final = "Smoke test: palpitations on a night shift, with the long-term ECG"
_ANSWER: Final = "Smoke test: I would look at the thyroid first."


@dataclass(slots=True)
class Stage:
    """The two countries the exchange is played between, and what later steps need of earlier ones."""

    home: Country
    abroad: Country
    writer: Browser
    reader: Browser
    here: str = ""
    there: str = ""


Step = Callable[[Stage], Awaitable[str]]


async def smoke_test(town: list[Country], *, say: Say) -> bool:
    """Play every step; True when all held. Stops at the first that does not."""
    abroad, home = town[0], town[1]
    stage = Stage(home, abroad, Browser(home.node.origin), Browser(abroad.node.origin))
    at_desk = DeskStage(home=town[0], abroad=town[1])
    played: list[tuple[str, Play]] = [(name, partial(step, stage)) for name, step in STEPS]
    for name, play in (*played, *desk_steps(at_desk)):
        try:
            seen = await play()
        except (StepFailed, TimeoutError, OSError) as failure:
            say(f"FAILED  {name}: {failure}")
            return False
        say(f"ok      {name}: {seen}")
    say("All steps held.")
    return True


async def sign_in(stage: Stage) -> str:
    """Both doctors sign in."""
    for browser, country in ((stage.writer, stage.home), (stage.reader, stage.abroad)):
        login = country.logins[0]
        page = await browser.submit("/sign-in", "/sign-in", login=login.handle, password=login.password)
        expect(page.status == 200 and page.path.startswith("/feed"), f"sign-in of {login.handle} led to {page.path}")
    return f"{stage.abroad.logins[0].handle} in {stage.abroad.code}, {stage.home.logins[0].handle} in {stage.home.code}"


async def follow(stage: Stage) -> str:
    """The reader follows the writer across the border."""
    address = f"{stage.home.logins[0].handle}@{stage.home.node.authority}"
    found = await stage.reader.get(f"/colleagues?q={address}")
    expect(found.holds(address), "the colleague abroad was not found")
    await stage.reader.submit(f"/doctors/{address}", f"/doctors/{address}/follow")
    mine = f"{stage.abroad.logins[0].handle}@{stage.abroad.node.authority}"
    _, took = await stage.writer.until("/colleagues/followers", mine)
    return f"{mine} among the followers in {stage.home.code} after {took:.2f} s"


async def case(stage: Stage) -> str:
    """The writer publishes a case; it is on the reader's page."""
    page = await stage.writer.submit(
        "/write", "/write", kind="case", title=_TITLE, text="Made up. **No organic finding so far.**",
        specialty="cardiology", language="en", audience="federation", named="",
    )  # fmt: skip
    stage.here = page.path.partition("#")[0]
    expect(stage.here.startswith("/posts/"), f"publishing led to {page.path} with status {page.status}")
    feed, took = await stage.reader.until("/feed?tab=all", _TITLE)
    stage.there = _link(feed.text, _TITLE)
    return f"read in {stage.abroad.code} after {took:.2f} s"


async def answer(stage: Stage) -> str:
    """The reader answers; it is in the thread at home."""
    await stage.reader.submit(stage.there, f"{stage.there}/answers", text=_ANSWER, language="en", parent="")
    _, took = await stage.writer.until(stage.here, _ANSWER)
    return f"in the thread in {stage.home.code} after {took:.2f} s"


async def edit(stage: Stage) -> str:
    """The writer mends the title; the copy abroad follows."""
    await stage.writer.submit(
        f"{stage.here}/edit", f"{stage.here}/edit", kind="case", title=_BETTER, text="Made up. Now with more.",
        specialty="cardiology", language="en", audience="federation", named="",
    )  # fmt: skip
    _, took = await stage.reader.until(stage.there, _BETTER)
    return f"the new version in {stage.abroad.code} after {took:.2f} s"


async def stranger(stage: Stage) -> str:
    """A well-signed message of an instance that is on no list is refused."""
    origin = "http://stranger.localhost:9"
    actor = Uri.parse(f"{origin}/doctors/nobody")
    key = await asyncio.to_thread(make_rsa, Uri.parse(f"{actor}#main-key"), actor, 2048)
    status, code = await post(stage.abroad, create(actor, stage.abroad.node.clock()), key)
    expect((status, code) == (403, "not_a_sibling"), f"answered {status} {code}")
    return f"{stage.abroad.code} answered {status} {code}"


async def unverified(stage: Stage) -> str:
    """A doctor of a sibling whose standing was taken away is refused, at home and abroad."""
    node, handle = stage.home.node, stage.home.logins[1].handle
    actor = Uri.parse(f"{node.origin}/doctors/{handle}")
    key = await node.keys.signing_key(actor, Profile.CAVAGE)
    await node.people.suspend(handle, by="demo", reason="shown to a newcomer")
    await settle([stage.home, stage.abroad])
    status, code = await post(stage.abroad, create(actor, node.clock()), key)
    expect((status, code) == (403, "suspended"), f"answered {status} {code}")
    return f"{stage.abroad.code} answered {status} {code}"


async def withdraw(stage: Stage) -> str:
    """The writer withdraws the case; it is gone abroad."""
    await stage.writer.submit(f"{stage.here}/withdraw", f"{stage.here}/withdraw")
    _, took = await stage.reader.until("/feed?tab=all", _BETTER, there=False)
    page = await stage.reader.get(stage.there)
    expect(page.status in (404, 410), f"the copy still answers {page.status}")
    return f"gone in {stage.abroad.code} after {took:.2f} s"


async def unsigned(stage: Stage) -> str:
    """An unsigned message leaves no trace."""
    status, code = await post(stage.abroad, b"{}", None)
    expect((status, code) == (401, "not_signed"), f"answered {status} {code}")
    return f"{stage.abroad.code} answered {status} {code}"


STEPS: Final[tuple[tuple[str, Step], ...]] = (
    ("sign in", sign_in),
    ("follow abroad", follow),
    ("case", case),
    ("answer", answer),
    ("edit", edit),
    ("delete", withdraw),
    ("an unsigned message refused", unsigned),
    ("a stranger refused", stranger),
    ("an unverified doctor refused", unverified),
)


def _link(page: str, title: str) -> str:
    found = re.search(rf'href="(/posts/\w+)"[^>]*>\s*{re.escape(title)}', page)
    if found is None:
        raise StepFailed("the case has no link in the feed")
    return found[1]
