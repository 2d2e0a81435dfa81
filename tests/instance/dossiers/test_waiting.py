"""What waits too long or soon runs out, who is reminded of it, and lists of any length a page at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instance.services.dossiers.reminders import OVERDUE, WAITING
from instance.services.dossiers.values import QueueLine
from instance.services.dossiers.waiting import OTHERS, late_before
from instance.storage.store import Transaction
from instance.views import desk_queue
from tests.instance.dossiers.applying import ADMIN, GERMAN, LEA, REJECT, REMY, RENE, RITA, Applicant, staff
from tests.town import Place
from verification.campaign import Cohort
from verification.dossier import Role
from verification.grounds import Ground
from verification.moves import AnnexKind, State
from verification.people import Actor, DoctorId, StaffId, StaffRole

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
async def fr(network: Any) -> Place:
    """France, alone, on a Monday at noon."""
    return (await network("fr"))["fr"]


async def reminded(fr: Place) -> list[tuple[str, str, str]]:
    """Whom mails for the desk that wait are for, and what they are about."""
    found = await fr.node.store.all("mails.for_the_desk", most=50)
    return [(row["whom"], row["country"], row["notice"]) for row in found]


# ── what is late ──


async def test_what_waits_for_others_is_late_too(fr: Place) -> None:
    """Whoever has voted no longer has it in the queue, and still sees that it waits."""
    eliane = await Applicant.submits(fr.node)
    await eliane.does("take", by=RITA)
    await eliane.is_voted(RITA)
    fr.network.clock.move(days=3)
    waiting = fr.node.dossiers.waiting
    all_of = await waiting.all_of(RITA)

    assert [] == await waiting.queue(RITA)
    assert [(OTHERS, True)] == [(line.wants, line.overdue) for line in all_of]
    assert [] == await waiting.all_of(GERMAN)
    assert [] == await waiting.all_of(ADMIN)


async def test_nobody_sees_those_they_are_too_near_to(fr: Place) -> None:
    """Neither in the queue nor among what is late or runs out: the own dossier, and one of the same site."""
    eliane = await Applicant.submits(fr.node, sites=("hospital-1",))
    own = staff(11, StaffRole.REVIEWER, doctor=DoctorId(eliane.account))
    beside = staff(12, StaffRole.LEAD, sites=frozenset({"hospital-1"}))
    waiting, near = fr.node.dossiers.waiting, [own, beside]
    applied = [len(await waiting.all_of(by)) for by in (*near, RITA)]
    await eliane.is_approved()
    fr.network.clock.move(days=360)
    await fr.node.dossiers.tick()
    due = [len(await waiting.due(by)) for by in (*near, RITA)]

    assert [0, 0, 1] == applied
    assert [0, 0, 1] == due


async def wants(fr: Place, by: Actor) -> list[str]:
    """What the desk says of what waits, to this person."""
    return [line.wants for line in await fr.node.dossiers.waiting.all_of(by)]


async def test_what_somebody_near_has_voted_on_is_for_others(fr: Place) -> None:
    """One whom the first voter appointed is not asked for the second vote, nor learns more; anybody else is."""
    near = replace(RENE, near=frozenset({RITA.id}))
    near_lead = replace(LEA, near=frozenset({RITA.id}))
    eliane = await Applicant.submits(fr.node)
    await eliane.does("take", by=RITA)
    before = await wants(fr, near)
    await eliane.is_voted(RITA)

    assert ["review"] == before
    assert [OTHERS] == await wants(fr, near)
    assert ["second"] == await wants(fr, RENE) == await wants(fr, replace(RENE, near=frozenset({LEA.id})))
    assert [] == await fr.node.dossiers.queue(near)
    await eliane.is_voted(REMY, REJECT)
    assert ([OTHERS], ["decide"]) == (await wants(fr, near_lead), await wants(fr, LEA))


async def test_an_annex_somebody_near_has_voted_on_is_for_others(fr: Place) -> None:
    """The same for a renewal; what has no vote yet is anybody's."""
    near = replace(RENE, near=frozenset({RITA.id}))
    eliane = await Applicant.submits(fr.node)
    await eliane.is_approved()
    fr.network.clock.move(days=1)
    await eliane.shows()
    await eliane.does("hand_in", AnnexKind.RENEWAL)
    annex = (await eliane.file()).dossier.annexes[-1].id
    await eliane.does("take_annex", annex, by=RITA)
    before = await wants(fr, near)
    await eliane.is_found(RITA)
    await eliane.does("vote_annex", annex, *REJECT, by=RITA)

    assert ["annex"] == before == await wants(fr, RENE)
    assert [OTHERS] == await wants(fr, near)


