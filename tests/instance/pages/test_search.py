"""The search as doctors use it: a form, an address that says nothing, what was found by kind, and what to do next."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import pytest

from federation.wire import Response
from instance.services.publishing import CommentDraft
from tests.network.scene import Visitor, befriend
from tests.town import Network, Person

CLINICAL = "Pheochromocytoma"


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Network]:
    """France and Germany."""
    network = await Network.open(tmp_path, "fr", "de")
    yield network
    await network.close()


@pytest.fixture
async def marie(town: Network) -> Person:
    """A doctor in France, who has written a case and answered it."""
    marie = await town["fr"].doctor("marie")
    slug = await marie.posts(f"T-1 {CLINICAL}", text="Paroxysmal hypertension.")
    await marie.place.node.publishing.comment(
        marie.uri, slug, CommentDraft(text="Metanephrines are raised.", language="en", parent_slug=None)
    )
    await town.settle()
    return marie


async def asks(visitor: Visitor, **form: str) -> tuple[str, Response]:
    """Send the form; return where it led, and the page there."""
    sent = await visitor.post("/search", **form)
    assert 303 == sent.status
    target = sent.headers["location"].removeprefix(visitor._place.node.origin)
    return target, await visitor.get(target)


def links(page: str, text: str) -> list[str]:
    """Where the links of this text lead."""
    found = re.findall(r'<a[^>]*href="([^"]+)"[^>]*>([^<]*)', page)
    return [unescape(target) for target, shown in found if shown.strip() == text]


def numbers(page: str) -> dict[str, str]:
    """The number beside each heading of what was found."""
    return dict(re.findall(r'<h2 id="found-(\w+)">[^<]*<span class="count">\(([^)]*)\)', page))


async def test_a_search_finds_posts_answers_and_people(town: Network, marie: Person) -> None:
    """Each under its heading with its number, from another country too; the address holds no word of it."""
    for place, handle in (("fr", "paul"), ("de", "anna")):
        visitor = await Visitor.of(await town[place].doctor(handle))
        target, page = await asks(visitor, q="pheochromocytoma")
        _, answers = await asks(visitor, q="metanephrine")
        _, people = await asks(visitor, q="marie")

        assert ("1", "1", "1") == (
            numbers(page.body.decode())["posts"], numbers(answers.body.decode())["comments"],
            numbers(people.body.decode())["people"],
        )  # fmt: skip
        assert "pheo" not in target.lower()
        assert "private, no-store" == page.headers["cache-control"]
        assert f'value="{"pheochromocytoma"}"' in page.body.decode()


async def test_nothing_of_what_is_looked_for_is_logged_or_kept(
    town: Network, marie: Person, capfd: pytest.CaptureFixture[str]
) -> None:
    """No line of a log and no row of the database holds a word that only somebody's search had."""
    visitor = await Visitor.of(await town["fr"].doctor("paul"))
    target, _ = await asks(visitor, q="Xanthogranulom")
    await visitor.get(target.replace("s=", "s=x"))
    written = capfd.readouterr()

    assert "anthogranulom" not in written.out + written.err
    assert not any(b"anthogranulom" in file.read_bytes() for file in town["fr"].config.data.iterdir() if file.is_file())


async def test_an_address_opens_for_its_account_alone(town: Network, marie: Person) -> None:
    """Another's, one that was changed, one that is none: the empty form, and no word of the search."""
    paul, rita = await town["fr"].doctor("paul"), await town["fr"].doctor("rita")
    target, own = await asks(await Visitor.of(paul), q=CLINICAL)
    other = await Visitor.of(rita)
    empty = await other.text("/search")

    assert CLINICAL in own.body.decode()
    for address in (
        target,
        target[:-3] + "AAA",
        "/search?s=",
        "/search?s=%00",
        "/search?s=" + "A" * 3_000,
        "/search?q=x",
    ):
        shown = re.sub(r'(?<=name="back" value=")[^"]*', "", await other.text(address))
        assert re.sub(r'(?<=name="back" value=")[^"]*', "", empty) == shown


async def test_a_session_is_needed(town: Network, marie: Person) -> None:
    """Form and address alike lead strangers to the sign-in."""
    stranger = Visitor(town["fr"], "nobody")
    assert [303, 303] == [(await stranger.get("/search")).status, (await stranger.get("/search?s=x")).status]
    assert "/sign-in" in (await stranger.get("/search")).headers["location"]


