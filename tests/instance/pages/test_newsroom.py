"""The pages of imported news: for editors and administrators, and what doctors see of it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from instance.services.newsroom import SourceDraft
from tests.feeds import LAUGHS, an_item, rss
from tests.instance.pages.desk_house import ROLES, Desk, open_desk
from tests.instance.pages.house import OWN_PAGE, Visitor
from tests.tools.docs_parts import page_routes
from tests.town import PASSWORD, rows

ROUTES = [
    (rule, method, access) for rule, methods, access in page_routes() for method in methods if "/newsroom" in rule
]
ADDED = {"name": "A journal", "specialty": "cardiology", "language": "en", "address": "https://journal.example/feed"}
BY_FILE = {**ADDED, "address": ""}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A French instance where nobody works yet."""
    opened = await open_desk(tmp_path)
    yield opened
    await opened.network.close()


async def the_source(desk: Desk) -> str:
    """The id of the only source."""
    (row,) = await rows(desk.node, "select id from news_sources")
    return str(row["id"])


async def text_of(answer: Any) -> str:
    """The page of an answer."""
    return str(await answer.get_data(as_text=True))


async def brings(editor: Visitor, source: str, feed: bytes) -> Any:
    """Send a feed as a file."""
    edge = "edge-of-a-form"
    parts = [f'--{edge}\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{editor.token}\r\n'.encode()]
    head = (
        f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="f.xml"\r\nContent-Type: text/xml\r\n\r\n'
    )
    parts.append(head.encode() + feed + f"\r\n--{edge}--\r\n".encode())
    headers = OWN_PAGE | {"Content-Type": f"multipart/form-data; boundary={edge}"}
    return await editor.client.post(f"/newsroom/sources/{source}/file", headers=headers, data=b"".join(parts))


async def shown(desk: Desk, *items: str) -> tuple[Visitor, str]:
    """An editor who has brought these items from an approved source."""
    emil, ada = await desk.staff("emil", "editor"), await desk.staff("ada", "administrator")
    await emil.get("/newsroom")
    await emil.post("/newsroom/sources", **BY_FILE)
    source = await the_source(desk)
    await ada.get("/newsroom")
    await ada.post(f"/newsroom/sources/{source}/approve")
    assert 200 == (await brings(emil, source, rss(*items))).status_code
    return emil, source


async def reader(desk: Desk, *, specialty: str = "cardiology") -> Visitor:
    """A doctor who has signed in."""
    await desk.place.doctor("marie", specialty=specialty)
    somebody = desk.house.visitor()
    await somebody.post("/sign-in", login="marie", password=PASSWORD)
    return somebody


async def test_editors_and_administrators_reach_it_and_nobody_else(desk: Desk) -> None:
    """Every route with every role; adding, files and items are the editor's, approval is not."""
    wrong = []
    for role in ROLES:
        somebody = await desk.staff(role, role)
        await somebody.get("/me")
        for rule, method, _ in ROUTES:
            path = re.sub("<.*?>", "01JDB000000000000000000000", rule)
            answer = await (somebody.get(path) if method == "GET" else somebody.post(path))
            both = method == "GET" or rule.endswith("/end")
            may = role == "administrator" if rule.endswith("/approve") else role == "editor"
            may = may or (both and role in ("editor", "administrator"))
            if (answer.status_code != 403) != may:
                wrong.append((role, method, rule, answer.status_code))
    marie = await reader(desk)

    assert {"staff"} == {access for _, _, access in ROUTES}
    assert 7 == len(ROUTES)
    assert [] == wrong
    assert 403 == (await marie.get("/newsroom")).status_code
    assert 303 == (await desk.house.visitor().get("/newsroom")).status_code


async def test_without_a_second_factor_nobody_edits(desk: Desk) -> None:
    """The password alone opens nothing of it."""
    await desk.staff("emil", "editor")
    again = desk.house.visitor()
    await again.post("/sign-in", login="emil", password=PASSWORD)

    assert 303 == (await again.get("/newsroom")).status_code


async def test_a_source_is_added_approved_and_ended(desk: Desk) -> None:
    """An editor adds, an administrator approves with a factor of now, either ends; each is said once."""
    emil, ada = await desk.staff("emil", "editor"), await desk.staff("ada", "administrator")
    empty = await emil.text("/newsroom")
    await emil.post("/newsroom/sources", **ADDED)
    waiting, source = await emil.text("/newsroom"), await the_source(desk)
    offered = await ada.text("/newsroom")
    await ada.post(f"/newsroom/sources/{source}/approve")
    approved = await ada.text("/newsroom")
    await emil.get("/newsroom")
    await emil.post(f"/newsroom/sources/{source}/end")

    assert "Nothing is read anywhere." in empty
    assert "Waits for an administrator" in waiting
    assert "https://journal.example/feed" in waiting
    assert "/approve" not in waiting
    assert f'action="/newsroom/sources/{source}/approve"' in offered
    assert 'action="/newsroom/sources"' not in offered
    assert "Approved on" in approved
    assert [] == await rows(desk.node, "select id from news_sources")


