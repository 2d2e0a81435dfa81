"""Status lists: what a credential says of them, what they say of it, and how long their silence is trusted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from federation.uri import Uri
from tests.verification.helpers import (
    GOOD,
    HOME,
    KNOWN,
    NOW,
    REVOCATION,
    STRANGER,
    SUSPENSION,
    TERMS,
    credential,
    judge,
    lists,
    resigned,
)
from verification.status_entries import StatusPlace
from verification.statuslist import Purpose, StatusList, blank, with_bit
from verification.verdicts import Deferred, Effect, Reason, Refused

ENTRIES = GOOD["credentialStatus"]


# ── step 11: status ──


@pytest.mark.parametrize(
    "entries",
    [
        [],
        ENTRIES[:1],
        ENTRIES[1:],
        [*ENTRIES, ENTRIES[0]],
        ENTRIES[0],
        "none",
        [ENTRIES[0], {**ENTRIES[1], "type": "StatusList2021Entry"}],
        [ENTRIES[0], {**ENTRIES[1], "statusListCredential": "list"}],
        *([ENTRIES[0], {**ENTRIES[1], "statusListIndex": bad}] for bad in (7, "-1", "07", "+7", "7 ", "٧", "9" * 5000)),
    ],
    ids=lambda entries: repr(entries)[-60:],
)
@pytest.mark.parametrize("stored", [None, lists()], ids=["not kept", "kept"])
def test_there_is_one_well_formed_entry_of_each_kind(entries: Any, stored: Any) -> None:
    """Absent, doubled or malformed entries are refused whether lists are kept or not."""
    assert Refused(Reason.STATUS_MISSING) == judge(resigned(GOOD, credentialStatus=entries), stored=stored)


def test_entries_may_be_left_out_only_where_no_lists_are_kept() -> None:
    """No lists kept, and lists kept of which none was read, are two things."""
    bare = resigned(GOOD, credentialStatus=None)

    assert Reason.OK == judge(bare).reason
    assert Refused(Reason.STATUS_MISSING) == judge(bare, stored=lists())
    assert Refused(Reason.STATUS_MISSING) == judge(bare, stored={})


def test_an_entry_for_another_purpose_is_no_concern_of_ours() -> None:
    """Further purposes may be added without asking every sibling."""
    more = [*ENTRIES, {**ENTRIES[0], "statusPurpose": "message"}]

    assert Reason.OK == judge(resigned(GOOD, credentialStatus=more), stored=lists()).reason


@pytest.mark.parametrize("stored", [None, lists()], ids=["not kept", "kept"])
def test_a_status_list_lies_at_the_issuer(stored: Any) -> None:
    """A list on another host is refused, and so never fetched."""
    abroad = [ENTRIES[0], {**ENTRIES[1], "statusListCredential": "https://de.example/vc/status/suspension/1"}]

    assert Refused(Reason.STATUS_ISSUER_MISMATCH) == judge(resigned(GOOD, credentialStatus=abroad), stored=stored)


def test_a_status_list_is_of_the_same_issuer() -> None:
    """Two issuers on one host keep their lists apart."""
    foreign = {
        address: replace(status, issuer=Uri.parse("https://fr.example/other")) for address, status in lists().items()
    }

    assert Refused(Reason.STATUS_ISSUER_MISMATCH) == judge(GOOD, stored=foreign)


def test_an_entry_is_for_what_its_list_says() -> None:
    """The list of suspensions cannot stand in for the list of revocations."""
    swapped = [
        {**ENTRIES[0], "statusListCredential": str(SUSPENSION)},
        {**ENTRIES[1], "statusListCredential": str(REVOCATION)},
    ]

    assert Refused(Reason.STATUS_MISSING) == judge(resigned(GOOD, credentialStatus=swapped), stored=lists())


def test_without_a_list_nothing_is_known() -> None:
    """Kept, and never fetched: come back later."""
    half = {REVOCATION: lists()[REVOCATION]}

    assert Deferred(Reason.STATUS_UNKNOWN) == judge(GOOD, stored={})
    assert Deferred(Reason.STATUS_UNKNOWN) == judge(GOOD, stored=half)


def test_lists_of_other_issuers_are_not_looked_at() -> None:
    """A stored list under another address changes nothing."""
    other = Uri.parse("https://fr.example/vc/status/revocation/2")
    full = StatusList(other, HOME, Purpose.REVOCATION, b"\xff" * 16_384, NOW)

    assert Reason.OK == judge(GOOD, stored={**lists(), other: full}).reason


@pytest.mark.parametrize(("index", "reason"), [(131_071, Reason.OK), (131_072, Reason.STATUS_RANGE)])
def test_the_index_lies_inside_the_list(index: int, reason: Reason) -> None:
    """The last bit is inside, the next is not."""
    placed = credential(terms=replace(TERMS, status=StatusPlace(index, REVOCATION, SUSPENSION)))

    assert reason == judge(placed, stored=lists()).reason


@pytest.mark.parametrize("age", [timedelta(0), timedelta(hours=20), timedelta(days=30)])
def test_a_set_bit_is_read_however_old_the_list(age: timedelta) -> None:
    """A revocation and a suspension do not fade; a revocation is named first."""
    here, beside = with_bit(blank(), 7, True), with_bit(blank(), 8, True)

    assert Refused(Reason.REVOKED) == judge(GOOD, stored=lists(age, revocation=here))
    assert Refused(Reason.SUSPENDED) == judge(GOOD, stored=lists(age, suspension=here))
    assert Refused(Reason.REVOKED) == judge(GOOD, stored=lists(age, revocation=here, suspension=here))
    assert not isinstance(judge(GOOD, stored=lists(age, revocation=beside, suspension=beside)), Refused)


# ── step 13: freshness ──


@pytest.mark.parametrize(
    ("age", "known", "stranger"),
    [
        (timedelta(minutes=15), Reason.OK, Reason.OK),
        (timedelta(minutes=15, seconds=1), Reason.STATUS_SOFT_STALE, Reason.STATUS_SOFT_STALE),
        (timedelta(hours=24), Reason.STATUS_SOFT_STALE, Reason.STATUS_SOFT_STALE),
        (timedelta(hours=24, seconds=1), Reason.STATUS_HARD_STALE, Reason.STATUS_HARD_STALE),
        (timedelta(seconds=-301), Reason.STATUS_HARD_STALE, Reason.STATUS_HARD_STALE),
    ],
)
def test_the_silence_of_a_list_is_trusted_as_long_as_it_is_fresh(
    age: timedelta, known: Reason, stranger: Reason
) -> None:
    """A doctor we know gets through for a day, a new one waits; a list from the future is as good as none."""
    to_known, to_stranger = (judge(GOOD, stored=lists(age), memory=who) for who in (KNOWN, STRANGER))

    assert (known, stranger) == (to_known.reason, to_stranger.reason)
    assert (Effect.RETRY if known is Reason.STATUS_HARD_STALE else Effect.ACCEPT) == to_known.effect
    if stranger is Reason.STATUS_SOFT_STALE:
        assert Effect.HOLD == to_stranger.effect


def test_one_stale_list_is_enough() -> None:
    """Both lists must be fresh, not one of them."""
    mixed = {**lists(), SUSPENSION: lists(timedelta(hours=25))[SUSPENSION]}

    assert Deferred(Reason.STATUS_HARD_STALE) == judge(GOOD, stored=mixed, memory=KNOWN)
