"""Made-up documents for FEDERATION.md, written by the code that writes the real ones, so that they cannot lie.

Keys are derived from their names and sign nothing but this page; times stand still, so that the page does too.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federation import integrity, membership, pairing, render, signatures
from federation import membership_drafts as drafts
from federation.keys import PrivateKey, make_rsa
from federation.membership import MemberStatus as MembersState
from federation.multibase import decode_multibase
from federation.signatures import Profile
from federation.uri import Uri
from federation.vocabulary import (
    VERIFIED_DOCTORS,
    Accept,
    Announce,
    AnyActivity,
    Comment,
    Create,
    Delete,
    Doctor,
    Flag,
    Follow,
    Instance,
    KeyDocument,
    Like,
    Mention,
    Move,
    Multikey,
    Post,
    PostKind,
    Reject,
    Tombstone,
    Undo,
    Update,
)
from verification import credential, statuslist
from verification.dossier import Assurance, Country, Role
from verification.issuers import Issuer, IssuerKey, MemberStatus
from verification.signing import KeySigner
from verification.status_entries import StatusPlace
from verification.statuslist import Purpose

FR: Final = "https://fr.esanum.example"
DE: Final = "https://de.esanum.example"
NOW: Final = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
#: Stands where an RSA key would; real ones are 3072 bits long.
PEM: Final = "-----BEGIN PUBLIC KEY-----\nMIIBojANBgkqhkiG9w0BAQEFAAOCAY8A...\n-----END PUBLIC KEY-----\n"


def uri(text: str) -> Uri:
    """An address."""
    return Uri.parse(text)


def ulid(end: str) -> str:
    """Something of the shape of an id."""
    return "01KB" + end.rjust(22, "0")


MARIE: Final = uri(f"{FR}/doctors/marie.laurent")
MARIE_THERE: Final = uri(f"{DE}/doctors/marie.laurent")
JONAS: Final = uri(f"{DE}/doctors/jonas.weber")
POST: Final = uri(f"{DE}/posts/{ulid('CASE')}")
THREAD: Final = uri(f"{POST}/context")
#: Where the doctor stands in both lists.
PLACE: Final = 74_207
LISTS: Final = {purpose: uri(f"{DE}/vc/status/{purpose}/1") for purpose in Purpose}
ANSWER: Final = uri(f"{FR}/comments/{ulid('ANSWER')}")


def ed25519(name: str) -> Ed25519PrivateKey:
    """A key anybody can make from its name: for these pages, and for nothing else."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"documentation " + name.encode()).digest())


def multikey(owner: Uri) -> Multikey:
    """The Ed25519 key of an actor as it is published."""
    text = integrity.write_multikey(ed25519(owner).public_key())
    return Multikey(id=uri(f"{owner}#ed25519-key"), controller=owner, key=text)


def doctor() -> Doctor:
    """A doctor in Germany."""
    return Doctor(
        id=JONAS, handle="jonas.weber", name="Dr. Jonas Weber", inbox=uri(f"{JONAS}/inbox"),
        outbox=uri(f"{JONAS}/outbox"), followers=uri(f"{JONAS}/followers"), following=uri(f"{JONAS}/following"),
        shared_inbox=uri(f"{DE}/inbox"),
        public_keys=(KeyDocument(id=uri(f"{JONAS}#main-key"), owner=JONAS, pem=PEM),),
        assertion_methods=(multikey(JONAS),), webfinger="jonas.weber@de.esanum.example", languages=("de", "en"),
        credential=_credential(), published=NOW, updated=NOW,
    )  # fmt: skip


def _credential() -> Any:
    subject = credential.Subject(
        id=JONAS, name="Dr. Jonas Weber", role=Role.SPECIALIST, country=Country("DE"), specialties=("cardiology",),
        assurance=Assurance.SUBSTANTIAL, actor_keys=(multikey(JONAS).key,),
    )  # fmt: skip
    place = StatusPlace(PLACE, *(LISTS[purpose] for purpose in (Purpose.REVOCATION, Purpose.SUSPENSION)))
    terms = credential.Terms(id=uri(f"{JONAS}/credential"), reverify_on=None, status=place)
    return credential.issue(subject, terms, _signer(), now=NOW)


