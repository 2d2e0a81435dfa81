"""The issuer key at work, for an instance that holds it in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federation.integrity import Json, add_proof
from federation.uri import Uri


@dataclass(frozen=True, slots=True)
class KeySigner:
    """Keep the port `Signer` with an Ed25519 key; the key is never shown."""

    issuer: Uri
    verification_method: Uri
    key: Ed25519PrivateKey = field(repr=False)

    def sign(self, document: Mapping[str, Json], *, at: datetime) -> dict[str, Json]:
        """Return the document with its proof; raise NotCanonical where it cannot be signed."""
        return add_proof(document, self.key, verification_method=self.verification_method, created=at)
