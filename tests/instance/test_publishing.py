"""Posts: published, mended, withdrawn; who is sent what, and what must never leave."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from instance.services.errors import Rejected
from instance.services.publishing import CODES, PostDraft
from tests.town import Person, rows


async def code_of(attempt: Any) -> tuple[str, str | None]:
    """Code and field an act is refused with."""
    with pytest.raises(Rejected) as refused:
        await attempt
    assert refused.value.code in CODES
    return refused.value.code, refused.value.field


def draft(**changes: Any) -> PostDraft:
    """A made-up case."""
    values = {
        "kind": "case", "title": "A made-up case", "text": "Made **up**.", "specialties": ("cardiology",),
        "audience": "federation", "language": "en", **changes,
    }  # fmt: skip
    return PostDraft(**values)


async def edit(person: Person, slug: str, **changes: Any) -> None:
    """Mend a post."""
    await person.place.node.publishing.edit(person.uri, slug, draft(**changes))


async def queue_of(node: Any) -> list[tuple[str, str, str]]:
    """Every delivery: type, where to, state."""
    sql = "select a.type, d.origin, d.state from deliveries d join activities a on a.uri = d.activity order by d.id"
    return [(row["type"], row["origin"].removeprefix("https://").removesuffix(".example"), row["state"])
            for row in await rows(node, sql)]  # fmt: skip


async def bodies_of(node: Any) -> list[Any]:
    """Every activity as it is sent."""
    found = await rows(node, "select body from activities order by published_at, uri")
    return [orjson.loads(row["body"]) for row in found if row["body"]]


@pytest.fixture
async def town(network) -> Any:
    """Three siblings; Marie in France."""
    found = await network("fr", "de", "it")
    await found["fr"].doctor("marie")
    return found


@pytest.fixture
def marie(town) -> Person:
    """The author."""
    return Person(town["fr"], "marie", f"{town['fr'].node.origin}/doctors/marie")


# ── publishing ──


async def test_a_post_and_what_announces_it_are_one_transaction(town, marie):
    """After the call the row, the activity, a delivery for each sibling and the ledger are there."""
    slug = await marie.posts("Syncope")
    fr = town["fr"].node

    assert [slug] == [row["slug"] for row in await rows(fr, "select slug from posts")]
    assert [("Create", "de", "waiting"), ("Create", "it", "waiting")] == await queue_of(fr)
    assert 2 == len(await rows(fr, "select origin from copies"))


async def test_addresses_stand_on_activity_and_object_alike(town, marie):
    """ActivityPub C8: the Create carries the recipients of its object, and none is public."""
    await marie.posts("Syncope")
    (create,) = await bodies_of(town["fr"].node)

    assert create["to"] == create["object"]["to"]
    assert b"#Public" not in orjson.dumps(create)
    assert create["object"]["id"] + "/context" == create["object"]["context"]


async def test_the_same_form_sent_twice_is_one_post(town, marie):
    """A double click gets the slug of the first."""
    publish = town["fr"].node.publishing.publish
    one = await publish(marie.uri, draft(form_key="k1"))
    other = await publish(marie.uri, draft(form_key="k1", title="Another title"))

    assert one == other
    assert 1 == len(await rows(town["fr"].node, "select slug from posts"))


async def test_a_national_post_never_leaves(town, marie):
    """No activity, no delivery, no copy."""
    await marie.posts("For France", audience="national")
    await town.settle()

    assert [] == await queue_of(town["fr"].node)
    assert [] == await rows(town["fr"].node, "select uri from activities")
    assert [] == await town["de"].titles()


async def test_a_post_for_colleagues_goes_where_followers_are(town, marie):
    """Only the instances of those who follow are sent it."""
    anna = await town["de"].doctor("anna")
    await anna.follows(marie)
    await town.settle()
    await marie.posts("For colleagues", audience="colleagues")
    await town.settle()

    assert ["For colleagues"] == await town["de"].titles()
    assert [] == await town["it"].titles()


async def test_a_post_for_named_doctors_goes_to_their_instances(town, marie):
    """Looked up at the sibling where they are unknown; sent first; they are told."""
    anna, louis = await town["de"].doctor("anna"), await town["fr"].doctor("louis")
    await marie.posts("For two", audience="named", named=(f"@{anna.address}", "louis", "marie"))
    waiting = await rows(town["fr"].node, "select priority from deliveries")
    await town.settle()
    told = await rows(town["de"].node, "select doctor, kind from notifications")

    assert [2] == [row["priority"] for row in waiting]
    assert ["For two"] == await town["de"].titles()
    assert [] == await town["it"].titles()
    assert [(anna.uri, "named")] == [tuple(row) for row in told]
    assert [louis.uri] == [row["doctor"] for row in await rows(town["fr"].node, "select doctor from notifications")]


@pytest.mark.parametrize(
    ("named", "code"),
    [((), "named_missing"), (("marie",), "named_missing"), (("nobody",), "named_unknown"),
     (("nobody@de.example",), "named_unknown"), (("x@es.example",), "named_unknown"),
     (tuple(f"d{n}" for n in range(50)), "too_many_named")],
)  # fmt: skip
async def test_named_doctors_have_to_be_found(town, marie, named, code):
    """Nobody, oneself alone, strangers, and more than fifty are refused with the field."""
    publish = town["fr"].node.publishing.publish

    assert (code, "named") == await code_of(publish(marie.uri, draft(audience="named", named=named)))
    assert [] == await rows(town["fr"].node, "select slug from posts")


@pytest.mark.parametrize("kind", ["news", "study-report", "congress-report"])
async def test_a_kind_outside_the_federation_is_national(town, marie, kind):
    """DESIGN section 4: refused for everybody but one's own country."""
    assert ("kind_not_federated", "audience") == await code_of(marie.posts("News", kind=kind))
    assert await marie.posts("News", kind=kind, audience="national")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"kind": "poem"}, ("bad_kind", "kind")),
        ({"title": " \u200b "}, ("title_missing", "title")),
        ({"title": "x" * 201}, ("title_too_long", "title")),
        ({"text": ""}, ("text_missing", "text")),
        ({"text": "   \n\n "}, ("text_missing", "text")),
        (
            {"text": "&nbsp;"},
            ("text_missing", "text"),
        ),
        ({"text": "x" * 65_600}, ("text_too_long", "text")),
        ({"text": '"' * 40_000}, ("text_too_long", "text")),
        ({"specialties": ()}, ("bad_specialties", "specialties")),
        ({"specialties": ("astrology",)}, ("bad_specialties", "specialties")),
        ({"specialties": ("cardiology", "geriatrics", "dermatology", "neurology")}, ("bad_specialties", "specialties")),
        ({"audience": "public"}, ("bad_audience", "audience")),
        ({"language": "english"}, ("bad_language", "language")),
    ],
)
async def test_a_draft_that_cannot_be_published_names_the_field(town, marie, changes, expected):
    """Nothing is kept of it, and the form can say what to mend."""
    publish = town["fr"].node.publishing.publish

    assert expected == await code_of(publish(marie.uri, draft(**changes)))
    assert [] == await rows(town["fr"].node, "select slug from posts")


