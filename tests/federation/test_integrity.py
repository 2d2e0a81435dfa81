"""Canonical JSON and object proofs: what is signed, what is accepted, and everything that is not."""

from __future__ import annotations

import copy
import json
import math
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from federation.integrity import (
    BadProof,
    NotCanonical,
    Proof,
    add_proof,
    canonical,
    check_proof,
    digest,
    read_instant,
    read_multikey,
    read_proof,
    write_instant,
    write_multikey,
)
from federation.multibase import decode_multibase, encode_multibase

VECTORS = Path(__file__).parents[3] / "shared" / "vectors"
needs_vectors = pytest.mark.skipif(not VECTORS.is_dir(), reason="no ../shared/vectors beside this checkout")
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
METHOD = "https://fr.example/doctors/ada#key-1"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOTE: dict[str, Any] = {
    "@context": ["https://www.w3.org/ns/activitystreams", {"@version": 1.1, "flag": True}],
    "id": "https://fr.example/posts/1",
    "type": "Note",
    "content": "Guten Tag",
}

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
any_json = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12)
strict_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=12,
)


def signed(**changes: Any) -> dict[str, Any]:
    """A note with its proof, some members replaced afterwards."""
    return {**add_proof(NOTE, KEY, verification_method=METHOD, created=NOW), **changes}


def with_proof(**changes: Any) -> dict[str, Any]:
    """A signed note whose proof was changed afterwards; None removes a member."""
    document = signed()
    proof = {**document["proof"], **changes}
    return {**document, "proof": {name: value for name, value in proof.items() if value is not None}}


def self_made(options: dict[str, Any]) -> dict[str, Any]:
    """A document whose proof really signs these options, whatever they are."""
    hashed = {**NOTE, **({"@context": options["@context"]} if "@context" in options else {})}
    value = encode_multibase(KEY.sign(digest(options) + digest(hashed)))
    return {**NOTE, "proof": {**options, "proofValue": value}}


# ── canonical bytes ──


@needs_vectors
@pytest.mark.parametrize("name", ["arrays", "french", "structures", "unicode", "values", "weird"])
def test_canonical_bytes_are_those_of_rfc_8785(name: str) -> None:
    """The published inputs give the published outputs, byte for byte."""
    text = (VECTORS / "jcs" / "input" / f"{name}.json").read_text("utf-8")

    assert (VECTORS / "jcs" / "output" / f"{name}.json").read_bytes() == canonical(json.loads(text))


def test_numbers_are_written_as_ecmascript_writes_them() -> None:
    """The edges of RFC 8785 appendix B that differ from Python's own spelling."""
    numbers: list[Any] = [1e21, 1e20, 1e-6, 1e-7, 5e-324, 1.0, -0.0, 333333333.33333329]
    expected = b"[1e+21,100000000000000000000,0.000001,1e-7,5e-324,1,0,333333333.3333333]"

    assert expected == canonical(numbers)


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        2**53,
        -(2**53),
        10**5000,
        "\ud800",
        {"\udfff": 1},
        {1: "a"},
        {"a": {None: 1}},
        [b"bytes"],
        NOW,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_i_json_has_no_canonical_bytes(value: Any) -> None:
    """NaN, unsafe integers, lone surrogates and foreign types are refused, not repaired; the value is not quoted."""
    with pytest.raises(NotCanonical) as caught:
        canonical(value)

    assert "not I-JSON" == str(caught.value)


def test_the_largest_safe_integer_has_canonical_bytes() -> None:
    """The twin: 2^53 - 1 is the last integer that every reader holds exactly."""
    assert b"9007199254740991" == canonical(2**53 - 1)


def test_nesting_without_end_is_refused() -> None:
    """A document deeper than the interpreter's stack is an ordinary refusal."""
    deep: Any = []
    for _ in range(20_000):
        deep = [deep]

    with pytest.raises(NotCanonical):
        canonical(deep)


@given(strict_json)
def test_reading_canonical_bytes_gives_the_value_back(value: Any) -> None:
    """Canonical bytes are JSON of the same value (every number a double), and their own canonical form."""
    spelled = canonical(value)

    assert spelled == canonical(json.loads(spelled, parse_int=float))


@given(any_json)
def test_any_value_is_canonical_or_named(value: Any) -> None:
    """Whatever the value, the answer is bytes or NotCanonical."""
    try:
        assert isinstance(canonical(value), bytes)
    except NotCanonical:
        pass


def test_a_digest_is_sha_256_over_canonical_bytes() -> None:
    """Order and spelling make no difference."""
    assert digest({"b": 1, "a": 2.0}) == digest(json.loads('{"a": 2, "b": 1.0}'))
    assert 32 == len(digest({}))


# ── times and keys ──


def test_a_time_is_written_in_utc_to_the_second() -> None:
    """Whatever zone it came in."""
    paris = datetime(2026, 11, 23, 13, 0, 0, 999, tzinfo=timezone(timedelta(hours=1)))

    assert "2026-11-23T12:00:00Z" == write_instant(paris)
    assert NOW == read_instant("2026-11-23T13:00:00+01:00")
    assert NOW + timedelta(milliseconds=5) == read_instant("2026-11-23T12:00:00.005Z")


