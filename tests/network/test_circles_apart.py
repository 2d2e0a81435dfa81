"""Who comes back into a circle gets what was missed, but nothing of an instance that does not speak with theirs (N3)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.doorway import reads
from tests.network.apart import People, Told, listen, people_of, traces, two_apart
from tests.network.scene import befriend, home_uri
from tests.town import Network, rows


async def _comes_back(town: Network, people: People, *, others: bool) -> tuple[Told, str]:
    """Luca's instance holds Anna's post; he leaves; Marie and Anna answer; he comes back."""
    if others:  # somebody to whom Marie's answer is passed on at once, so that it is written down already
        await befriend(town, await town["at"].doctor("eva"), people.anna)
    uri = home_uri(town["de"], await people.anna.posts("For colleagues", audience="colleagues"))
    await town.settle()
    await people.luca.place.node.follows.undo(people.luca.uri, people.anna.uri)
    await town.settle()
    marie = await people.marie.comments(uri, "Of Marie")
    await town.settle()
    parent = await rows(town["de"].node, f"select slug from comments where uri like '%{marie}'")
    await people.anna.comments(uri, "To Marie", parent_slug=parent[0]["slug"])
    await people.anna.comments(uri, "Of Anna alone")
    await town.settle()
    told = listen(town)
    await befriend(town, people.luca, people.anna)
    await town.catch_up(minutes=62)
    return told, marie


@pytest.mark.parametrize("others", [False, True], ids=["nobody else", "others heard it"])
async def test_who_comes_back_gets_nothing_of_whoever_does_not_speak_with_them(
    network: Any, tmp_path: Any, others: bool
) -> None:
    """France and Italy are not siblings: Marie's answer, and Anna's to it, stay from Italy; Anna's own comes."""
    town = await two_apart(network)
    if others:
        at = await town.add(tmp_path, "at")
        for place in (town["fr"], town["de"]):
            await at.admits(place)
            await place.admits(at)
    people = await people_of(town)
    told, marie = await _comes_back(town, people, others=others)

    assert ["<p>Of Anna alone</p>"] == await town["it"].answers()
    assert [] == told.of("fr.example")
    assert [] == await traces(town["it"], "fr.example")
    for row in await rows(town["de"].node, f"select uri from activities where body like '%{marie}%'"):
        answer = await reads(town["it"], town["de"], "/" + row["uri"].partition("://")[2].partition("/")[2])
        assert 404 == answer.status


async def test_who_comes_back_gets_what_siblings_of_theirs_said(network: Any) -> None:
    """The twin: where France lists Italy, all of it comes."""
    town = await network("fr", "de", "it")
    people = await people_of(town)
    await _comes_back(town, people, others=False)

    assert {"<p>Of Marie</p>", "<p>To Marie</p>", "<p>Of Anna alone</p>"} == set(await town["it"].answers())