async def test_a_proposal_is_for_who_can_agree_with_it(fr: Place) -> None:
    """One of two is a reviewer; nobody near agrees; who can is asked."""
    other_admin = replace(ADMIN, id=StaffId("staff-66"))
    near = replace(RENE, near=frozenset({ADMIN.id}))
    eliane = await Applicant.submits(fr.node)
    await eliane.is_approved()
    await eliane.does("revoke", Ground.STRUCK_OFF, by=ADMIN)

    assert [OTHERS] == await wants(fr, ADMIN) == await wants(fr, other_admin) == await wants(fr, near)
    assert ["propose"] == await wants(fr, RENE)
    await eliane.does("suspend", Ground.MISCONDUCT, by=ADMIN)
    await eliane.does("revoke", Ground.MISCONDUCT, by=RITA)
    assert ["confirm", "propose"] == sorted(await wants(fr, other_admin))
    assert [OTHERS, "propose"] == sorted(await wants(fr, near))


async def test_a_verification_near_its_day_is_listed(fr: Place) -> None:
    """From two weeks before until a month after; with a word where the renewal is there already."""
    eliane = await Applicant.submits(fr.node)
    await eliane.is_approved()
    found = []
    day = (await eliane.file()).dossier.reverify_on
    assert day is not None
    for moment in (day - timedelta(days=15), day - timedelta(days=13)):
        fr.network.clock.now = moment
        await fr.node.dossiers.tick()
        found.append(await fr.node.dossiers.waiting.due(LEA))
    await eliane.shows()
    annex = (await eliane.does("hand_in", AnnexKind.RENEWAL)).annexes[0].id
    handed = [line.handed for line in await fr.node.dossiers.waiting.due(LEA)]
    await eliane.does("take_back", annex)
    for moment in (day + timedelta(days=1), day + timedelta(days=31)):
        fr.network.clock.now = moment
        await fr.node.dossiers.tick()
        found.append(await fr.node.dossiers.waiting.due(LEA))

    assert [[], [State.REVERIFY_DUE], [State.EXPIRED], []] == [[line.state for line in lines] for lines in found]
    assert [True] == handed
    assert [] == await fr.node.dossiers.waiting.due(GERMAN)


async def test_late_things_are_four_lists_with_counts(fr: Place) -> None:
    """What waits, what runs out, members of a campaign and what a register says: each counted, one shown."""
    eliane, luc = await Applicant.submits(fr.node), await Applicant.submits(fr.node, "luc", name="Dr Luc Marin")
    await eliane.is_approved()
    campaigns = fr.node.dossiers.campaigns
    made = await campaigns.propose(
        "FR", Cohort(reviewers=frozenset({RITA.id})), Ground.SPOT_CHECK, LEA, within=timedelta(days=10)
    )
    await campaigns.start(made, staff(3, StaffRole.REVIEWER))
    await fr.node.dossiers.tick()
    fr.network.clock.move(days=3)
    waiting = fr.node.dossiers.waiting
    late = desk_queue.late(await waiting.all_of(LEA), await waiting.due(LEA), {"list": "campaign", "country": "XX"})
    other = desk_queue.late(await waiting.all_of(LEA), await waiting.due(LEA), {"list": "<b>"})

    assert [("waiting", 1), ("reverify", 0), ("campaign", 1), ("register", 0)] == [
        (tab.value, tab.number) for tab in late.tabs
    ]
    assert [eliane.id] == [line.dossier for line in late.page.lines]
    assert ("waiting", [luc.id]) == (other.name, [line.dossier for line in other.page.lines])


