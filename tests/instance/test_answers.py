"""Answers, thanks, recommendations and reports: where each goes, and what one may not see one may not touch."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from federation.integrity import check_proof, read_multikey
from instance.services.errors import Rejected
from instance.services.publishing import CODES, CommentDraft, PostDraft
from tests.town import Network, Person, rows


async def code_of(attempt: Any) -> str:
    """The code an act is refused with."""
    with pytest.raises(Rejected) as refused:
        await attempt
    assert refused.value.code in CODES
    return refused.value.code


async def notices_of(person: Person) -> list[tuple[str, str]]:
    """Kind and author of a doctor's notices."""
    found = await rows(
        person.place.node, f"select kind, actor from notifications where doctor = '{person.uri}' order by id"
    )
    return [(row["kind"], row["actor"].rpartition("/")[2]) for row in found]


async def last_sent(node: Any, type_name: str) -> Any:
    """The last activity of a type, as sent."""
    found = await rows(node, f"select body from activities where type = '{type_name}' order by uri desc limit 1")
    return orjson.loads(found[0]["body"])


async def targets_of(node: Any, type_name: str) -> list[str]:
    """Where every activity of a type was queued for."""
    sql = (
        "select d.origin from deliveries d join activities a on a.uri = d.activity "
        f"where a.type = '{type_name}' and a.object like '%/comments/%' order by d.origin"
    )
    return [row["origin"].removeprefix("https://").removesuffix(".example") for row in await rows(node, sql)]


def a_draft(**changes: Any) -> PostDraft:
    """A post as typed."""
    values = {
        "kind": "case", "title": "Open", "text": "Made up.", "specialties": ("cardiology",), "audience": "federation",
        "language": "en", **changes,
    }  # fmt: skip
    return PostDraft(**values)


def uri_of(person: Person, slug: str) -> str:
    """The address of a post at its author's instance."""
    return f"{person.place.node.origin}/posts/{slug}"


async def posts_for_colleagues(town: Network, marie: Person, anna: Person) -> str:
    """A post of Marie's for colleagues, after Anna in Germany and Rosa in Italy have become hers; return its slug."""
    rosa = await town["it"].doctor("rosa")
    await anna.follows(marie)
    await rosa.follows(marie)
    await town.settle()
    slug = await marie.posts("For colleagues", audience="colleagues")
    await town.settle()
    return slug


@pytest.fixture
async def town(network) -> Any:
    """Three siblings."""
    return await network("fr", "de", "it")


@pytest.fixture
async def marie(town) -> Person:
    """In France."""
    return await town["fr"].doctor("marie")


@pytest.fixture
async def anna(town) -> Person:
    """In Germany."""
    return await town["de"].doctor("anna")


# ── answers ──


async def test_an_answer_to_a_federation_post_goes_to_every_sibling(town, marie, anna):
    """The author's instance delivers it directly; the author of the post is told."""
    slug = await marie.posts("Open")
    await town.settle()
    await anna.comments(uri_of(marie, slug), "An idea")
    sent = await targets_of(town["de"].node, "Create")
    await town.settle()

    assert ["fr", "it"] == sent
    for place in ("fr", "de", "it"):
        assert ["<p>An idea</p>"] == await town[place].answers()
    assert [("answer", "anna")] == await notices_of(marie)
    assert [1] == [row["answers"] for row in await rows(town["it"].node, "select answers from posts")]


async def test_an_answer_to_a_colleagues_post_goes_to_its_home(town, marie, anna):
    """The home forwards it to the other followers; nobody else is sent it."""
    slug = await posts_for_colleagues(town, marie, anna)
    await anna.comments(uri_of(marie, slug), "An idea")
    sent = await targets_of(town["de"].node, "Create")
    await town.settle()

    assert ["fr"] == sent
    for place in ("fr", "it"):
        assert ["<p>An idea</p>"] == await town[place].answers()


async def test_an_answer_at_the_home_of_a_colleagues_post_goes_to_the_followers(town, marie, anna):
    """From the home straight to the followers' instances."""
    await anna.follows(marie)
    await town.settle()
    slug = await marie.posts("For colleagues", audience="colleagues")
    await marie.comments(uri_of(marie, slug), "An addition")

    assert ["de"] == await targets_of(town["fr"].node, "Create")


