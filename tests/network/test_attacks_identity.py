"""Attacks on identity, ownership and membership (A37 to A62), and on relations: who may say what of whose.

A49 (Move) is no activity of this release: it is answered 202 and changes nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from federation import render
from federation.keys import make_ed25519
from federation.signatures import Profile
from federation.uri import Uri
from federation.vocabulary import (
    Accept,
    Announce,
    Create,
    Delete,
    Follow,
    Like,
    PostKind,
    Reject,
    Undo,
    Update,
)
from tests.doorway import (
    a_comment,
    a_create,
    a_post,
    an_act,
    bent,
    count,
    follower_mention,
    instance_key,
    kept,
    reads,
    says,
    with_proof,
)
from tests.network.scene import Liar, Visitor, home_uri, reads_of, refusals, stored, without_trace
from tests.town import Network, Person, Place, refused, rows, send_signed


@pytest.fixture
async def town(tmp_path: Any) -> AsyncIterator[Network]:
    """France, Germany and Italy, which list each other."""
    network = await Network.open(tmp_path, "fr", "de", "it")
    yield network
    await network.close()


@pytest.fixture
def fr(town: Network) -> Place:
    """The door under attack."""
    return town["fr"]


@pytest.fixture
async def marie(fr: Place) -> Person:
    """A doctor of ours."""
    return await fr.doctor("marie")


@pytest.fixture
async def anna(town: Network) -> Person:
    """A German doctor whom France knows."""
    return await _known(town, "de", "anna")


@pytest.fixture
async def berta(town: Network) -> Person:
    """Another doctor of the same instance, known too."""
    return await _known(town, "de", "berta")


@pytest.fixture
async def luca(town: Network) -> Person:
    """An Italian doctor whom France knows."""
    return await _known(town, "it", "luca")


async def _known(town: Network, place: str, handle: str) -> Person:
    person = await town[place].doctor(handle)
    assert 202 == (await says(person, town["fr"], a_create(person))).status
    return person


# ── ids, authors, hosts ──

OTHER = "https://de.example/doctors/berta"
BENT: dict[str, tuple[Any, int, set[str]]] = {
    "A37 attributed to a colleague": (
        lambda d: d["object"].update(attributedTo=OTHER), 403, {"actor_mismatch"},
    ),
    "A37 attributed to a list": (
        lambda d: d["object"].update(attributedTo=[d["actor"], OTHER]), 400, {"malformed"},
    ),
    "A37 attributed to nobody": (lambda d: d["object"].pop("attributedTo"), 400, {"malformed"}),
    "A38 an object of another host": (
        lambda d: d["object"].update(id="https://it.example/posts/1"), 403, {"foreign_origin"},
    ),
    "A39 an activity of another host": (
        lambda d: d.update(id="https://it.example/activities/1"), 403, {"foreign_origin"},
    ),
    "A40 an object of ours": (lambda d: d["object"].update(id="https://fr.example/posts/1"), 403, {"foreign_origin"}),
    "A40 an activity of ours": (lambda d: d.update(id="https://fr.example/activities/1"), 403, {"foreign_origin"}),
    "no id at all": (lambda d: d.pop("id"), 400, {"malformed"}),
    "no id of the object": (lambda d: d["object"].pop("id"), 400, {"malformed"}),
    "A55 a service wrote it": (
        lambda d: d["object"].update(attributedTo="https://de.example/actor"), 403, {"actor_mismatch"},
    ),
    "a stranger's mention": (
        lambda d: d["object"].update(tag=[{"type": "Mention", "href": "https://evil.example/x", "name": "@x"}]), 403,
        {"unlisted_host"},
    ),
    "a stranger's thread": (lambda d: d["object"].update(context="https://evil.example/t"), 403, {"unlisted_host"}),
    "a stranger is addressed": (
        lambda d: (d.update(to=["https://evil.example/x"]), d["object"].update(to=["https://evil.example/x"])), 403,
        {"unlisted_host"},
    ),
    "a stranger in bcc": (lambda d: d.update(bcc=["https://evil.example/x"]), 403, {"unlisted_host"}),
    "A59 a homograph inside": (
        lambda d: d["object"].update(context="https://xn--d-fka.example/t"), 403, {"unlisted_host"},
    ),
    "A60 a suffix inside": (
        lambda d: d["object"].update(context="https://de.example.evil.example/t"), 403, {"unlisted_host"},
    ),
    "A61 another port inside": (
        lambda d: d["object"].update(context="https://de.example:8443/t"), 403, {"unlisted_host"},
    ),
    "A61 a dot inside": (lambda d: d["object"].update(context="https://de.example./t"), 400, {"malformed"}),
    "N42 the public": (
        lambda d: (d.update(to=["as:Public"]), d["object"].update(to=["as:Public"])), 403, {"public_audience"},
    ),
    "N42 the public in cc": (
        lambda d: d.update(cc=["https://www.w3.org/ns/activitystreams#Public"]), 403, {"public_audience"},
    ),
    "C8 addressed differently": (lambda d: d["object"].update(to=[d["actor"]]), 400, {"malformed"}),
    "A76 a context of the network": (
        lambda d: d.update({"@context": ["https://evil.example/context"]}), 400, {"unknown_context"},
    ),
    "A77 a graph": (lambda d: d.update({"@graph": []}), 400, {"unknown_context", "malformed"}),
    "A77 reversed": (lambda d: d.update({"@reverse": {}}), 400, {"unknown_context", "malformed"}),
    "A77 included": (lambda d: d["object"].update({"@included": []}), 400, {"unknown_context", "malformed"}),
    "N38 a group writes": (lambda d: d["object"].update(type="Group"), 403, {"kind_not_federated"}),
    "C3 a video": (lambda d: d["object"].update(type="Video"), 403, {"kind_not_federated"}),
    "C3 news": (lambda d: d["object"].update(postKind="news"), 403, {"kind_not_federated"}),
    "A80 500 recipients": (
        lambda d: (
            d.update(to=[f"https://de.example/doctors/x{n}" for n in range(500)]),
            d["object"].update(to=[f"https://de.example/doctors/x{n}" for n in range(500)]),
        ), 400, {"too_many"},
    ),
    "A80 500 mentions": (
        lambda d: d["object"].update(
            tag=[{"type": "Mention", "href": f"https://de.example/doctors/x{n}", "name": "@x"} for n in range(500)]
        ), 400, {"too_many"},
    ),
}  # fmt: skip


async def test_what_is_not_the_speakers_is_refused_without_a_trace(town, anna, berta, fr):
    """A37 to A40, A55, A59 to A61, A76, A77, A80, N38, N42: each signed by a real verified doctor."""
    for attack, (change, status, codes) in BENT.items():
        body = bent(a_create(anna), change)
        try:
            await without_trace(fr, lambda body=body: anna.sends(fr, body), status, *codes)
        except AssertionError as wrong:
            raise AssertionError(attack) from wrong


async def test_a_link_in_the_text_is_no_protocol_field(anna, fr):
    """The twin of step 16: a stranger's address in the text of a case is only text."""
    body = bent(
        a_create(anna),
        lambda d: d["object"].update(
            content='<p><a href="https://journal.example/1">here</a></p>',
            contentMap={"en": '<p><a href="https://journal.example/1">here</a></p>'},
        ),
    )

    assert 202 == (await anna.sends(fr, body)).status


