"""What a decision rests on: own findings, kept and recorded; who may decide; what comes before it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from instance.services.dossiers.values import Findings
from instance.services.errors import Missing
from tests.instance.dossiers.applying import (
    ADMIN,
    APPROVE,
    HOLDS,
    LEA,
    REJECT,
    REMY,
    RENE,
    RITA,
    ROSE,
    RPPS,
    Applicant,
    an_account,
    application,
)  # fmt: skip
from tests.instance.dossiers.test_audit import damage
from tests.instance.dossiers.test_cases import refused
from tests.town import Place, rows
from verification.countries import Proof
from verification.evidence import Control
from verification.grounds import Ground
from verification.moves import AnnexKind, State
from verification.people import Actor

#: A degree whose holder one reviewer finds in the register, and another does not.
DEGREE = Findings(same_name=True)
KNOWN = Findings(known=True, active=True, known_name=True, control=Control.IDENTITY_DOCUMENT_LIVE)
CARD = Findings(same_name=True, residency=True, medicine=True, year_ends=2027, training_ends=date(2027, 6, 30))


async def ranks(made: Applicant) -> list[str]:
    """What the pieces count as now."""
    return [each.rank.value for each in (await made.file()).pieces]


async def finds(made: Applicant, by: Actor, *found: Findings) -> None:
    """A reviewer finds this in the pieces, in their order."""
    for piece, findings in zip((await made.file()).pieces, found, strict=True):
        await made.node.dossiers.find(made.id, by, piece.id, findings)


async def acts(made: Applicant) -> list[str]:
    """What happened, by the audit log."""
    return [line.act for line in await made.node.dossiers.history(made.id)]


# ── findings ──


async def with_degree(fr: Place) -> Applicant:
    """Somebody who shows a degree and a number, taken by Rita."""
    made = await Applicant.begins(fr.node)
    await made.shows(Proof.DEGREE)
    await made.shows(Proof.REGISTER_NUMBER, number_kind="rpps", number=RPPS)
    await made.does("submit")
    await made.does("take", by=RITA)
    return made


@pytest.mark.parametrize("turned", [False, True])
async def test_of_two_who_found_different_things_the_weaker_counts(fr: Place, turned: bool) -> None:
    """And nothing of the first's findings stands in the dossier before the second has voted."""
    made = await with_degree(fr)
    claimed = await ranks(made)
    found = {RITA: (DEGREE, KNOWN), RENE: (DEGREE, Findings())}
    for by in reversed(found) if turned else found:
        assert claimed == await ranks(made)
        await finds(made, by, *found[by])
        await made.does("vote", *APPROVE, by=by)

    assert ["E4", "E4"] == await ranks(made)
    assert ("low", State.APPROVED) == ((await made.file()).assurance, (await made.file()).dossier.state)


async def test_of_two_days_the_earlier_counts(fr: Place) -> None:
    """Each vote rests on what its own reviewer read, not on what the first read."""
    made = await Applicant.begins(fr.node, role="resident")
    await made.shows(Proof.RESIDENT_CARD, year_ends=2027, training_ends=date(2027, 8, 31), residency=True)
    await made.does("submit")
    await made.does("take", by=RITA)
    await finds(made, RITA, CARD)
    await made.does("vote", *APPROVE, by=RITA)
    between = (await made.file()).dossier.training_ends
    await finds(made, RENE, replace(CARD, training_ends=date(2027, 7, 31)))
    after = await made.does("vote", *APPROVE, by=RENE)

    assert datetime(2027, 9, 1, tzinfo=UTC) == between
    assert datetime(2027, 7, 1, tzinfo=UTC) == after.training_ends == after.reverify_on


