"""Pairing through faults: whatever gets lost, and whoever dies between which lines, both sides come to the same end."""

from __future__ import annotations

import itertools
from typing import Any

import orjson
import pytest

from federation.pairing import State
from instance.services.pairing_wire import PairingWire
from tests.network.pairing_scene import CLI, DE, FR, asked, confirms, here, lists
from tests.network.test_followers_agree import spoil
from tests.town import Network, Place, rows


class Killed(BaseException):
    """The process ends here: nothing catches it."""


@pytest.fixture
async def pair(network: Any) -> tuple[Network, Place, Place]:
    """France and Germany, which list nobody."""
    town = await network("fr", "de", introduced=False)
    return town, town["fr"], town["de"]


async def passes(town: Network, hours: int = 3) -> None:
    """Let time pass, and everybody work meanwhile."""
    for _ in range(hours * 2):
        town.clock.move(minutes=30)
        await town.settle()
        for place in town.places.values():
            await place.node.pairings.sweep()


async def through(town: Network, fr: Place, de: Place) -> None:
    """The whole way; whoever has to be told is told by and by."""
    await fr.node.pairings.invite(DE, CLI)
    await passes(town)
    await de.node.pairings.read((await here(de, fr)).id, CLI)
    await confirms(fr, de)
    await passes(town)
    await confirms(de, fr, countries=("FR",))
    await passes(town)


async def exchange(town: Network, fr: Place, de: Place) -> list[str]:
    """A post from each to the other."""
    for place in (fr, de):
        await (await place.doctor("marie")).posts(f"Of {place.name}")
    await passes(town, 2)
    return [sorted(await place.titles()) for place in (fr, de)]  # type: ignore[misc]


@pytest.mark.parametrize("verb", ["invite", "confirm"])
@pytest.mark.parametrize("times", [1, 3])
async def test_answers_that_get_lost_are_asked_for_again(pair: Any, verb: str, times: int) -> None:
    """The receiver has done its work and the sender does not know: said again, it is the same."""
    town, fr, de = pair
    left = dict.fromkeys((f"{DE}/siblings/fr.example/pairing", f"{FR}/siblings/de.example/pairing"), times)

    def loses(method: str, url: str, body: bytes) -> bool:
        mine = method == "POST" and left.get(url, 0) > 0 and orjson.loads(body)["pairing"] == verb
        left[url] = left.get(url, 0) - mine
        return mine

    town.loses = loses
    await through(town, fr, de)

    assert ([DE], [FR]) == (lists(fr), lists(de))
    assert [["Of de", "Of fr"]] * 2 == await exchange(town, fr, de)
    assert 1 == [row["act"] for row in await rows(fr.node, "select act from sibling_changes")].count("add")
    assert 1 == [row["act"] for row in await rows(de.node, "select act from sibling_changes")].count("add")


@pytest.mark.parametrize(("who", "when"), list(itertools.product(("fr", "de"), (1, 2, 3))))
async def test_who_dies_before_writing_that_it_was_taken_says_it_again(
    pair: Any, monkeypatch: Any, who: str, when: int
) -> None:
    """The process ends between the other's answer and its own row, and begins again on the same rows."""
    town, fr, de = pair
    true, seen = PairingWire._taken, {"number": 0}

    async def dies(self: PairingWire, pairing: Any) -> None:
        if self._node.origin == f"https://{who}.example":
            seen["number"] += 1
            if seen["number"] == when:
                raise Killed
        await true(self, pairing)

    monkeypatch.setattr(PairingWire, "_taken", dies)

    async def lived(act: Any) -> None:
        try:
            await act
        except Killed:
            await town[who].reopen()

    await fr.node.pairings.invite(DE, CLI)
    await lived(town.settle())
    await passes(town, 1)
    await de.node.pairings.read((await here(de, fr)).id, CLI)
    await confirms(fr, de)
    await lived(town.settle())
    await passes(town, 1)
    await confirms(de, fr, countries=("FR",))
    await lived(town.settle())
    await passes(town, 1)

    assert ([DE], [FR]) == (lists(fr), lists(de))
    assert (State.ACTIVE, State.ACTIVE) == ((await here(fr, de)).state, (await here(de, fr)).state)


