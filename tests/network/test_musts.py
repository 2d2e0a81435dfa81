"""Every MUST of an ActivityPub server that applies in a closed network, by its number, and the origin rules of FEP-fe34."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from federation import render
from federation.errors import Refused
from federation.keys import make_ed25519
from federation.signatures import Profile
from federation.uri import Uri
from federation.vocabulary import PUBLIC, VERIFIED_DOCTORS, Accept, Announce, Delete, Follow, Like, Undo, Update
from instance.services.errors import Rejected
from instance.services.publishing import PostDraft
from tests.doorway import a_comment, a_create, a_post, an_act, bent, instance_key, kept, reads, says, with_proof
from tests.network.scene import Liar, Visitor, home_uri, stored, without_trace
from tests.town import Network, Person, Place, refused, rows, send_signed

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Town(NamedTuple):
    """Three countries and their doctors."""

    network: Network
    fr: Place
    de: Place
    it: Place
    marie: Person
    anna: Person
    berta: Person
    luca: Person


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: Any) -> AsyncIterator[Town]:
    """Opened once for all; France knows everybody."""
    network = await Network.open(tmp_path_factory.mktemp("town"), "fr", "de", "it")
    fr, de, it = network["fr"], network["de"], network["it"]
    people = [await fr.doctor("marie"), await de.doctor("anna"), await de.doctor("berta"), await it.doctor("luca")]
    for person in people[1:]:
        assert 202 == (await says(person, fr, a_create(person))).status
    yield Town(network, fr, de, it, *people)
    await network.close()


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def later(town: Town) -> None:
    """Each test at its own moment."""
    await town.network.settle()
    town.network.clock.move(seconds=61)


async def sent(place: Place, type_name: str) -> list[dict[str, Any]]:
    """The activities of a type that this instance has made, oldest first."""
    found = await rows(place.node, f"select body from activities where type = '{type_name}' order by published_at, uri")
    return [json.loads(row["body"]) for row in found if row["body"]]


async def document(town: Town, target: str, reader: Place | None = None) -> dict[str, Any]:
    """What a sibling reads at France."""
    found = json.loads((await reads(reader or town.de, town.fr, target)).body)
    assert isinstance(found, dict)
    return found


# ── general ──


async def test_must_g1_every_activity_has_a_global_id(town):
    """G1: ours are https addresses of our origin; an inbound one without id is refused."""
    await town.marie.posts("G1")
    body = bent(a_create(town.anna), lambda d: d.pop("id"))

    assert all(act["id"].startswith("https://fr.example/activities/") for act in await sent(town.fr, "Create"))
    await without_trace(town.fr, lambda: town.anna.sends(town.fr, body), 400, "malformed")


async def test_must_g2_objects_are_activitystreams_to_siblings_and_pages_to_people(town):
    """G2: for both media types the document, after the signature; for a browser with a session the page."""
    slug = await town.marie.posts("G2")
    answer = await reads(town.de, town.fr, f"/posts/{slug}")
    page = await (await Visitor.of(town.marie)).get(f"/posts/{slug}")

    assert "application/activity+json" == answer.headers["content-type"]
    assert page.headers["content-type"].startswith("text/html")
    assert "https://www.w3.org/ns/activitystreams" in json.dumps(json.loads(answer.body)["@context"])


async def test_must_g3_actors_have_inbox_and_outbox(town):
    """G3: doctor and instance; of a doctor only for a sibling's signed request."""
    for target in ("/doctors/marie", "/actor"):
        actor = await document(town, target)
        assert {"https://fr.example"} == {Uri.parse(actor[box]).origin for box in ("inbox", "outbox")}
    unsigned = await town.fr.request(
        "GET", "/doctors/marie", {"Host": "fr.example", "Accept": "application/activity+json"}
    )
    assert (401, "not_signed") == refused(unsigned)


async def test_must_g4_a_shared_inbox_shows_nothing(town):
    """G4: GET answers 405, signed or not; the personal inbox too."""
    assert 405 == (await reads(town.de, town.fr, "/inbox")).status
    assert 405 == (await reads(town.de, town.fr, "/doctors/marie/inbox")).status


