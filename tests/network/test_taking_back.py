"""An older back-up was put back: the instance takes back what its doctors said since, and hears what it missed (F27, P10)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from federation import catch_up
from federation.uri import Uri
from federation.wire import Response
from instance import commands
from tests.network.converging import differences
from tests.network.living import Life
from tests.network.scene import Liar, befriend, home_uri, refusals, stored
from tests.network.test_catching_up import converge
from tests.network.test_restoring import put_back
from tests.town import Network, Person, Place, rows

SAID = "/siblings/fr.example/received/"


async def back_up(place: Place, folder: Path) -> Path:
    """What `esanum backup` writes."""
    target = folder / "yesterday.db"
    await commands.backup(place.node, "test", str(target))
    return target


async def file_copy(place: Place, folder: Path) -> Path:
    """A copy that no command of ours made, as a snapshot of a disk would be."""
    target = folder / "snapshot.db"
    await place.node.store.backup(str(target))
    return target


async def numbers(place: Place, epoch: bool = False) -> list[Any]:
    """What was given out in the logs of an instance, or its epoch."""
    if epoch:
        row = await place.node.store.one("settings.get", name="log epoch")
        return [json.loads(row["value"])["epoch"] if row else ""]
    return [tuple(row) for row in await rows(place.node, "select origin, last_number from lanes order by origin")]


@pytest.mark.parametrize("copy", [back_up, file_copy])
@pytest.mark.parametrize("seed", range(2))
async def test_a_town_with_a_restored_instance_converges(
    town: Network, tmp_path: Path, copy: Callable[[Place, Path], Any], seed: int
) -> None:
    """F27, P10: yesterday's back-up is put back; what was said and heard since is there again, and nobody differs."""
    life = Life(town, seed)
    await life.begin()
    await life.goes_on(30)
    await town.catch_up()
    kept = await copy(town["fr"], tmp_path)
    epoch = await numbers(town["fr"], epoch=True)
    town.clock.move(hours=3)
    await life.goes_on(60)
    town.clock.move(hours=20)
    await town.settle()
    await put_back(town["fr"], kept)
    unequal = await differences(town)

    assert unequal
    assert [] == await converge(town)
    assert epoch != await numbers(town["fr"], epoch=True)
    await life.goes_on(20)
    assert [] == await converge(town)


async def test_an_instance_that_was_only_restarted_counts_on(town: Network) -> None:
    """The twin: nobody knows more than its rows; the epoch stays, and nothing is taken back."""
    marie = await town["fr"].doctor("marie")
    await marie.posts("One")
    await town.settle()
    await town.catch_up()
    before = await numbers(town["fr"], epoch=True), await stored(town["fr"])
    await town["fr"].reopen()
    await town.catch_up()
    again = Person(town["fr"], "marie", marie.uri)
    await again.posts("Two")
    await town.settle()
    await town.catch_up()

    assert before[0] == await numbers(town["fr"], epoch=True)
    assert ["One", "Two"] == await town["de"].titles()


async def test_what_was_withdrawn_since_stays_withdrawn(town: Network, tmp_path: Path) -> None:
    """P7: the rows that were put back hold a post, and Germany its Delete: the Delete wins, here and everywhere."""
    marie = await town["fr"].doctor("marie")
    slug = await marie.posts("Regretted", text="A marker nobody may find.")
    await town.settle()
    kept = await back_up(town["fr"], tmp_path)
    await town["fr"].node.publishing.withdraw(marie.uri, slug)
    await town.settle()
    await put_back(town["fr"], kept)
    restored = await town["fr"].titles()

    assert ["Regretted"] == restored
    assert [] == await converge(town)
    assert [] == await town["fr"].titles()
    found = await rows(town["fr"].node, "select body from activities")
    assert not [row for row in found if b"A marker nobody may find." in bytes(row["body"])]


async def test_a_sibling_that_never_got_it_is_offered_what_came_back(town: Network, tmp_path: Path) -> None:
    """Italy was away, and what waited for it was lost with the rows: it gets it from the home that took it back."""
    marie = await town["fr"].doctor("marie")
    await marie.posts("Before")
    await town.settle()
    kept = await back_up(town["fr"], tmp_path)
    town.down.add("it")
    await marie.posts("Since")
    await town.settle()
    await put_back(town["fr"], kept)
    town.down.clear()

    assert [] == await converge(town)
    assert {"Before", "Since"} == set(await town["it"].titles()) == set(await town["fr"].titles())


