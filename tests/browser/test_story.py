"""The story of the product, on two phones: a doctor in France follows one in Germany, and they discuss a case."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from instance.demo.town import PASSWORD
from instance.i18n import catalogue
from instance.ids import new_ulid
from instance.services import passwords
from instance.times import to_ms
from tests.browser.story import Doctor, Scene, open_scene
from tests.town import rows

TITLE = "Palpitationen in der Nachtschicht: wie weit abklären?"
BETTER = "Palpitationen in der Nachtschicht: Langzeit-EKG jetzt dabei"
TEXT = "Ärztin Mitte dreißig, **anfallsartiges Herzrasen**.\n\n- Ruhe-EKG normal\n- TSH ausstehend\n\nWas als Nächstes?"
LATER = "Nachtrag: Im Langzeit-EKG kurze Phasen supraventrikulärer Tachykardie."
ANSWER = "D’abord la thyroïde, puis un enregistreur d’événements."
REPLY = "Danke, TSH ist unterwegs."


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """France and Germany, started; nothing written yet."""
    async with open_scene(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize(("language", "hand"), [("en", "touch"), ("fr", "touch"), ("de", "keys")])
async def test_a_case_crosses_the_border_and_comes_back(scene, language, hand):
    """Follow, case, answer, reply, edit and withdrawal: each is seen on the other side, in every language."""
    async with AsyncExitStack() as stack:
        claire = await stack.enter_async_context(scene.doctor(0, language, hand))
        anna = await stack.enter_async_context(scene.doctor(1, language, hand))
        await sign_in(claire)
        await sign_in(anna)
        await follow(claire, anna)
        here = await publish(anna)
        there = await arrives(claire, anna)
        await answer(claire, anna, there)
        await reply(anna, claire, here, there)
        await edit(anna, claire, here, there)
        await withdraw(anna, claire, here, there)


@pytest.mark.parametrize("language", ["de", "fr"])
async def test_the_language_is_changed_on_the_page(scene, language):
    """Whoever comes with an English browser reads everything in German or French after one press."""
    async with scene.doctor(0, "en", "touch") as claire:
        await claire.open("/")
        claire.words = catalogue(language)
        await claire.press_to(f".languages button[value={language}]", "/$")
        await claire.see("landing")
        await claire.open("/sign-in")
        await sign_in(claire)
        for path in ("/colleagues", "/write", "/notices", "/me", "/federation", "/help"):
            await claire.open(path)
            await claire.see(path.strip("/"))


async def test_outside_nothing_is_read(scene):
    """Without an account there is the landing page and the sign-in, and neither names anybody or anything."""
    async with scene.doctor(0, "fr", "touch") as claire, scene.doctor(0, "fr", "touch") as stranger:
        await sign_in(claire)
        case = await publish(claire)
        seen = []
        for path in ("/", "/feed?tab=all", case, f"/doctors/{claire.login.handle}", "/colleagues?q=Claire", "/write"):
            await stranger.open(path)
            seen.append(await stranger.see(f"outside{path.partition('?')[0].replace('/', '-')}"))

    assert all(claire.text("sign_in.button") in page for page in seen)
    assert not [page for page in seen if "Palpitationen" in page or claire.name in page]


async def test_whoever_is_not_in_good_standing_gets_one_page(scene):
    """Suspended, or never verified: the same closed door for a real case and an invented one, with the reason."""
    france = scene.town[0]
    async with scene.doctor(0, "fr", "touch") as claire, scene.doctor(0, "fr", "touch", login=1) as hugo:
        await sign_in(claire)
        case = await publish(claire)
        await sign_in(hugo)
        await france.node.people.suspend(hugo.login.handle, by="test", reason="shown to a reader")
        await hugo.open(case)
        assert hugo.text("sign_in.button") in await hugo.see("session-ended")
        await enter(hugo, hugo.login.handle)
        closed = await closed_door(hugo, case)
        await hugo.press_to(".foot form[action='/sign-out'] button", "/")
        await add_account(scene, "candidate")
        await enter(hugo, "candidate")
        unknown = await closed_door(hugo, case)

    assert hugo.text("error.suspended") in closed
    assert hugo.text("error.no_credential") in unknown


# ── the steps ──


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


async def follow(claire: Doctor, anna: Doctor) -> None:
    """Found by address, then by name; followed, and told on the other side."""
    await claire.press_to(".bar a[href='/colleagues']", "/colleagues$")
    await claire.write("#q", "nobody@de.example")
    await claire.press_to("main form.search button", r"\?q=")
    assert claire.text("colleagues.none") in await claire.see("colleagues-none")
    await claire.write("#q", anna.address)
    await claire.press_to("main form.search button", "/doctors/")
    assert claire.text("doctor.until", date="").strip() in await claire.see("found-by-address")
    await claire.press_to(".bar a[href='/colleagues']", "/colleagues$")
    await claire.write("#q", anna.login.handle.partition(".")[2][:4])
    await claire.press_to("main form.search button", r"\?q=")
    found = await claire.see("colleagues-found")
    assert anna.name in found
    assert claire.text("mark.verified") in found
    assert claire.role_line(anna) in found
    await claire.press_to(".person a.name", "/doctors/", anna.name)
    await claire.see("profile")
    await claire.press_to("main .profile form[action$='/follow'] button", "/doctors/")
    await claire.until(f"/doctors/{anna.address}", claire.text("follow.following"))
    await claire.see("following")
    await anna.until("/notices", anna.text("notice.followed"))
    assert claire.name in await anna.see("notice-followed")
    await anna.until("/colleagues/followers", claire.name)


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


async def arrives(claire: Doctor, anna: Doctor) -> str:
    """Within a second it is where her page reads it; it says who speaks and who can read. Return its path there.

    Both times are the instances' own, so that what the browser and the test take is not counted.
    """
    await claire.until("/feed", TITLE)
    kept = await rows(
        claire.country.node, f"select received_at - published_at as ms from posts where title = '{TITLE}'"
    )
    assert [True] == [0 <= row["ms"] < 1000 for row in kept]
    assert anna.text("audience.federation") in await anna.see("published")
    card = await claire.see("feed")
    assert claire.text("post.unanswered") in card
    assert claire.text("audience.short.federation") in card
    await claire.press_to(".card-title a", "/posts/", TITLE)
    case = await claire.see("case")
    said = (anna.name, claire.text("mark.verified"), claire.role_line(anna), claire.text("audience.federation"))
    assert not [words for words in said if words not in case]
    assert "de" == await claire.page.get_attribute("h1", "lang")
    assert "anfallsartiges Herzrasen" == await claire.page.inner_text(".content strong")
    return claire.page.url.removeprefix(claire.origin)


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


async def reply(anna: Doctor, claire: Doctor, here: str, there: str) -> None:
    """A reply to the answer stands under it, on both sides."""
    await anna.press(".reply summary")
    await anna.write(".reply textarea", REPLY)
    await anna.press_to(".reply form button", here)
    assert anna.text("post.answers_to", name=claire.name) in await anna.see("replied")
    await claire.until(there, REPLY)
    assert claire.text("post.answers_to", name=claire.name) in await claire.see("reply")


async def edit(anna: Doctor, claire: Doctor, here: str, there: str) -> None:
    """The new version is read on both sides, and so is the one before."""
    await anna.open(here)
    await anna.press_to("a[href$='/edit']", "/edit$")
    await anna.see("edit")
    await anna.write("#title", BETTER)
    await anna.write("#text", TEXT + "\n\n" + LATER)
    await anna.press_to("main form button", here)
    await anna.see("edited")
    await claire.until(there, BETTER)
    assert LATER in await claire.see("edited-there")
    for who in (anna, claire):
        await who.press_to("a[href$='/history']", "/history$")
        history = await who.see("history")
        assert history.index(TITLE) < history.index(who.text("history.now")) < history.index(LATER)


async def withdraw(anna: Doctor, claire: Doctor, here: str, there: str) -> None:
    """Asked once more, then gone from every list and page on both sides."""
    await anna.open(here)
    await anna.press_to("a[href$='/withdraw']", "/withdraw$")
    await anna.see("withdraw")
    await anna.press_to("main form button", "/feed")
    await claire.until("/feed?tab=all", BETTER, there=False)
    await claire.see("gone-from-feed")
    for who, path in ((anna, here), (claire, there)):
        await who.open(path)
        gone = await who.see("gone")
        assert who.text("error.not_found") in gone
        assert not [words for words in (BETTER, TITLE, ANSWER, REPLY) if words in gone]
    await claire.open("/notices")
    assert BETTER not in await claire.see("notices-after")


async def closed_door(who: Doctor, case: str) -> str:
    """What the door says, the same for a case that is there and one that is not."""
    pages = []
    for path in (case, "/posts/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/feed", "/colleagues"):
        await who.open(path)
        pages.append(await who.see(f"closed{path.replace('/', '-')[:9]}"))
    assert 1 == len(set(pages))
    return pages[0]


async def add_account(scene: Scene, login: str) -> None:
    """Somebody who has an account and no credential yet."""
    node = scene.town[0].node
    stored, now = await passwords.hash_password(PASSWORD), node.clock()

    async def keep(tx):  # type: ignore[no-untyped-def]
        return await tx.run(
            "people.add_account", id=new_ulid(now), login=login, password=stored, doctor=None, roles="[]",
            language="", now=to_ms(now),
        )  # fmt: skip

    await node.store.write(keep)
