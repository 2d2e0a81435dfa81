"""Colleagues across instances: contact rules, mutes, removed followers, and doctors who are found by name."""

from __future__ import annotations

import pytest

from instance.services.contact import ContactRules
from instance.services.errors import Missing, Rejected
from instance.times import to_ms
from instance.views import doctors
from tests.network.scene import Visitor
from tests.network.test_leaving import leaves
from tests.town import Person, Place, rows


@pytest.fixture
async def town(network):
    """France and Germany, each listing the other."""
    return await network("fr", "de")


async def follow_states(place: Place, follower: Person, followee: Person) -> list[str]:
    """How the follow stands at this place."""
    found = await rows(
        place.node, f"select state from follows where follower = '{follower.uri}' and followee = '{followee.uri}'"
    )
    return [row["state"] for row in found]


async def told(person: Person) -> list[tuple[str, str]]:
    """What a doctor was told, and of whom."""
    found = await rows(
        person.place.node, f"select kind, actor from notifications where doctor = '{person.uri}' order by id"
    )
    return [(row["kind"], row["actor"]) for row in found]


async def found_at(place: Place, reader: Person, *words: str) -> list[str]:
    """Who is found there by these words."""
    wanted = doctors.Wanted(words=tuple(words))
    page = await doctors.find(place.node.store, reader.uri, wanted, to_ms(place.node.clock()))
    return [row.address for row in page.doctors]


# ── who may follow ──


@pytest.mark.parametrize(
    ("rule", "specialty", "followed", "outcome"),
    [
        ("everybody", "dermatology", False, "accepted"),
        ("near", "cardiology", False, "accepted"),
        ("near", "dermatology", False, "rejected"),
        ("followed", "cardiology", False, "rejected"),
        ("followed", "dermatology", True, "accepted"),
        ("nobody", "cardiology", True, "rejected"),
    ],
)
async def test_a_follow_from_a_sibling_is_answered_by_the_rule(town, rule, specialty, followed, outcome):
    """Inside the rule it is accepted; outside it is answered Reject, both ends know, and nobody is told of it."""
    fr, de = town["fr"], town["de"]
    marie = await fr.doctor("marie")
    anna = await de.doctor("anna", specialty=specialty)
    if followed:
        await marie.follows(anna)
        await town.settle()
    before = await told(marie)
    await fr.node.contact.set_rules(marie.uri, ContactRules(follow=rule))

    await anna.follows(marie)
    await town.settle()

    assert [outcome] == await follow_states(de, anna, marie)
    assert (["accepted"] if outcome == "accepted" else []) == await follow_states(fr, anna, marie)
    new = (await told(marie))[len(before) :]
    assert ([("followed", anna.uri)] if outcome == "accepted" else []) == new


async def test_whoever_follows_already_goes_on(town):
    """A rule is for what comes: a follower from before stays, and asks again without harm."""
    fr, de = town["fr"], town["de"]
    marie, anna = await fr.doctor("marie"), await de.doctor("anna")
    await anna.follows(marie)
    await town.settle()
    await fr.node.contact.set_rules(marie.uri, ContactRules(follow="nobody"))

    await anna.follows(marie)
    await town.settle()

    assert ["accepted"] == await follow_states(fr, anna, marie)
    assert ["accepted"] == await follow_states(de, anna, marie)


async def test_a_rule_holds_at_home_too(town):
    """A doctor of the same instance is refused with a reason; one inside the rule is not."""
    fr = town["fr"]
    marie, paul = await fr.doctor("marie"), await fr.doctor("paul", specialty="dermatology")
    await fr.node.contact.set_rules(marie.uri, ContactRules(follow="followed"))

    with pytest.raises(Rejected) as refused:
        await paul.follows(marie)
    assert "follow_closed" == refused.value.code
    assert [] == await follow_states(fr, paul, marie)
    await marie.follows(paul)
    await paul.follows(marie)
    assert ["accepted"] == await follow_states(fr, paul, marie)


# ── who may name ──


