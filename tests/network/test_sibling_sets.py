"""N3: nothing of an instance comes by a third one to anybody with whom that instance does not speak itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from federation import render, sibling_sets
from federation.signatures import Profile, sign
from federation.uri import Uri
from federation.vocabulary import Update
from federation.wire import Response
from instance.services.errors import Rejected
from instance.services.publishing import CommentDraft, PostDraft
from tests.doorway import an_act, reads, send_as_instance
from tests.network.apart import (
    SET,
    People,
    listen,
    people_of,
    thread_with_everybody,
    traces,
    tries_everything,
    two_apart,
)
from tests.network.scene import Liar, Visitor, home_uri
from tests.town import Network, Person, Place, refused, rows

FR, DE, IT = "https://fr.example", "https://de.example", "https://it.example"


async def state_of(place: Place, origin: str = FR) -> str:
    """Why a sibling's set does not count; empty where it does."""
    return str(place.node.sets.shown(origin).code)


async def context_of(town: Network, post: Uri, reader: str = "it") -> list[str]:
    """What Germany lists of a thread for a reader."""
    answer = await reads(town[reader], town["de"], post.target + "/context")
    assert 200 == answer.status
    found = json.loads(answer.body)
    assert len(found["orderedItems"]) == found["totalItems"]
    return list(found["orderedItems"])


async def answers_at(place: Place) -> set[str]:
    """The answers an instance has, without markup."""
    return {text.removeprefix("<p>").removesuffix("</p>") for text in await place.answers()}


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


# ── who may read it, and who is believed ──


async def test_a_set_is_for_active_siblings_instances_alone(town: Network, tmp_path: Any) -> None:
    """Six members and hosts alone; unsigned, a stranger, somebody paused, a doctor and a query are refused."""
    fr, de, it = town["fr"], town["de"], town["it"]
    stranger, anna = await town.add(tmp_path, "es"), await de.doctor("anna")
    await stranger.admits(fr)
    await fr.node.siblings.set_policy(IT, "pause", "test", "an internal note")
    answer = await reads(de, fr, SET)
    key = await de.node.keys.signing_key(anna.uri, Profile.CAVAGE)
    by_doctor = await fr.request(
        "GET", SET, sign("GET", Uri.parse(FR + SET), None, key, Profile.CAVAGE, fr.node.clock())
    )
    document = json.loads(answer.body)

    assert (200, "application/json") == (answer.status, answer.headers["content-type"].partition(";")[0])
    assert {"id", "sequence", "issued", "validUntil", "siblings", "proof"} == document.keys()
    assert [DE] == document["siblings"]
    assert (401, "not_signed") == refused(await fr.request("GET", SET, {"Host": "fr.example"}))
    assert (403, "not_a_sibling") == refused(await reads(stranger, fr, SET))
    assert (403, "sibling_paused") == refused(await reads(it, fr, SET))
    assert (404, "not_found") == refused(by_doctor)
    assert (404, "not_found") == refused(await reads(de, fr, SET + "?all=1"))


async def test_a_new_sibling_is_told_of_once_and_only_to_who_had_the_old_set(town: Network, tmp_path: Any) -> None:
    """France admits Spain: Germany and Italy are told at once, in one message each, and read it."""
    await town.settle()
    quiet = await rows(town["fr"].node, "select count(*) as n from activities")
    spain = await town.add(tmp_path, "es")
    await town["fr"].admits(spain)
    await spain.admits(town["fr"])
    await town.settle()
    told = await rows(town["fr"].node, "select d.origin from deliveries d join activities a on a.uri = d.activity")

    assert 0 == quiet[0]["n"]
    assert [DE, IT] == sorted(row["origin"] for row in told)
    assert {3} == {town[name].node.sets.shown(FR).siblings for name in ("de", "it")}


async def test_whoever_has_read_a_set_hears_of_the_next_however_short_it_was_true(town: Network, tmp_path: Any) -> None:
    """Spain is admitted, Germany reads the set, Spain is removed within the same moment: Germany hears of it."""
    await town.settle()
    fr, de, spain = town["fr"], town["de"], await town.add(tmp_path, "es")
    await fr.admits(spain)
    town.clock.move(hours=1)
    await de.node.sets.poll_due()
    with_spain = de.node.sets([FR], spain.node.origin)
    await fr.node.siblings.remove(spain.node.origin, "test", "test")
    await town.settle()

    assert "" == with_spain
    assert "outside_sibling_set" == de.node.sets([FR], spain.node.origin)


