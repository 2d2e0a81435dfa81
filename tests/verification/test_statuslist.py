"""Status lists: the bits, their packing, and which fetched list may be stored."""

from __future__ import annotations

import base64
import gzip
import zlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.integrity import add_proof
from federation.uri import Uri
from tests.verification.helpers import (
    HOME,
    ISSUER,
    ISSUER_KEY,
    METHOD,
    NOW,
    REVOCATION,
    SIGNER,
    SUSPENSION,
    any_json,
    key_of,
    needs_vectors,
    vectors,
)
from verification.errors import BadStatusList
from verification.issuers import IssuerKey
from verification.signing import KeySigner
from verification.statuslist import (
    MAX_DECODED,
    MIN_LENGTH,
    Failure,
    Purpose,
    StatusList,
    bit,
    blank,
    decode,
    encode,
    issue_list,
    read_list,
    with_bit,
    with_set,
)

BITS = with_bit(blank(), 7, True)
GOOD: dict[str, Any] = issue_list(REVOCATION, Purpose.REVOCATION, BITS, SIGNER, now=NOW)


def packed(data: bytes) -> str:
    return "u" + base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def resigned(key: Any = ISSUER_KEY, subject: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    changed = {**GOOD, "credentialSubject": {**GOOD["credentialSubject"], **(subject or {})}, **changes}
    bare = {name: value for name, value in changed.items() if name != "proof" and value is not None}
    return add_proof(bare, key, verification_method=METHOD, created=NOW)


def failure(document: Any, **changes: Any) -> str:
    """Why the list is not stored."""
    arguments = {"address": REVOCATION, "purpose": Purpose.REVOCATION, "issuer": ISSUER, "now": NOW, **changes}
    with pytest.raises(BadStatusList) as caught:
        read_list(document, **arguments)
    return caught.value.failure


# ── bits ──


def test_the_left_most_bit_of_the_first_byte_is_index_0() -> None:
    """Counted as the W3C list counts."""
    assert [True, False] == [bit(b"\x80\x00", 0), bit(b"\x80\x00", 7)]
    assert [True, False] == [bit(b"\x01\x80", 7), bit(b"\x01\x80", 9)]
    assert bit(b"\x01\x80", 8)


@pytest.mark.parametrize("index", [-1, -16, 16, 10**9])
def test_there_is_no_bit_outside_the_list(index: int) -> None:
    """Neither after its end, nor counted from it."""
    with pytest.raises(IndexError):
        bit(b"\x00\x00", index)
    with pytest.raises(IndexError):
        with_bit(b"\x00\x00", index, True)


@given(st.binary(min_size=1, max_size=64), st.data(), st.booleans())
def test_setting_a_bit_changes_that_bit_alone(bits: bytes, data: st.DataObject, value: bool) -> None:
    """And setting it back restores the list."""
    index = data.draw(st.integers(0, 8 * len(bits) - 1))
    changed = with_bit(bits, index, value)

    assert value == bit(changed, index)
    assert bits == with_bit(changed, index, bit(bits, index))


# ── packing ──


@given(st.binary(max_size=4096))
def test_what_is_packed_is_unpacked(bits: bytes) -> None:
    """Equal bits have equal text, whenever they are packed."""
    assert bits == decode(encode(bits))
    assert encode(bits) == encode(bits)


@needs_vectors
def test_the_shared_lists_are_unpacked() -> None:
    """Lists that another program has packed have the length and the bits they are said to have."""
    shared = vectors()["status_lists"]["https://fr.esanum.example/vc/status/suspension/1"]
    bits = decode(shared["credentialSubject"]["encodedList"])

    assert (MIN_LENGTH, with_bit(blank(), 9, True)) == (8 * len(bits), bits)


def test_the_largest_list_is_unpacked_and_a_larger_one_is_not() -> None:
    """Unpacking stops at 4 MiB, however small the parcel."""
    assert MAX_DECODED == len(decode(encode(bytes(MAX_DECODED))))
    for size in (MAX_DECODED + 1, 64 * MAX_DECODED):
        with pytest.raises(ValueError):
            decode(encode(bytes(size)))


@pytest.mark.parametrize(
    "text",
    [
        None,
        7,
        "",
        "u",
        "z" + encode(b"a")[1:],
        encode(b"a") + "=",
        encode(b"a") + "\n",
        encode(b"a").replace("H", "+", 1),
        "u" + "A" * 1_048_576,
        "uA",
        packed(b"plain"),
        packed(zlib.compress(b"a")),
        packed(gzip.compress(b"a", mtime=0)[:-1]),
        packed(gzip.compress(b"a", mtime=0) + b"more"),
        packed(gzip.compress(b"a", mtime=0) * 2),
        packed(gzip.compress(b"a", mtime=0)[:-8] + bytes(8)),
    ],
    ids=lambda text: repr(text)[:40],
)
def test_another_packing_is_refused(text: Any) -> None:
    """Only `u`, base64url without padding, and exactly one whole gzip member with its right sum."""
    with pytest.raises(ValueError):
        decode(text)


# ── fetched lists ──


def test_a_list_is_read_as_it_was_issued() -> None:
    """What the issuer signed is what is stored, with the time of the fetch."""
    later = NOW + timedelta(minutes=3)

    stored = read_list(GOOD, REVOCATION, Purpose.REVOCATION, ISSUER, now=later)

    assert StatusList(REVOCATION, HOME, Purpose.REVOCATION, BITS, later) == stored
    assert [True, False, MIN_LENGTH] == [stored.is_set(7), stored.is_set(8), stored.length]


def test_a_list_may_be_signed_with_any_listed_key() -> None:
    """Also with a newer one than the credentials'."""
    newer = Uri.parse("https://fr.example/actor#vc-2")
    signer = KeySigner(HOME, newer, key_of("newer"))
    both = replace(ISSUER, keys=(*ISSUER.keys, IssuerKey(newer, key_of("newer").public_key())))
    document = issue_list(REVOCATION, Purpose.REVOCATION, BITS, signer, now=NOW)

    assert BITS == read_list(document, REVOCATION, Purpose.REVOCATION, both, now=NOW).bits
    assert Failure.PROOF == failure(document)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {**GOOD, "validUntil": "2027-01-01T00:00:00Z"},
        {**GOOD, "signature": {}},
        {**GOOD, "@context": [*GOOD["@context"], "https://added.example/"]},
        resigned(key_of("rogue")),
        resigned(issuer="https://de.example/actor"),
        resigned(id=str(SUSPENSION)),
        resigned(type=["VerifiableCredential"]),
        resigned(subject={"type": "StatusList2021"}),
        {**GOOD, "credentialSubject": []},
    ],
    ids=lambda document: repr(document)[:40],
)
def test_a_list_that_is_not_proved_to_be_the_issuers_is_not_stored(document: Any) -> None:
    """Another signer, issuer, address or form, or a change after signing."""
    assert Failure.PROOF == failure(document)


