"""After an older state of the rows was put back: what our doctors said since, as siblings received it.

    ask      GET /siblings/{host}/received/{epoch}/{after}: what came of our log beyond the number these rows know
    prove    the head that the sibling kept bears the signature of a key of ours, over that body and its own address
    enter    the activity takes its effect here again (`taken_back`), and is offered to everybody it is for

Every sibling is asked once in the life of a process: for the epoch that counts now, in case nobody noticed that rows
were put back (then another is begun), and for the one before it. A sibling can show what we said, and make up nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from federation import catch_up, parse
from federation.allowlist import Sibling
from federation.catch_up import Keepsake
from federation.errors import BadSignature, Refused
from federation.keys import PublicKey
from federation.signatures import Verified
from federation.uri import BadUri, Uri
from federation.vocabulary import AnyActivity
from instance.services.fetching import Fetcher
from instance.services.taken_back import TakenBack
from instance.storage.store import Transaction

if TYPE_CHECKING:
    from instance.wiring import Node

#: Pages of one question; what is beyond them is asked for at the next start.
PAGES: Final = 200


class TakingBack:
    """Which siblings were asked, and what came of it."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._fetcher = Fetcher(node)
        self._effects = TakenBack(node)
        self._asked: set[str] = set()
        #: The last number of each sibling's log that the rows knew when this process began.
        self._ends: dict[str, int] = {}

    async def open(self) -> None:
        """Remember how far our logs went when this process began: what siblings hold beyond that is news here."""
        rows = await self._node.store.all("logs.all_ends")
        self._ends = {row["origin"]: int(row["last_number"]) for row in rows}

    async def ask(self, sibling: Sibling) -> int:
        """Ask one sibling, unless it was asked; return how many activities came back. Raises Refused."""
        if sibling.origin in self._asked:
            return 0
        logs, epoch, back = self._node.logs, self._node.logs.epoch, 0
        if await self._knows_more(sibling, epoch):
            self._node.log.warning("log_behind", sibling=sibling.origin, sequence=self._ends.get(sibling.origin, 0))
            await logs.begin_anew(epoch, self._ends)
            self._asked.clear()
        if logs.before:
            ends = await self._node.store.one("logs.ends", origin=sibling.origin)
            back = await self._take_back(sibling, logs.before, int(ends["epoch_from"]) if ends is not None else 0)
        self._asked.add(sibling.origin)
        return back

    async def _knows_more(self, sibling: Sibling, epoch: str) -> bool:
        """Whether it received more of the epoch than these rows have ever said."""
        after = self._ends.get(sibling.origin, 0)
        last, kept = await self._read(sibling, epoch, after)
        ends = await self._node.store.one("logs.ends", origin=sibling.origin)
        if last > (int(ends["last_number"]) if ends is not None else 0):
            return True
        for one in kept:
            try:
                proof = await self._prove(one, sibling)
                if proof is not None and not await self._is_known(parse.document(proof).activity):
                    return True
            except Refused:
                continue
        return False

    async def _take_back(self, sibling: Sibling, epoch: str, after: int) -> int:
        back = 0
        for _ in range(PAGES):
            _, kept = await self._read(sibling, epoch, after)
            if not kept:
                break
            for one in kept:
                back += await self._enter(one, sibling)
            after = kept[-1].number
        if back:
            self._node.log.info("taken_back", sibling=sibling.origin, count=back)
            self._node.wake.deliveries.set()
        return back

    async def _read(self, sibling: Sibling, epoch: str, after: int) -> tuple[int, list[Keepsake]]:
        url = catch_up.received_url(sibling.origin, self._node.authority, epoch, after)
        return catch_up.read_received(await self._fetcher.log_page(url, sibling), after)

    async def _enter(self, kept: Keepsake, sibling: Sibling) -> bool:
        """Let one message take its effect here; False where it is none of ours, or was known."""
        try:
            proof = await self._prove(kept, sibling)
            if proof is None:
                return False
            inbox = Uri.parse(sibling.origin + catch_up.kept_claim(kept, sibling.origin)[0].target)
            activity = parse.document(proof).activity
            if activity.actor != proof.signer:
                raise BadSignature("signed by another")
        except (Refused, BadUri) as fault:
            code = fault.answer_code if isinstance(fault, Refused) else "malformed"
            self._node.log.warning("not_taken_back", sibling=sibling.origin, code=code)
            self._node.metrics.log_entries.labels("unproved").inc()
            return False

        async def work(tx: Transaction) -> bool:
            await tx.take_turn(activity.actor)
            return await self._effects(tx, activity, kept.body, sibling, inbox)

        done = await self._node.store.write(work)
        self._node.metrics.log_entries.labels("taken_back" if done else "repeated").inc()
        return done

    async def _prove(self, kept: Keepsake, sibling: Sibling) -> Verified | None:
        """Return the proof that one of our doctors said this to that sibling; None for what our instance actor said.

        Raises Refused for what proves nothing.
        """
        message, claim = catch_up.kept_claim(kept, sibling.origin)
        owner = claim.key_id.without_fragment()
        if owner == self._node.actor:
            return None  # housekeeping, and what was passed on: its author's home has it
        key = await self._own_key(owner, claim.key_id)
        return catch_up.prove_kept(message, claim, key)

    async def _own_key(self, owner: Uri, key_id: Uri) -> PublicKey:
        """Return a key of a doctor of ours; raise BadSignature for any other."""
        row = await self._node.store.one("people.standing", uri=owner)
        if row is not None and row["local"]:
            for key in await self._node.keys.shown(owner):
                if key.id == key_id:
                    return key
        raise BadSignature("no key of ours")

    async def _is_known(self, activity: AnyActivity) -> bool:
        return await self._node.store.one("activities.get", uri=activity.id) is not None
