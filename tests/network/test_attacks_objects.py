"""Attacks on what is read, withdrawn or hidden (A46 to A48, A52, A54)."""

from __future__ import annotations

import json

from federation import render
from federation.uri import Uri
from federation.vocabulary import (
    Announce,
    Delete,
    Like,
    Update,
)
from tests.doorway import (
    a_comment,
    a_create,
    a_post,
    an_act,
    says,
    with_proof,
)
from tests.network.scene import Liar, Visitor, home_uri, reads_of, refusals, stored, without_trace
from tests.town import rows

# ── fetched documents ──


async def test_an_update_by_address_opens_no_way_round_the_policy(town, anna, fr):
    """A46, C3: what is read at its home is judged like what was sent: kind, audience, author, hosts."""
    post = a_post(anna)
    await says(anna, fr, a_create(anna, post))
    lies = {
        "news": (lambda d: d | {"postKind": "news"}, "kind_not_federated"),
        "for the public": (lambda d: d | {"to": ["as:Public"]}, "public_audience"),
        "a stranger's thread": (lambda d: d | {"context": "https://evil.example/t"}, "unlisted_host"),
        "another author": (lambda d: d | {"attributedTo": "https://de.example/doctors/berta"}, "not_the_owner"),
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


async def test_answers_that_came_before_their_withdrawn_case_go_with_it(anna, berta, fr):
    """A52, J1.17: the case itself was never sent; its answer was, and the Delete after it takes the answer along."""
    gone, alive = a_post(anna, title="Gone"), a_post(anna, title="Alive")
    for post in (gone, alive):
        await says(berta, fr, a_create(berta, a_comment(berta, post.id)))
    before = {row["post"] for row in await rows(fr.node, "select post from comments")}
    await says(anna, fr, an_act(anna, Delete, object=gone.id))

    assert {gone.id, alive.id} == before
    assert [alive.id] == [row["post"] for row in await rows(fr.node, "select post from comments")]


# ── threads one may not see ──


async def test_a_closed_thread_answers_like_one_that_never_was(town, marie, anna, luca, fr):
    """A54: hidden, national, named, withdrawn, of a kind not open here, missing: the same bytes, nothing stored."""
    await fr.node.siblings.set_kinds("https://it.example", ["case", "news"], ["case", "news"], by="test", reason="test")
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
            answers.append(await without_trace(fr, lambda act=act: says(anna, fr, act), 403, "not_visible"))

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
    assert [] == await rows(
        fr.node, f"select * from notifications where doctor = '{marie.uri}' and actor = '{luca.uri}'"
    )


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