async def test_must_g5_g6_an_outbox_is_ordered_newest_first_and_filtered(town):
    """G5, G6: OrderedCollection, newest first, equal times in one stable order, only what the requester was sent."""
    first = await town.marie.posts("G5 first")
    town.network.clock.move(seconds=5)
    await town.marie.posts("G5 national", audience="national")
    same = [await town.marie.posts(f"G5 same {n}") for n in range(3)]
    once, twice = await document(town, "/doctors/marie/outbox"), await document(town, "/doctors/marie/outbox")
    creates = {act["object"]["id"]: act["id"] for act in await sent(town.fr, "Create")}
    places = [once["orderedItems"].index(creates[home_uri(town.fr, slug)]) for slug in (first, *same)]

    assert "OrderedCollection" == once["type"]
    assert once == twice
    assert places[0] > max(places[1:])
    assert once["totalItems"] == len(once["orderedItems"])


async def test_must_g7_followers_and_following_are_collections(town):
    """G7: never more members, nor a higher count, than the requester may see."""
    for name in ("followers", "following"):
        found = await document(town, f"/doctors/marie/{name}", town.it)
        assert ("OrderedCollection", 0) == (found["type"], found["totalItems"])


async def test_must_g8_activities_are_de_duplicated_by_id(town):
    """G8: the same id ten times, signed anew each time: one row, one post."""
    create = a_create(town.anna, a_post(town.anna, title="G8"))
    for _ in range(10):
        town.network.clock.move(seconds=1)
        assert 202 == (await says(town.anna, town.fr, create)).status

    assert 1 == (await town.fr.titles()).count("G8")
    found = await rows(town.fr.node, f"select count(*) as n from inbound where activity = '{create.id}'")
    assert 1 == found[0]["n"]


async def test_must_g9_nothing_is_ever_addressed_to_the_public(town):
    """G9, N42: the form has no such value, the wire no such address, in none of its spellings."""
    with pytest.raises(Rejected):
        await town.marie.posts("G9", audience="public")
    await town.marie.posts("G9 twin")
    bodies = await rows(town.fr.node, "select body from activities")

    assert not any(spelling.encode() in bytes(row["body"]) for row in bodies for spelling in PUBLIC if ":" in spelling)


# ── what our own doctors do ──


async def test_must_c1_the_outbox_takes_no_post(town):
    """C1: 405 for everybody; the doors are the owner's session alone."""
    body = render.activity(a_create(town.marie))
    for target in ("/doctors/marie/outbox", "/outbox"):
        assert 405 == (await town.anna.sends(town.fr, body, target=target)).status


async def test_must_c2_c3_c4_one_form_makes_one_create_under_our_own_id(town):
    """C2 to C4, A114: the object is wrapped in a Create; an id, an author, a mark in the form are not read."""
    visitor = await Visitor.of(town.marie)
    before = len(await sent(town.fr, "Create"))
    answer = await visitor.post(
        "/write", kind="case", title="C2", text="Made up.", specialty="cardiology", language="en",
        audience="federation", id="https://fr.example/posts/mine", author=town.anna.uri, verified="true",
        role="administrator",
    )  # fmt: skip
    made = (await sent(town.fr, "Create"))[before:]

    assert (303, 1) == (answer.status, len(made))
    assert answer.headers["location"].rpartition("/")[2] == made[0]["object"]["id"].rpartition("/")[2]
    assert town.marie.uri == made[0]["actor"] == made[0]["object"]["attributedTo"]


async def test_must_c5_hidden_recipients_are_neither_kept_nor_passed_on(town):
    """C5: we write no bto or bcc; of inbound ones no row keeps a trace."""
    body = bent(a_create(town.anna, a_post(town.anna, title="C5")), lambda d: d.update(bto=[town.marie.uri]))
    answer = await town.anna.sends(town.fr, body)
    posts = await stored(town.fr, ("posts", "inbound"))

    assert 202 == answer.status
    assert "bto" not in repr(posts)
    assert not any("bto" in act or "bcc" in act for act in await sent(town.fr, "Create"))


async def test_must_c6_c11_the_activity_and_its_deliveries_are_one_transaction(town):
    """C6, C11: after the call the outbox row and a queue row per sibling stand there, before anything is sent."""
    slug = await town.marie.posts("C6")
    found = await rows(
        town.fr.node, f"select origin, state from deliveries where object = '{home_uri(town.fr, slug)}' order by origin"
    )

    assert [("https://de.example", "waiting"), ("https://it.example", "waiting")] == [tuple(row) for row in found]


@pytest.mark.parametrize("kind", [Follow, Like, Announce, Undo, Delete, Accept])
async def test_must_c7_s2_an_activity_needs_its_object(town, kind):
    """C7, S2: inbound without object: 400; ours cannot be built without one."""
    body = bent(an_act(town.anna, kind, object=town.marie.uri), lambda d: d.pop("object"))

    await without_trace(town.fr, lambda: town.anna.sends(town.fr, body), 400, "malformed")
    with pytest.raises(TypeError):
        an_act(town.anna, kind)