async def test_active_on_one_side_is_harmless_and_heals(pair: Any) -> None:
    """Germany has admitted France, which is down: what Germany sends waits, nothing is lost, and it arrives."""
    town, fr, de = pair
    await asked(town, fr, de)
    await confirms(fr, de)
    await town.settle()
    town.down.add("fr")
    await confirms(de, fr, countries=("FR",))
    await (await de.doctor("anna")).posts("Written early")
    await passes(town, 2)
    between = lists(fr), lists(de)
    town.down.clear()
    await passes(town)

    assert ([], [FR]) == between
    assert ([DE], [FR]) == (lists(fr), lists(de))
    assert ["Written early"] == await fr.titles()


async def test_what_arrives_before_the_confirmation_waits(pair: Any) -> None:
    """Only the pairing's own messages get lost: France answers `not_a_sibling`, and Germany's lane begins anew after."""
    town, fr, de = pair
    await asked(town, fr, de)
    await confirms(fr, de)
    await town.settle()
    true, lost = fr.request, {"on": True}

    async def deaf(method: str, target: str, headers: Any, body: bytes = b"") -> Any:
        if lost["on"] and target.endswith("/pairing"):
            from federation.wire import NotReached

            raise NotReached("reset")
        return await true(method, target, headers, body)

    fr.request = deaf  # type: ignore[method-assign]
    await confirms(de, fr, countries=("FR",))
    await (await de.doctor("anna")).posts("Written early")
    await passes(town, 2)
    before = await fr.titles()
    lost["on"] = False
    await passes(town)

    assert [] == before
    assert ([DE], ["Written early"]) == (lists(fr), await fr.titles())


async def test_a_confirmation_at_the_last_moment_still_counts(pair: Any) -> None:
    """Germany confirms an hour before the end and is cut off for a day: whoever had confirmed listens that long."""
    town, fr, de = pair
    await asked(town, fr, de)
    await confirms(fr, de)
    await town.settle()
    town.clock.move(days=6, hours=23)
    town.down.add("fr")
    await confirms(de, fr, countries=("FR",))
    await passes(town, 20)
    town.down.clear()
    await passes(town)

    assert ([DE], [FR]) == (lists(fr), lists(de))


async def test_a_confirmation_that_comes_too_late_is_undone(pair: Any) -> None:
    """France gave up, a day after the end: then Germany's entry, which France never knew of, is taken back."""
    town, fr, de = pair
    await asked(town, fr, de)
    await confirms(fr, de)
    await town.settle()
    town.clock.move(days=6, hours=23)
    town.down.add("fr")
    await confirms(de, fr, countries=("FR",))
    await passes(town, 24)
    before = lists(de)
    await passes(town, 24)
    town.down.clear()
    await passes(town)
    ended = await here(de, fr)

    assert [FR] == before
    assert ([], []) == (lists(fr), lists(de))
    assert (State.EXPIRED, "unanswered", "") == (ended.state, ended.reason, ended.owed)
    changes = await rows(de.node, "select act, by_whom from sibling_changes order by id")
    assert ("remove", "system") == tuple(changes[-1])


async def test_taken_back_while_the_other_confirms(pair: Any) -> None:
    """France takes back what it confirmed just as Germany confirms: both end without each other."""
    town, fr, de = pair
    await asked(town, fr, de)
    await confirms(fr, de)
    await town.settle()
    await fr.node.pairings.decline((await here(fr, de)).id, "not_agreed", CLI)
    await confirms(de, fr, countries=("FR",))
    before = lists(de)
    await passes(town)

    assert [FR] == before
    assert ([], []) == (lists(fr), lists(de))
    assert State.WITHDRAWN == (await here(fr, de)).state
    assert not (await here(de, fr)).open


async def test_what_both_have_taken_nobody_takes_back_by_the_wire(pair: Any) -> None:
    """Once both are siblings an old word ends nothing: a sibling is removed by people."""
    town, fr, de = pair
    await through(town, fr, de)
    name = (await here(fr, de)).name

    async def says(tx: Any) -> None:
        from dataclasses import replace

        from federation.pairing import Verb
        from instance.services import pairing_rows

        found = pairing_rows.read_pairing(await tx.one("pairings.latest_of", origin=DE))
        await pairing_rows.put(tx, found.owing(Verb.WITHDRAW), fr.node.clock())
        assert replace(found).name == name

    await fr.node.store.write(says)
    await passes(town, 1)

    assert ([DE], [FR]) == (lists(fr), lists(de))
    assert State.ACTIVE == (await here(de, fr)).state