# ── what is another's ──


async def test_what_is_anothers_survives(town, marie, anna, berta, luca, fr):
    """A41 to A43: Update, Delete and Undo of a colleague's post, comment, like, follow, recommendation: 403."""
    post = a_post(anna)
    comment = a_comment(anna, post.id)
    follow = an_act(anna, Follow, object=marie.uri)
    like = an_act(anna, Like, object=home_uri(fr, await marie.posts("Ours")))
    announce = an_act(anna, Announce, object=(a_post_of_luca := a_post(luca)).id)
    for person, act in (
        (anna, a_create(anna, post)), (anna, a_create(anna, comment)), (anna, follow), (anna, like),
        (luca, a_create(luca, a_post_of_luca)), (anna, announce),
    ):  # fmt: skip
        assert 202 == (await says(person, fr, act)).status
    stolen = a_post(anna, id=post.id, author=berta.uri, title="Stolen")
    attempts = [
        an_act(berta, Update, object=stolen, to=stolen.to, cc=stolen.cc),
        an_act(berta, Delete, object=post.id),
        an_act(berta, Delete, object=comment.id),
        an_act(berta, Undo, object=follow.id),
        an_act(berta, Undo, object=like.id),
        an_act(berta, Undo, object=announce.id),
        an_act(berta, Undo, object=post.id),
        an_act(berta, Undo, object=comment.id),
        an_act(anna, Undo, object=post.id),
    ]
    for act in attempts:
        await without_trace(fr, lambda act=act: says(berta, fr, act) if act.actor == berta.uri else says(anna, fr, act),
                            403, "not_the_owner")  # fmt: skip

    visitor = await Visitor.of(marie)
    assert "Made-up case" in await visitor.text("/feed?tab=all")


