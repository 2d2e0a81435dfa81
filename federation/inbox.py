"""The one door in: `receive` for what siblings post, `authorise_get` for what they read.

Cheapest refusal first. No stranger reaches the JSON parser, the key cache or our HTTP client: the allowlist is asked
before the body is read. A message wrong in two ways is refused by the earlier step.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from federation import catch_up, integrity, parse, signatures, synchronisation
from federation.allowlist import Allowlist, Direction, Sibling
from federation.catch_up import Logged
from federation.delivery import is_final
from federation.errors import (
    ActorMismatch,
    AuthorAway,
    BadSignature,
    ForeignOrigin,
    KeyAway,
    KeyNotOwned,
    KindNotFederated,
    MalformedHeaders,
    MethodNotAllowed,
    NotASibling,
    PinMismatch,
    Refused,
    StandingDeferred,
    StandingRefused,
    TooLarge,
    UnknownKey,
    UnlistedHost,
    UnsupportedMediaType,
)
from federation.ports import Admission, Arrival, Audit, Clock, Inbound, Keys, Recognise, Replays, SiblingsNow, Speaker
from federation.signatures import Claim, SignedMessage, Verified
from federation.trail import Head, Step, Trail
from federation.uri import BadUri, Uri
from federation.vocabulary import (
    AnyActivity,
    Comment,
    Create,
    Delete,
    Doctor,
    Flag,
    Ignored,
    Instance,
    Move,
    Post,
    PostKind,
    Undo,
    Update,
)

MAX_BODY: Final = 262_144
ReadBody = Callable[[int], Awaitable[bytes]]

_MEDIA_TYPE = re.compile(
    r"application/(?:activity\+json|ld\+json(?=.*;\s*profile=\"?https://www\.w3\.org/ns/activitystreams\"?(?:\s*;|\s*\Z)))"
    r"\s*(?:;[^;]*)*\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of an accepted message. `new` is False for one that was here before."""

    activity_id: str
    new: bool
    held: str | None = None
    ignored: bool = False


@dataclass(frozen=True, slots=True)
class Reader:
    """A sibling that may read here, and the actor in whose name it asks."""

    sibling: Sibling
    actor: Uri


