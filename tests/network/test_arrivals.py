"""Did it arrive: the author reads on the own post which siblings hold it and since when; nobody else does."""

from __future__ import annotations

import re

import pytest

from instance.services import delivery_orders
from instance.views import arrivals
from instance.views.arrivals import Stand
from tests.network.scene import Visitor, home_uri
from tests.town import Network, Person, Place, rows

DE, IT = "https://de.example", "https://it.example"


async def places(person: Person, slug: str) -> dict[str, str]:
    """The lines on the author's page of the post, by sibling; as people read them."""
    return _lines(await (await Visitor.of(person)).text(f"/posts/{slug}"))


async def gone(person: Person, slug: str) -> dict[str, str]:
    """The lines on the page of a post the author has withdrawn."""
    return _lines(await (await Visitor.of(person)).text(f"/me/withdrawn/{slug}"))


def _lines(page: str) -> dict[str, str]:
    found = re.search(r'<ul class="arrivals">(.*?)</ul>', page, re.DOTALL)
    texts = [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", each)) for each in found[1].split("<li>")[1:]] if found else []
    return {text.split("Instance ")[1][:2]: text for text in texts}


async def test_waiting_then_held_and_mended(town: Network, marie: Person) -> None:
    """A sibling that is away: waiting since and the next try; back: held since; its newest version is told apart."""
    town.down.add("de")
    slug = await marie.posts("Where am I?")
    away, back = await away_and_back(town, marie, slug, minutes=5)
    town.down.add("de")
    await mends(marie, slug)
    mended, newest = await away_and_back(town, marie, slug, hours=1)

    assert "on its way since 23 November 2026, 13:00 CET · next try: 23 November 2026, 13:00" in away["de"]
    assert "has held it since 23 November 2026, 13:00 CET" in away["it"]
    assert "has held it since 23 November 2026, 13:05 CET" in back["de"]
    assert (
        "has held it since 23 November 2026, 13:05 CET It is an earlier version. The newest version: on its way"
        in mended["de"]
    )
    assert "earlier" not in mended["it"]
    assert "has held it since 23 November 2026, 13:05 CET" in newest["de"]
    assert "earlier" not in newest["de"]


async def away_and_back(
    town: Network, person: Person, slug: str, **later: float
) -> tuple[dict[str, str], dict[str, str]]:
    """What the author's page says of a post while a sibling is away, and so much later, when it is back."""
    await town.settle()
    away = await places(person, slug)
    await comes_back(town, **later)
    return away, await places(person, slug)


async def comes_back(town: Network, **later: float) -> None:
    """So much later whoever was away is there, and has what waited for it."""
    town.down.clear()
    town.clock.move(**later)
    await town.settle()


async def mends(person: Person, slug: str) -> None:
    """Publish a new version."""
    from instance.services.publishing import PostDraft

    draft = PostDraft(
        kind="case", title="Where am I?", text="Mended.", specialties=("cardiology",), audience="federation",
        language="en", named=(),
    )  # fmt: skip
    await person.place.node.publishing.edit(person.uri, slug, draft)


async def test_a_version_that_a_sibling_was_never_sent_is_told(town: Network, marie: Person, fr: Place) -> None:
    """Mended while a sibling was blocked: it holds the earlier one, and nothing is under way."""
    slug = await marie.posts("Where am I?")
    await town.settle()
    await fr.node.siblings.set_policy(DE, "block", by="test", reason="test")
    town.clock.move(minutes=1)
    await mends(marie, slug)
    await town.settle()
    found = await places(marie, slug)

    assert "It is an earlier version. The newest was not sent there." in found["de"]
    assert "earlier" not in found["it"]


async def test_paused_refused_and_not_sent(town: Network, marie: Person, fr: Place) -> None:
    """Each with its sentence, and no word of the protocol."""
    await fr.node.siblings.set_policy(DE, "pause", by="test", reason="test")
    await fr.node.siblings.set_kinds(IT, ["case"], ["question"], by="test", reason="test")
    case = await marie.posts("A case")
    question = await marie.posts("A question", kind="question")
    await town["it"].node.siblings.set_kinds("https://fr.example", [], [], by="test", reason="test")
    await town.settle()
    of_case, of_question = await places(marie, case), await places(marie, question)

    assert "Kept here while the exchange with this instance is paused" in of_case["de"]
    assert "Waiting since 23 November 2026, 13:00 CET" in of_case["de"]
    assert "Not sent: this kind of post is not exchanged with this instance." in of_case["it"]
    assert "Not taken: this kind of post is not read there." in of_question["it"]


async def test_whom_a_post_is_not_for_is_told(town: Network, marie: Person, tmp_path) -> None:
    """An audience without anybody there, and a sibling that came later; a national post names nobody."""
    slug = await marie.posts("Colleagues", audience="colleagues")
    whole, at_home = await marie.posts("Everybody"), await marie.posts("At home", audience="national")
    town.clock.move(days=1)
    await town["fr"].admits(await town.add(tmp_path, "es"))
    await town.settle()
    found = await places(marie, slug)

    assert {"Not sent: none of those you wrote for is there."} == {
        re.sub(r"^.*?(?=Not)", "", line).strip() for line in found.values()
    }
    assert "Not sent: this instance joined after you had published." in (await places(marie, whole))["es"]
    assert {} == await places(marie, at_home)


async def test_a_deletion_is_asked_for_and_confirmed(town: Network, marie: Person, luca: Person) -> None:
    """After a withdrawal each holder is asked until it has confirmed; the author alone reads that."""
    slug = await marie.posts("Taken back")
    await town.settle()
    town.down.add("de")
    town.clock.move(minutes=1)
    await marie.place.node.publishing.withdraw(marie.uri, slug)
    await town.settle()
    asked = await gone(marie, slug)
    await comes_back(town, hours=1)
    confirmed = await gone(marie, slug)
    paul = await town["fr"].doctor("paul")
    listed = await (await Visitor.of(marie)).text("/me/withdrawn")

    assert "asked to delete it, since 23 November 2026, 13:01 CET · next try:" in asked["de"]
    assert "deletion confirmed on 23 November 2026, 13:01 CET" in asked["it"]
    assert "deletion confirmed on 23 November 2026, 14:01 CET" in confirmed["de"]
    assert "Deletion confirmed by 2 of 2 instances." in listed
    assert f"/me/withdrawn/{slug}" in listed
    assert 404 == (await (await Visitor.of(paul)).get(f"/me/withdrawn/{slug}")).status
    assert slug not in await (await Visitor.of(paul)).text("/me/withdrawn")
    assert 404 == (await (await Visitor.of(marie)).get(f"/posts/{slug}")).status


async def test_a_post_that_was_never_there_is_not_said_to_have_been(town: Network, marie: Person) -> None:
    """Withdrawn before it was sent: the deletion is confirmed, and no holding is on record."""
    town.down.add("de")
    slug = await marie.posts("Never there")
    await marie.place.node.publishing.withdraw(marie.uri, slug)
    await comes_back(town, hours=1)
    [copy] = await rows(marie.place.node, f"select * from copies where origin = '{DE}'")

    assert (None, True) == (copy["delivered_at"], copy["released_at"] is not None)


async def test_the_ledger_outlives_the_queue(town: Network, marie: Person) -> None:
    """A year later, with the queue's rows tidied away, the author still reads since when it is held."""
    slug = await marie.posts("Long ago")
    await town.settle()
    town.clock.move(days=100)
    await marie.place.node.queue.tidy()
    post = home_uri(marie.place, slug)
    left = await rows(marie.place.node, f"select id from deliveries where object = '{post}'")
    uri, held = str(post), await arrivals._held(marie.place.node, post)

    assert [] == left
    assert [(Stand.HELD, False)] * 2 == [(each.word.stand, each.earlier) for _, each in held[1]], uri


async def test_nobody_else_reads_it(town: Network, marie: Person, anna: Person) -> None:
    """Another doctor here, one of the sibling: the post, and nothing of where it is."""
    slug = await marie.posts("Whose?")
    await town.settle()
    paul = await town["fr"].doctor("paul")
    abroad = await anna.slug_of(str(home_uri(marie.place, slug)))
    pages = [
        await (await Visitor.of(paul)).text(f"/posts/{slug}"), await (await Visitor.of(anna)).text(f"/posts/{abroad}"),
    ]  # fmt: skip

    assert ["Whose?" in page for page in pages] == [True, True]
    assert ["arrivals" in page or "holds it" in page for page in pages] == [False, False]


async def test_a_dead_letter_is_sent_again_and_held(town: Network, marie: Person, fr: Place) -> None:
    """Given up after a month, sent again by an administrator, held; to one that is paused nothing is sent again."""
    town.down.add("de")
    slug = await marie.posts("Given up")
    for _ in range(32):
        town.clock.move(days=1)
        await town.settle()
    dead = await places(marie, slug)
    town.down.clear()
    await fr.node.siblings.set_policy(DE, "pause", by="test", reason="test")
    with pytest.raises(delivery_orders.Rejected, match="deliveries_kept"):
        await delivery_orders.again(fr.node, DE, "staff-1")
    await town.settle()
    paused = await town["de"].titles()
    await fr.node.siblings.set_policy(DE, "inherit", by="test", reason="test")
    number = await delivery_orders.again(fr.node, DE, "staff-1")
    await town.settle()

    assert "Not reached for thirty days." in dead["de"]
    assert ([], 1, ["Given up"]) == (paused, number, await town["de"].titles())
    assert "has held it since 25 December 2026" in (await places(marie, slug))["de"]
