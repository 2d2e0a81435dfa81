"""What a sibling missed, and how it asks for it: numbered logs between two instances, as values and on the wire.

    LogNumber   the place of one message in its sender's log for us, as the signed header `Sibling-Log` says it
    Page        a part of a sibling's log, as read there; each activity in it is a `Logged`
    Keepsake    a message of ours as a sibling kept it, with the signature that proves it ours

A log belongs to one pair and one direction. Its numbers rise by one with each activity; an `epoch` says which counting
they are of, for an instance that was put back from a copy counts anew from where that copy ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import InitVar, dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from federation.errors import BadSignature, Malformed, PinMismatch
from federation.integrity import BadProof, Json, add_proof, check_proof, read_proof
from federation.keys import PrivateKey, PublicKey
from federation.signatures import Claim, SignedMessage, Verified, read_claim, verify
from federation.signatures.window import MAX_WINDOW
from federation.strict import strict_json
from federation.uri import BadUri, Uri

HEADER: Final = "Sibling-Log"
FIELD: Final = HEADER.lower()
#: Entries on one page; and bytes of entries, as they are written, after which a page ends (it holds one at least).
ENTRIES: Final = 100
PAGE_BYTES: Final = 196_608
#: Longest page that is read: one activity of the greatest size, written as a text.
MAX_PAGE: Final = 1_048_576
#: Longest entry that is written: beside it the page has room for its head and for every hole it names.
MAX_ENTRY: Final = MAX_PAGE - 16_384
#: Longest head of a message that is read on a page.
MAX_HEAD: Final = 8_192
_SEAL: Final = object()
_LARGEST: Final = 10**15
# RFC 8941 section 3.3.1: an integer with one parameter, in its canonical spelling.
_HEADER = re.compile(r'(?P<number>[1-9][0-9]{0,14});epoch="(?P<epoch>[0-9A-Za-z]{8,40})"\Z')
_EPOCH = re.compile(r"[0-9A-Za-z]{8,40}\Z")


@dataclass(frozen=True, slots=True)
class LogNumber:
    """The place of a message in the log of the instance that sent it to us."""

    epoch: str
    number: int


@dataclass(frozen=True, slots=True)
class Logged:
    """An activity read in the log of the instance `signer` speaks for, over the allowlist; only `read_page` makes one.

    It stands beside `Verified`: not signed for us now, but read at its home, or at the home of its thread.
    """

    signer: Uri
    #: Where it was read.
    key_id: Uri
    body: bytes = field(repr=False)
    place: LogNumber
    #: What proves to its home that it said this here, as the page bore it; kept, and judged by nobody but its home.
    head: str = field(default="", repr=False)
    seal: InitVar[object] = None

    def __post_init__(self, seal: object) -> None:
        """Refuse every maker but `read_page`."""
        if seal is not _SEAL:
            raise TypeError("only read_page() makes a Logged")


@dataclass(frozen=True, slots=True)
class Entry:
    """One number of a log and what stands under it; neither words nor `gone`: not said yet, to be asked for again."""

    number: int
    #: The activity as it was sent.
    body: bytes | None = field(default=None, repr=False)
    #: The last number of which the same is true: nothing stands there, and never will again. None: not gone.
    gone: int | None = None
    #: The head of a message, signed as it would have been sent to the reader; empty: its signer has no key here.
    head: str = field(default="", repr=False)

    @property
    def last(self) -> int:
        """The last number this entry is about."""
        return self.number if self.gone is None else self.gone


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a log. Numbers up to `begins` were given in the epoch `before`, and mean the same in both."""

    epoch: str
    before: str
    begins: int
    #: The highest number given so far.
    last: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Keepsake:
    """A message as a sibling received it: the signed head, the body, and its number."""

    number: int
    head: str
    body: bytes = field(repr=False)


# ── the number of a message ──


def number_header(place: LogNumber) -> str:
    """Return the value of `Sibling-Log`."""
    return f'{place.number};epoch="{place.epoch}"'


def read_number(message: SignedMessage, claim: Claim) -> LogNumber | None:
    """Return the number the message bears; None without one that its signature covers and that can be read."""
    if FIELD not in claim.covered or FIELD in message.repeated:
        return None
    found = _HEADER.match(message.headers.get(FIELD, ""))
    return None if found is None else LogNumber(found["epoch"], int(found["number"]))


# ── a page of a log ──