async def test_a_document_that_was_current_at_the_first_vote_was_enough_for_it(fr: Place) -> None:
    """The first vote stands, though the certificate is too old by the time of the second."""
    made = await Applicant.begins(fr.node)
    await made.shows(Proof.STATUS_CERTIFICATE, issued_on=date(2026, 9, 1))
    await made.shows()
    await made.does("submit")
    await made.does("take", by=RITA)
    await finds(made, RITA, Findings(same_name=True, from_authority=True, issued_on=date(2026, 9, 1)), Findings())
    await made.does("vote", *APPROVE, by=RITA)
    fr.network.clock.move(days=20)
    await finds(made, RENE, Findings(), HOLDS)

    assert State.APPROVED == (await made.does("vote", *APPROVE, by=RENE)).state


async def test_findings_are_kept_in_review_and_before_the_own_vote(fr: Place) -> None:
    """Each time with an entry in the audit log; what a vote rests on is not exchanged behind it."""
    made = await Applicant.submits(fr.node)
    [piece] = (await made.file()).pieces
    early = await refused(fr.node.dossiers.find(made.id, RITA, piece.id, HOLDS))
    await made.does("take", by=RITA)
    await made.is_voted(RITA)
    voted = await refused(fr.node.dossiers.find(made.id, RITA, piece.id, Findings()))
    await made.is_voted(RENE)
    decided = await refused(fr.node.dossiers.find(made.id, REMY, piece.id, Findings()))
    [after] = (await made.file()).pieces

    assert [("no_such_move", 409), ("same_person", 403), ("no_such_move", 409)] == [early, voted, decided]
    assert {RITA.id: HOLDS, RENE.id: HOLDS} == after.findings
    assert 2 == (await acts(made)).count("findings.kept")


@pytest.mark.parametrize(
    "impossible",
    [
        {"training_ends": date(9999, 12, 31)}, {"year_ends": 0}, {"year_ends": 9999}, {"issued_on": date(1, 1, 1)},
        {"valid_until": date(9999, 12, 31)}, {"issued_on": date(1899, 12, 31)},
    ],
)  # fmt: skip
async def test_days_that_cannot_be_are_kept_by_neither_form(fr: Place, impossible: dict[str, Any]) -> None:
    """The applicant's claim and the reviewer's findings are asked the same."""
    made = await Applicant.submits(fr.node)
    draft = await Applicant.begins(fr.node, "luc", name="Dr Luc Marin")
    await made.does("take", by=RITA)
    [piece] = (await made.file()).pieces
    wanted = "bad_claim" if "year_ends" in impossible else "day_impossible"

    assert ("day_impossible", 422) == await refused(
        fr.node.dossiers.find(made.id, RITA, piece.id, replace(HOLDS, **impossible))
    )
    assert (wanted, 422) == await refused(draft.shows(Proof.ATTESTATION, **impossible))


async def test_days_that_are_stored_already_stop_no_page_and_no_vote(fr: Place) -> None:
    """They were taken once: what they say is as good as nothing, and everything else goes on."""
    made = await Applicant.begins(fr.node, role="resident")
    await made.shows(Proof.RESIDENT_CARD, year_ends=2027, training_ends=date(2027, 6, 30), residency=True)
    odd = '{"proof":"resident_card","year_ends":0,"training_ends":"9999-12-31","residency":true}'
    damage(fr, f"update evidence_pieces set claim = '{odd}'")
    await made.does("submit")
    await made.does("take", by=RITA)
    await finds(made, RITA, CARD)
    read = '{"same_name":true,"year_ends":9999,"training_ends":"9999-12-31"}'
    damage(fr, f"update findings set facts = '{read}'")

    assert not (await fr.node.dossiers.worth(made.id, RITA)).worth.roles
    assert State.SECOND_REVIEW == (await made.does("vote", *REJECT, by=RITA)).state


# ── leaving ──


async def test_whoever_was_verified_leaves_by_an_act_of_its_own(fr: Place) -> None:
    """Taking an application back ends nothing then; and leaving ends no application."""
    made = await Applicant.submits(fr.node)
    never = await refused(made.does("leave"))
    await made.is_approved()

    assert ("no_such_move", 409) == never
    assert ("leave_instead", 409) == await refused(made.does("withdraw"))
    assert State.WITHDRAWN == (await made.does("leave")).state


