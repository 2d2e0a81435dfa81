"""News and reports through forms and pages, and the newsroom, under the one rule of who sees what."""

from __future__ import annotations

import re

import pytest

from instance.services.publishing import PostDraft
from tests.bulletins import a_bulletin, fields_of
from tests.instance.pages.house import Visitor
from tests.instance.pages.test_acting import doctor, draft
from tests.town import Network, Person

DECLARED = "the author declares none."


@pytest.fixture
async def marie(network: Network) -> Visitor:
    """A cardiologist in France, on the page where one writes."""
    found = await doctor(network, "fr", "marie")
    await found.get("/write")
    return found


def bulletin(kind: str, **changed: str | list[str]) -> dict[str, str | list[str]]:
    """The form of a national bulletin."""
    own = {name: changed.pop(name) for name in list(changed) if name in fields_of(kind) or name == "conflict_text"}
    return draft(kind=kind, audience="national", **{"form_key": f"{kind}-form"}, **changed) | fields_of(kind) | own


async def put(network: Network, title: str, kind: str, *, by: str = "leo", **more: object) -> str:
    """Have a colleague publish something; return its slug."""
    node = network["fr"].node
    changed = more.pop("changed", {})
    values = {
        "kind": kind, "title": title, "text": "Made up.", "specialties": ("cardiology",), "audience": "national",
        "language": "en", "bulletin": a_bulletin(kind, **changed), **more,
    }  # fmt: skip
    return await node.publishing.publish(f"{node.origin}/doctors/{by}", PostDraft(**values))


@pytest.fixture
async def leo(network: Network) -> Person:
    """A colleague who publishes."""
    return await network["fr"].doctor("leo", specialty="cardiology")


@pytest.mark.parametrize("kind", ["news", "study-report", "congress-report"])
async def test_a_bulletin_is_written_read_and_mended(marie, kind):
    """The kind is chosen by address; what is declared stands on page, card, newsroom and history, and is kept."""
    form = await marie.text(f"/write?kind={kind}")
    published = await marie.post("/write", **bulletin(kind))
    path = published.headers["Location"]
    page, feed, room = await marie.text(path), await marie.text("/feed?tab=all"), await marie.text("/news")
    edited = await marie.text(path + "/edit")
    mended = bulletin(kind, conflict="some", conflict_text="Fees of a maker", text="Mended.")
    await marie.post(path + "/edit", **mended, seen="0")
    history = await marie.text(path + "/history")

    assert f'value="{kind}" checked' in form
    assert 'value="national" checked' in form
    assert 'value="none" checked' in edited
    assert all(DECLARED in shown for shown in (page, feed, room))
    assert DECLARED in history
    assert "Fees of a maker" in history
    assert "Fees of a maker" in await marie.text(path)


@pytest.mark.parametrize("kind", ["news", "study-report", "congress-report"])
async def test_without_the_line_nothing_is_published(marie, kind):
    """What was typed comes back with the mistake at its field; nothing stands in the newsroom."""
    refused = await marie.post("/write", **bulletin(kind, conflict=""))
    page = await refused.get_data(as_text=True)

    assert 422 == refused.status_code
    assert "(conflict_missing)" in page
    assert 'href="#conflict"' in page
    assert 'id="conflict-wrong"' in page
    assert "Palpitations at night" in page
    assert "Palpitations" not in await marie.text("/news")


async def test_a_study_leads_to_its_doi_and_loads_nothing(marie):
    """The DOI is text with a link that tells the other side nothing; markup in a citation is text."""
    typed = bulletin("study-report", authors="Weber <b>A</b>", doi="doi:10.1000/a(b)<c>")
    page = await marie.text((await marie.post("/write", **typed)).headers["Location"])
    body = page.partition("<main")[2]

    assert "Weber &lt;b&gt;A&lt;/b&gt;" in body
    assert re.search(r'href="https://doi.org/10.1000/a\(b\)%3Cc%3E" rel="noopener noreferrer nofollow">10.1000/a', body)
    assert "A made-up publisher" in body
    assert not re.search(r'(?:src|srcset|poster|data)="https?:', body)


async def test_days_of_a_congress_are_told_in_the_readers_language(marie):
    """From and until, as each language writes them."""
    path = (await marie.post("/write", **bulletin("congress-report"))).headers["Location"]
    english = await marie.text(path)
    await marie.post("/language", language="de", back=path)

    assert "1–4 Sept 2026" in english
    assert "1.–4. Sept. 2026" in await marie.text(path)