def checked_credential() -> list[tuple[str, str]]:
    """The steps by which whoever knows RFC 8785 and Ed25519 alone checks the credential, and what comes out of each."""
    whole = _credential()
    proof = {key: value for key, value in whole["proof"].items() if key != "proofValue"}
    bare = {key: value for key, value in whole.items() if key != "proof"}
    document, options = (hashlib.sha256(rfc8785.dumps(part)).hexdigest() for part in (bare, proof))
    return [
        ("canonical document, bytes", str(len(rfc8785.dumps(bare)))),
        ("SHA-256 of the document", document),
        ("canonical proof, bytes", str(len(rfc8785.dumps(proof)))),
        ("SHA-256 of the proof", options),
        ("what is signed", options + document),
        ("public key (`issuerKey` of the instance), raw", ed25519("issuer").public_key().public_bytes_raw().hex()),
        ("signature (`proofValue`), raw", decode_multibase(whole["proof"]["proofValue"]).hex()),
    ]


def _signer() -> KeySigner:
    home = uri(f"{DE}/actor")
    return KeySigner(home, uri(f"{home}#vc-1"), ed25519("issuer"))


def issuer() -> Issuer:
    """The German instance as siblings have pinned it."""
    signer, key = _signer(), ed25519("issuer").public_key()
    countries = frozenset({Country("DE")})
    return Issuer(
        signer.issuer,
        signer.issuer.authority,
        MemberStatus.ACTIVE,
        countries,
        (IssuerKey(signer.verification_method, key),),
    )


def status_list(purpose: Purpose = Purpose.SUSPENSION) -> dict[str, Any]:
    """A German list in which one bit is set, and not that of the doctor."""
    bits = statuslist.with_bit(statuslist.blank(), 51_966, True)
    return statuslist.issue_list(LISTS[purpose], purpose, bits, _signer(), now=NOW)


def federation_list() -> dict[str, Any]:
    """The second list of two members, in which one chamber's lost key is replaced; two of three and the new key sign."""
    actor = uri(f"{DE}/actor")
    issuer = integrity.write_multikey(ed25519("issuer").public_key())
    key = drafts.issuer_key(uri(f"{actor}#vc-1"), actor, issuer, begins=NOW, ends=NOW + timedelta(days=730))
    pins = ["sha256:" + hashlib.sha256(PEM.encode()).hexdigest()]
    entry = drafts.entry(actor, status=MembersState.ACTIVE, countries=("DE", "AT"), issuer_key=key, pins=pins)
    life = timedelta(days=14)
    first = drafts.with_member(drafts.first(uri(f"{FR}/federation/list"), now=NOW, life=life, sequence=42), entry)
    following = drafts.following(membership.read_document(first), now=NOW, life=life)
    names = [drafts.did_of(ed25519(f"chamber {name}").public_key()) for name in "abd"]
    made = drafts.with_signers(following, membership.Signers(2, frozenset(names)))
    for name in "abd":
        made = drafts.sign(made, ed25519(f"chamber {name}"), now=NOW)
    return made


def instance() -> Instance:
    """The German instance."""
    home = uri(f"{DE}/actor")
    issuer = integrity.write_multikey(ed25519("issuer").public_key())
    return Instance(
        id=home, name="esanum Deutschland", inbox=uri(f"{DE}/inbox"), outbox=uri(f"{DE}/outbox"),
        public_keys=(KeyDocument(id=uri(f"{home}#main-key"), owner=home, pem=PEM),),
        assertion_methods=(multikey(home),),
        issuer_keys=(Multikey(id=uri(f"{home}#vc-1"), controller=home, key=issuer),),
        country="DE", contact="federation@de.esanum.example", software="esanum-federation", speaks_rfc9421=True,
    )  # fmt: skip


def post() -> Post:
    """A case for every verified doctor."""
    return Post(
        id=POST, author=JONAS, kind=PostKind.CASE, title="Syncope after exercise",
        content="<p>A runner of 34 fainted twice after training. What next?</p>", language="en",
        specialties=("cardiology",), to=(VERIFIED_DOCTORS,), published=NOW, context=THREAD,
    )  # fmt: skip


def comment() -> Comment:
    """An answer from abroad."""
    return Comment(
        id=ANSWER, author=MARIE, content="<p>I would look at the right ventricle first.</p>", language="en",
        in_reply_to=POST, context=POST, to=(VERIFIED_DOCTORS,),
        mentions=(Mention(href=JONAS, name="@jonas.weber@de.esanum.example"),), published=NOW,
    )  # fmt: skip