class Inbox:
    """The checks in their order; everything it needs of its surroundings is a port."""

    def __init__(
        self,
        *,
        origin: str,
        clock: Clock,
        siblings: SiblingsNow,
        keys: Keys,
        recognise: Recognise,
        admission: Admission,
        replays: Replays,
        inbound: Inbound,
        audit: Audit,
        window: timedelta = signatures.WINDOW,
        max_body: int = MAX_BODY,
    ) -> None:
        self._origin, self._clock, self._siblings = origin, clock, siblings
        self._keys, self._recognise, self._admission = keys, recognise, admission
        self._replays, self._inbound, self._audit = replays, inbound, audit
        self._window, self._max_body = window, max_body

    async def receive(
        self, head: SignedMessage, read_body: ReadBody, recipient: Callable[[], Awaitable[None]] | None = None
    ) -> Receipt:
        """Keep the message if every check holds; raise Refused at the first that does not.

        `head` has passed the checks of form (`SignedMessage.from_raw`); `read_body(limit)` reads at most that many
        bytes, raising TooLarge or TooSlow, and is called only for a sibling. `recipient` raises NotFound or Gone where
        a personal inbox is nobody's; it is asked once the signature holds.
        """
        trail = self._trail(head)
        try:
            receipt = await self._receive(head, read_body, recipient, trail)
        except Refused as refusal:
            await self._refused(refusal, trail)
            raise
        if not receipt.new:
            self._audit.unkept("ignored" if receipt.ignored else "repeated", trail)
        return receipt

    async def take(self, logged: Logged) -> Receipt:
        """Keep what was read in a sibling's log, after the same checks as what is posted (steps 14 to 19).

        Raises Refused as `receive` does. What was said by somebody of another origin needs their own proof.
        """
        trail = Trail(
            self._clock(), origin=logged.signer.origin, key_id=logged.key_id, place=logged.place, signed=logged.head
        )
        try:
            allowlist = await self._siblings()
            trail.step = Step.LISTED
            sibling = allowlist.require(trail.origin, Direction.IN)
            return await self._judge(logged, sibling, allowlist, trail)
        except Refused as refusal:
            await self._refused(refusal, trail)
            raise

    async def authorise_get(self, head: SignedMessage) -> Reader:
        """Return who reads, if a sibling that may read here signed the request; raise Refused otherwise."""
        trail = self._trail(head)
        try:
            return await self._authorise(head, trail)
        except Refused as refusal:
            self._audit.refused(Direction.SERVE, refusal, trail)
            raise

    async def _refused(self, refusal: Refused, trail: Trail) -> None:
        """Put it on the record; what will never pass leaves no gap in the log it came from."""
        self._audit.refused(Direction.IN, refusal, trail)
        if trail.place is not None and is_final(refusal.http_status, refusal.answer_code):
            await self._inbound.note(trail.origin, trail.place)

    async def authorise_asking(self, head: SignedMessage, admission: Admission) -> Reader:
        """Return who asks what was refused to it: the instance actor of a listed origin, by a pinned key.

        The one door that the local policy does not close: who is paused or blocked may learn that it is. Nobody is
        contacted for whoever may not be read. Raises Refused.
        """
        trail = self._trail(head)
        try:
            return await self._authorise_asking(head, admission, trail)
        except Refused as refusal:
            self._audit.refused(Direction.SERVE, refusal, trail)
            raise

    def _trail(self, head: SignedMessage) -> Trail:
        return Trail(self._clock(), Head(head.method, head.target, head.headers))

    # ── the order of the checks ──

    async def _receive(
        self, head: SignedMessage, read_body: ReadBody, recipient: Callable[[], Awaitable[None]] | None, trail: Trail
    ) -> Receipt:
        trail.step = Step.REQUEST
        if head.method != "POST":
            raise MethodNotAllowed(head.method)
        trail.step = Step.HOST
        signatures.require_host(head)
        trail.step = Step.TYPE
        require_activity_type(head.headers.get("content-type", ""))
        if (head.declared_length or 0) > self._max_body:
            raise TooLarge("declared")
        claim, allowlist = await self._claim(head, trail)
        sibling = allowlist.require(trail.origin, Direction.IN)
        trail.step = Step.SHARE
        await self._admission.enter(sibling.origin)
        try:
            trail.step = Step.BODY
            message = head.with_body(await read_body(self._max_body))
            proof = await self._prove(message, claim, sibling, trail)
            trail.place, trail.said = catch_up.read_number(message, claim), synchronisation.read(message, claim)
            if trail.place is not None:
                trail.signed = catch_up.keep_head(message, claim)
            if recipient is not None:
                trail.step = Step.KEPT
                await recipient()
            trail.step = Step.REPLAY
            if self._replays.seen(proof.replay_key):
                return Receipt("", new=False)
            return await self._judge(proof, sibling, allowlist, trail)
        finally:
            self._admission.leave(sibling.origin)

    async def _authorise(self, head: SignedMessage, trail: Trail) -> Reader:
        claim, allowlist = await self._reading(head, trail)
        sibling = allowlist.require(trail.origin, Direction.SERVE)
        trail.step = Step.SHARE
        await self._admission.enter(sibling.origin)
        try:
            proof = await self._prove(head, claim, sibling, trail)
            trail.step = Step.STANDING
            speaker = await self._recognise(proof.signer, sibling)
        finally:
            self._admission.leave(sibling.origin)
        if speaker.held is not None:
            raise StandingRefused(speaker.held)
        if speaker.followers is None and proof.signer != sibling.actor:
            raise StandingRefused("no_credential", "who has left reads nothing")
        return Reader(sibling, proof.signer)

    async def _authorise_asking(self, head: SignedMessage, admission: Admission, trail: Trail) -> Reader:
        claim, allowlist = await self._reading(head, trail)
        sibling = allowlist.find(trail.origin)
        if sibling is None or not sibling.is_listed:
            raise NotASibling(trail.origin)
        trail.step = Step.SHARE
        await admission.enter(sibling.origin)
        try:
            trail.step = Step.DIGEST
            sound = signatures.check(head, claim, self._clock(), self._window)
            trail.step = Step.KEY
            key = await self._keys.pinned(claim.key_id, sibling)
            trail.step = Step.SIGNATURE
            proof = signatures.prove(sound, key)
        finally:
            admission.leave(sibling.origin)
        return Reader(sibling, proof.signer)

    async def _reading(self, head: SignedMessage, trail: Trail) -> tuple[Claim, Allowlist]:
        """Steps 1 to 6 of a request to read."""
        trail.step = Step.REQUEST
        if head.method not in ("GET", "HEAD"):
            raise MethodNotAllowed(head.method)
        trail.step = Step.HOST
        signatures.require_host(head)
        trail.step = Step.FORM
        if head.declared_length or "transfer-encoding" in head.headers:
            raise MalformedHeaders("a body where none belongs")
        return await self._claim(head, trail)

    async def _claim(self, head: SignedMessage, trail: Trail) -> tuple[Claim, Allowlist]:
        """Steps 5 and 6: what the signature says, and whether it is of now; with the list that step 7 asks."""
        trail.step = Step.CLAIM
        claim = signatures.read_claim(head)
        trail.key_id, trail.origin, trail.profile = claim.key_id, claim.key_id.origin, claim.profile.value
        trail.step = Step.TIME
        signatures.check_window(claim, head, self._clock(), self._window)
        trail.step = Step.LISTED
        if trail.origin == self._origin:
            raise UnknownKey("our own host")  # we never ask ourselves
        return claim, await self._siblings()

    async def _prove(self, message: SignedMessage, claim: Claim, sibling: Sibling, trail: Trail) -> Verified:
        """Steps 10 to 12: the digest, the bound key, the signature; on failure the key is read past every cache."""
        trail.step = Step.DIGEST
        sound = signatures.check(message, claim, self._clock(), self._window)
        trail.step = Step.KEY
        key = await self._keys.find(claim.key_id, sibling)
        trail.step = Step.SIGNATURE
        try:
            return signatures.prove(sound, key)
        except BadSignature:
            fresh = await self._keys.reread(claim.key_id, sibling)
            if fresh is None or fresh == key:
                raise
        return signatures.prove(sound, fresh)

    async def _judge(self, proof: Verified | Logged, sibling: Sibling, allowlist: Allowlist, trail: Trail) -> Receipt:
        """Steps 14 to 19."""
        trail.step = Step.DOCUMENT
        document = parse.read(proof)
        activity = document.activity
        trail.activity, trail.type, trail.kind = activity.id, type(activity).__name__, kind_of(activity) or ""
        try:
            return await self._admit(document, proof, sibling, allowlist, trail)
        except (KeyAway, StandingDeferred) as away:
            if _speaks_for_itself(document.activity, proof):
                raise
            # Not `unknown_key`, nor a 503 of the author's: the forwarder would take that to be about itself, and hold
            # back its whole lane.
            raise AuthorAway(away.reason) from None

    async def _admit(
        self, document: parse.Document, proof: Verified | Logged, sibling: Sibling, allowlist: Allowlist, trail: Trail
    ) -> Receipt:
        """Steps 15 to 19.

        Raises KeyAway where the author's home must be read and does not answer, and StandingDeferred where that home's
        status lists are missing or too old.
        """
        activity, home = document.activity, sibling
        trail.step = Step.ACTOR
        if not _speaks_for_itself(activity, proof):
            home = await self._forwarded_author(document, proof, sibling, allowlist)
        trail.step = Step.ORIGINS
        require_own_ids(activity)
        require_listed(document.origins, self._origin, allowlist)
        trail.step = Step.STANDING
        speaker = await self._speaker(activity, home)
        trail.step = Step.AUDIENCE
        if document.objection is not None:
            raise document.objection
        if isinstance(activity, Ignored):
            if trail.place is not None:
                await self._inbound.note(trail.origin, trail.place)
            return Receipt(activity.id, new=False, ignored=True)
        require_open_kind(activity, sibling)
        forwarded_by = None if _speaks_for_itself(activity, proof) else sibling
        trail.step = Step.KEPT
        arrival = Arrival(document, proof, home, speaker, forwarded_by, trail)
        new = await self._inbound.keep(arrival)
        if isinstance(proof, Verified):
            self._replays.remember(proof.replay_key)
        return Receipt(activity.id, new, speaker.held)

    async def _speaker(self, activity: AnyActivity, sibling: Sibling) -> Speaker:
        """Step 17. What mends a doctor's standing passes without one: it is judged when it is applied.

        What takes back waits for nothing that a doctor's other words are held for.
        """
        try:
            speaker = await self._recognise(activity.actor, sibling)
        except StandingRefused:
            if not mends_standing(activity):
                raise
            return Speaker(activity.actor)
        allowed = is_housekeeping if activity.actor == sibling.actor else takes_back
        if speaker.followers is None and not allowed(activity):
            raise StandingRefused("no_credential", "an instance does housekeeping only, who has left takes back only")
        if speaker.held is not None and (mends_standing(activity) or takes_back(activity)):
            return Speaker(activity.actor, speaker.followers)
        return speaker

    async def _forwarded_author(
        self, document: parse.Document, proof: Verified | Logged, sibling: Sibling, allowlist: Allowlist
    ) -> Sibling:
        """Step 15 for inbox forwarding (ActivityPub section 7.1.2): return the author's own sibling.

        Only the instance actor of a thread's home passes on what others wrote, only comments, and only with the
        author's own object proof (FEP-8b32) by a key that the author's document lists. Raises KeyAway where that cannot
        be looked up now; whatever else is wrong is wrong for good, and none of the forwarder's own key.
        """
        activity = document.activity
        if proof.signer != sibling.actor or not activity.has_proof or not _is_of_thread(activity, sibling):
            raise ActorMismatch("the actor is not the signer")
        origin = activity.actor.origin
        if origin == self._origin:
            raise ForeignOrigin("our own doctor's words come from us alone")
        if not allowlist.permits(origin, Direction.IN):
            # Not `not_a_sibling`: the forwarder would take that to be about itself, and hold back its whole lane.
            raise UnlistedHost(origin)
        author = allowlist.require(origin, Direction.IN)
        try:
            method = Uri.parse(integrity.read_proof(document.raw).verification_method)
            if method.origin != origin:
                raise ActorMismatch("the proof is of another host")
            key = await self._keys.find(method, author)
            if key.owner != activity.actor or not isinstance(key.key, Ed25519PublicKey):
                raise ActorMismatch("the proof is not the author's")
            integrity.check_proof(document.raw, key.key)
        except KeyAway:
            raise
        except (integrity.BadProof, BadUri, UnknownKey, KeyNotOwned, PinMismatch):
            raise ActorMismatch("the proof does not hold") from None
        return author


