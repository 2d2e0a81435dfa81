"""From a decision to a doctor: the first approval makes one, a later one gives a new credential.

Keys take long to make and rows of keys cannot be read inside a unit of work, so `prepare` does that before; the unit
finds everything `Ready`.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from federation.keys import PrivateKey, PublicKey
from federation.uri import Uri
from instance.services import doctors, new_doctors
from instance.services.doctors import NewDoctor
from instance.services.dossiers.values import File, Said
from instance.services.errors import Rejected
from instance.storage.store import Row, Transaction
from instance.times import to_ms
from verification import specialties
from verification.dossier import Dossier, Role
from verification.errors import NotIssuable
from verification.moves import AnnexKind
from verification.names import fold

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = ("not_issuable", "changed_meanwhile", "bad_specialty", "too_many_specialties")
_LETTERS: Final = {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
_TITLES: Final = frozenset({"dr", "prof", "med", "pr"})
_LONGEST: Final = 26
#: Who has one of these would be taken for somebody who works here.
_RESERVED: Final = frozenset(
    {
        "abuse", "actor", "admin", "administrator", "contact", "doctor", "esanum", "help", "info", "moderator",
        "postmaster", "privacy", "reviewer", "root", "security", "staff", "support", "team", "webmaster",
    }
)  # fmt: skip


class TryAgain(Exception):
    """Another doctor got this handle, or the doctor's row has changed, since `prepare`; it is to be asked again."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What a credential needs that was made or read before: the address, new pairs or the keys that are published.

    `seen` is the version of the doctor's row (`updated_at`) that was there before the keys were read; None without one.
    """

    uri: Uri
    handle: str = ""
    pairs: Sequence[PrivateKey] = ()
    keys: Sequence[PublicKey] = ()
    seen: int | None = None

    @property
    def multikeys(self) -> list[str]:
        """The keys that the credential binds."""
        return [key.multikey for key in self.keys if key.algorithm == "ed25519"]


async def prepare(node: Node, file: File) -> Ready:
    """Return what the doctor's next credential needs; a doctor who is not there yet gets a handle and keys."""
    account = await node.store.one("dossiers.account", id=file.account)
    doctor = file.doctor or (account["doctor"] if account is not None else None)
    if doctor is not None:
        uri = Uri.parse(doctor)
        row = await node.store.one("people.doctor", uri=uri)
        seen = None if row is None else int(row["updated_at"])
        return Ready(uri, keys=await node.keys.published(uri), seen=seen)
    handle = await _free_handle(node, file)
    uri = doctors.uri_of(node.origin, handle)
    pairs = await node.keys.make(uri)
    return Ready(uri, handle, pairs, tuple(pair.public() for pair in pairs))


async def admit(node: Node, tx: Transaction, file: File, after: Dossier, ready: Ready, assurance: str) -> Row:
    """Give the doctor a credential on the dossier's terms, making the doctor where there is none; return the row."""
    now = node.clock()
    row = await tx.one("people.doctor", uri=ready.uri)
    anew = file.dossier.approved_at is None
    name = renamed(file, after) or (file.said.name if row is None or anew else row["name"])
    said = _terms(file, after, row, name, assurance)
    place = await node.own_status.place_in(tx, ready.uri, anew=anew)
    whole = {**(row or _new_row(node, file, said, ready)), **said, "uri": ready.uri}
    try:
        signed = doctors.issue(node, whole, ready.multikeys, after.reverify_on, place)
    except NotIssuable:
        raise Rejected("not_issuable", status=409) from None
    issued = {"credential": json.dumps(signed, ensure_ascii=False), **doctors.validity(signed)}
    assert after.reverify_on is not None  # nothing is issued before an approval
    if row is None:
        await _make(node, tx, file, {**whole, **issued}, ready, reverify=after.reverify_on, now=now)
    else:
        await _renew(tx, row, ready, said | issued, reverify=after.reverify_on, now=to_ms(now))
    await tx.run("dossiers.set_doctor", id=after.id, doctor=ready.uri)
    found = await tx.one("people.doctor", uri=ready.uri)
    assert found is not None
    return found


def renamed(file: File, after: Dossier) -> str:
    """The name that an annex accepted just now asks for; empty where none does."""
    known = {each.id for each in file.dossier.annexes if each.accepted}
    for each in after.annexes:
        if each.accepted and each.kind is AnnexKind.NAME and each.id not in known:
            return file.annex_names.get(each.id, "")
    return ""


def specialised(file: File, after: Dossier) -> str:
    """The specialty of a certificate accepted just now; empty where there is none."""
    known = {each.id for each in file.dossier.annexes if each.accepted}
    return next((each.specialty for each in after.annexes if each.accepted and each.id not in known), "")


