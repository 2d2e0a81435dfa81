"""Whom an instance speaks with, as a signed document: one that holds, and every defect by its code."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federation import sibling_sets
from federation.integrity import add_proof, write_instant
from federation.keys import PrivateKey
from federation.sibling_sets import LIFE, LONGEST, MOST, PATH, NotBelieved, Passage, SiblingSet, passage
from federation.signatures.window import MAX_WINDOW
from federation.uri import Uri
from tests.ready import pooled_rsa
from tests.town import NOON

FR, DE, IT, ES = (f"https://{name}.example" for name in ("fr", "de", "it", "es"))
ACTOR = Uri.parse(f"{FR}/actor")
KEY = PrivateKey.of(Uri.parse(f"{ACTOR}#ed25519-1"), ACTOR, Ed25519PrivateKey.generate())
OTHER = PrivateKey.of(KEY.id, ACTOR, Ed25519PrivateKey.generate())
SECOND = timedelta(seconds=1)


def a_set(*siblings: str, **changes: Any) -> SiblingSet:
    """France speaks with these."""
    values = {"origin": FR, "siblings": frozenset(siblings), "sequence": 4, "issued": NOON, "until": NOON + LIFE}
    return SiblingSet(**{**values, **changes})


def told(**changes: Any) -> dict[str, Any]:
    """France's document, with members changed before it is signed; None leaves one out."""
    document = {**sibling_sets.write(FR, {DE, IT}, 4, NOON), **changes}
    document = {name: value for name, value in document.items() if value is not None}
    return dict(orjson.loads(sibling_sets.seal(document, KEY, NOON)))


def code(act: Callable[[], Any]) -> str:
    """Why it was not believed."""
    with pytest.raises(NotBelieved) as caught:
        act()
    assert caught.value.code in sibling_sets.CODES
    return caught.value.code


def test_a_set_is_read_as_it_was_written_and_names_hosts_alone() -> None:
    """Six members, and nothing of anybody but origins; its key holds."""
    document = told()
    found, method = sibling_sets.read(document, FR, NOON)
    sibling_sets.prove(document, KEY.public())

    assert a_set(DE, IT) == found
    assert KEY.id == method
    assert {"id", "sequence", "issued", "validUntil", "siblings", "proof"} == document.keys()
    assert [DE, IT] == document["siblings"]


def test_a_set_is_signed_with_ed25519() -> None:
    """Another kind of key signs none, and proves none."""
    rsa = pooled_rsa(Uri.parse(f"{ACTOR}#main-key"), ACTOR, 2048)
    with pytest.raises(TypeError):
        sibling_sets.seal(sibling_sets.write(FR, (), 1, NOON), rsa, NOON)

    assert "set_bad_signature" == code(lambda: sibling_sets.prove(told(), rsa.public()))


@pytest.mark.parametrize(
    "changes",
    [
        {"siblings": None}, {"siblings": DE}, {"siblings": [DE, DE]}, {"siblings": [f"{DE}/"]}, {"siblings": [FR]},
        {"siblings": ["de.example"]}, {"siblings": [7]}, {"sequence": None}, {"sequence": -1}, {"sequence": True},
        {"sequence": "4"}, {"issued": None}, {"issued": "yesterday"}, {"validUntil": None}, {"except": [IT]},
        {"siblings": [f"https://s{number}.example" for number in range(MOST + 1)]},
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_not_believed(changes: dict[str, Any]) -> None:
    """Something missing, of another type, twice, too much, or a member nobody knows."""
    assert "set_malformed" == code(lambda: sibling_sets.read(told(**changes), FR, NOON))


@pytest.mark.parametrize("other", [DE + PATH, FR + "/siblings/sets", None, 7])
def test_a_set_stands_at_its_own_address(other: Any) -> None:
    """Germany's set is none of France's, whoever signed it."""
    assert "set_of_another" == code(lambda: sibling_sets.read(told(id=other), FR, NOON))


def test_another_host_signs_nobodys_set() -> None:
    """A proof that names Germany's key makes no set of France's."""
    bare = {name: value for name, value in told().items() if name != "proof"}
    forged = add_proof(bare, KEY.key, verification_method=f"{DE}/actor#ed25519-1", created=NOON)  # type: ignore[arg-type]

    assert "set_of_another" == code(lambda: sibling_sets.read(forged, FR, NOON))


@pytest.mark.parametrize("proof", [None, [], {}, {"type": "DataIntegrityProof"}, "signed"])
def test_a_set_without_a_proof_is_nobodys(proof: Any) -> None:
    """Read over the right host's connection or not."""
    assert "set_not_signed" == code(lambda: sibling_sets.read({**told(), "proof": proof}, FR, NOON))


def test_a_set_that_was_changed_or_signed_by_another_key_does_not_hold() -> None:
    """One sibling more, one less, a longer life, another key: each is found."""
    changed = [
        {**told(), "siblings": [DE, ES, IT]}, {**told(), "siblings": [DE]}, {**told(), "sequence": 9},
        {**told(), "validUntil": write_instant(NOON + 2 * LIFE)},
    ]  # fmt: skip

    assert ["set_bad_signature"] * 4 == [
        code(lambda one=one: sibling_sets.prove(one, KEY.public()))  # type: ignore[misc]
        for one in changed
    ]
    assert "set_bad_signature" == code(lambda: sibling_sets.prove(told(), OTHER.public()))


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (-MAX_WINDOW, ""), (-MAX_WINDOW - SECOND, "set_too_early"),
        (MAX_WINDOW, ""), (MAX_WINDOW + SECOND, "set_too_old"),
        (LIFE - SECOND, "set_too_old"), (LIFE, "set_expired"),
    ],
)  # fmt: skip
def test_a_set_is_of_now(at: timedelta, expected: str) -> None:
    """It is issued when it is asked for: one that was kept, has run out, or comes from the future counts for nothing."""
    if expected:
        assert expected == code(lambda: sibling_sets.read(told(), FR, NOON + at))
    else:
        assert a_set(DE, IT) == sibling_sets.read(told(), FR, NOON + at)[0]


