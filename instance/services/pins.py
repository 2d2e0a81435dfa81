"""The keys pinned of a sibling, beside those its instance actor shows: an administrator alone changes a pin (A127).

A rotation begins with new keys beside the pinned ones. It is noted, the administrator is told, and nothing more: what
the new keys sign is refused with `pin_mismatch` until they have been compared and pinned.

Codes raised here: CODES.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson

from federation.allowlist import IssuerKey, Sibling
from federation.keys import PublicKey
from federation.vocabulary import Instance
from instance.services import candidates, key_alarm
from instance.services.allowlist_cache import read_sibling, write_issuer_keys
from instance.services.candidates import CandidateKey, Found, fingerprint_of
from instance.services.errors import Rejected
from instance.services.judging import read_keys
from instance.services.orders import check_order
from instance.services.sibling_changes import RENEW, commit, record, take_turn, to_json
from instance.storage.store import Reader, Row, Transaction

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = ("unknown_sibling", "not_an_instance", "fingerprint_differs", "no_change")

#: Issuer keys live at most two years; what they signed before we met holds at most 100 days.
ISSUER_KEY_LIFE: Final = timedelta(days=730)
OLDEST_CREDENTIAL: Final = timedelta(days=100)
#: What a sibling says of itself is taken over this often: each time costs every verdict on its doctors.
RENEWED_EVERY: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a sibling shows now beside what is pinned of it; message keys by fingerprint, issuer keys as Multikeys."""

    found: Found
    #: The fingerprint over everything that is pinned, as `found` has it over everything that is shown.
    pinned: str
    #: Whom to ask, as it was admitted or last compared; `found` has what it says now.
    contact: str
    new: tuple[str, ...]
    gone: tuple[str, ...]


