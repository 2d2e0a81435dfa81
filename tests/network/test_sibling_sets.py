"""N3: nothing of an instance comes by a third one to anybody with whom that instance does not speak itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from federation.uri import Uri
from instance.services.errors import Rejected
from instance.services.publishing import CommentDraft, PostDraft
from tests.doorway import reads
from tests.network.apart import (
    DE,
    FR,
    IT,
    People,
    answers_at,
    context_of,
    listen,
    people_of,
    state_of,
    thread_with_everybody,
    traces,
    tries_everything,
    two_apart,
)
from tests.network.scene import Visitor, home_uri
from tests.town import Network, Person, rows


async def much_happens(town: Network, people: People) -> tuple[Uri, dict[str, str]]:
    """Marie says and does everything she can where Germany passes things on, and Anna whatever names Marie's things."""
    marie, anna = people.marie, people.anna
    fr, de = town["fr"], town["de"]
    post, made = await thread_with_everybody(town, people, "federation")
    circle, inner = await thread_with_everybody(town, people, "colleagues")
    own = {
        audience: await marie.posts(f"Marie's {audience}", audience=audience)
        for audience in ("federation", "colleagues")
    }
    await marie.posts("Marie's for Anna", audience="named", named=(anna.address,))
    await town.settle()
    for audience in own:
        uri = home_uri(fr, own[audience])
        await anna.comments(uri, f"Anna on Marie's {audience}")
        await de.node.publishing.like(anna.uri, await anna.slug_of(uri))
        await de.node.publishing.recommend(anna.uri, await anna.slug_of(uri))
    for uri in (post, circle):
        await fr.node.publishing.like(marie.uri, await marie.slug_of(uri))
    await fr.node.publishing.recommend(marie.uri, await marie.slug_of(post))
    await town.settle()
    # Versions, a report, thanks and recommendations taken back, withdrawals.
    await fr.node.publishing.edit_comment(
        marie.uri, inner["marie"], CommentDraft(text="Mended by Marie", language="en")
    )
    await de.node.publishing.edit_comment(
        anna.uri, inner["to marie"], CommentDraft(text="Anna to Marie, mended", language="en")
    )  # fmt: skip
    await de.node.publishing.report(anna.uri, await anna.slug_of(home_uri(fr, own["federation"])), "advertising")
    await town.settle()
    await de.node.publishing.unlike(anna.uri, await anna.slug_of(home_uri(fr, own["federation"])))
    await de.node.publishing.unrecommend(anna.uri, await anna.slug_of(home_uri(fr, own["federation"])))
    await fr.node.publishing.withdraw_comment(marie.uri, inner["marie"])
    await de.node.publishing.withdraw_comment(anna.uri, inner["to marie"])
    await town.settle()
    await town.catch_up()
    return post, made


async def test_nothing_of_an_instance_comes_to_another_by_their_common_sibling(network: Any) -> None:
    """France and Italy are not siblings, Germany is with both: whatever happens, Italy never hears of France by it."""
    town = await two_apart(network)
    told = listen(town)
    people = await people_of(town)
    post, made = await much_happens(town, people)
    it, de = town["it"], town["de"]
    shown = await tries_everything(it, de)
    reader = await Visitor.of(people.luca)
    page = await reader.text(f"/posts/{await people.luca.slug_of(post)}?lang=en")
    await it.node.threads.poll_due()
    again = await reader.text(f"/posts/{await people.luca.slug_of(post)}?lang=en")

    assert 20 < len(told.texts)
    assert [] == told.of("fr.example")
    assert [] == told.of("marie")
    assert {} == {target: text for target, text in shown.items() if "fr.example" in text}
    assert [] == await traces(it, "fr.example")
    assert "not here yet" not in page + again
    assert "Anna to luca: federation" in again
    # What is Germany's own and Italy's own came: Italy has every answer but those of Marie and those to her.
    assert {"Anna's federation", "Anna's colleagues"} == set(await it.titles())
    assert {
        f"{who}: {audience}" if "to" in who else f"{who} answers {audience}"
        for who in ("luca", "Anna to luca")
        for audience in ("federation", "colleagues")
    } == await answers_at(it)
    # … and so did Marie's to Germany, which shows them to its own and to France.
    assert {"marie answers federation", "Anna to marie: federation"} <= await answers_at(de)
    assert home_uri(town["fr"], made["marie"], "comments") in await context_of(town, post, "fr")
    # The other way round it is the same: Italy's own things stay from France.
    assert [] == await traces(town["fr"], "it.example")