async def test_a_suspended_doctor_does_not_escape_a_revocation(fr: Place) -> None:
    """Nor one whose revocation is proposed."""
    made = await Applicant.submits(fr.node)
    await made.is_approved()
    await made.does("revoke", Ground.FALSE_EVIDENCE, by=RITA)
    proposed = await refused(made.does("leave"))
    await made.does("suspend", Ground.MISCONDUCT, by=ADMIN)
    suspended = await refused(made.does("leave"))
    await made.does("revoke", Ground.FALSE_EVIDENCE, by=RITA)

    assert [("leaving_held", 409)] * 2 == [proposed, suspended]
    assert State.REVOKED == (await made.does("revoke", Ground.FALSE_EVIDENCE, by=RENE)).state


# ── beginning again ──


async def again(made: Applicant) -> Applicant:
    """The same account begins anew and hands a licence deed in."""
    new = Applicant(made.node, made.account, await made.node.dossiers.open(made.account, application()))
    await new.shows()
    await new.does("submit")
    return new


async def test_a_rejected_applicant_does_not_choose_reviewers(fr: Place) -> None:
    """Whoever voted on the last application leaves the next to others, also once its facts are destroyed."""
    made = await Applicant.submits(fr.node)
    await made.is_rejected()
    await made.does("withdraw")
    await fr.node.dossiers.tick()
    new = await again(made)

    for by in (RITA, RENE):
        assert ("decided_before", 403) == await refused(new.does("take", by=by))
        assert [] == await fr.node.dossiers.queue(by)
    await new.does("take", by=REMY)
    await new.is_voted(REMY)
    assert State.APPROVED == (await new.is_voted(ROSE)).state


async def test_earlier_applications_are_shown_with_what_came_of_them(fr: Place) -> None:
    """By outcome and coded reason; one that was never handed in is nobody's business, nor somebody else's."""
    made = await Applicant.submits(fr.node)
    await made.is_rejected()
    await made.does("withdraw")
    draft = Applicant(fr.node, made.account, await fr.node.dossiers.open(made.account, application()))
    await draft.does("withdraw")
    new = await again(made)
    luc = await Applicant.submits(fr.node, "luc", name="Dr Luc Marin", birth_date=date(1970, 1, 1))
    [earlier] = await fr.node.dossiers.earlier(await new.file())

    assert (made.id, State.WITHDRAWN) == (earlier.dossier, earlier.state)
    assert [("dossier.rejected", "incomplete"), ("dossier.withdrawn", "own_wish")] == [
        (line.act, line.reason) for line in earlier.lines
    ]
    assert [] == await fr.node.dossiers.earlier(await luc.file())


async def test_an_account_begins_three_applications_in_thirty_days(fr: Place) -> None:
    """Not thirty in half a minute; a month later it may begin again, and others are not held up."""
    account = await an_account(fr.node, "eliane")
    for _ in range(3):
        made = Applicant(fr.node, account, await fr.node.dossiers.open(account, application()))
        await made.does("withdraw")

    assert ("too_many_applications", 429) == await refused(fr.node.dossiers.open(account, application()))
    assert await Applicant.begins(fr.node, "luc", name="Dr Luc Marin")
    fr.network.clock.move(days=31)
    assert await fr.node.dossiers.open(account, application())


# ── who opens a dossier ──


async def opened(made: Applicant, by: Actor) -> bool:
    """Whether the desk shows it to this person."""
    return bool(await made.node.dossiers.is_open_to(made.id, by))


async def test_a_dossier_is_open_while_the_desk_has_something_to_do(fr: Place) -> None:
    """Not as a draft, not for ever after; to whoever voted, to leads, and while a renewal waits."""
    made = await Applicant.begins(fr.node)
    draft = [await opened(made, by) for by in (REMY, LEA)]
    await made.shows()
    await made.does("submit")
    submitted = await opened(made, REMY)
    await made.is_approved()
    after = [await opened(made, by) for by in (REMY, RITA, LEA, ADMIN)]
    await made.shows()
    await made.does("hand_in", AnnexKind.RENEWAL)

    assert [False, False] == draft
    assert submitted
    assert [False, True, True, False] == after
    assert await opened(made, REMY)
    with pytest.raises(Missing):
        await fr.node.dossiers.record_opening(made.id, ADMIN)


