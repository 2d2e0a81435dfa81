"""What administrators lay over a country's profile: it takes away, and it lets students in.

The profile is the most that may be. An overlay shortens periods, stops taking a proof, lets a degree make no doctor; it
gives nothing back that the profile does not have. Students alone are let in here where a profile keeps them out, if it
says what a student shows. What takes something away is one administrator's to do at once; what gives it back or opens
takes two (`widens`, `require_second`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal, assert_never

import msgspec

from verification.countries import CountryPolicy, Proof, Students, Validity
from verification.dossier import Role
from verification.errors import NoSuchMove, NotAllowed, NotYours, SamePerson
from verification.people import Actor, StaffId, require_other
from verification.standing import Action
from verification.ways import PROPOSAL


class PolicyReason(StrEnum):
    """Why a country's policy is changed."""

    RULES_CHANGED = "rules_changed"
    AUTHORITY_ASKED = "authority_asked"
    FORGERIES_SEEN = "forgeries_seen"
    BOARD_DECIDED = "board_decided"
    CHANGE_MISTAKEN = "change_mistaken"


class StudentRight(StrEnum):
    """What students can be let do, in the words of the page."""

    READ = "read"
    COMMENT = "comment"
    POST = "post"
    VOTE = "vote"


#: What each of them is to a door.
RIGHTS: Final[Mapping[StudentRight, frozenset[Action]]] = MappingProxyType(
    {
        StudentRight.READ: frozenset({Action.READ, Action.FOLLOW, Action.FLAG}),
        StudentRight.COMMENT: frozenset({Action.COMMENT, Action.LIKE, Action.EDIT, Action.WITHDRAW}),
        StudentRight.POST: frozenset({Action.POST, Action.RECOMMEND, Action.EDIT, Action.WITHDRAW}),
        StudentRight.VOTE: frozenset({Action.VOTE}),
    }
)
#: The periods a profile has.
PERIODS: Final = Validity.__struct_fields__


class BeyondProfile(NotAllowed):
    """The profile does not have it, so nobody can give it here."""

    code = "beyond_profile"


class NothingChanges(NotAllowed):
    """It is so already."""

    code = "nothing_changes"


# ── one change ──


class _Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="what"):
    """One thing that is to be so; `item` says about what, since one proposal about each waits at a time."""


class LetStudents(_Change, frozen=True, tag="students"):
    """Let students do exactly this; nothing at all keeps them out."""

    rights: frozenset[Action] = frozenset()

    @property
    def item(self) -> str:
        """About whom."""
        return "students"


class Period(_Change, frozen=True, tag="validity"):
    """Verify again after so many months."""

    name: str
    months: int

    @property
    def item(self) -> str:
        """Which period."""
        return f"validity.{self.name}"


class TakeProof(_Change, frozen=True, tag="proof"):
    """Take a proof, for the roles of the profile, or take it no longer."""

    proof: Proof
    taken: bool

    @property
    def item(self) -> str:
        """Which proof."""
        return f"proof.{self.proof}"


class DegreeAlone(_Change, frozen=True, tag="degree_alone"):
    """What a degree alone makes of somebody."""

    makes: Literal["doctor", "trainee"]

    @property
    def item(self) -> str:
        """That."""
        return "degree_alone"


Change = LetStudents | Period | TakeProof | DegreeAlone


# ── all that was changed ──


