"""From one key-encryption key to the next: whatever is interrupted, every private key can be opened (security §9)."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from federation.signatures import Profile
from federation.uri import Uri
from instance import vault
from instance.commands import check
from instance.kek import KekRotation
from instance.own_keys import OwnKeys
from instance.services.dossiers import Dossiers
from instance.services.second_factor import SecondFactors
from instance.vault import BadSecret, CannotOpen, kek_id, open_issuer_key, open_vault, read_kek, write_kek
from instance.wiring import Node
from tests.town import Network, Place, pooled_rsa, rows

DOCTORS = ("marie", "paul", "zoe")
#: The instance's pair and each doctor's.
PAIRS = 2 * (1 + len(DOCTORS))


@pytest.fixture
async def fr(tmp_path: Path) -> AsyncIterator[Place]:
    """An instance with a few doctors."""
    network = await Network.open(tmp_path, "fr")
    place = network["fr"]
    for handle in DOCTORS:
        await place.doctor(handle)
    yield place
    await network.close()


def secrets_of(place: Place) -> dict[str, str]:
    """The key-encryption keys that lie there, by their ids."""
    folder = place.config.secrets
    return {path.name: kek_id(read_kek(path)) for path in sorted(folder.glob("kek*"))}


async def heads(place: Place) -> dict[str, int]:
    """Under which key-encryption keys how many rows are sealed."""
    found = await rows(
        place.node,
        "select hex(substr(private, 2, 4)) as id, count(*) as n from keys where private is not null group by 1",
    )
    return {row["id"].lower(): row["n"] for row in found}


async def every_key_signs(place: Place) -> bool:
    """Whether a process that starts now can sign for everybody."""
    await place.reopen()
    for owner in (place.node.actor, *(Uri.parse(f"{place.node.origin}/doctors/{handle}") for handle in DOCTORS)):
        for profile in Profile:
            assert (await place.node.keys.signing_key(owner, profile)).sign(b"made up")
    return True


async def test_everything_is_sealed_anew_and_the_old_key_is_gone(fr):
    """One command: another key in the file, every row under it, the old one destroyed."""
    before = secrets_of(fr)

    done = await KekRotation(fr.node).run()

    after = secrets_of(fr)
    assert (PAIRS, "") == (done.pairs, done.left_behind)
    assert ["kek"] == list(before) == list(after)
    assert before["kek"] != after["kek"]
    assert {after["kek"]: PAIRS} == await heads(fr)
    assert 0o600 == (fr.config.secrets / "kek").stat().st_mode & 0o777
    assert await every_key_signs(fr)


async def test_the_running_process_goes_on(fr):
    """It signs, and makes new doctors, without a restart; the next start opens them."""
    await KekRotation(fr.node).run()
    await fr.doctor("later")
    fr.node.keys.forget(fr.node.actor)

    assert (await fr.node.keys.signing_key(fr.node.actor, Profile.CAVAGE)).sign(b"made up")
    assert {secrets_of(fr)["kek"]: PAIRS + 2} == await heads(fr)
    assert await every_key_signs(fr)


# ── interrupted ──

Step = Callable[[KekRotation], Awaitable[None]]


async def _prepare(rotation: KekRotation) -> None:
    rotation.prepare()


async def _copy_old(rotation: KekRotation) -> None:
    """Half of the swap: the key in force is copied, the new one is not in its place yet."""
    shutil.copy2(rotation._kek, rotation._old)


async def _swap(rotation: KekRotation) -> None:
    rotation.swap()


async def _reseal_some(rotation: KekRotation) -> None:
    node, kek = rotation._node, rotation._in_force()
    await node.store.write(lambda tx: node.keys.reseal(tx, kek, 3))


async def _reseal(rotation: KekRotation) -> None:
    await rotation.reseal(2)


STEPS: tuple[Step, ...] = (_prepare, _copy_old, _swap, _reseal_some, _reseal)


@pytest.mark.parametrize("taken", range(len(STEPS) + 1), ids=["none", *(step.__name__[1:] for step in STEPS)])
async def test_a_rotation_killed_after_any_step_loses_nothing(fr, taken):
    """After each step a new process opens every row; the same command then comes to the end, with one new key."""
    before = secrets_of(fr)["kek"]
    for step in STEPS[:taken]:
        await step(KekRotation(fr.node))
    assert await every_key_signs(fr)
    await fr.doctor("meanwhile")
    between = secrets_of(fr)

    await KekRotation(fr.node).run()

    after = secrets_of(fr)
    assert ["kek"] == list(after)
    assert before != after["kek"]
    assert after["kek"] == between.get("kek.new", between["kek"] if taken > 2 else after["kek"])
    assert {after["kek"]: PAIRS + 2} == await heads(fr)
    assert await every_key_signs(fr)


async def test_a_write_that_was_cut_off_is_no_key(fr):
    """What a crash left of a file half written is written over, and nothing but the key stays."""
    (fr.config.secrets / "kek.new.part").write_bytes(b"0123")
    (fr.config.secrets / "kek.old.part").write_bytes(b"0123")

    assert await every_key_signs(fr)
    await KekRotation(fr.node).run()
    assert {"kek", "issuer.pem", "evidence_kek"} == {path.name for path in fr.config.secrets.iterdir()}


async def test_the_old_key_stays_while_a_row_needs_it(fr):
    """A pair that no key opens stops the rotation by its name; both keys stay, and what could be sealed anew is."""
    damage(fr, "update keys set private = zeroblob(64) where id like '%/doctors/zoe#main-key'")

    with pytest.raises(CannotOpen, match="/doctors/zoe#main-key: sealed under another"):
        await KekRotation(fr.node).run()
    assert {"kek", "kek.old"} == set(secrets_of(fr))
    with pytest.raises(CannotOpen):
        await KekRotation(fr.node).run()
    assert {"kek", "kek.old"} == set(secrets_of(fr))


async def test_the_last_step_looks_once_more(fr):
    """A pair sealed under the old key in the meantime is found before that key is destroyed."""
    rotation = KekRotation(fr.node)
    rotation.prepare()
    old = fr.node.vault
    rotation.swap()
    await rotation.reseal()
    pair = await rows(fr.node, "select id, private from keys where id like '%/doctors/zoe#main-key'")
    name = pair[0]["id"].encode()
    late = old.seal(old.open(pair[0]["private"], name), name, secrets_of(fr)["kek.old"])
    damage(fr, "update keys set private = ? where id like '%/doctors/zoe#main-key'", late)

    with pytest.raises(BadSecret, match="still needed"):
        await rotation.finish()
    assert "kek.old" in secrets_of(fr)
    await KekRotation(fr.node).run()
    assert await every_key_signs(fr)


def damage(place: Place, sql: str, *values: Any) -> None:
    """Change rows behind the instance's back."""
    with sqlite3.connect(place.node.config.database.removeprefix("sqlite:///")) as connection:
        connection.execute(sql, values)
    connection.close()


