"""Effects of what siblings send: each once, whatever the order, and nothing that is another's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from federation.uri import Uri
from federation.vocabulary import Accept, Announce, Delete, Flag, Follow, Like, Reject, Undo, Update
from instance.services.people import NewDoctor
from tests.doorway import a_comment, a_create, a_post, an_act, count, kept, says, send_as_instance
from tests.town import PASSWORD, Network, Person, Place, refused, rows


@pytest.fixture
async def town(tmp_path: Any) -> AsyncIterator[Network]:
    """France and Germany, which list each other."""
    network = await Network.open(tmp_path, "fr", "de")
    yield network
    await network.close()


@pytest.fixture
async def anna(town: Network) -> Person:
    """A verified doctor in Germany."""
    return await town["de"].doctor("anna")


@pytest.fixture
async def marie(town: Network) -> Person:
    """A verified doctor in France."""
    return await town["fr"].doctor("marie")


@pytest.fixture
def fr(town: Network) -> Place:
    """Where the effects happen."""
    return town["fr"]


async def column(place: Place, sql: str) -> list[Any]:
    """The first column of a query."""
    return [row[0] for row in await rows(place.node, sql)]


# ── order ──


async def test_a_delete_before_its_create_wins(anna, fr):
    """A52, F23: the Create is answered 202 and dropped."""
    post = a_post(anna)
    await says(anna, fr, an_act(anna, Delete, object=post.id))

    answer = await says(anna, fr, a_create(anna, post))

    assert 202 == answer.status
    assert 0 == await count(fr, "posts")


async def test_an_update_before_its_create_is_kept_and_the_create_changes_nothing(anna, fr):
    """F23: the same state as in order."""
    post = a_post(anna)
    newer = a_post(anna, id=post.id, title="Newer", updated=post.published + timedelta(minutes=1))
    await says(anna, fr, an_act(anna, Update, object=newer, to=newer.to))
    await says(anna, fr, a_create(anna, post))

    assert ["Newer"] == await fr.titles()


async def test_an_undo_before_what_it_undoes_wins(anna, marie, fr):
    """F23: neither the like nor the follow comes to life."""
    slug = await marie.posts("Ours")
    like = an_act(anna, Like, object=Uri.parse(f"{fr.node.origin}/posts/{slug}"))
    follow = an_act(anna, Follow, object=marie.uri)

    for act in (like, follow):
        await says(anna, fr, an_act(anna, Undo, object=act.id))
        await says(anna, fr, act)

    assert (0, 0) == (await count(fr, "likes"), await count(fr, "follows"))


async def test_a_comment_before_its_post_is_counted_when_the_post_comes(anna, fr):
    """J6: kept hidden until the case is here."""
    post = a_post(anna)
    await says(anna, fr, a_create(anna, a_comment(anna, post.id)))
    before = await count(fr, "comments")
    await says(anna, fr, a_create(anna, post))

    assert 1 == before
    assert [1] == await column(fr, "select answers from posts")


async def test_an_older_update_changes_nothing(anna, fr):
    """Only a newer version replaces; the version before stays in the history, once."""
    post = a_post(anna)
    await says(anna, fr, a_create(anna, post))
    for minutes, title in ((2, "Second"), (1, "Late")):
        changed = a_post(anna, id=post.id, title=title, updated=post.published + timedelta(minutes=minutes))
        await says(anna, fr, an_act(anna, Update, object=changed, to=changed.to))

    assert ["Second"] == await fr.titles()
    assert ["Made-up case"] == await column(fr, "select title from revisions")


# ── what is another's ──


async def test_update_delete_and_undo_of_what_is_anothers_are_refused(town, anna, marie, fr):
    """A41 to A43: 403, and the thing survives."""
    berta = await town["de"].doctor("berta")
    post = a_post(anna)
    like = an_act(anna, Like, object=post.id)
    await says(anna, fr, a_create(anna, post))
    await says(anna, fr, like)
    stolen = a_post(berta, id=post.id, title="Stolen", updated=post.published + timedelta(minutes=1))

    answers = [
        refused(await says(berta, fr, act))
        for act in (
            an_act(berta, Update, object=stolen, to=stolen.to),
            an_act(berta, Delete, object=post.id),
            an_act(berta, Delete, object=anna.uri),
            an_act(berta, Undo, object=like.id),
        )
    ]
    await town.settle()

    assert [(403, "not_the_owner")] * 2 == answers[:2]
    assert (403, "not_the_owner") == answers[3]
    assert ["Made-up case"] == await fr.titles()
    assert [None] == await column(fr, f"select gone_at from doctors where uri = '{anna.uri}'")
    assert 1 == await count(fr, "likes")


async def test_an_answer_nobody_asked_for_makes_no_relation(town, anna, marie, fr):
    """A44: an Accept out of the blue, and one to what was asked of another."""
    berta = await town["de"].doctor("berta")
    await marie.follows(anna)
    asked = Uri.parse((await column(fr, "select id from follows"))[0])

    blue = await says(anna, fr, an_act(anna, Accept, object=Uri.parse("https://fr.example/activities/none")))
    other = await says(berta, fr, an_act(berta, Accept, object=asked))

    assert (403, "no_such_relation") == refused(blue) == refused(other)
    assert ["pending"] == await column(fr, "select state from follows")


async def test_a_reject_ends_what_was_accepted(town, anna, marie, fr):
    """S12: a rejected follow adds nobody, and an Accept after it neither."""
    await marie.follows(anna)
    await town.settle()
    asked = Uri.parse((await column(fr, "select id from follows"))[0])

    await says(anna, fr, an_act(anna, Reject, object=asked))
    late = await says(anna, fr, an_act(anna, Accept, object=asked))

    assert (403, "no_such_relation") == refused(late)
    assert ["rejected"] == await column(fr, "select state from follows")


# ── audiences ──


@pytest.mark.parametrize("audience", ["colleagues", "national"])
async def test_a_reply_into_a_closed_thread_is_refused_like_one_into_none(anna, marie, fr, audience):
    """A54: a thread of ours that the sender may not see answers byte for byte as one that does not exist."""
    slug = await marie.posts("Closed", audience=audience)

    closed = await says(anna, fr, a_create(anna, a_comment(anna, f"{fr.node.origin}/posts/{slug}")))
    missing = await says(anna, fr, a_create(anna, a_comment(anna, f"{fr.node.origin}/posts/none")))

    assert (403, "not_visible") == refused(closed)
    assert (closed.status, closed.body) == (missing.status, missing.body)
    assert 0 == await count(fr, "comments")


async def test_an_announce_never_widens(town, anna, marie, fr):
    """A99: a recommendation of a colleagues' case to everybody is refused; inside the audience it counts."""
    await says(anna, fr, an_act(anna, Follow, object=marie.uri))
    slug = await marie.posts("For colleagues", audience="colleagues")
    post = Uri.parse(f"{fr.node.origin}/posts/{slug}")
    everybody = Uri.parse("https://esanum.example/ns/federation/v1#VerifiedDoctors")

    wide = await says(anna, fr, an_act(anna, Announce, object=post, to=(everybody,)))
    inside = await says(anna, fr, an_act(anna, Announce, object=post, to=(marie.uri,)))

    assert (403, "audience_widened") == refused(wide)
    assert 202 == inside.status
    assert 1 == await count(fr, "recommendations")


