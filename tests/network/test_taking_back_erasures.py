"""An older back-up was put back, and what siblings show of the lost time comes in the wrong order: erasure wins (P7, P10)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.network.converging import differences
from tests.network.scene import home_uri
from tests.network.test_catching_up import converge
from tests.network.test_restoring import put_back
from tests.network.test_taking_back import back_up
from tests.town import Network, Place, rows

MARKER = "A marker nobody may find."


def posts_to(place: str) -> Any:
    """Everything that is posted to an instance vanishes."""
    return lambda method, url, body: method == "POST" and f"//{place}.example" in url


async def words(place: Place) -> list[str]:
    """Where the marker stands in an instance."""
    found = []
    for table, column in (("posts", "content"), ("revisions", "content"), ("received", "body"), ("activities", "body")):
        kept = await rows(place.node, f"select {column} as text from {table}")
        texts = (row["text"] if isinstance(row["text"], str) else bytes(row["text"]).decode() for row in kept)
        found += [table for text in texts if MARKER in text]
    return found


async def ask(town: Network, first: str, second: str) -> None:
    """Restored France takes back from one sibling, and then from the other."""
    for shut in (second, first):
        town.down = {shut}
        town.clock.move(minutes=62)
        await town["fr"].node.catching_up.poll_due()
    town.down = set()
    await town.settle()


@pytest.mark.parametrize("order", [("de", "it"), ("it", "de")])
@pytest.mark.parametrize("mended", [False, True])
async def test_a_withdrawal_wins_in_whichever_order_it_comes_back(
    town: Network, tmp_path: Path, order: tuple[str, str], mended: bool
) -> None:
    """Germany was told of the withdrawal, Italy was not and shows the words: they are gone everywhere, at once."""
    marie = await town["fr"].doctor("marie")
    await marie.posts("Before")
    await town.settle()
    await town.catch_up()
    kept = await back_up(town["fr"], tmp_path)
    slug = await marie.posts("Regretted", text="First." if mended else MARKER)
    await town.settle()
    if mended:
        await _mends(town, marie.uri, slug)
    town.down.add("it")
    await town["fr"].node.publishing.withdraw(marie.uri, slug)
    await town.settle()
    town.down.clear()
    held = await words(town["it"])
    await put_back(town["fr"], kept)
    await ask(town, *order)

    assert held
    assert [] == await words(town["it"]) == await words(town["fr"]) == await words(town["de"])
    assert ["Before"] == await town["it"].titles() == await town["fr"].titles() == await town["de"].titles()
    assert [] == await converge(town)


async def _mends(town: Network, author: Any, slug: str) -> None:
    from instance.services.publishing import PostDraft

    town.clock.move(minutes=1)
    draft = PostDraft(
        kind="case", title="Regretted", text=MARKER, specialties=("cardiology",), audience="federation", language="en",
        named=(),
    )  # fmt: skip
    await town["fr"].node.publishing.edit(author, slug, draft)
    await town.settle()


@pytest.mark.parametrize("order", [("de", "it"), ("it", "de")])
async def test_what_was_undone_stays_undone_in_whichever_order_it_comes_back(
    town: Network, tmp_path: Path, order: tuple[str, str]
) -> None:
    """A recommendation is taken back, which Italy did not hear: it does not count there any more."""
    marie, anna = await town["fr"].doctor("marie"), await town["de"].doctor("anna")
    slug = await anna.posts("By Anna")
    await marie.posts("Before")
    await town.settle()
    kept = await back_up(town["fr"], tmp_path)
    own = await marie.slug_of(home_uri(town["de"], slug))
    await town["fr"].node.publishing.recommend(marie.uri, own)
    await town.settle()
    town.down.add("it")
    await town["fr"].node.publishing.unrecommend(marie.uri, own)
    await town.settle()
    town.down.clear()
    counted = await rows(town["it"].node, "select 1 from recommendations")
    await put_back(town["fr"], kept)
    await ask(town, *order)

    assert counted
    for place in town.places.values():
        assert [] == await rows(place.node, "select 1 from recommendations")


async def test_what_was_not_withdrawn_is_not_withdrawn_by_coming_back(town: Network, tmp_path: Path) -> None:
    """The twin: beside what was withdrawn, what was said before and since stays where it is."""
    marie = await town["fr"].doctor("marie")
    await marie.posts("Before")
    await town.settle()
    kept = await back_up(town["fr"], tmp_path)
    await marie.posts("Since")
    slug = await marie.posts("Regretted", text=MARKER)
    await town.settle()
    town.down.add("it")
    await town["fr"].node.publishing.withdraw(marie.uri, slug)
    await town.settle()
    town.down.clear()
    await put_back(town["fr"], kept)
    await ask(town, "de", "it")

    for place in town.places.values():
        assert {"Before", "Since"} == set(await place.titles())
        assert [] == await words(place)
    assert [] == await differences(town)


async def test_a_doctor_is_no_copy_that_somebody_could_be_asked_to_give_back(town: Network, tmp_path: Path) -> None:
    """What Marie said of herself and what she wrote come back; of these only her post stands in the copy ledger."""
    marie = await town["fr"].doctor("marie")
    await marie.posts("Before")
    await town.settle()
    kept = await back_up(town["fr"], tmp_path)
    slug = await marie.posts("Since")
    await town["fr"].node.people.set_profile(marie.uri, "About me, made up.", ["fr"], approves_followers=False)
    await town.settle()
    await put_back(town["fr"], kept)
    await ask(town, "de", "it")
    held = {row["object"] for row in await rows(town["fr"].node, "select object from copies")}

    assert home_uri(town["fr"], slug) in held
    assert [] == [uri for uri in held if "/posts/" not in uri]