@pytest.mark.parametrize(
    "text",
    [
        None,
        7,
        "",
        "2026-11-23",
        "2026-11-23T12:00:00",
        "2026-11-23 12:00:00Z",
        "2026-11-23T12:00:00Z\n",
        "2026-11-23T24:00:00Z",
        "2026-11-23T23:59:60Z",
        "2026-02-30T00:00:00Z",
        "20261123T120000Z",
        "٢٠٢٦-11-23T12:00:00Z",
        "0001-01-01T00:00:00+10:00",
        "2026-W48-1T12:00:00Z",
    ],
)
def test_what_is_no_rfc_3339_time_is_refused(text: Any) -> None:
    """No other spelling of ISO 8601, no second that does not exist, no year before the calendar."""
    with pytest.raises(ValueError):
        read_instant(text)


def test_a_time_without_a_zone_is_not_written() -> None:
    """A naive time would mean another moment on every machine."""
    with pytest.raises(ValueError):
        write_instant(datetime(2026, 1, 1))


@needs_vectors
def test_a_multikey_is_read_and_written_as_fep_521a_says() -> None:
    """The published Ed25519 key, both ways; the RSA Multikey is not one of ours."""
    ed25519, rsa = json.loads((VECTORS / "proofs" / "fep-521a-multikey.json").read_text())["cases"]
    key = read_multikey(ed25519["multikey"]["publicKeyMultibase"])

    assert ed25519["hex"] == key.public_bytes_raw().hex()
    assert ed25519["multikey"]["publicKeyMultibase"] == write_multikey(key)
    with pytest.raises(ValueError):
        read_multikey(rsa["multikey"]["publicKeyMultibase"])


# ── proofs ──


def fep_8b32() -> Any:
    return json.loads((VECTORS / "proofs" / "fep-8b32.json").read_text("utf-8"))


def fep_8b32_cases() -> list[Any]:
    if not VECTORS.is_dir():
        return []
    return [pytest.param(case, id=case["id"]) for case in fep_8b32()["cases"]]


@needs_vectors
@pytest.mark.parametrize("case", fep_8b32_cases())
def test_the_vectors_of_fep_8b32_give_their_verdict(case: dict[str, Any]) -> None:
    """The published proof holds, and each tampered copy is refused."""
    (key_id, key), *_ = fep_8b32()["keys"].items()
    public = read_multikey(key["public_multibase"])
    if case["expect"] == "accept":
        assert key_id == check_proof(case["document"], public).verification_method
    else:
        with pytest.raises(BadProof):
            check_proof(case["document"], public)


@needs_vectors
def test_our_proof_is_the_published_one() -> None:
    """The published document under the published secret gives the published proof, member by member."""
    vector = fep_8b32()
    (key_id, key), *_ = vector["keys"].items()
    secret = Ed25519PrivateKey.from_private_bytes(decode_multibase(key["secret_multibase"])[2:])
    created = datetime(2023, 2, 24, 23, 36, 38, tzinfo=UTC)

    made = add_proof(vector["unsigned"], secret, verification_method=key_id, created=created)

    assert vector["cases"][0]["document"] == made


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), strict_json))
def test_what_we_sign_holds(document: dict[str, Any]) -> None:
    """Any JSON object of ours, signed, is accepted under its key and under no other."""
    document.pop("proof", None)
    if document.get("@context") == []:
        del document["@context"]
    made = add_proof(document, KEY, verification_method=METHOD, created=NOW)

    assert Proof(METHOD, NOW, check_proof(made, KEY.public_key()).value) == check_proof(made, KEY.public_key())
    with pytest.raises(BadProof):
        check_proof(made, OTHER.public_key())


@given(any_json)
def test_any_document_holds_or_is_a_bad_proof(document: Any) -> None:
    """Whatever the document, the answer is a proof or BadProof."""
    with pytest.raises(BadProof):
        check_proof(document, KEY.public_key())


@given(st.dictionaries(st.sampled_from(["type", "cryptosuite", "@context", "created", "proofValue"]), any_json))
def test_any_proof_but_the_right_one_is_a_bad_proof(members: dict[str, Any]) -> None:
    """Whatever stands in its members, a proof that we did not make is refused by name."""
    document = signed()
    changed = {**document["proof"], **members}
    if changed != document["proof"]:
        with pytest.raises(BadProof):
            check_proof({**document, "proof": changed}, KEY.public_key())


def test_what_the_proof_claims_is_known_before_the_key() -> None:
    """The verification method says which key to look for."""
    proof = read_proof(signed())

    assert (METHOD, NOW, 64) == (proof.verification_method, proof.created, len(proof.value))


def test_a_document_is_not_signed_twice() -> None:
    """A second proof would make two, and two are none."""
    with pytest.raises(ValueError):
        add_proof(signed(), KEY, verification_method=METHOD, created=NOW)