async def test_an_update_may_narrow_the_audience_and_never_widen_it(anna, marie, fr):
    """A narrower audience is the author's to choose; a wider one is refused."""
    post = a_post(anna)
    await says(anna, fr, a_create(anna, post))
    narrow = a_post(anna, id=post.id, to=(marie.uri,), updated=post.published + timedelta(minutes=1))
    wide = a_post(anna, id=post.id, updated=post.published + timedelta(minutes=2))

    narrowed = await says(anna, fr, an_act(anna, Update, object=narrow, to=narrow.to))
    widened = await says(anna, fr, an_act(anna, Update, object=wide, to=wide.to))

    assert 202 == narrowed.status
    assert (403, "audience_widened") == refused(widened)
    assert ["named"] == await column(fr, "select audience from posts")


async def test_a_named_doctor_is_told_and_nobody_else(town, anna, marie, fr):
    """A case for named doctors: a notice for each of ours who is named."""
    await town["fr"].doctor("paul")
    post = a_post(anna, to=(marie.uri,))
    await says(anna, fr, a_create(anna, post))

    found = await rows(fr.node, "select doctor, kind from notifications")
    assert [(marie.uri, "named")] == [tuple(row) for row in found]


async def test_a_colleagues_comment_is_passed_on_to_followers_abroad(tmp_path, town, anna, marie, fr):
    """S8, S9: the home of the thread forwards with the author's proof; who does not follow gets nothing."""
    it, es = await town.add(tmp_path, "it"), await town.add(tmp_path, "es")
    for place in (it, es):
        for other in (fr, town["de"]):
            await place.admits(other)
            await other.admits(place)
    await it.admits(es)
    await es.admits(it)
    luca = await it.doctor("luca")
    for follower in (anna, luca):
        await follower.follows(marie)
    await town.settle()
    slug = await marie.posts("For colleagues", audience="colleagues")
    await town.settle()

    await anna.comments(f"{fr.node.origin}/posts/{slug}", "Between colleagues.")
    await town.settle()

    assert 1 == len(await fr.answers()) == len(await it.answers())
    assert [] == await es.answers()


