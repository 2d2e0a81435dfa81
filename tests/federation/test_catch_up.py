"""Numbers and pages of logs as values: what is written is read, and whatever else comes is a page or a refusal."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from federation import catch_up, signatures
from federation.catch_up import Entry, Keepsake, Logged, LogNumber, Page
from federation.errors import Malformed, PinMismatch, Refused
from federation.keys import PrivateKey
from federation.signatures import Profile, SignedMessage, sign
from federation.uri import Uri
from tests.ready import pooled_rsa
from tests.town import NOON

EPOCH, BEFORE = "01JDC0D60G5Q2V8ZJ4T6Y7M3NR", "01JD4P4VQ0H8S6B1K9W2X5C7FA"
ANNA = Uri.parse("https://de.example/doctors/anna")
INBOX = Uri.parse("https://fr.example/inbox")
KEY = pooled_rsa(Uri.parse(f"{ANNA}#main-key"), ANNA, 2048)

numbers = st.lists(st.integers(1, 400), unique=True, max_size=60).map(sorted)


def entry(number: int, kind: int) -> Entry:
    """One of the three kinds."""
    return (Entry(number, body=b'{"id":"x"}'), Entry(number, gone=number), Entry(number))[kind]


@given(numbers, st.integers(0, 2), st.booleans())
def test_a_page_that_is_written_is_read(found: list[int], kind: int, anew: bool) -> None:
    """Every number, words and holes come back as they were."""
    page = Page(EPOCH, BEFORE if anew else "", 7 if anew else 0, 500, tuple(entry(number, kind) for number in found))

    assert page == catch_up.read_page(catch_up.write_page(page), 0)


@given(numbers, st.integers(0, 50), st.integers(0, 50))
def test_holes_are_what_is_left_over(found: list[int], after: int, more: int) -> None:
    """Between two numbers and after the last: every number of the stretch is either there or in one hole."""
    through = max([after, *found]) + more
    inside = [number for number in found if number > after]
    gone = {n for hole in catch_up.holes(inside, after, through) for n in range(hole.number, hole.last + 1)}

    assert set(range(after + 1, through + 1)) - set(inside) == gone


@given(st.lists(st.text('\\"a\n\u00e9'), max_size=9))
def test_a_page_weighs_what_its_entries_weigh(texts: list[str]) -> None:
    """As they are written: what grows by being written as a text counts as much as it grew."""
    entries = [Entry(number + 1, body=json.dumps(text).encode()) for number, text in enumerate(texts)]
    kept = [Keepsake(number + 1, json.dumps({"host": text}), b"{}") for number, text in enumerate(texts)]
    empty = (
        len(orjson.dumps(catch_up.write_page(Page(EPOCH, "", 0, 500, ())))),
        len(orjson.dumps(catch_up.write_received(500, []))),
    )
    commas = max(len(texts) - 1, 0)

    page = orjson.dumps(catch_up.write_page(Page(EPOCH, "", 0, 500, tuple(entries))))
    assert len(page) == empty[0] + commas + sum(map(catch_up.weight, entries))
    assert len(orjson.dumps(catch_up.write_received(500, kept))) == empty[1] + commas + sum(map(catch_up.weight, kept))


@pytest.mark.parametrize(
    "change",
    [
        {"epoch": "short"}, {"epoch": 7}, {"last": -1}, {"last": True}, {"last": "9"}, {"entries": None}, {"entries": [7]},
        {"entries": [{"number": 0, "gone": 1}]}, {"entries": [{"number": 3, "gone": 2}]}, {"entries": [{"number": 12}]},
        {"entries": [{"number": 5}, {"number": 5}]}, {"entries": [{"number": 5, "gone": 8}, {"number": 7}]},
        {"entries": [{"number": 5, "activity": {"id": "x"}}]}, {"entries": [{"number": 4}]},
        {"entries": [{"number": 10**16}], "last": 10**17}, {"continues": {"epoch": EPOCH}}, {"continues": [1]},
        {"entries": [{"number": n + 5} for n in range(101)], "last": 1_000},
    ],
)  # fmt: skip
def test_a_page_that_cannot_be_is_malformed(change: dict[str, Any]) -> None:
    """Numbers that do not rise, lie outside, or are none; a body that is no text; more than a page holds."""
    good = {"epoch": EPOCH, "last": 9, "entries": [{"number": 5, "activity": "{}"}, {"number": 6, "gone": 8}]}

    assert 9 == catch_up.read_page(good, 4).last
    with pytest.raises(Malformed):
        catch_up.read_page({**good, **change}, 4)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["epoch", "last", "entries", "number", "gone", "activity", "head", "continues", "through"]), x)), st.integers(0, 9))  # fmt: skip
def test_whatever_comes_is_a_page_or_malformed(document: Any, after: int) -> None:
    """No other exception leaves the readers."""
    for read in (catch_up.read_page, catch_up.read_received):
        try:
            read(document if isinstance(document, dict) else {"entries": document}, after)
        except Malformed:
            continue


def test_only_a_page_makes_a_logged() -> None:
    """Nobody hands the door something that was read nowhere."""
    with pytest.raises(TypeError):
        Logged(ANNA, ANNA, b"{}", LogNumber(EPOCH, 1))


# ── the number on a message ──


def message(more: dict[str, str], profile: Profile = Profile.CAVAGE) -> SignedMessage:
    """What arrives."""
    headers = sign("POST", INBOX, b"{}", KEY, profile, NOON, more=more)
    raw = [(name.encode(), text.encode()) for name, text in headers.items()]
    return SignedMessage.from_raw("POST", INBOX.origin, INBOX.target, raw).with_body(b"{}")


@pytest.mark.parametrize("profile", list(Profile))
def test_a_number_is_read_as_it_was_written(profile: Profile) -> None:
    """Both profiles cover it."""
    place = LogNumber(EPOCH, 57)
    came = message({catch_up.HEADER: catch_up.number_header(place)}, profile)

    assert place == catch_up.read_number(came, signatures.read_claim(came))


@pytest.mark.parametrize("value", ["", "57", "0;epoch=\"ABCDEFGH\"", "-1;epoch=\"ABCDEFGH\"", "1;epoch=ABCDEFGH", '1;epoch="A B C D E"', '1; epoch="ABCDEFGH"', '1;epoch="ABCDEFGH";x=1', '1111111111111111;epoch="ABCDEFGH"'])  # fmt: skip
def test_another_spelling_is_no_number(value: str) -> None:
    """One canonical form; anything else is passed over, and refuses nothing."""
    came = message({catch_up.HEADER: value})

    assert None is catch_up.read_number(came, signatures.read_claim(came))


# ── what a sibling kept ──


def keepsake(profile: Profile = Profile.CAVAGE) -> Keepsake:
    """A message of Anna's as France kept it."""
    came = message({catch_up.HEADER: catch_up.number_header(LogNumber(EPOCH, 41))}, profile)
    return Keepsake(41, catch_up.keep_head(came, signatures.read_claim(came)), b"{}")