def activities() -> Iterator[tuple[str, AnyActivity]]:
    """One activity of each type, with what it says."""

    def head(origin: str, number: int, actor: Uri) -> dict[str, Any]:
        return {"id": uri(f"{origin}/activities/{ulid(str(number))}"), "actor": actor, "published": NOW}

    everyone: dict[str, Any] = {"to": (VERIFIED_DOCTORS,)}
    yield "a case is published", Create(object=post(), **head(DE, 1, JONAS), **everyone)
    yield (
        "an answer, with its author's proof",
        Create(object=comment(), **head(FR, 2, MARIE), **everyone, has_proof=True),
    )
    yield (
        "the instance says that a status list has changed, as after a suspension; with a doctor's address, that the "
        "doctor is to be read anew",
        Update(object=LISTS[Purpose.SUSPENSION], **head(DE, 3, uri(f"{DE}/actor")), **everyone),
    )
    yield "an answer is withdrawn", Delete(object=ANSWER, **head(FR, 4, MARIE), **everyone, has_proof=True)
    follow = head(FR, 5, MARIE)
    yield "a doctor asks to follow a colleague", Follow(object=JONAS, **follow)
    yield "yes", Accept(object=follow["id"], **head(DE, 6, JONAS), to=(MARIE,))
    yield "no, or no longer", Reject(object=follow["id"], **head(DE, 7, JONAS), to=(MARIE,))
    yield "the follower goes", Undo(object=follow["id"], **head(FR, 8, MARIE))
    yield "thanks for a post or an answer", Like(object=POST, **head(FR, 9, MARIE))
    yield "a recommendation within the audience the post has", Announce(object=POST, **head(FR, 10, MARIE), **everyone)
    yield (
        "a report to the home of what is reported; the reporter stays unnamed",
        Flag(objects=(POST,), reason="identity", **head(FR, 11, uri(f"{FR}/actor"))),
    )
    yield (
        "a doctor goes on at another instance; the old home says so, as the doctor may not speak there any more",
        Move(object=MARIE, target=MARIE_THERE, **head(FR, 12, uri(f"{FR}/actor")), **everyone),
    )


def document(word: Any) -> Mapping[str, Any]:
    """The whole document; an activity that says so carries its author's proof."""
    found = render.document(word)
    if getattr(word, "has_proof", False):
        method = uri(f"{word.actor}#ed25519-key")
        return integrity.add_proof(found, ed25519(word.actor), verification_method=method, created=NOW)
    return found


def shown(word: Any) -> str:
    """The document as JSON without its `@context`, which stands on the page once."""
    body = {key: value for key, value in document(word).items() if key != "@context"}
    return pretty(body)


def tombstone() -> Tombstone:
    """What stays of a withdrawn answer."""
    return Tombstone(id=ANSWER, former_type="Note", deleted=NOW)


def pretty(value: Any, indent: int = 0, room: int = 100) -> str:
    """JSON with what fits on a line kept on a line."""
    short = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or (indent and len(short) + indent <= room):
        return short
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        lines = [f"{json.dumps(key)}: {pretty(item, indent + 2, room)}" for key, item in value.items()]
        return "{\n" + ",\n".join(inner + line for line in lines) + "\n" + " " * indent + "}"
    lines = [pretty(item, indent + 2, room) for item in value]
    return "[\n" + ",\n".join(inner + line for line in lines) + "\n" + " " * indent + "]"


def signed_headers(profile: Profile) -> str:
    """The headers of one delivery under a profile; an RSA signature differs each time and is left out."""
    body = render.encode(document(next(activities())[1]))
    if profile is Profile.CAVAGE:
        key = make_rsa(uri(f"{JONAS}#main-key"), JONAS, 2048)
    else:
        key = PrivateKey.of(uri(f"{JONAS}#ed25519-key"), JONAS, ed25519(JONAS))
    headers = signatures.sign("POST", uri(f"{FR}/inbox"), body, key, profile, NOW)
    if profile is Profile.CAVAGE:
        headers["Signature"] = re.sub(r'signature="[^"]*"', 'signature="(base64)"', headers["Signature"])
    return "\n".join(["POST /inbox HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())])


def invitation() -> str:
    """An invitation of the German instance to the French one; the actor in its body is left out."""
    actor, url = instance(), pairing.address(FR, DE)
    name, sees = "01jdc5s8g0kq3x7f9v2m4n6p8r", "sha256:" + hashlib.sha256(b"seen").hexdigest()
    body = pairing.write(pairing.Verb.INVITE, name, sees, render.instance(actor))
    key = PrivateKey.of(uri(f"{actor.id}#ed25519-key"), actor.id, ed25519(actor.id))
    headers = signatures.sign("POST", url, body, key, Profile.RFC9421, NOW, content_type=pairing.JSON)
    shown = json.dumps(
        {"pairing": "invite", "name": name, "sees": sees, "actor": {"id": actor.id, "…": "…"}}, ensure_ascii=False
    )
    lines = [f"POST {url.target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", shown]
    return "\n".join(lines)