# ── the checks that need nothing but the message ──


def require_activity_type(content_type: str) -> None:
    """Raise UnsupportedMediaType for anything but activity+json and ld+json with the profile (ActivityPub 3.2)."""
    if content_type != "application/activity+json" and not _MEDIA_TYPE.match(content_type):
        raise UnsupportedMediaType


def _speaks_for_itself(activity: AnyActivity, proof: Verified | Logged) -> bool:
    """Whether the message is the actor's own: signed by them, or read in the log of their own home."""
    if isinstance(proof, Logged):
        return activity.actor.origin == proof.signer.origin
    return activity.actor == proof.signer


def require_own_ids(activity: AnyActivity) -> None:
    """Raise ForeignOrigin or ActorMismatch unless what is said lies on the speaker's origin (FEP-fe34)."""
    origin = activity.actor.origin
    if activity.id.origin != origin:
        raise ForeignOrigin("activity id")
    match activity:
        case Create(object=thing) | Update(object=Post() | Comment() as thing):
            if thing.author != activity.actor:
                raise ActorMismatch("attributed to somebody else")
            owned = thing.id
        case Update(object=Doctor() | Instance() as actor):
            owned = actor.id
        case Update(object=Uri() as uri) | Delete(object=uri) | Undo(object=uri) | Move(object=uri):
            owned = uri
        case _:
            return
    if owned.origin != origin:
        raise ForeignOrigin("object id")