@pytest.mark.parametrize("profile", list(Profile))
def test_what_was_kept_proves_itself_years_later(profile: Profile) -> None:
    """The signature holds for the time it names, over these words, to that sibling."""
    _, (kept,) = catch_up.read_received(catch_up.write_received(43, [keepsake(profile)]), 40)
    came, claim = catch_up.kept_claim(kept, INBOX.origin)
    proof = catch_up.prove_kept(came, claim, KEY.public())

    assert (ANNA, b"{}") == (proof.signer, proof.body)


def _prove(kept: Keepsake, origin: str) -> None:
    came, claim = catch_up.kept_claim(kept, origin)
    catch_up.prove_kept(came, claim, KEY.public())


def _with(kept: Keepsake, **changes: Any) -> Keepsake:
    head = orjson.loads(kept.head)
    head["headers"] |= changes.get("headers", {})
    return Keepsake(
        kept.number, orjson.dumps({**head, **changes.get("head", {})}).decode(), changes.get("body", kept.body)
    )


@pytest.mark.parametrize(
    ("changes", "origin"),
    [
        ({"body": b"[]"}, INBOX.origin), ({"head": {"target": "/doctors/x/inbox"}}, INBOX.origin),
        ({"headers": {"date": "Mon, 23 Nov 2026 12:00:01 GMT"}}, INBOX.origin), ({"headers": {"date": "soon"}}, INBOX.origin),
        ({"headers": {"host": "it.example"}}, INBOX.origin), ({}, "https://it.example"), ({"head": {"headers": []}}, INBOX.origin),
        ({"headers": {"sibling-log": '42;epoch="ABCDEFGH"'}}, INBOX.origin), ({"headers": {"signature": "x"}}, INBOX.origin),
        ({"headers": {"digest": "SHA-256=AAAA"}}, INBOX.origin),
    ],
)  # fmt: skip
def test_what_was_bent_proves_nothing(changes: dict[str, Any], origin: str) -> None:
    """Other words, another address, another sibling, another time or number."""
    with pytest.raises(Refused):
        _prove(_with(keepsake(), **changes), origin)


