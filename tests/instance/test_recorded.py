"""The audit log tells of changes of the allowlist and of back-ups: by ids, with the change or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from federation.allowlist import LocalPolicy
from instance import commands
from instance.services.errors import Rejected
from instance.services.pairing_rows import LOGGED as PAIRING_LOGGED
from instance.services.sibling_changes import LOGGED
from instance.services.sibling_proposals import PROPOSED, WITHDRAWN
from instance.services.siblings import REMOVE
from instance.services.staff_acts import LOGGED as STAFF_LOGGED
from tests.network.test_instance_rotation import announced, repin
from tests.town import Network, rows
from verification.audit import ACTS, STAFF_ACTS
from verification.errors import BadEntry

DE = "https://de.example"
ORDER = {"by": "command line: mercier", "reason": "agreed with Dr Mercier on the telephone"}


@pytest.fixture
async def town(network: Any) -> Network:
    """France and Germany, which know each other."""
    opened: Network = await network("fr", "de")
    return opened


async def entries(node: Any) -> list[dict[str, Any]]:
    """What the audit log holds."""
    return [json.loads(row["entry"]) for row in await node.store.all("audit.page", after=0, most=500)]


async def changes(node: Any) -> list[str]:
    """The lines of the record of the allowlist, by the ids the log has for them, the first first."""
    return [f"c-{row['id'].lower()}" for row in await rows(node, "select id from sibling_changes order by at, id")]


def test_every_change_and_copy_has_its_name_in_the_log():
    """Each policy, each other change; and all of them are acts of staff, which the data protection officer is shown."""
    of_entries = {*map(str, LocalPolicy), "add", "repin", "kinds", "countries", "note", REMOVE}
    assert of_entries | {"expel", "keep", "hide", "purge", "list", "alone"} == set(LOGGED)
    named = {*LOGGED.values(), *STAFF_LOGGED.values(), *PAIRING_LOGGED.values(), PROPOSED, WITHDRAWN}
    assert named == set(STAFF_ACTS)
    assert set(STAFF_ACTS) <= ACTS


async def test_changes_of_the_allowlist_are_entries(town):
    """Admitted, paused, resumed, blocked, narrowed, removed: each by the id of its line, and the chain holds."""
    node = town["fr"].node
    for policy in ("pause", "inherit", "read-only", "block"):
        town.clock.move(seconds=1)
        await node.siblings.set_policy(DE, policy, **ORDER)
    town.clock.move(seconds=1)
    await node.siblings.set_kinds(DE, ["case"], ["case"], **ORDER)
    town.clock.move(seconds=1)
    await node.siblings.remove(DE, **ORDER)
    told = await entries(node)

    assert [
        "sibling.admitted", "sibling.paused", "sibling.resumed", "sibling.read_only", "sibling.blocked",
        "sibling.kinds_changed", "sibling.removed",
    ] == [each["act"] for each in told]  # fmt: skip
    assert await changes(node) == [each["thing"] for each in told]
    assert {"command-line"} == {each["by"] for each in told}
    assert "ercier" not in json.dumps(told)
    assert "de.example" not in json.dumps(told)
    assert (await node.dossiers.checking.newest()).broken is None


async def test_of_staff_the_log_says_the_id(town):
    """An administrator who gives the order is named by the id the medical room knows."""
    staff = f"staff-{'01JDB0000000000000000000AB'}"
    await town["fr"].node.siblings.set_policy(DE, "pause", by=staff, reason="agreed")

    assert staff.lower() == (await entries(town["fr"].node))[-1]["by"]


async def test_keys_that_are_pinned_anew_are_an_entry(town):
    """Once they were compared, and not again where nothing is new; at the other place it is a key that was made."""
    fr, de = town["fr"], town["de"]
    await announced(town, de)
    await repin(fr, de)
    told = await entries(fr.node)
    with pytest.raises(Rejected, match="no_change"):
        await repin(fr, de)

    assert ("sibling.repinned", (await changes(fr.node))[-1]) == (told[-1]["act"], told[-1]["thing"])
    assert told == await entries(fr.node)
    assert "key.made" in {each["act"] for each in await entries(de.node)}


@pytest.mark.parametrize(
    "refused",
    [
        lambda fr: fr.siblings.set_policy(DE, "inherit", **ORDER),
        lambda fr: fr.siblings.set_policy(DE, "loud", **ORDER),
        lambda fr: fr.siblings.set_policy(DE, "pause", by="test", reason=" "),
        lambda fr: fr.siblings.set_kinds(DE, ["poem"], [], **ORDER),
        lambda fr: fr.siblings.remove("https://it.example", **ORDER),
    ],
)
async def test_what_is_refused_is_no_entry(town, refused):
    """Nor is a preview."""
    node = town["fr"].node
    before = await entries(node), await changes(node)
    await node.siblings.preview(DE, "pause")
    await node.siblings.preview(DE, REMOVE)
    with pytest.raises(Rejected):
        await refused(node)

    assert before == (await entries(node), await changes(node))


async def test_without_its_entry_nothing_changes(town, monkeypatch):
    """Where the log takes no entry the allowlist stays as it was, with its record; and no copy is written."""
    node, folder = town["fr"].node, town["fr"].config.data.parent
    before = await changes(node)
    monkeypatch.setitem(LOGGED, "pause", "nothing.known")
    monkeypatch.setitem(LOGGED, REMOVE, "nothing.known")
    monkeypatch.setitem(STAFF_LOGGED, "backup_ordered", "nothing.known")
    monkeypatch.setitem(STAFF_LOGGED, "evidence_keys_backup_ordered", "nothing.known")
    for attempt in (
        node.siblings.set_policy(DE, "pause", **ORDER), node.siblings.remove(DE, **ORDER),
        commands.backup(node, "test", str(folder / "copy.db")),
        commands.evidence_back_up_keys(node, "test", str(folder / "keys.db")),
    ):  # fmt: skip
        with pytest.raises(BadEntry):
            await attempt

    assert before == await changes(node)
    assert LocalPolicy.INHERIT is (await node.siblings.show(DE)).policy
    assert [] == [each for each in ("copy.db", "keys.db") if (folder / each).exists()]
    assert [] == await rows(node, "select id from staff_acts where act like '%backup%'")


async def test_back_ups_are_entries(town, tmp_path):
    """Who ordered one, before it is written: of the database, and of the keys of evidence."""
    node, target = town["fr"].node, tmp_path / "copies"
    (target / "keys").mkdir(parents=True)
    before = len(await entries(node))
    await commands.backup(node, "command line: mercier", str(target / "copy.db"))
    await commands.evidence_back_up_keys(node, "command line: mercier", str(target / "keys" / "keys.db"))
    told = (await entries(node))[before:]

    assert [("backup.ordered", "command-line"), ("backup.keys_ordered", "command-line")] == [
        (each["act"], each["by"]) for each in told
    ]
    assert [True, True] == [(target / each).exists() for each in ("copy.db", "keys/keys.db")]
    assert "mercier" not in json.dumps(told)


async def test_a_back_up_that_is_refused_is_no_entry(town):
    """In the data folder, or beside what the keys open."""
    node, data = town["fr"].node, town["fr"].config.data
    beside = Path(str(data) + "-copies")
    beside.mkdir()
    (beside / "01JDB0000000000000000000AB.sealed").write_bytes(b"x")
    before = await entries(node), await rows(node, "select id from staff_acts")
    for attempt in (
        commands.backup(node, "test", str(beside / "copy.db"), evidence=str(data / "evidence")),
        commands.evidence_back_up_keys(node, "test", str(data / "keys.db")),
        commands.evidence_back_up_keys(node, "test", str(beside / "keys.db")),
    ):
        with pytest.raises(Rejected):
            await attempt

    assert before == (await entries(node), await rows(node, "select id from staff_acts"))
