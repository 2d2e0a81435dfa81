"""Campaigns: two people want it, the cohort is a rule, members have until the deadline."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from instance.services.dossiers import campaigns as module
from instance.services.errors import Missing
from instance.storage.errors import StorageUnavailable
from tests.instance.dossiers.applying import ADMIN, APPROVE, GERMAN, LEA, REMY, RENE, RITA, RPPS, Applicant, refused
from tests.town import Place, rows
from verification.campaign import Cohort, Numbers
from verification.countries import Proof
from verification.dossier import EvidenceClass, EvidenceKind
from verification.grounds import Ground
from verification.moves import AnnexKind, State
from verification.ways import PROPOSAL

BY_RITA = Cohort(reviewers=frozenset({RITA.id}), ranks=frozenset({EvidenceClass.E3}))
NAMES = ("Aubin", "Berger", "Colin", "Duval", "Ferrand")


async def test_members_become_due_by_the_deadline_and_numbers_follow(fr: Place) -> None:
    """Whom Rita approved is looked at again; whom others approved is left alone."""
    campaigns = fr.node.dossiers.campaigns
    member = await Applicant.submits(fr.node)
    await member.is_approved()
    other = await Applicant.submits(fr.node, "other", name="Dr Luc Marin")
    await other.does("take", by=RENE)
    await other.is_voted(RENE)
    await other.is_voted(REMY)
    counted = await campaigns.preview("FR", BY_RITA, LEA)
    made = await campaigns.propose("FR", BY_RITA, Ground.REVIEWER_IN_DOUBT, LEA)
    before = await fr.node.dossiers.tick()
    await campaigns.start(made, REMY)
    await fr.node.dossiers.tick()
    dossier = (await member.file()).dossier
    running = await campaigns.overview("FR")
    fr.network.clock.move(days=30)
    await fr.node.dossiers.tick()

    assert (1, 0) == (counted, before)
    assert (State.REVERIFY_DUE, made) == (dossier.state, dossier.campaign)
    assert fr.network.clock.now == dossier.reverify_on
    assert [(Numbers(open=1), False)] == [(line.numbers, line.enrolling) for line in running]
    assert State.EXPIRED is (await member.file()).dossier.state
    assert State.APPROVED is (await other.file()).dossier.state
    assert [Numbers(failed=1)] == [line.numbers for line in await campaigns.overview("FR")]
    assert 0 == await campaigns.enrol()


async def test_a_campaign_takes_two_who_are_not_in_question(fr: Place) -> None:
    """Neither one person twice, nor whose decisions are in doubt, nor another country's, nor one who is no lead."""
    campaigns = fr.node.dossiers.campaigns
    member = await Applicant.submits(fr.node)
    await member.is_approved()
    made = await campaigns.propose("FR", BY_RITA, Ground.SPOT_CHECK, LEA, within=timedelta(days=14))

    assert "same_person" == await refused(campaigns.start(made, LEA))
    assert "not_yours" == await refused(campaigns.start(made, RITA))
    assert "not_yours" == await refused(campaigns.start(made, GERMAN))
    assert "not_yours" == await refused(campaigns.propose("FR", BY_RITA, Ground.SPOT_CHECK, REMY))
    assert "empty_cohort" == await refused(campaigns.propose("FR", Cohort(), Ground.SPOT_CHECK, LEA))
    assert "not_yours" == await refused(campaigns.preview("FR", BY_RITA, GERMAN))
    assert [False] == [line.enrolling for line in await campaigns.overview("FR")]


async def test_enrolling_goes_on_where_it_was(fr: Place) -> None:
    """What was enrolled before a crash is not enrolled twice."""
    campaigns = fr.node.dossiers.campaigns
    member = await Applicant.submits(fr.node)
    await member.is_approved()
    made = await campaigns.propose("FR", BY_RITA, Ground.SPOT_CHECK, LEA)
    await campaigns.start(made, REMY)
    first = await campaigns.enrol()
    await campaigns._go_on(made, "")
    again = await campaigns.enrol()

    assert (1, 0) == (first, again)
    assert 1 == [line.act for line in await fr.node.dossiers.history(member.id)].count("campaign.enrolled")


async def is_approved_by(member: Applicant, *people: Any) -> None:
    """These two approve what was submitted."""
    await member.does("take", by=people[0])
    for by in people:
        await member.is_voted(by)


async def renews(member: Applicant, *people: Any) -> None:
    """Show evidence anew, which these two accept."""
    await member.shows()
    annex = (await member.does("hand_in", AnnexKind.RENEWAL)).annexes[-1].id
    await member.does("take_annex", annex, by=people[0])
    for by in people:
        await member.is_found(by)
        await member.does("vote_annex", annex, *APPROVE, by=by)


