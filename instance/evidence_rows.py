"""Files of evidence as values: what a row says, and what sealed bytes are bound to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from instance.storage.store import Row
from instance.times import from_ms
from verification.documents import FileKind

#: In place of the hash of a file whose dossier's facts are erased.
NO_HASH: Final = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceFile:
    """One file of a dossier; `sha256` is of what was sent, `size` and `media` are of what is kept."""

    id: str
    dossier: str
    kind: str
    media: FileKind
    pages: int
    size: int
    sha256: bytes
    stored_at: datetime
    destroy_at: datetime | None = None


def belongs_to(file: EvidenceFile) -> bytes:
    """What sealed bytes and their key belong to: neither opens as another file's or another dossier's."""
    return bound_to(file.id, file.dossier)


def bound_to(id: str, dossier: str) -> bytes:
    """The same of a file's id and its dossier."""
    return b"\0".join((b"evidence", id.encode(), dossier.encode()))


def of_row(row: Row) -> EvidenceFile:
    """The file of a row of `evidence.get` or `evidence.of_dossier`."""
    at = row["destroy_at"]
    return EvidenceFile(
        id=row["id"], dossier=row["dossier"], kind=row["kind"], media=FileKind(row["media"]), pages=row["pages"],
        size=row["size"], sha256=bytes(row["hash"]), stored_at=from_ms(row["stored_at"]),
        destroy_at=None if at is None else from_ms(at),
    )  # fmt: skip
