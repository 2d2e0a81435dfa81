"""Two at once on one dossier, in a database that lets them: what is handed in is never taken from under it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from instance.services.errors import Missing, Rejected
from tests.faults.postgres.conftest import rows
from tests.instance.dossiers.applying import Applicant
from tests.instance.dossiers.test_registers import a_file, bring, line
from tests.instance.dossiers.test_vault import picture
from tests.town import Place
from verification.moves import State


@pytest.fixture
async def fr(network: Any) -> Place:
    """France, alone."""
    return (await network("fr"))["fr"]


async def test_nothing_is_submitted_without_its_piece(fr: Place) -> None:
    """Handed in and taken back in the same moment: one of them is refused."""
    for number in range(8):
        bruno = await Applicant.begins(fr.node, f"bruno{number}", name="Dr Bruno Marin", birth_date=None)
        piece, seen = await bruno.shows(), (await bruno.file()).version
        done = await asyncio.gather(
            fr.node.dossiers.submit(bruno.id, bruno.actor, seen=seen),
            fr.node.dossiers.drop_piece(bruno.id, bruno.actor, piece),
            return_exceptions=True,
        )
        file = await bruno.file()
        refused = [each for each in done if isinstance(each, (Missing, Rejected))]

        assert 1 == len(refused)
        assert (file.dossier.state, len(file.pieces)) in [(State.SUBMITTED, 1), (State.DRAFT, 0)]


async def test_nothing_is_attached_to_what_was_submitted(fr: Place) -> None:
    """A file hangs on its piece before the submit, and then is kept; or it is refused."""
    for number in range(6):
        bruno = await Applicant.begins(fr.node, f"bruno{number}", name="Dr Bruno Marin", birth_date=None)
        piece = await bruno.shows()
        kept = await fr.node.evidence.put(bruno.id, "diploma", "image/png", picture(number))
        seen = (await bruno.file()).version
        _, attached = await asyncio.gather(
            fr.node.dossiers.submit(bruno.id, bruno.actor, seen=seen),
            fr.node.dossiers.attach(bruno.id, bruno.actor, piece, kept.id),
            return_exceptions=True,
        )
        file = await bruno.file()
        day = (await fr.node.evidence.get(kept.id)).destroy_at

        assert State.SUBMITTED is file.dossier.state
        assert ((), True) == (file.pieces[0].files, isinstance(attached, Rejected)) or (
            ((kept.id,), None) == (file.pieces[0].files, attached) and day is None
        )


async def test_two_processes_bring_one_register_in(fr: Place, tmp_path: Path) -> None:
    """The second is refused; one snapshot is in force, whole."""
    from instance.services.dossiers.registers import Registers

    path, other = a_file(tmp_path, *map(line, range(3))), Registers(fr.node.dossiers)
    done = await asyncio.gather(bring(fr, path), other.bring_in("rpps", path), return_exceptions=True)

    assert ["register_busy"] == [each.code for each in done if isinstance(each, Rejected)]
    assert [("current", 3)] == await rows(fr.node, "select state, doctors from register_snapshots")
    assert [(3,)] == await rows(fr.node, "select count(*) from register_entries")