def _served(key: Any, place: Place, **changes: Any) -> Callable[[dict[str, Any]], Response]:
    """France's set with Italy in it, signed by this key."""

    def answer(_: dict[str, Any]) -> Response:
        document = {**sibling_sets.write(FR, {DE, IT}, 99, place.node.clock()), **changes}
        return Response(200, {"content-type": "application/json"}, sibling_sets.seal(document, key, place.node.clock()))

    return answer


async def lies(town: Network, name: str) -> Callable[[dict[str, Any]], Any]:
    """What somebody before France answers Germany in the place of France's set."""
    fr, it = town["fr"], town["it"]
    own, theirs = await fr.node.keys.proof_key(fr.node.actor), await it.node.keys.proof_key(it.node.actor)
    luca = await it.doctor("liar")
    known = json.loads((await reads(town["de"], fr, SET)).body)
    as_json = {"content-type": "application/json"}
    earlier = town.clock.now

    def older(_: dict[str, Any]) -> Response:
        return Response(200, as_json, sibling_sets.seal(sibling_sets.write(FR, {DE, IT}, 99, earlier), own, earlier))

    found: dict[str, Callable[[dict[str, Any]], Any]] = {
        "set_not_signed": lambda true: Response(
            200, as_json, json.dumps({name: value for name, value in true.items() if name != "proof"}).encode()
        ),
        "set_bad_signature": lambda true: Response(
            200, as_json, json.dumps({**true, "siblings": [DE, "https://es.example", IT]}).encode()
        ),
        "set_of_another": _served(theirs, fr),
        "set_key_not_pinned": _served(await fr.node.keys.proof_key((await fr.doctor("other")).uri), fr),
        "set_malformed": lambda _: Response(200, as_json, b"[]"),
        "set_not_shown": lambda _: Response(404, as_json, b"{}"),
        "set_too_old": lambda _: Response(200, as_json, json.dumps(known).encode()),
        "set_rolled_back": older,
    }  # fmt: skip
    assert luca.uri
    return found[name]


@pytest.mark.parametrize(
    ("code", "minutes"),
    [
        ("set_not_signed", 61), ("set_bad_signature", 61), ("set_of_another", 61), ("set_key_not_pinned", 61),
        ("set_malformed", 61), ("set_not_shown", 61), ("set_too_old", 61), ("set_rolled_back", 1),
    ],
)  # fmt: skip
async def test_a_set_that_does_not_hold_has_nobody_in_it(town: Network, code: str, minutes: int) -> None:
    """Whatever answers in France's place, Germany closes at once, says why, and opens when France itself is heard."""
    people = await people_of(town)
    post, made = await thread_with_everybody(town, people, "federation")
    marie = home_uri(town["fr"], made["marie"], "comments")
    before, lie = await context_of(town, post), await lies(town, code)
    town.clock.move(minutes=minutes)
    if code == "set_rolled_back":  # a newer one is known, and the older one is young enough still
        await town["fr"].node.siblings.set_policy(IT, "pause", "test", "test")
        await town.settle()
        before = [*await context_of(town, post), marie]
        await announce(town)
    liar = Liar(town["fr"], SET, lie)
    await town.settle()
    closed, state = await context_of(town, post), await state_of(town["de"])
    liar.honest()
    if code == "set_rolled_back":
        await town["fr"].node.siblings.set_policy(IT, "inherit", "test", "test")
    town.clock.move(minutes=20)
    await town.settle()

    assert marie in before
    assert (code, False) == (state, marie in closed)
    assert ("", True) == (await state_of(town["de"]), marie in await context_of(town, post))


async def announce(town: Network, of: str = FR, by: str = "fr") -> Response:
    """An instance says to Germany that a set has changed."""
    place = town[by]
    actor = place.node.actor
    update = Update(
        id=Uri.parse(f"{place.node.origin}/activities/told-{len(town.contacts)}"), actor=actor, to=(),
        published=town.clock.now, object=Uri.parse(of + SET),
    )  # fmt: skip
    return await send_as_instance(place, town["de"], update)


