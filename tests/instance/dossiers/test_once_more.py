"""What comes after a first approval: renewals beside somebody else's number, new dossiers, campaigns after a lifting."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from instance.services.doctors import NewDoctor
from instance.services.dossiers import MAX_PIECES, admitting, retention
from instance.services.dossiers.admitting import Ready
from instance.services.dossiers.values import File, Findings
from instance.services.errors import Missing
from instance.storage.store import StorageUnavailable, Transaction
from instance.wiring import Node
from tests.instance.dossiers.applying import (
    ADMIN,
    APPROVE,
    LEA,
    REMY,
    RENE,
    RITA,
    RPPS,
    Applicant,
    application,
    refused,
    staff,
)
from tests.town import Place
from verification.campaign import Cohort
from verification.countries import Proof
from verification.dossier import EvidenceClass
from verification.grounds import Ground
from verification.moves import AnnexKind, AnnexState, State
from verification.people import DoctorId, StaffRole

BY_RITA = Cohort(reviewers=frozenset({RITA.id}), ranks=frozenset({EvidenceClass.E3}))


async def approved(fr: Place) -> Applicant:
    """A doctor, verified."""
    eliane = await Applicant.submits(fr.node)
    await eliane.is_approved()
    return eliane


async def renews(eliane: Applicant, **claim: Any) -> str:
    """A renewal handed in and taken; return its id."""
    await eliane.shows(Proof.LICENCE, **claim)
    annex = (await eliane.does("hand_in", AnnexKind.RENEWAL)).annexes[-1].id
    await eliane.does("take_annex", annex, by=RITA)
    return annex


# ── somebody who may be the same person ──


async def test_a_renewal_with_anothers_number_takes_a_word(fr: Place) -> None:
    """Both who accept say what was made of the hit; without a word nothing is accepted."""
    other = await Applicant.begins(fr.node, "victor", name="Dr Victor Autre", birth_date=None)
    await other.shows(Proof.LICENCE, number_kind="rpps", number=RPPS)
    await other.does("submit")
    eliane = await approved(fr)
    before = (await eliane.file()).dossier.open_hit
    annex = await renews(eliane, number_kind="rpps", number=RPPS)
    for by in (RITA, RENE):
        await eliane.is_found(by)
    unsaid = await refused(eliane.does("vote_annex", annex, *APPROVE, by=RITA))
    bad = await refused(eliane.does("vote_annex", annex, *APPROVE, by=RITA, hit=Ground.UNREADABLE))
    await eliane.does("vote_annex", annex, *APPROVE, by=RITA, hit=Ground.NOT_THE_SAME)
    again = await refused(eliane.does("vote_annex", annex, *APPROVE, by=RENE))
    after = await eliane.does("vote_annex", annex, *APPROVE, by=RENE, hit=Ground.NOT_THE_SAME)

    assert not before
    assert ("open_hit", "bad_reason", "open_hit") == (unsaid, bad, again)
    assert after.open_hit
    assert AnnexState.ACCEPTED is after.annexes[-1].state
    assert [Ground.NOT_THE_SAME] * 2 == [vote.hit for vote in (await eliane.file()).dossier.annexes[-1].votes]


async def test_a_hit_that_came_after_submitting_takes_a_word_too(fr: Place) -> None:
    """Somebody else shows the same number while this application waits."""
    eliane = await Applicant.begins(fr.node)
    await eliane.shows(Proof.LICENCE, number_kind="rpps", number=RPPS)
    submitted = await eliane.does("submit")
    other = await Applicant.begins(fr.node, "victor", name="Dr Victor Autre", birth_date=None)
    await other.shows(Proof.LICENCE, number_kind="rpps", number=RPPS)
    await eliane.does("take", by=RITA)

    assert not submitted.open_hit
    assert "open_hit" == await refused(eliane.is_voted(RITA))
    assert (await eliane.is_voted(RITA, hit=Ground.NOT_THE_SAME)).open_hit


# ── a doctor who is known already ──


async def test_a_new_dossier_gives_the_name_it_was_judged_by(fr: Place) -> None:
    """Whoever left and comes back under another name is shown, and found, by that."""
    eliane = await approved(fr)
    await eliane.does("leave")
    new = application(name="Dr Bruno Autre", birth_date=date(1970, 1, 1))
    again = Applicant(fr.node, eliane.account, await fr.node.dossiers.open(eliane.account, new))
    await again.shows()
    await again.does("submit")
    await again.is_approved()
    document = await fr.node.people.doctor_document("eliane.vauquelin")

    assert "Dr Bruno Autre" == document.name == document.credential["credentialSubject"]["name"]


async def test_once_approved_a_name_is_changed_by_an_annex_alone(fr: Place) -> None:
    """Also where the verification has run out and reviewers ask for more; the rest may be said anew."""
    eliane = await approved(fr)
    for _ in range(30):
        fr.network.clock.move(days=30)
        await fr.node.dossiers.tick()
    await eliane.shows()
    await eliane.does("renew_expired")
    await eliane.does("take", by=RITA)
    await eliane.does("ask", Ground.UNREADABLE, by=RITA)

    assert "decided_already" == await refused(eliane.does("say", application(name="Dr Bruno Autre")))
    assert State.NEEDS_INFO is (await eliane.does("say", application(languages=("fr", "de")))).state


async def test_keys_that_changed_meanwhile_are_read_again(fr: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rotation between reading the keys and signing: the credential binds every key that is published."""
    eliane = await approved(fr)
    annex = await renews(eliane)
    for by in (RITA, RENE):
        await eliane.is_found(by)
    await eliane.does("vote_annex", annex, *APPROVE, by=RITA)
    real, rotated = admitting.prepare, []

    async def slow(node: Node, file: File) -> Ready:
        ready = await real(node, file)
        if not rotated:
            rotated.append(True)
            await node.people.rotate_keys("eliane.vauquelin", "ops", "compromised")
        return ready

    monkeypatch.setattr(admitting, "prepare", slow)
    await eliane.does("vote_annex", annex, *APPROVE, by=RENE)
    document = await fr.node.people.doctor_document("eliane.vauquelin")
    bound = str(document.credential["credentialSubject"])

    assert rotated
    assert [True] * len(document.assertion_methods) == [each.key in bound for each in document.assertion_methods]


