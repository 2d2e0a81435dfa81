"""Everything doctors do between two countries, on PostgreSQL: the same rows as on SQLite."""

from __future__ import annotations

import asyncio

import pytest

from federation.vocabulary import Flag
from instance.services.errors import Rejected
from instance.services.publishing import CommentDraft, PostDraft
from tests.doorway import a_comment, a_create, a_post, an_act, reads, says
from tests.faults.postgres.conftest import rows

pytestmark = [pytest.mark.faults, pytest.mark.postgres, pytest.mark.xdist_group("postgres")]


def draft(title: str, **changes) -> PostDraft:
    """A case as typed."""
    values = {"kind": "case", "title": title, "text": "Made up.", "specialties": ("cardiology",),
              "audience": "federation", "language": "en", **changes}  # fmt: skip
    return PostDraft(**values)


async def test_the_story(network):
    """A follow, a case, an answer, thanks, a recommendation, an edit, a report and a withdrawal cross the border."""
    town = await network("fr", "de", "it")
    fr, de = town["fr"], town["de"]
    marie, anna = await fr.doctor("marie"), await de.doctor("anna")
    await marie.follows(anna)
    await town.settle()
    assert [(marie.uri, anna.uri, "accepted")] == await rows(fr.node, "select follower, followee, state from follows")
    assert [(marie.uri, anna.uri, "accepted")] == await rows(de.node, "select follower, followee, state from follows")

    slug = await anna.posts("Ataxia")
    uri = f"{de.node.origin}/posts/{slug}"
    await town.settle()
    (here,) = await rows(fr.node, f"select slug from posts where uri = '{uri}'")
    answer = await fr.node.publishing.comment(marie.uri, here[0], CommentDraft(text="Ask for the CSF.", language="en"))
    await fr.node.publishing.like(marie.uri, here[0])
    await fr.node.publishing.recommend(marie.uri, here[0])
    await town.settle()
    for place in ("fr", "de", "it"):
        assert [("<p>Ask for the CSF.</p>",)] == [
            (content.strip(),) for (content,) in await rows(town[place].node, "select content from comments")
        ]
    assert [(marie.uri,)] == await rows(de.node, "select actor from likes")
    assert [(marie.uri,)] == await rows(de.node, "select actor from recommendations")
    told = await rows(de.node, f"select kind from notifications where doctor = '{anna.uri}' order by kind")
    assert ["answer", "followed", "like", "recommended"] == [kind for (kind,) in told]

    await de.node.publishing.edit(anna.uri, slug, draft("Ataxia, mended"))
    await fr.node.publishing.edit_comment(marie.uri, answer, CommentDraft(text="Ask again.", language="en"))
    await fr.node.publishing.report(marie.uri, here[0], "advertising")
    await fr.node.publishing.unlike(marie.uri, here[0])
    town.clock.move(minutes=1)
    await town.settle()
    assert [("Ataxia, mended",)] == await rows(fr.node, "select title from posts")
    assert [(2,)] == await rows(fr.node, "select count(*) from revisions")
    assert [] == await rows(de.node, "select actor from likes")

    await de.node.publishing.withdraw(anna.uri, slug)
    await town.settle()
    for place in ("fr", "de", "it"):
        assert [] == await rows(town[place].node, "select title from posts")
    assert {("done",)} == set(await rows(de.node, "select distinct state from deliveries"))


async def test_every_audience(network):
    """Colleagues, named doctors and the nation: kept, sent and forwarded as on SQLite."""
    town = await network("fr", "de", "it")
    marie, anna, luca = (
        await town["fr"].doctor("marie"), await town["de"].doctor("anna"), await town["it"].doctor("luca"),
    )  # fmt: skip
    await marie.follows(anna)
    await luca.follows(anna)
    await town.settle()
    colleagues = await anna.posts("For colleagues", audience="colleagues")
    await anna.posts("For Marie", audience="named", named=(marie.address,))
    await anna.posts("For Germany", audience="national")
    await town.settle()
    (here,) = await rows(town["fr"].node, "select slug from posts where slug <> '' and title = 'For colleagues'")
    passed_on = CommentDraft(text="Passed on by the home.", language="en")
    await town["fr"].node.publishing.comment(marie.uri, here[0], passed_on)
    await town.settle()

    assert [("For Marie",), ("For colleagues",)] == await rows(town["fr"].node, "select title from posts order by 1")
    assert [("For colleagues",)] == await rows(town["it"].node, "select title from posts")
    assert 1 == len(await rows(town["it"].node, "select content from comments"))
    assert 200 == (await reads(town["fr"], town["de"], f"/posts/{colleagues}")).status


