"""What is laid over a profile takes away; what gives back or opens takes two."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from verification.countries import CountryPolicy, Proof, Students, load, shipped
from verification.dossier import Country, Role
from verification.errors import NoSuchMove, NotYours, SameInviter, SamePerson
from verification.overlay import (
    EMPTY,
    PERIODS,
    RIGHTS,
    BeyondProfile,
    Change,
    DegreeAlone,
    LetStudents,
    NothingChanges,
    Overlay,
    Period,
    PolicyReason,
    Proposed,
    StudentRight,
    TakeProof,
    actions_of,
    changed,
    laid_over,
    read,
    require_second,
    student_rights,
    widens,
)
from verification.people import Actor, StaffId, StaffRole
from verification.standing import Action

FR = load(shipped()).policies[Country("FR")]
DE = load(shipped()).policies[Country("DE")]
NOW = datetime(2026, 11, 23, tzinfo=UTC)
READ = RIGHTS[StudentRight.READ]

changes = some.one_of(
    some.builds(LetStudents, rights=some.frozensets(some.sampled_from(sorted(Action)))),
    some.builds(Period, name=some.sampled_from(PERIODS), months=some.integers(-2, 40)),
    some.builds(TakeProof, proof=some.sampled_from(Proof), taken=some.booleans()),
    some.builds(DegreeAlone, makes=some.sampled_from(["doctor", "trainee"])),
)


def after(profile: CountryPolicy, *made: Change, begin: Overlay = EMPTY) -> CountryPolicy:
    """What is in force once these changes are made."""
    for each in made:
        begin = changed(profile, begin, each)
    return laid_over(profile, begin)


def test_without_changes_the_profile_is_in_force() -> None:
    """An empty overlay takes nothing away."""
    assert laid_over(FR, EMPTY) == FR


def test_a_period_is_shortened_and_never_lengthened() -> None:
    """Fewer months than the profile has, at least one."""
    assert 12 == after(FR, Period(name="specialist", months=12)).validity.specialist
    assert 24 == FR.validity.specialist
    for months in (25, 0, -1):
        with pytest.raises(BeyondProfile):
            changed(FR, EMPTY, Period(name="specialist", months=months))
    with pytest.raises(BeyondProfile):
        changed(FR, EMPTY, Period(name="student", months=1))


def test_a_proof_is_no_longer_taken() -> None:
    """For no role; one that the profile does not take cannot be taken here."""
    policy = after(FR, TakeProof(proof=Proof.DEGREE, taken=False))

    assert not any(policy.accepts(role, Proof.DEGREE) for role in Role)
    assert policy.accepts(Role.GENERALIST, Proof.LICENCE)
    with pytest.raises(BeyondProfile):
        changed(DE, EMPTY, TakeProof(proof=Proof.RESIDENT_CARD, taken=True))


def test_a_degree_alone_makes_no_doctor_any_more() -> None:
    """From doctor to trainee and back, where the profile says doctor; never where it does not."""
    assert "trainee" == after(FR, DegreeAlone(makes="trainee")).degree_alone
    assert FR == after(FR, DegreeAlone(makes="trainee"), DegreeAlone(makes="doctor"))
    with pytest.raises(BeyondProfile):
        changed(DE, EMPTY, DegreeAlone(makes="doctor"))


def test_students_are_let_in_with_exactly_what_is_named() -> None:
    """Reading goes with every right; a right that is not named is not given."""
    policy = after(DE, LetStudents(rights=READ))

    assert (True, READ) == (policy.students.admitted, policy.students.rights)
    assert (StudentRight.READ,) == student_rights(policy)
    with pytest.raises(BeyondProfile):
        changed(DE, EMPTY, LetStudents(rights=RIGHTS[StudentRight.POST]))
    with pytest.raises(BeyondProfile):
        changed(DE, EMPTY, LetStudents(rights=READ | {Action.REVIEW}))


def test_a_profile_that_does_not_say_what_students_show_lets_none_in() -> None:
    """Without a proof of theirs nobody could be one."""
    silent = msgspec.structs.replace(DE, accepted={**DE.accepted, Role.STUDENT: frozenset()})

    with pytest.raises(BeyondProfile):
        changed(silent, EMPTY, LetStudents(rights=READ))
    assert not laid_over(silent, Overlay(students=READ)).students.admitted


def test_a_profile_that_names_rights_is_the_most_there_is() -> None:
    """Where the file names what students may do, the page gives no more, and takes it away."""
    named = msgspec.structs.replace(DE, students=Students(admitted=True, rights=frozenset({Action.READ})))

    assert frozenset({Action.READ}) == actions_of([StudentRight.READ], named)
    with pytest.raises(BeyondProfile):
        changed(named, EMPTY, LetStudents(rights=actions_of([StudentRight.READ, StudentRight.POST], named)))
    with pytest.raises(BeyondProfile):
        changed(named, EMPTY, LetStudents(rights=READ | {Action.COMMENT}))
    assert not after(named, LetStudents()).students.admitted


def test_what_is_so_already_is_no_change() -> None:
    """Nothing is recorded for nothing."""
    for change in (LetStudents(), Period(name="resident", months=12), TakeProof(proof=Proof.DEGREE, taken=True)):
        with pytest.raises(NothingChanges):
            changed(FR, EMPTY, change)


@pytest.mark.parametrize(
    ("before", "change", "opens"),
    [
        ((), LetStudents(rights=READ), True), ((LetStudents(rights=READ),), LetStudents(), False),
        ((LetStudents(rights=READ),), LetStudents(rights=READ | {Action.COMMENT}), True),
        ((LetStudents(rights=READ | {Action.COMMENT}),), LetStudents(rights=READ), False),
        ((), Period(name="resident", months=6), False),
        ((Period(name="resident", months=6),), Period(name="resident", months=7), True),
        ((), TakeProof(proof=Proof.LICENCE, taken=False), False),
        ((TakeProof(proof=Proof.LICENCE, taken=False),), TakeProof(proof=Proof.LICENCE, taken=True), True),
        ((), DegreeAlone(makes="trainee"), False),
        ((DegreeAlone(makes="trainee"),), DegreeAlone(makes="doctor"), True),
    ],
)  # fmt: skip
def test_what_opens_takes_two_and_what_closes_one(before: tuple[Change, ...], change: Change, opens: bool) -> None:
    """Each change, and the same the other way round."""
    assert opens is widens(after(FR, *before), after(FR, *before, change))


@given(some.lists(changes, max_size=8))
def test_whatever_is_changed_the_profile_is_the_most(made: list[Change]) -> None:
    """Of any row of changes nothing but the students' door is wider than the file; and it is read as it was kept."""
    overlay = EMPTY
    for each in made:
        try:
            overlay = changed(FR, overlay, each)
        except (BeyondProfile, NothingChanges):
            continue
    policy = laid_over(FR, overlay)

    assert overlay == read(msgspec.json.encode(overlay).decode())
    assert not widens(FR, msgspec.structs.replace(policy, students=FR.students))
    assert policy.students.rights <= frozenset().union(*RIGHTS.values())
    assert not policy.students.rights or Action.READ in policy.students.rights