async def test_a_colleague_cannot_withdraw_a_doctor(town, anna, berta, fr):
    """A42: Delete of a doctor by another: 202 as it is worked off later, refused there, and the doctor stays."""
    answer = await says(berta, fr, an_act(berta, Delete, object=anna.uri))
    await town.settle()

    assert 202 == answer.status
    assert "not_the_owner" in await refusals(fr)
    assert [("ok", None)] == [
        tuple(row) for row in await rows(fr.node, f"select standing, gone_at from doctors where uri = '{anna.uri}'")
    ]


async def test_one_id_for_two_contents_and_an_id_taken_first(anna, berta, fr):
    """A53: the first by its owner wins; a colleague who takes the id of an activity first takes nothing away."""
    first = a_create(anna)
    second = a_create(anna, a_post(anna, title="Another"), id=first.id)
    victim = a_create(anna, a_post(anna, title="The victim's"))
    taken = an_act(berta, Like, object=first.object.id, id=victim.id)

    answers = [
        (await says(anna, fr, first)).status, (await says(anna, fr, second)).status,
        (await says(berta, fr, taken)).status, (await says(anna, fr, victim)).status,
    ]  # fmt: skip

    assert [202] * 4 == answers
    assert {"Made-up case", "The victim's"} == set(await fr.titles())


async def test_the_id_of_a_colleagues_object_cannot_be_taken(anna, berta, fr):
    """A53: a post, a comment, a follow under an id that is another's: 403, and the first stays."""
    post = a_post(anna)
    await says(anna, fr, a_create(anna, post))
    again = a_post(berta, id=post.id, title="Mine now")

    await without_trace(fr, lambda: says(berta, fr, a_create(berta, again)), 403, "not_the_owner")


# ── relations ──


async def test_nobody_asked_for_this_answer(town, marie, anna, berta, luca, fr):
    """A44, S12: Accept out of the blue, of a foreign Follow, of another's, by the follower: 403, no relation."""
    await marie.follows(luca)
    asked = (await rows(fr.node, "select id from follows"))[0]["id"]
    incoming = an_act(anna, Follow, object=marie.uri)
    await says(anna, fr, incoming)
    attempts = [
        an_act(anna, Accept, object=Uri.parse("https://fr.example/activities/nothing")),
        an_act(anna, Accept, object=Uri.parse(asked)),
        an_act(anna, Reject, object=Uri.parse(asked)),
        an_act(anna, Accept, object=incoming.id),
    ]
    for act in attempts:
        await without_trace(fr, lambda act=act: says(anna, fr, act), 403, "no_such_relation")

    assert [("pending",)] == [
        tuple(row) for row in await rows(fr.node, f"select state from follows where follower = '{marie.uri}'")
    ]


async def test_an_accept_after_the_question_was_taken_back_makes_no_follower(town, marie, anna, fr):
    """A44, S12: Undo first, the late Accept finds nothing."""
    await marie.follows(anna)
    asked = (await rows(fr.node, "select id from follows"))[0]["id"]
    await fr.node.follows.undo(marie.uri, anna.uri)

    await without_trace(
        fr, lambda: says(anna, fr, an_act(anna, Accept, object=Uri.parse(asked))), 403, "no_such_relation"
    )
    assert 0 == await count(fr, "follows")


