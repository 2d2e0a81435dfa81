"""`esanum demo --smoke`: the whole exchange over HTTP, one line a step with what was seen on the other side."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from federation import render
from federation.keys import PrivateKey, make_rsa
from federation.signatures import Profile, sign
from federation.uri import Uri
from federation.vocabulary import VERIFIED_DOCTORS, Create, Post, PostKind
from instance.demo import desk
from instance.demo.browser import Browser
from instance.demo.town import Country, Say
from verification.grounds import Ground

_TITLE: Final = "Smoke test: palpitations on a night shift"
_BETTER: Final = "Smoke test: palpitations on a night shift, with the long-term ECG"
_ANSWER: Final = "Smoke test: I would look at the thyroid first."


class StepFailed(Exception):
    """A step was not seen on the other side as it should be."""


@dataclass(slots=True)
class Stage:
    """The two countries the exchange is played between, and what later steps need of earlier ones."""

    home: Country
    abroad: Country
    writer: Browser
    reader: Browser
    here: str = ""
    there: str = ""
    doctor: Uri | None = None
    dossier: desk.Application | None = None
    key: PrivateKey | None = None


Step = Callable[[Stage], Awaitable[str]]


async def smoke_test(town: list[Country], *, say: Say) -> bool:
    """Play every step; True when all held. Stops at the first that does not."""
    abroad, home = town[0], town[1]
    stage = Stage(home, abroad, Browser(home.node.origin), Browser(abroad.node.origin))
    for name, step in STEPS:
        try:
            seen = await step(stage)
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
        _expect(page.status == 200 and page.path.startswith("/feed"), f"sign-in of {login.handle} led to {page.path}")
    return f"{stage.abroad.logins[0].handle} in {stage.abroad.code}, {stage.home.logins[0].handle} in {stage.home.code}"


async def follow(stage: Stage) -> str:
    """The reader follows the writer across the border."""
    address = f"{stage.home.logins[0].handle}@{stage.home.node.authority}"
    found = await stage.reader.get(f"/colleagues?q={address}")
    _expect(found.holds(address), "the colleague abroad was not found")
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
    _expect(stage.here.startswith("/posts/"), f"publishing led to {page.path} with status {page.status}")
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
    _expect((status, code) == (403, "not_a_sibling"), f"answered {status} {code}")
    return f"{stage.abroad.code} answered {status} {code}"


async def unverified(stage: Stage) -> str:
    """A doctor of a sibling whose standing was taken away is refused, at home and abroad."""
    node, handle = stage.home.node, stage.home.logins[1].handle
    actor = Uri.parse(f"{node.origin}/doctors/{handle}")
    key = await node.keys.signing_key(actor, Profile.CAVAGE)
    await node.people.suspend(handle, by="demo", reason="shown to a newcomer")
    await _settled(stage)
    status, code = await post(stage.abroad, create(actor, node.clock()), key)
    _expect((status, code) == (403, "suspended"), f"answered {status} {code}")
    return f"{stage.abroad.code} answered {status} {code}"


async def verified(stage: Stage) -> str:
    """An applicant is approved by two reviewers, and found and heard abroad."""
    node, made = stage.home.node, await desk.apply(stage.home.node, "sam.smoke", "Dr Sam Smoke")
    reviewers = [await desk.actor(stage.home.node, login) for login in ("rita.reviewer", "rene.reviewer")]
    before = await stage.home.node.dossiers.get(made.id)
    stage.doctor, stage.dossier = Uri.parse(await made.is_approved(*reviewers)), made
    await _settled(stage)
    address = f"{stage.doctor.rpartition('/')[2]}@{node.authority}"
    found = await stage.reader.get(f"/colleagues?q={address}")
    _expect(found.holds(address), "the new doctor was not found abroad")
    answered = await _speaks(stage)
    _expect(answered == (202, ""), f"answered {answered}")
    return f"{before.state} until two agreed; {address} is heard in {stage.abroad.code}"


async def suspended(stage: Stage) -> str:
    """One administrator suspends; abroad the doctor is refused."""
    ada = await desk.actor(stage.home.node, "ada.admin")
    case = _case_of(stage)
    await case.node.dossiers.suspend(case.id, ada, Ground.AUTHORITY_LETTER, seen=(await case.node.dossiers.file(case.id)).version)
    await _settled(stage)
    answered = await _speaks(stage)
    _expect(answered == (403, "suspended"), f"answered {answered}")
    return f"{stage.abroad.code} answered {answered[0]} {answered[1]}"


async def lifted(stage: Stage) -> str:
    """Two reviewers lift it; one alone does not."""
    case, answers = _case_of(stage), []
    for login in ("rita.reviewer", "rene.reviewer"):
        who = await desk.actor(stage.home.node, login)
        await case.node.dossiers.lift(case.id, who, Ground.CLEARED, seen=(await case.node.dossiers.file(case.id)).version)
        await _settled(stage)
        answers.append(await _speaks(stage))
    _expect(answers == [(403, "suspended"), (202, "")], f"answered {answers}")
    return f"refused after the first, heard in {stage.abroad.code} after the second"


def _case_of(stage: Stage) -> desk.Application:
    if stage.dossier is None:
        raise StepFailed("nobody was verified")
    return stage.dossier


async def _speaks(stage: Stage) -> tuple[int, str]:
    """Send a case of the new doctor abroad, signed with the doctor's own key; return what is answered."""
    if stage.doctor is None:
        raise StepFailed("nobody was verified")
    if stage.key is None:
        stage.key = await stage.home.node.keys.signing_key(stage.doctor, Profile.CAVAGE)
    return await post(stage.abroad, create(stage.doctor, stage.home.node.clock()), stage.key)