async def test_the_longest_text_fits_into_a_message(town, marie):
    """What is accepted here is accepted there: at most 256 KiB on the wire."""
    await marie.posts("Long", text='<p>"é"\n\n' * 1_700)
    await town.settle()

    assert ["Long"] == await town["de"].titles()


async def test_what_is_typed_cannot_run(town, marie):
    """HTML is shown as text, links lose their scripts, images do not load."""
    await marie.posts("x", text="<script>x()</script> [a](javascript:x) ![i](https://evil.example/i.png) **b**")
    content = (await rows(town["fr"].node, "select content from posts"))[0]["content"]

    assert "<script" not in content
    assert "<img" not in content
    assert 'href="javascript' not in content
    assert "<strong>b</strong>" in content


async def test_the_thirty_first_post_of_an_hour_is_refused(town, marie):
    """Withdrawn ones count; an hour later it goes again."""
    publishing = town["fr"].node.publishing
    for number in range(30):
        slug = await marie.posts(f"Post {number}", audience="national")
    await publishing.withdraw(marie.uri, slug)
    refused = await code_of(marie.posts("One more"))
    town.clock.move(hours=1, seconds=1)

    assert ("too_many_posts", None) == refused
    assert await marie.posts("Later")


@pytest.mark.parametrize(("role", "code"), [("retired", "role_not_allowed")])
async def test_a_role_without_the_right_posts_nothing(town, role, code):
    """Retired doctors read and comment."""
    emil = await town["fr"].doctor("emil", role=role)

    assert (code, None) == await code_of(emil.posts("x"))


async def test_a_doctor_of_another_instance_is_nobody_here(town, marie):
    """The service acts for our own doctors alone."""
    anna = await town["de"].doctor("anna")
    await anna.posts("Known")
    await town.settle()

    assert ("no_credential", None) == await code_of(town["fr"].node.publishing.publish(anna.uri, draft()))
    assert ("no_credential", None) == await code_of(town["fr"].node.publishing.publish("https://x.example/y", draft()))


# ── mending ──