@pytest.mark.parametrize("unsignable", [{"n": math.nan}, {"n": 2**60}, {"t": "\ud800"}])
def test_what_has_no_canonical_bytes_is_not_signed(unsignable: dict[str, Any]) -> None:
    """Nobody could check such a proof."""
    with pytest.raises(NotCanonical):
        add_proof(unsignable, KEY, verification_method=METHOD, created=NOW)


def test_a_foreign_signature_is_no_part_of_what_is_signed() -> None:
    """Another server's linked-data signature may be added without breaking our proof."""
    assert METHOD == check_proof(signed(signature={"type": "X"}), KEY.public_key()).verification_method


def test_a_context_added_behind_the_signed_ones_does_not_break_the_proof() -> None:
    """VC-DI-EDDSA compares a prefix; whether the added one is welcome is for the reader of contexts to say."""
    longer = [*NOTE["@context"], "https://added.example/"]

    assert METHOD == check_proof(signed(**{"@context": longer}), KEY.public_key()).verification_method


@pytest.mark.parametrize(
    "context",
    [
        [],
        None,
        "https://www.w3.org/ns/activitystreams",
        ["https://www.w3.org/ns/activitystreams"],
        list(reversed(NOTE["@context"])),
        ["https://added.example/", *NOTE["@context"]],
        ["https://www.w3.org/ns/activitystreams", {"@version": 1.1, "flag": 1}],
    ],
    ids=repr,
)
def test_other_contexts_than_the_signed_ones_break_the_proof(context: Any) -> None:
    """Taken away, turned round, put in front, or equal only to Python: the proof's contexts must be a prefix."""
    with pytest.raises(BadProof):
        check_proof(signed(**{"@context": context}), KEY.public_key())


def test_a_proof_that_names_a_context_needs_a_document_that_has_one() -> None:
    """No context is not a context of null."""
    bare = {name: value for name, value in signed().items() if name != "@context"}

    with pytest.raises(BadProof):
        check_proof(bare, KEY.public_key())
    with pytest.raises(BadProof):
        check_proof({**bare, "proof": {**bare["proof"], "@context": None}}, KEY.public_key())


def options(**changes: Any) -> dict[str, Any]:
    ours = {
        "type": "DataIntegrityProof",
        "cryptosuite": "eddsa-jcs-2022",
        "verificationMethod": METHOD,
        "proofPurpose": "assertionMethod",
    }
    return {**ours, **changes}


@pytest.mark.parametrize(
    "more",
    [{}, {"created": "2026-11-23T12:00:00Z"}, {"@context": NOTE["@context"]}, {"@context": NOTE["@context"][:1]}],
    ids=repr,
)
def test_a_proof_may_leave_out_its_time_and_context(more: dict[str, Any]) -> None:
    """Both are optional in FEP-8b32; a document whose proof names no context is hashed as it stands."""
    assert METHOD == check_proof(self_made(options(**more)), KEY.public_key()).verification_method


@pytest.mark.parametrize(
    "change",
    [
        {"type": "Ed25519Signature2020"},
        {"cryptosuite": "eddsa-rdfc-2022"},
        {"proofPurpose": "authentication"},
        {"verificationMethod": ""},
        {"verificationMethod": "x" * 513},
        {"verificationMethod": [METHOD]},
        {"created": "yesterday"},
        {"created": None},
        {"expires": "2020-01-01T00:00:00Z"},
        {"domain": "elsewhere.example"},
        {"previousProof": "urn:x"},
        {"@context": []},
    ],
    ids=repr,
)
def test_a_proof_of_another_kind_is_refused_though_its_signature_holds(change: dict[str, Any]) -> None:
    """One type, one suite, one purpose, and no member that this reader would not honour."""
    with pytest.raises(BadProof):
        check_proof(self_made(options(**change)), KEY.public_key())


@pytest.mark.parametrize("value", ["", "z", "z1", "u" + "A" * 86, "z" + "1" * 64, "z" * 89, "z" + "0" * 87, 5, None])
def test_a_malformed_signature_value_is_refused(value: Any) -> None:
    """Only `z`, base58btc and 64 bytes; the length is looked at before the arithmetic."""
    with pytest.raises(BadProof):
        check_proof(with_proof(proofValue=value), KEY.public_key())


@pytest.mark.parametrize("wrap", [lambda p: [p], lambda p: [p, p], lambda p: [], lambda p: None, lambda p: "proof"])
def test_there_is_exactly_one_proof(wrap: Any) -> None:
    """A list of proofs, even of one, is not one proof."""
    document = signed()

    with pytest.raises(BadProof):
        check_proof({**document, "proof": wrap(document["proof"])}, KEY.public_key())


def test_every_single_change_breaks_the_proof() -> None:
    """Each member changed or removed, and one added: none of them goes unseen."""
    document = signed()
    for name in document:
        changed = copy.deepcopy(document)
        changed[name] = "another"
        removed = {other: value for other, value in document.items() if other != name}
        for tampered in (changed, removed, {**document, "added": name}):
            with pytest.raises(BadProof):
                check_proof(tampered, KEY.public_key())