async def _settled(stage: Stage) -> None:
    async with asyncio.timeout(10):
        while await stage.home.node.workers.busy() or await stage.abroad.node.workers.busy():
            await asyncio.sleep(0.03)


async def withdraw(stage: Stage) -> str:
    """The writer withdraws the case; it is gone abroad."""
    await stage.writer.submit(f"{stage.here}/withdraw", f"{stage.here}/withdraw")
    _, took = await stage.reader.until("/feed?tab=all", _BETTER, there=False)
    page = await stage.reader.get(stage.there)
    _expect(page.status in (404, 410), f"the copy still answers {page.status}")
    return f"gone in {stage.abroad.code} after {took:.2f} s"


async def unsigned(stage: Stage) -> str:
    """An unsigned message leaves no trace."""
    status, code = await post(stage.abroad, b"{}", None)
    _expect((status, code) == (401, "not_signed"), f"answered {status} {code}")
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
    ("an applicant verified by two", verified),
    ("suspended, and refused abroad", suspended),
    ("lifted by two", lifted),
)


def _expect(held: bool, what: str) -> None:
    if not held:
        raise StepFailed(what)


def _link(page: str, title: str) -> str:
    found = re.search(rf'href="(/posts/\w+)"[^>]*>\s*{re.escape(title)}', page)
    if found is None:
        raise StepFailed("the case has no link in the feed")
    return found[1]


def create(actor: Uri, at: datetime) -> bytes:
    """A well-formed case, as a verified doctor would send it."""
    origin, name = actor.origin, actor.rpartition("/")[2]
    post = Post(
        id=Uri.parse(f"{origin}/posts/{name}-1"), author=actor, kind=PostKind.CASE, title="Never to be seen",
        content="<p>Made up.</p>", language="en", specialties=("cardiology",), to=(VERIFIED_DOCTORS,), published=at,
    )  # fmt: skip
    create = Create(id=Uri.parse(f"{origin}/activities/{name}-1"), actor=actor, object=post, to=post.to, published=at)
    return render.activity(create)


async def post(country: Country, body: bytes, key: PrivateKey | None) -> tuple[int, str]:
    inbox = Uri.parse(f"{country.node.origin}/inbox")
    headers = {"Host": inbox.authority, "Content-Type": render.ACTIVITY_JSON}
    if key is not None:
        headers |= sign("POST", inbox, body, key, Profile.CAVAGE, country.node.clock())
    return await asyncio.to_thread(_send, inbox, body, headers)


def _send(inbox: Uri, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", inbox.port, timeout=10)
    try:
        connection.request("POST", inbox.target, body, headers)
        answer = connection.getresponse()
        content: Any = orjson.loads(answer.read() or b"{}")
        return answer.status, str(content.get("error", ""))
    finally:
        connection.close()