async def test_an_answer_to_a_named_post_goes_to_those_named(town, marie, anna):
    """Between the author and the doctors named, and nobody else."""
    slug = await marie.posts("For Anna", audience="named", named=(anna.address,))
    await town.settle()
    await anna.comments(uri_of(marie, slug), "An idea")
    sent = await targets_of(town["de"].node, "Create")
    create = await last_sent(town["de"].node, "Create")
    await town.settle()

    assert ["fr"] == sent
    assert [marie.uri] == create["to"]
    assert ["<p>An idea</p>"] == await town["fr"].answers()


async def test_an_answer_to_a_national_post_stays(town, marie):
    """No activity arises."""
    slug = await marie.posts("For France", audience="national")
    await marie.comments(uri_of(marie, slug), "An addition")

    assert [] == await rows(town["fr"].node, "select uri from activities")
    assert ["<p>An addition</p>"] == await town["fr"].answers()


async def test_every_answer_carries_its_authors_proof(town, marie, anna):
    """FEP-8b32: the proof holds under the Ed25519 key that the credential binds."""
    slug = await marie.posts("Open")
    await town.settle()
    await anna.comments(uri_of(marie, slug), "An idea")
    create = await last_sent(town["de"].node, "Create")
    method = (await town["de"].node.people.doctor_document("anna")).assertion_methods[0]

    assert method.id == check_proof(create, read_multikey(method.key)).verification_method


async def test_everybody_answered_is_mentioned_and_told_once(town, marie, anna):
    """The author of the parent and of the post, not oneself; the one answered hears `reply`."""
    slug = await marie.posts("Open")
    await town.settle()
    first = await anna.comments(uri_of(marie, slug), "An idea")
    await town.settle()
    louis = await town["fr"].doctor("louis")
    parent = (await rows(town["fr"].node, f"select slug from comments where uri like '%{first}'"))[0]["slug"]
    await louis.comments(uri_of(marie, slug), "I agree", parent_slug=parent)
    tags = (await last_sent(town["fr"].node, "Create"))["object"]["tag"]
    await town.settle()

    assert [anna.uri, marie.uri] == [tag["href"] for tag in tags]
    assert [("answer", "anna"), ("answer", "louis")] == await notices_of(marie)
    assert [("reply", "louis")] == await notices_of(anna)


async def test_the_same_form_sent_twice_is_one_answer(town, marie):
    """A double click gets the first answer."""
    slug = await marie.posts("Open")
    word = CommentDraft(text="An addition", language="en", form_key="k1")
    comment = town["fr"].node.publishing.comment

    assert await comment(marie.uri, slug, word) == await comment(marie.uri, slug, word)
    assert 1 == len(await town["fr"].answers())


async def test_what_one_cannot_see_one_cannot_answer(town, marie):
    """Absent and hidden are one answer; an answer of another thread is no parent."""
    louis = await town["fr"].doctor("louis")
    hidden = await marie.posts("Hidden", audience="colleagues")
    one, other = await marie.posts("One"), await marie.posts("Other")
    there = await marie.comments(uri_of(marie, other), "There")
    comment = town["fr"].node.publishing.comment

    for slug in (hidden, "nothing"):
        assert "not_found" == await code_of(comment(louis.uri, slug, CommentDraft(text="x", language="en")))
    draft = CommentDraft(text="x", language="en", parent_slug=there)
    assert "not_found" == await code_of(comment(louis.uri, one, draft))


async def test_the_hundred_and_twenty_first_answer_of_an_hour_is_refused(town, marie):
    """Answers have a limit of their own."""
    slug = await marie.posts("x", audience="national")
    for number in range(120):
        await marie.comments(uri_of(marie, slug), f"Answer {number}")

    assert "too_many_comments" == await code_of(marie.comments(uri_of(marie, slug), "One more"))


async def test_an_answer_is_mended_everywhere(town, marie, anna):
    """The new version travels with a proof of its own; the old one stays in the history."""
    slug = await marie.posts("Open")
    await town.settle()
    made = await anna.comments(uri_of(marie, slug), "First")
    await town.settle()
    town.clock.move(minutes=1)
    draft = CommentDraft(text="Second", language="en")
    await town["de"].node.publishing.edit_comment(anna.uri, made, draft)
    update = await last_sent(town["de"].node, "Update")
    await town.settle()

    assert "proof" in update
    for place in ("fr", "de", "it"):
        assert ["<p>Second</p>"] == await town[place].answers()
        assert ["<p>First</p>"] == [row["content"] for row in await rows(town[place].node, "select * from revisions")]


