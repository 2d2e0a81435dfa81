"""What is destroyed, and when: every line of the table (specification of the medical room, 9), and not a day before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.instance.dossiers.applying import LEA, REMY, RENE, RITA, RPPS, Applicant, application
from tests.instance.dossiers.test_vault import picture
from tests.town import Place, rows
from verification.countries import Proof
from verification.grounds import Ground
from verification.moves import State

SECOND = timedelta(seconds=1)


async def drafts(fr: Place) -> Applicant:
    """A draft with a number and a file."""
    eliane = await Applicant.begins(fr.node)
    piece = await eliane.shows(Proof.LICENCE)
    await eliane.shows(Proof.ATTESTATION, number_kind="rpps", number=RPPS)
    file = await fr.node.evidence.put(eliane.id, "diploma", "image/png", picture())
    await fr.node.dossiers.attach(eliane.id, eliane.actor, piece, file.id)
    return eliane


async def submits(fr: Place) -> Applicant:
    """The same, handed in."""
    eliane = await drafts(fr)
    await eliane.does("submit")
    return eliane


async def is_approved(fr: Place) -> Applicant:
    """A doctor."""
    eliane = await submits(fr)
    await eliane.is_approved()
    return eliane


async def is_rejected(fr: Place) -> Applicant:
    """Refused; nobody appeals."""
    eliane = await submits(fr)
    await eliane.is_rejected()
    return eliane


async def appeals_in_vain(fr: Place) -> Applicant:
    """Refused, on the 29th day asked for again, and refused by two others ten days later."""
    eliane = await is_rejected(fr)
    await passes(fr, timedelta(days=29))
    await eliane.does("appeal")
    await passes(fr, timedelta(days=10))
    await eliane.is_rejected(REMY, LEA)
    return eliane


async def gives_no_answer(fr: Place) -> Applicant:
    """Closed after thirty days in which nothing came."""
    eliane = await submits(fr)
    await eliane.does("take", by=RITA)
    await eliane.does("ask", Ground.UNREADABLE, by=RITA)
    for days in (10, 10, 10):
        await passes(fr, timedelta(days=days))
    assert State.CLOSED is (await eliane.file()).dossier.state
    return eliane


async def withdraws(fr: Place) -> Applicant:
    """Taken back while it is looked at."""
    eliane = await submits(fr)
    await eliane.does("withdraw")
    return eliane


async def leaves(fr: Place) -> Applicant:
    """A doctor who leaves, on the first day."""
    eliane = await is_approved(fr)
    await eliane.does("leave")
    return eliane


async def is_revoked(fr: Place) -> Applicant:
    """A doctor who is struck off."""
    eliane = await is_approved(fr)
    for by in (RITA, RENE):
        await eliane.does("revoke", Ground.STRUCK_OFF, by=by)
    return eliane


async def dies(fr: Place) -> Applicant:
    """A doctor who has died."""
    eliane = await is_approved(fr)
    for by in (RITA, RENE):
        await eliane.does("report_death", by=by)
    return eliane


async def moves(fr: Place) -> Applicant:
    """A doctor whose new home has taken over."""
    eliane = await is_approved(fr)
    await fr.node.dossiers.depart(eliane.id)
    return eliane


async def passes(fr: Place, time: timedelta) -> None:
    """Let time pass, and the chores be done."""
    fr.network.clock.now += time
    await fr.node.dossiers.tick()
    await fr.node.evidence.sweep()


async def left(fr: Place, eliane: Applicant) -> set[str]:
    """What there still is of the dossier."""
    counted = {
        "evidence": f"select count(*) from evidence_files where dossier = '{eliane.id}' and destroyed_at is null",
        "facts": "select count(*) from sealed_values where id like 'number/%'",
        "decision": f"select count(*) from dossiers where id = '{eliane.id}' and state <> 'erased'",
    }
    return {thing for thing, sql in counted.items() if (await rows(fr.node, sql))[0][0]}


EVERYTHING = {"evidence", "facts", "decision"}
Story = Callable[[Place], Awaitable[Applicant]]


@pytest.mark.parametrize(
    ("story", "kept", "days"),
    [
        (drafts, EVERYTHING, 30), (is_approved, EVERYTHING, 30), (is_rejected, EVERYTHING, 60),
        (appeals_in_vain, EVERYTHING, 30), (gives_no_answer, EVERYTHING, 30),
    ],
)  # fmt: skip
async def test_evidence_goes_on_its_day_and_not_a_second_before(
    fr: Place, story: Story, kept: set[str], days: int
) -> None:
    """A month after the last change, the approval, the appeal's window, the appeal's answer, the closing."""
    eliane, half = await story(fr), timedelta(days=days) / 2
    await passes(fr, half)
    await passes(fr, half - SECOND)
    before = await left(fr, eliane)
    await passes(fr, SECOND)

    assert kept == before
    assert "evidence" not in await left(fr, eliane)


@pytest.mark.parametrize("story", [withdraws, leaves, is_revoked, dies, moves])
async def test_who_leaves_leaves_no_evidence_behind_at_once(fr: Place, story: Story) -> None:
    """In the same request, before any chore; numbers go with the next look at the calendar, and the decision stays."""
    eliane = await story(fr)
    at_once = await left(fr, eliane)
    folder = list((fr.config.data / "evidence").iterdir())
    acts = [row[0] for row in await rows(fr.node, "select entry from audit order by n desc limit 1")]
    await passes(fr, timedelta(0))

    assert {"facts", "decision"} == at_once
    assert [] == folder
    assert '"act":"evidence.erased"' in acts[0]
    assert {"decision"} == await left(fr, eliane)


async def test_a_vault_that_cannot_destroy_keeps_nobody_from_leaving(fr: Place, monkeypatch: Any) -> None:
    """The act holds, the fault is logged, and the next sweep destroys what is due."""
    eliane = await submits(fr)

    async def fails(*_: Any) -> int:
        raise OSError(5, "made up")

    monkeypatch.setattr(fr.node.evidence, "destroy_dossier", fails)
    await eliane.does("withdraw")
    before = await left(fr, eliane)
    await fr.node.evidence.sweep()

    assert State.WITHDRAWN is (await eliane.file()).dossier.state
    assert "evidence" in before
    assert "evidence" not in await left(fr, eliane)


async def _file_rows(fr: Place) -> list[bool]:
    """For each row of a file, whether it is destroyed."""
    found = await rows(fr.node, "select destroyed_at from evidence_files order by id")
    return [row["destroyed_at"] is not None for row in found]


@pytest.mark.parametrize("story", [withdraws, leaves, is_revoked, dies, moves])
async def test_rows_of_files_go_with_the_facts_of_who_left(fr: Place, story: Story) -> None:
    """Kind, size and dates of what was shown are nobody's business any more; until the facts go they stay."""
    eliane = await story(fr)
    before = await _file_rows(fr)
    await passes(fr, timedelta(0))

    assert [True] == before
    assert [] == await _file_rows(fr)
    assert {"decision"} == await left(fr, eliane)


