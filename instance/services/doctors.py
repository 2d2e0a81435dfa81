"""Our own doctors as values: what is checked of a new one, the credential they carry, the document siblings read."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from federation.keys import PublicKey
from federation.uri import Uri
from federation.vocabulary import Doctor, KeyDocument, Multikey
from instance.config import Config
from instance.services.errors import Rejected
from instance.storage.store import Row, Transaction
from instance.times import from_ms, to_ms
from verification import credential, specialties
from verification.credential import SignedCredential, Subject, Terms
from verification.dossier import Assurance, Country, Role
from verification.errors import BadName
from verification.names import check_name, fold
from verification.people import StaffRole, go_together
from verification.status_entries import StatusPlace

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = (
    "bad_handle", "handle_taken", "bad_name", "bad_role", "role_not_allowed", "country_not_allowed",
    "bad_specialties", "bad_assurance", "bad_language", "too_many_languages", "bad_staff_role",
    "roles_together",
)  # fmt: skip

STAFF_ROLES: Final = frozenset(role.value for role in StaffRole)
MAX_SPECIALTIES: Final = 3
MAX_LANGUAGES: Final = 10
#: How long after the last look at the evidence a role must be verified again (verification: roles and validity).
#: A student's ends with the academic year, which a dossier must state; so none is added here.
REVERIFY_AFTER: Final = {
    Role.SPECIALIST: timedelta(days=730),
    Role.GENERALIST: timedelta(days=730),
    Role.RESIDENT: timedelta(days=365),
    Role.RETIRED: timedelta(days=1095),
}
_HANDLE: Final = re.compile(r"[a-z0-9][a-z0-9._-]{1,30}\Z")
_LANGUAGE: Final = re.compile(r"[a-z]{2}\Z")
_JITTER: Final = 0.05
#: Standings of which the status lists tell.
_LISTED: Final = frozenset({"suspended", "revoked"})


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDoctor:
    """Somebody whose evidence an administrator has seen. Without a password one is made."""

    handle: str
    name: str
    role: str
    country: str
    specialties: tuple[str, ...]
    assurance: str = Assurance.SUBSTANTIAL.value
    languages: tuple[str, ...] = ()
    password: str | None = None
    roles: tuple[str, ...] = ()
    #: Whether a follow waits for this doctor's yes.
    approves_followers: bool = False


def check_new(new: NewDoctor, config: Config) -> str:
    """Return the name as it will be shown; raise Rejected at the first thing that cannot be so."""
    if not _HANDLE.match(new.handle) or ".." in new.handle or new.handle.endswith("."):
        raise Rejected("bad_handle", "handle")
    try:
        name = check_name(new.name)
    except BadName:
        raise Rejected("bad_name", "name") from None
    _check_role(new.role)
    if new.country not in {config.country, *config.may_issue_for}:
        raise Rejected("country_not_allowed", "country")
    check_specialties(new.specialties)
    if new.assurance not in set(Assurance):
        raise Rejected("bad_assurance", "assurance")
    check_languages(new.languages)
    if not set(new.roles) <= STAFF_ROLES:
        raise Rejected("bad_staff_role", "roles")
    if not go_together(map(StaffRole, new.roles)):
        raise Rejected("roles_together", "roles")
    return name


def check_specialties(slugs: Sequence[str]) -> None:
    """Raise Rejected unless these are one to three different slugs of the vocabulary."""
    if not 1 <= len(slugs) <= MAX_SPECIALTIES or len(set(slugs)) != len(slugs):
        raise Rejected("bad_specialties", "specialties")
    if not all(specialties.known(slug) for slug in slugs):
        raise Rejected("bad_specialties", "specialties")


def check_languages(languages: Sequence[str]) -> None:
    """Raise Rejected unless these are a few two-letter codes."""
    if len(languages) > MAX_LANGUAGES:
        raise Rejected("too_many_languages", "languages")
    if not all(_LANGUAGE.match(code) for code in languages):
        raise Rejected("bad_language", "languages")


def _check_role(role: str) -> None:
    if role not in set(Role):
        raise Rejected("bad_role", "role")
    if Role(role) not in REVERIFY_AFTER:
        raise Rejected("role_not_allowed", "role")


def reverify_on(role: str, since: datetime) -> datetime:
    """The day on which this doctor must be verified again."""
    return since + REVERIFY_AFTER[Role(role)]


def uri_of(origin: str, handle: str) -> Uri:
    """The address of an own doctor."""
    return Uri.parse(f"{origin}/doctors/{handle}")


def words_of(name: str, handle: str) -> frozenset[str]:
    """The folded words under which a doctor is found."""
    return frozenset(word for word in [*fold(name).split(), *re.split(r"[._-]+", handle), handle] if word)


async def index(tx: Transaction, doctor: Uri, slugs: Sequence[str], name: str, handle: str) -> None:
    """Make a new doctor findable by specialty and by the words of the name."""
    for slug in slugs:
        await tx.run("people.add_specialty", doctor=doctor, specialty=slug)
    for word in sorted(words_of(name, handle)):
        await tx.run("people.add_word", doctor=doctor, word=word)


# ── the credential ──


def issue(
    node: Node, row: Row, multikeys: Sequence[str], reverify: datetime | None, place: StatusPlace
) -> SignedCredential:
    """Issue the doctor's next credential, bound to exactly these Ed25519 keys; raise NotIssuable past `reverify`."""
    subject = Subject(
        id=Uri.parse(row["uri"]), name=row["name"], role=Role(row["role"]), country=Country(row["country"]),
        specialties=tuple(json.loads(row["specialties"])), assurance=Assurance(row["assurance"]),
        actor_keys=tuple(multikeys),
    )  # fmt: skip
    terms = Terms(id=Uri.parse(row["uri"] + "/credential"), reverify_on=reverify, status=place)
    return credential.issue(subject, terms, node.keys.signer, now=node.clock())