async def test_an_answer_is_withdrawn_everywhere(town, marie, anna):
    """Also where the thread's home had forwarded it; the count follows."""
    slug = await posts_for_colleagues(town, marie, anna)
    made = await anna.comments(uri_of(marie, slug), "A mistake")
    await town.settle()
    seen = await town["it"].answers()
    await town["de"].node.publishing.withdraw_comment(anna.uri, made)
    delete = await last_sent(town["de"].node, "Delete")
    await town.settle()

    assert ["<p>A mistake</p>"] == seen
    assert "proof" in delete
    for place in ("fr", "de", "it"):
        assert [] == await town[place].answers()
        assert [0] == [row["answers"] for row in await rows(town[place].node, "select answers from posts")]


async def test_another_doctors_answer_cannot_be_mended_or_withdrawn(town, marie):
    """Only its author may."""
    louis = await town["fr"].doctor("louis")
    slug = await marie.posts("Open")
    made = await marie.comments(uri_of(marie, slug), "Mine")
    publishing = town["fr"].node.publishing

    draft = CommentDraft(text="x", language="en")
    assert "not_the_owner" == await code_of(publishing.edit_comment(louis.uri, made, draft))
    assert "not_the_owner" == await code_of(publishing.withdraw_comment(louis.uri, made))
    assert "not_found" == await code_of(publishing.withdraw_comment(louis.uri, "nothing"))
    assert ["<p>Mine</p>"] == await town["fr"].answers()


async def close_by_block(town: Any, marie: Person, anna: Person, slug: str) -> None:
    """Both live in France; Marie blocks."""
    await town["fr"].node.follows.block(marie.uri, anna.uri)


async def close_by_narrowing(town: Any, marie: Person, anna: Person, slug: str) -> None:
    """Only those who follow Marie read on."""
    await town["fr"].node.publishing.edit(marie.uri, slug, a_draft(audience="colleagues"))


async def close_by_withdrawal(town: Any, marie: Person, anna: Person, slug: str) -> None:
    """The post is gone."""
    await town["fr"].node.publishing.withdraw(marie.uri, slug)


async def close_by_own_block(town: Any, marie: Person, anna: Person, slug: str) -> None:
    """Anna blocks Marie, at home."""
    await anna.place.node.follows.block(anna.uri, marie.uri)


@pytest.mark.parametrize("home", ["fr", "de"])
@pytest.mark.parametrize("close", [close_by_block, close_by_narrowing, close_by_withdrawal, close_by_own_block])
async def test_an_answer_can_be_withdrawn_where_its_discussion_is_closed(town, marie, home, close):
    """Blocked, narrowed, withdrawn: what she said is hers to take back, from every instance that holds it.

    The twin: she cannot mend it, since she would speak to a circle that is not hers any more.
    """
    anna, rosa = await town[home].doctor("anna"), await town["it"].doctor("rosa")
    await rosa.follows(marie)
    await town.settle()
    slug = await marie.posts("Open")
    await town.settle()
    made = await anna.comments(uri_of(marie, slug), "A mistake")
    await town.settle()
    town.clock.move(minutes=1)
    await close(town, marie, anna, slug)
    await town.settle()
    publishing = anna.place.node.publishing
    open_still = home == "de" and close is close_by_block  # a block stays at home: Anna's instance knows nothing of it
    if not open_still:
        assert "not_found" == await code_of(
            publishing.edit_comment(anna.uri, made, CommentDraft(text="Better", language="en"))
        )
    await publishing.withdraw_comment(anna.uri, made)
    await town.settle()

    for place in ("fr", "de", "it"):
        assert [] == await town[place].answers()
        assert [0] * len(await town[place].titles()) == [
            row["answers"] for row in await rows(town[place].node, "select answers from posts")
        ]
    assert "not_found" == await code_of(publishing.withdraw_comment(anna.uri, made))


async def test_a_closed_discussion_opens_nobody_elses_words(town, marie):
    """What is another's stays as if it were not there, for whoever cannot read it."""
    louis, lea = await town["fr"].doctor("louis"), await town["fr"].doctor("lea")
    slug = await marie.posts("Open")
    made = await louis.comments(uri_of(marie, slug), "Mine")
    await town["fr"].node.follows.block(marie.uri, lea.uri)

    assert "not_found" == await code_of(town["fr"].node.publishing.withdraw_comment(lea.uri, made))
    assert ["<p>Mine</p>"] == await town["fr"].answers()