async def test_an_edit_keeps_the_earlier_version_and_reaches_every_sibling(town, marie):
    """The history is there, here and abroad."""
    slug = await marie.posts("First", text="one")
    await town.settle()
    town.clock.move(minutes=1)
    await edit(marie, slug, title="Second", text="two")
    await town.settle()

    for place in ("fr", "de", "it"):
        assert ["Second"] == await town[place].titles()
        assert ["First"] == [row["title"] for row in await rows(town[place].node, "select title from revisions")]


@pytest.mark.parametrize(
    ("before", "after"),
    [("national", "federation"), ("national", "colleagues"), ("colleagues", "federation"), ("colleagues", "national"),
     ("named", "federation"), ("named", "national"), ("named", "colleagues")],
)  # fmt: skip
async def test_an_audience_is_never_widened(town, marie, before, after):
    """Whoever would newly see it was not meant when it was written."""
    await town["fr"].doctor("louis")
    slug = await marie.posts("x", audience=before, named=("louis",))

    assert ("audience_widened", "audience") == await code_of(edit(marie, slug, audience=after, named=("louis",)))
    assert [before] == [row["audience"] for row in await rows(town["fr"].node, "select audience from posts")]


@pytest.mark.parametrize("by", ["author", "named"])
async def test_a_block_keeps_either_from_naming_the_other(town, marie, by):
    """Whichever of the two blocked: the answer is the one for an address nobody has, and nothing is kept of it."""
    louis, publishing = await town["fr"].doctor("louis"), town["fr"].node.publishing
    one, other = (marie, louis) if by == "author" else (louis, marie)
    await town["fr"].node.follows.block(one.uri, other.uri)
    asked = [
        await code_of(publishing.publish(marie.uri, draft(audience="named", named=(name,))))
        for name in ("nobody", "louis", "@louis", "louis@fr.example")
    ]
    kept = await rows(town["fr"].node, "select uri from posts")
    await town["fr"].node.follows.unblock(one.uri, other.uri)
    await marie.posts("Together again", audience="named", named=("louis",))

    assert [("named_unknown", "named")] * 4 == asked
    assert [] == kept
    assert ["Together again"] == await town["fr"].titles()


async def test_a_block_keeps_an_author_from_naming_a_doctor_abroad(town, marie):
    """A doctor abroad is found, and cannot be named as long as the author's own block stands."""
    anna = await town["de"].doctor("anna")
    await town["fr"].node.follows.block(marie.uri, anna.address)
    publish = town["fr"].node.publishing.publish

    assert ("named_unknown", "named") == await code_of(
        publish(marie.uri, draft(audience="named", named=(anna.address,)))
    )
    assert [] == await queue_of(town["fr"].node)


async def test_an_edit_tells_nobody_of_a_block(town, marie):
    """Louis was named and has blocked Marie since: her edit is kept, he reads none of it, and she learns nothing.

    The twin: whom she has blocked herself she has to take out, and their instance is told to delete it.
    """
    louis, anna = await town["fr"].doctor("louis"), await town["de"].doctor("anna")
    slug = await marie.posts("For two", audience="named", named=("louis", anna.address))
    await town.settle()
    await town["fr"].node.follows.block(louis.uri, marie.uri)
    town.clock.move(minutes=1)
    await edit(marie, slug, audience="named", named=("louis", anna.address), title="Mended")
    seen = await town["fr"].node.store.one("posts.visible", slug=slug, reader=louis.uri)
    await town["fr"].node.follows.block(marie.uri, anna.address)
    town.clock.move(minutes=1)
    refused = await code_of(edit(marie, slug, audience="named", named=("louis", anna.address)))
    await edit(marie, slug, audience="named", named=("louis",))
    await town.settle()

    assert ("named_unknown", "named") == refused
    assert seen is None
    assert [] == await town["de"].titles()


async def test_an_edit_for_fewer_names_nobody_who_has_blocked(town, marie):
    """From everybody to a few: somebody named anew is asked after like anybody named at first."""
    louis = await town["fr"].doctor("louis")
    slug = await marie.posts("x")
    await town["fr"].node.follows.block(louis.uri, marie.uri)

    assert ("named_unknown", "named") == await code_of(edit(marie, slug, audience="named", named=("louis",)))


async def test_nobody_is_added_to_the_named(town, marie):
    """Leaving somebody out is a narrowing, adding somebody a widening."""
    for handle in ("louis", "paul"):
        await town["fr"].doctor(handle)
    slug = await marie.posts("x", audience="named", named=("louis",))

    refused = await code_of(edit(marie, slug, audience="named", named=("louis", "paul")))
    assert ("audience_widened", "named") == refused


async def test_narrowing_to_national_withdraws_abroad(town, marie):
    """J1.16: the copies are gone everywhere, the post stays at home."""
    slug = await marie.posts("Too much")
    await town.settle()
    town.clock.move(minutes=1)
    await edit(marie, slug, title="Too much", audience="national")
    await town.settle()

    assert ["Too much"] == await town["fr"].titles()
    assert [] == await town["de"].titles() + await town["it"].titles()