async def test_between_siblings_of_each_other_all_of_it_is_passed_on(town: Network) -> None:
    """The twin: where France lists Italy too, Italy has Marie's answers, and Anna's to her, by the home of the thread."""
    people = await people_of(town)
    told = listen(town)
    post, made = await thread_with_everybody(town, people, "colleagues")
    wide, _ = await thread_with_everybody(town, people, "federation")

    assert told.of("marie answers colleagues")
    assert {"marie answers colleagues", "Anna to marie: colleagues"} <= await answers_at(town["it"])
    assert {"marie answers federation", "Anna to marie: federation"} <= await answers_at(town["it"])
    assert {home_uri(town["fr"], made["marie"], "comments")} <= set(await context_of(town, post))
    assert 4 == len(await context_of(town, wide))


async def test_who_asks_two_doctors_apart_is_told_so(network: Any) -> None:
    """A post that names Marie and Luca would tell each of the other: it is refused; to one of them it goes."""
    town = await two_apart(network)
    people = await people_of(town)

    def asking(*others: Person) -> PostDraft:
        return PostDraft(
            kind="case", title="For you", text="Made up.", specialties=("cardiology",), audience="named",
            language="en", named=tuple(other.address for other in others),
        )  # fmt: skip

    publish = town["de"].node.publishing.publish
    with pytest.raises(Rejected) as caught:
        await publish(people.anna.uri, asking(people.marie, people.luca))
    await publish(people.anna.uri, asking(people.luca))
    await town.settle()

    assert ("named_apart", "named") == (caught.value.code, caught.value.field)
    assert ["For you"] == await town["it"].titles()
    assert [] == await town["fr"].titles()


async def test_where_a_doctor_came_from_or_went_is_told_to_siblings_of_both_homes(network: Any) -> None:
    """Luca follows two in Germany: one who came from France, one who goes there. Italy never reads where; France does."""
    town = await two_apart(network)
    fr, de, it = town["fr"], town["de"], town["it"]
    people = await people_of(town)
    old, came = people.marie, await de.doctor("marie")
    goes = await fr.doctor("anna")
    told = listen(town)
    await de.node.relocations.claim(came.uri, old.address)
    await fr.node.relocations.claim(goes.uri, people.anna.address)
    await came.posts("From here now")
    await town.settle()
    shown = {place: (await reads(town[place], de, "/doctors/marie")).body.decode() for place in ("it", "fr")}
    await de.node.relocations.leave(people.anna.uri, goes.address, "anna")
    await town.settle()
    left = {place: (await reads(town[place], de, "/doctors/anna")).body.decode() for place in ("it", "fr")}
    moves = await rows(
        de.node, "select d.origin from deliveries d join activities a on a.uri = d.activity where a.type = 'Move'"
    )

    assert "From here now" in await it.titles()
    assert ("fr.example" in shown["it"], "fr.example" in shown["fr"]) == (False, True)
    assert "fr.example" not in left["it"]
    assert [] == told.of("fr.example")
    assert [] == await traces(it, "fr.example")
    assert [FR] == [row["origin"] for row in moves]


# ── a set that changes ──


