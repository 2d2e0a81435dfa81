"""Second factors as people have them: a device that makes passkeys (WebAuthn), and an app that shows codes.

The device is written from the specification (WebAuthn level 3, sections 5.8.1, 6.1 and 6.5), not with the library that
the product checks it with.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import cbor2
import pyotp
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from instance.services.accounts import Stage, hashed
from instance.times import to_ms

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def b64(data: bytes) -> str:
    """Bytes as browsers send them."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class Device:
    """One authenticator with one passkey; everything a browser or a thief could get wrong can be set."""

    origin: str
    rp_id: str
    counts: bool = True
    flags: int = PRESENT | VERIFIED
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    count: int = 0

    def make(self, options: str) -> str:
        """Answer `navigator.credentials.create`."""
        asked = json.loads(options)
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cbor2.dumps(cose)
        made = {"fmt": "none", "attStmt": {}, "authData": self._data(ATTESTED) + attested}
        response = {
            "clientDataJSON": b64(self._client("webauthn.create", asked["challenge"])),
            "attestationObject": b64(cbor2.dumps(made)), "transports": ["internal", "nonsense"],
        }  # fmt: skip
        return self._answer(response)

    def show(self, options: str) -> str:
        """Answer `navigator.credentials.get`."""
        asked = json.loads(options)
        self.count += int(self.counts)
        client, data = self._client("webauthn.get", asked["challenge"]), self._data()
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        response = {"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature)}
        return self._answer(response)

    def _answer(self, response: dict[str, Any]) -> str:
        named = {"id": b64(self.id), "rawId": b64(self.id), "type": "public-key", "clientExtensionResults": {}}
        return json.dumps({**named, "response": response})

    def _client(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}).encode()

    def _data(self, more: int = 0) -> bytes:
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([self.flags | more]) + self.count.to_bytes(4, "big")


def device_of(node: Any, **changes: Any) -> Device:
    """A device in front of an instance's pages."""
    given = {"origin": node.origin, "rp_id": node.origin.partition("://")[2].partition(":")[0], **changes}
    return Device(**given)


def code(secret: str, now: datetime, step: int = 0) -> str:
    """What the app shows so many half minutes from now."""
    return pyotp.TOTP(secret.replace(" ", "")).at(now, counter_offset=step)


async def enrolment(node: Any, account: str) -> str:
    """Make an enrolment link for an account; return what is secret in it."""
    made, now = secrets.token_urlsafe(32), to_ms(node.clock())

    async def work(tx: Any) -> None:
        await tx.run(
            "factors.add_enrolment", token=hashed(made), account=account, now=now, expires_at=now + 7 * 86_400_000
        )

    await node.store.write(work)
    return made


async def let_enrol(node: Any, token: str) -> str:
    """Let staff who have shown the password alone add a factor, as their link does; return the session's token."""
    session = await node.people.entered(token)
    if session.stage is not Stage.ENROL or session.enrols:
        return token
    return str(await node.factors.open_enrolment(session, await enrolment(node, session.account_id)))


async def add_app(node: Any, token: str) -> tuple[str, str, tuple[str, ...]]:
    """Give the account of this session an app; return the session's new token, the app's secret, recovery codes."""
    session = await node.people.entered(await let_enrol(node, token))
    await node.factors.begin_app(session)
    waiting = await node.factors.app_to_confirm(session)
    renewed = await node.factors.confirm_app(session, code(waiting.secret, node.clock()))
    return renewed.token, waiting.secret, renewed.codes


async def _enrolment_of(visitor: Any) -> str:
    """What is secret in an enrolment link for whoever is signed in with this browser."""
    node = visitor.client.app.config["NODE"]
    cookies = {cookie.name: cookie.value for cookie in visitor.client.cookie_jar}
    session = await node.people.entered(next(value for name, value in cookies.items() if "session" in name))
    return await enrolment(node, session.account_id)


async def enrol(visitor: Any, now: datetime) -> str:
    """Add an app through the pages, without scripts; return its secret."""
    if 'name="enrolment"' in await visitor.text("/me/security"):
        await visitor.post("/me/security/enrol", enrolment=await _enrolment_of(visitor))
        await visitor.get("/me/security")
    await visitor.post("/me/security/app")
    secret = re.search(r'class="secret"><code>([A-Z2-7 ]+)<', await visitor.text("/me/security/app"))
    assert secret is not None
    done = await visitor.post("/me/security/app/confirm", code=code(secret[1], now))
    page = await done.get_data(as_text=True)
    assert done.status_code in (200, 303), page
    visitor.token = token[1] if (token := re.search(r'name="csrf" value="([^"]+)"', page)) else visitor.token
    return secret[1]