async def test_the_follow_of_a_pending_question_opens_nothing(town, marie, anna, fr):
    """A44, A102: until Anna has said yes, Marie reads nothing that is for followers."""
    await marie.follows(anna)
    post = a_post(anna, to=(Uri.parse(anna.uri + "/followers"),))
    await says(anna, fr, a_create(anna, post))
    visitor = await Visitor.of(marie)

    assert "Made-up case" in await fr.titles()
    assert 1 == (await visitor.text("/feed?tab=all")).count("Made-up case")  # the first contact's, for everybody
    asked = (await rows(fr.node, "select id from follows"))[0]["id"]
    await says(anna, fr, an_act(anna, Accept, object=Uri.parse(asked)))
    assert 2 == (await visitor.text("/feed?tab=all")).count("Made-up case")


async def test_an_inline_copy_in_a_recommendation_is_ignored(town, marie, anna, luca, fr):
    """A45: Announce with a forged object inside: the address counts, the copy is not read, nothing new is stored."""
    post = a_post(luca, title="As Luca wrote it")
    await says(luca, fr, a_create(luca, post))
    forged = bent(
        an_act(anna, Announce, object=post.id),
        lambda d: d.update(object={**json.loads(render.post(post)), "name": "Forged"}),
    )
    unknown = bent(
        an_act(anna, Announce, object=post.id),
        lambda d: d.update(object={**json.loads(render.post(post)), "id": "https://it.example/posts/x", "name": "Forged"}),
    )

    assert [202, 202] == [(await anna.sends(fr, body)).status for body in (forged, unknown)]
    assert "Forged" not in await fr.titles()
    assert "As Luca wrote it" in await fr.titles()


async def test_an_announce_never_widens(town, marie, anna, luca, fr):
    """A99, A100: a `colleagues` case recommended to everybody is refused; nobody new is shown it."""
    await marie.follows(anna)
    asked = (await rows(fr.node, "select id from follows"))[0]["id"]
    await says(anna, fr, an_act(anna, Accept, object=Uri.parse(asked)))
    post = a_post(anna, title="For followers", to=(Uri.parse(anna.uri + "/followers"),))
    await says(anna, fr, a_create(anna, post))
    from federation.vocabulary import VERIFIED_DOCTORS

    wide = an_act(luca, Announce, object=post.id, to=(VERIFIED_DOCTORS,))
    await without_trace(fr, lambda: says(luca, fr, wide), 403, "audience_widened")

    somebody = await Visitor.of(await fr.doctor("paul"))
    assert "For followers" not in await somebody.text("/feed?tab=all")


# ── fetched documents ──


async def test_an_update_by_address_opens_no_way_round_the_policy(town, anna, fr):
    """A46, C3: what is read at its home is judged like what was sent: kind, audience, author, hosts."""
    post = a_post(anna)
    await says(anna, fr, a_create(anna, post))
    lies = {
        "news": (lambda d: d | {"postKind": "news"}, "kind_not_federated"),
        "for the public": (lambda d: d | {"to": ["as:Public"]}, "public_audience"),
        "a stranger's thread": (lambda d: d | {"context": "https://evil.example/t"}, "unlisted_host"),
        "another author": (lambda d: d | {"attributedTo": OTHER}, "not_the_owner"),
    }
    before = await stored(fr, ("posts", "mentions", "revisions"))
    for number, (change, code) in enumerate(lies.values()):
        target = f"/posts/lie-{number}"
        document = render.document(a_post(anna, id=Uri.parse("https://de.example" + target), title="Read anew"))
        liar = Liar(town["de"], target, lambda _, d=document, change=change: change(d))
        answer = await says(anna, fr, an_act(anna, Update, object=Uri.parse("https://de.example" + target)))
        await town.settle()
        liar.honest()

        assert 202 == answer.status
        assert code == (await refusals(fr))[-1]
    assert before == await stored(fr, ("posts", "mentions", "revisions"))