@pytest.mark.parametrize("act", ["remove", "pause", "block"])
async def test_whoever_is_shut_out_hears_nothing_more_by_others(town: Network, act: str) -> None:
    """France shuts Italy out: Germany hears of it at once, and shows, sends and logs nothing more of France's there."""
    people = await people_of(town)
    fr, de, it = town["fr"], town["de"], town["it"]
    post, made = await thread_with_everybody(town, people, "colleagues")
    marie = {home_uri(fr, made["marie"], "comments"), home_uri(de, made["to marie"], "comments")}
    before = set(await context_of(town, post))
    log = await reads(it, de, "/siblings/it.example/log/0")
    outbox = json.loads((await reads(it, de, "/doctors/anna/outbox")).body)["totalItems"]
    # What is on its way when it happens: Italy is away.
    town.down.add("it")
    await people.marie.comments(post, "Marie, while Italy is away")
    await town.settle()
    if act == "remove":
        await fr.node.siblings.remove(IT, "test", "test")
    else:
        await fr.node.siblings.set_policy(IT, act, "test", "test")
    await town.settle()
    town.down.clear()
    told = listen(town)
    town.clock.move(hours=1)
    await town.settle()
    after, shown = set(await context_of(town, post)), await tries_everything(it, de)
    less = json.loads((await reads(it, de, "/doctors/anna/outbox")).body)["totalItems"]

    assert marie <= before
    assert b"marie answers colleagues" in log.body
    assert before - marie == after
    assert outbox - 1 == less  # but for Anna's answer to Marie
    assert [] == told.of("marie answers")
    assert {} == {target: text for target, text in shown.items() if "fr.example" in text}
    assert "Marie, while Italy is away" not in await answers_at(it)
    assert "Marie, while Italy is away" in await answers_at(de)
    dropped = await rows(de.node, f"select last_code from deliveries where origin = '{IT}' and state = 'dropped'")
    assert {"outside_sibling_set"} == {row["last_code"] for row in dropped}


async def test_whoever_is_let_in_again_is_served_again(town: Network) -> None:
    """A pause of an hour: afterwards Italy reads in Germany what Marie says, and what Germany holds of her."""
    people = await people_of(town)
    post, made = await thread_with_everybody(town, people, "federation")
    await town["fr"].node.siblings.set_policy(IT, "pause", "test", "test")
    await town.settle()
    closed = await context_of(town, post)
    town.clock.move(hours=1)
    await town["fr"].node.siblings.set_policy(IT, "inherit", "test", "test")
    await town.settle()

    assert home_uri(town["fr"], made["marie"], "comments") not in closed
    assert home_uri(town["fr"], made["marie"], "comments") in await context_of(town, post)


async def test_whoever_was_paused_is_told_that_the_set_has_changed_meanwhile(town: Network, tmp_path: Any) -> None:
    """Italy may hold a set of before its pause, with Germany in it: resumed, it reads France's anew before anything else."""
    await town.settle()
    fr, it = town["fr"], town["it"]
    await fr.node.siblings.set_policy(IT, "pause", "test", "test")
    await town.settle()
    await fr.node.siblings.remove(DE, "test", "test")
    await town.settle()
    stale = it.node.sets([FR], DE)
    await fr.node.siblings.set_policy(IT, "inherit", "test", "test")
    await town.settle()

    assert "" == stale  # a pause tells nobody anything
    assert "outside_sibling_set" == it.node.sets([FR], DE)


async def test_a_withdrawal_reaches_whoever_holds_what_is_withdrawn(town: Network) -> None:
    """N15 stands: what Italy got of Marie's while it was France's sibling is taken back there; new words do not come."""
    people = await people_of(town)
    post, made = await thread_with_everybody(town, people, "colleagues")
    await town["fr"].node.siblings.remove(IT, "test", "test")
    await town.settle()
    held = await answers_at(town["it"])
    never = await people.marie.comments(post, "Never in Italy")
    await town.settle()
    told = listen(town)
    for slug in (made["marie"], never):
        await town["fr"].node.publishing.withdraw_comment(people.marie.uri, slug)
    await town["de"].node.publishing.withdraw_comment(people.anna.uri, made["to marie"])
    await town.settle()

    assert {"marie answers colleagues", "Anna to marie: colleagues"} <= held
    assert not {"marie answers colleagues", "Anna to marie: colleagues"} & await answers_at(town["it"])
    assert told.of(made["marie"])
    assert [] == told.of(never)


# ── a set that is not known ──


