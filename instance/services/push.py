"""Messages on devices (Web Push, RFC 8030): where browsers take them, and what is sent there.

A message says that there is news on this instance, and how much of each group; never a name, a title or a word of a
post. It is encrypted for the one browser (RFC 8291), always of the same length, and signed with a pair of keys of this
instance (RFC 8292). It goes to the hosts of `push_hosts` alone. Codes raised here: CODES.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from federation.errors import Refused
from federation.uri import BadUri, Uri
from federation.wire import is_push_service
from instance.i18n import LANGUAGES, catalogue
from instance.ids import new_ulid
from instance.services.errors import Rejected
from instance.services.notice_kinds import Group
from instance.services.notice_mails import counted
from instance.storage.store import Row, Transaction
from instance.times import to_ms
from instance.vault import head_under

if TYPE_CHECKING:
    from instance.services.accounts import Session
    from instance.wiring import Node

CODES: Final = ("push_not_possible",)
#: All messages are padded to so many bytes: their length says nothing.
PADDED: Final = 1_024
#: How long a push service keeps one for a device that is away, and how long our signature holds.
_KEPT: Final = timedelta(days=1)
_SIGNED: Final = timedelta(hours=12)
_POINT, _SECRET = 65, 16
_AAD: Final = b"push/vapid"
_MAIL: Final = re.compile(r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+\Z")
_OCTET: Final = re.compile(r"%[0-9a-fA-F]{2}")


class Outcome(StrEnum):
    """What became of a message."""

    SHOWN = "shown"
    #: There is no such device any more.
    GONE = "gone"
    LATER = "later"


class Push:
    """The devices of one instance's doctors."""

    def __init__(self, node: Node) -> None:
        self._node, self._store = node, node.store
        self._key: ec.EllipticCurvePrivateKey | None = None

    async def public_key(self) -> str:
        """The public half of our pair, as browsers are told it; the pair is made when it is first asked for."""
        point = (await self._pair()).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return base64.urlsafe_b64encode(point).rstrip(b"=").decode()

    async def is_on(self, session: Session) -> bool:
        """Whether the device of this session takes messages."""
        return await self._store.one("push.of_session", session=session.key) is not None

    async def turn_on(self, session: Session, endpoint: str, public_key: str, secret: str) -> None:
        """Send messages to the browser of this session from now on; raise Rejected(push_not_possible)."""
        url = self._endpoint(endpoint)
        if url is None or not _is_point(public_key) or len(_bytes(secret)) != _SECRET or session.doctor_uri is None:
            raise Rejected("push_not_possible")
        now = self._node.clock()

        async def work(tx: Transaction) -> None:
            await tx.run("push.drop_same", session=session.key, endpoint=url)
            await tx.run(
                "push.add", id=new_ulid(now), session=session.key, doctor=session.doctor_uri, endpoint=url,
                public_key=public_key, secret=secret, now=to_ms(now),
            )  # fmt: skip

        await self._pair()
        await self._store.write(work)

    async def turn_off(self, session: Session) -> None:
        """Send nothing more to the browser of this session."""

        async def work(tx: Transaction) -> None:
            await tx.run("push.drop_of_session", session=session.key)

        await self._store.write(work)

    async def show(self, device: Row, counts: Mapping[Group, int], language: str) -> Outcome:
        """Send one message; whatever goes wrong with it is an outcome, and keeps no other from going."""
        url = self._endpoint(device["endpoint"])
        if url is None:  # the list of hosts was narrowed since
            return Outcome.GONE
        try:
            body = _sealed(self._text(counts, language), device)
            answer = await self._node.wire.post_push(url, body, self._headers(url, await self._pair()))
        except (Refused, ValueError) as fault:
            self._node.log.warning("push_not_sent", error=type(fault).__name__)
            return Outcome.GONE
        if answer.status in (404, 410):
            return Outcome.GONE
        if 200 <= answer.status < 300:
            return Outcome.SHOWN
        self._node.log.warning("push_not_sent", status=answer.status, code=answer.code)
        # What the service cannot take (a message too large, a wrong signature) it will not take later either.
        return Outcome.LATER if answer.status in (0, 408, 429) or answer.status >= 500 else Outcome.SHOWN

    # ── parts ──

    def _endpoint(self, text: str) -> Uri | None:
        """The address of a browser's service, where its host is one of those we send to."""
        try:
            # Some services write octets in small letters; both spellings are one address (RFC 3986 section 6.2.2.1).
            url = Uri.parse(_OCTET.sub(lambda octet: octet[0].upper(), text))
        except BadUri:
            return None
        return url if is_push_service(url, self._node.config.push_hosts) else None

    async def _pair(self) -> ec.EllipticCurvePrivateKey:
        if self._key is None:
            if await self._store.one("push.key") is None:
                await self._make()
            row = await self._store.one("push.key")
            if row is None:
                raise LookupError("the pair that was just made is gone")
            key = load_der_private_key(self._node.vault.open(bytes(row["private"]), _AAD), None)
            if not isinstance(key, ec.EllipticCurvePrivateKey):
                raise TypeError("the pair for push services is of P-256")
            self._key = key
        return self._key

    async def _make(self) -> None:
        made = ec.generate_private_key(ec.SECP256R1())
        plain = made.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

        async def work(tx: Transaction) -> None:
            kek = await self._node.keys.kek_in_force(tx)
            sealed = self._node.vault.seal(plain, _AAD, kek)
            await tx.run("push.add_key", private=sealed, now=to_ms(self._node.clock()))

        await self._store.write(work)

    def _text(self, counts: Mapping[Group, int], language: str) -> bytes:
        words = catalogue(language if language in LANGUAGES else self._node.config.language)
        numbers = {group.value: number for group, number in counts.items()}
        said = {
            "title": words.text("push.title", name=self._node.config.name),
            "body": ", ".join(counted(words, numbers)),
            "lang": words.language,
        }
        return orjson.dumps(said).ljust(PADDED)

    def _headers(self, url: Uri, pair: ec.EllipticCurvePrivateKey) -> dict[str, str]:
        from py_vapid import Vapid02  # type: ignore[import-untyped]

        contact = self._node.config.contact
        host = Uri.parse(self._node.origin).host
        claims = {
            "sub": f"mailto:{contact}" if _MAIL.match(contact) else f"https://{host}",
            "aud": url.origin, "exp": int((self._node.clock() + _SIGNED).timestamp()),
        }  # fmt: skip
        signed = Vapid02(private_key=pair).sign(claims)
        return {
            "Authorization": signed["Authorization"], "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream", "TTL": str(int(_KEPT.total_seconds())), "Urgency": "normal",
            # A newer message takes the place of one that has not been shown yet.
            "Topic": "notices",
        }  # fmt: skip


async def reseal(node: Node, tx: Transaction, kek: str, most: int) -> int:
    """Seal the pair under this key-encryption key where it is sealed under another; return how many there were."""
    rows = await tx.all("push.sealed_otherwise", head=head_under(kek), most=most)
    for row in rows:
        await tx.run("push.reseal", id=row["id"], private=node.vault.reseal(bytes(row["private"]), _AAD, kek))
    return len(rows)


def _sealed(text: bytes, device: Row) -> bytes:
    import http_ece  # type: ignore[import-untyped]

    sealed: bytes = http_ece.encrypt(
        text, private_key=ec.generate_private_key(ec.SECP256R1()), dh=_bytes(device["public_key"]),
        auth_secret=_bytes(device["secret"]), version="aes128gcm",
    )  # fmt: skip
    return sealed


def _bytes(text: str) -> bytes:
    """What base64url says, with or without padding; nothing where it is none."""
    try:
        return (
            base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True) if len(text) < 200 else b""
        )
    except (binascii.Error, ValueError):
        return b""


def _is_point(text: str) -> bool:
    point = _bytes(text)
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        return False
    return len(point) == _POINT