async def test_a_fetched_document_is_the_one_asked_for(town, anna, fr):
    """A46, A47: another id, or no ActivityPub: nothing stored; the honest twin arrives."""
    from federation.wire import Response

    document = render.document(a_post(anna, id=Uri.parse("https://de.example/posts/asked"), title="Read anew"))
    for lie in (
        lambda _: document | {"id": "https://de.example/posts/other"},
        lambda _: Response(200, {"content-type": "text/html"}, json.dumps(document).encode()),
        lambda _: Response(302, {"location": "https://evil.example/"}, b""),
    ):
        liar = Liar(town["de"], "/posts/asked", lie)
        await says(anna, fr, an_act(anna, Update, object=Uri.parse("https://de.example/posts/asked")))
        await town.settle()
        liar.honest()
        town.clock.move(minutes=6)
    assert "Read anew" not in await fr.titles()

    honest = Liar(town["de"], "/posts/asked", lambda _: document)
    await says(anna, fr, an_act(anna, Update, object=Uri.parse("https://de.example/posts/asked")))
    await town.settle()
    honest.honest()

    assert "Read anew" in await fr.titles()
    assert 0 == reads_of(town, "evil.example")


# ── withdrawn before it came ──


async def test_a_withdrawal_before_its_case_wins(anna, berta, fr):
    """A52: Delete, then Create: 202 and dropped; a colleague's Delete of it does not count."""
    gone, alive = a_post(anna, title="Gone"), a_post(anna, title="Alive")

    answers = [
        (await says(anna, fr, an_act(anna, Delete, object=gone.id))).status,
        (await says(anna, fr, a_create(anna, gone))).status,
        (await says(berta, fr, an_act(berta, Delete, object=alive.id))).status,
        (await says(anna, fr, a_create(anna, alive))).status,
    ]

    assert [202] * 4 == answers
    assert ("Alive" in await fr.titles(), "Gone" in await fr.titles()) == (True, False)


# ── threads one may not see ──


async def test_a_closed_thread_answers_like_one_that_never_was(town, marie, anna, luca, fr):
    """A54: hidden, national, named, withdrawn, of a kind not open here, missing: the same bytes, nothing stored."""
    await fr.node.siblings.set_kinds(
        "https://it.example", ["case", "news"], ["case", "news"], by="test", reason="test"
    )
    slugs = [
        await marie.posts("National", audience="national"),
        await marie.posts("Followers", audience="colleagues"),
        await marie.posts("Named", audience="named", named=(luca.address,)),
        await marie.posts("News", kind="news"),
        gone := await marie.posts("Gone"),
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    ]
    await fr.node.publishing.withdraw(marie.uri, gone)
    answers = []
    for slug in slugs:
        thread = home_uri(fr, slug)
        for act in (
            a_create(anna, a_comment(anna, thread)), an_act(anna, Like, object=thread),
            an_act(anna, Announce, object=thread),
        ):  # fmt: skip
            answers.append((await without_trace(fr, lambda act=act: says(anna, fr, act), 403, "not_visible")))

    assert 1 == len({(answer.status, answer.body, tuple(sorted(answer.headers.items()))) for answer in answers})


async def test_an_answer_from_outside_the_circle_of_anothers_thread_is_never_shown(town, marie, anna, luca, fr):
    """A54: to a copy of a `colleagues` or `named` post, directly from somebody outside: 202, kept unseen, not counted.

    The thread's home decides who belongs to it; only what comes from there, or through it, is shown.
    """
    await marie.follows(anna)
    await town.settle()
    posts = {
        "colleagues": await anna.posts("Circle", audience="colleagues"),
        "named": await anna.posts("Named", audience="named", named=(marie.address,)),
    }
    await town.settle()
    visitor = await Visitor.of(marie)
    for reach, slug in posts.items():
        uri = home_uri(town["de"], slug)
        addressed = (Uri.parse(anna.uri + "/followers"),) if reach == "colleagues" else (anna.uri, marie.uri)
        outsider = a_comment(luca, uri, to=addressed, content=f"<p>From outside {reach}</p>")
        answer = await luca.sends(fr, await with_proof(luca, a_create(luca, outsider)))
        page = await visitor.text(f"/posts/{await marie.slug_of(uri)}")

        assert 202 == answer.status
        assert page
        assert "From outside" not in page
    shown = {item["title"]: item["answers"] for item in await visitor.feed_json()}
    assert (0, 0) == (shown["Circle"], shown["Named"])
    assert [] == await rows(fr.node, f"select * from notifications where doctor = '{marie.uri}' and actor = '{luca.uri}'")