async def test_answers_go_with_the_post_they_belong_to(town, marie, anna):
    """After the post's withdrawal no answer of siblings' doctors is left at home."""
    slug = await marie.posts("Open")
    await town.settle()
    await anna.comments(uri_of(marie, slug), "An idea")
    await town.settle()
    await town["fr"].node.publishing.withdraw(marie.uri, slug)

    assert [] == await town["fr"].answers()
    assert [] == await notices_of(marie)


# ── thanks ──


async def test_thanks_reach_the_author_and_can_be_taken_back(town, marie, anna):
    """Once, however often; gone on both sides after the Undo."""
    slug = await marie.posts("Open")
    await town.settle()
    publishing, there = town["de"].node.publishing, await anna.slug_of(uri_of(marie, slug))
    await publishing.like(anna.uri, there)
    await publishing.like(anna.uri, there)
    await town.settle()
    liked, told = await rows(town["fr"].node, "select actor from likes"), await notices_of(marie)
    await publishing.unlike(anna.uri, there)
    await town.settle()

    assert [anna.uri] == [row["actor"] for row in liked]
    assert [("like", "anna")] == told
    for place in ("fr", "de"):
        assert [] == await rows(town[place].node, "select actor from likes")
    assert [] == await rows(town["it"].node, "select actor from likes")


async def test_nobody_thanks_or_recommends_themselves(town, marie):
    """Own words are thanked for by others."""
    slug = await marie.posts("Open")
    publishing = town["fr"].node.publishing

    assert "own_words" == await code_of(publishing.like(marie.uri, slug))
    assert "own_words" == await code_of(publishing.recommend(marie.uri, slug))


async def test_what_one_cannot_see_one_cannot_thank_for(town, marie):
    """Hidden and absent alike, for every small act."""
    louis = await town["fr"].doctor("louis")
    hidden = await marie.posts("Hidden", audience="colleagues")
    publishing = town["fr"].node.publishing

    for act in (publishing.like, publishing.unlike, publishing.recommend, publishing.unrecommend):
        assert "not_found" == await code_of(act(louis.uri, hidden))
    assert "not_found" == await code_of(publishing.report(louis.uri, hidden, "identity"))


# ── recommendations ──


async def test_a_recommendation_travels_with_a_federation_post_alone(town, marie, anna):
    """To every sibling for what every verified doctor may read; for less, nowhere."""
    await anna.follows(marie)
    await town.settle()
    open_, closed = await marie.posts("Open"), await marie.posts("Closed", audience="colleagues")
    await town.settle()
    publishing = town["de"].node.publishing
    for slug in (open_, closed):
        await publishing.recommend(anna.uri, await anna.slug_of(uri_of(marie, slug)))
    await town.settle()

    for place in ("fr", "it"):
        found = await rows(town[place].node, "select post from recommendations")
        assert [uri_of(marie, open_)] == [row["post"] for row in found]
    await publishing.unrecommend(anna.uri, await anna.slug_of(uri_of(marie, open_)))
    await town.settle()
    assert [] == await rows(town["it"].node, "select post from recommendations")


async def test_a_named_post_is_not_recommended(town, marie):
    """Who was asked by name does not pass it on."""
    louis = await town["fr"].doctor("louis")
    slug = await marie.posts("x", audience="named", named=("louis",))

    assert "not_recommendable" == await code_of(town["fr"].node.publishing.recommend(louis.uri, slug))


# ── reports ──


async def test_a_report_goes_home_without_the_reporters_name(town, marie, anna):
    """The instance signs the Flag; here it is kept who reported, once."""
    slug = await marie.posts("Open")
    await town.settle()
    publishing, there = town["de"].node.publishing, await anna.slug_of(uri_of(marie, slug))
    await publishing.report(anna.uri, there, "identity")
    await publishing.report(anna.uri, there, "identity")
    flag = await last_sent(town["de"].node, "Flag")
    await town.settle()

    assert "https://de.example/actor" == flag["actor"]
    assert "anna" not in orjson.dumps(flag).decode()
    assert 1 == len(await rows(town["de"].node, "select id from reports"))
    assert ["identity"] == [row["reason"] for row in await rows(town["fr"].node, "select reason from reports")]


async def test_a_report_gives_one_of_the_reasons(town, marie):
    """Free text about a case has no place in a report."""
    louis = await town["fr"].doctor("louis")
    slug = await marie.posts("Open")

    assert "bad_reason" == await code_of(town["fr"].node.publishing.report(louis.uri, slug, "I think that …"))
