"""One delivery, from the last look at the allowlist to the judgement of the answer.

allowlist ▸ siblings' sets ▸ standing ▸ body ▸ key ▸ sign now ▸ post ▸ judge (▸ at most one second knock)
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Final, TypeAlias

from federation.allowlist import PASSING, Sibling
from federation.delivery import DeadRow, Knock, Moved, Outcome, Priority, judge
from federation.errors import Refused
from federation.farewell import Farewell
from federation.keys import PrivateKey
from federation.ports import (
    Answer,
    Besides,
    Clock,
    Delivery,
    DeliveryQueue,
    Exchange,
    MaySend,
    Passes,
    Poster,
    Reread,
    Siblings,
    SigningKeys,
)
from federation.sibling_sets import WAITS
from federation.signatures import Profile, sign
from federation.signing_threads import SigningThreads
from federation.uri import Uri

_OTHER: Final = {Profile.CAVAGE: Profile.RFC9421, Profile.RFC9421: Profile.CAVAGE}


@dataclass(frozen=True, slots=True)
class Held:
    """Not now, and not lost: the sibling is closed for a time, or the signer has no standing."""

    code: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """Never: the sibling is gone from the allowlist, or the signer may not speak any more."""

    code: str


Verdict: TypeAlias = Outcome | Held | Dropped


class Courier:
    """Carries one delivery at a time and says what became of it; it changes no row."""

    def __init__(
        self,
        siblings: Siblings,
        keys: SigningKeys,
        poster: Poster,
        queue: DeliveryQueue,
        may_send: MaySend,
        reread: Reread,
        clock: Clock,
        *,
        instance_actor: Uri,
        rng: Random,
        besides: Besides | None = None,
        passes: Passes | None = None,
    ) -> None:
        self._siblings, self._keys, self._poster, self._queue = siblings, keys, poster, queue
        self._may_send, self._reread, self._clock = may_send, reread, clock
        self._instance_actor, self._rng = instance_actor, rng
        self._besides, self._passes = besides or _nothing, passes or _only_our_own
        self._threads = SigningThreads()
        #: The profile that passed where the announced one did not, by origin and announcement.
        self._learnt: dict[tuple[str, bool], Profile] = {}

    async def deliver(self, delivery: Delivery, lane_failures: int) -> tuple[Verdict, Answer]:
        """Try once (twice where a second knock is due); return what is to happen and the answer it rests on."""
        try:
            sibling = self._permitted(delivery)
            await self._require_standing(delivery)
            profile = self._profile(sibling)
            answer = await self._post(delivery, profile)
            verdict = judge(answer, delivery, self._clock(), lane_failures, self._rng)
            if isinstance(verdict, Knock):
                answer = await self._knock_again(delivery, sibling, _OTHER[profile], answer)
            elif isinstance(verdict, Moved):
                answer = await self._after_reading(delivery, profile, answer)
            else:
                return verdict, answer
            return judge(answer, delivery, self._clock(), lane_failures, self._rng, repeated=True), answer
        except _Unsent as reason:
            return reason.verdict, Answer(0, reason.verdict.code)

    def close(self) -> None:
        """Let the signing threads go."""
        self._threads.close()

    def _permitted(self, delivery: Delivery) -> Sibling | Farewell:
        """Ask the allowlist in force now, and the sets of those whose things it concerns: each may have changed."""
        try:
            sibling = self._siblings().require_sending(delivery.origin, self._clock(), delivery.priority)
        except Refused as refusal:
            raise _Unsent(_closed(refusal)) from None
        if not delivery.inbox.startswith(delivery.origin + "/"):
            raise _Unsent(Dropped("foreign_inbox"))
        reason = self._passes(delivery.homes, delivery.origin) if delivery.homes else ""
        if reason:
            raise _Unsent(Held(reason) if reason == WAITS else Dropped(reason))
        return sibling

    async def _require_standing(self, delivery: Delivery) -> None:
        """A doctor who lost their standing says nothing new; what they take back waits for a signature that counts.

        News of the loss itself (priority 0) goes out whatever the standing; the instance actor needs none.
        """
        if delivery.signer == self._instance_actor or delivery.priority == Priority.REVOCATION:
            return
        if not await self._may_send(delivery.signer):
            withdrawal = delivery.priority == Priority.WITHDRAWAL
            raise _Unsent(Held("no_standing") if withdrawal else Dropped("no_standing"))

    def _profile(self, sibling: Sibling | Farewell) -> Profile:
        announced = Profile.RFC9421 if sibling.speaks_rfc9421 else Profile.CAVAGE
        return self._learnt.get((sibling.origin, sibling.speaks_rfc9421), announced)

    async def _knock_again(
        self, delivery: Delivery, sibling: Sibling | Farewell, other: Profile, first: Answer
    ) -> Answer:
        try:
            answer = await self._post(delivery, other)
        except _Unsent:
            return first
        if 200 <= answer.status < 300:
            self._learnt[sibling.origin, sibling.speaks_rfc9421] = other
        return answer

    async def _after_reading(self, delivery: Delivery, profile: Profile, first: Answer) -> Answer:
        """A redirect is never followed; but where the actor itself names another inbox, that one is asked."""
        inbox = await self._reread(delivery)
        if inbox is None or inbox == delivery.inbox or inbox.origin != delivery.origin:
            return first
        return await self._post(replace(delivery, inbox=inbox), profile)

    async def _post(self, delivery: Delivery, profile: Profile) -> Answer:
        body = await self._queue.body(delivery.activity)
        key = await self._key(delivery, profile)
        headers = await self._signed(delivery, body, key, profile)
        try:
            answer = await self._poster.post(delivery.inbox, body, headers)
        except Refused as refusal:  # the allowlist changed between our look at it and the wire's own
            raise _Unsent(_closed(refusal)) from None
        exchange = replace(
            answer.exchange or Exchange(), target=delivery.inbox.target, sent=headers, key_id=key.id,
            profile=profile.value,
        )  # fmt: skip
        return replace(answer, exchange=exchange)

    async def _key(self, delivery: Delivery, profile: Profile) -> PrivateKey:
        try:
            return await self._keys.signing_key(delivery.signer, profile)
        except LookupError:
            raise _Unsent(DeadRow("no_key")) from None

    async def _signed(self, delivery: Delivery, body: bytes, key: PrivateKey, profile: Profile) -> dict[str, str]:
        more = await self._besides(delivery)
        make = partial(sign, "POST", delivery.inbox, body, key, profile, self._clock(), more=more)
        # An Ed25519 signature costs less than the way to a thread and back.
        return make() if key.algorithm == "ed25519" else await self._threads.run(make)


class _Unsent(Exception):
    """Nothing was sent, and why."""

    def __init__(self, verdict: Held | Dropped | DeadRow) -> None:
        super().__init__(verdict.code)
        self.verdict = verdict


def _only_our_own(homes: Collection[str], receiver: str) -> str:
    return WAITS  # whose things it concerns nobody here knows


async def _nothing(delivery: Delivery) -> dict[str, str]:
    return {}


def _closed(refusal: Refused) -> Held | Dropped:
    """What a pause, a narrower policy or the list keeps back may still be sent; a block or a removal is for good."""
    return Held(refusal.code) if isinstance(refusal, PASSING) else Dropped(refusal.code)
