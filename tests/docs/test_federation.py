"""FEDERATION.md: every code, every reason, every activity; examples that our own reader accepts."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from typing import Any, Final, get_args

import orjson
import pytest
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from federation import catch_up, errors, integrity, membership, parse, sibling_sets
from federation import membership_drafts as drafts
from federation.delivery import MEMBERSHIP, OF_ANOTHER
from federation.integrity import read_instant
from federation.jsonld import CONTEXT, SHIPPED
from federation.uri import Uri
from federation.vocabulary import AnyActivity, Audience, Ignored, PostKind
from instance.services.sibling_sets import REASONS
from tests.docs.pages import blocks, text
from tests.tools import docs_examples as examples
from verification import statuslist
from verification.credential import Holder, Memory, check
from verification.verdicts import EFFECTS, Reason

FEDERATION_MD: Final = text("FEDERATION.md")
EXAMPLES: Final = [shown for block in blocks(FEDERATION_MD, "json") if "type" in (shown := json.loads(block))]
#: Those of ActivityStreams; a status list is read by the medical room, a federation list by `membership`.
DOCUMENTS: Final = [document for document in EXAMPLES if isinstance(document["type"], str)]


@pytest.mark.parametrize("refusal", list(errors.all_refusals()), ids=lambda refusal: refusal.code)
def test_every_refusal_is_documented(refusal: type[errors.Refused]) -> None:
    """A sibling's administrator can look up any code we answer with, with its status."""
    assert re.search(rf"^\| `{refusal.code}` \| {refusal.status}\b", FEDERATION_MD, re.MULTILINE)


@pytest.mark.parametrize("reason", list(Reason))
def test_every_credential_reason_is_documented(reason: Reason) -> None:
    """A doctor's administrator can look up why a sibling does not believe a credential."""
    found = re.search(rf"^\| `{reason}` \| ([^|]+) \| ([^|]+) \|$", FEDERATION_MD, re.MULTILINE)

    assert found is not None
    assert len(EFFECTS[reason]) == len(found[1].split(" or "))


def test_codes_are_one_vocabulary() -> None:
    """No two refusals share a code, and none has the code of a credential reason."""
    codes = [refusal.code for refusal in errors.all_refusals()]

    assert len(codes) == len(set(codes))
    assert set() == set(codes) & set(Reason)


def test_no_code_is_documented_that_does_not_exist() -> None:
    """The tables of codes name nothing we never answer with."""
    known = {refusal.code for refusal in errors.all_refusals()} | set(Reason)
    named = set(re.findall(r"^\| `([a-z_]+)` \| (?:\d{3}|accepted|alarm)", FEDERATION_MD, re.MULTILINE))

    assert known == named


@pytest.mark.parametrize("word", [w for w in get_args(AnyActivity) if w is not Ignored], ids=lambda w: w.__name__)
def test_every_activity_has_an_example(word: type[Any]) -> None:
    """Whoever implements an activity sees one."""
    assert [word.__name__] == list({d["type"] for d in DOCUMENTS if d["type"] == word.__name__})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: f"{d['type']} {d['id'].rpartition('/')[2]}")
def test_every_example_can_be_read(document: dict[str, Any]) -> None:
    """An example with its context is a document that our door understands."""
    whole = {"@context": list(CONTEXT), **document}
    strict = parse.strict_json(orjson.dumps(whole))
    read = parse.activity_document if "actor" in strict else parse.thing

    assert document["id"] == read(strict).id


def test_examples_are_what_the_code_writes() -> None:
    """Reading an example gives back the value it was written from."""
    for _, word in examples.activities():
        assert word == parse.activity_document(examples.document(word))
    for thing in (examples.doctor(), examples.instance(), examples.tombstone()):
        assert thing == parse.thing(examples.document(thing))


def test_the_proof_in_the_example_holds() -> None:
    """The comment shown carries a proof that can be checked, and a changed comment does not pass."""
    document = next({"@context": list(CONTEXT), **d} for d in DOCUMENTS if "proof" in d)
    key = examples.ed25519(Uri.parse(document["actor"])).public_key()
    integrity.check_proof(document, key)
    document["object"]["content"] += "<p>And more.</p>"

    with pytest.raises(integrity.BadProof):
        integrity.check_proof(document, key)


def test_the_credential_can_be_checked_from_the_page_alone() -> None:
    """The steps shown lead whoever knows RFC 8785 and Ed25519 to the values shown; another name does not."""
    (shown,) = [document for document in DOCUMENTS if "doctorCredential" in document]
    whole = shown["doctorCredential"]
    rows = dict(re.findall(r"^\| ([^|]+) \| `([0-9a-f]+)` \|$", FEDERATION_MD, re.MULTILINE))
    proof = {key: value for key, value in whole["proof"].items() if key != "proofValue"}
    bare = {key: value for key, value in whole.items() if key != "proof"}
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(rows["public key (`issuerKey` of the instance), raw"]))
    signature = bytes.fromhex(rows["signature (`proofValue`), raw"])

    def signed(document: dict[str, Any]) -> bytes:
        return hashlib.sha256(rfc8785.dumps(proof)).digest() + hashlib.sha256(rfc8785.dumps(document)).digest()

    assert rows["what is signed"] == signed(bare).hex()
    key.verify(signature, signed(bare))
    with pytest.raises(InvalidSignature):
        key.verify(signature, signed({**bare, "credentialSubject": {**bare["credentialSubject"], "name": "Dr. X"}}))


