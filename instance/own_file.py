"""A file on the disk that nobody can read but through the object that made it: made whole, then handed out in parts.

It has no name, and is sealed under a key that stands in memory alone: what people wrote lies in plain nowhere.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

_PART: Final = 64 * 1024


class OwnFile:
    """Written to its end, then read once from its beginning; gone when it is closed."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._cipher = Cipher(AES(secrets.token_bytes(32)), CTR(secrets.token_bytes(16)))
        self._sealing = self._cipher.encryptor()
        self.size = 0

    def write(self, data: bytes) -> int:
        """Add to it."""
        self._file.write(self._sealing.update(bytes(data)))
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is kept back that a reader would miss."""

    def parts(self) -> Iterator[bytes]:
        """What was written, a part at a time."""
        self._file.seek(0)
        opening = self._cipher.decryptor()
        while part := self._file.read(_PART):
            yield opening.update(part)

    def close(self) -> None:
        """Let it go; nobody finds it any more."""
        self._file.close()