async def test_an_early_answer_from_outside_stays_unseen_when_the_case_comes(town, marie, anna, luca, fr):
    """A54: the answer first, the `colleagues` post after it: still not shown; of a `federation` post it is."""
    await marie.follows(anna)
    await town.settle()
    for reach, seen in (("colleagues", False), ("federation", True)):
        to = {} if reach == "federation" else {"to": (Uri.parse(anna.uri + "/followers"),)}
        post = a_post(anna, title=f"Late {reach}", **to)
        early = a_comment(luca, post.id, content=f"<p>Early to {reach}</p>", to=post.to)
        assert 202 == (await says(luca, fr, a_create(luca, early))).status
        assert 202 == (await says(anna, fr, a_create(anna, post))).status
        page = await (await Visitor.of(marie)).text(f"/posts/{await marie.slug_of(post.id)}")

        assert f"Late {reach}" in page
        assert seen is (f"Early to {reach}" in page)


# ── membership ──


async def test_a_sibling_removed_while_it_sends(town, anna, fr):
    """A62, P8: ten messages in flight, the entry goes: everything after that is 403, and its keys are forgotten."""

    async def one() -> int:
        return (await says(anna, fr, a_create(anna))).status

    first = await asyncio.gather(*[one() for _ in range(5)])
    await fr.node.siblings.remove("https://de.example", by="test", reason="test")
    contacts = len(town.contacts)
    second = await asyncio.gather(*[one() for _ in range(5)])

    assert ([202] * 5, [403] * 5) == (first, second)
    assert contacts == len(town.contacts)
    assert [] == await rows(fr.node, "select id from keys where origin = 'https://de.example'")


async def test_what_waits_for_a_removed_sibling_never_leaves(town, marie, fr):
    """A62: its queue is dropped; nobody contacts it again."""
    await marie.posts("Never leaves to Germany")
    await fr.node.siblings.remove("https://de.example", by="test", reason="test")
    before = len(town.contacts)
    await town.settle()

    assert [] == [contact for contact in town.contacts[before:] if contact.url.startswith("https://de.example")]
    assert [] == await town["de"].titles()
    assert ["Never leaves to Germany"] == await town["it"].titles()


async def test_a_pause_keeps_everything_in_order(town, marie, fr):
    """Pause: nothing in, nothing out, nothing lost; resumed, what waited arrives in the order it was written."""
    await fr.node.siblings.set_policy("https://de.example", "pause", by="test", reason="test")
    slugs = []
    for number in range(5):
        town.clock.move(seconds=5)
        slugs.append(await marie.posts(f"T-{number}"))
    await town.settle()
    assert [] == await town["de"].titles()

    await fr.node.siblings.set_policy("https://de.example", "inherit", by="test", reason="test")
    await town.settle()

    assert [f"T-{number}" for number in range(5)] == await town["de"].titles()
    received = await rows(town["de"].node, "select uri from posts order by received_at, slug")
    assert [home_uri(fr, slug) for slug in slugs] == [row["uri"] for row in received]


async def test_read_only_takes_in_and_lets_nothing_out(town, marie, anna, fr):
    """Read-only: their cases come, ours do not go, and they read nothing here."""
    await fr.node.siblings.set_policy("https://de.example", "read-only", by="test", reason="test")
    slug = await marie.posts("Stays")
    await town.settle()

    answer = await says(anna, fr, a_create(anna, a_post(anna, title="Comes in")))

    assert 202 == answer.status
    assert "Comes in" in await fr.titles()
    assert [] == await town["de"].titles()
    assert (403, "sibling_read_only") == refused(await reads(town["de"], fr, f"/posts/{slug}"))


# ── keys ──


async def test_rotated_keys_overlap_and_then_the_old_ones_die(town, anna, fr):
    """A30: old and new sign for a while; past the overlap the old key is refused after one re-read a minute."""
    old = await anna.place.node.keys.signing_key(anna.uri, Profile.CAVAGE)
    await anna.place.node.people.rotate_keys("anna", by="test", reason="test")
    await town.settle()
    during = await send_signed(fr, render.activity(a_create(anna)), old)
    town.clock.move(minutes=11)
    new = await anna.place.node.keys.signing_key(anna.uri, Profile.CAVAGE)
    after = await send_signed(fr, render.activity(a_create(anna)), new)
    town.clock.move(hours=25)
    await anna.place.node.workers.housekeep()
    await town.settle()
    town.clock.move(hours=2)
    dead = [refused(await send_signed(fr, render.activity(a_create(anna)), old)) for _ in range(10)]
    alive = await send_signed(fr, render.activity(a_create(anna)), new)

    assert old.id != new.id
    assert [202, 202, 202] == [during.status, after.status, alive.status]
    assert {401} == {status for status, _ in dead}


