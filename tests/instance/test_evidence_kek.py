"""From one key of the keys of evidence to the next: whatever is interrupted, every file can be opened."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from instance.commands import keys_rotate_kek
from instance.evidence_kek import EvidenceKekRotation
from instance.services.errors import Rejected
from instance.vault import EVIDENCE_KEK, BadSecret, CannotOpen, kek_id, read_kek, write_kek
from tests.instance.vaults import DOSSIER, OTHER, Keeper, keeper
from tests.town import Place

#: What a process does before it is killed, each line on the disk before the next begins.
STEPS = ("prepare()", "_keep_old()", "swap()", "rewrap(1)", "rewrap()", "_destroy_old()")
KILLED = """
import asyncio, inspect, os, sys
from pathlib import Path
from instance.config import read
from instance.evidence import EvidenceVault
from instance.commands import keys_rotate_kek
from instance.evidence_kek import EvidenceKekRotation
from instance.metrics import Metrics
from instance.storage import open_store
from tests.instance.parts import MovedClock
from tests.instance.vaults import Log

async def main():
    config = read({"origin": "https://fr.example", "country": "FR", "name": "France"}, Path(sys.argv[1]))
    store = await open_store(config.database)
    vault = EvidenceVault(config, store, MovedClock(), Log(), Metrics())
    assert "open" == await vault.look()
    rotation = EvidenceKekRotation(config, store, vault._keys, vault._require())
    for step in sys.argv[2:]:
        if step == "rewrap(1)":
            await rotation._rewrapped(1)
            continue
        done = getattr(rotation, step.removesuffix("()"))()
        if inspect.isawaitable(done):
            await done
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""


@pytest.fixture
async def held(tmp_path: Path) -> AsyncIterator[Keeper]:
    """An open vault."""
    async with keeper(tmp_path / "fr") as made:
        yield made


def secrets_of(held: Keeper) -> dict[str, str]:
    """The keys that lie there, by their ids."""
    return {path.name: kek_id(read_kek(path)) for path in sorted(held.config.secrets.glob("evidence_kek*"))}


def under(held: Keeper) -> set[str]:
    """Under which keys the keys of files and the check are wrapped."""
    ids = held.keys()
    found = [held.vault._keys.get(id) for id in ids] + [held.vault._keys.check()]
    return {wrapped[1:5].hex() for wrapped in found if wrapped}


def rotation(held: Keeper) -> EvidenceKekRotation:
    """The steps one by one."""
    return EvidenceKekRotation(held.config, held.store, held.vault._keys, held.vault._require())


async def test_every_key_is_wrapped_anew_and_the_old_one_is_gone(held: Keeper) -> None:
    """Files stay as they are; nothing on the disk is wrapped under, or holds, the old key."""
    files = [await held.put(), await held.put("other", OTHER)]
    before, old = secrets_of(held), held.kek.read_bytes().strip()
    sealed = {path.name: path.read_bytes() for path in (held.config.data / "evidence").iterdir()}
    done = await held.vault.rotate_kek()
    after = secrets_of(held)

    assert (2, "") == (done.keys, done.left_behind)
    assert [EVIDENCE_KEK] == list(before) == list(after)
    assert before != after
    assert {after[EVIDENCE_KEK]} == under(held)
    assert sealed == {path.name: path.read_bytes() for path in (held.config.data / "evidence").iterdir()}
    everything = b"".join(path.read_bytes() for path in held.config.data.rglob("*") if path.is_file())
    assert old not in everything
    assert bytes([1]) + bytes.fromhex(before[EVIDENCE_KEK]) not in everything
    for _ in range(2):
        assert [await held.see(file) for file in files]
        assert "open" == await held.vault.look()
        await held.again()


@pytest.mark.parametrize("taken", range(len(STEPS) + 1), ids=["none", *STEPS])
async def test_a_rotation_killed_after_any_step_loses_nothing(held: Keeper, taken: int) -> None:
    """kill -9 after each line: a new process opens every file and takes others; the same command comes to the end."""
    files, before = [await held.put(), await held.put("other", OTHER)], secrets_of(held)[EVIDENCE_KEK]
    await held.store.close()
    # A swap keeps the old one itself; alone that is half of a swap.
    steps = [step for step in STEPS[:taken] if step != "_keep_old()" or taken == 2]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, str(held.config.data), *steps, cwd=Path(__file__).parents[2]
    )
    assert -9 == await process.wait()
    await held.start()
    between = [await held.see(file) for file in files], held.vault.state
    files.append(await held.put("meanwhile"))
    await held.vault.rotate_kek()
    await held.again()

    assert "open" == between[1]
    assert [EVIDENCE_KEK] == list(secrets_of(held))
    assert before != secrets_of(held)[EVIDENCE_KEK]
    assert {secrets_of(held)[EVIDENCE_KEK]} == under(held)
    assert [await held.see(file) for file in files]


async def test_another_process_wraps_under_the_next_key(held: Keeper) -> None:
    """One that has read the old secret follows what lies in the file of the keys, before and after the old one is gone."""
    steps, stale = rotation(held), held.vault._require()
    steps.prepare()
    steps.swap()
    held.vault._vault = stale
    await steps.rewrap()
    one = await held.put("one")
    await steps.finish()
    two = await held.put("two")

    assert {secrets_of(held)[EVIDENCE_KEK]} == under(held)
    assert [await held.see(file) for file in (one, two)]