@pytest.mark.parametrize("policy", ["pause", "block"])
async def test_a_sibling_does_not_take_back_its_own_pause(pair: Any, policy: str) -> None:
    """Germany never heard that its confirmation was taken; what people decided since then nobody ends by the wire."""
    town, fr, de = pair
    await asked(town, fr, de)
    await confirms(fr, de)
    await town.settle()
    town.down.add("fr")
    await confirms(de, fr, countries=("FR",))
    await passes(town, 2)
    await de.node.siblings.set_policy(FR, policy, by="test", reason="test")
    town.down.clear()
    await fr.node.pairings.decline((await here(fr, de)).id, "not_agreed", CLI)
    await passes(town)
    kept = await rows(de.node, "select policy from siblings")

    assert [policy] == [row["policy"] for row in kept]
    assert ("", False) == ((await here(de, fr)).owed, (await here(de, fr)).is_open_there)
    assert "remove" not in [each.act for each in await de.node.siblings.changes(FR)]


async def test_nobody_says_forever_that_they_have_confirmed(pair: Any) -> None:
    """A day after the end nobody over there hears it any more: it is not owed, and an old word ends nothing."""
    town, fr, de = pair
    await asked(town, fr, de)
    await confirms(fr, de)
    await town.settle()
    town.down.add("fr")
    await confirms(de, fr, countries=("FR",))
    await de.node.siblings.set_policy(FR, "pause", by="test", reason="test")
    town.clock.move(days=8, seconds=-1)
    await de.node.pairings.sweep()
    before = (await here(de, fr)).owed
    town.clock.move(seconds=2)
    await de.node.pairings.sweep()

    assert ("confirm", "") == (before, (await here(de, fr)).owed)
    assert ["pause"] == [row["policy"] for row in await rows(de.node, "select policy from siblings")]


async def test_a_no_that_nobody_hears_is_said_for_thirty_days(pair: Any) -> None:
    """As long as any other message; it is shown until when, then it is let go, on the record, and shown as unheard."""
    town, fr, de = pair
    await asked(town, fr, de)
    town.down.add("fr")
    await de.node.pairings.decline((await here(de, fr)).id, "unknown", CLI)
    await passes(town, 1)
    first = await here(de, fr)
    town.clock.move(days=29, hours=22)
    await de.node.pairings.sweep()
    last = await here(de, fr)
    town.clock.move(hours=2)
    await de.node.pairings.sweep()
    over, since = await here(de, fr), len(town.contacts)
    await passes(town, 6)
    changes = await de.node.siblings.changes(FR)

    assert ("decline", "decline") == (first.owed, last.owed)
    assert first.told_until == last.told_until
    assert (State.DECLINED, "unknown", "", True) == (over.state, over.reason, over.owed, over.was_not_heard)
    assert first.last_code == over.last_code != ""
    assert ("pairing_unheard", "system", first.last_code) == (changes[-1].act, changes[-1].by, changes[-1].reason)
    assert 1 == [each.act for each in changes].count("pairing_unheard")
    assert [] == [each for each in town.contacts[since:] if "/pairing" in each.url and "fr.example" in each.url]


async def test_a_no_that_is_heard_on_the_last_day_is_heard(pair: Any) -> None:
    """The twin: the other side is back before the thirty days are over, and nothing is left to show."""
    town, fr, de = pair
    await asked(town, fr, de)
    town.down.add("fr")
    await de.node.pairings.decline((await here(de, fr)).id, "unknown", CLI)
    await passes(town, 1)
    town.clock.move(days=29)
    town.down.clear()
    await passes(town, 3)
    ended = await here(de, fr)

    assert ("", "", False) == (ended.owed, ended.last_code, ended.was_not_heard)
    assert "pairing_unheard" not in [each.act for each in await de.node.siblings.changes(FR)]


@pytest.mark.parametrize("hours", [20 * 24, 12])
async def test_a_clock_set_back_keeps_no_word_untold(pair: Any, hours: int) -> None:
    """The next try was put off by a clock twenty days ahead: it is due; the twin was asked to wait, and waits."""
    town, fr, de = pair
    await fr.node.pairings.invite(DE, CLI)
    spoil(fr, f"update pairings set next_at = {int(town.clock().timestamp() * 1000) + hours * 3_600_000}")
    told = await fr.node.pairings.send_due()

    assert (1 if hours > 24 else 0) == told
    assert (1 if hours > 24 else 0) == len(await de.node.pairings.open())