def test_a_list_on_another_host_is_not_stored() -> None:
    """Even one that says it is there and is rightly signed."""
    abroad = Uri.parse("https://de.example/vc/status/revocation/1")
    document = issue_list(abroad, Purpose.REVOCATION, BITS, SIGNER, now=NOW)

    assert Failure.PROOF == failure(document, address=abroad)


def test_a_list_signed_with_a_key_past_its_end_is_not_stored() -> None:
    """A retired key may still prove what it signed while it was valid, and nothing since."""
    retired = replace(ISSUER.keys[0], valid_until=NOW - timedelta(seconds=301))

    assert Failure.PROOF == failure(GOOD, issuer=replace(ISSUER, keys=(retired,)))


@pytest.mark.parametrize("now", [NOW - timedelta(seconds=301), NOW + timedelta(days=7, seconds=301)])
def test_a_list_outside_its_time_is_not_stored(now: Any) -> None:
    """Five minutes are allowed to the clocks, no more."""
    inside = now + timedelta(seconds=1 if now < NOW else -1)

    assert Failure.EXPIRED == failure(GOOD, now=now)
    assert BITS == read_list(GOOD, REVOCATION, Purpose.REVOCATION, ISSUER, now=inside).bits


@pytest.mark.parametrize("name", ["validFrom", "validUntil"])
@pytest.mark.parametrize("value", [None, "soon", 7])
def test_a_list_without_a_readable_time_is_not_stored(name: str, value: Any) -> None:
    """Nobody knows for how long it would hold."""
    assert Failure.EXPIRED == failure(resigned(**{name: value}))


