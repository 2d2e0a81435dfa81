"""Made-up issuers, doctors and credentials for the tests of the medical room."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import strategies as st

from federation.integrity import Json, add_proof, write_multikey
from federation.uri import Uri
from verification.credential import Holder, Memory, Subject, Terms, check, issue
from verification.dossier import Assurance, Country, Role
from verification.issuers import Issuer, IssuerKey, MemberStatus
from verification.signing import KeySigner
from verification.status_entries import StatusPlace
from verification.statuslist import Purpose, StatusList, blank
from verification.verdicts import Verdict

VECTORS = Path(__file__).parents[3] / "shared" / "vectors"
needs_vectors = pytest.mark.skipif(not VECTORS.is_dir(), reason="no ../shared/vectors beside this checkout")

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOME = Uri.parse("https://fr.example/actor")
METHOD = Uri.parse("https://fr.example/actor#vc-1")
DOCTOR = Uri.parse("https://fr.example/doctors/ada")
REVOCATION = Uri.parse("https://fr.example/vc/status/revocation/1")
SUSPENSION = Uri.parse("https://fr.example/vc/status/suspension/1")
FR = Country("FR")


def key_of(name: str) -> Ed25519PrivateKey:
    """A private key that is the same in every run."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


ISSUER_KEY, ACTOR_KEY = key_of("issuer"), key_of("actor")
ACTOR_MULTIKEY = write_multikey(ACTOR_KEY.public_key())
SIGNER = KeySigner(HOME, METHOD, ISSUER_KEY)
ISSUER = Issuer(HOME, "fr.example", MemberStatus.ACTIVE, frozenset({FR}), (IssuerKey(METHOD, ISSUER_KEY.public_key()),))
SUBJECT = Subject(
    id=DOCTOR,
    name="Dr Ada Beispiel",
    role=Role.SPECIALIST,
    country=FR,
    specialties=("cardiology",),
    assurance=Assurance.SUBSTANTIAL,
    actor_keys=(ACTOR_MULTIKEY,),
)
TERMS = Terms(
    id=Uri.parse("https://fr.example/doctors/ada/credential"),
    reverify_on=None,
    status=StatusPlace(7, REVOCATION, SUSPENSION),
)
HOLDER = Holder(id=DOCTOR, name="Dr Ada Beispiel", assertion_keys=frozenset({ACTOR_MULTIKEY}))
KNOWN = Memory(seen_before=True, last_valid_from=None)
STRANGER = Memory(seen_before=False, last_valid_from=None)


def lists(age: timedelta = timedelta(0), **bits: bytes) -> dict[Uri, StatusList]:
    """Both lists of the issuer, with nothing set unless bits are given by purpose."""
    return {
        address: StatusList(address, HOME, purpose, bits.get(purpose.value, blank()), NOW - age)
        for address, purpose in ((REVOCATION, Purpose.REVOCATION), (SUSPENSION, Purpose.SUSPENSION))
    }


def credential(subject: Subject = SUBJECT, terms: Terms = TERMS, now: datetime = NOW) -> dict[str, Any]:
    """A credential as the issuer makes it."""
    return issue(subject, terms, SIGNER, now=now)


#: The ordinary credential of the ordinary doctor.
GOOD = credential()


def resigned(document: Mapping[str, Any], key: Ed25519PrivateKey = ISSUER_KEY, **changes: Any) -> dict[str, Any]:
    """The credential with members changed and signed anew; None removes one, `subject` changes within the subject."""
    subject = {**document["credentialSubject"], **changes.pop("subject", {})}
    changed = {**document, "credentialSubject": subject, "proof": None, **changes}
    bare = {name: value for name, value in changed.items() if value is not None}
    return add_proof(bare, key, verification_method=METHOD, created=NOW)


def judge(
    document: Json,
    *,
    holder: Holder = HOLDER,
    issuer: Issuer = ISSUER,
    stored: Mapping[Uri, StatusList] | None = None,
    memory: Memory = STRANGER,
    now: datetime = NOW,
) -> Verdict:
    """Check a credential where only what is named differs from the ordinary."""
    return check(document, holder, {issuer.id: issuer}, stored, memory, now=now)


def holder(**changes: Any) -> Holder:
    """The ordinary holder with something changed."""
    return replace(HOLDER, **changes)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
any_json = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner), max_leaves=10
)


def vectors() -> Any:
    """The shared credential cases, as they lie beside the checkout."""
    return json.loads((VECTORS / "credential_cases.json").read_text("utf-8"))
