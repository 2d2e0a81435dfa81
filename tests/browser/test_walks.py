"""From a deed to a mark that is seen abroad, and away again; and the way of somebody who is refused and appeals."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest

from federation.signatures import Profile
from federation.uri import Uri
from instance.demo.messages import create, post
from tests.browser.steps import enter
from tests.browser.story import Doctor, Scene
from tests.browser.walking import (
    APPLICANT,
    EMAIL,
    NAME,
    Walk,
    applies,
    asks,
    finds,
    hand_in,
    last_mail,
    lifts,
    mails,
    opens,
    show,
    takes,
    votes,
)

TITLE = "Syncope à l’effort, femme de 34 ans"
ANSWER = "Danke, welche QTc-Zeit?"


@pytest.fixture
async def walk(scene: Scene) -> AsyncIterator[Walk]:
    """France with two reviewers and an administrator, and Germany."""
    made = Walk(scene)
    await made.appoint("rene")
    await made.appoint("ada", role="administrator")
    return made


async def test_from_the_deed_to_a_mark_abroad_and_back(walk: Walk) -> None:
    """Applied, verified by two, seen abroad; suspended, refused there within a minute; reinstated by two."""
    async with walk.newcomer() as eliane, walk.scene.doctor(1, "de", "touch") as anna:
        await enter(anna, anna.login.handle)
        await applies(eliane)
        async with walk.invited("rita") as rita, walk.staff("rene") as rene:
            path = await is_verified(eliane, rita, rene)
            there = await speaks_abroad(eliane, anna)
            await is_suspended(walk, eliane, anna, there)
            await is_reinstated(eliane, anna, rita, rene, path, there)


async def is_verified(eliane: Doctor, rita: Doctor, rene: Doctor) -> str:
    """Two look at the deed, the second blind to what the first has said; return the path at the desk."""
    path = await opens(rita)
    await takes(rita)
    await finds(rita)
    assert rita.text("done.desk_vote") in await votes(rita, "approve", "evidence_holds")
    assert not await rita.page.locator("form[action$='/vote']").count()
    await opens(rene)
    assert rene.text("desk.no_votes") in await rene.reads()
    await finds(rene)
    assert rene.text("desk.state.approved") in await votes(rene, "approve", "evidence_holds")
    told = await last_mail(eliane, EMAIL, beyond=2)
    assert (True, False) == (eliane.text("told.approved") in told, NAME in told)
    await eliane.open("/application")
    assert eliane.text("application.state.approved") in await eliane.see("approved")
    return path


async def speaks_abroad(eliane: Doctor, anna: Doctor) -> str:
    """She publishes; abroad the case is read under her name, with the mark. Return its path there."""
    await eliane.open("/write")
    await eliane.write("#title", TITLE)
    await eliane.write("#text", "Cas fictif. ECG normal au repos.")
    await eliane.pick("audience", "federation")
    await eliane.press_to("main form button", "/posts/")
    await anna.until("/feed?tab=all", TITLE)
    await anna.press_to(".card-title a", "/posts/", TITLE)
    assert NAME in await anna.see("case")
    assert {anna.text("mark.verified")} == await marks(anna)
    return anna.page.url.removeprefix(anna.origin)


async def marks(who: Doctor) -> set[str]:
    """What stands beside her name on a page where nobody else is named."""
    return {text.strip() for text in await who.page.locator("main .mark").all_inner_texts()}


async def is_suspended(walk: Walk, eliane: Doctor, anna: Doctor, there: str) -> None:
    """One administrator, by keyboard; abroad the mark goes and her word is refused, at home every door closes."""
    async with walk.staff("ada", "keys") as ada:
        await ada.open("/desk/suspend")
        await ada.write("#handle", APPLICANT.handle)
        await ada.press_to("form[method=get] button", "handle=")
        await ada.select("#suspend-ground", ada.text("desk.ground.authority_letter"))
        began = time.monotonic()
        await ada.press_to("form[method=post][action='/desk/suspend'] .button", "handle=")
        assert ada.text("desk.state.suspended") in await ada.see("suspended")
    await anna.until(f"/doctors/{eliane.address}", anna.text("standing.suspended"))
    assert time.monotonic() - began < 60
    await anna.see("suspended-abroad")
    assert {anna.text("mark.lapsed")} == await marks(anna)
    await anna.open(there)
    assert TITLE in await anna.see("case-of-the-suspended")
    assert {anna.text("mark.lapsed")} == await marks(anna)
    assert (403, "suspended") == await says_something_new(walk)
    await eliane.open("/feed")
    assert "/sign-in" in eliane.page.url
    await enter(eliane, EMAIL, arrives="/application$")
    await eliane.open("/write")
    assert eliane.text("application.state.suspended") in await eliane.see("closed-to-the-suspended")


async def says_something_new(walk: Walk) -> tuple[int, str]:
    """Send a case to the sibling, signed with her own key; what it answers."""
    uri = Uri.parse(f"{walk.home.node.origin}/doctors/{APPLICANT.handle}")
    key = await walk.home.node.keys.signing_key(uri, Profile.CAVAGE)
    return await post(walk.scene.town[1], create(uri, walk.home.node.clock()), key)


async def is_reinstated(
    eliane: Doctor, anna: Doctor, rita: Doctor, rene: Doctor, path: str, there: str
) -> None:  # fmt: skip
    """One reviewer is not enough; after the second she has her mark again, and both go on talking."""
    assert rita.text("desk.state.suspended") in await lifts(rita, path)
    assert rene.text("desk.state.approved") in await lifts(rene, path)
    await anna.until(f"/doctors/{eliane.address}", anna.text("standing.suspended"), there=False)
    await anna.see("good-standing-abroad")
    await anna.open(there)
    await anna.see("case-again")
    assert {anna.text("mark.verified")} == await marks(anna)
    await anna.write("#text", ANSWER)
    await anna.press_to("form[action$='/answers'] button", there)
    await eliane.open("/feed?tab=all")
    await eliane.press_to(".card-title a", "/posts/", TITLE)
    await eliane.until(eliane.page.url.removeprefix(eliane.origin), ANSWER)
    await eliane.see("answered")


async def test_refused_and_heard_again_by_two_others(walk: Walk) -> None:
    """Asked for more, refused for a reason in French, appealed; two who did not decide decide, the first two cannot."""
    await walk.appoint("rita", "remy", "rose")
    async with walk.newcomer() as eliane:
        await applies(eliane, "specialist")
        async with walk.staff("rita") as rita, walk.staff("rene") as rene:
            path = await is_asked_for_more(eliane, rita)
            await is_refused(eliane, rita, rene)
            await appeals(eliane)
            await cannot_decide_again(path, rita, rene)
        async with walk.staff("remy") as remy, walk.staff("rose") as rose:
            await opens(remy)
            await takes(remy)
            for who in (remy, rose):
                await opens(who)
                await finds(who)
                said = await votes(who, "approve", "evidence_holds")
            assert rose.text("desk.state.approved") in said
        await eliane.open("/application")
        page = await eliane.see("heard")
        assert eliane.text("application.state.approved") in page
        await eliane.open("/feed")
        assert eliane.text("feed.none.specialty") in await eliane.see("feed")


async def is_asked_for_more(eliane: Doctor, rita: Doctor) -> str:
    """The reason is read in French; a certificate is added, and it goes on where it was."""
    path = await opens(rita)
    await takes(rita)
    assert rita.text("desk.state.needs_info") in await asks(rita, "incomplete")
    await eliane.open("/application")
    page = await eliane.see("asked")
    assert not [key for key in ("application.state.needs_info", "ground.incomplete") if eliane.text(key) not in page]
    await show(eliane, "specialist_certificate")
    await hand_in(eliane)
    assert eliane.text("application.state.submitted") in await eliane.see("answered-the-question")
    return path


async def is_refused(eliane: Doctor, rita: Doctor, rene: Doctor) -> None:
    """Two find the same shortcoming; she reads it in her language, the mail says only that there is something."""
    known = len(mails(eliane.country, EMAIL))
    await opens(rita)
    await takes(rita)
    await votes(rita, "reject", "not_from_authority")
    await eliane.open("/application")
    assert eliane.text("application.state.in_review") in await eliane.see("after-the-first")
    await opens(rene)
    assert rene.text("desk.no_votes") in await rene.reads()
    await votes(rene, "reject", "not_from_authority")
    assert eliane.text("ground.not_from_authority") not in await last_mail(eliane, EMAIL, beyond=known)
    await eliane.open("/application")
    page = await eliane.see("refused")
    assert eliane.text("application.state.rejected") in page
    assert eliane.text("ground.not_from_authority") in page
    await eliane.open("/feed")
    assert eliane.text("application.closed_to_you") in await eliane.see("closed-to-the-refused")


async def appeals(eliane: Doctor) -> None:
    """Once, with one press."""
    await eliane.open("/application")
    await eliane.press_to("form[action='/application/appeal'] button", "/application$")
    assert eliane.text("application.state.appealed") in await eliane.see("appealed")
    assert not await eliane.page.locator("form[action='/application/appeal']").count()


async def cannot_decide_again(path: str, *deciders: Doctor) -> None:
    """Who decided before does not find it in the queue, cannot take it and sees no document of it."""
    for who in deciders:
        await who.open("/desk")
        assert NAME not in await who.see("queue-without")
        await who.open(path)
        assert NAME not in await who.see("not-theirs")