def test_the_list_and_the_credential_in_the_examples_hold() -> None:
    """Whoever follows them is believed: by the list shown and another, the doctor is in good standing; one is not."""
    (shown,) = [document for document in EXAMPLES if "BitstringStatusListCredential" in document["type"]]
    doctor, now = examples.doctor(), examples.NOW
    issuer = examples.issuer()
    lists = {
        address: statuslist.read_list(examples.status_list(purpose), address, purpose, issuer, now=now)
        for purpose, address in examples.LISTS.items()
    }
    holder = Holder(id=doctor.id, name=doctor.name, assertion_keys=frozenset(m.key for m in doctor.assertion_methods))

    def verdict() -> Any:
        return check(
            doctor.credential,
            holder,
            {issuer.id: issuer},
            lists,
            Memory(seen_before=False, last_valid_from=None),
            now=now,
        ).reason

    suspended = lists[address := Uri.parse(shown["id"])]
    assert shown == examples.status_list()
    assert [51_966] == [at for at in range(suspended.length) if suspended.is_set(at)]
    assert Reason.OK == verdict()
    lists[address] = replace(suspended, bits=statuslist.with_bit(suspended.bits, examples.PLACE, True))
    assert Reason.SUSPENDED == verdict()


def test_the_federation_list_in_the_examples_holds() -> None:
    """Two of the three who signed before have signed it, and so has the new one; it is the list that follows 42."""
    (shown,) = [document for document in EXAMPLES if "FederationList" in document["type"]]
    found = membership.read(orjson.dumps(shown))
    a, b, c, d = (drafts.did_of(examples.ed25519(f"chamber {name}").public_key()) for name in "abcd")

    assert {a, b} == membership.verify(found, membership.Signers(2, frozenset({a, b, c})))
    assert {d} == membership.signed_by(found, [d])
    assert (43, membership.Signers(2, frozenset({a, b, d}))) == (found.sequence, found.signers)
    with pytest.raises(membership.NotAdopted):
        membership.verify(found, membership.Signers(1, frozenset({c})))


@pytest.mark.parametrize("code", membership.CODES)
def test_why_a_list_is_not_adopted_is_documented(code: str) -> None:
    """Whoever publishes a list finds every code in the section that has the rules, or in the table of reasons."""
    assert f"`{code}`" in FEDERATION_MD


@pytest.mark.parametrize("code", REASONS)
def test_why_a_set_of_siblings_does_not_count_is_documented(code: str) -> None:
    """For the engineer whose set it is, and for the administrator who sees that it does not count."""
    assert f"`{code}`" in FEDERATION_MD
    assert f"`{code}`" in text("docs/operate/siblings.md")


def test_the_set_of_siblings_in_the_examples_is_read() -> None:
    """It is whole, of its moment, and names the key it is signed with."""
    (shown,) = [found for block in blocks(FEDERATION_MD, "json") if "siblings" in (found := json.loads(block))]
    bare = {name: value for name, value in shown.items() if name != "proof"}
    issued = read_instant(shown["issued"])
    own = sibling_sets.write("https://de.esanum.example", shown["siblings"], shown["sequence"], issued)

    assert own == bare
    assert {"type", "cryptosuite", "created", "verificationMethod", "proofPurpose", "proofValue"} == shown[
        "proof"
    ].keys()


def test_the_context_is_shown() -> None:
    """The page shows the context we send and names every one we know."""
    shown = next(json.loads(block) for block in blocks(FEDERATION_MD, "json") if '"@context"' in block)

    assert {"@context": list(CONTEXT)} == shown
    assert [] == [address for address in SHIPPED if f"`{address}`" not in FEDERATION_MD]


@pytest.mark.parametrize("word", [*Audience, *PostKind])
def test_audiences_and_kinds_are_documented(word: str) -> None:
    """Every audience and every kind of post is explained to siblings."""
    assert f"`{word}`" in FEDERATION_MD


def test_codes_of_membership_are_named_for_siblings() -> None:
    """A sibling's engineer knows which of their codes make our lane wait instead of dropping the message."""
    page = text("docs/federation.md")

    assert [] == sorted(code for code in MEMBERSHIP if code and f"`{code}`" not in page)


def test_codes_that_make_one_message_wait_are_refusals_named_for_siblings() -> None:
    """The sender knows by its code that a 503 is no trouble of the lane: such a refusal exists, and the page names it."""
    busy = {refusal.code for refusal in errors.all_refusals() if refusal.status == 503}

    # Only a request to read is answered so: no message meets it.
    assert busy - {"signing_stopped"} == OF_ANOTHER
    assert [] == sorted(code for code in OF_ANOTHER if f"`{code}`" not in text("docs/federation.md"))


def test_pages_of_logs_are_read_as_they_are_shown() -> None:
    """Both kinds are pages, name their own address, and bear a proof by the instance they are read at."""
    pages = [shown for block in blocks(FEDERATION_MD, "json") if "entries" in (shown := json.loads(block))]
    log, received = pages

    assert 58 == catch_up.read_page(log, 54).last
    assert 43 == catch_up.read_received(received, 40)[0]
    for page in pages:
        assert Uri.parse(page["id"]).origin == Uri.parse(page["proof"]["verificationMethod"]).origin
