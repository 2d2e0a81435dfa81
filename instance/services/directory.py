"""The doctors of all siblings: their keys, their standing, and how to find them. Implements `Keys` and `Recognise`.

An actor is read once, judged once, and kept; on each message only the kept verdict is asked. A verdict is judged anew
when the allowlist or another process's verdicts change, when a credential runs out, and (a refusal) after a minute.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson

from federation import discovery, parse
from federation.allowlist import Direction, Sibling
from federation.errors import ActorMismatch, Refused, StandingRefused, UnknownKey
from federation.keys import PublicKey
from federation.ports import Speaker
from federation.uri import BadUri, Uri
from federation.vocabulary import Doctor, Instance
from instance.services.doctors import words_of
from instance.services.fetching import JRD_ACCEPT, Budget, Fetcher, GoneThere, NotReached, NotThere
from instance.services.judging import OK, KnownDoctor, is_deferred, judge, read_keys, refusal_of, row_of, with_standing
from instance.services.key_memory import KeyMemory, Keys
from instance.services.status_lists import StatusLists
from instance.storage.store import Row, Transaction
from instance.times import from_ms, to_ms
from verification import relocation
from verification.verdicts import Reason

if TYPE_CHECKING:
    from instance.wiring import Node

#: How long a refusal counts before the actor is read again.
AGAIN: Final = timedelta(minutes=1)
#: How often other processes' verdicts are asked for; a change bites in under a second.
_LOOK: Final = 0.25
_REMEMBERED: Final = 8_192
#: When somebody who has left is read again.
_NEVER_AGAIN: Final = datetime.max.replace(tzinfo=UTC)
_NO_CREDENTIAL: Final = Reason.NO_CREDENTIAL.value
_SUSPENDED: Final = Reason.SUSPENDED.value
_STATUS_UNKNOWN: Final = Reason.STATUS_UNKNOWN.value


@dataclass(slots=True)
class _Verdict:
    """What was found about an actor, and when; `doctor` is None for one that is nobody's doctor."""

    doctor: KnownDoctor | None
    judged_at: datetime


@dataclass(frozen=True, slots=True)
class Learned:
    """A new version of a doctor, judged, with the keys it lists; `Directory.keep` stores it."""

    doctor: KnownDoctor
    keys: Keys
    document: Mapping[str, Any]
    credential: Any


