"""What people do with a dossier, as rows: an approval makes a doctor, and nothing else does."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from typing import Any

import pytest

from instance.services.dossiers.values import Findings
from instance.services.errors import Missing, Rejected
from tests.instance.dossiers.applying import (
    ADMIN,
    APPROVE,
    GERMAN,
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
from tests.town import Place, rows
from verification.countries import Proof
from verification.dossier import EvidenceClass, Role
from verification.grounds import Ground
from verification.moves import AnnexKind, AnnexState, State
from verification.people import Actor, DoctorId


async def refused(doing: Any) -> tuple[str, int]:
    """The code and status of a refusal."""
    with pytest.raises(Rejected) as caught:
        await doing
    return caught.value.code, caught.value.status


async def test_two_reviewers_make_a_doctor(fr: Place) -> None:
    """With the second vote there is a doctor with a handle, keys, an account, a credential and a place in the lists."""
    eliane = await Applicant.submits(fr.node)
    dossier = await eliane.is_approved()
    document = await fr.node.people.doctor_document("eliane.vauquelin")

    assert (State.APPROVED, Role.GENERALIST) == (dossier.state, dossier.role)
    assert document.id == (await eliane.file()).doctor
    assert "Dr Éliane Vauquelin" == document.credential["credentialSubject"]["name"]
    assert "substantial" == document.credential["credentialSubject"]["assurance"]
    assert 2 == len(document.credential["credentialStatus"])
    assert [(document.id,)] == [
        tuple(row) for row in await rows(fr.node, f"select doctor from accounts where id = '{eliane.account}'")
    ]


async def test_one_reviewer_makes_nobody(fr: Place) -> None:
    """After the first vote there is no doctor, no key and no credential."""
    eliane = await Applicant.submits(fr.node)
    await eliane.does("take", by=RITA)
    dossier = await eliane.is_voted(RITA)

    assert State.SECOND_REVIEW is dossier.state
    assert [] == await rows(fr.node, "select uri from doctors")
    assert "same_person" == (await refused(eliane.does("vote", *APPROVE, by=RITA)))[0]


async def test_the_role_must_be_carried_by_what_the_voter_found(fr: Place) -> None:
    """A claim carries nothing: without findings, or with findings that do not suffice, no vote to approve counts."""
    eliane = await Applicant.submits(fr.node)
    await eliane.does("take", by=RITA)
    nothing = await refused(eliane.does("vote", *APPROVE, by=RITA))
    await eliane.is_found(RITA, Findings(same_name=True))
    degree = await refused(eliane.does("vote", *APPROVE, by=RITA))
    await eliane.is_found(RENE)
    of_another = await refused(eliane.does("vote", *APPROVE, by=RITA))

    assert [("role_not_proved", 422)] * 3 == [nothing, degree, of_another]
    assert State.SECOND_REVIEW is (await eliane.is_voted(RITA)).state


async def test_specialists_need_the_title_found(fr: Place) -> None:
    """A licence alone makes a generalist of whoever applies as a specialist; a certificate makes the specialist."""
    eliane = await Applicant.begins(fr.node, role="specialist")
    await eliane.shows(Proof.LICENCE)
    await eliane.does("submit")
    await eliane.does("take", by=RITA)
    await eliane.is_found(RITA)
    alone = await refused(eliane.does("vote", *APPROVE, by=RITA))
    await eliane.does("ask", Ground.INCOMPLETE, by=RITA)
    await eliane.shows(Proof.SPECIALIST_CERTIFICATE, specialist=True)
    await eliane.does("answer")
    dossier = await eliane.is_approved()

    assert "role_not_proved" == alone[0]
    assert (State.APPROVED, Role.SPECIALIST, 2) == (dossier.state, dossier.role, len(dossier.evidence))


async def test_two_at_once_one_wins(fr: Place) -> None:
    """Of two decisions on the same version one is carried out and the other is told so."""
    eliane = await Applicant.submits(fr.node)
    await eliane.does("take", by=RITA)
    seen = (await eliane.file()).version
    await eliane.is_found(RITA)
    await eliane.is_found(RENE)
    results = await asyncio.gather(
        *(fr.node.dossiers.vote(eliane.id, by, *APPROVE, seen=seen) for by in (RITA, RENE)), return_exceptions=True
    )
    lost = [each for each in results if isinstance(each, Rejected)]

    assert [("changed_meanwhile", 409)] == [(each.code, each.status) for each in lost]
    assert 1 == len((await eliane.file()).dossier.votes)


async def test_whoever_has_seen_an_older_version_is_told(fr: Place) -> None:
    """A form that was open while somebody else decided changes nothing."""
    eliane = await Applicant.submits(fr.node)
    seen = (await eliane.file()).version
    await eliane.does("take", by=RITA)

    assert ("changed_meanwhile", 409) == await refused(fr.node.dossiers.take(eliane.id, RENE, seen=seen))


@pytest.mark.parametrize(
    ("by", "code"),
    [(GERMAN, "not_yours"), (ADMIN, "not_yours"), (Actor.applicant(DoctorId("another")), "not_yours")],
    ids=["another country", "an administrator", "another applicant"],
)
async def test_nobody_else_reviews(fr: Place, by: Actor, code: str) -> None:
    """Only reviewers of the country take an application."""
    eliane = await Applicant.submits(fr.node)

    assert (code, 403) == await refused(eliane.does("take", by=by))


async def test_nobody_judges_the_own_application(fr: Place) -> None:
    """A reviewer who applies does not take the own dossier, and does not see it in the queue."""
    eliane = await Applicant.submits(fr.node)
    own = Actor(id=RITA.id, roles=RITA.roles, countries=RITA.countries, doctor=DoctorId(eliane.account))

    assert ("conflict_of_interest", 403) == await refused(eliane.does("take", by=own))
    assert [] == await fr.node.dossiers.queue(own)
    with pytest.raises(Missing):
        await fr.node.dossiers.open_to(eliane.id, own)


async def test_without_evidence_nothing_is_submitted(fr: Place) -> None:
    """A draft with nothing to show stays a draft."""
    eliane = await Applicant.begins(fr.node)

    assert ("no_evidence", 422) == await refused(eliane.does("submit"))
    assert State.DRAFT is (await eliane.file()).dossier.state


async def test_one_application_at_a_time(fr: Place) -> None:
    """A second application is for after the end of the first."""
    eliane = await Applicant.begins(fr.node)
    second = await refused(fr.node.dossiers.open(eliane.account, application()))
    await eliane.does("withdraw")

    assert ("has_dossier", 409) == second
    assert eliane.id != await fr.node.dossiers.open(eliane.account, application())


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"country": "DE"}, "country_not_allowed"),
        ({"name": "✔✔"}, "bad_name"),
        ({"role": "wizard"}, "bad_role"),
        ({"role": "student"}, "students_not_admitted"),
        ({"specialties": ()}, "bad_specialties"),
        ({"specialties": ("astrology",)}, "bad_specialties"),
        ({"languages": ("french",)}, "bad_language"),
        ({"email": "nowhere"}, "bad_email"),
    ],
)
async def test_an_application_that_cannot_be_is_refused(fr: Place, changes: dict[str, Any], code: str) -> None:
    """Each thing that cannot be so is named by its code, and nothing is kept."""
    account = await an_account(fr.node, "eliane")

    assert code == (await refused(fr.node.dossiers.open(account, application(**changes))))[0]
    assert [] == await rows(fr.node, "select id from dossiers")


async def test_a_number_is_sealed_and_still_found_twice(fr: Place) -> None:
    """No number stands in the database; who comes with the same one is a hit, which both reviewers explain."""
    first = await Applicant.begins(fr.node)
    await first.shows(Proof.ATTESTATION, number_kind="rpps", number="1000 123 4565")
    await first.does("submit")
    second = await Applicant.begins(fr.node, "another", name="Dr Luc Marin", birth_date=None)
    await second.shows(Proof.LICENCE)
    await second.shows(Proof.ATTESTATION, number_kind="idnps", number="8" + RPPS)
    dossier = await second.does("submit")
    dump = "".join(str(tuple(row)) for row in await rows(fr.node, "select * from evidence_pieces, sealed_values"))
    await second.does("take", by=RITA)
    await second.is_found(RITA)
    unexplained = await refused(second.does("vote", *APPROVE, by=RITA))

    assert RPPS not in dump
    assert [(first.id, "number")] == [(hit.dossier, hit.same) for hit in await fr.node.dossiers.hits(second.id)]
    assert dossier.open_hit
    assert ("open_hit", 422) == unexplained
    assert RPPS == (await second.file()).pieces[1].number.value
    assert State.SECOND_REVIEW is (await second.is_voted(RITA, hit=Ground.NOT_THE_SAME)).state


async def test_the_same_person_is_found_by_name_and_birth_date(fr: Place) -> None:
    """Titles and accents do not hide somebody; another birth date is somebody else."""
    await Applicant.submits(fr.node)
    again = await Applicant.submits(fr.node, "again", name="VAUQUELIN Eliane")
    other = await Applicant.submits(fr.node, "other", birth_date=None)

    assert ["person"] == [hit.same for hit in await fr.node.dossiers.hits(again.id)]
    assert () == await fr.node.dossiers.hits(other.id)


@pytest.mark.parametrize(
    ("proof", "changes", "code"),
    [
        (Proof.REGISTER_NUMBER, {}, "number_missing"),
        (Proof.ATTESTATION, {"number_kind": "rpps", "number": "12"}, "number_shape"),
        (Proof.ATTESTATION, {"number_kind": "gmc", "number": "1234567"}, "number_shape"),
        (Proof.RESIDENT_CARD, {"year_ends": 1}, "bad_claim"),
    ],
)
async def test_a_claim_that_cannot_be_is_refused(fr: Place, proof: Proof, changes: dict[str, Any], code: str) -> None:
    """A number of another country, of another shape, or none, is an error of the form."""
    eliane = await Applicant.begins(fr.node)

    assert code == (await refused(eliane.shows(proof, **changes)))[0]
    assert () == (await eliane.file()).pieces


async def test_nobody_adds_to_anothers_application(fr: Place) -> None:
    """A foreign dossier is not there."""
    eliane, luc = await Applicant.begins(fr.node), await Applicant.begins(fr.node, "luc", name="Dr Luc Marin")

    with pytest.raises(Missing):
        await fr.node.dossiers.drop_piece(eliane.id, luc.actor, "e-1")
    with pytest.raises(Missing):
        await Applicant(fr.node, luc.account, eliane.id).shows()


async def test_a_rejection_can_be_appealed_once_to_two_others(fr: Place) -> None:
    """Those who decided do not decide the appeal; a second rejection is the end."""
    eliane = await Applicant.submits(fr.node)
    await eliane.is_rejected()
    await eliane.does("appeal")
    decided_before = await refused(eliane.does("take", by=RITA))
    dossier = await eliane.is_rejected(REMY, ROSE)

    assert ("decided_before", 403) == decided_before
    assert State.CLOSED is dossier.state
    assert [] == await rows(fr.node, "select uri from doctors")


async def test_an_appeal_can_be_won(fr: Place) -> None:
    """Two others approve: there is a doctor."""
    eliane = await Applicant.submits(fr.node)
    await eliane.is_rejected()
    await eliane.does("appeal")
    await eliane.does("take", by=REMY)
    await eliane.is_voted(REMY)

    assert State.APPROVED is (await eliane.is_voted(ROSE)).state
    assert 1 == len(await rows(fr.node, "select uri from doctors"))


async def test_the_lead_decides_between_two(fr: Place) -> None:
    """Two disagree; the lead alone goes on, on findings of the lead's own."""
    eliane = await Applicant.submits(fr.node)
    await eliane.does("take", by=RITA)
    await eliane.is_voted(RITA)
    await eliane.is_voted(RENE, REJECT)
    third = await refused(eliane.is_voted(REMY))
    await eliane.is_found(LEA)
    dossier = await eliane.does("decide", *APPROVE, by=LEA)

    assert "not_yours" == third[0]
    assert (State.APPROVED, 3) == (dossier.state, len(dossier.votes))


