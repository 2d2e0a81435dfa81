"""The allowlist in a browser: two administrators pause, resume and expel a sibling; every page is for everybody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from federation.allowlist import LocalPolicy
from instance.services import sibling_days
from tests.browser.conftest import Visit
from tests.browser.test_accessibility import check, check_here
from tests.browser.test_desk import Room, room, tab_to
from tests.network.expelling import DE, REASON, actor, wanted

__all__ = ["room"]
LIST, ONE, FORMER = (
    "/administration/siblings",
    "/administration/siblings/de.example",
    "/administration/siblings/it.example",
)
PAUSE = f"{ONE}/change?policy=pause&kind_in=case&kind_in=news&kind_out=case&countries=DE&note=telephone+first"
FILE = "origin,policy,kinds_accepted,kinds_sent,countries,note\n{origin},block,case,case,DE AT,\nhttps://x.example,pause,,,DE,\n"


@pytest.fixture
async def lists(room: Room, tmp_path: Path) -> Room:
    """France, which lists Germany."""
    german = await room.desk.network.add(tmp_path, "de")
    await room.desk.place.admits(german)
    return room


async def press(page: Any, selector: str) -> None:
    """Reach something by Tab and press it."""
    await tab_to(page, selector)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


def policy_of(room: Room) -> LocalPolicy | None:
    """The policy in force for Germany."""
    found = room.desk.node.allowlist().find(DE)
    return None if found is None else found.policy


async def decides(visit: Visit, path: str, form: str, reason: str) -> str:
    """Give a reason in a form of this page and send it; what the next page says was done."""
    await visit.open(path)
    await visit.page.fill(f"{form} #reason", reason)
    async with visit.page.expect_navigation():
        await visit.page.click(f"{form} .button >> nth=0")
    return str(await visit.page.inner_text(".saved"))


async def confirms(visit: Visit) -> str:
    """Look at the one proposal that waits, and confirm it."""
    await visit.open(LIST)
    async with visit.page.expect_navigation():
        await visit.page.click("section[aria-labelledby=waits] a")
    async with visit.page.expect_navigation():
        await visit.page.click("form[action$='/confirm'] button")
    return str(await visit.page.inner_text(".saved"))


async def test_two_administrators_pause_resume_and_expel(lists: Room) -> None:
    """Pause by one and by keyboard; resume and expel by two, each after a preview."""
    seen: list[LocalPolicy | None] = []
    async with lists.shown.visit(width=1280) as one, lists.shown.visit(width=360) as other:
        await lists.enter(one, "ada", "administrator")
        await lists.enter(other, "ben", "administrator")
        page = one.page
        await one.open("/administration")
        await press(page, f"a[href='{LIST}']")
        await press(page, f"a[href='{ONE}']")
        await tab_to(page, "#policy")
        await page.keyboard.type("paused")
        await press(page, "form[action$='/change'] button")
        preview = await page.inner_text("main")
        await tab_to(page, "#reason")
        await page.keyboard.type("the telephone is not answered")
        await press(page, "form[action$='/change'] .button")
        said = [await page.inner_text(".saved")]
        seen.append(policy_of(lists))
        again = f"{ONE}/change?policy=inherit&kind_in=case&kind_in=observation&kind_in=question"
        again += "&kind_out=case&kind_out=observation&kind_out=question&countries=DE&note="
        said.append(await decides(one, again, "form[action$='/change']", "answered"))
        seen.append(policy_of(lists))
        said.append(await confirms(other))
        seen.append(policy_of(lists))
        await decides(one, again.replace("inherit", "pause"), "form[action$='/change']", "not answered again")
        said.append(await decides(one, f"{ONE}/expel", "form[action$='/expel']", "decided by the board"))
        said.append(await confirms(other))
        seen.append(policy_of(lists))
        left = await other.page.inner_text("main")
        complaints = one.complaints + one.foreign + other.complaints + other.foreign

    assert 4 == preview.count("→ closed")
    assert [LocalPolicy.PAUSE, LocalPolicy.PAUSE, LocalPolicy.INHERIT, None] == seen
    assert ["made", "proposed", "confirmed", "proposed", "confirmed"] == [
        next(word for word in ("made", "proposed", "confirmed") if word in text) for text in said
    ]
    assert "shown with a label" in left
    assert [] == complaints


async def filled(room: Room, folder: Path) -> None:
    """Traffic, a note, a refusal, a proposal that waits, and Italy, which was expelled with copies of ours."""
    node, network = room.desk.node, room.desk.network
    italian = await network.add(folder, "it")
    await room.desk.place.admits(italian)
    marie = await room.desk.place.doctor("marie")
    await marie.posts("From France")
    ada, ben = await actor(node, "ada"), await actor(node, "ben")
    it = "https://it.example"
    await node.siblings.proposals.change([await wanted(node, it, policy="pause")], ada, REASON)
    _, seen = await node.siblings.proposals.preview_expulsion(it)
    await node.siblings.proposals.expel(it, ada, REASON, seen=seen)
    (waiting,) = await node.siblings.proposals.waiting()
    await node.siblings.proposals.confirm(waiting.id, ben)
    await node.siblings.proposals.change([await wanted(node, note="Telephone first: Ms Weber.")], ada, REASON)
    await node.siblings.proposals.change([await wanted(node, countries=("DE", "AT"))], ben, "The chamber of Vienna.")

    async def traffic(tx: Any) -> None:
        today = int(node.clock().timestamp()) // 86_400
        for back, (received, sent) in enumerate([(12, 30), (40, 3), (0, 0), (25, 18), (7, 44), (31, 29), (18, 2)]):
            await tx.run("sibling_days.add", origin=DE, day=today - back, received=received, sent=sent)

    await node.store.write(traffic)
    await sibling_days.count(node)


@pytest.mark.parametrize(
    ("language", "scheme", "width"),
    [("en", "light", 1280), ("de", "dark", 360), ("fr", "light", 360), ("de", "light", 1280), ("fr", "dark", 1280)],
)
async def test_every_page_of_the_allowlist_is_for_everybody(
    lists: Room, axe: Any, tmp_path: Path, language: str, scheme: str, width: int
) -> None:
    """No violation, nothing cut or small: the list, an entry, a preview, a proposal, a file, whoever was expelled."""
    async with lists.shown.visit(language=language, scheme=scheme, width=width) as visit:
        await lists.enter(visit, "ada", "administrator")
        await lists.desk.staff("ben", "administrator")
        await filled(lists, tmp_path)
        (waiting,) = await lists.desk.node.siblings.proposals.waiting()
        pages = {
            "list": LIST, "one": ONE, "preview": PAUSE, "former": FORMER, "proposal": f"{LIST}/proposals/{waiting.id}",
            "file": f"{LIST}/file", "federation": "/federation",
        }  # fmt: skip
        wrong = await check(visit, axe, pages.values())
        for name, path in pages.items():
            await visit.open(path)
            await visit.keep_picture(f"siblings-{name}-{language}-{scheme}")
        await visit.open(f"{LIST}/file")
        await visit.page.fill("#csv", FILE.format(origin=DE))
        async with visit.page.expect_navigation():
            await visit.page.click("form[action$='/check'] button")
        wrong += await check_here(visit, axe)
        await visit.keep_picture(f"siblings-dry-run-{language}-{scheme}")
        await lists.desk.node.siblings.set_policy(DE, "pause", by="shell", reason="x")
        wrong += await check(visit, axe, [f"{ONE}/expel"])
        await visit.keep_picture(f"siblings-expel-{language}-{scheme}")
        await lists.desk.node.siblings.remove(DE, by="shell", reason="x")
        wrong += await check(visit, axe, [LIST, "/federation"])
        await visit.keep_picture(f"siblings-alone-{language}-{scheme}")

    assert [] == wrong