async def test_approval_asks_for_a_factor_of_now(desk: Desk) -> None:
    """A stolen session opens no way out."""
    emil, ada = await desk.staff("emil", "editor"), await desk.staff("ada", "administrator")
    await emil.get("/newsroom")
    await emil.post("/newsroom/sources", **ADDED)
    await ada.get("/newsroom")
    desk.move(minutes=10)
    answer = await ada.post(f"/newsroom/sources/{await the_source(desk)}/approve")

    assert "factor_code" in await text_of(answer)
    assert [None] == [row["approved_at"] for row in await rows(desk.node, "select approved_at from news_sources")]


async def test_a_mistake_comes_back_at_its_field(desk: Desk) -> None:
    """What was typed is there still."""
    emil = await desk.staff("emil", "editor")
    await emil.get("/newsroom")
    answer = await emil.post("/newsroom/sources", **{**ADDED, "address": "http://journal.example/feed"})
    page = await text_of(answer)

    assert 422 == answer.status_code
    assert 'value="A journal"' in page
    assert "(bad_feed_address)" in page
    assert 'id="address-wrong"' in page


async def test_a_file_is_taken_in_or_refused_with_its_code(desk: Desk) -> None:
    """How many are new, how many were left out; what is no feed changes nothing."""
    emil, source = await shown(desk, an_item(1))
    page = await text_of(await brings(emil, source, rss(an_item(1), an_item(2), an_item(3, link="javascript:x"))))
    refused = await brings(emil, source, LAUGHS)

    assert "1 new item." in page
    assert "1 has no title or no https address" in page
    assert 422 == refused.status_code
    assert "(feed_doctype)" in await text_of(refused)
    assert 2 == len(await rows(desk.node, "select id from imported_items"))


async def test_doctors_see_it_as_the_publishers_and_nobody_elses(desk: Desk) -> None:
    """In the newsroom of its specialty, marked, with a link that tells nothing; not in the feed, and nobody can answer it."""
    await shown(desk, an_item(1, title="&lt;script&gt;alert(1)&lt;/script&gt;A finding"))
    marie = await reader(desk)
    room, other = await marie.text("/news/cardiology"), await marie.text("/news/dermatology")
    card = re.search(r'<li class="card imported">.*?</li>', room, re.DOTALL)[0]
    (item,) = await rows(desk.node, "select id from imported_items")

    assert "Imported from A journal" in card
    assert ">A finding<" in card
    assert "No doctor of this network wrote or checked them." in card
    assert 'href="https://journal.example/1" rel="noopener noreferrer nofollow"' in card
    assert not re.search(r"<script|<img|<form|class=\"who\"|/doctors/", card)
    assert "A finding" not in other
    assert "A finding" not in await marie.text("/feed?tab=all")
    assert 404 == (await marie.get(f"/posts/{item['id']}")).status_code
    assert 404 == (await marie.post(f"/posts/{item['id']}/answers", text="x", form_key="k")).status_code


async def test_a_doctor_writes_about_it_in_her_own_words(desk: Desk) -> None:
    """Publisher and address are filled in, nothing else; what is no item fills nothing in."""
    await shown(desk, an_item(1))
    marie = await reader(desk)
    form = await marie.text("/news")
    link = re.search(r'href="(/write\?kind=news&amp;item=\w+)"', form)[1].replace("&amp;", "&")
    page, none = await marie.text(link), await marie.text("/write?kind=news&item=nothing")

    assert 'name="source" type="text" maxlength="200" value="A journal"' in page
    assert 'value="https://journal.example/1"' in page
    assert "A made-up finding" not in page
    assert "A journal" not in none


async def test_what_is_imported_can_be_asked_for_alone_and_left_out(desk: Desk) -> None:
    """The kind of the filter; what declares nothing is not among those who declare."""
    await shown(desk, an_item(1))
    marie = await reader(desk)
    found = {
        query: "A made-up finding" in await marie.text(f"/news?{query}")
        for query in ("kind=imported", "kind=news", "interests=none", "interests=some", "when=past")
    }

    assert ["kind=imported"] == [query for query, there in found.items() if there]


async def test_an_editor_takes_an_item_away(desk: Desk) -> None:
    """From the page of its source; readers see it no more."""
    emil, source = await shown(desk, an_item(1), an_item(2))
    page = await emil.text(f"/newsroom/sources/{source}")
    action = re.findall(r'action="(/newsroom/items/\w+/withdraw)"', page)
    await emil.post(action[-1], source=source)
    marie = await reader(desk)

    assert 2 == len(action)
    assert 1 == len(set(re.findall(r"A made-up finding \d", await marie.text("/news"))))


async def test_a_draft_of_a_source_has_the_fields_of_the_form(desk: Desk) -> None:
    """Whoever adds a field to one adds it to the other."""
    emil = await desk.staff("emil", "editor")
    page = await emil.text("/newsroom")
    form = re.search(r'<form method="post" action="/newsroom/sources" .*?</form>', page, re.DOTALL)[0]

    assert set(SourceDraft.__slots__) == set(re.findall(r'name="(\w+)"', form)) - {"csrf"}


async def test_a_doctor_who_edits_finds_the_way(desk: Desk) -> None:
    """Her bar is a doctor's; beneath it her own page leads there, and that of somebody who edits nothing does not."""
    emil, rita = await desk.staff("emil", "editor"), await desk.staff("rita", "reviewer")
    own, other = [(await each.text("/me")).partition("<main")[2] for each in (emil, rita)]

    assert '<li><a href="/newsroom">' in own
    assert '<li><a href="/newsroom">' not in other
