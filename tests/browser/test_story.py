"""The story of the product, on two phones: a doctor in France follows one in Germany, and they discuss a case."""

from __future__ import annotations

import pytest

from instance.demo.town import PASSWORD
from instance.i18n import catalogue
from instance.ids import new_ulid
from instance.services import passwords
from instance.times import to_ms
from tests.browser.steps import ANSWER, IN_EVERY_LANGUAGE, TEXT, TITLE, answer, enter, publish, sign_in, two_phones
from tests.browser.story import Doctor, Scene
from tests.town import rows

BETTER = "Palpitationen in der Nachtschicht: Langzeit-EKG jetzt dabei"
LATER = "Nachtrag: Im Langzeit-EKG kurze Phasen supraventrikulärer Tachykardie."
REPLY = "Danke, TSH ist unterwegs."


@IN_EVERY_LANGUAGE
async def test_a_case_crosses_the_border_and_comes_back(scene, language, hand):
    """Follow, case, answer, reply, edit and withdrawal: each is seen on the other side, in every language."""
    async with two_phones(scene, language, hand) as (claire, anna):
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
        for path in ("/search", "/colleagues", "/write", "/notices", "/me", "/federation", "/help"):
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
        await enter(hugo, hugo.login.handle, arrives="/application$")
        closed = await closed_door(hugo, case)
        await hugo.press_to(".foot form[action='/sign-out'] button", "/")
        await add_account(scene, "candidate")
        await enter(hugo, "candidate", arrives="/application")
        unknown = await closed_door(hugo, case)

    assert hugo.text("error.suspended") in closed
    assert hugo.text("application.none") in unknown


# ── the steps ──


async def follow(claire: Doctor, anna: Doctor) -> None:
    """Found by address, then by name; followed, and told on the other side."""
    await claire.press_to(".bar a[href='/search']", "/search$")
    await claire.press_to("main a[href='/colleagues']", "/colleagues$")
    await claire.write("#q", "nobody@de.example")
    await claire.press_to("main form.search button", r"\?q=")
    assert claire.text("colleagues.none") in await claire.see("colleagues-none")
    await claire.write("#q", anna.address)
    await claire.press_to("main form.search button", "/doctors/")
    assert claire.text("doctor.until", date="").strip() in await claire.see("found-by-address")
    await claire.press_to(".bar a[href='/search']", "/search$")
    await claire.press_to("main a[href='/colleagues']", "/colleagues$")
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