@pytest.mark.parametrize(("rule", "heard"), [("near", True), ("nobody", False)])
async def test_a_naming_from_a_sibling_is_a_notice_inside_the_rule_alone(town, rule, heard):
    """The post comes all the same, and can be read: only the notice depends on the rule."""
    fr, de = town["fr"], town["de"]
    marie, anna = await fr.doctor("marie"), await de.doctor("anna")
    await fr.node.contact.set_rules(marie.uri, ContactRules(name=rule))

    await anna.posts("T-7", audience="named", named=(marie.address,))
    await town.settle()

    assert ([("named", anna.uri)] if heard else []) == await told(marie)
    assert {"T-7"} == await (await Visitor.of(marie)).titles("/feed?tab=all")


async def test_who_may_not_name_is_told_so_at_home(town):
    """A post that names a doctor outside their rule is not published; one that names another is."""
    fr = town["fr"]
    marie, paul, lea = await fr.doctor("marie"), await fr.doctor("paul"), await fr.doctor("lea")
    await fr.node.contact.set_rules(marie.uri, ContactRules(name="nobody"))

    with pytest.raises(Rejected) as refused:
        await paul.posts("For Marie", audience="named", named=("marie",))
    await paul.posts("For Lea", audience="named", named=("lea",))

    assert ("named_closed", "named") == (refused.value.code, refused.value.field)
    assert ["For Lea"] == await fr.titles()
    assert [("named", paul.uri)] == await told(lea)


async def test_an_answer_to_oneself_is_no_naming(town):
    """Whoever lets nobody name them still hears of answers to what they wrote."""
    fr, de = town["fr"], town["de"]
    marie, anna = await fr.doctor("marie"), await de.doctor("anna")
    slug = await marie.posts("T-1")
    await fr.node.contact.set_rules(marie.uri, ContactRules(name="nobody"))
    await town.settle()

    await anna.comments(f"{fr.node.origin}/posts/{slug}", "Yes.")
    await town.settle()

    assert [("answer", anna.uri)] == await told(marie)


# ── mutes ──


async def test_the_muted_give_no_notice_and_are_told_nothing(town):
    """Answers and follows of somebody muted count, without a notice; unmuted, the next is one. Nothing is sent."""
    fr, de = town["fr"], town["de"]
    marie, anna = await fr.doctor("marie"), await de.doctor("anna")
    slug = await marie.posts("T-1")
    await anna.posts("T-2")
    await town.settle()
    contacts = len(town.contacts)
    await fr.node.contact.mute(marie.uri, anna.uri)
    await town.settle()

    assert contacts == len(town.contacts)
    await anna.comments(f"{fr.node.origin}/posts/{slug}", "One.")
    await anna.follows(marie)
    await town.settle()
    assert [] == await told(marie)
    assert ["accepted"] == await follow_states(fr, anna, marie)
    await fr.node.contact.unmute(marie.uri, anna.uri)
    await anna.comments(f"{fr.node.origin}/posts/{slug}", "Two.")
    await town.settle()
    assert [("answer", anna.uri)] == await told(marie)


async def test_who_has_left_is_muted_and_listed_no_more(town):
    """With a sibling's doctor their place on lists and among the muted goes."""
    fr, de = town["fr"], town["de"]
    marie, anna = await fr.doctor("marie"), await de.doctor("anna")
    await anna.posts("T-1")
    await town.settle()
    made = await fr.node.lists.make(marie.uri, "Heart")
    await fr.node.lists.put(marie.uri, made, anna.uri)
    await fr.node.contact.mute(marie.uri, anna.uri)

    await leaves(anna)
    await town.settle()

    assert [] == await rows(fr.node, "select * from mutes")
    assert [] == await rows(fr.node, "select * from list_members")


# ── a removed follower ──


async def test_a_removed_follower_reads_no_further(town):
    """Removing says Reject on the wire: both ends agree, and what is written for followers is not sent any more."""
    fr, de = town["fr"], town["de"]
    marie, anna = await fr.doctor("marie"), await de.doctor("anna")
    await anna.follows(marie)
    await town.settle()
    visitor = await Visitor.of(marie)
    assert 200 == (await visitor.get("/colleagues/followers")).status

    assert 303 == (await visitor.post(f"/doctors/anna@{de.node.authority}/remove")).status
    await town.settle()
    await marie.posts("For followers", audience="colleagues")
    await town.settle()

    assert ["rejected"] == await follow_states(fr, anna, marie)
    assert ["rejected"] == await follow_states(de, anna, marie)
    assert [] == await de.titles()


