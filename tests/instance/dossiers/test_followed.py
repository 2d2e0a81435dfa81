"""A register that is read again verifies whom people found in it, by the days they read, and nobody else."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from instance.services.dossiers.numbers import place_of
from instance.services.dossiers.values import Findings
from instance.storage.store import Transaction
from tests.instance.dossiers.applying import ADMIN, APPROVE, HOLDS, LEA, RENE, RITA, RPPS, Applicant
from tests.instance.dossiers.test_registers import VAUQUELIN, a_file, bring, line, verified
from tests.town import Place
from verification.campaign import Cohort
from verification.countries import Proof
from verification.evidence import Control
from verification.grounds import Ground
from verification.moves import State
from verification.terms import months_on

KNOWN = Findings(same_name=True, from_authority=True, known=True, active=True, known_name=True)


async def approved_with_number(fr: Place, findings: Findings) -> Applicant:
    """A doctor with a licence and a number, approved by two who found this."""
    eliane = await Applicant.begins(fr.node)
    await eliane.shows(Proof.LICENCE, number_kind="rpps", number=RPPS)
    await eliane.does("submit")
    await eliane.does("take", by=RITA)
    for by in (RITA, RENE):
        await eliane.is_found(by, findings)
        await eliane.does("vote", *APPROVE, by=by)
    return eliane


async def write(fr: Place, query: str, **values: Any) -> None:
    """Change rows as nobody should."""

    async def work(tx: Transaction) -> None:
        assert await tx.run(query, **values)

    await fr.node.store.write(work)


@pytest.mark.parametrize("findings", [HOLDS, KNOWN])
async def test_a_number_that_is_only_claimed_is_not_followed(fr: Place, tmp_path: Path, findings: Findings) -> None:
    """Nobody looked it up, or showed control of it: it may be anybody's of this name, and nothing is prolonged."""
    await bring(fr, a_file(tmp_path, VAUQUELIN, line(1)))
    eliane = await approved_with_number(fr, findings)
    before = (await eliane.file()).dossier
    fr.network.clock.move(days=180)
    await bring(fr, a_file(tmp_path, VAUQUELIN, line(1)))
    after = (await eliane.file()).dossier

    assert not before.followed
    assert before.reverify_on == after.reverify_on


async def test_a_number_that_both_found_is_followed(fr: Place, tmp_path: Path) -> None:
    """Active and under this name, with control shown; then the register prolongs."""
    await bring(fr, a_file(tmp_path, VAUQUELIN, line(1)))
    eliane = await verified(fr)
    before = (await eliane.file()).dossier
    fr.network.clock.move(days=180)
    await bring(fr, a_file(tmp_path, VAUQUELIN, line(1)))
    after = (await eliane.file()).dossier

    assert before.followed
    assert before.reverify_on is not None
    assert after.reverify_on is not None
    assert before.reverify_on + timedelta(days=170) < after.reverify_on


async def test_the_day_that_was_read_stands(fr: Place, tmp_path: Path) -> None:
    """A resident's end of training is what reviewers read, not what was claimed, also when the register is read."""
    await bring(fr, a_file(tmp_path, VAUQUELIN, line(1)))
    eliane = await Applicant.begins(fr.node, role="resident")
    letter = await eliane.shows(Proof.EMPLOYER_LETTER, training_ends=date(2035, 1, 1), residency=True, medicine=True)
    number = await eliane.shows(Proof.REGISTER_NUMBER, number_kind="rpps", number=RPPS)
    await eliane.does("submit")
    await eliane.does("take", by=RITA)
    end = (fr.network.clock.now + timedelta(days=90)).date()
    for by in (RITA, RENE):
        read = Findings(same_name=True, residency=True, medicine=True, training_ends=end)
        await fr.node.dossiers.find(eliane.id, by, letter, read)
        await fr.node.dossiers.find(eliane.id, by, number, replace(KNOWN, control=Control.CODE_TO_REGISTERED_ADDRESS))
        approved = await eliane.does("vote", *APPROVE, by=by)
    fr.network.clock.move(days=10)
    await bring(fr, a_file(tmp_path, VAUQUELIN, line(1)))
    after = (await eliane.file()).dossier

    assert approved.followed
    assert approved.reverify_on is not None
    assert end + timedelta(days=1) == approved.reverify_on.date()
    assert approved.reverify_on == after.reverify_on
    assert approved.verified_at != after.verified_at


