"""Campaigns: two people want it, the cohort is a rule, members have until the deadline."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from instance.services.errors import Rejected
from tests.instance.dossiers.applying import GERMAN, LEA, REMY, RENE, RITA, Applicant
from tests.town import Place
from verification.campaign import Cohort, Numbers
from verification.dossier import EvidenceClass
from verification.grounds import Ground
from verification.moves import State

BY_RITA = Cohort(reviewers=frozenset({RITA.id}), ranks=frozenset({EvidenceClass.E3}))


@pytest.fixture
async def fr(network: Any) -> Place:
    """France, alone."""
    return (await network("fr"))["fr"]


async def refused(doing: Any) -> str:
    """The code of a refusal."""
    with pytest.raises(Rejected) as caught:
        await doing
    return caught.value.code


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