async def test_mail_says_nothing_but_a_code(fr: Place) -> None:
    """Mail carries a code and a language; reasons are on the page alone."""
    eliane = await Applicant.submits(fr.node)
    await eliane.is_rejected()
    mails = [dict(row) for row in await rows(fr.node, "select * from mails where account <> '' order by id")]
    notices = await fr.node.dossiers.notices(eliane.account)

    assert ["received", "rejected"] == [mail["notice"] for mail in mails]
    assert {"fr"} == {mail["language"] for mail in mails}
    assert "incomplete" not in json.dumps(mails)
    assert (Ground.INCOMPLETE,) == notices[0].grounds


async def test_a_certificate_makes_a_specialist_of_a_generalist(fr: Place) -> None:
    """The annex is looked at alone; with it comes a new credential, and another's word for it is not enough."""
    eliane = await Applicant.submits(fr.node)
    await eliane.is_approved()
    before = (await fr.node.people.doctor_document("eliane.vauquelin")).credential
    await eliane.shows(Proof.SPECIALIST_CERTIFICATE, specialist=True)
    annex = (await eliane.does("hand_in", AnnexKind.SPECIALIST)).annexes[0].id
    await eliane.does("take_annex", annex, by=RITA)
    unfound = await refused(eliane.does("vote_annex", annex, *APPROVE, by=RITA))
    await eliane.is_found(RITA)
    await eliane.does("vote_annex", annex, *APPROVE, by=RITA)
    await eliane.is_found(RENE)
    dossier = await eliane.does("vote_annex", annex, *APPROVE, by=RENE)
    after = (await fr.node.people.doctor_document("eliane.vauquelin")).credential

    assert "role_not_proved" == unfound[0]
    assert (Role.SPECIALIST, AnnexState.ACCEPTED) == (dossier.role, dossier.annexes[0].state)
    assert ["generalist", "specialist"] == [each["credentialSubject"]["practitionerRole"] for each in (before, after)]


