"""F14, F23 to F25: answers dropped, copies at once, and what came before what it concerns, across a restart."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from federation import render
from federation.signatures import Profile, sign
from federation.uri import Uri
from federation.vocabulary import Delete, Like, Undo, Update
from instance.ids import new_ulid
from tests.bench.ground import make_ground
from tests.bench.letters import creates
from tests.doorway import a_comment, a_create, a_post, an_act, says
from tests.instance.served import Served
from tests.servers.raw import send
from tests.town import rows

pytestmark = pytest.mark.faults


async def test_a_lost_answer_costs_an_attempt_and_no_second_effect(network):
    """F14: the receiver has done its work, its answer never arrives; sent again, one post, one notice."""
    town = await network("fr", "de")
    marie, anna = await town["fr"].doctor("marie"), await town["de"].doctor("anna")
    # The address is looked up before anything gets lost.
    await marie.follows(anna)
    await town.settle()
    seen: Counter[bytes] = Counter()

    def loses(method: str, url: str, body: bytes) -> bool:
        seen[body] += method == "POST"
        return method == "POST" and seen[body] <= 3

    town.loses = loses
    await marie.posts("Once", audience="named", named=(anna.address,))
    await marie.posts("For all")
    for _ in range(6):
        await town.settle()
        town.clock.move(minutes=2)

    assert ["For all", "Once"] == sorted(await town["de"].titles())
    notices = await rows(town["de"].node, f"select kind from notifications where doctor = '{anna.uri}' order by kind")
    assert ["followed", "named"] == [row["kind"] for row in notices]
    assert 4 == max(seen.values())
    assert {"done"} == {row["state"] for row in await rows(town["fr"].node, "select state from deliveries")}


async def test_ten_copies_at_once_have_one_effect(network):
    """F23, A12, P3: the same activity ten times at once, to both inboxes: 202 each, one row, one notice."""
    town = await network("fr", "de")
    marie, anna = await town["fr"].doctor("marie"), await town["de"].doctor("anna")
    slug = await anna.posts("Asked")
    await town.settle()
    answer = a_create(marie, a_comment(marie, f"{town['de'].node.origin}/posts/{slug}"))
    targets = ["/inbox", "/doctors/anna/inbox"] * 5
    answers = await asyncio.gather(*(says(marie, town["de"], answer, target=target) for target in targets))

    assert [202] * 10 == [answer.status for answer in answers]
    assert 1 == len(await town["de"].answers())
    assert 1 == len(await rows(town["de"].node, f"select 1 from notifications where doctor = '{anna.uri}'"))
    assert 1 == len(await rows(town["de"].node, "select 1 from inbound where type = 'Create'"))


async def test_ten_copies_over_real_sockets_have_one_effect(tmp_path):
    """F23, P3: ten connections carry the same bytes, and ten more the same activity signed anew, to both inboxes."""
    ground = await asyncio.to_thread(asyncio.run, make_ground(tmp_path, doctors=1, authors=1))
    author = ground.authors["de"][0]
    with Served(ground.file):
        same = creates(ground, [author], 1, Profile.RFC9421)
        first = await asyncio.gather(*(send(ground.port, same.requests[0], wait=0) for _ in range(10)))
        anew = [_signed(ground, author, target) for target in ["/inbox", "/doctors/reader/inbox"] * 5]
        body = _body(author)
        second = await asyncio.gather(*(send(ground.port, one(body), wait=0) for one in anew))

    assert [202] * 10 == [reply.status for reply in first]
    assert [202] * 10 == [reply.status for reply in second]
    with ground.rows() as connection:
        kept = connection.execute("select count(*) from posts where uri like '%' || ?", (same.posts[0],)).fetchone()[0]
        messages = connection.execute("select count(*), count(distinct activity) from inbound").fetchone()
    assert 1 == kept
    assert messages[0] == messages[1]


def _body(author) -> bytes:
    now = datetime.now(UTC)
    body = author.template.replace(author.post.encode(), new_ulid(now).encode())
    return body.replace(author.activity.encode(), new_ulid(now).encode())


def _signed(ground, author, target):
    url = Uri.parse(ground.config.origin + target)

    def request(body: bytes) -> bytes:
        headers = sign("POST", url, body, author.keys[Profile.CAVAGE], Profile.CAVAGE, datetime.now(UTC))
        lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body

    return request


async def test_what_comes_too_early_wins_after_a_restart_too(network):
    """F24, F25: Delete, Undo and Update before what they concern, the receiver restarted between: same state as in order."""
    town = await network("fr", "de")
    marie, anna = await town["fr"].doctor("marie"), await town["de"].doctor("anna")
    slug = await anna.posts("Liked")
    await town.settle()
    liked = Uri.parse(f"{town['de'].node.origin}/posts/{slug}")
    post, like = a_post(marie), an_act(marie, Like, object=liked)
    old = a_post(marie, title="Old")
    new = a_post(marie, id=old.id, title="New", updated=old.published + timedelta(minutes=1))
    late = [a_create(marie, post), like, a_create(marie, old)]
    takes_back = [an_act(marie, Delete, object=post.id), an_act(marie, Undo, object=like.id)]
    for early in (*takes_back, an_act(marie, Update, object=new, to=new.to)):
        assert 202 == (await says(marie, town["de"], early)).status
    await town["de"].reopen()
    for activity in late:
        assert 202 == (await marie.sends(town["de"], render.activity(activity))).status
    await town.settle()

    assert ["Liked", "New"] == sorted(await town["de"].titles())
    assert [] == await rows(town["de"].node, "select 1 from likes")
    assert [] == await rows(town["de"].node, "select 1 from notifications")