def validity(signed: SignedCredential) -> dict[str, int]:
    """The two ends of a credential's life, as rows keep them."""
    ends = {"valid_from": signed["validFrom"], "valid_until": signed["validUntil"]}
    return {name: to_ms(datetime.fromisoformat(str(text))) for name, text in ends.items()}


def renewal_due(row: Row, now: datetime) -> bool:
    """Whether two thirds of the credential's life have passed, ± 5 %, so that thousands do not come due at once.

    A doctor without a place in the status lists is due now.
    """
    if not row["placed"]:
        return True
    begun, ends = from_ms(row["valid_from"]), from_ms(row["valid_until"])
    # The same doctor always gets the same jitter: two processes agree, and a restart changes nothing.
    spread = int.from_bytes(hashlib.sha256(row["uri"].encode()).digest()[:2], "big") / 65_535
    return now >= begun + (ends - begun) * (2 / 3 + (2 * spread - 1) * _JITTER)


# ── the document siblings read ──


def document(row: Row, keys: Sequence[PublicKey], authority: str) -> Doctor:
    """Return the actor of an own doctor.

    Whoever is suspended or revoked keeps showing the credential: the status lists say what it is worth. One without a
    place in them is not shown any more, since nothing but its absence would tell.
    """
    rsa = [key for key in keys if key.algorithm == "rsa"]
    ed25519 = [key for key in keys if key.algorithm == "ed25519"]
    return Doctor(
        id=Uri.parse(row["uri"]), handle=row["handle"], name=row["name"], inbox=Uri.parse(row["inbox"]),
        outbox=Uri.parse(row["outbox"]), followers=Uri.parse(row["followers"]),
        following=Uri.parse(row["following"]), shared_inbox=Uri.parse(Uri.parse(row["uri"]).origin + "/inbox"),
        public_keys=tuple(KeyDocument(id=key.id, owner=key.owner, pem=key.pem) for key in rsa),
        assertion_methods=tuple(Multikey(id=key.id, controller=key.owner, key=key.multikey) for key in ed25519),
        webfinger=f"{row['handle']}@{authority}", summary=row["summary"],
        languages=tuple(json.loads(row["languages"])),
        credential=_shown(row), moved_to=Uri.parse(row["moved_to"]) if row.get("moved_to") else None,
        published=from_ms(row["created_at"]), updated=from_ms(row["updated_at"]),
    )  # fmt: skip


def aliases(row: Row) -> tuple[Uri, ...]:
    """The addresses elsewhere that an own doctor has named."""
    return tuple(Uri.parse(text) for text in json.loads(row["also_known_as"]))


def _shown(row: Row) -> SignedCredential | None:
    """The credential as siblings are shown it, or None."""
    if row["standing"] != "ok" and row["standing"] not in _LISTED:
        return None
    shown: SignedCredential = json.loads(row["credential"])
    return shown if row["standing"] == "ok" or "credentialStatus" in shown else None
