"""Bulletins and the newsroom in a browser: on a phone, by keyboard, without scripts, in three languages."""

from __future__ import annotations

import pytest

from instance.services.newsroom import Newsroom, SourceDraft
from instance.services.publishing import PostDraft
from tests.browser.test_accessibility import check
from tests.browser.test_desk import Room, room
from tests.bulletins import a_bulletin
from tests.feeds import an_item, rss
from tests.instance.pages.rows import FR
from verification.people import Actor, StaffId, StaffRole

__all__ = ["room"]
STUDY = ("doi", "authors", "study", "journal", "year")
CONGRESS = ("event", "event_place", "event_from", "event_until")
EVERY = ("source", "source_link", "conflict_text")


async def write(house) -> str:
    """A bulletin of each kind, one of them with a conflict, and an imported item; the slug of the study."""
    publish, slugs = house.node.publishing.publish, []
    for kind, title, changed in (
        ("news", "Nouvelle recommandation sur l’anticoagulation", {"source": "Société inventée de cardiologie"}),
        ("study-report", "Ein erfundener Versuch: weniger Blutungen nach 90 Tagen",
         {"conflict": "some", "conflict_text": "Vortragshonorare des Herstellers, 2025."}),
        ("congress-report", "What was new at a made-up congress", {}),
    ):  # fmt: skip
        draft = PostDraft(
            kind=kind, title=title, text="Made up, and short.", specialties=("cardiology",), audience="national",
            language="de" if kind == "study-report" else "en", bulletin=a_bulletin(kind, **changed),
        )  # fmt: skip
        slugs.append(await publish(f"{FR}/doctors/leo", draft))
    newsroom, two = Newsroom(house.node), [Actor(id=StaffId(f"staff-{n}"), roles=frozenset(StaffRole)) for n in (1, 2)]
    draft = SourceDraft(name="A made-up journal", specialty="cardiology", language="en")
    source = await newsroom.add(draft, two[0])
    await newsroom.approve(source, two[1])
    await newsroom.bring(source, rss(an_item(1, title="Guideline update: the made-up view")))
    return slugs[1]


async def fields(visit) -> set[str]:
    """The fields of bulletins that are to be seen."""
    shown = set()
    for name in (*STUDY, *CONGRESS, *EVERY):
        if await visit.page.locator(f"#{name}").is_visible():
            shown.add(name)
    return shown


async def test_the_form_shows_what_belongs_to_the_kind(shown):
    """Without scripts, by keyboard: the fields follow the choice; what is missing is said, and what was typed is kept."""
    async with shown.visit(java_script_enabled=False) as visit:
        await visit.sign_in("marie")
        await visit.open("/write")
        page, seen = visit.page, {}
        await page.locator('[name="kind"][value="case"]').focus()
        for kind in ("observation", "question", "news", "study-report", "congress-report"):
            await page.keyboard.press("ArrowRight")
            seen[kind] = await fields(visit)
        await page.fill("#title", "What was new")
        await page.fill("#text", "Made up.")
        await page.fill("#event", "A made-up congress")
        await page.locator('[name="audience"][value="national"]').check()
        await page.locator("main form .actions button").press("Enter")
        await page.wait_for_selector("#mistakes")
        missing = await page.inner_text("#mistakes")
        kept = await page.input_value("#event")

    assert set() == seen["observation"] == seen["question"]
    assert set(EVERY) == seen["news"]
    assert {*EVERY, *STUDY} == seen["study-report"]
    assert {*EVERY, *CONGRESS} == seen["congress-report"]
    assert "(place_missing)" in missing
    assert "A made-up congress" == kept


@pytest.mark.parametrize(
    ("language", "scheme", "width"),
    [("de", "dark", 360), ("fr", "light", 360), ("en", "light", 1280), ("de", "light", 1280)],
)
async def test_bulletins_read_well(shown, axe, language, scheme, width):
    """Cards, the post and the form: no violation, nothing cut or small, and nothing asked of anybody else."""
    slug = await write(shown.house)
    async with shown.visit(language=language, scheme=scheme, width=width) as visit:
        await visit.sign_in("marie")
        paths = ["/news", f"/posts/{slug}", "/write?kind=study-report", "/feed?tab=all"]
        wrong = await check(visit, axe, paths)
        for path in paths:
            await visit.open(path)
            await visit.keep_picture(f"news-{language}-{scheme}-{path.strip('/').replace('/', '-').replace('?', '-')}")

    assert [] == wrong


@pytest.mark.parametrize(("language", "scheme", "width"), [("de", "light", 360), ("fr", "dark", 1280)])
async def test_sources_read_well(room: Room, axe, language, scheme, width):
    """The page of an editor, with a source that waits and one that was read badly; and that of an administrator."""
    editor = Actor(id=StaffId("staff-1"), roles=frozenset({StaffRole.EDITOR}))
    newsroom = room.desk.node.newsroom
    for name in ("A made-up journal", "Société inventée de cardiologie"):
        draft = SourceDraft(
            name=name, specialty="cardiology", language="fr", address=f"https://{len(name)}.example/feed"
        )
        source = await newsroom.add(draft, editor)
    await newsroom.approve(source, Actor(id=StaffId("staff-2"), roles=frozenset({StaffRole.ADMINISTRATOR})))
    await newsroom.bring(source, rss(an_item(1), an_item(2)))
    async with room.shown.visit(language=language, scheme=scheme, width=width) as visit:
        await room.enter(visit, "emil", "editor")
        wrong = await check(visit, axe, ["/newsroom", f"/newsroom/sources/{source}"])
        await visit.open("/newsroom")
        await visit.keep_picture(f"newsroom-{language}-{scheme}")
    async with room.shown.visit(language=language, scheme=scheme, width=width) as visit:
        await room.enter(visit, "ada", "administrator")
        wrong += await check(visit, axe, ["/newsroom"])
        await visit.keep_picture(f"newsroom-admin-{language}-{scheme}")

    assert [] == wrong
