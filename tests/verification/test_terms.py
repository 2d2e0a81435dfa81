"""Until when somebody is verified: role, evidence and stated days."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.verification.dossiers import DAY, E1, E2, E3, E4, NOW
from verification.dossier import Evidence, EvidenceKind, Role
from verification.errors import BadTerms
from verification.terms import Shown, months_on, reverify_on

ONE, TWO, THREE = (NOW.replace(year=NOW.year + years) for years in (1, 2, 3))
DIPLOMA = replace(E4, kind=EvidenceKind.DIPLOMA)


@pytest.mark.parametrize("role", [Role.SPECIALIST, Role.GENERALIST])
@pytest.mark.parametrize(
    ("evidence", "followed", "ends"),
    [
        ((E1,), False, TWO), ((E2,), False, TWO), ((E2, E3), False, TWO), ((E3,), False, ONE), ((DIPLOMA,), False, ONE),
        ((E3, DIPLOMA), False, ONE), ((E1,), True, ONE), ((E2,), True, ONE),
    ],
)  # fmt: skip
def test_a_doctor_is_verified_for_24_or_12_months(
    role: Role, evidence: tuple[Evidence, ...], followed: bool, ends: datetime
) -> None:
    """Twelve where only a document was seen, or where an imported register is read again anyway."""
    assert ends == reverify_on(role, Shown(evidence=evidence, followed=followed), NOW)


@pytest.mark.parametrize(("days", "ends"), [(100, NOW + 100 * DAY), (365, ONE), (366, ONE), (999, ONE)])
def test_a_resident_until_the_end_of_the_training(days: int, ends: datetime) -> None:
    """And never longer than 12 months."""
    assert ends == reverify_on(Role.RESIDENT, Shown(evidence=(E3,), training_ends=NOW + days * DAY), NOW)


def test_on_a_student_card_alone_the_academic_year_counts_too() -> None:
    """With 60 days; beside other evidence it does not."""
    card = Shown(evidence=(E4,), training_ends=NOW + 300 * DAY, year_ends=NOW + 100 * DAY)

    assert NOW + 160 * DAY == reverify_on(Role.RESIDENT, card, NOW)
    assert NOW + 300 * DAY == reverify_on(Role.RESIDENT, replace(card, evidence=(E4, E3)), NOW)


def test_a_student_until_the_end_of_the_year_and_the_retired_for_three() -> None:
    """Sixty days more; thirty-six months."""
    assert NOW + 160 * DAY == reverify_on(Role.STUDENT, Shown(evidence=(E4,), year_ends=NOW + 100 * DAY), NOW)
    assert THREE == reverify_on(Role.RETIRED, Shown(evidence=(E3,)), NOW)


@pytest.mark.parametrize(
    ("role", "shown"),
    [
        (Role.RESIDENT, Shown(evidence=(E3,))),
        (Role.RESIDENT, Shown(evidence=(E4,), training_ends=NOW + DAY)),
        (Role.RESIDENT, Shown(evidence=(E3,), training_ends=NOW)),
        (Role.STUDENT, Shown(evidence=(E4,))),
        (Role.STUDENT, Shown(evidence=(E4,), year_ends=NOW - 60 * DAY)),
        (Role.SPECIALIST, Shown(evidence=())),
    ],
)
def test_a_day_that_is_missing_or_past_verifies_nobody(role: Role, shown: Shown) -> None:
    """No day is made up."""
    with pytest.raises(BadTerms):
        reverify_on(role, shown, NOW)


@pytest.mark.parametrize("role", list(Role))
def test_a_countrys_profile_may_end_it_earlier_and_never_later(role: Role) -> None:
    """The earlier of the two days counts."""
    shown = Shown(evidence=(E4,), training_ends=NOW + 300 * DAY, year_ends=NOW + 300 * DAY)
    own = reverify_on(role, shown, NOW)

    assert NOW + DAY == reverify_on(role, replace(shown, until=NOW + DAY), NOW)
    assert own == reverify_on(role, replace(shown, until=own + DAY), NOW)
    with pytest.raises(BadTerms):
        reverify_on(role, replace(shown, until=NOW), NOW)


@pytest.mark.parametrize(
    ("day", "months", "then"),
    [
        ((2027, 1, 31), 1, (2027, 3, 1)), ((2028, 2, 29), 12, (2029, 3, 1)), ((2028, 2, 29), 48, (2032, 2, 29)),
        ((2026, 12, 31), 2, (2027, 3, 1)), ((2026, 11, 30), 24, (2028, 11, 30)), ((2026, 8, 31), 1, (2026, 10, 1)),
    ],
)  # fmt: skip
def test_months_are_those_of_the_calendar(day: tuple[int, int, int], months: int, then: tuple[int, int, int]) -> None:
    """A day that a month does not have is the first of the next."""
    assert datetime(*then, tzinfo=UTC) == months_on(datetime(*day, tzinfo=UTC), months)