def page_url(origin: str, authority: str, after: int) -> Uri:
    """Where the log of an instance for the one at `authority` is read, after a number."""
    return Uri.parse(f"{origin}/siblings/{authority}/log/{after}")


def write_page(page: Page) -> dict[str, Json]:
    """Return a page as a document; each activity stands in it as a text, as it was sent, byte for byte."""
    document: dict[str, Json] = {"epoch": page.epoch}
    if page.before:
        document["continues"] = {"epoch": page.before, "through": page.begins}
    return {**document, "last": page.last, "entries": [_written(entry) for entry in page.entries]}


def weight(one: Entry | Keepsake) -> int:
    """Return how many bytes it takes on a page, as it is written there."""
    return len(orjson.dumps(_written(one) if isinstance(one, Entry) else _shown(one)))


def read_page(document: Mapping[str, Any], after: int) -> Page:
    """Return the page asked for with `after`; raise Malformed for one that contradicts itself or the question."""
    try:
        continues = document.get("continues") or {}
        page = Page(
            epoch=_epoch(document["epoch"]), before=_epoch(continues["epoch"]) if continues else "",
            begins=_number(continues["through"], 0) if continues else 0, last=_number(document["last"], 0),
            entries=tuple(_read(item) for item in document["entries"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Malformed("no page of a log") from None
    if len(page.entries) > ENTRIES:
        raise Malformed("more entries than a page has")
    for entry in page.entries:
        if entry.number <= after or entry.last > page.last:
            raise Malformed("numbers that do not rise, or that were not given")
        after = entry.last
    return page


def logged(entry: Entry, page: Page, instance: Uri, url: Uri) -> Logged:
    """Return what stands under a number as something that was read at `instance`; it has words."""
    if entry.body is None:
        raise ValueError("nothing stands under this number")
    return Logged(instance, url, entry.body, LogNumber(page.epoch, entry.number), entry.head, _SEAL)


def in_turn(entry: Entry) -> str:
    """Return whose words these are, where they keep their order; empty for what waits for nothing.

    A withdrawal overtakes all else, and a doctor's own new version may be what lets the rest be heard.
    """
    try:
        document = orjson.loads(entry.body or b"null")
        actor, what = document["actor"], document.get("object")
        about = what.get("id") if isinstance(what, dict) else what
        if document["type"] in ("Delete", "Undo") or about == actor or not isinstance(actor, str):
            return ""
    except (ValueError, TypeError, KeyError, AttributeError):
        return ""  # the door says what is wrong with it
    return actor


def holes(numbers: Iterable[int], after: int, through: int) -> list[Entry]:
    """Return as gone every stretch of (after, through] in which none of the numbers lies."""
    found: list[Entry] = []
    for number in (*sorted(numbers), through + 1):
        if number > after + 1:
            found.append(Entry(after + 1, gone=number - 1))
        after = max(after, number)
    return found


# ── what a sibling kept of ours ──


def head_of(url: Uri, headers: Mapping[str, str], body: bytes) -> str:
    """Return the head of a message that was signed for `url`, as whoever receives it there keeps it."""
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    if "host" not in {name.lower() for name in headers}:
        pairs.append((b"host", url.authority.encode()))
    message = SignedMessage.from_raw("POST", url.origin, url.target, pairs).with_body(body)
    return keep_head(message, read_claim(message))


def received_url(origin: str, authority: str, epoch: str, after: int) -> Uri:
    """Where a sibling shows what it received of the instance at `authority` in an epoch, after a number."""
    return Uri.parse(f"{origin}/siblings/{authority}/received/{epoch}/{after}")


def keep_head(message: SignedMessage, claim: Claim) -> str:
    """Return the head of a message as it has to be kept for its signature to be checked again."""
    wanted = {"signature", "signature-input", "host", "date", *claim.covered}
    return orjson.dumps(
        {"target": message.target, "headers": {k: v for k, v in message.headers.items() if k in wanted}}
    ).decode()


def write_received(last: int, kept: Iterable[Keepsake]) -> dict[str, Json]:
    """Return what was received as a document; what has no words any more is left out."""
    return {"last": last, "entries": [_shown(one) for one in kept]}


def read_received(document: Mapping[str, Any], after: int) -> tuple[int, list[Keepsake]]:
    """Return the highest number a sibling knows, and a page of what it kept; raise Malformed."""
    try:
        last = _number(document["last"], 0)
        kept = [
            Keepsake(_number(item["number"], after + 1), str(item["head"]), str(item["activity"]).encode())
            for item in document["entries"]
        ]
    except (KeyError, TypeError, ValueError):
        raise Malformed("not what a sibling received") from None
    numbers = [one.number for one in kept]
    if len(kept) > ENTRIES or numbers != sorted(set(numbers)):
        raise Malformed("too many, or not in order")
    return last, kept


def kept_claim(kept: Keepsake, origin: str) -> tuple[SignedMessage, Claim]:
    """Return the message to `origin` that a sibling kept and what its signature claims; raise Refused."""
    try:
        head = strict_json(kept.head.encode())
        pairs = [(name.encode("ascii"), value.encode("ascii")) for name, value in head["headers"].items()]  # type: ignore[union-attr]
        message = SignedMessage.from_raw("POST", origin, str(head["target"]), pairs).with_body(kept.body)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadSignature("no head of a message") from None
    return message, read_claim(message)


def prove_kept(message: SignedMessage, claim: Claim, key: PublicKey) -> Verified:
    """Return the proof that the owner of this key sent this message to that sibling, whenever it was; raise Refused."""
    return verify(message, claim, key, _signed_at(message, claim))


# ── whose a page is ──


def seal_page(document: Mapping[str, Json], url: Uri, key: PrivateKey, now: datetime) -> bytes:
    """Return the page that stands at `url` as bytes, with the proof of the instance actor whose key this is.

    `eddsa-jcs-2022` (FEP-8b32). The page names its own address: it answers this question of this sibling and no other.
    """
    if not isinstance(key.key, Ed25519PrivateKey):
        raise TypeError("object proofs are made with Ed25519")
    return orjson.dumps(add_proof({"id": url, **document}, key.key, verification_method=key.id, created=now))


def proved_by(document: Mapping[str, Any], url: Uri, now: datetime) -> Uri:
    """Return the key a page says it is signed with; raise PinMismatch unless it is for `url`, and from just now."""
    try:
        proof = read_proof(dict(document))
        method = Uri.parse(proof.verification_method)
    except (BadProof, BadUri):
        raise PinMismatch("a page without a proof") from None
    if document.get("id") != url or method.origin != url.origin:
        raise PinMismatch("a page for another question, or by another host")
    if proof.created is None or abs(now - proof.created) > MAX_WINDOW:
        raise PinMismatch("a page of another time")
    return method


def prove_page(document: Mapping[str, Any], key: PublicKey) -> None:
    """Raise PinMismatch unless the page is signed with this key."""
    try:
        if not isinstance(key.key, Ed25519PublicKey):
            raise BadProof("object proofs are made with Ed25519")
        check_proof(dict(document), key.key)
    except BadProof:
        raise PinMismatch("the proof of a page does not hold") from None


# ── parts ──


def _signed_at(message: SignedMessage, claim: Claim) -> datetime:
    """The moment the message itself names: it is old, and only whose it is counts."""
    if claim.created is not None:
        return datetime.fromtimestamp(claim.created, UTC)
    try:
        return parsedate_to_datetime(message.headers.get("date", ""))
    except (TypeError, ValueError):
        raise BadSignature("no time") from None


def _written(entry: Entry) -> dict[str, Json]:
    if entry.gone is not None:
        return {"number": entry.number, "gone": entry.gone}
    if entry.body is not None:
        head: dict[str, Json] = {"head": entry.head} if entry.head else {}
        return {"number": entry.number, "activity": entry.body.decode(), **head}
    return {"number": entry.number}


def _shown(one: Keepsake) -> dict[str, Json]:
    return {"number": one.number, "head": one.head, "activity": one.body.decode()}


def _read(item: Mapping[str, Any]) -> Entry:
    number = _number(item["number"], 1)
    if "gone" in item:
        return Entry(number, gone=_number(item["gone"], number))
    if "activity" not in item:
        return Entry(number)
    if not isinstance(item["activity"], str):
        raise ValueError("not the text of an activity")
    head = item.get("head", "")
    if not isinstance(head, str) or len(head) > MAX_HEAD:
        raise ValueError("not the head of a message")
    return Entry(number, item["activity"].encode(), head=head)


def _number(value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _LARGEST:
        raise ValueError("no number of a log")
    return value


def _epoch(value: Any) -> str:
    if not isinstance(value, str) or not _EPOCH.match(value):
        raise ValueError("no epoch")
    return value
