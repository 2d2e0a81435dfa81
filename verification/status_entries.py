"""Where a credential's bits lie: its entries in the issuer's two status lists."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from federation.integrity import Json
from federation.uri import Uri, is_uri
from verification.statuslist import Purpose

ENTRY: Final = "BitstringStatusListEntry"
# A decimal without sign or leading zeros; nine digits name more bits than any list can hold.
_INDEX: Final = re.compile(r"(?:0|[1-9][0-9]{0,8})\Z")


@dataclass(frozen=True, slots=True)
class StatusEntry:
    """One bit: what it means, in which list, at which index."""

    purpose: Purpose
    list: Uri
    index: int


@dataclass(frozen=True, slots=True)
class StatusPlace:
    """A dossier's place at its issuer: the same index in both lists, for as long as the dossier lives."""

    index: int
    revocation_list: Uri
    suspension_list: Uri

    def entries(self) -> list[Json]:
        """The entries as a credential carries them."""
        return [
            _write(Purpose.REVOCATION, self.index, self.revocation_list),
            _write(Purpose.SUSPENSION, self.index, self.suspension_list),
        ]


def read(value: Json) -> tuple[StatusEntry, ...]:
    """Return the entries for revocation and suspension, in this order; raise ValueError unless there is one of each.

    Entries for other purposes are no concern of ours.
    """
    items = value if isinstance(value, list) else []
    return tuple(_only(items, purpose) for purpose in (Purpose.REVOCATION, Purpose.SUSPENSION))


def _only(items: list[Json], purpose: Purpose) -> StatusEntry:
    found = [item for item in items if isinstance(item, dict) and item.get("statusPurpose") == purpose.value]
    if len(found) != 1:
        raise ValueError("not exactly one entry of this purpose")
    address, index = found[0].get("statusListCredential"), found[0].get("statusListIndex")
    if found[0].get("type") != ENTRY or not is_uri(address) or not isinstance(index, str) or not _INDEX.match(index):
        raise ValueError("a malformed entry")
    return StatusEntry(purpose, Uri.parse(address), int(index))


def _write(purpose: Purpose, index: int, address: Uri) -> dict[str, Json]:
    return {
        "type": ENTRY,
        "statusPurpose": purpose.value,
        "statusListIndex": str(index),
        "statusListCredential": str(address),
    }
