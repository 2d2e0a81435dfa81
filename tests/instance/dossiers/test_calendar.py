"""What the calendar does: reminders, the end of a question, of an appeal's window, of an emergency, of a verification."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from instance.storage.store import StorageUnavailable
from tests.instance.dossiers.applying import ADMIN, REJECT, RENE, RITA, Applicant
from tests.town import Place, rows
from verification.dossier import Role
from verification.grounds import Ground
from verification.moves import State


async def told(fr: Place) -> list[str]:
    """What applicants were mailed, in order."""
    return [row[0] for row in await rows(fr.node, "select notice from mails where account <> '' order by id")]


async def standing(eliane: Applicant) -> str:
    """The standing in the doctor's row."""
    row = await eliane.node.store.one("people.doctor", uri=(await eliane.file()).doctor)
    assert row is not None
    return str(row["standing"])


async def test_a_question_nobody_answers_ends_after_thirty_days(fr: Place) -> None:
    """Two reminders, then it is closed; the day before it is open."""
    eliane = await Applicant.submits(fr.node)
    await eliane.does("take", by=RITA)
    await eliane.does("ask", Ground.UNREADABLE, by=RITA)
    for days in (10, 10, 9):
        fr.network.clock.move(days=days)
        await fr.node.dossiers.tick()
    before = (await eliane.file()).dossier.state
    fr.network.clock.move(days=1)
    await fr.node.dossiers.tick()

    assert (State.NEEDS_INFO, State.CLOSED) == (before, (await eliane.file()).dossier.state)
    assert ["received", "more_needed", "answer_reminder", "answer_reminder", "closed"] == await told(fr)


async def test_a_rejection_is_final_after_thirty_days(fr: Place) -> None:
    """An appeal comes in time or not at all."""
    eliane = await Applicant.submits(fr.node)
    await eliane.is_rejected()
    fr.network.clock.move(days=30, seconds=1)
    await fr.node.dossiers.tick()

    assert State.CLOSED is (await eliane.file()).dossier.state


async def test_an_emergency_lifts_itself_after_72_hours(fr: Place) -> None:
    """A suspension nobody confirms ends; an hour before it holds."""
    eliane = await Applicant.submits(fr.node)
    await eliane.is_approved()
    await eliane.does("suspend", Ground.AUTHORITY_LETTER, by=ADMIN)
    fr.network.clock.move(hours=71)
    await fr.node.dossiers.tick()
    before = await standing(eliane)
    fr.network.clock.move(hours=1)
    await fr.node.dossiers.tick()

    assert ("suspended", "ok") == (before, await standing(eliane))
    assert [(0,)] == [tuple(row) for row in await rows(fr.node, "select suspended from status_places")]


async def test_a_confirmed_suspension_stays(fr: Place) -> None:
    """A second person has said so: nothing lifts it but two."""
    eliane = await Applicant.submits(fr.node)
    await eliane.is_approved()
    await eliane.does("suspend", Ground.AUTHORITY_LETTER, by=ADMIN)
    await eliane.does("confirm", by=RITA)
    fr.network.clock.move(hours=100)
    await fr.node.dossiers.tick()
    await eliane.does("lift", Ground.CLEARED, by=RITA)
    proposed = await standing(eliane)
    await eliane.does("lift", Ground.CLEARED, by=RENE)

    assert ("suspended", "ok") == (proposed, await standing(eliane))


async def test_a_verification_runs_out_and_is_renewed(fr: Place) -> None:
    """Reminders, then the standing is gone and the credential ended; shown anew, two reviewers give it back."""
    eliane = await Applicant.submits(fr.node)
    day = (await eliane.is_approved()).reverify_on
    assert day is not None
    for moment in (day - timedelta(days=60), day - timedelta(days=30), day - timedelta(days=7)):
        fr.network.clock.now = moment
        await fr.node.dossiers.tick()
        await fr.node.people.renew_due()
    due = (await eliane.file()).dossier.state
    fr.network.clock.now = day
    await fr.node.dossiers.tick()
    gone = await standing(eliane)
    fr.network.clock.move(days=1)
    await eliane.shows()
    await eliane.does("renew_expired")
    await eliane.is_approved()

    assert (State.REVERIFY_DUE, "expired", "ok") == (due, gone, await standing(eliane))
    assert ["received", "approved", "reverify_due", "reverify_reminder", "reverify_reminder", "expired", "received",
            "approved"] == await told(fr)  # fmt: skip
    assert 1 == len(await rows(fr.node, "select uri from doctors"))


async def test_what_is_done_is_not_done_twice(fr: Place) -> None:
    """A second look at the same moment finds nothing to do."""
    eliane = await Applicant.submits(fr.node)
    await eliane.is_rejected()
    fr.network.clock.move(days=31)

    assert 1 == await fr.node.dossiers.tick()
    assert 0 == await fr.node.dossiers.tick()
    assert 1 == (await told(fr)).count("closed")


async def test_a_crash_leaves_it_due(fr: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails at the commit leaves no trace and is done by the next tick; one that fails keeps no other from it."""
    one = await Applicant.submits(fr.node)
    other = await Applicant.submits(fr.node, "other", name="Dr Luc Marin")
    for each in (one, other):
        await each.does("take", by=RITA)
        await each.is_voted(RITA, REJECT)
        await each.is_voted(RENE, REJECT)
    fr.network.clock.move(days=31)
    write, failed = fr.node.store.write, []

    async def fails_once(work: Any, **more: Any) -> Any:
        async def falls(tx: Any) -> None:
            await work(tx)
            raise StorageUnavailable("storage_full")

        if not failed:
            failed.append(1)
            return await write(falls, **more)
        return await write(work, **more)

    monkeypatch.setattr(fr.node.store, "write", fails_once)
    done = await fr.node.dossiers.tick()
    states = [(await each.file()).dossier.state for each in (one, other)]
    await fr.node.dossiers.tick()

    assert (1, [State.REJECTED, State.CLOSED]) == (done, states)
    assert State.CLOSED is (await one.file()).dossier.state


async def test_facts_are_forgotten_when_somebody_leaves(fr: Place) -> None:
    """Name, number and reviewers go at once; the decision stays three years under its pseudonym, and then goes too."""
    eliane = await Applicant.submits(fr.node)
    await eliane.is_approved()
    await eliane.does("leave")
    await fr.node.dossiers.tick()
    file = await eliane.file()
    dump = "".join(str(tuple(row)) for row in await rows(fr.node, "select * from dossiers"))
    fr.network.clock.move(days=3 * 366)
    await fr.node.dossiers.tick()

    assert ("", "", ()) == (file.said.name, file.said.email, file.pieces)
    assert (State.WITHDRAWN, (), Role.GENERALIST) == (file.dossier.state, file.dossier.votes, file.dossier.role)
    assert "liane" not in dump.replace("eliane.vauquelin", "")
    assert [] == await rows(fr.node, "select id from dossiers")
    assert ["facts.erased", "decision.erased"] == [line.act for line in await fr.node.dossiers.history(eliane.id)][-2:]
