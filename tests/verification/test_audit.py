"""The audit log: the chain, what breaks it, what it has no place for, and the heads that siblings keep."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federation.integrity import canonical
from federation.uri import Uri
from tests.examples import examples
from tests.verification.helpers import FR, HOME, ISSUER, METHOD, NOW, SIGNER, any_json, key_of, resigned
from verification.audit import (
    ACTS,
    START,
    AuditHead,
    Break,
    Entry,
    Fault,
    Head,
    Judgement,
    Row,
    append,
    issue_head,
    judge,
    read_entry,
    read_head,
    verify,
)  # fmt: skip
from verification.errors import BadEntry, BadHead
from verification.issuers import Issuer, IssuerKey, MemberStatus
from verification.moves import State
from verification.signing import KeySigner

FIRST = Entry(n=1, act="dossier.submitted", at=NOW, by="applicant", dossier="d-7f3a")
SECOND = Entry(n=2, act="evidence.viewed", at=NOW + timedelta(minutes=5), by="staff-12", dossier="d-7f3a", reason="first-review")  # fmt: skip
H1 = "1f801d7fff28698f67304037a4c8cdaaa59f839ef480bd31ad22b59f795169d5"
H2 = "2906c66d62911706575ad0b0a22ef080e99a2ddde54cf8324eb677c06cebe360"


def log(length: int) -> list[Row]:
    """A log of some entries."""
    rows, head = [], START
    for number in range(1, length + 1):
        entry = Entry(
            n=number, act="evidence.viewed", at=NOW + timedelta(seconds=number), by="staff-12", dossier="d-7f3a"
        )
        head = append(head, entry)
        rows.append(Row(entry.document(), head.hash))
    return rows


def head_of(rows: list[Row]) -> Head:
    """The head after these rows."""
    return Head(len(rows), rows[-1].hash)


ROWS = log(6)


# ── the chain ──


def test_the_chain_has_the_agreed_values() -> None:
    """The two test values, and the very bytes they were made of."""
    first = append(START, FIRST)
    second = append(first, SECOND)

    assert (
        b'{"act":"dossier.submitted","at":"2026-11-23T12:00:00Z","by":"applicant","dossier":"d-7f3a","n":1}'
        == canonical(FIRST.document())
    )
    assert (1, H1) == (first.sequence, first.hash.hex())
    assert (2, f"sha256:{H2}") == (second.sequence, str(second))
    assert (0, bytes(32)) == (START.sequence, START.hash)


@pytest.mark.parametrize("number", [0, 1, 3, 9])
def test_only_the_next_entry_is_appended(number: int) -> None:
    """No gap, no second one with the same number."""
    if number:
        with pytest.raises(BadEntry):
            append(append(START, FIRST), replace(SECOND, n=number))
    assert 2 == append(append(START, FIRST), SECOND).sequence


def test_a_whole_log_holds() -> None:
    """From its beginning, from any head within, and when it is empty."""
    assert verify(ROWS) is None
    assert verify([]) is None
    for cut in range(1, 7):
        assert verify(ROWS[cut:], head_of(ROWS[:cut]), [head_of(ROWS), head_of(ROWS[:cut]), START]) is None


@pytest.mark.parametrize("at", range(6))
@pytest.mark.parametrize("member", ["at", "by", "act", "dossier", "n"])
def test_a_changed_entry_is_found_where_it_is(at: int, member: str) -> None:
    """Whatever was changed in it."""
    changed: dict[str, Any] = {"at": "2026-11-23T11:00:00Z", "by": "staff-13", "act": "evidence.erased", "dossier": "d-7f3b", "n": 9}  # fmt: skip
    rows = [*ROWS]
    rows[at] = Row({**rows[at].entry, member: changed[member]}, rows[at].hash)  # type: ignore[dict-item]
    found = verify(rows)

    assert found is not None
    assert at + 1 == found.at


@given(at=st.integers(0, 5), bit=st.integers(0, 255))
@settings(max_examples=examples(60))
def test_one_flipped_bit_of_a_hash_is_found(at: int, bit: int) -> None:
    """At the entry whose hash it is."""
    flipped = bytearray(ROWS[at].hash)
    flipped[bit // 8] ^= 1 << bit % 8

    assert Break(at + 1, Fault.CHANGED) == verify([*ROWS[:at], Row(ROWS[at].entry, bytes(flipped)), *ROWS[at + 1 :]])


@given(at=st.integers(0, 5), bit=st.integers(0, 10_000))
@settings(max_examples=examples(100))
def test_one_flipped_bit_of_an_entry_is_found(at: int, bit: int) -> None:
    """Whatever the bit makes of it: another value, another member, or no JSON at all."""
    stored = bytearray(canonical(ROWS[at].entry))
    stored[bit // 8 % len(stored)] ^= 1 << bit % 8
    try:
        entry = json.loads(bytes(stored).decode("utf-8"))
    except ValueError:
        entry = None
    found = verify([*ROWS[:at], Row(entry, ROWS[at].hash), *ROWS[at + 1 :]])

    assert found is not None
    assert at + 1 == found.at


@pytest.mark.parametrize("at", range(5))
def test_a_deleted_row_is_found(at: int) -> None:
    """At its place; the last one is another matter."""
    assert Break(at + 1, Fault.MISSING) == verify([*ROWS[:at], *ROWS[at + 1 :]])


@pytest.mark.parametrize("at", range(5))
def test_two_swapped_rows_are_found(at: int) -> None:
    """At the first of them."""
    assert Break(at + 1, Fault.MISSING) == verify([*ROWS[:at], ROWS[at + 1], ROWS[at], *ROWS[at + 2 :]])


@pytest.mark.parametrize("kept", range(6))
def test_a_cut_tail_is_found_by_what_others_hold_alone(kept: int) -> None:
    """The log itself looks whole."""
    assert verify(ROWS[:kept]) is None
    assert Break(kept + 1, Fault.CUT) == verify(ROWS[:kept], foreign=[head_of(ROWS)])


def test_a_log_that_was_written_anew_is_found_by_what_others_hold_alone() -> None:
    """Every hash of it holds, and at the place where others know another it is told."""
    forged, head = [], START
    for number, row in enumerate(ROWS, start=1):
        entry = replace(read_entry(row.entry), by="staff-99" if number == 3 else "staff-12")
        head = append(head, entry)
        forged.append(Row(entry.document(), head.hash))

    assert verify(forged) is None
    assert verify(forged, foreign=[head_of(ROWS[:2])]) is None
    assert Break(5, Fault.FORKED) == verify(forged, foreign=[head_of(ROWS[:5])])


@given(entry=any_json)
@settings(max_examples=examples(100))
def test_whatever_is_stored_is_judged(entry: Any) -> None:
    """Any JSON as an entry is a break, never an exception."""
    assert verify([Row(entry, bytes(32))]) in (
        Break(1, Fault.UNREADABLE),
        Break(1, Fault.MISSING),
        Break(1, Fault.CHANGED),
    )


# ── what an entry has no place for ──


@pytest.mark.parametrize("entry", [FIRST, SECOND, replace(SECOND, thing="e-00ff", by="staff-" + "0" * 26)])
def test_an_entry_is_read_as_it_was_written(entry: Entry) -> None:
    """Every member comes back."""
    assert entry == read_entry(entry.document())


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Ada"}, {"note": "seen"}, {"email": "a@example.org"}, {"n": 0}, {"n": True}, {"n": 1.0}, {"n": "1"},
        {"n": 2**53}, {"act": "dossier.Submitted"}, {"act": "Ada Beispiel applied"}, {"act": ""}, {"at": "yesterday"},
        {"at": "2026-11-23T12:00:00+00:00"}, {"at": "2026-11-23T12:00:00.5Z"}, {"at": 0}, {"by": "Ada Beispiel"},
        {"by": "staff-ada"}, {"by": "staff-"}, {"by": "staff-12\n"}, {"by": None}, {"dossier": "d-ada-beispiel"},
        {"dossier": "Ada"}, {"dossier": ""}, {"dossier": "d-7F3A"}, {"dossier": ["d-7f3a"]}, {"dossier": None},
        {"reason": "because I know him"}, {"reason": "mueller"}, {"reason": ""}, {"reason": {}}, {"thing": "diploma.pdf"},
        {"thing": "e-müller"}, {"thing": "ee-0001"},
    ],
    ids=str,
)  # fmt: skip
def test_an_entry_has_no_place_for_names_and_sentences(change: dict[str, Any]) -> None:
    """Members are few, and each is an id, a code or a time."""
    with pytest.raises(BadEntry):
        read_entry({**FIRST.document(), **change})


@pytest.mark.parametrize("member", ["n", "act", "at", "by"])
def test_an_entry_lacks_nothing(member: str) -> None:
    """Who, what, when, and which number."""
    with pytest.raises(BadEntry):
        read_entry({name: value for name, value in FIRST.document().items() if name != member})


def test_what_cannot_be_read_cannot_be_made() -> None:
    """The maker of entries is as strict as their reader."""
    for change in ({"by": "Ada"}, {"act": "anything"}, {"at": NOW.replace(tzinfo=None)}, {"at": NOW.replace(microsecond=1)}, {"reason": "Ada"}):  # fmt: skip
        with pytest.raises(BadEntry):
            replace(FIRST, **change)  # type: ignore[arg-type]


def test_every_act_is_a_code() -> None:
    """None of them is a sentence."""
    assert [] == [act for act in ACTS if not act.replace(".", "").replace("_", "").isalpha() or act != act.lower()]
    assert {f"dossier.{state}" for state in State} | {"vote.cast", "evidence.viewed", "key.made"} <= ACTS


# ── heads ──

HEAD = Head(2, bytes.fromhex(H2))
DOCUMENT = issue_head(HEAD, SIGNER, now=NOW)


def test_a_head_is_signed_as_agreed_and_read_back() -> None:
    """The form is the one of the specification."""
    assert {
        "@context": ["https://www.w3.org/ns/credentials/v2", "https://esanum.example/ns/federation/v1"],
        "id": "https://fr.example/audit/heads/2", "type": ["VerifiableCredential", "AuditHead"],
        "issuer": "https://fr.example/actor", "validFrom": "2026-11-23T12:00:00Z",
        "credentialSubject": {
            "id": "https://fr.example/audit", "type": "AuditLog", "sequence": 2, "head": f"sha256:{H2}",
        },
    } == {name: value for name, value in DOCUMENT.items() if name != "proof"}  # fmt: skip
    assert AuditHead(HOME, HEAD, NOW) == read_head(DOCUMENT, ISSUER, now=NOW)


def test_an_empty_log_has_no_head() -> None:
    """There is nothing to hold it to."""
    with pytest.raises(BadHead):
        issue_head(START, SIGNER, now=NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"id": "https://fr.example/audit/heads/3"}, {"id": "https://de.example/audit/heads/2"}, {"type": ["AuditHead"]},
        {"issuer": "https://de.example/actor"}, {"@context": ["https://www.w3.org/ns/credentials/v2"]},
        {"validFrom": "2026-11-23T12:05:01Z"}, {"validFrom": "soon"}, {"validFrom": None}, {"signature": {}},
        {"subject": {"id": "https://fr.example/other"}}, {"subject": {"type": "Doctor"}}, {"subject": {"sequence": 0}},
        {"subject": {"sequence": "2"}}, {"subject": {"sequence": True}}, {"subject": {"head": H2}},
        {"subject": {"head": "sha256:" + "0" * 63}}, {"subject": {"head": f"sha256:{H2.upper()}"}},
    ],
    ids=str,
)  # fmt: skip
def test_a_head_of_another_form_is_none(change: dict[str, Any]) -> None:
    """Even where its proof holds."""
    with pytest.raises(BadHead):
        read_head(resigned(DOCUMENT, **change), ISSUER, now=NOW)


def test_a_head_needs_a_listed_key_that_was_valid() -> None:
    """Nobody else's signature counts, and no change after signing."""
    stranger = KeySigner(HOME, METHOD, key_of("stranger"))
    retired = Issuer(HOME, "fr.example", MemberStatus.ACTIVE, frozenset({FR}), (replace(ISSUER.keys[0], valid_until=NOW - timedelta(days=1)),))  # fmt: skip
    other = Issuer(HOME, "fr.example", MemberStatus.ACTIVE, frozenset({FR}), (IssuerKey(Uri.parse(f"{HOME}#vc-2"), ISSUER.keys[0].public),))  # fmt: skip

    for document, issuer in (
        (issue_head(HEAD, stranger, now=NOW), ISSUER), (DOCUMENT, retired), (DOCUMENT, other),
        ({**DOCUMENT, "validFrom": "2026-11-23T11:00:00Z"}, ISSUER),
        ({name: value for name, value in DOCUMENT.items() if name != "proof"}, ISSUER),
    ):  # fmt: skip
        with pytest.raises(BadHead):
            read_head(document, issuer, now=NOW)