async def test_a_name_is_changed_by_two_reviewers(fr: Place) -> None:
    """The credential, the page and the search know the new name, and no longer the old one."""
    eliane = await Applicant.submits(fr.node)
    await eliane.is_approved()
    await eliane.shows(Proof.LICENCE)
    annex = (await eliane.does("hand_in", AnnexKind.NAME, name="Dr Éliane Marchal")).annexes[0].id
    await eliane.does("take_annex", annex, by=RITA)
    for by in (RITA, RENE):
        await eliane.is_found(by)
        await eliane.does("vote_annex", annex, *APPROVE, by=by)
    document = await fr.node.people.doctor_document("eliane.vauquelin")
    words = {row[0] for row in await rows(fr.node, "select word from doctor_words")}

    assert "Dr Éliane Marchal" == document.name == document.credential["credentialSubject"]["name"]
    assert "marchal" in words
    assert "Dr Éliane Marchal" == (await eliane.file()).said.name


async def test_a_handle_that_is_taken_gets_a_number(fr: Place) -> None:
    """Two of the same name are two doctors."""
    one = await Applicant.submits(fr.node)
    await one.is_approved()
    other = await Applicant.submits(fr.node, "other", birth_date=None)
    await other.is_approved()

    assert "eliane.vauquelin2" == (await other.doctor(fr)).handle


