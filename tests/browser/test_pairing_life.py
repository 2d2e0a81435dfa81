"""The life of a sibling in two browsers and more: invited, compared, confirmed, paused, resumed, expelled.

France has two administrators, Germany has one: three people at two desks and a phone, two of them by keyboard alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from federation.allowlist import LocalPolicy
from instance.demo.desk import appoint
from instance.demo.town import Country
from tests.browser.steps import enter, sign_in
from tests.browser.story import PATIENCE, Doctor, Scene, open_scene
from tests.factors import code
from tests.town import rows

PAIRING, SIBLINGS = "/administration/pairing", "/administration/siblings"
ONE = f"{PAIRING}/[0-9a-z]+$"


@pytest.fixture
async def fresh(tmp_path: Path) -> AsyncIterator[Scene]:
    """France and Germany, served on loopback, which list nobody; two administrators there, one here."""
    async with open_scene(tmp_path) as scene:
        france, germany = scene.town
        for one, other in ((france, germany), (germany, france)):
            await one.node.siblings.remove(other.node.origin, by="test", reason="to begin anew")
        for country, login in ((france, "ada.fr"), (france, "ben.fr"), (germany, "ada.de")):
            country.staff.append(await appoint(country.node, login, "administrator"))
        yield scene


@asynccontextmanager
async def administrator(
    scene: Scene, country: Country, login: str, language: str, hand: str, *, wide: bool = False
) -> AsyncIterator[Doctor]:  # fmt: skip
    """Somebody who runs an instance, signed in with the password and the code that the app shows now."""
    known = next(each for each in country.staff if each.handle == login)
    async with scene.somebody(country, known, language, hand, wide=wide) as who:
        await enter(who, known.handle, arrives="/sign-in/second")
        await who.write("#factor_code", code(known.secret, datetime.now(UTC)))
        await who.press_to("main form button", "/administration$")
        yield who


async def until_listed(one: Country, other: Country) -> None:
    """Wait until the one lists the other."""
    async with asyncio.timeout(PATIENCE / 1000):
        while other.node.origin not in one.node.allowlist().siblings:
            await asyncio.sleep(0.05)


async def read_out(who: Doctor) -> str:
    """The fingerprint on the own page, as somebody reads it out."""
    await who.open(PAIRING)
    return await who.page.inner_text("section[aria-labelledby=own] .fingerprint")


async def posts(who: Doctor, title: str) -> None:
    """Write a case for the whole federation at the page."""
    await who.open("/write")
    await who.pick("kind", "case")
    await who.write("#title", title)
    await who.write("#text", "Cas fictif.")
    await who.select("#specialty-1", who.words.specialty("cardiology"))
    await who.pick("audience", "federation")
    await who.press_to("main form button", "/posts/")


async def waiting_for(france: Country, germany: Country) -> list[str]:
    """In which states stands what France has to send to Germany."""
    wanted = f"select state from deliveries where origin = '{germany.node.origin}' and state <> 'done'"
    return [row["state"] for row in await rows(france.node, wanted)]


async def invites(ada: Doctor, there: Doctor) -> str:
    """France asks; Germany finds the request, and reads who it is at its home. Return the path of it there."""
    await ada.press_to(f"nav.tabs a[href='{PAIRING}']", f"{PAIRING}$")
    await ada.see("nobody")
    await ada.write("#origin", there.country.node.authority)
    await ada.press_to("form[action$='/invite'] button", ONE)
    await ada.see("invited")
    await there.until(PAIRING, ada.origin)
    await there.see("requests")
    await there.press_to(".devices a", ONE)
    await there.see("unread")
    path = there.page.url.removeprefix(there.origin)
    await there.press_to("form[action$='/read'] button", ONE)
    await there.see("read")
    return path


async def confirms(who: Doctor, heard: str, step: str) -> str:
    """Type what was heard on the telephone into the page of a pairing that stands open; return what is read then."""
    await who.write("#fingerprint", heard)
    await who.press_to("form[action$='/confirm'] button", f"{PAIRING}/")
    return await who.see(step)


async def changes(who: Doctor, there: Doctor, policy: str, reason: str, step: str) -> str:
    """Choose a policy for the other instance, look at the preview, give a reason; return what is read then."""
    one = f"{SIBLINGS}/{there.country.node.authority}"
    await who.open(one)
    await who.see(f"{step}-entry")
    await who.select("#policy", who.text(f"policy.{policy}"))
    await who.press_to("form[action$='/change'] button", "/change[?]")
    await who.see(f"{step}-preview")
    await who.write("#reason", reason)
    await who.press_to("form[action$='/change'] .button", one.partition(":")[0])
    return await who.see(step)


async def seconds(who: Doctor, step: str) -> str:
    """Another administrator looks at the one proposal that waits, and confirms it; return what is read then."""
    await who.open(SIBLINGS)
    await who.press_to("section[aria-labelledby=waits] a", "/proposals/")
    await who.see(f"{step}-proposal")
    await who.press_to("form[action$='/confirm'] button", SIBLINGS)
    return await who.see(step)


async def pair(ada: Doctor, ben: Doctor, otto: Doctor) -> None:
    """Otto confirms for Germany, Ada proposes and Ben confirms for France; a slip of the tongue is none of it."""
    request = await invites(ada, otto)
    french, german = await read_out(ada), await read_out(otto)
    assert await ada.country.node.siblings.own_fingerprint() == "sha256:" + french.replace(" ", "")
    await otto.open(request)
    assert otto.text("error.fingerprint_differs") in await confirms(otto, german, "wrong")
    assert otto.text("pairing.waits_there") in await confirms(otto, french, "confirmed-here")
    assert [] == list(ada.country.node.allowlist()) + list(otto.country.node.allowlist())

    await ada.press_to(".devices a", ONE)
    await ada.see("to-propose")
    assert ada.text("pairing.another") in await confirms(ada, german, "proposed")
    assert [] == list(ada.country.node.allowlist())

    await ben.open(PAIRING)
    await ben.press_to(".devices a", ONE)
    await ben.see("to-confirm")
    assert ben.text("done.pairing_active") in await confirms(ben, german, "active")
    await until_listed(ada.country, otto.country)
    await until_listed(otto.country, ada.country)
    await otto.open(PAIRING)
    assert otto.text("pairing.state.active") in await otto.see("list")


async def pause_and_resume(ada: Doctor, ben: Doctor, otto: Doctor, claire: Doctor, anna: Doctor) -> None:
    """One pauses: a case waits and is not there; two resume: it arrives."""
    policy = lambda: ada.country.node.allowlist().siblings[otto.origin].policy  # noqa: E731
    assert ada.text("done.allowlist_changed") in await changes(
        ada, otto, "pause", "Le téléphone ne répond pas.", "paused"
    )
    assert LocalPolicy.PAUSE == policy()
    await posts(claire, "Écrit pendant la pause")
    assert {"held"} == set(await waiting_for(ada.country, otto.country))
    await ada.open(f"{SIBLINGS}/{otto.country.node.authority}")
    await ada.see("waits")
    await anna.open("/feed?tab=all")
    assert "Écrit pendant la pause" not in await anna.see("nothing-yet")

    assert ada.text("done.allowlist_proposed") in await changes(ada, otto, "inherit", "Joint au téléphone.", "resuming")
    assert LocalPolicy.PAUSE == policy()
    assert ben.text("done.allowlist_confirmed") in await seconds(ben, "resumed")
    assert LocalPolicy.INHERIT == policy()
    await anna.until("/feed?tab=all", "Écrit pendant la pause")
    await anna.see("arrived")


async def expel(ada: Doctor, ben: Doctor, otto: Doctor, claire: Doctor, anna: Doctor) -> None:
    """A second step after a pause, by two; then nothing arrives any more, and what was theirs bears a label."""
    france, germany = ada.country, otto.country
    one = f"{SIBLINGS}/{germany.node.authority}"
    await changes(ada, otto, "pause", "Décidé par le conseil.", "paused-again")
    await ada.press_to(f"a[href='{one}/expel']", "/expel$")
    await ada.see("expel-preview")
    await ada.write("#reason", "Décidé par le conseil.")
    await ada.press_to("form[action$='/expel'] .button", SIBLINGS)
    await ada.see("expelling")
    assert [germany.node.origin] == [each.origin for each in france.node.allowlist()]
    assert ben.text("allowlist.fate.labelled") in await seconds(ben, "expelled")
    assert [] == list(france.node.allowlist())
    await posts(anna, "Nach dem Ausschluss")
    await claire.open("/federation")
    assert germany.node.origin not in await claire.see("our-federation")
    await claire.open("/feed?tab=all")
    assert "Nach dem Ausschluss" not in await claire.see("without")


async def test_three_administrators_pair_pause_resume_and_expel(fresh: Scene) -> None:
    """Two fresh instances; a case crosses, one waits and arrives, and after the end none does."""
    france, germany = fresh.town
    async with (
        administrator(fresh, france, "ada.fr", "fr", "keys", wide=True) as ada,
        administrator(fresh, france, "ben.fr", "en", "touch") as ben,
        administrator(fresh, germany, "ada.de", "de", "keys") as otto,
        fresh.doctor(0, "fr", "touch") as claire,
        fresh.doctor(1, "de", "touch") as anna,
    ):
        await sign_in(claire)
        await sign_in(anna)
        await posts(claire, "Écrit avant")
        await pair(ada, ben, otto)
        await posts(claire, "Le premier cas")
        await anna.until("/feed?tab=all", "Le premier cas")
        before = await anna.see("crossed")
        await pause_and_resume(ada, ben, otto, claire, anna)
        await expel(ada, ben, otto, claire, anna)

    assert "Écrit avant" not in before