# ── refused ──


@pytest.mark.parametrize("name", ["kek", "kek.new", "kek.old"])
async def test_a_key_that_others_may_read_stops_it(fr, name):
    """F37: the file is named, and nothing is made, moved or sealed."""
    rotation = KekRotation(fr.node)
    rotation.prepare()
    if name == "kek.old":
        rotation.swap()
    path = fr.config.secrets / name
    path.chmod(0o640)
    before = {path.name: path.read_bytes() for path in fr.config.secrets.iterdir()}, await heads(fr)

    with pytest.raises(BadSecret, match=f"{name}: readable by others"):
        await KekRotation(fr.node).run()
    with pytest.raises(BadSecret, match=f"{name}: readable by others"):
        open_vault(fr.config)
    assert before == ({path.name: path.read_bytes() for path in fr.config.secrets.iterdir()}, await heads(fr))


async def test_a_folder_that_others_may_write_in_stops_it(fr):
    """Whoever can put a file there could put their own key in force."""
    fr.config.secrets.chmod(0o770)

    with pytest.raises(BadSecret, match="others may write in it"):
        await KekRotation(fr.node).run()
    assert ["kek"] == list(secrets_of(fr))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a folder away")
async def test_a_folder_of_somebody_else_stops_it(fr):
    """And so could its owner."""
    os.chown(fr.config.secrets, 65_534, 65_534)

    with pytest.raises(BadSecret, match="belongs to another user"):
        await KekRotation(fr.node).run()
    assert ["kek"] == list(secrets_of(fr))


