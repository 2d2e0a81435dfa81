"""What siblings may read here, and that everything else looks as if it were not there."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from federation import parse
from federation.signatures import Profile, sign
from tests.doorway import instance_key, reads
from tests.town import Network, Person, Place, refused

JSON = {"Accept": "application/activity+json", "Host": "fr.example"}


@pytest.fixture
async def town(tmp_path: Any) -> AsyncIterator[Network]:
    """France and Germany, which list each other."""
    network = await Network.open(tmp_path, "fr", "de")
    yield network
    await network.close()


@pytest.fixture
async def marie(town: Network) -> Person:
    """A verified doctor in France."""
    return await town["fr"].doctor("marie")


@pytest.fixture
def fr(town: Network) -> Place:
    """Where it is read."""
    return town["fr"]


@pytest.fixture
def de(town: Network) -> Place:
    """Who reads."""
    return town["de"]


@pytest.mark.parametrize("profile", list(Profile))
async def test_a_sibling_reads_a_doctor(marie, fr, de, profile):
    """J6: the actor document, never for a shared cache (A107)."""
    answer = await reads(de, fr, "/doctors/marie", profile=profile)

    assert 200 == answer.status
    assert marie.uri == parse.doctor(json.loads(answer.body)).id
    assert "private, no-store" == answer.headers["cache-control"]


@pytest.mark.parametrize(
    "target",
    ["/doctors/marie", "/doctors/nobody", "/posts/x", "/comments/x", "/activities/x", "/doctors/marie/followers"],
)
async def test_unsigned_reading_is_refused_whether_or_not_it_exists(marie, fr, target):
    """A33: unsigned 401, for everything alike."""
    answer = await fr.request("GET", target, JSON)

    assert (401, "not_signed") == refused(answer)


async def test_a_stranger_reads_nothing(tmp_path, town, marie, fr):
    """A33: signed by somebody who is not on the list."""
    it = await town.add(tmp_path, "it")

    assert (403, "not_a_sibling") == refused(await reads(it, fr, "/doctors/marie"))


@pytest.mark.parametrize("target", ["/actor", "/.well-known/nodeinfo", "/nodeinfo/2.1"])
async def test_open_documents_need_no_signature(fr, target):
    """C5: the instance actor and NodeInfo are open to all; a query makes another address of them."""
    answer = await fr.request("GET", target, JSON)
    asked = await fr.request("GET", target + "?x=1", JSON)

    assert (200, 404) == (answer.status, asked.status)


async def test_webfinger_of_the_instance_is_open_and_of_a_doctor_is_not(marie, fr, de):
    """A99: who is a doctor here is for siblings alone; what is no account is nonsense."""
    finger = "/.well-known/webfinger?resource="

    answers = [
        (await fr.request("GET", finger + "acct:fr.example@fr.example", JSON)).status,
        (await fr.request("GET", finger + "acct:marie@fr.example", JSON)).status,
        (await reads(de, fr, finger + "acct:marie@fr.example")).status,
        (await reads(de, fr, finger + "acct:nobody@fr.example")).status,
        (await reads(de, fr, finger + "acct:marie@de.example")).status,
        (await fr.request("GET", finger + "junk", JSON)).status,
        (await fr.request("GET", "/.well-known/webfinger", JSON)).status,
    ]

    assert [200, 401, 200, 404, 404, 400, 400] == answers


@pytest.mark.parametrize(("audience", "status"), [("federation", 200), ("colleagues", 404), ("national", 404)])
async def test_a_post_is_read_inside_its_audience(marie, fr, de, audience, status):
    """J6: 200 within, and outside the same bytes as for what does not exist (A97)."""
    slug = await marie.posts("A case", audience=audience)

    answer = await reads(de, fr, f"/posts/{slug}")
    thread = await reads(de, fr, f"/posts/{slug}/context")
    missing = await reads(de, fr, "/posts/01ARZ3NDEKTSV4RRFFQ69G5FAV")

    assert (status, status) == (answer.status, thread.status)
    assert 404 != status or (missing.status, missing.body, missing.headers) == (
        answer.status, answer.body, answer.headers,
    )  # fmt: skip


async def test_a_colleagues_post_is_read_where_a_colleague_lives(town, marie, fr, de):
    """The audience opens for the instance of a follower."""
    anna = await de.doctor("anna")
    await anna.follows(marie)
    await town.settle()
    slug = await marie.posts("For colleagues", audience="colleagues")

    answer = await reads(de, fr, f"/posts/{slug}")

    assert 200 == answer.status
    assert (f"{marie.uri}/followers",) == parse.post(json.loads(answer.body)).to


async def test_what_was_withdrawn_is_gone_for_holders_and_never_was_for_others(tmp_path, town, marie, fr, de):
    """N17: 410 with a Tombstone for who held it, 404 for who did not."""
    slug = await marie.posts("To go")
    await town.settle()
    it = await town.add(tmp_path, "it")
    await fr.admits(it)
    await it.admits(fr)
    await fr.node.publishing.withdraw(marie.uri, slug)

    held, never = await reads(de, fr, f"/posts/{slug}"), await reads(it, fr, f"/posts/{slug}")

    assert (410, "Tombstone") == (held.status, json.loads(held.body)["type"])
    assert (404, "not_found") == refused(never)


async def test_collections_show_only_the_readers_own_part(tmp_path, town, marie, fr, de):
    """A103: followers of other instances are neither listed nor counted; the outbox holds what was sent there."""
    it = await town.add(tmp_path, "it")
    await fr.admits(it)
    await it.admits(fr)
    anna, luca = await de.doctor("anna"), await it.doctor("luca")
    for follower in (anna, luca):
        await follower.follows(marie)
    await town.settle()
    await marie.posts("For all")
    await marie.posts("At home", audience="national")

    followers = parse.collection_page(json.loads((await reads(de, fr, "/doctors/marie/followers")).body))
    outbox = parse.collection_page(json.loads((await reads(de, fr, "/doctors/marie/outbox")).body))

    assert (1, (anna.uri,)) == (followers.total, followers.items)
    assert outbox.total == len(outbox.items) == 2  # the Accept that went there, and the one case


async def test_an_activity_is_read_by_those_it_was_sent_to(tmp_path, town, marie, fr, de):
    """C6: as it was sent; for anybody else it is not there."""
    await marie.posts("For all")
    it = await town.add(tmp_path, "it")
    await fr.admits(it)
    await it.admits(fr)
    outbox = parse.collection_page(json.loads((await reads(de, fr, "/doctors/marie/outbox")).body))
    target = outbox.items[0].target

    assert 200 == (await reads(de, fr, target)).status
    assert 404 == (await reads(it, fr, target)).status


async def test_a_comment_of_ours_is_read_inside_its_thread(town, marie, fr, de):
    """J6: the comment and the thread that lists it."""
    slug = await marie.posts("For all")
    made = await marie.comments(f"{fr.node.origin}/posts/{slug}", "An answer.")

    comment = await reads(de, fr, f"/comments/{made}")
    thread = parse.collection_page(json.loads((await reads(de, fr, f"/posts/{slug}/context")).body))

    assert parse.comment(json.loads(comment.body)).id == thread.items[0]
    assert 404 == (await reads(de, fr, "/comments/none")).status


@pytest.mark.parametrize("framing", [{"Content-Length": "2"}, {"Transfer-Encoding": "chunked"}])
async def test_a_signed_get_carries_no_body(marie, fr, de, framing):
    """A83: what no signature covers and nobody reads would be the beginning of another request."""
    key = await instance_key(de)
    headers = sign("GET", marie.uri, None, key, Profile.CAVAGE, fr.node.clock())

    answer = await fr.request("GET", "/doctors/marie", headers | framing, b"{}")
    without = await fr.request("GET", "/doctors/marie", headers | {"Content-Length": "0"}, b"")

    assert (400, "malformed_headers") == refused(answer)
    assert 200 == without.status
