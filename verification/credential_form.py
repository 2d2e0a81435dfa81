"""The form of a credential: JSON in, a typed value out, and nothing believed yet."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from federation.integrity import Json, read_instant, read_multikey
from federation.uri import Uri
from verification.dossier import Assurance, Country, Role, read_country
from verification.names import MAX_LENGTH

VC_CONTEXT: Final = "https://www.w3.org/ns/credentials/v2"
#: Compared whole and as data: a context that is added changes what terms mean, and no proof would cover it.
CONTEXT: Final = (VC_CONTEXT, "https://esanum.example/ns/federation/v1")
TYPE: Final = ("VerifiableCredential", "DoctorCredential")
MAX_SPECIALTIES: Final = 16
MAX_KEYS: Final = 16
_SLUG: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*\Z")
_MAX_SLUG: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What a well-formed credential says."""

    id: Uri
    subject: Uri
    name: str
    role: Role
    country: Country
    specialties: tuple[str, ...]
    assurance: Assurance
    actor_keys: frozenset[str]
    valid_from: datetime
    valid_until: datetime


def read_credential(document: Json) -> Credential:
    """Read the members of a credential but its status entries; raise ValueError where one is not as agreed.

    A member that is not known is no fault, so that a sibling may run a newer release; one that no proof covers is.
    """
    if not isinstance(document, dict) or "signature" in document:
        raise ValueError("not a credential")
    if document.get("@context") != list(CONTEXT) or document.get("type") != list(TYPE):
        raise ValueError("another context or type")
    valid_from, valid_until = read_instant(document.get("validFrom")), read_instant(document.get("validUntil"))
    if valid_until <= valid_from:
        raise ValueError("ends before it begins")
    subject = document.get("credentialSubject")
    if not isinstance(subject, dict) or subject.get("type") != "Doctor":
        raise ValueError("not about a doctor")
    return Credential(
        id=Uri.parse(document.get("id")),
        subject=Uri.parse(subject.get("id")),
        name=_name(subject.get("name")),
        role=Role(_text(subject.get("practitionerRole"))),
        country=read_country(subject.get("country")),
        specialties=_slugs(subject.get("specialty")),
        assurance=Assurance(_text(subject.get("assurance"))),
        actor_keys=_keys(subject.get("actorKey")),
        valid_from=valid_from,
        valid_until=valid_until,
    )


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")
    return value


def _name(value: Json) -> str:
    name = _text(value)
    if not 0 < len(name) <= MAX_LENGTH:
        raise ValueError("a name has at most 200 characters")
    return name


def _slugs(value: Json) -> tuple[str, ...]:
    """Well-formed slugs. One that this release does not know is kept: siblings need not update on the same day."""
    slugs = tuple(_text(slug) for slug in _list(value, MAX_SPECIALTIES))
    if len(set(slugs)) != len(slugs) or not all(len(slug) <= _MAX_SLUG and _SLUG.match(slug) for slug in slugs):
        raise ValueError("not a list of specialties")
    return slugs


def _keys(value: Json) -> frozenset[str]:
    keys = [_text(key) for key in _list(value, MAX_KEYS)]
    for key in keys:
        read_multikey(key)
    if not keys or len(set(keys)) != len(keys):
        raise ValueError("no key, or one twice")
    return frozenset(keys)


def _list(value: Json, longest: int) -> list[Json]:
    if not isinstance(value, list) or len(value) > longest:
        raise ValueError("not a list, or too long")
    return value