@pytest.mark.parametrize("purpose", ["suspension", "message", None])
def test_a_list_for_another_purpose_is_not_stored(purpose: Any) -> None:
    """Each address has one purpose."""
    assert Failure.PURPOSE == failure(resigned(subject={"statusPurpose": purpose}))


@pytest.mark.parametrize("encoded", [encode(bytes(MIN_LENGTH // 8 - 1)), encode(b""), "", None, "uAAAA"])
def test_a_list_that_is_too_short_or_unreadable_is_not_stored(encoded: Any) -> None:
    """Fewer entries than 131,072 would tell who is looked at."""
    assert Failure.LENGTH == failure(resigned(subject={"encodedList": encoded}))


@given(any_json)
def test_any_document_is_a_list_or_named(document: Any) -> None:
    """Whatever arrives where a list should be, the answer is a BadStatusList."""
    assert Failure.PROOF == failure(document)


@given(st.dictionaries(st.sampled_from([*GOOD, "signature"]), any_json))
def test_any_members_are_named(members: dict[str, Any]) -> None:
    """A good list with anything in place of its members is stored only as it was signed."""
    try:
        bits = read_list({**GOOD, **members}, REVOCATION, Purpose.REVOCATION, ISSUER, now=NOW).bits
    except BadStatusList:
        return

    assert BITS == bits


@pytest.mark.parametrize(
    ("begins", "ends", "stored"),
    [("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", True), ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z", False)],
)
def test_times_at_the_ends_of_the_calendar_are_compared_like_any_other(begins: str, ends: str, stored: bool) -> None:
    """An issuer may sign any time there is; the skew must not lead out of the calendar."""
    document = resigned(validFrom=begins, validUntil=ends)
    if stored:
        assert BITS == read_list(document, REVOCATION, Purpose.REVOCATION, ISSUER, now=NOW).bits
        return
    with pytest.raises(BadStatusList) as caught:
        read_list(document, REVOCATION, Purpose.REVOCATION, ISSUER, now=NOW)

    assert Failure.EXPIRED == caught.value.failure


# ── many bits at once ──


@given(st.sets(st.integers(0, MIN_LENGTH - 1), max_size=40))
def test_many_bits_are_set_as_one_by_one(places: set[int]) -> None:
    """Whatever was set stays set; nothing else is."""
    one_by_one = BITS
    for place in places:
        one_by_one = with_bit(one_by_one, place, True)

    assert one_by_one == with_set(BITS, places)
    assert sum(byte.bit_count() for byte in with_set(blank(), places)) == len(places)


def test_the_list_given_is_left_as_it_was() -> None:
    """A new list is returned, also where nothing is set."""
    before = bytes(BITS)

    assert before == with_set(BITS, [])
    assert before != with_set(BITS, [8])
    assert before == BITS


@pytest.mark.parametrize("place", [-1, MIN_LENGTH, MIN_LENGTH + 1, -MIN_LENGTH])
def test_no_bit_is_set_outside_the_list(place: int) -> None:
    """Neither beyond its end nor before its beginning."""
    with pytest.raises(IndexError):
        with_set(blank(), [1, place])
