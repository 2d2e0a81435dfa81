"""A case from its fields to its end on two phones: written in codes, voted on, quoted, gone on with, solved, saved."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.async_playwright import Axe

from tests.browser.steps import TEXT, TITLE, enter
from tests.browser.story import Doctor, chooses
from verification import clinical

CHOSEN = {"ageBand": "30-39", "sex": "female", "setting": "emergency", "question": "diagnosis"}


@pytest.mark.parametrize(("language", "hand"), [("de", "touch"), ("fr", "keys")])
async def test_a_case_is_asked_answered_and_solved(scene, language, hand):
    """Anna writes and asks, Claire reads it in her language, votes and quotes; Anna says how it ended."""
    async with scene.doctor(1, "de", hand) as anna, scene.doctor(0, language, hand) as claire:
        await enter(anna, anna.login.handle)
        await enter(claire, claire.login.handle)
        await asks(anna)
        there = await reads_and_votes(claire)
        await quotes(claire, there)
        await ends(anna)
        await sees_the_end(claire, there)


async def is_sound(who: Doctor) -> None:
    """No rule of axe is broken on the page that is open."""
    found = await Axe().run(who.page, options={"resultTypes": ["violations"]})

    assert [] == [f"{rule['id']}: {rule['nodes'][0]['target']}" for rule in found.response["violations"]]


async def asks(anna: Doctor) -> None:
    """The guided part is one press away; what is chosen there is on the page."""
    await anna.press_to(".bar a[href='/write']", "/write$")
    await anna.pick("kind", "case")
    await anna.write("#title", TITLE)
    await anna.write("#text", TEXT)
    await anna.press(".guided > summary")
    for field, code in CHOSEN.items():
        await anna.select(f"#case_{field}", clinical.name(field, code, "de"))
    await anna.write("#case_text_history", "Keine Vorerkrankungen bekannt")
    await anna.write("#poll_options", "Vorhofflimmern\nAVNRT\nHyperthyreose")
    await anna.see("guided")
    await is_sound(anna)
    await anna.select("#specialty-1", anna.words.specialty("cardiology"))
    await anna.select("#language", anna.words.language_name("de"))
    await anna.press_to("main form button:has-text('Veröffentlichen')", "/posts/")
    page = await anna.see("asked")

    assert clinical.name("ageBand", "30-39", "de") in page
    assert anna.text("poll.heading") in page
    await is_sound(anna)


async def reads_and_votes(claire: Doctor) -> str:
    """The case is there, in her language; numbers stand there only after her vote. Return its path."""
    await claire.until("/feed?tab=all", TITLE)
    await claire.press_to(".card-title a", "/posts/", TITLE)
    before, numbers = await claire.see("read"), await claire.page.locator(".results").count()
    await chooses(claire, 2)
    await claire.press_to("form[action$='/vote'] button", "/posts/")
    after = await claire.see("voted")

    assert clinical.name("setting", "emergency", claire.words.language) in before
    assert 0 == numbers
    assert claire.text("poll.yours") in after
    await is_sound(claire)
    return re.sub("#.*", "", claire.page.url.removeprefix(claire.origin))


async def quotes(claire: Doctor, there: str) -> None:
    """The form opens with the words; she keeps what she means and sends it."""
    await claire.press_to("a[href*='quote=']", "quote=")
    typed = await claire.page.input_value("#text")
    await claire.write("#text", typed.splitlines()[0] + "\n\nTSH ?")
    await claire.see("quoted")
    await claire.press_to("form[action$='/answers'] button", there)
    await claire.press_to("form[action$='/save'] button", there)

    assert typed.startswith("> ")
    assert "TSH ?" in await claire.see("answered")
    assert await claire.page.locator(".answer blockquote").count()


async def ends(anna: Doctor) -> None:
    """Anna finds the answer marked as new, adds what came, and says how it ended, with thanks."""
    await anna.until("/notices", anna.text("notice.answer"))
    await anna.press_to(".notice-link", "/posts/", TITLE)
    fresh = await anna.see("fresh")
    await anna.press_to("a[href*='update=1']", "update=1")
    await anna.write("#text", "TSH unter 0,01.")
    assert await anna.page.is_checked("input[name=as_update]")
    await anna.press_to(".thread > .card form[action$='/answers'] button", "/posts/")
    await anna.press_to("a[href$='/resolution']", "/resolution$")
    await anna.write("#diagnosis", "Hyperthyreose")
    await anna.hand.tick(anna.page.locator("input[name=thanked]").first)
    await anna.see("ending")
    await is_sound(anna)
    await anna.press_to("form[action$='/resolution'] button", "/posts/")
    solved = await anna.see("solved")

    assert anna.words.count("post.fresh", 1) in fresh
    assert "Hyperthyreose" in solved
    assert anna.text("update.mark") in solved


async def sees_the_end(claire: Doctor, there: str) -> None:
    """It is on top of the page, on the card and on her list."""
    await claire.until(there, "Hyperthyreose")
    await claire.see("end")
    await is_sound(claire)
    await claire.open("/me/saved")
    saved = await claire.see("saved")
    await is_sound(claire)

    assert TITLE in saved
    assert claire.text("end.solved") in saved