def check_specialty(slug: str, file: File) -> None:
    """Raise Rejected for what is no specialty, one a specialist shows already, and one more than can be shown."""
    shown = file.said.specialties
    if not slug:
        return
    if not specialties.known(slug) or (slug in shown and file.dossier.role is Role.SPECIALIST):
        raise Rejected("bad_specialty", "specialty")
    if slug not in shown and len(shown) >= doctors.MAX_SPECIALTIES:
        raise Rejected("too_many_specialties", "specialty")


def _terms(file: File, after: Dossier, row: Row | None, name: str, assurance: str) -> dict[str, Any]:
    held = "" if row is None else row["assurance"]
    shown = file.said.specialties if row is None else tuple(json.loads(row["specialties"]))
    return {
        "name": name, "role": after.role.value, "country": after.country,
        "assurance": assurance or held or file.assurance,
        "specialties": json.dumps(with_specialty(shown, specialised(file, after))),
    }  # fmt: skip


def with_specialty(shown: Sequence[str], slug: str) -> list[str]:
    """The specialties with one more, where it is not among them."""
    return [*shown, *([slug] if slug and slug not in shown else [])]


def _new_row(node: Node, file: File, said: dict[str, Any], ready: Ready) -> dict[str, Any]:
    new = NewDoctor(
        handle=ready.handle, name=said["name"], role=said["role"], country=said["country"],
        specialties=file.said.specialties, assurance=said["assurance"], languages=file.said.languages,
    )  # fmt: skip
    return new_doctors.row_of(node, new, ready.uri, said["name"])


async def _make(
    node: Node, tx: Transaction, file: File, row: dict[str, Any], ready: Ready, *, reverify: datetime, now: datetime
) -> None:
    if not ready.pairs:
        raise Rejected("changed_meanwhile", status=409)
    if not await new_doctors.keep(node, tx, row, ready.pairs, reverify=reverify, now=now):
        raise TryAgain(ready.handle)
    await tx.run("dossiers.link_account", account=file.account, doctor=ready.uri)


async def _renew(
    tx: Transaction, row: Row, ready: Ready, new: dict[str, Any], *, reverify: datetime, now: int
) -> None:  # fmt: skip
    at = max(now, int(row["updated_at"]) + 1)
    uri = Uri.parse(row["uri"])
    kept = {key: new[key] for key in ("role", "assurance", "credential", "valid_from", "valid_until")}
    if not await tx.run("dossiers.set_terms", uri=uri, now=at, seen=ready.seen, **kept):
        raise TryAgain(row["handle"])
    if new["name"] != row["name"]:
        await tx.run("dossiers.rename_doctor", uri=uri, name=new["name"], folded=fold(new["name"]), now=at)
        await tx.run("dossiers.drop_words", doctor=uri)
        await doctors.index(tx, uri, json.loads(row["specialties"]), new["name"], row["handle"])
    if json.loads(new["specialties"]) != json.loads(row["specialties"]):
        await tx.run("dossiers.specialise_doctor", uri=uri, specialties=new["specialties"], now=at)
        await doctors.index(tx, uri, json.loads(new["specialties"]), new["name"], row["handle"])
    await tx.run("relocation.came_back", uri=uri)
    await tx.run("people.set_reverification", doctor=uri, due_at=to_ms(reverify))


# ── handles ──


async def _free_handle(node: Node, file: File) -> str:
    """The handle that was wished for or that the name gives; with a number where it is taken."""
    wish = wished(file.said)
    for number in range(1, 1_000):
        handle = wish if number == 1 else f"{wish}{number}"
        if await node.store.one("people.by_address", address=handle) is None:
            return handle
    raise Rejected("changed_meanwhile", status=409)


def wished(said: Said) -> str:
    """The handle somebody gets where nobody has it: the one wished for, or what the name gives."""
    found = (handle_of(text) for text in (said.handle, said.name))
    return next((handle for handle in found if handle and handle not in _RESERVED), "doctor")


def handle_of(name: str) -> str:
    """A name as a handle: small letters without accents, words joined by dots; empty where nothing of it is left."""
    plain = unicodedata.normalize("NFKD", "".join(_LETTERS.get(sign, sign) for sign in name.casefold()))
    words = re.findall(r"[a-z0-9]+", "".join(sign for sign in plain if not unicodedata.combining(sign)))
    found = ".".join(word for word in words if word not in _TITLES)[:_LONGEST].strip(".")
    return found if len(found) >= 2 else ""
