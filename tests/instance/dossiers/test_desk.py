"""What the desk sees: who waits for whom, how long, and nothing that is not theirs to see."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from instance.services.dossiers.values import Findings
from instance.services.dossiers.waiting import overdue
from instance.services.errors import Missing, Rejected
from tests.instance.dossiers.applying import (
    ADMIN,
    APPROVE,
    GERMAN,
    LEA,
    REJECT,
    REMY,
    RENE,
    RITA,
    Applicant,
    application,
)  # fmt: skip
from tests.instance.dossiers.test_vault import shown
from tests.town import Place
from verification.grounds import Ground
from verification.moves import AnnexKind
from verification.people import Actor


async def wanted(fr: Place, actor: Actor) -> list[str]:
    """What is wanted of somebody."""
    return [line.wants for line in await fr.node.dossiers.queue(actor)]


async def test_the_queue_follows_the_application(fr: Place) -> None:
    """To take, to review, to look at second; whoever has voted waits, and the lead decides where two disagree."""
    eliane = await Applicant.begins(fr.node)
    draft = await wanted(fr, RITA)
    await eliane.shows()
    await eliane.does("submit")
    submitted = await wanted(fr, RITA)
    await eliane.does("take", by=RITA)
    taken = [await wanted(fr, by) for by in (RITA, RENE)]
    await eliane.is_voted(RITA)
    voted = [await wanted(fr, by) for by in (RITA, RENE)]
    await eliane.is_voted(RENE, REJECT)
    disagreed = [await wanted(fr, by) for by in (RITA, REMY, LEA)]

    assert ([], ["take"]) == (draft, submitted)
    assert [["review"], ["review"]] == taken
    assert [[], ["second"]] == voted
    assert [[], [], ["decide"]] == disagreed


async def test_the_queue_is_the_own_countrys(fr: Place) -> None:
    """Nobody of another country sees a line; an administrator sees no application and no name."""
    eliane = await Applicant.submits(fr.node)

    assert [] == await wanted(fr, GERMAN)
    assert [] == await wanted(fr, ADMIN)
    with pytest.raises(Missing):
        await fr.node.dossiers.open_to(eliane.id, GERMAN)
    with pytest.raises(Missing):
        await fr.node.dossiers.open_to(eliane.id, ADMIN)
    assert eliane.id == (await fr.node.dossiers.open_to(eliane.id, RITA)).dossier.id


async def test_what_takes_two_waits_for_the_second(fr: Place) -> None:
    """A suspension to confirm, a proposal to agree with: for everybody but whoever began it."""
    eliane = await Applicant.submits(fr.node)
    await eliane.is_approved()
    await eliane.does("suspend", Ground.AUTHORITY_LETTER, by=ADMIN)
    confirm = [await wanted(fr, by) for by in (ADMIN, RITA)]
    await eliane.does("revoke", Ground.STRUCK_OFF, by=RITA)
    lines = await fr.node.dossiers.queue(ADMIN)

    assert [[], ["confirm"]] == confirm
    assert [("propose", "")] == [(line.wants, line.name) for line in lines]


async def test_an_annex_is_in_the_queue_until_it_is_decided(fr: Place) -> None:
    """A renewal waits for reviewers while the doctor goes on."""
    eliane = await Applicant.submits(fr.node)
    await eliane.is_approved()
    before = await wanted(fr, RITA)
    await eliane.shows()
    annex = (await eliane.does("hand_in", AnnexKind.RENEWAL)).annexes[0].id
    lines, figures = await fr.node.dossiers.queue(RITA), await fr.node.dossiers.figures("FR")
    await eliane.does("take_annex", annex, by=RITA)
    await eliane.is_found(RITA)
    await eliane.does("vote_annex", annex, *APPROVE, by=RITA)

    assert [] == before
    assert (1, 0) == (figures.waiting, figures.overdue)
    assert [("annex", annex, AnnexKind.RENEWAL)] == [(line.wants, line.annex, line.annex_kind) for line in lines]
    assert [[], ["annex"]] == [await wanted(fr, by) for by in (RITA, RENE)]


async def test_the_longest_waiting_comes_first(fr: Place) -> None:
    """By the day of handing in."""
    first = await Applicant.submits(fr.node)
    fr.network.clock.move(days=3)
    second = await Applicant.submits(fr.node, "luc", name="Dr Luc Marin")
    lines = await fr.node.dossiers.queue(RITA)

    assert [first.id, second.id] == [line.dossier for line in lines]
    assert [True, False] == [line.overdue for line in lines]
    assert [timedelta(days=3), timedelta(0)] == [line.age for line in lines]


async def test_time_the_applicant_takes_is_not_the_desks(fr: Place) -> None:
    """What was asked for and answered after a week waits since the answer."""
    eliane = await Applicant.submits(fr.node)
    await eliane.does("take", by=RITA)
    await eliane.does("ask", Ground.UNREADABLE, by=RITA)
    asked = await wanted(fr, RITA)
    fr.network.clock.move(days=7)
    await eliane.shows()
    await eliane.does("answer")
    line = (await fr.node.dossiers.queue(RITA))[0]

    assert [] == asked
    assert ("take", timedelta(0), False) == (line.wants, line.age, line.overdue)
    assert 0 == (await fr.node.dossiers.figures("FR")).overdue


async def test_the_median_is_the_one_in_the_middle(fr: Place) -> None:
    """Of one, two and three decisions, whatever the order in which they came."""
    medians = []
    for number, days in enumerate((9, 1, 3)):
        applicant = await Applicant.submits(fr.node, f"m{number}", name=f"Dr Luc {'ABC'[number]}ubin", birth_date=None)
        fr.network.clock.move(days=days)
        await applicant.is_approved()
        found = await fr.node.dossiers.figures("FR")
        medians.append((found.decided, found.median))

    assert [(1, timedelta(days=9)), (2, timedelta(days=5)), (3, timedelta(days=3))] == medians


async def test_figures_of_a_country(fr: Place) -> None:
    """How many wait by age, what is overdue, and how long decisions took."""
    for login, days in (("one", 1), ("two", 3)):
        applicant = await Applicant.submits(fr.node, login, name=f"Dr Luc {login.title()}")
        fr.network.clock.move(days=days)
        await applicant.is_approved()
    waiting = await Applicant.submits(fr.node, "three", name="Dr Luc Three")
    fr.network.clock.move(days=8)
    await Applicant.submits(fr.node, "four", name="Dr Luc Four")
    found = await fr.node.dossiers.figures("FR")
    nobody = await fr.node.dossiers.figures("DE")

    assert (2, 1, 1, 1) == (found.waiting, found.under_a_day, found.longer, found.overdue)
    assert (2, timedelta(days=2), timedelta(days=8)) == (found.decided, found.median, found.oldest)
    assert (0, 0, None) == (nobody.waiting, nobody.decided, nobody.median)
    assert waiting.id in {line.dossier for line in await fr.node.dossiers.queue(RITA)}


@pytest.mark.parametrize(
    ("since", "now", "late"),
    [
        (datetime(2026, 11, 23, 12, tzinfo=UTC), datetime(2026, 11, 25, 12, tzinfo=UTC), False),
        (datetime(2026, 11, 23, 12, tzinfo=UTC), datetime(2026, 11, 25, 12, 1, tzinfo=UTC), True),
        (datetime(2026, 11, 27, 12, tzinfo=UTC), datetime(2026, 12, 1, 12, tzinfo=UTC), False),
        (datetime(2026, 11, 27, 12, tzinfo=UTC), datetime(2026, 12, 1, 12, 1, tzinfo=UTC), True),
        (datetime(2026, 11, 28, 12, tzinfo=UTC), datetime(2026, 12, 1, 23, tzinfo=UTC), False),
    ],
    ids=["two days", "a minute more", "over a weekend", "a minute more", "from a Saturday"],
)
def test_a_weekend_makes_nothing_late(since: datetime, now: datetime, late: bool) -> None:
    """Two working days are the aim."""
    assert late is overdue(since, now)


async def test_a_view_is_recorded_before_the_bytes_leave(fr: Place) -> None:
    """Who may not judge sees nothing, and no entry says otherwise."""
    eliane = await Applicant.begins(fr.node)
    file = await shown(eliane)
    await eliane.does("submit")
    await eliane.does("take", by=RITA)
    await fr.node.dossiers.record_view(eliane.id, RITA, file)
    with pytest.raises(Rejected):
        await fr.node.dossiers.record_view(eliane.id, ADMIN, file)
    last = [(line.act, line.by, line.reason) for line in await fr.node.dossiers.history(eliane.id)][-1]

    assert ("evidence.viewed", "staff-1", "first-review") == last


async def test_nobody_finds_for_others(fr: Place) -> None:
    """Findings are a reviewer's; a piece of another dossier is not there."""
    eliane = await Applicant.submits(fr.node)
    with pytest.raises(Rejected):
        await fr.node.dossiers.find(eliane.id, ADMIN, "e-1", Findings())
    with pytest.raises(Missing):
        await fr.node.dossiers.find(eliane.id, RITA, "e-1", Findings())


async def test_what_is_said_is_changed_while_nobody_looks(fr: Place) -> None:
    """In a draft the name and the role can be said anew; once it is handed in they stand."""
    eliane = await Applicant.begins(fr.node)
    await eliane.does("say", application(name="Dr Éliane Marchal", role="resident"))
    draft = await eliane.file()
    await eliane.shows()
    await eliane.does("submit")
    with pytest.raises(Rejected) as refused:
        await eliane.does("say", application())

    assert ("Dr Éliane Marchal", "resident") == (draft.said.name, draft.dossier.role)
    assert "decided_already" == refused.value.code