async def test_a_possible_duplicate_is_open_while_the_other_is_judged(fr: Place) -> None:
    """Whoever has to explain a hit can look at it, and nobody who does not."""
    made = await Applicant.submits(fr.node)
    await made.is_approved()
    before = await opened(made, REMY)
    twin = await Applicant.submits(fr.node, "twin")
    during = [await opened(made, by) for by in (REMY, ADMIN)]
    await twin.does("withdraw")

    assert [False, True, False] == [before, *during]
    assert not await opened(made, REMY)


async def test_each_opening_is_recorded(fr: Place) -> None:
    """By who and which dossier, and nothing of it."""
    made = await Applicant.submits(fr.node)
    for _ in range(2):
        await fr.node.dossiers.record_opening(made.id, RITA)

    assert ["dossier.opened"] * 2 == (await acts(made))[-2:]


async def test_nobody_reports_the_death_of_a_draft(fr: Place) -> None:
    """Nobody at the desk knows of one; somebody whose application waits may have died."""
    draft = await Applicant.begins(fr.node)
    made = await Applicant.submits(fr.node, "luc", name="Dr Luc Marin")

    assert ("no_such_move", 409) == await refused(draft.does("report_death", by=RITA))
    assert made.id == (await made.does("report_death", by=RITA)).id


async def test_a_reported_death_waits_for_reviewers_alone(fr: Place) -> None:
    """Administrators cannot agree with it, so nothing of it waits for them; with a revocation they can."""
    made = await Applicant.submits(fr.node)
    await made.is_approved()
    await made.does("report_death", by=RITA)
    dead = [[line.wants for line in await fr.node.dossiers.queue(by)] for by in (ADMIN, RENE)]
    await made.does("revoke", Ground.MISCONDUCT, by=RITA)

    assert [[], ["propose"]] == dead
    assert ["propose"] == [line.wants for line in await fr.node.dossiers.queue(ADMIN)]


# ── questions ──


async def test_a_question_does_not_take_a_vote_to_reject_away(fr: Place) -> None:
    """Rita rejects, René asks, René and Rémy approve: nothing is decided until Rita or a lead has voted."""
    made = await Applicant.submits(fr.node)
    await made.does("take", by=RITA)
    await made.is_voted(RITA, REJECT)
    await made.does("ask", Ground.INCOMPLETE, by=RENE)
    await made.shows()
    await made.does("answer")
    await made.does("take", by=RENE)
    await made.is_voted(RENE)
    waiting = await made.is_voted(REMY)
    lines = {by.id: [line.wants for line in await fr.node.dossiers.queue(by)] for by in (RITA, LEA, ROSE)}
    told = await rows(fr.node, "select notice from mails where whom = 'leads' order by id")

    assert State.SECOND_REVIEW == waiting.state
    assert {RITA.id: ["second"], LEA.id: ["second"], ROSE.id: []} == lines
    assert ["set_aside", "disagreement"] == [each["notice"] for each in told]
    assert State.APPROVED == (await made.is_voted(LEA)).state


async def test_an_answer_brings_something_new(fr: Place) -> None:
    """Unless what was asked for is answered by saying something anew."""
    made = await Applicant.submits(fr.node)
    await made.does("take", by=RITA)
    await made.does("ask", Ground.UNREADABLE, by=RITA)
    nothing = await refused(made.does("answer"))
    await made.shows()
    await made.does("answer")
    await made.does("take", by=RITA)
    await made.does("ask", Ground.NAME_DIFFERS, by=RITA)

    assert ("nothing_new", 422) == nothing
    assert State.SUBMITTED == (await made.does("answer")).state