async def test_narrowing_to_colleagues_deletes_only_at_those_dropped(town, marie):
    """N18: where a follower is the new version arrives, elsewhere the copy goes."""
    anna = await town["de"].doctor("anna")
    await anna.follows(marie)
    slug = await marie.posts("For all")
    await town.settle()
    town.clock.move(minutes=1)
    await edit(marie, slug, title="For colleagues", audience="colleagues")
    await town.settle()

    assert ["For colleagues"] == await town["de"].titles()
    assert [] == await town["it"].titles()


async def test_what_still_waits_for_those_dropped_is_not_sent(town, marie):
    """A narrowing overtakes the first version that never left."""
    slug = await marie.posts("Too much")
    await edit(marie, slug, audience="national")
    await town.settle()

    assert [] == await town["de"].titles()
    assert {("Create", "dropped"), ("Delete", "done")} >= {
        (kind, state) for kind, _, state in await queue_of(town["fr"].node)
    } - {("Delete", "dead")}


async def test_another_doctors_post_cannot_be_mended_or_withdrawn(town, marie):
    """403 for what one may read, 404 for what one may not."""
    louis = await town["fr"].doctor("louis")
    seen, unseen = await marie.posts("Seen"), await marie.posts("Unseen", audience="colleagues")
    publishing = town["fr"].node.publishing

    assert "not_the_owner" == (await code_of(edit(louis, seen)))[0]
    assert "not_the_owner" == (await code_of(publishing.withdraw(louis.uri, seen)))[0]
    assert "not_found" == (await code_of(edit(louis, unseen)))[0]
    assert "not_found" == (await code_of(publishing.withdraw(louis.uri, unseen)))[0]
    assert ["Seen", "Unseen"] == await town["fr"].titles()


async def test_edits_in_one_moment_arrive_in_order(town, marie):
    """Each version is later than the one before, even where the clock stood still."""
    slug = await marie.posts("First")
    await edit(marie, slug, title="Second")
    await edit(marie, slug, title="Third")
    await town.settle()

    for place in ("fr", "de", "it"):
        assert ["Third"] == await town[place].titles()


# ── withdrawing ──


async def test_a_withdrawn_post_is_gone_everywhere(town, marie):
    """Row, history, mentions and the words in the outbox; abroad the same; a tombstone stays."""
    slug = await marie.posts("Marker-Alpha", text="Marker-Beta")
    await edit(marie, slug, title="Marker-Gamma", text="Marker-Delta")
    await town.settle()
    await town["fr"].node.publishing.withdraw(marie.uri, slug)
    await town.settle()
    fr = town["fr"].node
    tables = ("posts", "revisions", "activities", "deliveries", "notifications", "submissions")
    dump = str([[dict(row) for row in await rows(fr, f"select * from {table}")] for table in tables])

    assert [] == await town["fr"].titles() + await town["de"].titles() + await town["it"].titles()
    assert "Marker" not in dump
    assert ["Article"] == [row["former_type"] for row in await rows(fr, "select former_type from tombstones")]


async def test_a_withdrawal_overtakes_what_still_waits(town, marie):
    """The Create is dropped; the Delete goes to every holder in the ledger, first in its lane."""
    slug = await marie.posts("x")
    await town["fr"].node.publishing.withdraw(marie.uri, slug)
    queue = await queue_of(town["fr"].node)

    assert {("Create", "de", "dropped"), ("Create", "it", "dropped")} <= set(queue)
    assert {("Delete", "de", "waiting"), ("Delete", "it", "waiting")} <= set(queue)
    assert {1, 3} == {row["priority"] for row in await rows(town["fr"].node, "select priority from deliveries")}


async def test_a_withdrawal_reaches_a_paused_sibling_later(town, marie):
    """N15: whoever holds a copy is told, when the pause is over."""
    slug = await marie.posts("x")
    await town.settle()
    siblings = town["fr"].node.siblings
    await siblings.set_policy("https://de.example", "pause", by="admin", reason="x")
    await town["fr"].node.publishing.withdraw(marie.uri, slug)
    await town.settle()
    meanwhile = await town["de"].titles()
    await siblings.set_policy("https://de.example", "inherit", by="admin", reason="x")
    await town.settle()

    assert ["x"] == meanwhile
    assert [] == await town["de"].titles()


async def test_withdrawing_twice_finds_nothing(town, marie):
    """The second time it is not there."""
    slug = await marie.posts("x")
    publishing = town["fr"].node.publishing
    await publishing.withdraw(marie.uri, slug)

    assert ("not_found", None) == await code_of(publishing.withdraw(marie.uri, slug))
