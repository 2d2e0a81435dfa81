"""What more than one story begins with: two doctors sign in on their phones, one publishes a case, one answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import pytest

from instance.demo.town import PASSWORD
from tests.browser.story import Doctor, Scene

TITLE: Final = "Palpitationen in der Nachtschicht: wie weit abklären?"
TEXT: Final = (
    "Ärztin Mitte dreißig, **anfallsartiges Herzrasen**.\n\n- Ruhe-EKG normal\n- TSH ausstehend\n\nWas als Nächstes?"
)
ANSWER: Final = "D’abord la thyroïde, puis un enregistreur d’événements."

#: A finger or the keyboard alone, each language once.
IN_EVERY_LANGUAGE = pytest.mark.parametrize(("language", "hand"), [("en", "touch"), ("fr", "touch"), ("de", "keys")])


@asynccontextmanager
async def two_phones(scene: Scene, language: str, hand: str) -> AsyncIterator[tuple[Doctor, Doctor]]:
    """Claire in France and Anna in Germany, both signed in."""
    async with scene.doctor(0, language, hand) as claire, scene.doctor(1, language, hand) as anna:
        await sign_in(claire)
        await sign_in(anna)
        yield claire, anna


async def sign_in(who: Doctor) -> None:
    """A wrong password first, then the right one."""
    await enter(who, who.login.handle, "not the password", arrives="/sign-in")
    assert who.text("error.wrong_credentials") in await who.see("sign-in-wrong")
    await enter(who, who.login.handle)
    assert who.text("feed.none.specialty") in await who.see("feed-empty")


async def enter(who: Doctor, login: str, password: str = PASSWORD, arrives: str = "/feed|/me") -> None:
    """Fill the sign-in form and send it."""
    await who.open("/sign-in")
    await who.write("#login", login)
    await who.write("#password", password)
    await who.press_to("main form button", arrives)


async def publish(anna: Doctor) -> str:
    """A first try that lacks whom it names keeps every word; then all may read it. Return its path."""
    await anna.press_to(".bar a[href='/write']", "/write$")
    form = await anna.see("write")
    assert not [code for code in ("DE", "FR") if anna.words.country(code) not in form]
    await anna.pick("kind", "case")
    await anna.write("#title", TITLE)
    await anna.write("#text", TEXT)
    await anna.select("#specialty-1", anna.words.specialty("cardiology"))
    await anna.select("#language", anna.words.language_name("de"))
    await anna.pick("audience", "named")
    await anna.press_to("main form button", "/write$")
    assert anna.text("error.named_missing") in await anna.see("write-wrong")
    assert (TITLE, TEXT) == (await anna.page.input_value("#title"), await anna.page.input_value("#text"))
    await anna.pick("audience", "federation")
    await anna.press_to("main form button", "/posts/")
    return anna.page.url.removeprefix(anna.origin)


async def answer(claire: Doctor, anna: Doctor, there: str) -> None:
    """An empty answer is named; a real one is in both threads, and the author is told."""
    await claire.write("#text", "   ")
    await claire.press_to("form[action$='/answers'] button", "/answers$")
    assert claire.text("error.text_missing") in await claire.see("answer-wrong")
    await claire.write("#text", ANSWER)
    await claire.press_to("form[action$='/answers'] button", there)
    assert ANSWER in await claire.see("answered")
    await anna.until("/notices", anna.text("notice.answer"))
    await anna.see("notice-answer")
    await anna.press_to(".notice-link", "/posts/", TITLE)
    thread = await anna.see("thread")
    assert ANSWER in thread
    assert anna.words.count("post.answers", 1) in thread
    assert anna.role_line(claire) in thread