async def test_a_request_is_withdrawn(town):
    """A question that is taken back is a question no more at either end."""
    fr, de = town["fr"], town["de"]
    marie, anna = await fr.doctor("marie"), await de.doctor("anna")
    approving = await rows(de.node, f"select updated_at from doctors where uri = '{anna.uri}'")
    assert approving
    await de.node.people.set_profile(anna.uri, "", ["en"], True)
    await marie.follows(anna)
    await town.settle()
    assert [("follow_asked", marie.uri)] == await told(anna)

    assert 303 == (await (await Visitor.of(marie)).post(f"/doctors/anna@{de.node.authority}/unfollow")).status
    await town.settle()

    assert [] == await told(anna)
    assert [] == await follow_states(de, marie, anna)


# ── by card, by link, by name ──


@pytest.mark.parametrize(
    "typed", ["anna@de.example", "@anna@de.example", "@Anna@de.example ", "https://de.example/doctors/anna",
              "https://de.example/doctors/anna/", "https://de.example/doctors/anna?next=%2F"],
)  # fmt: skip
async def test_a_card_leads_to_the_page_at_home(town, typed):
    """What was read aloud or scanned leads to the doctor's page at one's own instance."""
    fr, de = town["fr"], town["de"]
    marie, _ = await fr.doctor("marie"), await de.doctor("anna")
    answer = await (await Visitor.of(marie)).get("/contact?" + _query(typed))

    assert (303, "/doctors/anna@de.example") == (answer.status, answer.headers["location"])


@pytest.mark.parametrize(
    "typed",
    ["nobody@de.example", "anna@evil.example", "https://evil.example/doctors/anna", "https://de.example/posts/anna",
     "https://de.example/doctors/", "javascript:alert(1)", "https://de.example:444/doctors/anna", "anna", "@", "\u202e"],
)  # fmt: skip
async def test_a_card_of_nobody_leads_nowhere(town, typed):
    """Whatever is no doctor of the federation: the form again, and no stranger is asked."""
    fr, de = town["fr"], town["de"]
    marie, _ = await fr.doctor("marie"), await de.doctor("anna")
    answer = await (await Visitor.of(marie)).get("/contact?" + _query(typed))

    assert 200 == answer.status
    assert b"contact_unknown" in answer.body
    assert [] == [contact.url for contact in town.contacts if "evil" in contact.url or ":444" in contact.url]


def _query(who: str) -> str:
    from urllib.parse import urlencode

    return urlencode({"who": who})


async def test_who_scans_without_a_session_sees_nothing(town):
    """The link of a card leads to the sign-in, which says what the link says and no more, whoever it is."""
    fr = town["fr"]
    await fr.doctor("marie")
    pages = []
    for handle in ("marie", "noone"):
        asked = {"Host": fr.node.authority, "Accept": "text/html"}
        answer = await fr.request("GET", f"/doctors/{handle}", asked)
        assert 303 == answer.status
        page = await fr.request("GET", answer.headers["location"], asked)
        pages.append(page.body.decode().replace(handle, "HANDLE"))

    assert pages[0] == pages[1]
    assert "@HANDLE@fr.example" in pages[0]
    assert "Dr " not in pages[0]


# ── lists ──


async def test_lists_are_their_owners_alone(town):
    """Another's list is as if it were not there, by page and by form; the owner's is."""
    fr = town["fr"]
    marie, paul, lea = await fr.doctor("marie"), await fr.doctor("paul"), await fr.doctor("lea")
    made = await fr.node.lists.make(marie.uri, "Heart team")
    owner, other = await Visitor.of(marie), await Visitor.of(paul)
    await owner.get(f"/lists/{made}")
    await other.get("/lists")

    assert 303 == (await owner.post("/doctors/lea/list", list=made)).status
    shown = await owner.get(f"/lists/{made}")
    hidden, none = await other.get(f"/lists/{made}"), await other.get("/lists/01ARZ3NDEKTSV4RRFFQ69G5FAV")
    assert b"Dr Lea" in shown.body
    assert (404, 404) == (hidden.status, none.status)
    assert hidden.body.replace(made.encode(), b"") == none.body.replace(b"01ARZ3NDEKTSV4RRFFQ69G5FAV", b"")
    assert 404 == (await other.post("/doctors/lea/list", list=made)).status
    assert 404 == (await other.post(f"/lists/{made}/rename", name="Mine")).status
    assert 404 == (await other.post(f"/lists/{made}/delete")).status
    assert [lea.uri] == [row["doctor"] for row in await rows(fr.node, "select doctor from list_members")]