async def test_a_newsroom_holds_the_bulletins_of_its_specialty(network, marie, leo):
    """A case, and a bulletin of another specialty, are not in it; they are where they belong."""
    await put(network, "A case of ours", "case", audience="federation")
    await put(network, "Heart news", "news")
    await put(network, "Skin news", "news", specialties=("dermatology",))
    mine, skin = await marie.text("/news"), await marie.text("/news/dermatology")

    assert "Heart news" in mine
    assert not {"Skin news", "A case of ours"} & set(re.findall(r"Skin news|A case of ours", mine))
    assert "Skin news" in skin
    assert "Heart news" not in skin


async def test_a_newsroom_is_narrowed(network, marie, leo):
    """By kind, and by what was declared; a choice that is none narrows nothing."""
    await put(network, "Plain news", "news")
    await put(network, "Paid study", "study-report", changed={"conflict": "some", "conflict_text": "Fees"})
    found = {
        query: set(re.findall(r"Plain news|Paid study", await marie.text(f"/news?{query}")))
        for query in ("kind=news", "kind=study-report", "interests=some", "interests=none", "kind=case", "interests=x")
    }

    assert {"Plain news"} == found["kind=news"] == found["interests=none"]
    assert {"Paid study"} == found["kind=study-report"] == found["interests=some"]
    assert {"Plain news", "Paid study"} == found["kind=case"] == found["interests=x"]


async def test_pages_of_a_newsroom_lead_on(network, marie, leo):
    """Twenty a page, each once, by cursor; the last leads nowhere."""
    for number in range(23):
        network.clock.move(minutes=1)
        await put(network, f"News {number:02}", "news")
    first = await marie.text("/news?kind=news")
    more = re.search(r'href="(/news\?[^"]+before=[^"]+)"', first)[1].replace("&amp;", "&")
    second = await marie.text(more)
    titles = [re.findall(r">(News \d\d)</a>", page) for page in (first, second)]

    assert [f"News {number:02}" for number in range(22, -1, -1)] == [*titles[0], *titles[1]]
    assert 20 == len(titles[0])
    assert 'class="more"' not in second


async def test_congresses_stand_by_their_days(network, marie, leo):
    """Those to come from the nearest on, those that are over from the last back."""
    for title, begins in (("Far", "2027-05-01"), ("Near", "2026-12-01"), ("Old", "2024-01-01"), ("Last", "2026-11-01")):
        await put(network, f"{title} congress", "congress-report", changed={"event_from": begins, "event_until": ""})
    order = [
        re.findall(r">(\w+) congress</a>", await marie.text(f"/news?when={when}")) for when in ("upcoming", "past")
    ]

    assert [["Near", "Far"], ["Last", "Old"]] == order


async def test_who_is_outside_sees_no_bulletin(network, marie, leo):
    """A block hides it like every other post; an unknown specialty answers like a page that is not there."""
    await put(network, "Heart news", "news")
    node = network["fr"].node
    await node.follows.block(leo.uri, "marie")
    missing, unknown = await marie.get("/news/alchemy"), await marie.get("/no-such-page")

    assert "Heart news" not in await marie.text("/news")
    assert 404 == missing.status_code == unknown.status_code


async def test_whoever_is_muted_stands_in_no_newsroom(network, marie, leo):
    """As in every list, by time and by congress; the page itself is there, and others' newsrooms are as before."""
    paths = {
        kind: await put(network, f"Muted {kind}", kind, changed=changed)
        for kind, changed in (
            ("news", {}), ("congress-report", {"event_from": "2027-05-01", "event_until": ""}),
        )
    }  # fmt: skip
    await put(
        network, "Old muted congress-report", "congress-report", changed={"event_from": "2024-01-01", "event_until": ""}
    )
    rooms, node = ("/news", "/news?when=upcoming", "/news?when=past", "/news/cardiology"), network["fr"].node
    before = ["uted " in await marie.text(room) for room in rooms]
    await node.contact.mute(f"{node.origin}/doctors/marie", leo.uri)
    after = ["uted " in await marie.text(room) for room in rooms]
    paul = await doctor(network, "fr", "paul")

    assert ([True] * 4, [False] * 4) == (before, after)
    assert "Muted news" in await marie.text(f"/posts/{paths['news']}")
    assert "Muted news" in await paul.text("/news")


async def test_an_empty_newsroom_says_what_to_do(marie):
    """Nothing there yet: the next step is one press away."""
    page = await marie.text("/news")

    assert "Nothing has been reported here yet." in page
    assert 'href="/write?kind=news"' in page