# ── follows ──


async def test_a_follow_is_answered_at_once_or_waits_for_a_yes(town, anna, marie, fr):
    """Accept without being asked where the doctor chose so; else pending, with a notice."""
    paul = await fr.doctor("paul")
    await fr.node.people.set_profile(paul.uri, "", ("en",), True)

    await says(anna, fr, an_act(anna, Follow, object=marie.uri))
    await says(anna, fr, an_act(anna, Follow, object=paul.uri))

    states = dict([tuple(row) for row in await rows(fr.node, "select followee, state from follows")])
    assert {marie.uri: "accepted", paul.uri: "pending"} == states
    assert ["Accept"] == await column(fr, "select type from activities where type in ('Accept', 'Reject')")
    kinds = await column(fr, "select kind from notifications order by kind")
    assert ["follow_asked", "followed"] == kinds


async def test_a_follow_that_stands_is_told_of_once(anna, marie, fr):
    """Sent again, also once the doctor waits to be asked, it is accepted again and nobody is told of a request."""
    await says(anna, fr, an_act(anna, Follow, object=marie.uri))
    await fr.node.people.set_profile(marie.uri, "", ("en",), True)

    await says(anna, fr, an_act(anna, Follow, object=marie.uri))

    assert ["Accept", "Accept"] == await column(fr, "select type from activities where type = 'Accept'")
    assert ["followed"] == await column(fr, "select kind from notifications")


async def test_a_blocked_follower_is_rejected_and_not_told_of(anna, marie, fr):
    """Block stays at home; what leaves is a Reject."""
    await says(anna, fr, a_create(anna))
    await fr.node.follows.block(marie.uri, f"anna@{anna.place.node.authority}")

    await says(anna, fr, an_act(anna, Follow, object=marie.uri))

    assert 0 == await count(fr, "follows")
    assert ["Reject"] == await column(fr, "select type from activities")
    assert 0 == await count(fr, "notifications")


async def test_a_follow_of_nobody_is_refused(anna, fr):
    """A doctor of ours who does not exist: not visible."""
    answer = await says(anna, fr, an_act(anna, Follow, object=Uri.parse("https://fr.example/doctors/nobody")))

    assert (403, "not_visible") == refused(answer)


# ── withdrawing ──


async def test_a_withdrawn_post_leaves_nothing_behind(anna, marie, fr):
    """Text, thread, history, thanks and notices go; a tombstone stays (A108)."""
    post = a_post(anna, to=(marie.uri,))
    await says(anna, fr, a_create(anna, post))
    changed = a_post(anna, id=post.id, to=post.to, title="Two", updated=post.published + timedelta(minutes=1))
    await says(anna, fr, an_act(anna, Update, object=changed, to=changed.to))
    await says(anna, fr, a_create(anna, a_comment(anna, post.id, to=post.to)))
    await says(anna, fr, an_act(anna, Delete, object=post.id))

    tables = ("posts", "comments", "revisions", "mentions", "post_specialties")
    assert [0] * len(tables) == [await count(fr, table) for table in tables]
    assert [post.id] == await column(fr, "select uri from tombstones")
    assert {b""} == set(await column(fr, "select body from inbound"))