async def test_whoever_comes_back_has_a_new_place_in_the_lists(fr: Place) -> None:
    """After leaving, a new application of the same account gives the same doctor a new credential and a new place."""
    eliane = await Applicant.submits(fr.node)
    await eliane.is_approved()
    await eliane.does("leave")
    gone = await fr.node.store.one("people.doctor", uri=(await eliane.file()).doctor)
    fr.network.clock.move(days=1)
    again = Applicant(fr.node, eliane.account, await fr.node.dossiers.open(eliane.account, application()))
    await again.shows()
    await again.does("submit")
    await again.is_approved()
    places = [tuple(row) for row in await rows(fr.node, "select revoked from status_places order by allotted_at")]
    back = await fr.node.store.one("people.doctor", uri=(await again.file()).doctor)

    assert ("revoked", "ok") == (gone["standing"], back["standing"])
    assert gone["uri"] == back["uri"]
    assert [(1,), (0,)] == places


async def test_a_place_that_was_left_open_is_revoked_when_the_next_is_given(fr: Place) -> None:
    """In one transaction with the new credential; siblings are told of the list, and a renewal revokes nothing."""
    eliane = await Applicant.submits(fr.node)
    await eliane.is_approved()
    await eliane.does("leave")

    doctor = (await eliane.file()).doctor
    with sqlite3.connect(fr.config.database.removeprefix("sqlite:///")) as file:
        file.execute("update status_places set revoked = 0, allotted_at = 1 where doctor = ?", [doctor])
    fr.network.clock.move(days=1)
    again = Applicant(fr.node, eliane.account, await fr.node.dossiers.open(eliane.account, application()))
    await again.shows()
    await again.does("submit")
    before = await rows(fr.node, "select value from versions where name = 'status'")
    await again.is_approved()
    after = await rows(fr.node, "select value from versions where name = 'status'")
    await again.shows()
    annex = (await again.does("hand_in", AnnexKind.RENEWAL)).annexes[-1].id
    await again.does("take_annex", annex, by=RITA)
    await again.is_found(RITA)
    await again.does("vote_annex", annex, *APPROVE, by=RITA)
    await again.is_found(RENE)
    await again.does("vote_annex", annex, *APPROVE, by=RENE)
    places = [tuple(row) for row in await rows(fr.node, "select revoked from status_places order by allotted_at")]

    assert [(1,), (0,)] == places
    assert before[0]["value"] + 1 == after[0]["value"]


async def test_ranks_are_claimed_before_and_found_after(fr: Place) -> None:
    """A claim has its class at once; which roles it carries is said of what a reviewer found."""
    eliane = await Applicant.submits(fr.node)
    claimed = (await eliane.file()).dossier.evidence[0]
    await eliane.does("take", by=RITA)
    await eliane.is_found(RITA, HOLDS)
    found = (await fr.node.dossiers.worth(eliane.id, RITA)).worth

    assert (EvidenceClass.E3, False) == (claimed.rank, claimed.automatic)
    assert {Role.GENERALIST, Role.RESIDENT, Role.RETIRED} == found.roles
