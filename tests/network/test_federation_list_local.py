"""A federation list above entries that were admitted by hand: what both hold counts, and neither rewrites the other."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from federation import allowlist_changes
from federation import membership_drafts as drafts
from federation.allowlist import Direction
from federation.errors import NotASibling
from federation.membership import Member, MemberStatus, read
from federation.uri import Uri
from federation.vocabulary import PostKind
from instance.services import key_alarm
from instance.services.errors import Rejected
from instance.services.federation_list_entries import own_entry, still_open
from tests.network.listed import PINNED, Federation
from tests.town import MovedClock, Network


async def test_without_a_list_nobody_is_a_sibling(tmp_path: Path) -> None:
    """N1: a list is pinned and none was read yet; the local entry permits nothing."""
    town = Federation(await _introduced(tmp_path), tmp_path)
    try:
        marie = await town["fr"].doctor("marie")
        await marie.posts("Nobody hears it")
        await town.network.settle()

        assert [] == await town["de"].titles()
        assert ["held"] == await town.queued("fr")
        with pytest.raises(NotASibling):
            town["fr"].node.allowlist().require("https://de.example", Direction.IN)
    finally:
        await town.network.close()


async def test_a_local_entry_that_is_not_on_the_list_permits_nothing(tmp_path: Path) -> None:
    """And one that is on it is what both hold (N20)."""
    town = Federation(await _introduced(tmp_path), tmp_path)
    try:
        await town.publish(await town.admitting("fr"))
        with pytest.raises(NotASibling):
            town["fr"].node.allowlist().require("https://de.example", Direction.IN)

        await town.publish(await town.admitting("de"))
        found = town["fr"].node.allowlist().require("https://de.example", Direction.IN)
        assert ("local", {"DE"}) == (found.source, found.may_issue_for)
        await town["fr"].node.siblings.set_policy("https://de.example", "pause", by="test", reason="test")
        assert not town["fr"].node.allowlist().permits("https://de.example", Direction.IN)
    finally:
        await town.network.close()


async def _introduced(folder: Path) -> Any:
    network = Network(MovedClock())
    for name in ("fr", "de"):
        await network.add(folder, name, **({"federation_list": PINNED} if name == "fr" else {}))
    await network["fr"].admits(network["de"])
    await network["de"].admits(network["fr"])
    return network


async def test_other_keys_are_an_alarm_where_the_list_pins_fewer(tmp_path: Path) -> None:
    """The list names one of two keys pinned here: what is shown instead of that one suspends all the same."""
    town = Federation(await _introduced(tmp_path), tmp_path)
    try:
        entry = await own_entry(town["de"].node)
        fewer = {**entry, "status": "active", "instanceKey": entry["instanceKey"][:1]}
        await town.publish(drafts.with_member(await town.admitting("fr"), fewer))
        fr = town["fr"].node
        found = fr.allowlist().require("https://de.example", Direction.IN)
        assert 1 == len(found.instance_keys) < len(entry["instanceKey"])
        await key_alarm.suspend(fr, replace(found, instance_keys=frozenset({"sha256:" + "0" * 64})))
        assert {} == await key_alarm.alarms(fr)
        await key_alarm.suspend(fr, found)

        assert ["https://de.example"] == list(await key_alarm.alarms(fr))
        assert not fr.allowlist().permits("https://de.example", Direction.IN)
    finally:
        await town.network.close()


def test_the_next_list_opens_what_is_new_on_it_and_nothing_that_was_closed_here() -> None:
    """AT was taken off here: a list that adds CH leaves it off; one that drops DE closes DE."""
    before, after = (_member(countries) for countries in (["AT", "DE"], ["AT", "CH"]))

    assert {"CH"} == still_open(["DE"], before, after)
    assert {"AT", "CH"} == still_open(["AT", "DE"], before, after)
    assert {"AT", "CH"} == still_open([], None, after)


def _member(countries: list[str]) -> Member:
    actor = Uri.parse("https://de.example/actor")
    return Member(actor, "de.example", MemberStatus.ACTIVE, frozenset(countries), ())


@pytest.mark.parametrize("seed", [19])
async def test_lists_and_local_decisions_in_any_order_end_in_the_same(tmp_path: Path, seed: int) -> None:
    """N19: two instances are handed lists, and pause and narrow a third, in orders of their own; nothing differs."""
    town = await Federation.open(tmp_path, "fr", "de", "it", "es")
    spain, order = "https://es.example", random.Random(seed)
    second = town.signed(town.with_status("es", "suspended"))
    town.last = read(second)
    third = town.signed(town.with_status("es", "active"))
    acts: list[Callable[[Any], Awaitable[Any]]] = [
        lambda node: node.federation_list.publish(second, "test"),
        lambda node: node.federation_list.publish(third, "test"),
        lambda node: node.siblings.set_policy(spain, "read-only", by="test", reason="test"),
        lambda node: node.siblings.set_kinds(spain, ["case"], ["news"], by="test", reason="test"),
    ]
    try:
        for name in ("de", "it"):
            order.shuffle(acts)
            for act in acts:
                with suppress(Rejected):  # the third list before the second: a gap, which the next reading closes
                    await act(town[name].node)
        for body in (second, third):
            await town["fr"].node.federation_list.publish(body, "test")
        await town.hour()
        one, other = (allowlist_changes.effect(town[name].node.allowlist(), spain) for name in ("de", "it"))

        assert [3, 3] == [town.sequence(name) for name in ("de", "it")]
        assert one == other
        assert ("", "sibling_read_only") == (one.refused[Direction.IN], one.refused[Direction.OUT])
        assert ({PostKind.CASE}, {PostKind.NEWS}) == (one.kinds_in, one.kinds_out)
    finally:
        await town.network.close()