class Overlay(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is laid over one country's profile; empty, the profile is as its file says."""

    #: None: as the profile says.
    students: frozenset[Action] | None = None
    validity: dict[str, int] = {}
    not_taken: frozenset[Proof] = frozenset()
    degree_alone: Literal["trainee"] | None = None


EMPTY: Final = Overlay()


def read(text: str) -> Overlay:
    """Read what was kept; raise ValueError for what nobody knows, which could have taken something away."""
    overlay = msgspec.json.decode(text, type=Overlay)
    if any(name not in PERIODS or months < 1 for name, months in overlay.validity.items()):
        raise ValueError("a period that no profile has")
    return overlay


def laid_over(profile: CountryPolicy, overlay: Overlay) -> CountryPolicy:
    """Return what is in force: never more than the profile, but for students."""
    accepted = {role: proofs - overlay.not_taken for role, proofs in profile.accepted.items()}
    months = {
        name: min(getattr(profile.validity, name), overlay.validity.get(name, getattr(profile.validity, name)))
        for name in PERIODS
    }
    return msgspec.structs.replace(
        profile, accepted=accepted, validity=Validity(**months), students=_students(profile, overlay),
        degree_alone=overlay.degree_alone or profile.degree_alone,
    )  # fmt: skip


def _students(profile: CountryPolicy, overlay: Overlay) -> Students:
    if overlay.students is None:
        return profile.students
    rights = overlay.students & student_ceiling(profile)
    return Students(admitted=Action.READ in rights, rights=rights if Action.READ in rights else frozenset())


def student_ceiling(profile: CountryPolicy) -> frozenset[Action]:
    """The most that students may be let do: what the profile names, or all where it names nothing and keeps them out.

    Nothing where the profile does not say what a student shows.
    """
    if not profile.accepted.get(Role.STUDENT):
        return frozenset()
    if profile.students.admitted or profile.students.rights:
        return profile.students.rights
    return frozenset[Action]().union(*RIGHTS.values())


def student_rights(policy: CountryPolicy) -> tuple[StudentRight, ...]:
    """What students may do, in the words of the page; nothing where they are kept out."""
    given = policy.students.rights if policy.students.admitted else frozenset()
    return tuple(right for right in StudentRight if Action(right.value) in given)


def actions_of(rights: Iterable[StudentRight], profile: CountryPolicy) -> frozenset[Action]:
    """What these rights are to a door; one that the profile does not have stays in, for `changed` to refuse."""
    ceiling = student_ceiling(profile)
    return frozenset[Action]().union(*(RIGHTS[right] & ceiling | {Action(right.value)} for right in rights))


def changed(profile: CountryPolicy, overlay: Overlay, change: Change) -> Overlay:
    """Return the overlay with this change in it; raise BeyondProfile or NothingChanges where it cannot be one."""
    if not _within(profile, change):
        raise BeyondProfile("more than the profile of this country has")
    after = _with(profile, overlay, change)
    if laid_over(profile, after) == laid_over(profile, overlay):
        raise NothingChanges("it is so already")
    return after


def _within(profile: CountryPolicy, change: Change) -> bool:
    match change:
        case LetStudents():
            reads = not change.rights or Action.READ in change.rights
            return reads and change.rights <= student_ceiling(profile)
        case Period():
            return change.name in PERIODS and 1 <= change.months <= getattr(profile.validity, change.name)
        case TakeProof():
            return any(change.proof in proofs for proofs in profile.accepted.values())
        case DegreeAlone():
            return change.makes in ("trainee", profile.degree_alone)
        case _ as never:
            assert_never(never)


def _with(profile: CountryPolicy, overlay: Overlay, change: Change) -> Overlay:
    """The same with one thing other; what is as in the profile is not kept, so that a new file counts again."""
    match change:
        case LetStudents():
            # What was said of students here stays said: a file that opens later does not open what was closed.
            return msgspec.structs.replace(overlay, students=change.rights)
        case Period():
            others = {name: months for name, months in overlay.validity.items() if name != change.name}
            short = change.months < getattr(profile.validity, change.name)
            return msgspec.structs.replace(
                overlay, validity=others | ({change.name: change.months} if short else {})
            )  # fmt: skip
        case TakeProof():
            less = overlay.not_taken - {change.proof}
            return msgspec.structs.replace(overlay, not_taken=less if change.taken else less | {change.proof})
        case DegreeAlone():
            return msgspec.structs.replace(overlay, degree_alone="trainee" if change.makes == "trainee" else None)
        case _ as never:
            assert_never(never)


def widens(before: CountryPolicy, after: CountryPolicy) -> bool:
    """Whether anything is possible after that was not before: then two administrators are needed."""
    longer = any(getattr(after.validity, name) > getattr(before.validity, name) for name in PERIODS)
    more = any(proofs - before.accepted.get(role, frozenset()) for role, proofs in after.accepted.items())
    students = after.students.admitted and (
        not before.students.admitted or bool(after.students.rights - before.students.rights)
    )
    return longer or more or students or (before.degree_alone, after.degree_alone) == ("trainee", "doctor")


# ── two people ──


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """A change that opens something, proposed by one administrator."""

    id: str
    country: str
    change: Change
    reason: PolicyReason
    by: StaffId
    at: datetime

    @property
    def until(self) -> datetime:
        """How long it waits for a second person."""
        return self.at + PROPOSAL

    def waits(self, now: datetime) -> bool:
        """Whether it can still be confirmed."""
        return self.at <= now <= self.until


def require_administrator(actor: Actor) -> None:
    """Raise NotYours for anybody but an administrator."""
    if not actor.is_administrator():
        raise NotYours("not an administrator")


def require_second(proposed: Proposed, actor: Actor, now: datetime) -> None:
    """Raise unless this is another administrator, whom the first has not appointed, and in time."""
    require_administrator(actor)
    if actor.id == proposed.by:
        raise SamePerson("two different people are needed")
    require_other(actor, (proposed.by,))
    if not proposed.waits(now):
        raise NoSuchMove("the proposal is too old")