async def test_a_flood_of_bad_signatures_during_a_rotation_costs_three_reads_at_most(town, anna, fr):
    """A30: two hundred forged messages under two key ids, and the honest one in between still arrives."""
    await anna.place.node.people.rotate_keys("anna", by="test", reason="test")
    before = reads_of(town, "/doctors/anna")
    body = render.activity(a_create(anna))
    key = await anna.place.node.keys.signing_key(anna.uri, Profile.RFC9421)
    for number in range(200):
        forged = make_ed25519(Uri.parse(key.id), anna.uri)
        assert 401 == (await send_signed(fr, body, forged, profile=Profile.RFC9421)).status
        if number == 100:
            await town.settle()
            assert 202 == (await send_signed(fr, render.activity(a_create(anna)), key, profile=Profile.RFC9421)).status

    assert reads_of(town, "/doctors/anna") - before <= 3


async def test_a_vanished_actors_withdrawals_cost_few_reads(town, fr):
    """A79: a thousand Deletes of somebody who is not there: one read, then the answer is remembered."""
    uri = Uri.parse("https://de.example/doctors/vanished")
    key = make_ed25519(Uri.parse(uri + "#k"), uri)
    person = Person(town["de"], "vanished", uri)
    before = len(town.contacts)
    answers = set()
    for _ in range(300):
        act = an_act(person, Delete, object=uri)
        answers.add((await send_signed(fr, render.activity(act), key, profile=Profile.RFC9421)).status)

    assert {401} == answers
    assert len(town.contacts) - before <= 3
    assert [] == await kept(fr)


async def test_a_forged_forward_is_refused(town, marie, anna, luca, fr):
    """S8, FEP-8b32: no proof, another's proof, changed content, not the home: 403 and no trace; the true one arrives."""
    post = a_post(anna)
    await says(anna, fr, a_create(anna, post))
    carla = await _known(town, "it", "carla")
    comment = a_comment(luca, post.id)
    good = await with_proof(luca, a_create(luca, comment))
    others = await with_proof(carla, a_create(luca, comment))
    home, elsewhere = await instance_key(town["de"]), await instance_key(town["it"])
    attempts = [
        (render.activity(a_create(luca, comment)), home),
        (others, home),
        (good.replace(b"Made up.", b"Made it."), home),
        (good.replace(b'"proof"', b'"prooof"'), home),
        (await with_proof(luca, a_create(luca, a_post(luca))), home),
        (await with_proof(luca, a_create(luca, a_comment(luca, "https://it.example/posts/1"))), home),
    ]
    for body, key in attempts:
        await without_trace(fr, lambda body=body, key=key: send_signed(fr, body, key), 403, "actor_mismatch", reads=None)
    await without_trace(fr, lambda: send_signed(fr, good, elsewhere), 403, "actor_mismatch", reads=None)
    await without_trace(fr, lambda: anna.sends(fr, good), 403, "actor_mismatch", reads=None)

    assert 202 == (await send_signed(fr, good, home)).status
    assert 1 == await count(fr, "comments")


async def test_our_own_doctors_words_come_from_us_alone(town, marie, anna, fr):
    """A126: a sibling that forwards something in Marie's name, even with her own proof, is refused."""
    post = a_post(anna)
    await says(anna, fr, a_create(anna, post))
    body = await with_proof(marie, a_create(marie, a_comment(marie, post.id)))

    await without_trace(fr, lambda: _as_home(town, fr, body), 403, "foreign_origin", reads=None)


async def _as_home(town: Network, fr: Place, body: bytes) -> Any:
    return await send_signed(fr, body, await instance_key(town["de"]))