async def test_a_key_that_no_row_names_keeps_the_old_one(held: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be opened without its row is not lost by a rotation: both secrets stay, and a day later it ends."""
    monkeypatch.setattr("instance.evidence_kek._PAUSE", 0.01)
    held.vault._step = lambda step: None
    file = await held.put()
    held.vault._keys.add("01JD0000000000000000000009", lambda _check: b"\1oldk" + bytes(60))
    await held.vault.sweep()
    with pytest.raises(BadSecret, match="still needed for 1 keys"):
        await held.vault.rotate_kek()
    both = set(secrets_of(held))
    seen = await held.see(file)
    held.clock.move(days=1)
    await held.vault.sweep()
    await held.vault.rotate_kek()

    assert {EVIDENCE_KEK, "evidence_kek.old"} == both
    assert seen
    assert [EVIDENCE_KEK] == list(secrets_of(held))


async def test_a_damaged_key_stops_it_by_its_name(held: Keeper) -> None:
    """Both secrets stay, and every other file opens."""
    file, other = await held.put(), await held.put("other", OTHER)
    held.vault._keys.destroy([file.id])
    held.vault._keys.add(file.id, lambda check: check[:5] + bytes(60))
    with pytest.raises(CannotOpen, match=f"the key of {file.id}: changed"):
        await held.vault.rotate_kek()
    await held.again()

    assert {EVIDENCE_KEK, "evidence_kek.old"} == set(secrets_of(held))
    assert await held.see(other)


async def test_a_closed_vault_is_not_rotated(held: Keeper) -> None:
    """The key that is there is not the one of what is here: nothing is made, moved or wrapped."""
    await held.put()
    held.kek.chmod(0o644)
    await held.vault.look()
    before = {path.name: path.read_bytes() for path in held.config.secrets.iterdir()}
    with pytest.raises(Rejected, match="vault_closed"):
        await held.vault.rotate_kek()

    assert before == {path.name: path.read_bytes() for path in held.config.secrets.iterdir()}


@pytest.mark.parametrize("name", ["evidence_kek.new", "evidence_kek.old"])
async def test_a_key_beside_it_that_others_may_read_closes_the_vault(held: Keeper, name: str) -> None:
    """Each of them opens what is here: all are held to the same rules."""
    await held.put()
    rotation(held).prepare()
    if name.endswith("old"):
        rotation(held).swap()
    (held.config.secrets / name).chmod(0o640)

    assert "evidence_key_exposed" == await held.vault.look()


async def test_the_secret_of_another_day_does_not_open_it(held: Keeper, tmp_path: Path) -> None:
    """After a rotation the old secret, put back from somewhere, closes the vault; the new one opens it."""
    file = await held.put()
    shutil.copy2(held.kek, tmp_path / "old")
    await held.vault.rotate_kek()
    shutil.copy2(held.kek, tmp_path / "new")
    shutil.copy2(tmp_path / "old", held.kek)
    wrong = await held.vault.look()
    shutil.copy2(tmp_path / "new", held.kek)

    assert ("evidence_key_wrong", "open") == (wrong, await held.vault.look())
    assert await held.see(file)


async def test_systemd_lends_both(held: Keeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lent key cannot be changed from here; with the old one lent beside it everything is wrapped anew."""
    file = await held.put()
    lent = tmp_path / "credentials"
    shutil.copytree(held.config.secrets, lent)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(lent))
    await held.vault.look()
    with pytest.raises(BadSecret, match=r"lend the new key as evidence_kek and this one as evidence_kek\.old"):
        await held.vault.rotate_kek()
    (lent / EVIDENCE_KEK).rename(lent / "evidence_kek.old")
    write_kek(lent / EVIDENCE_KEK, os.urandom(32))
    await held.vault.look()
    done = await held.vault.rotate_kek()

    assert (1, str(lent / "evidence_kek.old")) == (done.keys, done.left_behind)
    assert {kek_id(read_kek(lent / EVIDENCE_KEK))} == under(held)
    assert await held.see(file)


async def test_files_are_kept_and_destroyed_while_keys_are_wrapped_anew(held: Keeper) -> None:
    """Nobody waits for it, and nothing that comes or goes meanwhile is lost or comes back."""
    files = [await held.put(f"{number}", f"d-01jd000000000000000000001{number}") for number in range(4)]

    async def comes_and_goes() -> list[Any]:
        await held.vault.destroy(files[0].id, "request")
        return [await held.put("late", DOSSIER), await held.put("later", DOSSIER)]

    new, _ = await asyncio.gather(comes_and_goes(), held.vault.rotate_kek())

    assert {file.id for file in (*files[1:], *new)} == held.keys()
    assert {secrets_of(held)[EVIDENCE_KEK]} == under(held)
    assert [await held.see(file) for file in (*files[1:], *new)]


async def test_one_command_changes_both(fr: Place) -> None:
    """Rows and evidence have other keys afterwards; what stands against the second is said, and is no reason not to."""
    names = ("kek", EVIDENCE_KEK)
    folder = fr.config.secrets
    before = [(folder / name).read_bytes() for name in names]
    done = await keys_rotate_kek(fr.node, by="test", reason="yearly")
    after = [(folder / name).read_bytes() for name in names]
    (folder / EVIDENCE_KEK).chmod(0o640)
    await fr.node.evidence.look()
    closed = await keys_rotate_kek(fr.node, by="test", reason="yearly")

    assert {"keys": 0, "left_behind": ""} == done["evidence"]
    assert not set(before) & set(after)
    assert {"closed": "evidence_key_exposed"} == closed["evidence"]
    assert [False, True] == [(folder / name).read_bytes() == old for name, old in zip(names, after, strict=True)]