async def test_what_is_not_known_waits_and_nothing_is_shown(town: Network) -> None:
    """France is away for seven hours: Germany shows Italy nothing of France's and sends nothing; then all of it comes."""
    people = await people_of(town)
    post, made = await thread_with_everybody(town, people, "federation")
    fr_post = home_uri(town["fr"], await people.marie.posts("Marie's"))
    await town.settle()
    town.down.add("fr")
    town.clock.move(hours=5)
    await town.settle()
    young = await context_of(town, post)
    town.clock.move(hours=2)
    await town.settle()
    old, state = await context_of(town, post), await state_of(town["de"])
    told = listen(town)
    await people.anna.comments(fr_post, "Anna, while France is away")
    await people.anna.posts("Of Anna alone")
    await town.settle()
    log = json.loads((await reads(town["it"], town["de"], "/siblings/it.example/log/0")).body)
    silent, came = told.of("Anna, while France is away"), await town["it"].titles()
    town.down.clear()
    town.clock.move(hours=1)
    await town.settle()

    assert home_uri(town["fr"], made["marie"], "comments") in young
    assert home_uri(town["fr"], made["marie"], "comments") not in old
    assert "set_expired" == state
    assert [] == silent
    assert "Of Anna alone" in came  # nothing else waits behind it
    assert [] == [entry for entry in log["entries"] if "fr.example" in entry.get("activity", "")]
    assert [] == [entry for entry in log["entries"] if "gone" in entry]  # it is asked for again
    assert "Anna, while France is away" in await answers_at(town["it"])
    assert "" == await state_of(town["de"])


async def test_what_waited_in_vain_is_given_up(town: Network) -> None:
    """After thirty days nothing of it is left in the queue."""
    people = await people_of(town)
    uri = home_uri(town["fr"], await people.marie.posts("Marie's"))
    await town.settle()
    town.down.add("fr")
    town.clock.move(hours=7)
    await people.anna.comments(uri, "In vain")
    await town.settle()
    held = "select count(*) as n from deliveries where state = 'held' and last_code = 'sibling_set_unknown'"
    waiting = (await rows(town["de"].node, held))[0]["n"]
    town.clock.move(days=30)
    await town["de"].node.sets.sweep()

    assert (1, 0) == (waiting, (await rows(town["de"].node, held))[0]["n"])


async def test_who_turns_out_to_be_outside_is_not_sent_what_waited_and_holds_no_copy(town: Network) -> None:
    """While France is away an answer to it waits; when France is back it has removed Italy: nothing goes there, ever."""
    people = await people_of(town)
    uri = home_uri(town["fr"], await people.marie.posts("Marie's"))
    await town.settle()
    town.down.add("fr")
    town.clock.move(hours=7)
    slug = await people.anna.comments(uri, "Waited")
    await town.settle()
    copies = f"select origin from copies where object like '%{slug}' order by origin"
    before = [row["origin"] for row in await rows(town["de"].node, copies)]
    await town["fr"].node.siblings.remove(IT, "test", "test")
    town.down.clear()
    town.clock.move(hours=1)
    await town.settle()
    after = [row["origin"] for row in await rows(town["de"].node, copies)]
    told = listen(town)
    await town["de"].node.publishing.withdraw_comment(people.anna.uri, slug)
    await town.settle()

    assert ([FR, IT], [FR]) == (before, after)
    assert "Waited" not in await answers_at(town["it"])
    assert [] == told.of(slug)


async def test_a_set_is_known_again_after_a_restart(town: Network) -> None:
    """It is kept: a restarted instance shows what it showed, with nobody asked; what has closed stays closed."""
    people = await people_of(town)
    post, _ = await thread_with_everybody(town, people, "federation")
    before = await context_of(town, post)
    await town["de"].reopen()
    asked = len(town.contacts)
    again = await context_of(town, post)

    assert (4, before) == (len(before), again)
    assert asked == len(town.contacts)


async def test_asking_whether_something_is_passed_on_reads_no_row(town: Network) -> None:
    """The decision is a look-up in memory: it is the same with the rows out of reach."""
    await people_of(town)
    de = town["de"].node
    store, de.store = de.store, None  # type: ignore[assignment]
    try:
        found = [de.sets([FR], IT), de.sets([FR, IT], "https://es.example"), de.sets(["https://es.example"], IT)]
    finally:
        de.store = store

    assert ["", "outside_sibling_set", "sibling_set_unknown"] == found