@pytest.mark.parametrize("head", ["", "[]", "{}", '{"target":7,"headers":{}}', '{"target":"/inbox","headers":{"a":7}}', '{"target":"x","headers":{}}', '{"target":"/inbox","headers":{"signature":"keyId=\\"x\\""}}'])  # fmt: skip
def test_a_head_that_is_none_is_refused(head: str) -> None:
    """Whatever a sibling shows in its place."""
    with pytest.raises(Refused):
        catch_up.kept_claim(Keepsake(1, head, b"{}"), INBOX.origin)


# ── whose a page is ──

PAGE_URL = catch_up.page_url("https://de.example", "fr.example", 4)
ACTOR = Uri.parse("https://de.example/actor")
ED = PrivateKey.of(Uri.parse(f"{ACTOR}#ed25519-1"), ACTOR, Ed25519PrivateKey.generate())
OTHER = PrivateKey.of(ED.id, ACTOR, Ed25519PrivateKey.generate())


def sealed(key: PrivateKey = ED, url: Uri = PAGE_URL) -> dict[str, Any]:
    """A page of Germany's log for France."""
    page = Page(EPOCH, "", 0, 5, (Entry(5, body=b'{"id":"x"}'),))
    return dict(orjson.loads(catch_up.seal_page(catch_up.write_page(page), url, key, NOON)))


def test_a_sealed_page_is_its_instances() -> None:
    """It names its key, holds under it, and is read as it was written."""
    catch_up.prove_page(sealed(), ED.public())

    assert ED.id == catch_up.proved_by(sealed(), PAGE_URL, NOON + timedelta(minutes=5))
    assert b'{"id":"x"}' == catch_up.read_page(sealed(), 4).entries[0].body


@pytest.mark.parametrize("change", [{"last": 6}, {"entries": []}, {"epoch": BEFORE}, {"more": 1}, {"id": "x"}])
def test_a_bent_page_is_nobodys(change: dict[str, Any]) -> None:
    """Nothing in it can be changed, and no other key has signed it."""
    with pytest.raises(PinMismatch):
        catch_up.prove_page({**sealed(), **change}, ED.public())
    for key in (OTHER.public(), KEY.public()):
        with pytest.raises(PinMismatch):
            catch_up.prove_page(sealed(), key)


@pytest.mark.parametrize(
    ("document", "url", "later"),
    [
        (sealed(), catch_up.page_url("https://de.example", "fr.example", 5), 0),
        (sealed(), catch_up.page_url("https://de.example", "it.example", 4), 0),
        (sealed(url=catch_up.page_url("https://it.example", "fr.example", 4)), catch_up.page_url("https://it.example", "fr.example", 4), 0),
        (sealed(), PAGE_URL, 16), (sealed(), PAGE_URL, -16),
        ({k: v for k, v in sealed().items() if k != "proof"}, PAGE_URL, 0), ({**sealed(), "proof": [1]}, PAGE_URL, 0),
    ],
)  # fmt: skip
def test_a_page_answers_one_question_once(document: dict[str, Any], url: Uri, later: int) -> None:
    """For another number or sibling, by another host, of another time, or without a proof: PinMismatch."""
    with pytest.raises(PinMismatch):
        catch_up.proved_by(document, url, NOON + timedelta(minutes=later))
