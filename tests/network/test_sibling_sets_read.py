"""The set of an instance's siblings: who may read it, who is told that it has changed, and who is believed."""

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
from tests.doorway import an_act, reads, send_as_instance
from tests.network.apart import DE, FR, IT, SET, context_of, people_of, state_of, thread_with_everybody
from tests.network.scene import Liar, home_uri
from tests.town import Network, Place, refused, rows


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


async def test_clocks_that_were_ahead_keep_no_set_shut(town: Network) -> None:
    """Read while all were two hours ahead: once they are right again it counts as soon as it has been read anew."""
    people = await people_of(town)
    post, made = await thread_with_everybody(town, people, "federation")
    marie = home_uri(town["fr"], made["marie"], "comments")
    town.clock.move(hours=2)
    await town.settle()
    ahead = await state_of(town["de"])
    town.clock.move(hours=-2)
    shut = await context_of(town, post)
    town.clock.move(minutes=20)
    await town.settle()

    assert ("", False) == (ahead, marie in shut)
    assert "" == await state_of(town["de"])
    assert marie in await context_of(town, post)