class Directory:
    """Keys, standings and addresses of siblings' doctors."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._fetcher = Fetcher(node)
        self.lists = StatusLists(node, self._fetcher)
        self._newcomers = Budget()
        self._keys = KeyMemory(node.store, node.clock, self._read_owner)
        self._verdicts: OrderedDict[Uri, _Verdict] = OrderedDict()
        #: Doctors who have left, and whose home shows their keys still.
        self._left: OrderedDict[Uri, None] = OrderedDict()
        self._allowlist = -1
        self._standing = -1
        self._looked = 0.0

    # ── the ports of the door ──

    async def find(self, key_id: Uri, sibling: Sibling) -> PublicKey:
        """Return the key from memory or after one signed fetch. Raises UnknownKey, KeyNotOwned, PinMismatch."""
        return await self._keys.find(key_id, sibling)

    async def reread(self, key_id: Uri, sibling: Sibling) -> PublicKey | None:
        """Read the key again past every cache, at most once a minute per key; None where that is not due."""
        return await self._keys.reread(key_id, sibling)

    async def pinned(self, key_id: Uri, sibling: Sibling) -> PublicKey:
        """Return a pinned key of the sibling's instance actor. Raises UnknownKey, KeyNotOwned, PinMismatch."""
        return await self._keys.pinned(key_id, sibling)

    async def __call__(self, actor: Uri, sibling: Sibling) -> Speaker:
        """Return who speaks; raise StandingRefused or StandingDeferred where no verified doctor does."""
        if actor == sibling.actor:
            return Speaker(actor)
        try:
            doctor = await self._current(actor, sibling)
        except StandingRefused:
            if actor not in self._left:
                raise
            return Speaker(actor)
        # Like an instance, who has left takes back and does nothing else.
        return doctor.speaker if actor not in self._left else Speaker(actor)

    # ── what services and pages ask ──

    async def doctor(self, uri: Uri, sibling: Sibling | None = None) -> KnownDoctor:
        """Return a sibling's doctor in good standing; raise Refused where there is none that we may know."""
        doctor = await self._current(uri, sibling or self._home(uri))
        if doctor.standing != OK:
            raise StandingRefused(doctor.standing)
        return doctor

    async def known(self, uri: Uri, sibling: Sibling) -> KnownDoctor:
        """Return the doctor whose standing was just asked for; raise Refused where there is none that may speak."""
        verdict = self._verdicts.get(uri)
        if verdict is not None and verdict.doctor is not None:
            return verdict.doctor
        return await self._current(uri, sibling)

    async def read_anew(self, uri: Uri, sibling: Sibling) -> None:
        """Read a doctor again at home and judge them, whatever comes of it; raise NotReached where home is away."""
        try:
            await self._read_actor(uri, sibling)
        except NotThere:
            self.forget_doctor(uri)

    async def refresh(self, uri: Uri) -> KnownDoctor:
        """Read the doctor again at home now; raise Refused where that fails or the standing is not in order."""
        sibling = self._home(uri)
        await self._read_actor(uri, sibling)
        return await self.doctor(uri, sibling)

    async def examine(self, uri: Uri) -> tuple[Doctor, Learned]:
        """Read a doctor and their home's lists now, and judge them; nothing of it is kept.

        Raise Refused where they cannot be read.
        """
        sibling = self._home(uri)
        await self.lists.refresh(sibling.origin)
        document = await self._fetcher.document(uri, sibling)
        doctor = parse.doctor(document)
        return doctor, await self.learn(document, doctor, sibling)

    async def find_handle(self, address: str) -> KnownDoctor:
        """Return the doctor called `handle@authority`, found by a signed WebFinger request at that sibling alone."""
        uri = await self.find_uri(address)
        return await self.doctor(uri, self._home(uri))

    async def find_uri(self, address: str) -> Uri:
        """Return the id of whoever is called `handle@authority`, whatever their standing; raise Refused."""
        account = discovery.read_address(address.strip().removeprefix("acct:"))
        allowlist, secure = self._node.allowlist(), f"https://{account.authority}"
        # On loopback both schemes are possible; elsewhere there is https alone.
        origin = secure if allowlist.find(secure) is not None else account.origin
        sibling = allowlist.require(origin, Direction.FETCH)
        answer = await self._fetcher.json(discovery.webfinger_url(account, origin), sibling, JRD_ACCEPT)
        uri = discovery.read_webfinger(answer, account.uri, origin)
        if uri.origin != sibling.origin:
            raise NotThere("WebFinger leads elsewhere")
        return uri

    async def document(self, url: Uri) -> dict[str, Any]:
        """Return an object's document from its home; raise Refused where it cannot be had."""
        return await self._fetcher.document(url, self._home(url))

    def forget(self, origin: str) -> None:
        """Forget what is held in memory about this origin; rows are the caller's to delete."""
        self._keys.forget(origin)
        self._fetcher.forget(origin)
        self.lists.forget(origin)
        for uri in [uri for uri in self._verdicts if uri.origin == origin]:
            del self._verdicts[uri]

    def notice_standing(self) -> None:
        """Judge everybody anew at the next message."""
        self._verdicts.clear()

    def forget_doctor(self, uri: Uri) -> None:
        """Judge this doctor anew at the next message."""
        self._verdicts.pop(uri, None)

    # ── new versions of a doctor ──

    async def learn(self, document: Mapping[str, Any], doctor: Doctor, sibling: Sibling) -> Learned:
        """Judge a new version of a doctor; raise ForeignOrigin or ActorMismatch where it cannot be one.

        Handle and addresses never change (security A50).
        """
        before = await self._node.store.one("directory.doctor", uri=doctor.id)
        last = _at(before["valid_from"]) if before is not None else None

        def judged() -> KnownDoctor:
            now = self._node.clock()
            return judge(doctor, sibling, self.lists(), now=now, known=before is not None, last=last)

        known = judged()
        if is_deferred(known) and await self.lists.ensure(doctor.credential, sibling):
            known = judged()
        if before is not None:
            _require_same(known, before)
            known = _unless_moved(known, before)
        keys = read_keys(doctor.id, doctor.public_keys, doctor.assertion_methods)
        return Learned(known, keys, document, doctor.credential)

    async def keep(self, tx: Transaction, learned: Learned) -> bool:
        """Store a new version in the caller's transaction; False where nothing is known and nothing may be believed.

        A version that does not hold takes the mark away; the last confirmed name, role and keys stay. Who is gone does
        not come back, whatever credential they show: StandingRefused. Who has moved stays revoked until they return.
        """
        doctor, now = learned.doctor, self._node.clock()
        before = await tx.one("directory.doctor", uri=doctor.uri)
        if before is not None and before["gone_at"] is not None:
            raise StandingRefused(_NO_CREDENTIAL, "has left")
        if before is None and doctor.standing != OK:
            return False
        if before is not None:
            doctor = _unless_moved(doctor, before)
        values = row_of(doctor, learned.document, learned.credential, to_ms(now))
        if is_deferred(doctor):
            return True  # nothing was found against them
        if doctor.standing != OK:
            await tx.run(
                "directory.set_standing", uri=doctor.uri, standing=doctor.standing, document=values["document"],
                now=to_ms(now),
            )  # fmt: skip
        else:
            await self._keep_believed(tx, learned, values)
            await tx.run("directory.release_held", actor=doctor.uri, now=to_ms(now))
        overtaken = doctor.standing != learned.doctor.standing
        shown = (doctor.standing, values["valid_until"])
        if overtaken or (before is not None and (before["standing"], before["valid_until"]) != shown):
            await tx.run("directory.raise_standing_version")
        return True

    def adopt(self, learned: Learned) -> None:
        """Believe a new version in this process; call it after the commit of `keep`."""
        now = self._node.clock()
        if learned.doctor.standing == OK:
            self._keys.learn(learned.doctor.uri, learned.keys, now)
        self._remember(learned.doctor.uri, _Verdict(learned.doctor, now))
        self._node.wake.inbound.set()

    async def _keep_believed(self, tx: Transaction, learned: Learned, values: dict[str, Any]) -> None:
        doctor = learned.doctor
        await tx.take_turn(doctor.address)
        holder = await tx.one("directory.at_address", address=doctor.address)
        if holder is not None and holder["uri"] != doctor.uri:
            raise ActorMismatch("the handle is another's")
        await tx.run("directory.put", **values)
        await tx.run("directory.drop_specialties", doctor=doctor.uri)
        for slug in doctor.specialties:
            await tx.run("directory.add_specialty", doctor=doctor.uri, specialty=slug)
        await tx.run("directory.drop_words", doctor=doctor.uri)
        for word in sorted(words_of(doctor.name, doctor.handle)):
            await tx.run("directory.add_word", doctor=doctor.uri, word=word)
        await tx.run("status.drop_places", doctor=doctor.uri)
        for place in doctor.places:
            await tx.run("status.add_place", list=place.list, place=place.index, doctor=doctor.uri)
        await self._keys.keep(tx, doctor.uri, learned.keys, self._node.clock())

    # ── standing ──

    async def _current(self, uri: Uri, sibling: Sibling) -> KnownDoctor:
        """Return the doctor when the verdict in force lets them speak or wait; raise the verdict otherwise."""
        await self._notice_changes()
        verdict = self._verdicts.get(uri) or await self._from_row(uri, sibling)
        now = self._node.clock()
        if verdict is not None and verdict.doctor is not None:
            verdict = await self._freshened(uri, sibling, verdict, verdict.doctor)
        if verdict is None or self._is_due(verdict, now):
            verdict = await self._renewed(uri, sibling, verdict)
        doctor = verdict.doctor
        if doctor is None:
            raise StandingRefused(_NO_CREDENTIAL)
        if not doctor.holds_at(now):
            doctor = with_standing(doctor, Reason.EXPIRED.value)
        refusal = refusal_of(doctor)
        if refusal is not None:
            raise self._with_wait(refusal, sibling)
        return doctor

    def _with_wait(self, refusal: Refused, sibling: Sibling) -> Refused:
        """Where lists were never read, the wait is until they are asked for again."""
        if refusal.answer_code == _STATUS_UNKNOWN:
            wait = self.lists.seconds_to_next(sibling.origin)
            refusal.retry_after = wait if wait is not None else refusal.retry_after
        return refusal

    async def _freshened(self, uri: Uri, sibling: Sibling, verdict: _Verdict, doctor: KnownDoctor) -> _Verdict | None:
        """Have the status lists read again where the verdict rests on old ones, and judge by what there is then."""
        now = self._node.clock()
        waits = is_deferred(doctor)
        suspended = doctor.standing == _SUSPENDED and self._is_due(verdict, now)
        if not waits and not suspended and doctor.is_fresh_at(now):
            return verdict
        young = not suspended and self.lists.is_young(sibling.origin)
        if not young and not await self.lists.refresh(sibling.origin) and (waits or suspended):
            return verdict
        self._verdicts.pop(uri, None)
        return await self._from_row(uri, sibling)

    def _is_due(self, verdict: _Verdict, now: datetime) -> bool:
        """Whether the actor is read again before the verdict is answered with: once a minute, and only a bad one."""
        doctor = verdict.doctor
        good = doctor is not None and doctor.standing == OK and doctor.holds_at(now)
        return not good and now - verdict.judged_at >= AGAIN

    async def _renewed(self, uri: Uri, sibling: Sibling, verdict: _Verdict | None) -> _Verdict:
        try:
            await self._read_actor(uri, sibling)
        except NotReached:
            if verdict is None:
                raise
            verdict.judged_at = self._node.clock()
        except NotThere as refusal:
            raise StandingRefused(_NO_CREDENTIAL, refusal.reason) from None
        return self._verdicts.get(uri) or verdict or _Verdict(None, self._node.clock())

    async def _from_row(self, uri: Uri, sibling: Sibling) -> _Verdict | None:
        """Judge what is stored under the allowlist in force: rows outlive it."""
        row = await self._node.store.one("directory.doctor", uri=uri)
        if row is None or row["local"]:
            return None
        if row["gone_at"] is not None:
            verdict = _Verdict(None, _NEVER_AGAIN)
            self._remember(uri, verdict)
            return verdict
        document = parse.doctor(orjson.loads(row["document"]))
        doctor = judge(document, sibling, self.lists(), now=self._node.clock(), known=True)
        if row["standing"] != OK and doctor.standing == OK:
            doctor = with_standing(doctor, row["standing"])
        doctor = _unless_moved(doctor, row)
        # Long ago, so that a bad one is read again at once.
        at = self._node.clock() if doctor.standing == OK else self._node.clock() - AGAIN
        verdict = _Verdict(doctor, at)
        if doctor.standing != row["standing"] and not is_deferred(doctor):
            await self._store_verdict(uri, doctor.standing, row)
        self._remember(uri, verdict)
        return verdict

    async def _store_verdict(self, uri: Uri, standing: str, row: Row) -> None:
        async def work(tx: Transaction) -> None:
            now = to_ms(self._node.clock())
            await tx.run("directory.set_standing", uri=uri, standing=standing, document=row["document"], now=now)

        await self._node.store.write(work)

    async def _notice_changes(self) -> None:
        """Drop every verdict made under another allowlist, or overtaken in another process."""
        version = self._node.allowlist().version
        if version != self._allowlist:
            self._allowlist = version
            self._drop_strangers()
        moment = asyncio.get_running_loop().time()
        if moment - self._looked < _LOOK:
            return
        self._looked = moment
        row = await self._node.store.one("directory.standing_version")
        standing = int(row["value"]) if row is not None else 0
        if standing != self._standing:
            self._standing = standing
            self._verdicts.clear()
            await self.lists.load()

    def _drop_strangers(self) -> None:
        self._verdicts.clear()
        allowlist = self._node.allowlist()
        for origin in self._keys.origins() | self.lists.origins():
            if allowlist.find(origin) is None:
                self.forget(origin)

    def _remember(self, uri: Uri, verdict: _Verdict) -> None:
        self._verdicts[uri] = verdict
        if len(self._verdicts) > _REMEMBERED:
            self._verdicts.popitem(last=False)

    def _home(self, uri: Uri) -> Sibling:
        return self._node.allowlist().require(uri.origin, Direction.FETCH)

    # ── reading at home ──

    async def _read_owner(self, key_id: Uri, sibling: Sibling) -> Keys:
        """Read the document a key stands in, and its owner; learn all keys of the owner."""
        url = key_id.without_fragment()
        try:
            document = await self._fetcher.document(url, sibling)
        except GoneThere as gone:
            return await self._learn_left(url, gone, sibling)
        owner = document.get("owner") or document.get("controller")
        if "inbox" not in document and owner is not None:
            try:
                url = Uri.parse(owner)
            except BadUri:
                raise UnknownKey("the key has no owner") from None
            if url.origin != sibling.origin:
                raise UnknownKey("the owner lies elsewhere")
            document = await self._fetcher.document(url, sibling)
        return await self._learn(url, document, sibling)

    async def _read_actor(self, uri: Uri, sibling: Sibling) -> None:
        try:
            document = await self._fetcher.document(uri, sibling)
        except GoneThere as gone:
            await self._learn_left(uri, gone, sibling)
            raise
        await self._learn(uri, document, sibling)

    async def _learn(self, uri: Uri, document: dict[str, Any], sibling: Sibling) -> Keys:
        """Take in an actor document just read: the sibling's instance, a doctor, or somebody who may not speak."""
        if uri == sibling.actor:
            return await self._learn_instance(parse.instance(document), sibling)
        try:
            doctor = parse.doctor(document)
        except Refused as refusal:
            self._remember(uri, _Verdict(None, self._node.clock()))
            raise StandingRefused(_NO_CREDENTIAL, f"not a doctor's document: {refusal.code}") from None
        before = await self._node.store.one("directory.doctor", uri=uri)
        if before is not None and before["gone_at"] is not None:
            return self._hold_left(uri, read_keys(uri, doctor.public_keys, doctor.assertion_methods))
        learned = await self.learn(document, doctor, sibling)
        await self._store(learned, sibling)
        return learned.keys

    async def _learn_left(self, uri: Uri, gone: GoneThere, sibling: Sibling) -> Keys:
        """Hold the keys a Tombstone still shows: a doctor we know may take back what they wrote here, and no more."""
        if await self._node.store.one("directory.doctor", uri=uri) is None:
            raise gone
        try:
            stone = parse.tombstone(gone.document or {})
        except Refused:
            raise gone from None
        keys = read_keys(uri, stone.public_keys, stone.assertion_methods)
        if not keys:
            raise gone
        return self._hold_left(uri, keys)

    def _hold_left(self, uri: Uri, keys: Keys) -> Keys:
        """Hold the keys of somebody who has left, in this process alone."""
        self._keys.learn(uri, keys, self._node.clock())
        self._left[uri] = None
        if len(self._left) > _REMEMBERED:
            self._left.popitem(last=False)
        return keys

    async def _learn_instance(self, instance: Instance, sibling: Sibling) -> Keys:
        keys = read_keys(instance.id, instance.public_keys, instance.assertion_methods)
        now = self._node.clock()

        async def work(tx: Transaction) -> None:
            await self._keys.keep(tx, instance.id, keys, now)

        await self._node.store.write(work)
        self._keys.learn(instance.id, keys, now)
        await self._node.siblings.pins.take_in(instance, sibling)
        return keys

    async def _store(self, learned: Learned, sibling: Sibling) -> None:
        """Keep a doctor read at home; who is unknown and not verified is remembered in this process alone."""
        uri, now = learned.doctor.uri, self._node.clock()
        if await self._node.store.one("directory.doctor", uri=uri) is None and learned.doctor.standing == OK:
            self._newcomers.spend(sibling.origin, now)

        async def work(tx: Transaction) -> None:
            await self.keep(tx, learned)

        await self._node.store.write(work)
        self._keys.learn(uri, learned.keys, now)
        self._left.pop(uri, None)
        self.adopt(learned)


def _unless_moved(doctor: KnownDoctor, before: Row) -> KnownDoctor:
    """The doctor as judged; revoked, whatever the home shows, where they have moved from here and not come back."""
    if not before["moved_to"]:
        return doctor
    back = doctor.standing == OK and relocation.has_returned(
        doctor.moved_to, doctor.valid_from, last_valid_from=_at(before["valid_from"]), moved_at=_at(before["moved_at"])
    )
    return doctor if back else with_standing(doctor, Reason.REVOKED.value)


def _at(ms: int | None) -> datetime | None:
    return None if ms is None else from_ms(ms)


def _require_same(known: KnownDoctor, before: Row) -> None:
    """Raise ActorMismatch where a document gives a known doctor another handle or other addresses."""
    for name in ("handle", "inbox", "outbox", "followers", "following"):
        if getattr(known, name) != before[name]:
            raise ActorMismatch(f"{name} changed")