async def test_counting_goes_by_the_rule(fr: Place) -> None:
    """Whatever is asked, the query finds whom the rule holds for: three doctors, one with a number, one renewed."""
    campaigns, members = fr.node.dossiers.campaigns, []
    for login, people in (("one", (RITA, RENE)), ("two", (RENE, REMY)), ("three", (RITA, REMY))):
        member = await Applicant.submits(fr.node, login, name=f"Dr Luc {login.title()}", birth_date=None)
        await is_approved_by(member, *people)
        fr.network.clock.move(days=2)
        members.append(member)
    await members[1].shows(Proof.REGISTER_NUMBER, number_kind="rpps", number=RPPS)
    await renews(members[1], RITA, RENE)
    now = fr.network.clock.now
    asked = [
        Cohort(reviewers=reviewers, since=since, before=before, ranks=ranks, kinds=kinds, numbers=numbers)
        for reviewers, since, before, ranks, kinds, numbers in product(
            (frozenset(), frozenset({RITA.id}), frozenset({REMY.id, RENE.id})), (None, now, now - timedelta(days=4)),
            (None, now, now - timedelta(days=3)), (frozenset(), frozenset({EvidenceClass.E3, EvidenceClass.E1})),
            (frozenset(), frozenset({EvidenceKind.REGISTRATION})), (frozenset(), frozenset({"rpps"}), frozenset({"gln"})),
        )
    ]  # fmt: skip
    dossiers = [(await member.file()).dossier for member in members]
    counted = [await campaigns.preview("FR", cohort, LEA) for cohort in asked]

    assert [sum(map(cohort.holds, dossiers)) for cohort in asked] == counted
    assert {0, 1, 2, 3} == set(counted)
    assert 1 == await campaigns.preview("FR", Cohort(numbers=frozenset({"rpps"})), LEA)


async def test_a_later_campaign_takes_nobody_out_of_an_earlier_one(fr: Place) -> None:
    """Whoever was verified again for the first stays counted there, and is open in the second."""
    campaigns = fr.node.dossiers.campaigns
    member, other = await Applicant.submits(fr.node), await Applicant.submits(fr.node, "luc", name="Dr Luc Marin")
    await member.is_approved()
    await other.is_approved()
    found = []
    for reason in (Ground.REVIEWER_IN_DOUBT, Ground.SPOT_CHECK):
        fr.network.clock.move(days=1)
        made = await campaigns.propose("FR", BY_RITA, reason, LEA)
        await campaigns.start(made, REMY)
        await fr.node.dossiers.tick()
        if reason is Ground.REVIEWER_IN_DOUBT:
            fr.network.clock.move(days=1)
            await renews(member, RENE, REMY)
        found.append([(line.campaign.ground, line.numbers) for line in await campaigns.overview("FR")])

    assert [(Ground.REVIEWER_IN_DOUBT, Numbers(done=1, open=1))] == found[0]
    assert [(Ground.SPOT_CHECK, Numbers(open=2)), (Ground.REVIEWER_IN_DOUBT, Numbers(done=1, open=1))] == found[1]


async def test_two_campaigns_enrol_a_common_member_once_each(fr: Place) -> None:
    """Also when both go through the country anew, because a suspension was lifted; whoever was lifted comes to both."""
    campaigns = fr.node.dossiers.campaigns
    member, other = await Applicant.submits(fr.node), await Applicant.submits(fr.node, "luc", name="Dr Luc Marin")
    await member.is_approved()
    await other.is_approved()
    await other.does("suspend", Ground.MISCONDUCT, by=ADMIN)
    made = []
    for reason in (Ground.REVIEWER_IN_DOUBT, Ground.SPOT_CHECK):
        made.append(await campaigns.propose("FR", BY_RITA, reason, LEA))
        await campaigns.start(made[-1], REMY)
        await fr.node.dossiers.tick()
    before = await told(fr, member), (await member.file()).dossier.campaign, await told(fr, other)
    fr.network.clock.move(days=4)  # the suspension lifts itself
    for _ in range(3):
        await fr.node.dossiers.tick()
    after = await told(fr, member), (await member.file()).dossier.campaign, await told(fr, other)

    assert (2, made[1], 0) == before
    assert (2, made[1], 2) == after
    assert [Numbers(open=2)] * 2 == [line.numbers for line in await campaigns.overview("FR")]


async def told(fr: Place, member: Applicant) -> int:
    """How often the log says that this one was enrolled."""
    return [line.act for line in await fr.node.dossiers.history(member.id)].count("campaign.enrolled")


async def test_of_two_rounds_at_once_one_enrols(fr: Place) -> None:
    """Whoever is a member by then is none any more for the round that had listed them before: nothing is written."""
    campaigns = fr.node.dossiers.campaigns
    member = await Applicant.submits(fr.node)
    await member.is_approved()
    first, second = [await campaigns.propose("FR", BY_RITA, Ground.SPOT_CHECK, LEA) for _ in range(2)]
    for each in (first, second):
        await campaigns.start(each, REMY)
    await fr.node.dossiers.tick()
    running = next(line.campaign for line in await campaigns.overview("FR") if line.campaign.id == first)
    version = (await member.file()).version
    again = await campaigns._enrol_one(running, member.id)

    assert second == (await member.file()).dossier.campaign
    assert (0, 2, version) == (again, await told(fr, member), (await member.file()).version)