@pytest.mark.parametrize("content", ["0" * 64, "abcd", "not hexadecimal"])
async def test_a_key_that_anybody_could_guess_is_not_taken(fr, content):
    """A128: one put there by hand is held to the same rules."""
    path = fr.config.secrets / "kek.new"
    path.write_text(content)
    path.chmod(0o600)

    with pytest.raises(BadSecret, match=r"kek\.new"):
        await KekRotation(fr.node).run()


async def test_the_key_in_force_is_not_its_own_successor(fr):
    """A copy of it under the name of the next is no rotation."""
    shutil.copy2(fr.config.secrets / "kek", fr.config.secrets / "kek.new")

    with pytest.raises(BadSecret, match="in force already"):
        await KekRotation(fr.node).run()


async def test_two_rotations_at_once_are_one(fr):
    """The second is refused while the first is at work."""
    with KekRotation(fr.node)._alone(), pytest.raises(BadSecret, match="another rotation"):
        await KekRotation(fr.node).run()

    assert PAIRS == (await KekRotation(fr.node).run()).pairs


# ── several processes and machines ──


def elsewhere(place: Place, secrets: Path) -> Node:
    """Another process over the same rows, with its own idea of the secrets."""
    node, config = place.node, replace(place.config, secrets=secrets)
    opened = open_vault(config)
    keys = OwnKeys(node.store, opened, config, node.clock, open_issuer_key(config), pooled_rsa)
    other = Node(config, node.store, opened, keys, node.clock)
    other.factors, other.dossiers = SecondFactors(other), Dossiers(other)
    return other


async def adds(node: Node, handle: str) -> Uri:
    """Seal pairs for somebody new."""
    owner = Uri.parse(f"{node.origin}/doctors/{handle}")
    pairs = await node.keys.make(owner)
    await node.store.write(lambda tx: node.keys.add(tx, pairs, not_before=node.clock()))
    return owner


async def signs(node: Node, owner: Uri) -> bool:
    """Whether this process can sign for them, having read the row anew."""
    node.keys.forget(owner)
    return bool((await node.keys.signing_key(owner, Profile.CAVAGE)).sign(b"made up"))


async def test_another_process_follows(fr):
    """It opens what was sealed under a key it has not read yet, and seals new pairs under that one itself."""
    other = elsewhere(fr, fr.config.secrets)
    await KekRotation(fr.node).run()

    assert await signs(other, fr.node.actor)
    assert await signs(fr.node, await adds(other, "later"))
    assert {secrets_of(fr)["kek"]: PAIRS + 2} == await heads(fr)


async def test_a_pair_made_between_the_steps_is_sealed_anew_too(fr):
    """Another process that has not followed yet seals under the old key: the rows are gone through until none is left."""
    other = elsewhere(fr, fr.config.secrets)
    rotation = KekRotation(fr.node)
    rotation.prepare()
    rotation.swap()
    late = await adds(other, "later")
    await KekRotation(fr.node).run()

    assert {secrets_of(fr)["kek"]: PAIRS + 2} == await heads(fr)
    assert await signs(fr.node, late)


async def test_another_machine_is_given_the_key_first(fr, tmp_path):
    """With `kek.new` there beforehand it opens and seals all the while; its own run puts that in force there."""
    there = tmp_path / "there"
    shutil.copytree(fr.config.secrets, there)
    here = KekRotation(fr.node)
    here.prepare()
    shutil.copy2(fr.config.secrets / "kek.new", there / "kek.new")
    other = elsewhere(fr, there)
    await here.run()
    late = await adds(other, "later")

    assert await signs(other, fr.node.actor)
    assert await signs(fr.node, late)
    assert 0 == (await KekRotation(other).run()).pairs
    assert (fr.config.secrets / "kek").read_bytes() == (there / "kek").read_bytes()
    assert {"kek", "issuer.pem", "evidence_kek"} == {path.name for path in there.iterdir()}


async def test_a_machine_without_the_key_seals_nothing(fr, tmp_path):
    """The twin: under its old key it would make pairs that nobody else opens; it makes none, and says why."""
    there = tmp_path / "there"
    shutil.copytree(fr.config.secrets, there)
    other = elsewhere(fr, there)
    await KekRotation(fr.node).run()

    with pytest.raises(CannotOpen, match="a key-encryption key that is not here"):
        await adds(other, "later")
    assert {secrets_of(fr)["kek"]: PAIRS} == await heads(fr)


