"""The mark beside a name, where a sibling has not confirmed its doctors for too long."""

from __future__ import annotations

from typing import Any

import pytest

from federation.wire import Response
from instance.views.marks import Mark, Moment, mark
from tests.network.scene import Liar, Visitor, home_uri, profile_path
from tests.town import Network, Person

AT = Moment(1_000, {"de.example": 7})


@pytest.mark.parametrize(
    ("standing", "valid_until", "address", "expected"),
    [
        ("ok", 1_000, "luca@it.example", Mark(verified=True)),
        ("ok", 1_000, "marie", Mark(verified=True)),
        ("ok", 1_000, "de.example", Mark(verified=True)),
        ("ok", 1_000, "anna@de.example", Mark(verified=False, silent_since=7)),
        ("ok", 999, "anna@de.example", Mark(verified=False)),
        ("ok", None, "luca@it.example", Mark(verified=False)),
        ("suspended", 1_000, "luca@it.example", Mark(verified=False)),
        ("suspended", 1_000, "anna@de.example", Mark(verified=False)),
        ("status_hard_stale", 1_000, "luca@it.example", Mark(verified=False)),
    ],
)
def test_what_stands_beside_a_name(standing: str, valid_until: int | None, address: str, expected: Mark) -> None:
    """Only who is in good standing can be unconfirmed; what was found against somebody is said first."""
    assert expected == mark(standing, valid_until, address, AT)


@pytest.fixture
async def people(network: Any) -> tuple[Network, Person, Person, Person]:
    """Marie, who reads; Anna in Germany and Luca in Italy, each with a case and an answer that Marie can read."""
    town = await network("fr", "de", "it")
    marie, anna, luca = (
        await town["fr"].doctor("marie"),
        await town["de"].doctor("anna"),
        await town["it"].doctor("luca"),
    )
    slug = await anna.posts("T-1")
    await luca.posts("T-2")
    await town.settle()
    await luca.comments(home_uri(town["de"], slug), "Made up.")
    await town.settle()
    return town, marie, anna, luca


async def test_a_mark_that_home_does_not_confirm_is_not_shown_after_three_days(people) -> None:
    """8.3, beyond 72 hours: on cards, in threads, on the doctor's page, on lists and in JSON; of that sibling alone."""
    town, marie, anna, luca = people
    liars = [
        Liar(town["de"], f"/vc/status/{name}/1", lambda _: Response(503, {}, b""))
        for name in ("revocation", "suspension")
    ]
    town.clock.move(hours=72)
    await town["fr"].node.workers.housekeep()
    early = await seen(marie, anna)
    town.clock.move(minutes=1)
    await town["fr"].node.workers.housekeep()
    late, neighbour = await seen(marie, anna), await seen(marie, luca)
    verified = {item["title"]: item["author"]["verified"] for item in await (await Visitor.of(marie)).feed_json()}
    for liar in reversed(liars):
        liar.honest()
    town.clock.move(minutes=16)
    await town["fr"].node.workers.housekeep()
    healed = await seen(marie, anna)

    assert [0] * 4 == early
    assert [1, 1, 3, 1] == late
    assert [1, 1, 0, 1] == neighbour
    assert {"T-1": False, "T-2": True} == verified
    assert [0] * 4 == healed


async def seen(reader: Person, whom: Person) -> list[int]:
    """How often "not confirmed since" stands in the feed, in the thread, on the doctor's page, and in the search."""
    visitor, words = await Visitor.of(reader), "not confirmed since 23 November 2026"
    (slug,) = [await reader.slug_of(uri) for uri in await posts_of(reader, "T-1")]
    pages = [
        await visitor.text("/feed?tab=all"), await visitor.text(f"/posts/{slug}"),
        await visitor.text(profile_path(whom, reader.place)),
        await visitor.text("/colleagues?specialty=cardiology"),
    ]  # fmt: skip
    assert all(whom.handle in page.lower() for page in pages)
    return [page.count(words) for page in pages]


async def posts_of(reader: Person, title: str) -> list[str]:
    """The addresses of the posts with this title."""
    from tests.town import rows

    return [row["uri"] for row in await rows(reader.place.node, f"select uri from posts where title = '{title}'")]