async def test_must_c8_create_and_object_are_addressed_alike(town):
    """C8: for each audience that travels."""
    await town.marie.posts("C8", audience="named", named=(town.anna.address,))
    await town.marie.posts("C8 all")

    for act in await sent(town.fr, "Create"):
        assert (act.get("to"), act.get("cc")) == (act["object"].get("to"), act["object"].get("cc"))


async def test_must_c9_s11_only_the_owner_updates(town):
    """C9, S11: the owner's Update is shown; a colleague's of the same origin, and one of another origin, are refused."""
    post = a_post(town.anna, title="C9 before")
    await says(town.anna, town.fr, a_create(town.anna, post))
    town.network.clock.move(seconds=2)
    now = town.network.clock()
    mine = a_post(town.anna, id=post.id, title="C9 after", updated=now)
    assert 202 == (await says(town.anna, town.fr, an_act(town.anna, Update, object=mine, to=mine.to))).status
    theirs = a_post(town.berta, id=post.id, title="C9 stolen", updated=now)
    abroad = a_post(town.luca, id=post.id, title="C9 stolen", updated=now)

    await without_trace(
        town.fr, lambda: says(town.berta, town.fr, an_act(town.berta, Update, object=theirs, to=theirs.to)), 403,
        "not_the_owner",
    )  # fmt: skip
    await without_trace(
        town.fr, lambda: says(town.luca, town.fr, an_act(town.luca, Update, object=abroad, to=abroad.to)), 403,
        "foreign_origin",
    )  # fmt: skip
    assert {"C9 after"} == {title for title in await town.fr.titles() if title.startswith("C9")}


async def test_must_c10_s13_undo_is_by_the_same_actor(town):
    """C10, S13: of Like and Follow; a colleague's Undo is 403 and nothing changes."""
    slug = await town.marie.posts("C10")
    like = an_act(town.anna, Like, object=home_uri(town.fr, slug))
    follow = an_act(town.anna, Follow, object=town.marie.uri)
    for act in (like, follow):
        assert 202 == (await says(town.anna, town.fr, act)).status
        undo = an_act(town.berta, Undo, object=act.id)
        await without_trace(town.fr, lambda undo=undo: says(town.berta, town.fr, undo), 403, "not_the_owner")
        assert 202 == (await says(town.anna, town.fr, an_act(town.anna, Undo, object=act.id))).status

    assert [] == await rows(town.fr.node, f"select * from likes where id = '{like.id}'")
    assert [] == await rows(town.fr.node, f"select * from follows where id = '{follow.id}'")


# ── between servers ──


async def test_must_s1_both_media_types_and_no_other(town):
    """S1: ld+json with the profile and activity+json are equal at the inbox; JSON is 415."""
    url = town.fr.node.shared_inbox
    from federation.signatures import sign

    for content_type, status in (
        ("application/activity+json", 202),
        ('application/ld+json; profile="https://www.w3.org/ns/activitystreams"', 202),
        ("application/json", 415),
        ("application/ld+json", 415),
    ):
        body = render.activity(a_create(town.anna))
        key = await town.de.node.keys.signing_key(town.anna.uri, Profile.CAVAGE)
        headers = sign("POST", url, body, key, Profile.CAVAGE, town.network.clock())
        answer = await town.fr.request("POST", "/inbox", {**headers, "Content-Type": content_type}, body)
        assert status == answer.status


async def test_must_s3_s4_collections_as_recipients_are_never_fetched(town):
    """S3, S4: only the author's own followers and VerifiedDoctors are understood; another's collection is refused."""
    before = len(town.network.contacts)
    others = a_post(town.anna, to=(Uri.parse(town.berta.uri + "/followers"),))
    answer = await says(town.anna, town.fr, a_create(town.anna, others))
    found = await rows(town.fr.node, f"select audience from posts where uri = '{others.id}'")
    visitor = await Visitor.of(town.marie)

    assert not [contact.url for contact in town.network.contacts[before:] if "/followers" in contact.url]
    # Named to an address that is no doctor: nobody of ours is meant, nobody is shown it.
    assert (202, ["named"]) == (answer.status, [row["audience"] for row in found]) or 400 == answer.status
    assert home_uri(town.de, "x") not in await visitor.text("/feed?tab=all")