async def test_numbers_are_not_taken_for_those_given_before(town: Network, tmp_path: Path) -> None:
    """A number given twice, before and after: the second message vanishes, and is missed and found all the same."""
    marie = await town["fr"].doctor("marie")
    await marie.posts("Before")
    await town.settle()
    await town.catch_up()
    kept = await back_up(town["fr"], tmp_path)
    await marie.posts("Since")
    await town.settle()
    await put_back(town["fr"], kept)
    marie = Person(town["fr"], "marie", marie.uri)
    town.swallows = lambda method, url, body: method == "POST"
    await marie.posts("Vanished")
    await town.settle()
    town.swallows = lambda *_: False

    assert [] == await converge(town)
    assert {"Before", "Since", "Vanished"} == set(await town["de"].titles())


# ── what a sibling shows proves itself, or is nothing ──


async def _restored(town: Network, tmp_path: Path) -> tuple[Person, str]:
    """Marie has said something since; her instance has been put back."""
    marie = await town["fr"].doctor("marie")
    await marie.posts("Before")
    await town.settle()
    kept = await back_up(town["fr"], tmp_path)
    slug = await marie.posts("Since")
    await town.settle()
    await put_back(town["fr"], kept)
    town.down.add("it")
    return Person(town["fr"], "marie", marie.uri), home_uri(town["fr"], slug)


async def _bent(place: Place, change: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], Response]:
    """The instance itself bends what it shows, and signs it so."""
    key = await place.node.keys.proof_key(place.node.actor)

    def bend(document: dict[str, Any]) -> Response:
        for entry in document.get("entries", []):
            change(entry)
        bare = {name: value for name, value in document.items() if name not in ("id", "proof")}
        body = catch_up.seal_page(bare, Uri.parse(document["id"]), key, place.node.clock())
        return Response(200, {"content-type": "application/json"}, body)

    return bend


def _other_words(entry: dict[str, Any]) -> None:
    entry["activity"] = entry["activity"].replace("Since", "Never")


def _other_target(entry: dict[str, Any]) -> None:
    head = json.loads(entry["head"])
    entry["head"] = json.dumps({**head, "target": "/doctors/anna/inbox"})


def _other_host(entry: dict[str, Any]) -> None:
    head = json.loads(entry["head"])
    entry["head"] = json.dumps({**head, "headers": {**head["headers"], "host": "it.example"}})


def _no_head(entry: dict[str, Any]) -> None:
    entry["head"] = "{}"


def _no_signature(entry: dict[str, Any]) -> None:
    head = json.loads(entry["head"])
    entry["head"] = json.dumps({**head, "headers": {k: v for k, v in head["headers"].items() if k != "signature"}})


@pytest.mark.parametrize("change", [_other_words, _other_target, _other_host, _no_head, _no_signature])
async def test_what_is_not_proved_is_not_taken_back(
    town: Network, tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    """N3: words, address or signature bent by a sibling: nothing of it is stored; as it was sent, it is taken back."""
    await _restored(town, tmp_path)
    fr, de = town["fr"], town["de"]
    epoch = json.loads((await fr.node.store.one("settings.get", name="log epoch"))["value"])["before"]  # type: ignore[index]
    liar = Liar(de, f"{SAID}{epoch}/1", await _bent(de, change))
    before = await stored(fr)
    await fr.node.catching_up.poll_due()
    lied = await stored(fr)
    liar.honest()
    await fr.reopen()
    await town.catch_up()

    assert before == lied
    assert {"Before", "Since"} == set(await fr.titles())


async def test_a_sibling_cannot_show_what_another_doctor_signed(town: Network, tmp_path: Path) -> None:
    """A message signed by Berta with her own key is Berta's, whoever it says speaks."""
    fr, de = town["fr"], town["de"]
    berta = await fr.doctor("berta")
    marie, uri = await _restored(town, tmp_path)
    await befriend(town, marie, berta)
    other = str(berta.uri)

    def steal(entry: dict[str, Any]) -> None:
        head = json.loads(entry["head"])
        for name in ("signature", "signature-input"):
            if name in head["headers"]:
                head["headers"][name] = head["headers"][name].replace(str(marie.uri), other)
        entry["head"] = json.dumps(head)

    epoch = json.loads((await fr.node.store.one("settings.get", name="log epoch"))["value"])["before"]  # type: ignore[index]
    Liar(de, f"{SAID}{epoch}/1", await _bent(de, steal))
    await fr.node.catching_up.poll_due()

    assert ["Before"] == await fr.titles()
    assert [] == await refusals(fr)
    assert uri