async def test_a_doctor_let_in_by_the_operator_hides_behind_no_draft(fr: Place) -> None:
    """They cannot apply, so the operator may go on suspending them; who was approved at the desk is the desk's."""
    new = NewDoctor(
        handle="anna", name="Dr Anna Berg", role="generalist", country="FR", specialties=("cardiology",)
    )  # fmt: skip
    await fr.node.people.add_doctor(new, "ops")
    account = await fr.node.store.one("people.account_for_sign_in", login="anna")
    assert account is not None
    eliane = await approved(fr)
    await eliane.does("leave")

    assert "has_dossier" == await refused(fr.node.dossiers.open(account["id"], application(name="Dr Anna Berg")))
    await fr.node.people.suspend("anna", "ops", "a complaint")
    assert "decided_at_the_desk" == await refused(fr.node.people.suspend("eliane.vauquelin", "ops", "a complaint"))


async def test_pieces_are_counted_while_they_wait(fr: Place) -> None:
    """A long life has many renewals; one of them has so many pieces and no more."""
    eliane = await approved(fr)
    for _ in range(MAX_PIECES):
        await eliane.shows()
        annex = (await eliane.does("hand_in", AnnexKind.RENEWAL)).annexes[-1].id
        await eliane.does("take_back", annex)
    for _ in range(MAX_PIECES):
        await eliane.shows()

    assert "too_many_pieces" == await refused(eliane.shows())


# ── a renewal that nobody decides ──


