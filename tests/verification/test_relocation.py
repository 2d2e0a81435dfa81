"""Whether a doctor has moved: everything holds, or the first thing that does not is named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from federation.uri import Uri
from verification.relocation import BELIEVED_FOR, New, Old, WhyNot, has_returned, why_not
from verification.verdicts import Reason

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HERE = Uri.parse("https://fr.esanum.example/doctors/marie")
THERE = Uri.parse("https://de.esanum.example/doctors/marie")
ELSEWHERE = Uri.parse("https://at.esanum.example/doctors/marie")


def old(**changes: Any) -> Old:
    """Marie as the old home shows her, who has gone an hour ago."""
    values = {
        "id": HERE, "name": "Dr Marie Lefèvre", "reason": Reason.REVOKED, "moved_to": THERE,
        "silent_since": NOW - timedelta(hours=1), **changes,
    }  # fmt: skip
    return Old(**values)


def new(**changes: Any) -> New:
    """Marie as the new home shows her."""
    values = {
        "id": THERE, "name": "Marie LEFEVRE", "reason": Reason.OK, "also_known_as": frozenset({HERE, ELSEWHERE}),
        **changes,
    }  # fmt: skip
    return New(**values)


@pytest.mark.parametrize("reason", [Reason.OK, Reason.REVOKED])
def test_where_everything_holds_it_is_a_move(reason: Reason) -> None:
    """The old recognition holds still, or ended for this alone; accents, titles and capitals make no other name."""
    assert why_not(old(reason=reason), new(), now=NOW) is None


@pytest.mark.parametrize(
    ("here", "there", "expected"),
    [
        ({"moved_to": None}, {}, WhyNot.UNCLAIMED),
        ({"moved_to": ELSEWHERE}, {}, WhyNot.UNCLAIMED),
        ({}, {"also_known_as": frozenset()}, WhyNot.UNCLAIMED),
        ({}, {"also_known_as": frozenset({ELSEWHERE})}, WhyNot.UNCLAIMED),
        ({}, {"moved_to": ELSEWHERE}, WhyNot.ELSEWHERE),
        ({}, {"moved_to": HERE}, WhyNot.ELSEWHERE),
        ({"name": "Dr Berta Muster"}, {}, WhyNot.OTHER_NAME),
        ({"name": "Dr"}, {"name": "Dr"}, WhyNot.OTHER_NAME),
        ({"silent_since": None}, {}, WhyNot.TOO_LATE),
    ],
)
def test_one_thing_that_is_missing_is_enough(
    here: dict[str, Any], there: dict[str, Any], expected: WhyNot
) -> None:  # fmt: skip
    """Each of the conditions, taken away by itself."""
    assert expected is why_not(old(**here), new(**there), now=NOW)


@pytest.mark.parametrize("reason", [each for each in Reason if each is not Reason.OK])
def test_the_new_one_must_be_verified(reason: Reason) -> None:
    """Whatever the reason is for which it is not."""
    assert WhyNot.NOT_VERIFIED is why_not(old(), new(reason=reason), now=NOW)


@pytest.mark.parametrize("reason", [each for each in Reason if each not in (Reason.OK, Reason.REVOKED)])
def test_the_old_one_must_have_been(reason: Reason) -> None:
    """Suspended, expired or never believed: nobody goes on as somebody."""
    assert WhyNot.NOT_VERIFIED is why_not(old(reason=reason), new(), now=NOW)


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        (BELIEVED_FOR, None),
        (BELIEVED_FOR + timedelta(milliseconds=1), WhyNot.TOO_LATE),
        (timedelta(days=31), WhyNot.TOO_LATE),
        (-timedelta(days=1), WhyNot.TOO_LATE),
    ],
)
def test_it_is_believed_for_thirty_days(since: timedelta, expected: WhyNot | None) -> None:
    """To the millisecond; a day that has not come yet is none."""
    assert expected is why_not(old(silent_since=NOW - since), new(), now=NOW)


def test_an_old_one_that_holds_has_no_deadline() -> None:
    """The twin: whoever is verified still may go whenever they like."""
    assert why_not(old(reason=Reason.OK, silent_since=NOW - timedelta(days=400)), new(), now=NOW) is None


LEFT, GOES, BACK = NOW - timedelta(days=90), NOW - timedelta(days=60), NOW - timedelta(days=1)


def test_who_shows_a_newer_credential_and_no_destination_has_returned() -> None:
    """Verified anew under the old address, after the move."""
    assert has_returned(None, BACK, last_valid_from=LEFT, moved_at=GOES)


@pytest.mark.parametrize(
    ("names", "valid_from", "last", "moved_at"),
    [
        (THERE, BACK, LEFT, GOES),
        (ELSEWHERE, BACK, LEFT, GOES),
        (None, LEFT, LEFT, GOES),
        (None, GOES - timedelta(days=1), LEFT, GOES),
        (None, BACK, BACK, GOES),
        (None, None, LEFT, GOES),
        (None, BACK, None, GOES),
        (None, BACK, LEFT, None),
    ],
)
def test_a_destination_left_out_is_no_return(
    names: Uri | None, valid_from: datetime | None, last: datetime | None, moved_at: datetime | None
) -> None:  # fmt: skip
    """The credential they left with, one from before the move, a destination still named, a time that is missing."""
    assert not has_returned(names, valid_from, last_valid_from=last, moved_at=moved_at)
