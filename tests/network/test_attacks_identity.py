"""Attacks on identity and ownership (A37 to A45, A53, A55): who may say what of whose; and on relations."""

from __future__ import annotations

import json
from typing import Any

from federation import render
from federation.uri import Uri
from federation.vocabulary import (
    Accept,
    Announce,
    Delete,
    Follow,
    Like,
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
    says,
)
from tests.network.scene import Visitor, home_uri, refusals, without_trace
from tests.town import rows

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
        lambda d: d.update(
            object={**json.loads(render.post(post)), "id": "https://it.example/posts/x", "name": "Forged"}
        ),
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