def require_listed(origins: Iterable[str], own: str, allowlist: Allowlist) -> None:
    """Step 16, second half: raise UnlistedHost for a host that is neither ours nor a sibling's, or is blocked."""
    for origin in origins:
        sibling = allowlist.find(origin)
        if origin != own and (sibling is None or not sibling.is_known):
            raise UnlistedHost(origin)


def require_open_kind(activity: AnyActivity, sibling: Sibling) -> None:
    """Raise KindNotFederated where the policy does not let this kind of post in."""
    kind = kind_of(activity)
    if kind is not None and kind not in sibling.kinds_in:
        raise KindNotFederated(kind)


def kind_of(activity: AnyActivity) -> PostKind | None:
    """The kind of the post that an activity brings or brings anew; None for everything else."""
    match activity:
        case Create(object=Post() as post) | Update(object=Post() as post):
            return post.kind
        case _:
            return None


def is_housekeeping(activity: AnyActivity) -> bool:
    """Whether the instance actor may do this: mend, withdraw and move what is its origin's, report, no more."""
    match activity:
        case Flag() | Delete() | Move() | Ignored():
            return True
        case Update(object=thing):
            return not isinstance(thing, Post | Comment)
        case _:
            return False


def takes_back(activity: AnyActivity) -> bool:
    """Whether a doctor who has left may do this: withdraw what is theirs, and nothing more."""
    return isinstance(activity, Delete | Ignored)


def mends_standing(activity: AnyActivity) -> bool:
    """Whether this is a doctor's own new version of themselves."""
    match activity:
        case Update(object=Doctor(id=uri)) | Update(object=Uri() as uri):
            return uri == activity.actor
        case _:
            return False


def _is_of_thread(activity: AnyActivity, home: Sibling) -> bool:
    """Whether this concerns a comment in a thread whose post lives at `home`; a Delete is looked up when applied."""
    match activity:
        case Create(object=Comment() as comment) | Update(object=Comment() as comment):
            return comment.context.origin == home.origin
        case Delete():
            return True
        case _:
            return False