async def test_a_list_shows_what_its_reader_may_see(town):
    """Posts of the members under the one rule; nothing of a member who is muted, and nobody of a blocked one."""
    fr = town["fr"]
    marie, lea, paul = await fr.doctor("marie"), await fr.doctor("lea"), await fr.doctor("paul")
    made = await fr.node.lists.make(marie.uri, "Heart")
    for each in (lea, paul):
        await fr.node.lists.put(marie.uri, made, each.uri)
    await lea.posts("T-1")
    await lea.posts("T-2", audience="colleagues")
    await paul.posts("T-3")
    visitor = await Visitor.of(marie)

    assert {"T-1", "T-3"} == await visitor.titles(f"/lists/{made}")
    await fr.node.contact.mute(marie.uri, paul.uri)
    assert {"T-1"} == await visitor.titles(f"/lists/{made}")
    await fr.node.follows.block(lea.uri, marie.uri)
    assert set() == await visitor.titles(f"/lists/{made}")
    assert b"Dr Lea" not in (await visitor.get(f"/lists/{made}")).body


async def test_lists_have_limits(town, monkeypatch):
    """Fifty lists, five hundred doctors, each name once: more is refused, and nothing of it kept."""
    from instance.services import lists

    monkeypatch.setattr(lists, "MAX_LISTS", 2)
    monkeypatch.setattr(lists, "MAX_MEMBERS", 1)
    fr = town["fr"]
    marie, lea, paul = await fr.doctor("marie"), await fr.doctor("lea"), await fr.doctor("paul")
    one = await fr.node.lists.make(marie.uri, "Heart")
    await fr.node.lists.put(marie.uri, one, lea.uri)
    await fr.node.lists.put(marie.uri, one, lea.uri)

    async def refused(act: object) -> str:
        with pytest.raises(Rejected) as found:
            await act  # type: ignore[misc]
        return found.value.code

    assert "list_name_taken" == await refused(fr.node.lists.make(marie.uri, " HEART "))
    assert "list_name_missing" == await refused(fr.node.lists.make(marie.uri, " \u200b "))
    assert "list_name_long" == await refused(fr.node.lists.make(marie.uri, "x" * 61))
    await fr.node.lists.make(marie.uri, "Lung")
    assert "too_many_lists" == await refused(fr.node.lists.make(marie.uri, "Third"))
    assert "list_full" == await refused(fr.node.lists.put(marie.uri, one, paul.uri))
    assert "not_listable" == await refused(fr.node.lists.put(marie.uri, one, marie.uri))
    assert "list_name_taken" == await refused(fr.node.lists.rename(marie.uri, one, "lung"))
    assert [lea.uri] == [row["doctor"] for row in await rows(fr.node, "select doctor from list_members")]


async def test_nobody_learns_of_a_block_from_a_list(town):
    """Who blocked the reader cannot be listed, like somebody nobody knows; a blocked one comes off every list."""
    fr = town["fr"]
    marie, lea, paul = await fr.doctor("marie"), await fr.doctor("lea"), await fr.doctor("paul")
    made = await fr.node.lists.make(marie.uri, "Heart")
    await fr.node.follows.block(lea.uri, marie.uri)
    await fr.node.lists.put(marie.uri, made, paul.uri)
    await fr.node.follows.block(marie.uri, paul.uri)

    with pytest.raises(Missing):
        await fr.node.lists.put(marie.uri, made, lea.uri)
    assert [] == await rows(fr.node, "select * from list_members")
