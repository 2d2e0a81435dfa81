"""What is one's own: a doctor says who she is, and takes back what she said where she may not read any more."""

from __future__ import annotations

from tests.browser.steps import ANSWER, IN_EVERY_LANGUAGE, TITLE, answer, publish, two_phones
from tests.browser.story import Doctor

WORDS = "Rythmologie du sport, **sans rendez-vous**."
SHOWN = "Rythmologie du sport, sans rendez-vous."


@IN_EVERY_LANGUAGE
async def test_own_words_are_kept_told_and_taken_back(scene, language, hand):
    """The profile is read abroad and lets follows wait; a closed discussion gives back her own words and no others."""
    async with two_phones(scene, language, hand) as (claire, anna):
        await describe(claire)
        await is_asked(claire, anna)
        here = await publish(anna)
        await answer(claire, anna, await opens(claire))
        await block(claire, anna)
        await take_back(claire)
        await anna.until(here, ANSWER, there=False)
        await anna.see("answer-gone")


# ── the steps ──


async def describe(claire: Doctor) -> None:
    """From her account to the form; what was verified stands beside it, without a field."""
    await claire.press_to(".bar a[href='/me']", "/me$")
    assert claire.text("me.own") in await claire.see("me")
    await claire.press_to("main a[href='/me/profile']", "/me/profile$")
    form = await claire.see("profile-form")
    assert claire.words.specialty("cardiology") in form
    assert claire.text("profile.locked") in form
    await claire.write("#summary", WORDS)
    await claire.tick("spoken", "it")
    await claire.press("#languages summary")
    await claire.tick("spoken", "tr")
    await claire.tick("approves_followers", "1")
    await claire.press_to("main form button", "/doctors/")
    shown = await claire.see("profile-saved")
    assert claire.text("done.profile") in shown
    assert SHOWN in shown


async def is_asked(claire: Doctor, anna: Doctor) -> None:
    """Anna reads it at home, asks, waits, and is accepted."""
    profile = f"/doctors/{claire.address}"
    await anna.until(f"/colleagues?q={claire.login.handle.partition('.')[0]}", claire.name)
    await anna.until(profile, SHOWN)
    read = await anna.see("read-abroad")
    assert all(anna.words.language_name(code) in read for code in ("it", "tr"))
    await anna.press_to("main .profile form[action$='/follow'] button", "/doctors/")
    assert anna.text("done.follow_pending") in await anna.see("asked")
    await claire.until("/notices", anna.name)
    await claire.see("request")
    await claire.press_to("main form[action$='/accept'] button", "/notices")
    await anna.until(profile, anna.text("follow.following"))


async def opens(claire: Doctor) -> str:
    """From her feed to the discussion; return its path."""
    await claire.until("/feed", TITLE)
    await claire.press_to(".card-title a", "/posts/", TITLE)
    return claire.page.url.removeprefix(claire.origin)


async def block(claire: Doctor, anna: Doctor) -> None:
    """The author is blocked from the discussion itself, and found again on a list."""
    await claire.press_to("main a.name", "/doctors/", anna.name)
    await claire.press(".quiet-acts:has(form[action$='/block']) summary")
    await claire.press_to("main form[action$='/block'] button", "/doctors/")
    await claire.open("/colleagues/blocked")
    assert anna.name in await claire.see("blocked")


async def take_back(claire: Doctor) -> None:
    """Among her answers: her words, nothing of the case; withdrawn, they are gone."""
    await claire.press_to(".bar a[href='/me']", "/me$")
    await claire.press_to("main a[href='/me/answers']", "/me/answers$")
    listed = await claire.see("own-answers")
    assert ANSWER in listed
    assert TITLE not in listed
    assert claire.text("own.closed") in listed
    await claire.press_to("main a[href$='/withdraw']", "/withdraw$")
    asked = await claire.see("withdraw-closed")
    assert ANSWER in asked
    assert TITLE not in asked
    await claire.press_to("main form button", "/me/answers$")
    left = await claire.see("withdrawn")
    assert claire.text("done.answer_withdrawn") in left
    assert ANSWER not in left