async def test_a_round_of_the_calendar_enrols_some_and_keeps_its_place(
    fr: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is not reached is enrolled in the next round; one who cannot be keeps nobody from it, nor another campaign."""
    monkeypatch.setattr(module, "AT_ONCE", 2)
    campaigns, members = fr.node.dossiers.campaigns, []
    for number in range(5):
        member = await Applicant.submits(fr.node, f"member{number}", name=f"Dr Luc {NAMES[number]}", birth_date=None)
        await member.is_approved()
        members.append(member)
    first, second = [await campaigns.propose("FR", BY_RITA, Ground.SPOT_CHECK, LEA) for _ in range(2)]
    await campaigns.start(first, REMY)
    real, bad = fr.node.dossiers.carry, min(member.id for member in members)

    async def fails(dossier_id: str, *values: Any, **more: Any) -> Any:
        if dossier_id == bad:
            raise StorageUnavailable("gone")
        return await real(dossier_id, *values, **more)

    monkeypatch.setattr(fr.node.dossiers, "carry", fails)
    rounds = [await campaigns.enrol() for _ in range(4)]
    monkeypatch.setattr(fr.node.dossiers, "carry", real)
    await campaigns.start(second, REMY)
    both = [await campaigns.enrol() for _ in range(4)]
    lines = await campaigns.overview("FR")

    assert [1, 1, 1, 1] == rounds
    assert [2, 2, 2, 0] == both
    assert [(first, False), (second, False)] == sorted((line.campaign.id, line.enrolling) for line in lines)
    assert {second} == {(await member.file()).dossier.campaign for member in members}


async def test_a_campaign_about_nobody_is_not_proposed(fr: Place) -> None:
    """Conditions that nobody meets now are said, and nothing is written."""
    campaigns = fr.node.dossiers.campaigns
    refusal = await refused(campaigns.propose("FR", BY_RITA, Ground.SPOT_CHECK, LEA))
    short = await refused(campaigns.propose("FR", BY_RITA, Ground.SPOT_CHECK, LEA, within=timedelta(days=6)))

    assert ("nobody_in_cohort", "bad_deadline") == (refusal, short)
    assert [] == await campaigns.overview("FR")


async def test_a_member_is_told_what_to_do(fr: Place) -> None:
    """By when, with a coded reason; in the words for campaigns, not those of sixty days."""
    campaigns = fr.node.dossiers.campaigns
    member = await Applicant.submits(fr.node)
    await member.is_approved()
    made = await campaigns.propose("FR", BY_RITA, Ground.REVIEWER_IN_DOUBT, LEA)
    await campaigns.start(made, REMY)
    await fr.node.dossiers.tick()
    last = (await fr.node.dossiers.notices(member.account))[0]
    mails = [row["notice"] for row in await rows(fr.node, "select notice from mails where sent_at is null order by id")]

    assert ("campaign_due", (Ground.REVIEWER_IN_DOUBT,)) == (last.notice, last.grounds)
    assert fr.network.clock.now + timedelta(days=30) == last.until
    assert "campaign_due" == mails[-1]


async def test_what_nobody_agreed_with_in_time_is_tidied(fr: Place) -> None:
    """A proposal goes after its seven days, a campaign nobody started after thirty; what can still be agreed stays."""
    campaigns = fr.node.dossiers.campaigns
    member = await Applicant.submits(fr.node)
    await member.is_approved()
    await campaigns.propose("FR", BY_RITA, Ground.SPOT_CHECK, LEA)
    await member.does("revoke", Ground.STRUCK_OFF, by=RITA)
    seen = []
    for days in (7, 1, 23):
        fr.network.clock.move(days=days)
        await fr.node.dossiers.tick()
        proposals = (await member.file()).dossier.proposals
        seen.append((len(proposals), [line.lapsed for line in await campaigns.overview("FR", REMY)]))

    assert timedelta(days=7) == PROPOSAL
    assert [(1, [False]), (0, [True]), (0, [])] == seen


async def test_who_may_start_is_said(fr: Place) -> None:
    """Neither who proposed it, nor whose decisions are in question; another country does not see it at all."""
    campaigns = fr.node.dossiers.campaigns
    member = await Applicant.submits(fr.node)
    await member.is_approved()
    made = await campaigns.propose("FR", BY_RITA, Ground.SPOT_CHECK, LEA)

    assert [False, False, True] == [(await campaigns.one(made, by)).may_start for by in (LEA, RITA, REMY)]
    with pytest.raises(Missing):
        await campaigns.one(made, GERMAN)
