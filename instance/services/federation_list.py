"""The federation list kept here: read by the hour, on a knock and when told; judged, stored, and in force at once.

Whoever hands a list on, the pinned host, a sibling that mirrors it or an administrator's file, it is judged alike. One
that is refused leaves the last good one, which counts until it runs out; the code is logged, counted and shown.

    tick ─ due? ▸ fetch ▸ missing ones ▸ one transaction: rows, entries, record, version ▸ what waited is released
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from federation import membership, signatures
from federation.allowlist import Listed, Sibling
from federation.delivery import Priority
from federation.errors import NotFound, Refused, TooManyRequests
from federation.membership import MAX_LIST, FederationList, NotAdopted, State
from federation.signatures import Profile
from federation.uri import Uri
from federation.vocabulary import Update
from federation.wire import NotReached
from instance.services import federation_list_entries as entries
from instance.services import federation_list_rows as stored
from instance.services import sending
from instance.services.errors import Rejected
from instance.services.federation_list_holders import Holders
from instance.services.federation_list_rows import Reading
from instance.services.fetching import Budget
from instance.services.sibling_changes import take_turn
from instance.storage.store import Transaction
from instance.times import to_ms

if TYPE_CHECKING:
    from instance.config import ListAnchor
    from instance.wiring import Node

PATH: Final = "/federation/list"
EVERY: Final = timedelta(hours=1)
#: How often where none is in force: nobody can be spoken with until one is, nor say that there is a newer one.
SOON: Final = timedelta(minutes=1)
#: How often a knock of a stranger has the list read: for one of them, and for all together.
KNOCK: Final = timedelta(minutes=10)
ANY_KNOCK: Final = timedelta(minutes=1)
#: What a chain of missed lists may be long in all, in bytes, and how many seconds reading at one place may take.
MAX_CHAIN: Final = 16 * MAX_LIST
CHAIN_DEADLINE: Final = 60
#: How often a sibling is taken at its word a minute.
_AT_ITS_WORD: Final = 6
#: Siblings asked for their copy where the pinned host has none that can be adopted.
MIRRORS: Final = 2
#: Days before the end at which the alarm is told, each once.
ALARMS: Final = (7, 3, 1, 0)

CODES: Final = (*membership.CODES, "no_federation_list")


@dataclass(frozen=True, slots=True)
class Offer:
    """A list that came, with those between it and ours: bytes and what they say; where they were read."""

    source: str
    found: FederationList
    body: bytes
    missing: Sequence[tuple[FederationList, bytes]] = ()
    etag: str = ""


class FederationLists:
    """Reads, judges, keeps and serves federation lists; `allowlist_cache` makes them count."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._entries = entries.Entries(node)
        #: Who holds which list.
        self.holders = Holders(node)
        self._told = Budget(_AT_ITS_WORD)
        self._knocks: dict[str, datetime] = {}
        #: Set where somebody has a list read before its time.
        self.asked = asyncio.Event()

    @property
    def anchor(self) -> ListAnchor | None:
        """What is pinned here; None where no list is kept."""
        return self._node.config.federation_list

    # ── asked for ──

    def knocked(self, origin: str) -> None:
        """Have the list read because somebody unknown knocked: once in ten minutes for each, once a minute in all."""
        now = self._node.clock()
        if self.anchor is None or any(timedelta(0) <= now - at < ANY_KNOCK for at in self._knocks.values()):
            return
        self._knocks = {each: at for each, at in self._knocks.items() if timedelta(0) <= now - at < KNOCK}
        if origin not in self._knocks:
            self._knocks[origin] = now
            self.asked.set()

    def is_address(self, uri: Uri, sibling: Sibling) -> bool:
        """Whether this is where the sibling keeps its copy."""
        return uri == sibling.origin + PATH

    async def announced(self, sibling: Sibling) -> None:
        """Have the list read because a sibling says that it has a newer one; written down, so that it is not lost."""
        if self.anchor is None:
            return
        try:
            self._told.spend(sibling.origin, self._node.clock())
        except TooManyRequests:
            return

        async def work(tx: Transaction) -> None:
            await tx.run("federation_list.announce", origin=sibling.origin)

        await self._node.store.write(work)
        self.asked.set()

    # ── the loop ──

    async def tick(self) -> None:
        """Read what is due, tell what is to be told, admit who is listed, release what waited."""
        asked = self.asked.is_set()
        self.asked.clear()
        if self.anchor is None:
            await self._entries.release()  # a process that had not heard of it may have held a row after it was let go
            return
        if asked or await self._is_due():
            await self.refresh()
        await self._count_down()
        due = await self.holders.due()
        await self._entries.come_back()
        await self._entries.admit_due()
        await self._entries.release()
        await self.holders.ask(due, self._copy_at)

    async def _copy_at(self, origin: str) -> str:
        """Read a sibling's copy, and adopt it where it is newer; return why nothing was read, if that is so."""
        code, _ = await self._read_at(Uri.parse(origin + PATH), await self._own_validator())
        return "" if code in membership.CODES else code

    async def _is_due(self) -> bool:
        reading = await stored.reading(self._node.store)
        age = None if reading.tried_at is None else self._node.clock() - reading.tried_at
        wait = EVERY if self._node.allowlist().list_state is Listed.ACTIVE else SOON
        return bool(reading.announced_by) or age is None or not timedelta(0) <= age < wait

    async def refresh(self) -> str:
        """Read the list now; return the code for which none was adopted or read, empty where all is well.

        Where another process reads it already, nothing is done.
        """
        anchor, now = self.require(), self._node.clock()
        reading = await stored.reading(self._node.store)

        async def begin(tx: Transaction) -> int:
            return await tx.run(
                "federation_list.begin", now=to_ms(now), before=to_ms(now - timedelta(seconds=1)),
                announced_by=reading.announced_by,
            )  # fmt: skip

        if not await self._node.store.write(begin):
            return reading.code
        results: list[tuple[str, str]] = []
        etag = reading.etag
        for url in self._sources(anchor, reading.announced_by):
            pinned = url == anchor.url
            if not pinned and url.origin != reading.announced_by and any(not each for each, _ in results):
                break
            code, validator = await self._read_at(url, etag if pinned else await self._own_validator())
            if pinned:
                etag = validator
            elif code == "sequence_rollback":
                continue  # a mirror that is behind; of the pinned host it is an alarm
            results.append((code, url.origin))
        code, source = _said(results, anchor)
        await self._note(etag, code, source, reading.announced_by, succeeded=any(not each for each, _ in results))
        return code

    def _sources(self, anchor: ListAnchor, announced_by: str) -> list[Uri]:
        """Where to read, in this order: the pinned host, who said so, and siblings where both fail."""
        mirrors = [each.origin for each in self._node.allowlist() if each.listed in (Listed.ACTIVE, Listed.EXPIRED)]
        others = [origin for origin in mirrors if origin not in (announced_by, anchor.url.origin)][:MIRRORS]
        said = [Uri.parse(announced_by + PATH)] if announced_by else []
        pinned = [anchor.url] if anchor.url.origin != self._node.origin else []
        return list(dict.fromkeys([*pinned, *said, *(Uri.parse(origin + PATH) for origin in others)]))

    async def _read_at(self, url: Uri, etag: str) -> tuple[str, str]:
        """Read a list at one place and adopt it; return what went wrong, if anything, and the validator to keep."""
        try:
            async with asyncio.timeout(CHAIN_DEADLINE):
                offer = await self._fetch(url, etag)
            if offer is None:
                return "", etag
            await self._adopt(offer)
        except NotAdopted as fault:
            behind = fault.code == "sequence_rollback" and url != self.require().url
            (self._node.log.info if behind else self._node.log.error)(
                "federation_list", code=fault.code, origin=url.origin
            )  # fmt: skip
            return fault.code, ""
        except (NotReached, Refused, TimeoutError) as fault:
            code = fault.answer_code if isinstance(fault, Refused) else getattr(fault, "code", "deadline")
            self._node.log.warning("federation_list", code=code, origin=url.origin)
            return code, etag
        return "", offer.etag

    async def _own_validator(self) -> str:
        """The validator of the list that is kept here, so that nobody sends it to us again; empty where none is."""
        try:
            return (await self.document())[1]
        except NotFound:
            return ""

    async def _note(self, etag: str, code: str, source: str, announced_by: str, *, succeeded: bool) -> None:
        now = self._node.clock()

        async def work(tx: Transaction) -> None:
            await tx.run(
                "federation_list.end", succeeded_at=to_ms(now) if succeeded else None, etag=etag, code=code,
                code_source=source, announced_by=announced_by,
            )  # fmt: skip

        await self._node.store.write(work)

    # ── reading elsewhere ──

    async def _fetch(self, url: Uri, etag: str = "") -> Offer | None:
        """Return the list at this place with those that are missing before it; None where it has not changed."""
        answer = await self._get(url, etag)
        state = await self.state()
        if answer.status == 304 and etag:
            await self.holders.shows(url.origin, state.current if etag == await self._own_validator() else None, state)
            return None
        found = _read(answer)
        await self.holders.shows(url.origin, found, state)
        if url != self.require().url:
            membership.require_plausible(state, found)
        missing = await self._chain(url, state, membership.missing_before(state, found))
        return Offer(url.origin, found, answer.body, missing, answer.headers.get("etag", "")[:200])

    async def _chain(self, url: Uri, state: State, gap: range) -> Sequence[tuple[FederationList, bytes]]:
        """Read the lists that were missed, in rising order; none is read after one that does not hold."""
        chain: list[tuple[FederationList, bytes]] = []
        for sequence in gap:
            missed, body = await self._missed(url, sequence)
            state = membership.bridged(state, missed)
            chain.append((missed, body))
            if sum(len(each) for _, each in chain) > MAX_CHAIN:
                raise NotAdopted("list_gap", "more bytes than are read")
        return chain

    async def _missed(self, url: Uri, sequence: int) -> tuple[FederationList, bytes]:
        try:
            answer = await self._get(Uri.parse(f"{url}/{sequence}"))
            return _read(answer), answer.body
        except (NotReached, NotAdopted) as fault:
            raise NotAdopted("list_gap", fault.code) from None

    async def _get(self, url: Uri, etag: str = "") -> Any:
        node = self._node
        key = await node.keys.signing_key(node.actor, Profile.CAVAGE)
        headers = signatures.sign("GET", url, None, key, Profile.CAVAGE, node.clock())
        asked = {**headers, "If-None-Match": etag} if etag else headers
        return await node.wire.get_federation_list(url, asked, limit=MAX_LIST)

    # ── judging and keeping ──

    async def state(self) -> State:
        """Return the list in force and the signers of the next one, as the rows have them."""
        return await stored.in_force(self._node.store, self.require())

    async def before(self, found: FederationList) -> FederationList | None:
        """Return the list that was in force before this one; None where it was the first."""
        row = await self._node.store.one("federation_list.before", sequence=found.sequence)
        return None if row is None else stored.stored(row)

    async def reading(self) -> Reading:
        """Return how the reading of lists stands."""
        return await stored.reading(self._node.store)

    async def _adopt(self, offer: Offer) -> bool:
        """Keep a list if every rule holds; False where it was ours already. Raises NotAdopted."""
        anchor, now = self.require(), self._node.clock()
        missing = [found for found, _ in offer.missing]

        async def work(tx: Transaction) -> FederationList | None:
            await tx.take_turn("federation list")
            state = await stored.in_force(tx, anchor)
            after = membership.adopt(state, offer.found, missing, now=now)
            if after is state:
                return None
            await take_turn(tx)
            signers = state.signers
            for found, body in (*offer.missing, (offer.found, offer.body)):
                following = found.signers or signers
                if not await stored.keep(
                    tx, found, body, signers, following, anchor=anchor, source=offer.source, now=now
                ):
                    raise NotAdopted("list_fork", "another list of the same sequence is kept")
                signers = following
            await self._entries.follow(tx, state.current, offer.found, by=offer.source)
            return offer.found

        adopted = await self._node.store.write(work)
        if adopted is None:
            return False
        await self._node.allowlist.refresh_if_changed()
        self._entries.try_again()
        await self._node.siblings.expelling.write_words()
        await self._entries.release()
        self._node.log.info("federation_list", code="adopted", sequence=adopted.sequence, origin=offer.source)
        self._node.wake.deliveries.set()
        self._node.wake.inbound.set()
        return True

    # ── handed in by hand ──

    async def judge(self, body: bytes) -> FederationList:
        """Judge a list from a file as if it had been fetched; change nothing. Raises Rejected with the code."""
        try:
            found = membership.read(body)
            membership.adopt(await self.state(), found, now=self._node.clock())
        except NotAdopted as fault:
            raise Rejected(fault.code, "list") from None
        return found

    async def publish(self, body: bytes, by: str) -> FederationList:
        """Adopt a list from a file as if it had been fetched, and tell every sibling; raise Rejected with the code."""
        try:
            found = membership.read(body)
            await self._adopt(Offer(by, found, body))
        except NotAdopted as fault:
            self._node.log.error("federation_list", code=fault.code, origin=self._node.origin)
            raise Rejected(fault.code, "list") from None
        await self.announce()
        return found

    async def announce(self) -> None:
        """Tell every sibling that a newer list is here (an `Update` whose object is its address)."""
        address = Uri.parse(self._node.origin + PATH)

        async def work(tx: Transaction) -> None:
            await sending.to_all_siblings(
                self._node, tx, Update, actor=self._node.actor, object=address, priority=Priority.REVOCATION
            )

        await self._node.store.write(work)
        self._node.wake.deliveries.set()

    # ── read by siblings ──

    async def document(self, sequence: str = "") -> tuple[bytes, str]:
        """Return a list as it was adopted, and its validator; the newest where none is named. Raises NotFound."""
        if sequence:
            if not (sequence.isascii() and sequence.isdigit() and len(sequence) < 17 and sequence[0] != "0"):
                raise NotFound
            row = await self._node.store.one("federation_list.at", sequence=int(sequence))
        else:
            row = await self._node.store.known("federation_list.newest")
        if row is None:
            raise NotFound
        body = bytes(row["body"])
        return body, f'"{row["hash"].removeprefix("sha256:")[:32]}-{len(body)}"'

    # ── told ──

    async def _count_down(self) -> None:
        """Say once each that the list runs out in seven, three, one days, and that it has."""
        found, now = self._node.allowlist.federation_list, self._node.clock()
        if found is None:
            return
        days = next((each for each in sorted(ALARMS) if found.valid_until - now <= timedelta(days=each)), None)
        if days is None:
            return

        async def work(tx: Transaction) -> int:
            return await tx.run("federation_list.warn", sequence=found.sequence, days=days)

        reading = await stored.reading(self._node.store)
        if reading.warned_sequence == found.sequence and reading.warned_days <= days:
            return
        if await self._node.store.write(work):
            code = "federation_list_ends" if days else "federation_list_expired"
            self._node.log.error("federation_list", code=code, due=days, sequence=found.sequence)

    def require(self) -> ListAnchor:
        """Return what is pinned here; raise Rejected(no_federation_list) where no list is kept."""
        if self.anchor is None:
            raise Rejected("no_federation_list", status=409)
        return self.anchor


def _said(results: Sequence[tuple[str, str]], anchor: ListAnchor) -> tuple[str, str]:
    """Return the code to show and whose it is: a list refused anywhere, then the pinned host's, then whoever failed."""
    refused = next((each for each in results if each[0] in membership.CODES), None)
    if refused is not None:
        return refused
    alone = all(code for code, _ in results) and anchor.url.origin in {origin for _, origin in results}
    failed = (each for each in results if each[0] and (alone or each[1] == anchor.url.origin))
    return next(failed, ("", ""))


def _read(answer: Any) -> FederationList:
    media = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if answer.status != 200:
        raise NotReached(f"http_{answer.status}")
    if media not in ("application/vc", "application/json"):
        raise NotReached("not_http")
    return membership.read(answer.body)
