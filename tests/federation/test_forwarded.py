"""What one sibling passes on of another: whose proof it takes, and what the answer says to the forwarder."""

from __future__ import annotations

import pytest

from federation import render
from federation.delivery import MEMBERSHIP
from federation.integrity import add_proof
from federation.wire import Response
from tests.doorway import a_comment, a_create, a_post, count, instance_key, says, with_proof
from tests.federation.door import anna, fr, neighbour, town
from tests.network.scene import Liar
from tests.town import Person, refused, send_signed

__all__ = ["anna", "fr", "town"]


async def test_only_a_threads_home_forwards_and_only_with_the_authors_proof(tmp_path, town, anna, fr):
    """ActivityPub 7.1.2, FEP-8b32: a comment passed on by the home of its thread is kept; its twins are not."""
    it = await town.add(tmp_path, "it")
    for one, other in ((fr, it), (it, fr), (it, town["de"]), (town["de"], it)):
        await one.admits(other)
    luca = await it.doctor("luca")
    post = a_post(anna)
    await says(anna, fr, a_create(anna, post))
    proved = await with_proof(luca, a_create(luca, a_comment(luca, post.id)))
    bare = render.activity(a_create(luca, a_comment(luca, post.id)))
    elsewhere = await with_proof(luca, a_create(luca, a_comment(luca, "https://it.example/posts/1")))
    key = await instance_key(town["de"])

    good = await send_signed(fr, proved, key)
    twins = [await send_signed(fr, body, key) for body in (bare, elsewhere, proved.replace(b"Made up.", b"Made it."))]
    by_a_doctor = await anna.sends(fr, await with_proof(luca, a_create(luca, a_comment(luca, post.id))))

    assert 202 == good.status
    assert [(403, "actor_mismatch")] * 3 == [refused(answer) for answer in twins]
    assert (403, "actor_mismatch") == refused(by_a_doctor)
    assert 1 == await count(fr, "comments")


@pytest.mark.parametrize("narrowed", [None, "pause", "block"])
async def test_a_forwarded_author_who_may_not_speak_here_is_no_trouble_of_the_forwarder(
    tmp_path, town, anna, fr, narrowed
):
    """Step 16: the code is about the message, or the forwarder would hold back everything else for us as well."""
    it = await town.add(tmp_path, "it")
    await town["de"].admits(it)
    await it.admits(town["de"])
    if narrowed is not None:
        await fr.admits(it)
        await fr.node.siblings.set_policy("https://it.example", narrowed, by="test", reason="test")
    luca = await it.doctor("luca")
    post = a_post(anna)
    await says(anna, fr, a_create(anna, post))
    body = await with_proof(luca, a_create(luca, a_comment(luca, post.id)))

    answer = await send_signed(fr, body, await instance_key(town["de"]))

    assert (403, "unlisted_host") == refused(answer)
    assert "unlisted_host" not in MEMBERSHIP
    assert 0 == await count(fr, "comments")


async def test_nobody_elses_proof_speaks_for_the_author(tmp_path, town, anna, fr):
    """FEP-8b32: a colleague at the author's own instance, or the forwarder, cannot prove what the author wrote."""
    it = await town.add(tmp_path, "it")
    for one, other in ((fr, it), (it, fr), (it, town["de"]), (town["de"], it)):
        await one.admits(other)
    luca, bianca = await it.doctor("luca"), await it.doctor("bianca")
    post = a_post(anna)
    await says(anna, fr, a_create(anna, post))
    await says(bianca, fr, a_create(bianca))
    key = await instance_key(town["de"])
    forged = [
        await with_proof(forger, a_create(luca, a_comment(luca, post.id)))
        for forger in (bianca, anna, Person(town["de"], "actor", town["de"].node.actor))
    ]

    answers = [refused(await send_signed(fr, body, key)) for body in forged]

    assert [(403, "actor_mismatch")] * 3 == answers
    assert 0 == await count(fr, "comments")


async def test_a_proof_by_a_key_the_author_does_not_list_is_refused_for_good(tmp_path, town, anna, fr):
    """The 401 of a key is about the poster's own signature; what the forwarder cannot mend must not be tried again."""
    it = await town.add(tmp_path, "it")
    for one, other in ((fr, it), (it, fr), (it, town["de"]), (town["de"], it)):
        await one.admits(other)
    luca = await it.doctor("luca")
    act = a_create(luca, a_comment(luca, a_post(anna).id))
    key = await it.node.keys.proof_key(luca.uri)
    proved = add_proof(render.document(act), key.key, verification_method=f"{luca.uri}#gone", created=fr.node.clock())

    answer = await send_signed(fr, render.encode(proved), await instance_key(town["de"]))

    assert (403, "actor_mismatch") == refused(answer)


@pytest.mark.parametrize("status", [404, 410])
async def test_a_forwarded_author_whose_key_is_gone_is_refused_for_good(tmp_path, town, anna, fr, status):
    """Their home answers, and there is no such key: a 401 would tell the forwarder that its own signature is wrong."""
    it = await neighbour(tmp_path, town)
    luca = await it.doctor("luca")
    await says(anna, fr, a_create(anna, post := a_post(anna)))
    body = await with_proof(luca, a_create(luca, a_comment(luca, post.id)))
    Liar(it, "/doctors/luca", lambda document: Response(status, {}, b""))

    answer = await send_signed(fr, body, await instance_key(town["de"]))

    assert (403, "actor_mismatch") == refused(answer)
    assert 0 == await count(fr, "comments")


async def test_a_forwarded_author_whose_home_is_away_is_asked_for_later(tmp_path, town, anna, fr):
    """Nothing was found against the message: 503 with a time; the author's own 401 is about the author's signature."""
    it = await neighbour(tmp_path, town)
    luca = await it.doctor("luca")
    await says(anna, fr, a_create(anna, post := a_post(anna)))
    body = await with_proof(luca, a_create(luca, a_comment(luca, post.id)))
    town.down.add("it")

    away = await send_signed(fr, body, await instance_key(town["de"]))
    own = await says(luca, fr, a_create(luca))
    town.down.clear()
    town.clock.move(seconds=2)
    back = await send_signed(fr, body, await instance_key(town["de"]))

    assert (503, "author_away") == refused(away)
    assert "300" == away.headers["retry-after"]
    assert (401, "unknown_key") == refused(own)
    assert 202 == back.status
    assert 1 == await count(fr, "comments")


async def test_a_forwarded_author_whose_standing_cannot_be_read_is_asked_for_later(tmp_path, town, anna, fr):
    """The key is remembered and the verdict is not: the same 503, or the forwarder would doubt its own signature."""
    it = await neighbour(tmp_path, town, countries=("ES",))
    luca = await it.doctor("luca")
    await says(anna, fr, a_create(anna, post := a_post(anna)))
    key = await instance_key(town["de"])
    bodies = [await with_proof(luca, a_create(luca, a_comment(luca, post.id))) for _ in range(2)]

    unbelieved = await send_signed(fr, bodies[0], key)
    await fr.node.siblings.set_policy("https://it.example", "pause", by="test", reason="test")
    await fr.node.siblings.set_policy("https://it.example", "inherit", by="test", reason="test")
    town.down.add("it")
    away = await send_signed(fr, bodies[1], key)

    assert 403 == unbelieved.status
    assert (503, "author_away") == refused(away)