async def test_a_doctor_who_leaves_takes_everything_with_them(town, anna, marie, fr):
    """Delete of oneself: posts, comments and follows go, and the name."""
    await says(anna, fr, a_create(anna))
    await says(anna, fr, an_act(anna, Follow, object=marie.uri))

    await says(anna, fr, an_act(anna, Delete, object=anna.uri))
    await town.settle()

    found = await rows(fr.node, f"select name, standing from doctors where uri = '{anna.uri}'")
    assert [("", "gone")] == [tuple(row) for row in found]
    assert (0, 0) == (await count(fr, "posts"), await count(fr, "follows"))
    assert (403, "no_credential") == refused(await says(anna, fr, a_create(anna)))


async def test_the_instance_withdraws_for_a_doctor_who_may_not_speak(town, anna, fr):
    """Housekeeping: an erasure does not wait for a credential."""
    post = a_post(anna)
    await says(anna, fr, a_create(anna, post))

    act = an_act(Person(town["de"], "actor", town["de"].node.actor), Delete, object=post.id)
    answer = await send_as_instance(town["de"], fr, act)

    assert 202 == answer.status
    assert [] == await fr.titles()


# ── reports, faults ──


async def test_a_report_reaches_the_moderators(town, anna, fr, marie):
    """Flag by the instance actor: a report and a notice for each moderator."""
    slug = await marie.posts("Reported")
    moderator = NewDoctor(
        handle="paul", name="Dr Paul", role="specialist", country="FR", specialties=("cardiology",),
        password=PASSWORD, roles=("moderator",),
    )  # fmt: skip
    uri, _ = await fr.node.people.add_doctor(moderator, by="test")

    flag = Flag(
        id=Uri.parse("https://de.example/activities/flag"), actor=town["de"].node.actor,
        objects=(Uri.parse(f"{fr.node.origin}/posts/{slug}"),), reason="identifiable",
    )  # fmt: skip
    answer = await send_as_instance(town["de"], fr, flag)

    assert 202 == answer.status
    assert ["identifiable"] == await column(fr, "select reason from reports")
    assert [uri] == await column(fr, "select doctor from notifications where kind = 'reported'")


async def test_an_activity_that_raises_is_quarantined_after_five_tries(town, anna, fr, monkeypatch):
    """F32: the row stands still, the rest goes on."""

    async def raises(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(fr.node.apply._relations, "like", raises)
    answer = await says(anna, fr, an_act(anna, Like, object=anna.uri))
    for _ in range(6):
        await fr.node.inbound.apply_next()
        town.clock.move(hours=1)
    await says(anna, fr, a_create(anna))

    assert 202 == answer.status
    assert [("Like", "failed"), ("Create", "applied")] == await kept(fr)


async def test_what_failed_once_is_applied_at_the_next_try(town, anna, fr, monkeypatch):
    """A passing fault costs a try, never the message."""

    async def raises(*_: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(fr.node.apply._posts, "keep_post", raises)
        await says(anna, fr, a_create(anna))
    await fr.reopen()
    await fr.node.inbound.apply_next()

    assert [("Create", "applied")] == await kept(fr)
    assert ["Made-up case"] == await fr.titles()


async def test_a_bare_update_is_read_at_its_home(town, anna, fr):
    """An Update that names only an address: the object is read at its home, signed, and replaces the old."""
    slug = await anna.posts("First")
    await town.settle()
    uri = Uri.parse(f"{anna.place.node.origin}/posts/{slug}")
    town.clock.move(minutes=1)

    answer = await says(anna, fr, an_act(anna, Update, object=uri))
    await town.settle()

    assert 202 == answer.status
    assert ("Update", "applied") in await kept(fr)
    assert ["First"] == await fr.titles()


async def test_a_suspension_of_somebody_never_seen_changes_nothing(town, anna, fr):
    """A sibling that never met the doctor has nothing to take away: no row, no fault; who is known stays known."""
    await anna.posts("Known")
    await town["de"].doctor("otto")
    await town.settle()

    await town["de"].node.people.suspend("otto", by="test", reason="test")
    await town.settle()

    assert ("Update", "applied") == (await kept(fr))[-1]
    assert [] == await column(fr, "select uri from doctors where handle = 'otto'")
    assert ["ok"] == await column(fr, "select standing from doctors where handle = 'anna'")


async def test_the_key_of_an_instance_is_never_a_doctors(town, anna, fr):
    """The instance key signs for the instance: as a doctor it is an actor mismatch."""
    answer = await send_as_instance(town["de"], fr, a_create(anna))

    assert (403, "actor_mismatch") == refused(answer)