@given(document=any_json)
@settings(max_examples=examples(100))
def test_whatever_is_sent_as_a_head_is_refused(document: Any) -> None:
    """With the one error, whatever it is."""
    with pytest.raises(BadHead):
        read_head(document, ISSUER, now=NOW)


@given(member=st.sampled_from([*sorted(DOCUMENT)]), value=any_json)
@settings(max_examples=examples(100))
def test_whatever_stands_in_a_head_it_is_read_or_refused(member: str, value: Any) -> None:
    """Also where the issuer itself has signed it."""
    try:
        found = read_head({**DOCUMENT, member: value}, ISSUER, now=NOW)
    except BadHead:
        return
    assert AuditHead(HOME, HEAD, NOW) == found


def held(sequence: int, at: timedelta = timedelta(0), fill: int = 1) -> AuditHead:
    """A head somebody holds."""
    return AuditHead(HOME, Head(sequence, bytes([fill]) * 32), NOW + at)


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("new", "known", "judgement"),
    [
        (held(5), None, Judgement.OK),
        (held(6, HOUR), held(5), Judgement.OK),
        (held(5, HOUR), held(5), Judgement.KNOWN),
        (held(5, HOUR, fill=2), held(5), Judgement.FORK),
        (held(4, HOUR), held(5), Judgement.FORK),
        (held(4), held(5), Judgement.FORK),
        (held(4, -HOUR), held(5), Judgement.OLD),
        (held(6, -HOUR), held(5), Judgement.FORK),
        (held(6, -timedelta(seconds=300)), held(5), Judgement.OK),
    ],
)  # fmt: skip
def test_a_head_is_judged_by_the_newest_that_is_known(
    new: AuditHead, known: AuditHead | None, judgement: Judgement
) -> None:
    """A shorter log, another log of the same length, or one that grew backwards in time is a fork."""
    assert judgement == judge(new, known)
    assert "audit_fork" == Judgement.FORK


def test_heads_of_two_issuers_are_not_compared() -> None:
    """Each has a log of its own."""
    with pytest.raises(BadHead):
        judge(held(5), replace(held(5), issuer=Uri.parse("https://de.example/actor")))