@pytest.mark.parametrize(("story", "destroyed"), [(gives_no_answer, False), (is_approved, True)])
async def test_rows_of_files_stay_as_long_as_the_facts(fr: Place, story: Story, destroyed: bool) -> None:
    """To the last second before the day of a closed dossier; and a member's, whose file is long gone."""
    await story(fr)
    await passes(fr, timedelta(days=40 if destroyed else 30) - SECOND)

    assert [destroyed] == await _file_rows(fr)


@pytest.mark.parametrize("story", [gives_no_answer, drafts])
async def test_rows_of_files_go_with_a_closed_dossier_and_a_draft(fr: Place, story: Story) -> None:
    """On the day itself, with the facts."""
    await story(fr)
    await passes(fr, timedelta(days=30))

    assert [] == await _file_rows(fr)


async def test_a_row_is_not_forgotten_before_its_key_is_destroyed(fr: Place, monkeypatch: Any) -> None:
    """It alone says that there is a file to destroy; once that is done it goes, and the log tells of it."""
    eliane = await is_approved(fr)

    async def fails(*_: Any) -> int:
        raise OSError(5, "made up")

    monkeypatch.setattr(fr.node.evidence, "destroy_dossier", fails)
    await eliane.does("leave")
    await fr.node.dossiers.tick()
    before, kept = await _file_rows(fr), list((fr.config.data / "evidence").iterdir())
    facts = await left(fr, eliane)
    await fr.node.evidence.sweep()
    last = await rows(fr.node, "select entry from audit order by n desc limit 1")

    assert ([False], 1) == (before, len(kept))
    assert {"evidence", "decision"} == facts
    assert [] == await _file_rows(fr)
    assert [] == list((fr.config.data / "evidence").iterdir())
    assert '"act":"evidence.erased"' in last[0]["entry"]


async def test_a_draft_is_kept_from_its_last_change(fr: Place) -> None:
    """Something added, or said anew, on a later day keeps all of it until a month after that."""
    eliane = await drafts(fr)
    await passes(fr, timedelta(days=20))
    version = (await eliane.file()).version
    await fr.node.dossiers.say(eliane.id, eliane.actor, application(name="Dr Éliane Marin"), seen=version)
    await passes(fr, timedelta(days=30) - SECOND)
    before = await left(fr, eliane)
    await passes(fr, SECOND)

    assert EVERYTHING == before
    assert "evidence" not in await left(fr, eliane)


async def test_facts_stay_while_a_member(fr: Place) -> None:
    """Number, class and decision are needed as long as the doctor is one; the files are long gone."""
    eliane = await is_approved(fr)
    await passes(fr, timedelta(days=300))

    assert {"facts", "decision"} == await left(fr, eliane)


async def test_facts_of_a_closed_dossier_go_after_thirty_days(fr: Place) -> None:
    """The number too: nobody was admitted on it."""
    eliane = await gives_no_answer(fr)
    await passes(fr, timedelta(days=30) - SECOND)
    before = await left(fr, eliane)
    await passes(fr, SECOND)

    assert EVERYTHING == before
    assert {"decision"} == await left(fr, eliane)


@pytest.mark.parametrize("story", [gives_no_answer, leaves])
async def test_the_decision_goes_three_years_after_the_end(fr: Place, story: Story) -> None:
    """The pseudonym in the log is nobody's then, and the log still holds."""
    from instance.services.dossiers import checking

    eliane = await story(fr)
    ended = fr.network.clock.now
    await passes(fr, timedelta(days=31))
    await passes(fr, ended.replace(year=ended.year + 3) - fr.network.clock.now - SECOND)
    before = await left(fr, eliane)
    await passes(fr, SECOND)

    assert {"decision"} == before
    assert set() == await left(fr, eliane)
    assert None is (await checking.recompute(fr.node.store))[1]
