"""A97 by time: what is hidden from somebody takes as long to refuse as what never was.

Medians of thousands of interleaved answers, in this process and under a collector that stands still: a stopwatch over a
network could not see as much. Marked `slow`; it measures, and is run by itself on a quiet machine.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Awaitable, Callable, Sequence
from statistics import median
from typing import Any

import pytest

from federation.signatures import Profile, sign
from federation.uri import Uri
from instance.ids import new_ulid
from instance.services.publishing import CommentDraft
from tests.doorway import instance_key
from tests.network.scene import Visitor, befriend
from tests.town import Network, Place, rows

pytestmark = pytest.mark.slow
ROUNDS = 1_500
#: By how much the medians may differ (security, A97).
ALLOWED = 0.10
Ask = Callable[[str], Awaitable[tuple[int, float]]]


async def hidden_things(town: Network) -> dict[str, list[str]]:
    """Addresses of what is for Germany's follower alone, by kind."""
    marie, anna = await town["fr"].doctor("marie"), await town["de"].doctor("anna")
    await befriend(town, anna, marie)
    found: dict[str, list[str]] = {"post": [], "context": [], "comment": [], "activity": []}
    for number in range(40):
        town.clock.move(minutes=3)
        slug = await marie.posts(f"T-{number}", audience="colleagues")
        comment = await marie.place.node.publishing.comment(
            marie.uri, slug, CommentDraft(text="Inside.", language="en", parent_slug=None)
        )
        found["post"].append(f"/posts/{slug}")
        found["context"].append(f"/posts/{slug}/context")
        found["comment"].append(f"/comments/{comment}")
    created = await rows(town["fr"].node, "select uri from activities where type = 'Create'")
    found["activity"] = [row["uri"].removeprefix(town["fr"].node.origin) for row in created]
    await town.settle()
    return found


def never(like: Sequence[str], town: Network) -> list[str]:
    """As many addresses of the same shape that were never given out."""
    made = []
    for target in like:
        folder, _, rest = target[1:].partition("/")
        _, slash, ending = rest.partition("/")
        made.append(f"/{folder}/{new_ulid(town.clock())}{slash}{ending}")
    return made


async def differ(ask: Ask, hidden: Sequence[str], missing: Sequence[str]) -> float:
    """How far the medians are apart, relative to the smaller one."""
    times: tuple[list[float], list[float]] = ([], [])
    for at in range(ROUNDS + 100):
        # Either kind first in turn: whatever the first does to caches, both profit alike.
        for which in (at % 2, 1 - at % 2):
            status, seconds = await ask((hidden, missing)[which][at % len(hidden)])
            assert 404 == status
            if at >= 100:
                times[which].append(seconds)
    one, other = median(times[0]), median(times[1])
    return abs(one - other) / min(one, other)


def as_sibling(reader: Place, at: Place) -> Ask:
    """Signed GETs; the signature is made before the clock runs."""

    async def ask(target: str) -> tuple[int, float]:
        at.network.clock.move(seconds=0.1)
        key = await instance_key(reader, Profile.RFC9421)
        url = Uri.parse(at.node.origin + target)
        headers = sign("GET", url, None, key, Profile.RFC9421, at.node.clock())
        return await _timed(at, target, {**headers, "Accept": "application/activity+json"})

    return ask


def as_doctor(visitor: Visitor, at: Place) -> Ask:
    """A signed-in doctor's browser."""
    return lambda target: _timed(at, target, visitor.headers)


async def _timed(at: Place, target: str, headers: dict[str, str]) -> tuple[int, float]:
    began = time.perf_counter()
    answer = await at.request("GET", target, headers)
    return answer.status, time.perf_counter() - began


@pytest.fixture
def quiet() -> Any:
    """No collection in the middle of a sample."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("kind", ["post", "context", "comment", "activity"])
async def test_a_sibling_cannot_tell_by_time_what_is_hidden(town, quiet, kind):
    """A97: Italy asks for what is for Germany's doctors, and for what never was: medians within 10 %."""
    hidden = (await hidden_things(town))[kind]

    assert await differ(as_sibling(town["it"], town["fr"]), hidden, never(hidden, town)) <= ALLOWED


@pytest.mark.parametrize("ending", ["", "/history", "/edit", "/withdraw", "/report"])
async def test_a_doctor_cannot_tell_by_time_what_is_hidden(town, quiet, ending):
    """A97: Paul opens the page of a case that is not for him, and of one that never was: medians within 10 %."""
    targets = [f"{target}{ending}" for target in (await hidden_things(town))["post"]]
    visitor = await Visitor.of(await town["fr"].doctor("paul"))

    assert await differ(as_doctor(visitor, town["fr"]), targets, never(targets, town)) <= ALLOWED