async def test_an_administrator_on_postgres(network):
    """Suspend, reinstate, rotate, renew, pause, resume, remove: each commits, and siblings hear of it."""
    town = await network("fr", "de")
    fr, de = town["fr"], town["de"]
    marie = await fr.doctor("marie")
    await marie.posts("Before")
    await town.settle()
    await fr.node.people.suspend("marie", by="test", reason="test")
    await town.settle()
    assert [("suspended",)] == await rows(de.node, f"select standing from doctors where uri = '{marie.uri}'")
    await fr.node.people.reinstate("marie", by="test", reason="test")
    await town.settle()
    await marie.posts("After")
    await town.settle()
    for policy in ("pause", "read-only", "inherit"):
        await de.node.siblings.set_policy(fr.node.origin, policy, by="test", reason="test")
        await de.node.siblings.preview(fr.node.origin, "remove")
    await de.node.workers.housekeep()
    await fr.node.workers.housekeep()
    assert 1 == len(await de.node.siblings.list())
    assert [] == await fr.node.store.check()
    await de.node.siblings.remove(fr.node.origin, by="test", reason="test")
    assert [] == await de.node.siblings.list()


async def test_ten_copies_at_once_on_ten_connections(network):
    """F23, F40: PostgreSQL has many writers at once: still one row, one notice."""
    town = await network("fr", "de")
    marie, anna = await town["fr"].doctor("marie"), await town["de"].doctor("anna")
    slug = await anna.posts("Asked")
    await town.settle()
    answer = a_create(marie, a_comment(marie, f"{town['de'].node.origin}/posts/{slug}"))
    answers = await asyncio.gather(
        *(says(marie, town["de"], answer, target=target) for target in ["/inbox", "/doctors/anna/inbox"] * 5)
    )

    assert [202] * 10 == [one.status for one in answers]
    assert [(1,)] == await rows(town["de"].node, "select count(*) from comments")
    assert [(1,)] == await rows(town["de"].node, "select count(*) from notifications")


async def test_a_create_and_its_delete_at_once_leave_nothing(network):
    """F24 on many writers: whichever is first, nothing of it is there in the end."""
    from federation.vocabulary import Delete

    town = await network("fr", "de")
    marie = await town["fr"].doctor("marie")
    await marie.posts("First contact")
    await town.settle()
    for _ in range(15):
        post = a_post(marie)
        acts = [a_create(marie, post), an_act(marie, Delete, object=post.id)]
        answers = await asyncio.gather(*(says(marie, town["de"], act) for act in acts))
        assert [202, 202] == [one.status for one in answers]
    await town.settle()

    assert [("Delete", "applied", 15)] == await rows(
        town["de"].node, "select type, state, count(*) from inbound where type = 'Delete' group by type, state"
    )

    assert [("First contact",)] == await rows(town["de"].node, "select title from posts")


async def test_a_burst_of_guesses_is_counted_on_many_connections(network):
    """A111: twelve wrong passwords at once: five are looked at, the rest is told to wait."""
    town = await network("fr")
    await town["fr"].doctor("marie")

    async def guess() -> str:
        try:
            await town["fr"].node.people.sign_in("marie", "wrong-wrong-wrong", "127.0.0.1")
        except Rejected as error:
            return error.code
        return ""

    codes = await asyncio.gather(*(guess() for _ in range(12)))
    assert {"wrong_credentials": 5, "too_many_attempts": 7} == {code: codes.count(code) for code in set(codes)}


async def test_an_hour_holds_thirty_posts_on_many_connections(network):
    """Limits: thirty posts an hour, though they come at once."""
    town = await network("fr")
    marie = await town["fr"].doctor("marie")

    async def post(number: int) -> bool:
        try:
            await marie.posts(f"Post {number}")
        except Rejected:
            return False
        return True

    kept = await asyncio.gather(*(post(number) for number in range(40)))
    assert 30 == sum(kept)


async def test_a_report_from_abroad(network):
    """A Flag opens a report with its coded reason."""
    town = await network("fr", "de")
    marie, anna = await town["fr"].doctor("marie"), await town["de"].doctor("anna")
    slug = await anna.posts("Reported")
    await town.settle()
    from federation.uri import Uri

    uri = Uri.parse(f"{town['de'].node.origin}/posts/{slug}")
    answer = await says(marie, town["de"], an_act(marie, Flag, objects=(uri,), reason="advertising"))

    assert 202 == answer.status
    assert 1 == len(await rows(town["de"].node, "select reason from reports"))