@given(st.integers(0, 3 * 7 * 24 * 60))
def test_late_is_two_working_days_back(minutes: int) -> None:
    """Forty-eight hours of weekdays lie between, whatever the moment; of a weekend the beginning counts."""
    now = NOON + timedelta(minutes=minutes)
    began = late_before(now)
    hours = [began + timedelta(minutes=each) for each in range(int((now - began).total_seconds() // 60))]

    assert 48 * 60 == sum(each.weekday() < 5 for each in hours)
    assert (began - timedelta(seconds=1)).weekday() < 5


# ── lists a page at a time ──


def line(number: int, **changes: Any) -> QueueLine:
    """One of many lines."""
    since = NOON + timedelta(minutes=number // 2)
    values: dict[str, Any] = {
        "dossier": f"d-{number:04}", "version": 1, "wants": "take", "country": "FR", "role": Role.GENERALIST,
        "state": State.SUBMITTED, "since": since, "age": timedelta(0), "overdue": False, "name": "", **changes,
    }  # fmt: skip
    return QueueLine(**values)


@pytest.mark.parametrize("number", [0, 1, 50, 51, 120])
def test_pages_hold_every_line_once(number: int) -> None:
    """From page to page by the address that each gives; the count is of all of them."""
    lines, seen, after = [line(each) for each in range(number)], [], ""
    while True:
        page = desk_queue.narrowed(lines, {"after": after})
        seen += page.lines
        assert (number, number) == (page.number, page.total)
        if not (after := page.after):
            break

    assert lines == seen


def test_who_was_decided_meanwhile_makes_nobody_missed() -> None:
    """A page begins behind a line, also where that line is gone."""
    lines = [line(each) for each in range(120)]
    first = desk_queue.narrowed(lines, {})
    second = desk_queue.narrowed(lines[60:], {"after": first.after})

    assert (1, 50) == (first.first, first.last)
    assert lines[60:110] == second.lines


@pytest.mark.parametrize("after", ["x", "-1.d", "9" * 30, "²", "<b>"])
def test_an_address_that_is_none_begins_at_the_top(after: str) -> None:
    """Nothing fails, and nothing is hidden."""
    lines = [line(each) for each in range(60)]

    assert lines[:50] == desk_queue.narrowed(lines, {"after": after}).lines


def test_counts_are_of_what_other_filters_leave() -> None:
    """Thousands are counted, not the page."""
    lines = [line(each, role=Role.RESIDENT if each % 3 else Role.GENERALIST) for each in range(3000)]
    page = desk_queue.narrowed(lines, {"role": "resident"})

    assert (2000, 3000, 50) == (page.number, page.total, len(page.lines))
    assert [("generalist", 1000), ("resident", 2000)] == [(each.value, each.number) for each in page.filters["role"]]
    assert [("application", 2000)] == [(each.value, each.number) for each in page.filters["kind"]]


# ── reminders ──


async def test_the_desk_is_reminded_once_a_working_day(fr: Place) -> None:
    """Reviewers of what waits since the day before, leads of what is overdue; nobody of what came just now."""
    eliane = await Applicant.submits(fr.node)
    found = []
    for hours in (1, 24, 1, 24, 24):
        fr.network.clock.move(hours=hours)
        await fr.node.dossiers.tick()
        found.append(await reminded(fr))
        await fr.node.store.write(_drop)
    await eliane.is_approved()
    fr.network.clock.move(days=3)
    await fr.node.dossiers.tick()

    reviewers, leads = ("reviewers", "FR", WAITING), ("leads", "FR", OVERDUE)
    assert [[], [reviewers], [], [reviewers, leads], [reviewers, leads]] == found
    assert [] == await reminded(fr)


@pytest.mark.parametrize(("days", "hours"), [(5, 0), (6, 0), (7, -8)], ids=["Saturday", "Sunday", "at night"])
async def test_nobody_is_reminded_at_a_weekend_or_at_night(fr: Place, days: int, hours: int) -> None:
    """What waits, waits until the morning of a working day."""
    await Applicant.submits(fr.node)
    fr.network.clock.move(days=days, hours=hours)
    await fr.node.dossiers.tick()

    assert [] == await reminded(fr)


async def test_a_reminder_names_nobody(fr: Place) -> None:
    """The row holds a code, a part of the desk and a country; no notice about a dossier is kept for the desk."""
    eliane = await Applicant.submits(fr.node)
    await eliane.does("take", by=RITA)
    await eliane.is_voted(RITA)
    await eliane.is_voted(RENE, REJECT)
    rows = await fr.node.store.all("mails.for_the_desk", most=50)

    assert ["disagreement"] == [row["notice"] for row in rows]
    assert {"id", "whom", "country", "notice", "at"} == {name for row in rows for name in row.keys()}  # noqa: SIM118


async def _drop(tx: Transaction) -> None:
    for row in await tx.all("mails.for_the_desk", most=50):
        await tx.run("mails.drop", id=row["id"])