async def test_nobody_but_itself_announces_an_instances_set(town: Network) -> None:
    """Italy and a French doctor say that France's set has changed: Germany asks nobody, and nothing closes."""
    people = await people_of(town)
    post, _ = await thread_with_everybody(town, people, "federation")
    asked = len([each for each in town.contacts if each.url.endswith(SET)])
    by_other = await announce(town, by="it")
    update = an_act(people.marie, Update, object=Uri.parse(FR + SET))
    by_doctor = await people.marie.sends(town["de"], render.activity(update))
    await town.settle()

    assert asked == len([each for each in town.contacts if each.url.endswith(SET)])
    assert 4 == len(await context_of(town, post))
    assert 202 != by_other.status
    assert 202 == by_doctor.status  # kept, and refused when it is worked off: only an instance announces its set
    assert "" == await state_of(town["de"])


async def test_until_it_is_read_again_a_set_that_has_changed_has_nobody_in_it(town: Network) -> None:
    """France says that its set has changed and then hangs: from that message on Germany shows nothing more of it."""
    people = await people_of(town)
    post, made = await thread_with_everybody(town, people, "federation")
    answer = await announce(town)
    town.down.add("fr")
    await town.settle()
    closed, state = await context_of(town, post), await state_of(town["de"])
    await town["de"].reopen()
    reopened = await context_of(town, post)
    town.down.clear()
    town.clock.move(minutes=2)
    await town.settle()

    assert 202 == answer.status
    assert home_uri(town["fr"], made["marie"], "comments") not in closed
    assert "set_announced" == state
    assert closed == reopened
    assert 4 == len(await context_of(town, post))


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


async def test_who_never_read_a_set_is_not_told_of_its_change(tmp_path: Any) -> None:
    """France lists both before Germany lists France: nothing is said to Germany that it would refuse, so its queue
    goes on at once when it does. The twin: once it has read the set, it is told of the next change."""
    town = await Network.open(tmp_path, "fr", "de", "it", "es", introduced=False)
    fr, de, it, es = (town[name] for name in ("fr", "de", "it", "es"))
    lanes = "select failures, alarm from lanes where origin = 'https://de.example'"
    for other in (de, it):
        await fr.admits(other)
        await fr.node.workers.run_until_quiet()
    early = [contact for contact in town.contacts if contact.method == "POST"]
    for one, other in ((de, fr), (de, it), (it, fr), (it, de)):
        await one.admits(other)
    await town.settle()
    known = await state_of(de)
    before = len(town.contacts)
    await fr.admits(es)
    await fr.node.workers.run_until_quiet()
    told = {contact.url.partition("/inbox")[0] for contact in town.contacts[before:] if contact.method == "POST"}
    found = [tuple(row) for row in await rows(fr.node, lanes)]
    await town.close()

    assert [] == early
    assert "" == known
    assert {DE, IT} == told
    assert [(0, "")] == found


async def test_after_older_rows_were_put_back_everybody_is_told(tmp_path: Any) -> None:
    """They do not know who has read the set since; the twin is above."""
    town = await Network.open(tmp_path, "fr", "de", "it", "es", introduced=False)
    fr, de, it, es = (town[name] for name in ("fr", "de", "it", "es"))
    for one, other in ((fr, de), (fr, it), (de, fr), (it, fr)):
        await one.admits(other)
    await fr.node.workers.run_until_quiet()
    await fr.node.logs.before_copy()
    await fr.reopen()
    before = len(town.contacts)
    await fr.admits(es)
    await fr.node.workers.run_until_quiet()
    told = {contact.url.partition("/inbox")[0] for contact in town.contacts[before:] if contact.method == "POST"}
    await town.close()

    assert {DE, IT} <= told


@pytest.mark.parametrize(("status", "state"), [(401, ""), (403, "set_not_shown"), (404, "set_not_shown")])
async def test_a_clock_that_is_off_for_a_while_closes_nothing(town: Network, status: int, state: str) -> None:
    """A 401 tells of a signature and not of a set: the last one counts until it runs out. A no is one at once."""
    await town.settle()
    fr, de = town["fr"], town["de"]
    Liar(fr, SET, lambda _: Response(status, {"content-type": "application/json"}, b"{}"))
    town.clock.move(hours=1)
    await de.node.sets.poll_due()
    soon = await state_of(de)
    town.clock.move(hours=6)
    await de.node.sets.poll_due()

    assert state == soon
    assert "" != await state_of(de)
