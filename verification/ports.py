"""What the medical room asks of the instance."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from federation.integrity import Json
from federation.uri import Uri


class Signer(Protocol):
    """Hold the issuer key, and sign with it."""

    @property
    def issuer(self) -> Uri:
        """The instance actor in whose name credentials are issued."""

    def sign(self, document: Mapping[str, Json], *, at: datetime) -> dict[str, Json]:
        """Return the document with the issuer's proof of this time."""
