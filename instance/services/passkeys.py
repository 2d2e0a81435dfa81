"""Passkeys (WebAuthn level 3): what browsers are asked, and whether what they answer is so.

The answers come from strangers' devices: whatever is wrong with one, it is `NotShown` and nothing else. The device must
know its person (user verification) both times. The library is imported here, when the first passkey is met.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from instance.storage.store import Row

if TYPE_CHECKING:
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

#: The longest answer that is looked at, in characters.
MAX_ANSWER: Final = 20_000
#: How long a browser waits for its person, in milliseconds.
_PATIENCE: Final = 300_000
_TRANSPORTS: Final = frozenset({"usb", "nfc", "ble", "internal", "hybrid", "smart-card", "cable"})
_HOST: Final = re.compile(r"https?://([^/:]+)(?::\d+)?\Z")


class NotShown(Exception):
    """What the browser sent proves nothing."""


@dataclass(frozen=True, slots=True)
class Party:
    """Whom passkeys are for: this instance (WebAuthn: relying party)."""

    origin: str
    name: str

    @property
    def id(self) -> str:
        """The host of the origin, without its port."""
        found = _HOST.match(self.origin)
        if found is None:
            raise ValueError(self.origin)
        return found[1]


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """A passkey that a device has just made."""

    id: bytes
    public_key: bytes
    sign_count: int
    transports: tuple[str, ...]


def ask_to_make(party: Party, account_id: str, login: str, known: Sequence[Row], challenge: bytes) -> str:
    """Return, as JSON, what `navigator.credentials.create` is given; devices that hold a known one make no other."""
    import webauthn
    from webauthn.helpers.structs import (
        AuthenticatorSelectionCriteria,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    options = webauthn.generate_registration_options(
        rp_id=party.id, rp_name=party.name, user_name=login, user_id=account_id.encode(), challenge=challenge,
        timeout=_PATIENCE, exclude_credentials=[_described(row) for row in known],
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
    )  # fmt: skip
    return webauthn.options_to_json(options)


def ask_to_show(party: Party, known: Sequence[Row], challenge: bytes) -> str:
    """Return, as JSON, what `navigator.credentials.get` is given: any of the known passkeys will do."""
    import webauthn
    from webauthn.helpers.structs import UserVerificationRequirement

    options = webauthn.generate_authentication_options(
        rp_id=party.id, challenge=challenge, timeout=_PATIENCE, allow_credentials=[_described(row) for row in known],
        user_verification=UserVerificationRequirement.REQUIRED,
    )  # fmt: skip
    return webauthn.options_to_json(options)


def made(party: Party, answer: str, challenge: bytes) -> NewPasskey:
    """Return the passkey that a device made for this challenge; raise NotShown for anything else."""
    import webauthn

    credential = _read(answer)
    try:
        found = webauthn.verify_registration_response(
            credential=credential, expected_challenge=challenge, expected_rp_id=party.id,
            expected_origin=party.origin, require_user_verification=True,
        )  # fmt: skip
    except Exception:  # the library raises whatever strange bytes bring about in it; none of it is a proof
        raise NotShown from None
    named = credential.get("response", {}).get("transports", [])
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise NotShown
    transports = [name for name in named if name in _TRANSPORTS]
    return NewPasskey(found.credential_id, found.credential_public_key, found.sign_count, tuple(transports[:8]))


def id_of(answer: str) -> bytes:
    """Return the id of the passkey that an answer says it is from; raise NotShown where it says none."""
    from webauthn import base64url_to_bytes

    try:
        return base64url_to_bytes(_read(answer)["rawId"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise NotShown from None


def shown(party: Party, answer: str, challenge: bytes, passkey: Row) -> int:
    """Return the device's new count where this passkey signed this challenge; raise NotShown for anything else.

    A count that does not rise is a copy of the device's key at work, and refused (WebAuthn section 6.1.1).
    """
    import webauthn

    try:
        found = webauthn.verify_authentication_response(
            credential=_read(answer), expected_challenge=challenge, expected_rp_id=party.id,
            expected_origin=party.origin, credential_public_key=bytes(passkey["public_key"]),
            credential_current_sign_count=passkey["sign_count"], require_user_verification=True,
        )  # fmt: skip
    except Exception:  # as above
        raise NotShown from None
    return found.new_sign_count


def _read(answer: str) -> dict[str, Any]:
    if len(answer) > MAX_ANSWER:
        raise NotShown
    try:
        read = json.loads(answer)
    except (ValueError, RecursionError):
        raise NotShown from None
    if not isinstance(read, dict) or not isinstance(read.get("response", {}), dict):
        raise NotShown
    return read


def _described(row: Row) -> PublicKeyCredentialDescriptor:
    from webauthn.helpers.structs import AuthenticatorTransport, PublicKeyCredentialDescriptor

    transports = [AuthenticatorTransport(name) for name in json.loads(row["transports"])]
    return PublicKeyCredentialDescriptor(id=bytes(row["id"]), transports=transports or None)