async def test_the_countrys_profile_ends_it(fr: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often the register is read, and also for whoever retires, it lasts no longer than the profile says."""
    france = fr.node.dossiers.policy("FR")
    short = msgspec.structs.replace(france.validity, imported=3, retired=6)
    monkeypatch.setattr(fr.node.dossiers, "policy", lambda _: msgspec.structs.replace(france, validity=short))
    await bring(fr, a_file(tmp_path, VAUQUELIN, line(1)))
    eliane = await verified(fr)
    days = [(await eliane.file()).dossier.reverify_on]
    fr.network.clock.move(days=31)
    await bring(fr, a_file(tmp_path, VAUQUELIN, line(1)))
    days.append((await eliane.file()).dossier.reverify_on)
    at = fr.network.clock.now
    days.append((await eliane.does("retire")).reverify_on)

    assert [months_on(at - timedelta(days=31), 3), months_on(at, 3), months_on(at, 6)] == days


async def test_a_register_read_again_takes_nobody_out_of_a_cohort(fr: Place, tmp_path: Path) -> None:
    """Whom a doubted reviewer approved at that time is found after any number of imports."""
    await bring(fr, a_file(tmp_path, VAUQUELIN))
    eliane = await verified(fr)
    at = (await eliane.file()).dossier.verified_at
    assert at is not None
    then = Cohort(reviewers=frozenset({RITA.id}), before=at + timedelta(seconds=1))
    later = Cohort(reviewers=frozenset({RITA.id}), since=at + timedelta(seconds=1))
    fr.network.clock.move(days=7)
    await bring(fr, a_file(tmp_path, VAUQUELIN))
    campaigns = fr.node.dossiers.campaigns

    assert at != (await eliane.file()).dossier.verified_at
    assert (1, 0) == (await campaigns.preview("FR", then, LEA), await campaigns.preview("FR", later, LEA))


async def test_a_number_that_is_gone_is_a_task(fr: Place, tmp_path: Path) -> None:
    """Nothing to compare is not as before: nobody is verified again by it."""
    await bring(fr, a_file(tmp_path, VAUQUELIN, line(1)))
    eliane = await verified(fr)
    before = (await eliane.file()).dossier
    await write(fr, "dossiers.drop_sealed", id=place_of((await eliane.file()).pieces[0].id))
    fr.network.clock.move(days=7)
    done = await bring(fr, a_file(tmp_path, VAUQUELIN, line(1)))
    tasks = await fr.node.store.all("dossiers.tasks", dossier=eliane.id)

    assert (0, 1) == (done.unchanged, done.changed)
    assert ["missing"] == [task["what"] for task in tasks]
    assert before.reverify_on == (await eliane.file()).dossier.reverify_on


async def test_a_number_that_does_not_open_keeps_nobody_from_anything(fr: Place, tmp_path: Path) -> None:
    """It is told to whoever runs the instance; the doctor can be suspended, and the next one is compared."""
    await bring(fr, a_file(tmp_path, VAUQUELIN, line(1)))
    eliane = await verified(fr)
    place = place_of((await eliane.file()).pieces[0].id)
    well = await fr.node.dossiers.numbers.findings()
    await write(fr, "dossiers.reseal", id=place, content=b"\0" * 60)
    done = await bring(fr, a_file(tmp_path, VAUQUELIN, line(1)))
    await fr.node.dossiers.tick()
    suspended = await eliane.does("suspend", Ground.MISCONDUCT, by=ADMIN)
    found = await fr.node.dossiers.numbers.findings()

    assert State.SUSPENDED is suspended.state
    assert (0, 1) == (done.unchanged, done.changed)
    assert [] == well
    assert [True] == [place in finding for finding in found]