async def test_what_may_not_be_seen_is_neither_shown_nor_counted(town: Network, marie: Person) -> None:
    """A case for followers: found by one, and to another as if it were not there; withdrawn, by nobody."""
    paul, rita = await town["fr"].doctor("paul"), await town["fr"].doctor("rita")
    await befriend(town, paul, marie)
    slug = await marie.posts("T-2 Kawasaki", audience="colleagues")
    await town.settle()
    one, other = await Visitor.of(paul), await Visitor.of(rita)
    _, never = await asks(other, q="Kawasakj")
    _, hidden = await asks(other, q="Kawasaki")
    _, seen = await asks(one, q="Kawasaki")
    await marie.place.node.publishing.withdraw(marie.uri, slug)
    _, gone = await asks(one, q="Kawasaki")

    def plainly(page: Response, word: str) -> str:
        return re.sub(r"/search\?s=[\w-]+", "", page.body.decode()).replace(word, "").replace(word.lower(), "")

    assert {"posts": "1"} == numbers(seen.body.decode())
    assert {} == numbers(hidden.body.decode()) == numbers(gone.body.decode())
    assert plainly(never, "Kawasakj") == plainly(hidden, "Kawasaki")


async def test_pages_are_turned_by_an_address(town: Network, marie: Person) -> None:
    """Five of each first; then a page of one kind, and the next, without gap or double."""
    for number in range(10, 37):
        await marie.posts(f"T-{number} Brucellosis")
        town.clock.move(minutes=3)
    await town.settle()
    visitor = await Visitor.of(await town["fr"].doctor("paul"))
    target, page = await asks(visitor, q="brucellosis")
    first = await visitor.titles(target)
    (more,) = links(page.body.decode(), "More discussions")
    second = await visitor.text(more)
    (further,) = links(second, "More discussions")
    rest = await visitor.text(further)

    assert {f"T-{number}" for number in range(32, 37)} == first
    assert "(27)" in page.body.decode()
    assert {f"T-{number}" for number in range(17, 37)} == set(re.findall(r"\bT-\d+\b", second))
    assert {f"T-{number}" for number in range(10, 17)} == set(re.findall(r"\bT-\d+\b", rest))
    assert [] == links(rest, "More discussions")


async def test_an_empty_search_says_what_was_tried_and_what_to_do(town: Network, marie: Person) -> None:
    """The words, each alone, without filters; a specialty by any of its names, in any language, or nearly."""
    visitor = await Visitor.of(await town["fr"].doctor("paul"))
    _, page = await asks(visitor, q="nowhere tobefound", kind="question")
    text = page.body.decode()
    names = {}
    for asked in ("Kardiologie", "cardiologie", "Cardiología", "cardiolgy", "Hals-Nasen-Ohrenheilkunde", "zzzz"):
        _, shown = await asks(visitor, q=asked)
        names[asked] = re.findall(r"/colleagues\?specialty=([\w-]+)", shown.body.decode())

    assert "<strong><bdi>nowhere</bdi></strong>" in text
    assert [1, 1] == [len(links(text, word)) for word in ("Search again without filters", "Ask colleagues")]
    assert 2 == len(re.findall(r'<li><a href="/search\?s=[^"]+"><bdi>', text))
    for asked in ("Kardiologie", "cardiologie", "Cardiología"):
        assert ["cardiology"] == names[asked]
    assert "cardiology" in names["cardiolgy"]
    assert 1 == len(names["Hals-Nasen-Ohrenheilkunde"])
    assert [] == names["zzzz"]


async def test_anything_in_the_form_is_taken(town: Network, marie: Person) -> None:
    """Ten kilobytes, signs of a syntax, values that are none of ours: a page, and no fault."""
    visitor = await Visitor.of(await town["fr"].doctor("paul"))
    for asked in ("x" * 10_240, '"', "a AND OR NOT", "\0", "<script>", "'; drop table posts --", "‮"):
        _, page = await asks(
            visitor, q=asked, kind="x", specialty="../x", country="XX", language="xx", solved="x", thing="x"
        )

        assert 200 == page.status
        assert b"<script>" not in page.body


@pytest.mark.parametrize("typed", ["@anna.weber@de.example", "anna.weber@de.example", "anna-2"])
async def test_a_handle_finds_its_doctor(town: Network, marie: Person, typed: str) -> None:
    """Typed as it is read aloud, or a part with a digit: as among colleagues; another's handle finds nobody."""
    handle = "anna-2" if typed == "anna-2" else "anna.weber"
    await (await town["de"].doctor(handle)).posts("From Germany")
    await town.settle()
    visitor = await Visitor.of(marie)
    _, page = await asks(visitor, q=typed)
    _, another = await asks(visitor, q="@berta.3@de.example")

    assert "1" == numbers(page.body.decode()).get("people")
    assert f"@{handle}@de.example" in page.body.decode()
    assert "people" not in numbers(another.body.decode())