async def test_a_machine_without_the_key_rotates_nothing(fr, tmp_path):
    """It would put a third key in force, which nobody else has; its files stay as they are until it is given that one."""
    there = tmp_path / "there"
    shutil.copytree(fr.config.secrets, there)
    other = elsewhere(fr, there)
    await KekRotation(fr.node).run()
    before = {path.name: path.read_bytes() for path in there.iterdir()}

    with pytest.raises(BadSecret, match=f"{there / 'kek'}: others seal under another key already"):
        await KekRotation(other).run()

    assert before == {path.name: path.read_bytes() for path in there.iterdir()}
    assert {secrets_of(fr)["kek"]: PAIRS} == await heads(fr)
    shutil.copy2(fr.config.secrets / "kek", there / "kek.new")
    assert 0 == (await KekRotation(other).run()).pairs


@pytest.mark.parametrize("name", ["kek.new", "kek.old"])
async def test_a_file_that_goes_while_it_is_read_is_no_fault(fr, monkeypatch, name):
    """Another process takes the next step at the very moment: what is left is read, and more of it when a row asks."""
    rotation = KekRotation(fr.node)
    rotation.prepare()
    if name == "kek.old":
        rotation.swap()
        await rotation.reseal()
    true = vault.read_kek

    def next_step_first(path: Path) -> bytes:
        if path.name == name:
            monkeypatch.undo()
            rotation.swap() if name == "kek.new" else rotation._destroy_old()
        return true(path)

    monkeypatch.setattr(vault, "read_kek", next_step_first)
    other = elsewhere(fr, fr.config.secrets)

    assert await signs(other, fr.node.actor)
    await KekRotation(fr.node).run()
    assert await signs(other, fr.node.actor)


async def test_systemd_lends_both(fr, tmp_path, monkeypatch):
    """A lent key cannot be changed from here; with the old one lent beside it everything is sealed anew."""
    lent = tmp_path / "credentials"
    shutil.copytree(fr.config.secrets, lent)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(lent))
    await fr.reopen()
    with pytest.raises(BadSecret, match="lent by systemd"):
        await KekRotation(fr.node).run()
    (lent / "kek").rename(lent / "kek.old")
    write_kek(lent / "kek", os.urandom(32))
    await fr.reopen()

    done = await KekRotation(fr.node).run()

    assert (PAIRS, str(lent / "kek.old")) == (done.pairs, done.left_behind)
    (lent / "kek.old").unlink()
    assert await every_key_signs(fr)


# ── what `esanum check` says ──


async def test_check_finds_a_rotation_that_was_interrupted(fr):
    """Advice, until the command has come to its end."""
    rotation = KekRotation(fr.node)
    rotation.prepare()
    rotation.swap()
    during = (await check(fr.node))["findings"]
    await KekRotation(fr.node).run()
    after = (await check(fr.node))["findings"]

    warned = [found for found in during if "rotation" in found]
    assert [f"warning: {fr.config.secrets / 'kek.old'}"] == [found.partition(": a rotation")[0] for found in warned]
    assert [] == [found for found in after if "rotation" in found]


async def test_check_finds_rows_that_nothing_opens(fr):
    """A key-encryption key that was lost, before a doctor notices."""
    before = (await check(fr.node))["findings"]
    damage(fr, "update keys set private = x'01ffffffff' where owner like '%/doctors/zoe'")
    after = (await check(fr.node))["findings"]

    assert [] == [found for found in before if "sealed" in found]
    assert ["2 private keys are sealed under another key-encryption key: restore that one"] == [
        found for found in after if "sealed" in found
    ]


async def test_check_names_the_file_where_it_cannot_look_at_rows(fr):
    """Rows that nothing opens and a key that is missing are one finding, and no trace."""
    damage(fr, "update keys set private = x'01ffffffff' where owner like '%/doctors/zoe'")
    (fr.config.secrets / "kek").unlink()

    found = (await check(fr.node))["findings"]

    assert [f"{fr.config.secrets / 'kek'}: cannot be read"] == [
        finding.partition(" (")[0] for finding in found if "warning" not in finding
    ]