async def test_unknown_words_change_nothing(town, anna, fr):
    """A49: Move, Block, Add, Listen: 202, counted, not kept, no effect."""
    before = await stored(fr)
    for word in ("Move", "Block", "Add", "Listen", "Arrive"):
        body = bent(an_act(anna, Like, object=anna.uri), lambda d, word=word: d.update(type=word))
        assert 202 == (await anna.sends(fr, body)).status

    assert before == await stored(fr)


async def test_handle_and_boxes_never_change_and_keys_only_with_a_new_credential(town, anna, fr):
    """A50: an Update of oneself with another handle, another inbox, a swapped key: refused, the last good stays."""
    before = await stored(fr, ("doctors", "keys"))
    document = render.document(await anna.place.node.people.doctor_document("anna"))
    key = make_ed25519(Uri.parse(anna.uri + "#new"), anna.uri).public()
    changes: list[dict[str, Any]] = [
        {"preferredUsername": "anna2"},
        {"inbox": "https://de.example/doctors/berta/inbox"},
        {"assertionMethod": [{"id": key.id, "type": "Multikey", "controller": anna.uri, "publicKeyMultibase": key.multikey}]},
        {"doctorCredential": None},
    ]
    for change in changes:
        town.clock.move(seconds=1)
        act = json.loads(render.activity(an_act(anna, Like, object=anna.uri)))
        act |= {"type": "Update", "object": {k: v for k, v in (document | change).items() if k != "@context" and v}}
        act["@context"] = document["@context"]
        answer = await anna.sends(fr, json.dumps(act).encode())

        assert 403 == answer.status or "doctorCredential" in change
    assert before[("keys")] == (await stored(fr, ("keys",)))["keys"]
    assert [row[:4] for row in before["doctors"]] == [row[:4] for row in (await stored(fr, ("doctors",)))["doctors"]]


async def test_a_new_version_in_another_spelling_is_understood_and_survives_a_restart(town, anna, fr):
    """The object in a list, as JSON-LD allows: stored so that the doctor is still known after a restart."""
    document = render.document(await anna.place.node.people.doctor_document("anna"))
    act = json.loads(render.activity(an_act(anna, Like, object=anna.uri)))
    act |= {"type": "Update", "@context": document["@context"]}
    act["object"] = [{name: value for name, value in document.items() if name != "@context"}]
    assert 202 == (await anna.sends(fr, json.dumps(act).encode())).status

    await fr.reopen()

    assert 202 == (await says(anna, fr, a_create(anna))).status


async def test_kinds_closed_by_policy_stay_closed_in_both_directions(town, marie, anna, fr):
    """C3: news, opened for Italy alone, does not reach Germany and does not come from there."""
    await fr.node.siblings.set_kinds("https://it.example", ["case"], ["case", "news"], by="test", reason="test")
    await town["it"].node.siblings.set_kinds("https://fr.example", ["case", "news"], ["case"], by="test", reason="test")
    slug = await marie.posts("News for Italy", kind="news")
    await town.settle()

    assert "News for Italy" in await town["it"].titles()
    assert [] == await town["de"].titles()
    assert 404 == (await reads(town["de"], fr, f"/posts/{slug}")).status
    assert 200 == (await reads(town["it"], fr, f"/posts/{slug}")).status
    news = a_create(anna, a_post(anna, kind=PostKind.NEWS))
    await without_trace(fr, lambda: says(anna, fr, news), 403, "kind_not_federated")


async def test_a_mention_tells_the_one_mentioned(town, marie, anna, fr):
    """A comment that mentions Marie in a thread she may see: one notice; a mention in a closed one: none."""
    post = a_post(anna)
    await says(anna, fr, a_create(anna, post))
    await says(anna, fr, a_create(anna, a_comment(anna, post.id, mentions=(follower_mention(marie),))))
    hidden = a_post(anna, to=(Uri.parse(anna.uri + "/followers"),))
    await says(anna, fr, a_create(anna, hidden))
    inside = a_comment(anna, hidden.id, mentions=(follower_mention(marie),), to=hidden.to)
    await says(anna, fr, a_create(anna, inside))

    page = await (await Visitor.of(marie)).text("/notices")

    assert 1 == page.count("Dr Anna")
    assert Create is not None
