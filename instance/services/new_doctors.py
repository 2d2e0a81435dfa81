"""A doctor is made: the row, the words and specialties, the keys. Accounts and credentials are the caller's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from federation.keys import PrivateKey
from federation.uri import Uri
from instance.services import doctors
from instance.services.doctors import NewDoctor
from instance.storage.store import Row, Transaction
from instance.times import to_ms
from verification.names import fold

if TYPE_CHECKING:
    from instance.wiring import Node


def row_of(node: Node, new: NewDoctor, uri: Uri, name: str) -> dict[str, Any]:
    """Return the row of a new doctor, without the credential."""
    return {
        "uri": uri, "origin": node.origin, "handle": new.handle, "name": name, "folded": fold(name),
        "role": new.role, "country": new.country, "specialties": json.dumps(list(new.specialties)),
        "assurance": new.assurance, "inbox": f"{uri}/inbox", "shared_inbox": node.origin + "/inbox",
        "outbox": f"{uri}/outbox", "followers": f"{uri}/followers", "following": f"{uri}/following",
        "languages": json.dumps(list(new.languages)), "approves_followers": int(new.approves_followers),
    }  # fmt: skip


def multikeys(pairs: Sequence[PrivateKey]) -> list[str]:
    """The public keys that a credential binds."""
    return [pair.public().multikey for pair in pairs if pair.algorithm == "ed25519"]


async def keep(
    node: Node, tx: Transaction, row: Row, pairs: Sequence[PrivateKey], *, reverify: datetime, now: datetime
) -> bool:
    """Keep a doctor with a credential in the row; False, and nothing of it, where the handle is taken."""
    if not await tx.run("people.add", **row, now=to_ms(now)):
        return False
    uri = Uri.parse(row["uri"])
    await doctors.index(tx, uri, json.loads(row["specialties"]), row["name"], row["handle"])
    await tx.run("people.set_reverification", doctor=uri, due_at=to_ms(reverify))
    await node.keys.add(tx, pairs, not_before=now)
    return True