@pytest.mark.parametrize(
    ("life", "expected"),
    [(LONGEST, ""), (LONGEST + SECOND, "set_too_long"), (timedelta(0), "set_too_long"), (-SECOND, "set_too_long")],
)
def test_nobodys_set_counts_longer_than_a_day(life: timedelta, expected: str) -> None:
    """Nor for no time at all."""
    document = told(validUntil=write_instant(NOON + life))
    if expected:
        assert expected == code(lambda: sibling_sets.read(document, FR, NOON))
    else:
        assert NOON + life == sibling_sets.read(document, FR, NOON)[0].until


def test_a_later_set_follows_and_an_older_one_does_not() -> None:
    """Of the same second the higher number is later; after a restored back-up the number is lower, the time is not."""
    known = a_set(DE, IT)
    for later in (known, a_set(DE, sequence=5), a_set(DE, sequence=1, issued=NOON + SECOND)):
        sibling_sets.follows(later, known, NOON)
        sibling_sets.follows(later, None, NOON)

    assert "set_rolled_back" == code(lambda: sibling_sets.follows(a_set(DE, IT, sequence=3), known, NOON))
    earlier = a_set(DE, sequence=9, issued=NOON - SECOND)
    assert "set_rolled_back" == code(lambda: sibling_sets.follows(earlier, known, NOON))
    assert "set_forked" == code(lambda: sibling_sets.follows(a_set(DE), known, NOON))


def test_a_set_from_the_future_keeps_no_present_one_out() -> None:
    """Read while both clocks were two hours ahead; as far as the window reaches, an earlier one is older all the same."""
    found = a_set(DE, IT)

    sibling_sets.follows(found, a_set(DE, IT, issued=NOON + MAX_WINDOW + SECOND), NOON)
    ahead = a_set(DE, IT, issued=NOON + MAX_WINDOW)
    assert "set_rolled_back" == code(lambda: sibling_sets.follows(found, ahead, NOON))


def test_what_is_anothers_goes_on_to_nobody_outside_its_set() -> None:
    """Italy is in France's set, Spain is not; what is the receiver's own, or ours, asks nobody."""
    sets = {FR: a_set(DE, IT)}

    assert Passage.OPEN is passage([FR], IT, DE, sets, NOON)
    assert Passage.CLOSED is passage([FR], ES, DE, sets, NOON)
    assert Passage.OPEN is passage([FR, DE], FR, DE, {}, NOON)
    assert Passage.OPEN is passage([], ES, DE, {}, NOON)


def test_every_home_is_asked_and_the_narrowest_answer_counts() -> None:
    """One that says no outweighs one that is not known, in either order; one not known outweighs a yes."""
    sets = {FR: a_set(DE), IT: a_set(DE, ES, origin=IT)}

    assert Passage.CLOSED is passage([FR, "https://at.example"], ES, DE, sets, NOON)
    assert Passage.CLOSED is passage(["https://at.example", FR], ES, DE, sets, NOON)
    assert Passage.UNKNOWN is passage([IT, "https://at.example"], ES, DE, sets, NOON)
    assert Passage.OPEN is passage([IT], ES, DE, sets, NOON)


@pytest.mark.parametrize("at", [LIFE, 2 * LIFE, -MAX_WINDOW - SECOND])
def test_a_set_that_has_run_out_has_nobody_in_it(at: timedelta) -> None:
    """Nor one from a time that has not come: whom it names is not known."""
    sets = {FR: a_set(DE, IT)}

    assert Passage.OPEN is passage([FR], IT, DE, sets, NOON + LIFE - SECOND)
    assert Passage.UNKNOWN is passage([FR], IT, DE, sets, NOON + at)
    assert Passage.UNKNOWN is passage([FR], ES, DE, sets, NOON + at)
