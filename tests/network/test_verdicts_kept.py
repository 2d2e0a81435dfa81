"""A credential is checked when something has changed, and not for every message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.network.lists import posts_to, suspend
from tests.town import Network
from verification import credential


@pytest.fixture
async def town(network: Any) -> Network:
    """France and Germany, which list each other."""
    return await network("fr", "de")


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often a credential was checked so far; the checks themselves are the true ones."""
    whole, count = credential.check, 0

    def counted(*given: Any, **more: Any) -> Any:
        nonlocal count
        count += 1
        return whole(*given, **more)

    monkeypatch.setattr(credential, "check", counted)
    return lambda: count


async def test_messages_that_follow_are_judged_by_what_is_known(town, anna, fr, checks):
    """The same credential, the same lists: many messages, no further check."""
    await posts_to(anna, fr, "First")
    before = checks()
    answers = [await posts_to(anna, fr, f"Case {number}") for number in range(5)]

    assert {202} == {answer.status for answer in answers}
    assert before == checks()


@pytest.mark.parametrize("what", ["a bit", "a credential", "the allowlist", "a quarter of an hour"])
async def test_whatever_a_verdict_rests_on_is_looked_at_again_when_it_changes(town, anna, berta, fr, checks, what):
    """The twin: each of these has her credential checked anew, at the next message at the latest."""
    await posts_to(anna, fr, "First")
    town.clock.move(seconds=11)
    before = checks()
    if what == "a bit":
        await suspend(berta)
    elif what == "a credential":
        await anna.place.node.people.rotate_keys("anna", by="test", reason="test")
    elif what == "the allowlist":
        for policy in ("read-only", "inherit"):
            await fr.node.siblings.set_policy("https://de.example", policy, by="test", reason="test")
    else:
        town.clock.move(minutes=16)
    await town.settle()
    answer = await posts_to(anna, fr, "Again")

    assert 202 == answer.status
    assert checks() > before