async def test_a_renewal_older_than_a_certificate_does_not_keep_anybody_due(fr: Place) -> None:
    """The certificate's acceptance is no look at the renewal: at the end it becomes an application."""
    eliane = await approved(fr)
    fr.network.clock.move(days=1)
    await eliane.shows()
    await eliane.does("hand_in", AnnexKind.RENEWAL)
    fr.network.clock.move(days=1)
    piece = await eliane.shows(Proof.SPECIALIST_CERTIFICATE, specialist=True)
    annex = (await eliane.does("hand_in", AnnexKind.SPECIALIST)).annexes[-1].id
    await eliane.does("take_annex", annex, by=RITA)
    for by in (RITA, RENE):
        found = Findings(same_name=True, from_authority=True, specialist=True)
        await fr.node.dossiers.find(eliane.id, by, piece, found)
        dossier = await eliane.does("vote_annex", annex, *APPROVE, by=by)
    assert dossier.reverify_on is not None
    while fr.network.clock.now <= dossier.reverify_on:
        fr.network.clock.move(days=20)
        await fr.node.dossiers.tick()

    assert State.SUBMITTED is (await eliane.file()).dossier.state


# ── tasks, campaigns, the calendar ──


async def test_a_task_is_closed_by_who_may_judge_and_once(fr: Place) -> None:
    """Not by the doctor whom it is about; and it stands in the log."""
    eliane = await approved(fr)

    async def work(tx: Transaction) -> None:
        await tx.run("dossiers.add_task", id="t1", dossier=eliane.id, register="rpps", what="inactive", at=1)

    await fr.node.store.write(work)
    own = staff(50, StaffRole.REVIEWER, doctor=DoctorId(eliane.account))
    close = fr.node.dossiers.close_task

    assert "conflict_of_interest" == await refused(close(eliane.id, own, "t1"))
    assert "not_yours" == await refused(close(eliane.id, ADMIN, "t1"))
    await close(eliane.id, REMY, "t1")
    for unknown in ("t1", "t2"):
        with pytest.raises(Missing):
            await close(eliane.id, RITA, unknown)
    log = [(each.act, each.by) for each in await fr.node.dossiers.history(eliane.id)]
    assert 1 == log.count(("register.looked_at", REMY.id))
    assert ("register.looked_at", REMY.id) == log[-1]


async def test_whoever_is_lifted_is_enrolled_then(fr: Place) -> None:
    """A suspension is no way around a campaign that runs."""
    campaigns = fr.node.dossiers.campaigns
    member, other = await approved(fr), await Applicant.submits(fr.node, "luc", name="Dr Luc Marin", birth_date=None)
    await other.is_approved()
    await member.does("suspend", Ground.MISCONDUCT, by=ADMIN)
    made = await campaigns.propose("FR", BY_RITA, Ground.REVIEWER_IN_DOUBT, LEA)
    await campaigns.start(made, REMY)
    await fr.node.dossiers.tick()
    before = (await member.file()).dossier
    fr.network.clock.move(days=4)
    for _ in range(2):
        await fr.node.dossiers.tick()
    after = (await member.file()).dossier

    assert (State.SUSPENDED, None) == (before.state, before.campaign)
    assert (State.REVERIFY_DUE, made) == (after.state, after.campaign)


async def test_one_who_cannot_be_enrolled_is_asked_again(fr: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are enrolled, the rest of the calendar is done, and the next round begins where it failed."""
    campaigns, wiped = fr.node.dossiers.campaigns, []
    first, second = await approved(fr), await Applicant.submits(fr.node, "luc", name="Dr Luc Marin", birth_date=None)
    await second.is_approved()
    made = await campaigns.propose("FR", BY_RITA, Ground.REVIEWER_IN_DOUBT, LEA)
    await campaigns.start(made, REMY)
    real, destroy = fr.node.dossiers.carry, retention.destroy_rows

    async def fails(dossier_id: str, *values: Any, **more: Any) -> Any:
        if dossier_id == first.id:
            raise StorageUnavailable("gone")
        return await real(dossier_id, *values, **more)

    async def destroys(node: Node) -> int:
        wiped.append(True)
        return await destroy(node)

    monkeypatch.setattr(fr.node.dossiers, "carry", fails)
    monkeypatch.setattr(retention, "destroy_rows", destroys)
    await fr.node.dossiers.tick()
    then = [(await each.file()).dossier.campaign for each in (first, second)]
    monkeypatch.setattr(fr.node.dossiers, "carry", real)
    await fr.node.dossiers.tick()

    assert [None, made] == then
    assert wiped
    assert made == (await first.file()).dossier.campaign
