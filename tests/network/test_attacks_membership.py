"""Attacks on membership, keys and forwarding (A30, A49, A50, A62, A79, A126); policies that keep what waits."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from federation import render
from federation.keys import make_ed25519
from federation.signatures import Profile
from federation.uri import Uri
from federation.vocabulary import (
    Delete,
    Like,
    PostKind,
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
from tests.network.scene import Visitor, home_uri, known, reads_of, stored, without_trace
from tests.town import Network, Person, Place, refused, rows, send_signed

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
    await town.settle()  # Italy, which still speaks with Germany, has read whom Germany speaks with
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
    carla = await known(town, "it", "carla")
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
        await without_trace(
            fr, lambda body=body, key=key: send_signed(fr, body, key), 403, "actor_mismatch", reads=None
        )
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
    """A49: Travel, Block, Add, Listen: 202, counted, not kept, no effect."""
    before = await stored(fr)
    for word in ("Travel", "Block", "Add", "Listen", "Arrive"):
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
        {
            "assertionMethod": [
                {"id": key.id, "type": "Multikey", "controller": anna.uri, "publicKeyMultibase": key.multikey}
            ]
        },
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
