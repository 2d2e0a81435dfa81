"""News and reports between instances: kept at home until both sides open the kind, and whole where they do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from federation import render
from federation.vocabulary import BULLETINS, PostKind
from instance.services.newsroom import SourceDraft
from instance.services.publishing import PostDraft
from tests.bulletins import a_bulletin
from tests.doorway import a_create, a_post, reads, says
from tests.feeds import an_item, rss
from tests.network.scene import Visitor, without_trace
from tests.town import refused, rows
from verification.people import Actor, StaffId, StaffRole

KINDS = sorted(kind.value for kind in BULLETINS)
IT, FR = "https://it.example", "https://fr.example"


async def opened(town: Any, kind: str) -> None:
    """France sends Italy this kind, and Italy takes it from France; nothing else is opened."""
    await town["fr"].node.siblings.set_kinds(IT, ["case"], ["case", kind], by="test", reason="test")
    await town["it"].node.siblings.set_kinds(FR, ["case", kind], ["case"], by="test", reason="test")


@pytest.mark.parametrize("kind", KINDS)
async def test_an_unopened_kind_never_leaves(town, marie, anna, fr, kind):
    """Not for the federation, not for colleagues; a national one is nowhere else; from outside it is refused."""
    for audience in ("federation", "colleagues"):
        with pytest.raises(Exception, match="kind_not_federated"):
            await marie.posts("A report", kind=kind, audience=audience)
    slug = await marie.posts("At home", kind=kind, audience="national")
    await town.settle()
    sent = a_create(anna, a_post(anna, kind=PostKind(kind)))

    assert [] == await town["it"].titles()
    assert [] == await rows(fr.node, "select id from deliveries")
    assert 404 == (await reads(town["it"], fr, f"/posts/{slug}")).status
    await without_trace(fr, lambda: says(anna, fr, sent), 403, "kind_not_federated")


@pytest.mark.parametrize("kind", KINDS)
async def test_an_opened_kind_arrives_whole(town, marie, fr, kind):
    """What it says of itself, and what its author declared, are the same at the sibling it is open to; nobody else is sent it."""
    await opened(town, kind)
    bulletin = a_bulletin(kind, conflict="some", conflict_text="Fees of a maker")
    slug = await marie.posts("A report", kind=kind, bulletin=bulletin)
    await town.settle()
    (here,) = await rows(fr.node, "select facts, interests from posts")
    (there,) = await rows(town["it"].node, "select facts, interests from posts")
    (filed,) = await rows(town["it"].node, "select bulletin from post_specialties")
    read = json.loads((await reads(town["it"], fr, f"/posts/{slug}")).body)

    assert [] == await town["de"].titles()
    assert json.loads(here["facts"]) == json.loads(there["facts"])
    assert ("some", kind) == (there["interests"], filed["bulletin"])
    assert {"declared": "some", "text": "Fees of a maker"} == read["conflictOfInterest"]


async def test_a_new_version_brings_what_is_declared_now(town, marie, fr):
    """The sibling shows the new line, and keeps the old one in the history."""
    await opened(town, "news")
    slug = await marie.posts("A report", kind="news")
    await town.settle()
    town.clock.move(minutes=1)
    draft = PostDraft(
        kind="news", title="A report", text="Made up.", specialties=("cardiology",), audience="federation",
        language="en", bulletin=a_bulletin("news", conflict="some", conflict_text="Shares"),
    )  # fmt: skip
    await fr.node.publishing.edit(marie.uri, slug, draft)
    await town.settle()
    (now,) = await rows(town["it"].node, "select facts from posts")
    (before,) = await rows(town["it"].node, "select kind, facts from revisions")

    assert {"declared": "some", "text": "Shares"} == json.loads(now["facts"])["conflictOfInterest"]
    assert {"declared": "none"} == json.loads(before["facts"])["conflictOfInterest"]
    assert "news" == before["kind"]


async def test_a_bulletin_that_declares_nothing_is_shown_as_that(town, anna, fr, marie):
    """A sibling whose software knows no such line is heard; readers are told that nothing was stated."""
    de = "https://de.example"
    await fr.node.siblings.set_kinds(de, ["case", "news"], ["case"], by="test", reason="test")
    post = a_post(anna, kind=PostKind.NEWS)
    assert 202 == (await says(anna, fr, a_create(anna, post))).status
    page = await (await Visitor.of(marie)).text("/news")

    assert "not stated." in page
    assert "declares none" not in page


@pytest.mark.parametrize(
    "spoilt",
    [{"conflictOfInterest": "none"}, {"conflictOfInterest": {"declared": "maybe"}}, {"sourceLink": "javascript:x"},
     {"eventFrom": "soon"}, {"citation": {"title": "T"}}],
)  # fmt: skip
async def test_a_bulletin_in_another_form_is_refused(town, anna, fr, spoilt):
    """Beside it one that has its form is taken."""
    de = "https://de.example"
    await fr.node.siblings.set_kinds(de, ["case", "news"], ["case"], by="test", reason="test")
    act = json.loads(render.activity(a_create(anna, a_post(anna, kind=PostKind.NEWS))))
    act["object"] |= spoilt
    body = json.dumps(act).encode()

    assert (400, "malformed") == refused(await anna.sends(fr, body))
    assert [] == await rows(fr.node, "select uri from posts where kind = 'news'")


async def test_what_was_not_opened_is_not_listed(town, marie, fr):
    """The home's address of a thread answers a sibling it is closed to like one that never was."""
    await opened(town, "news")
    slug = await marie.posts("A report", kind="news")

    assert 200 == (await reads(town["it"], fr, f"/posts/{slug}/context")).status
    assert 404 == (await reads(town["de"], fr, f"/posts/{slug}/context")).status


async def test_nothing_imported_ever_leaves(town, marie, fr):
    """Every kind is open, and still: no message is made of it, no address serves it, no sibling learns of it."""
    every = [kind.value for kind in PostKind]
    for place, other in ((fr.node, IT), (town["it"].node, FR)):
        await place.siblings.set_kinds(other, every, every, by="test", reason="test")
    editor, other = (Actor(id=StaffId(f"staff-{n}"), roles=frozenset(StaffRole)) for n in (1, 2))
    source = await fr.node.newsroom.add(SourceDraft(name="A", specialty="cardiology", language="en"), editor)
    await fr.node.newsroom.approve(source, other)
    await fr.node.workers.housekeep()
    await town.settle()
    before, contacts = await rows(fr.node, "select uri from activities"), len(town.contacts)
    await fr.node.newsroom.bring(source, rss(an_item(1)))
    await fr.node.workers.housekeep()
    await town.settle()
    (item,) = await rows(fr.node, "select id from imported_items")
    slug = await marie.posts(
        "About it", kind="news", bulletin=a_bulletin("news", source_link="https://journal.example/1")
    )
    await town.settle()
    addresses = [f"/posts/{item['id']}", f"/news/{item['id']}", "/news", "/newsroom", f"/doctors/{marie.handle}/outbox"]
    answers = [await reads(town["it"], fr, address) for address in addresses]

    assert "A made-up finding 1" in await (await Visitor.of(marie)).text("/news")
    assert before == await rows(fr.node, f"select uri from activities where object not like '%{slug}'")
    assert [] == [each.url for each in town.contacts[contacts:] if each.method != "GET" and "/inbox" not in each.url]
    assert ["About it"] == await town["it"].titles()
    assert [404, 401, 401, 401] == [answer.status for answer in answers[:4]]
    assert not any(b"A made-up finding" in answer.body or item["id"].encode() in answer.body for answer in answers)