async def test_must_s5_s6_one_post_for_each_shared_inbox_and_none_for_oneself(town):
    """S5, S6: two followers at one instance cost one request; the author's own instance none."""
    slug = await town.marie.posts("S5", audience="named", named=(town.anna.address, town.berta.address, "marie"))
    before = len(town.network.contacts)
    await town.network.settle()
    posts = [contact.url for contact in town.network.contacts[before:] if contact.method == "POST"]

    assert ["https://de.example/inbox"] == posts
    mentions = await rows(town.fr.node, f"select doctor from mentions where object = '{home_uri(town.fr, slug)}'")
    assert town.marie.uri not in {row["doctor"] for row in mentions}


async def test_must_s7_verified_doctors_are_every_active_sibling(town):
    """S7: the Create is addressed to the collection and goes to every sibling that the policy lets out."""
    await town.marie.posts("S7")
    await town.network.settle()

    assert [VERIFIED_DOCTORS] == (await sent(town.fr, "Create"))[-1]["to"]
    assert all(["S7" in await place.titles() for place in (town.de, town.it)])


async def test_must_s8_s9_only_new_comments_in_our_own_thread_are_forwarded_once(town):
    """S8, S9: the same comment again, and one in a `federation` thread, are not passed on."""
    for person in (town.anna, town.luca):
        await person.follows(town.marie)
    await town.network.settle()
    closed = home_uri(town.fr, await town.marie.posts("S8", audience="colleagues"))
    wide = home_uri(town.fr, await town.marie.posts("S8 wide"))
    await town.network.settle()
    followers = (Uri.parse(town.marie.uri + "/followers"),)
    act = a_create(town.anna, a_comment(town.anna, closed, to=followers))
    before = len(town.network.contacts)
    for _ in range(3):
        town.network.clock.move(seconds=1)
        assert 202 == (await town.anna.sends(town.fr, await with_proof(town.anna, act))).status
        await town.network.settle()
    await town.anna.sends(town.fr, await with_proof(town.anna, a_create(town.anna, a_comment(town.anna, wide))))
    await town.network.settle()
    posts = [contact.url for contact in town.network.contacts[before:] if contact.method == "POST"]

    assert ["https://it.example/inbox"] == posts
    passed = await rows(town.it.node, f"select key_id from inbound where activity = '{act.id}'")
    assert [Uri.parse("https://fr.example/actor")] == [Uri.parse(row["key_id"]).without_fragment() for row in passed]


async def test_must_s10_a_doctor_without_shared_inbox_is_still_served(town):
    """S10: a case by the inbox of her instance's actor, which takes everything; what is for her alone by her own."""
    liar = Liar(town.de, "/doctors/berta", lambda d: {name: value for name, value in d.items() if name != "endpoints"})
    town.network.clock.move(hours=1)
    await town.fr.node.directory.refresh(town.berta.uri)
    before = len(town.network.contacts)
    await town.marie.posts("S10", audience="named", named=(town.berta.address,))
    await town.marie.follows(town.berta)
    await town.network.settle()
    liar.honest()
    posts = [contact for contact in town.network.contacts[before:] if contact.method == "POST"]
    await town.fr.node.directory.refresh(town.berta.uri)

    assert {"https://de.example/inbox", f"{town.berta.uri}/inbox"} <= {contact.url for contact in posts}
    assert {202} == {contact.status for contact in posts}
    assert "S10" in await town.de.titles()


async def test_must_s12_a_follow_counts_only_after_our_yes(town):
    """S12: pending shows nothing and is no follower; rejected adds nobody, and no later Accept revives it."""
    paul = await town.fr.doctor("paul")
    await town.fr.node.people.set_profile(paul.uri, "", ("en",), approves_followers=True)
    await says(town.anna, town.fr, an_act(town.anna, Follow, object=paul.uri))
    await town.network.settle()
    found = await document(town, "/doctors/paul/followers")
    assert 0 == found["totalItems"]
    await town.fr.node.follows.answer(paul.uri, town.anna.uri, yes=False)
    await town.network.settle()

    assert 0 == (await document(town, "/doctors/paul/followers"))["totalItems"]
    assert ["rejected"] == [
        row["state"] for row in await rows(town.fr.node, f"select state from follows where followee = '{paul.uri}'")
    ]


# ── origin rules (FEP-fe34) ──


async def test_origin_an_object_that_cannot_be_authenticated_is_dropped(town):
    """An inline copy of somebody else's object inside a Like or Announce is never stored."""
    copy = json.loads(render.post(a_post(town.luca, title="Origin inline")))
    body = bent(an_act(town.anna, Like, object=Uri.parse(copy["id"])), lambda d: d.update(object=copy))
    await town.anna.sends(town.fr, body)

    assert "Origin inline" not in await town.fr.titles()


