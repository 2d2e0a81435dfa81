"""Apps that show a code of six digits (TOTP, RFC 6238), and recovery codes on paper.

Both libraries are imported when the first app is met.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from datetime import datetime
from typing import Final

#: Recovery codes of one set.
SET: Final = 10
#: Steps before and after the present one whose codes are taken.
DRIFT: Final = 1
_SECRET_BYTES: Final = 20
#: Letters and digits that nobody takes for another: 16 of them are about 79 bits.
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _GROUP = 4, 4
_APP_CODE: Final = re.compile(r"[0-9]{6}\Z")
_RECOVERY_CODE: Final = re.compile(rf"[{_ALPHABET}]{{{_GROUPS * _GROUP}}}\Z")
_BETWEEN: Final = re.compile(r"[\s.–-]+")


def make_secret() -> bytes:
    """Return a new secret of 160 bits (RFC 4226 section 4)."""
    return secrets.token_bytes(_SECRET_BYTES)


def typed(secret: bytes) -> str:
    """The secret as it is typed into an app that has no camera, in groups of four."""
    text = base64.b32encode(secret).decode("ascii")
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def address(secret: bytes, login: str, issuer: str) -> str:
    """The address (otpauth) that an app reads from the picture."""
    import pyotp

    return pyotp.TOTP(base64.b32encode(secret).decode("ascii")).provisioning_uri(name=login, issuer_name=issuer)


def picture(text: str) -> str:
    """The text as a QR code, an SVG element that scales with its page and needs no style of its own."""
    import segno

    drawn = segno.make(text, error="m", micro=False)
    return drawn.svg_inline(border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr", lineclass=None)


def step_of(secret: bytes, code: str, now: datetime) -> int | None:
    """Return the time step whose code this is, at most one away from now; None where it is the code of none."""
    import pyotp
    from pyotp.exceptions import OTPVerificationError

    if not _APP_CODE.match(code):
        return None
    app = pyotp.TOTP(base64.b32encode(secret).decode("ascii"))
    try:
        return app.verify_and_get_timecode(code, for_time=now, valid_window=DRIFT)
    except OTPVerificationError:
        return None


def plain(code: str) -> str:
    """The code without what people put between its parts."""
    return _BETWEEN.sub("", code[:100]).casefold()


def make_recovery_codes() -> list[str]:
    """Return a set of new recovery codes, in groups that can be read out."""
    return ["-".join(_group() for _ in range(_GROUPS)) for _ in range(SET)]


def hashed(account_id: str, code: str) -> bytes:
    """What is kept of a recovery code."""
    return hashlib.sha256(f"{account_id} {plain(code)}".encode()).digest()


def is_recovery_code(code: str) -> bool:
    """Whether this has the form of a recovery code."""
    return _RECOVERY_CODE.match(code) is not None


def _group() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_GROUP))