@given(changes)
def test_one_person_never_opens_alone_by_going_to_and_fro(change: Change) -> None:
    """What takes away and is undone is a change that opens."""
    try:
        narrow = changed(FR, EMPTY, change)
    except (BeyondProfile, NothingChanges):
        return

    assert widens(FR, laid_over(FR, narrow)) is not widens(laid_over(FR, narrow), FR)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"more":1}', '{"validity":{"student":3}}', '{"validity":{"resident":0}}', '{"not_taken":["x"]}']
)
def test_an_overlay_nobody_understands_is_not_read(text: str) -> None:
    """It could have taken something away."""
    with pytest.raises(ValueError, match=r"."):
        read(text)


# ── two people ──


def actor(id: str, *roles: StaffRole, near: frozenset[StaffId] = frozenset()) -> Actor:
    """A member of staff."""
    return Actor(id=StaffId(id), roles=frozenset(roles), near=near)


PROPOSED = Proposed(
    id="p-1", country="DE", change=LetStudents(rights=READ), reason=PolicyReason.BOARD_DECIDED, by=StaffId("staff-1"),
    at=NOW,
)  # fmt: skip


def test_another_administrator_confirms_within_seven_days() -> None:
    """To the second; neither the same one, nor one of their appointing, nor another role."""
    two = actor("staff-2", StaffRole.ADMINISTRATOR)
    require_second(PROPOSED, two, NOW + timedelta(days=7))

    for who, at, refusal in (
        (two, NOW + timedelta(days=7, seconds=1), NoSuchMove),
        (actor("staff-1", StaffRole.ADMINISTRATOR), NOW, SamePerson),
        (actor("staff-2", StaffRole.LEAD, StaffRole.REVIEWER), NOW, NotYours),
        (actor("staff-2", StaffRole.ADMINISTRATOR, near=frozenset({StaffId("staff-1")})), NOW, SameInviter),
    ):
        with pytest.raises(refusal):
            require_second(PROPOSED, who, at)