async def test_origin_id_owner_and_key_share_one_origin(town):
    """A key of Italy signs nothing that has its id in Germany."""
    body = render.activity(a_create(town.anna))

    await without_trace(town.fr, lambda: town.luca.sends(town.fr, body), 403, "actor_mismatch", reads=3)


async def test_origin_a_fetched_id_is_the_address_asked(town):
    """Another id than the one asked for: not believed (the directory refuses the doctor)."""
    carla = await town.de.doctor("carla")
    liar = Liar(town.de, "/doctors/carla", lambda d: d | {"id": town.anna.uri})
    with pytest.raises(Refused):
        await town.fr.node.directory.doctor(carla.uri)
    liar.honest()

    assert [] == await rows(town.fr.node, f"select * from doctors where uri = '{carla.uri}'")


async def test_origin_a_response_of_another_type_is_not_activitypub(town):
    """The media type is checked; an upload is never read as an actor."""
    from federation.wire import Response

    dora = await town.de.doctor("dora")
    good = json.dumps(render.document(await town.de.node.people.doctor_document("dora"))).encode()
    liar = Liar(town.de, "/doctors/dora", lambda _: Response(200, {"content-type": "image/png"}, good))
    with pytest.raises(Refused):
        await town.fr.node.directory.doctor(dora.uri)
    liar.honest()


async def test_origin_the_owners_document_claims_the_key(town):
    """A key that Anna's document does not list signs nothing of hers."""
    key = make_ed25519(Uri.parse(town.anna.uri + "#stray"), town.anna.uri)
    body = render.activity(a_create(town.anna))

    await without_trace(
        town.fr, lambda: send_signed(town.fr, body, key, profile=Profile.RFC9421), 401, "key_not_owned", reads=3
    )


async def test_origin_the_creator_is_the_owner_and_stays_it(town):
    """attributedTo is the actor at the Create, and never changes by an Update."""
    post = a_post(town.anna, title="Origin owner")
    await says(town.anna, town.fr, a_create(town.anna, post))
    given = a_post(town.anna, id=post.id, author=town.berta.uri)

    await without_trace(
        town.fr, lambda: says(town.anna, town.fr, an_act(town.anna, Update, object=given, to=given.to)), 403,
        "actor_mismatch",
    )  # fmt: skip
    assert [town.anna.uri] == [
        row["author"] for row in await rows(town.fr.node, f"select author from posts where uri = '{post.id}'")
    ]


async def test_origin_key_objects_are_never_made_by_clients(town):
    """A Create of a key: not a kind that federates; the key is not learned."""
    key = {"id": town.anna.uri + "#planted", "type": "Multikey", "controller": town.anna.uri}
    body = bent(a_create(town.anna), lambda d: d.update(object=d["object"] | key))

    await without_trace(town.fr, lambda: town.anna.sends(town.fr, body), 403, "kind_not_federated")
    assert [] == await rows(town.fr.node, "select * from keys where id like '%planted'")


async def test_origin_a_protected_read_needs_a_signature_inside_the_audience(town):
    """Signed by a sibling outside the audience: as if it were not there."""
    slug = await town.marie.posts("Origin", audience="named", named=(town.luca.address,))

    assert (404, 200) == tuple([(await reads(place, town.fr, f"/posts/{slug}")).status for place in (town.de, town.it)])


async def test_origin_a_relation_across_origins_needs_both_claims(town):
    """A follow is accepted only where both said so: ours asked, theirs answered."""
    quinn = await town.fr.doctor("quinn")
    await quinn.follows(town.luca)
    mine = await rows(town.fr.node, f"select state from follows where follower = '{quinn.uri}'")
    await town.network.settle()
    both = await rows(town.fr.node, f"select state from follows where follower = '{quinn.uri}'")

    assert ("pending", "accepted") == (mine[0]["state"], both[0]["state"])


async def test_the_instance_key_is_no_doctors(town):
    """C2: the instance actor signs housekeeping; in a doctor's name it is an actor mismatch, in its own no post."""
    key = await instance_key(town.de)
    body = render.activity(a_create(town.anna))
    draft = PostDraft(
        kind="case", title="x", text="x", specialties=("cardiology",), audience="federation", language="en", named=(),
    )  # fmt: skip

    await without_trace(town.fr, lambda: send_signed(town.fr, body, key), 403, "actor_mismatch", reads=3)
    with pytest.raises(Rejected):
        await town.fr.node.publishing.publish(town.fr.node.actor, draft)
    assert await kept(town.fr)