class Pins:
    """Notes what siblings show; compares and pins when the administrator says so."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._renewed: dict[str, datetime] = {}

    # ── what an instance actor shows ──

    async def take_in(self, instance: Instance, sibling: Sibling) -> bool:
        """Note the keys shown and what else has changed; no pin or country is touched.

        False, with an alarm, where a key stands there without a pinned one of its kind. Unless just these keys were
        announced before, the sibling is suspended until people have compared (`key_alarm`). Whoever calls has read the
        document at the sibling's own origin, or found it signed with a pinned key.
        """
        keys = _message_keys(instance, sibling)
        if not stand_beside(keys, sibling.instance_keys):
            self._node.log.error(key_alarm.CODE, sibling=sibling.origin)
            announced, _ = await self.announced(sibling)
            if not {key.fingerprint for key in keys} <= sibling.instance_keys | set(announced) or not keys:
                await key_alarm.suspend(self._node, sibling)
            return False
        await self._note({key.fingerprint for key in keys}, sibling)
        await self._renew(instance, sibling)
        return True

    async def announced(self, sibling: Sibling) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the keys last shown that are not pinned, and the pinned ones no longer shown."""
        row = await self._node.store.one("siblings.shown", origin=sibling.origin)
        shown = frozenset(orjson.loads(row["value"])) if row is not None else sibling.instance_keys
        return _sorted(shown - sibling.instance_keys), _sorted(sibling.instance_keys - shown)

    async def _note(self, fingerprints: set[str], sibling: Sibling) -> None:
        """Keep the keys shown as long as they are not those pinned; say so once."""
        origin = sibling.origin
        shown = None if fingerprints == sibling.instance_keys else to_json(sorted(fingerprints))
        row = await self._node.store.one("siblings.shown", origin=origin)
        if shown == (None if row is None else row["value"]):
            return

        async def work(tx: Transaction) -> None:
            await tx.run("siblings.forget_shown", origin=origin)
            if shown is not None:
                await tx.run("siblings.note_shown", origin=origin, shown=shown)

        await self._node.store.write(work)
        if shown is not None:
            new, gone = fingerprints - sibling.instance_keys, sibling.instance_keys - fingerprints
            self._node.log.warning("keys_announced", sibling=origin, new=len(new), gone=len(gone))

    async def _renew(self, instance: Instance, sibling: Sibling) -> None:
        """Take over what no trust hangs on: the signature profile it announces, and its software."""
        origin, now = sibling.origin, self._node.clock()
        last = self._renewed.get(origin)
        if last is not None and timedelta(0) <= now - last < RENEWED_EVERY:
            return
        row = await self._node.store.one("siblings.get", origin=origin)
        said = {"speaks_rfc9421": int(instance.speaks_rfc9421), "software": instance.software}
        if row is None or said == (seen := {name: row[name] for name in said}):
            return

        async def work(tx: Transaction) -> None:
            after = await tx.one(
                "siblings.renew", origin=origin, **said, seen_rfc9421=seen["speaks_rfc9421"],
                seen_software=seen["software"],
            )  # fmt: skip
            if after is not None:
                await record(
                    self._node, tx, origin, RENEW, sibling.actor, "said by its actor",
                    before={**after, **seen}, after=after,
                )  # fmt: skip

        await commit(self._node, work)
        self._renewed[origin] = now

    # ── the administrator's hand ──

    async def compare(self, origin: str) -> Comparison:
        """Read the sibling's actor now and hold it against the pins; store nothing."""
        row = await self._require(self._node.store, origin)
        found = await candidates.look_up(self._node, origin)
        if found.actor != row["actor"]:
            raise Rejected("not_an_instance", "origin")
        sibling = read_sibling(row)
        pinned, shown = (
            _everything(sibling.instance_keys, sibling.issuer_keys),
            _everything(found.keys, found.issuer_keys),
        )
        fingerprint = fingerprint_of(sibling.actor, sibling.instance_keys, [(k.id, k.key) for k in sibling.issuer_keys])
        return Comparison(found, fingerprint, row["contact"], _sorted(shown - pinned), _sorted(pinned - shown))

    async def repin(self, found: Found, fingerprint: str, by: str, reason: str) -> Sibling:
        """Pin exactly what the sibling shows, when the confirmed fingerprint is the one it showed.

        Without a fingerprint pins only leave: what is new demands that it was compared.
        """
        check_order(by, reason)
        seen = await self._require(self._node.store, found.origin)
        if found.actor != seen["actor"]:
            raise Rejected("not_an_instance", "origin")
        compared = bool(fingerprint.strip())
        if compared and fingerprint.strip().lower() != found.fingerprint:
            raise Rejected("fingerprint_differs", "fingerprint", status=409)

        async def work(tx: Transaction) -> None:
            await take_turn(tx)
            before = await self._require(tx, found.origin)
            after = {**before, **self._new_pins(before, found, compared=compared)}
            suspended = await tx.one("siblings.alarm", origin=found.origin) is not None
            if after == dict(before) and not suspended:
                raise Rejected("no_change", "fingerprint", status=409)
            changed = await tx.run(
                "siblings.set_pins", **{name: after[name] for name in _PINNED},
                seen_keys=seen["instance_keys"], seen_issuers=seen["issuer_keys"],
            )  # fmt: skip
            if not changed:
                raise Rejected("no_change", "fingerprint", status=409)
            await tx.run("siblings.forget_shown", origin=found.origin)
            await tx.run("siblings.end_alarm", origin=found.origin)
            await record(self._node, tx, found.origin, "repin", by, reason, before=before, after=after)

        await commit(self._node, work)
        return read_sibling(await self._require(self._node.store, found.origin))

    def _new_pins(self, before: Row, found: Found, *, compared: bool) -> dict[str, Any]:
        """The columns after the change; raise Rejected(fingerprint_differs) for a new key that was not compared.

        Whom to ask is no more to be had from whoever holds the address than a key is.
        """
        sibling = read_sibling(before)
        known = {(key.id, key.key): key for key in sibling.issuer_keys}
        shown = {(key.id, key.key): key for key in found.issuer_keys}
        if not compared and not (set(found.keys) <= sibling.instance_keys and set(shown) <= set(known)):
            raise Rejected("fingerprint_differs", "fingerprint", status=409)
        now = self._node.clock()
        issuers = [
            issuer_pin(key, now, known.get(name)) if compared else known[name] for name, key in shown.items()
        ]  # fmt: skip
        return {
            "instance_keys": to_json(sorted(found.keys)), "issuer_keys": write_issuer_keys(issuers),
            "speaks_rfc9421": int(found.speaks_rfc9421), "software": found.software,
            "contact": found.contact if compared else before["contact"],
        }  # fmt: skip

    async def _require(self, reader: Reader, origin: str) -> Row:
        row = await reader.one("siblings.get", origin=origin)
        if row is None:
            raise Rejected("unknown_sibling", "origin", status=404)
        return row


_PINNED: Final = ("origin", "instance_keys", "issuer_keys", "speaks_rfc9421", "software", "contact")


def stand_beside(keys: Collection[PublicKey], pinned: Collection[str]) -> bool:
    """Whether every key is a pinned one, or stands beside a pinned one of its kind; False where there is no key."""
    kinds = {key.algorithm for key in keys if key.fingerprint in pinned}
    return bool(keys) and all(key.algorithm in kinds for key in keys)


def issuer_pin(key: CandidateKey, now: datetime, before: IssuerKey | None = None) -> IssuerKey:
    """Return the pin of an issuer key compared now; one that was pinned before keeps its beginning."""
    begins = before.valid_from if before is not None else now - OLDEST_CREDENTIAL
    return IssuerKey(key.id, key.key, begins, now + ISSUER_KEY_LIFE)


def _message_keys(instance: Instance, sibling: Sibling) -> list[PublicKey]:
    """The keys messages may be signed with: whoever vouches for doctors with a key signs nothing else with it."""
    issuing = {key.key for key in instance.issuer_keys} | {key.key for key in sibling.issuer_keys}
    keys = read_keys(instance.id, instance.public_keys, instance.assertion_methods)
    return [key for key, _ in keys if key.algorithm == "rsa" or key.multikey not in issuing]


def _everything(keys: Iterable[str], issuers: Iterable[CandidateKey | IssuerKey]) -> frozenset[str]:
    return frozenset((*keys, *(key.key for key in issuers)))


def _sorted(keys: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(keys))
