"""The effects of activities that passed the door: one `match`, each effect guarded again and harmless when repeated.

`prepare` does what must not happen inside a transaction (judging a credential, reading an object at its home); what it
returns is handed to `__call__` together with the transaction in which everything else happens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from federation import parse, render
from federation.allowlist import Sibling
from federation.catch_up import LogNumber
from federation.errors import (
    ActorMismatch,
    ForeignOrigin,
    KindNotFederated,
    NoSuchRelation,
    NotTheOwner,
    NotVisible,
    PinMismatch,
    StandingRefused,
    StillTakingBack,
)
from federation.inbox import require_listed
from federation.uri import Uri
from federation.vocabulary import (
    Accept,
    Announce,
    AnyActivity,
    Comment,
    Create,
    Delete,
    Doctor,
    Flag,
    Follow,
    Ignored,
    Instance,
    Like,
    Move,
    Post,
    Reject,
    Undo,
    Update,
    Vote,
)
from instance.services import effects_cases, rights
from instance.services.circles import Circles
from instance.services.dossiers.heads import is_head
from instance.services.effects import Effects, Incoming
from instance.services.effects_posts import PostEffects
from instance.services.effects_relations import RelationEffects
from instance.services.effects_relocation import RelocationEffects
from instance.services.forwarding import Answers, Forwarding
from instance.storage.store import Transaction
from instance.times import to_ms
from verification.dossier import Role
from verification.verdicts import Reason

if TYPE_CHECKING:
    from instance.services.directory import Learned
    from instance.wiring import Node

_NO_CREDENTIAL: Final = Reason.NO_CREDENTIAL.value


class Apply:
    """Callable: one activity, in one transaction."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._posts = PostEffects(node.origin, Forwarding(node))
        self._relations = RelationEffects(node.origin, Answers(node), Circles(node))
        self._relocations = RelocationEffects(node)

    def needs_reading(self, activity: AnyActivity) -> bool:
        """Whether the effect needs a look at the sibling, or much time: then the worker does it, not the door.

        A status list is read at the door: what its issuer sends next may be by a doctor whom it clears.
        """
        match activity:
            case Update(object=thing):
                return isinstance(thing, Uri) and thing not in self._node.directory.lists()
            case Delete(object=uri, actor=actor):
                return uri == actor or uri.target.startswith("/doctors/")
            case Move():
                return True
            case _:
                return False

    async def prepare(
        self, activity: AnyActivity, body: bytes, sibling: Sibling, *, forwarded_by: str | None = None,
        place: LogNumber | None = None,
    ) -> Incoming:  # fmt: skip
        """Gather what the effect needs from outside the transaction; raise Refused where it may not be."""
        author = relocated = None
        if isinstance(activity, Move):
            relocated = await self._relocations.look(activity, sibling)
        learned, fetched = await self._new_version(activity, sibling)
        # A doctor's own new version is judged by itself: the old standing has no say in it. Nor has any in a Delete,
        # which is never dropped once it was accepted; and a Move has rules of its own.
        if activity.actor != sibling.actor and learned is None and not isinstance(activity, Delete | Move):
            author = await self._node.directory.known(activity.actor, sibling)
            if author.role == Role.STUDENT:
                await self._node.policies.look()
            rights.require(activity, fetched, author, self._node.policies.standing, self._node.clock())
        return Incoming(
            activity=activity, body=body, origin=sibling.origin, instance=sibling.actor, now=self._node.clock(),
            kinds=sibling.kinds_in, kinds_out=sibling.kinds_out, author=author,
            forwarded_by=forwarded_by, place=None if forwarded_by else place, learned=learned,
            fetched=fetched, relocated=relocated,
        )  # fmt: skip

    async def __call__(self, tx: Transaction, into: Incoming) -> Effects:
        """Write the effect; raise Refused (and leave no trace) where what is stored here forbids it.

        What answers something that is not here is StillTakingBack as long as that may come back from a sibling.
        """
        try:
            return await self._apply(tx, into)
        except (NotVisible, NoSuchRelation) as refusal:
            if self._node.catching_up.back.may_come():
                raise StillTakingBack(refusal.reason) from refusal
            raise

    async def _apply(self, tx: Transaction, into: Incoming) -> Effects:
        effects = Effects()
        activity = into.activity
        match activity:
            case Create(object=thing):
                await self._create(tx, into, thing, effects)
            case Update():
                await self._update(tx, into, activity, effects)
            case Delete(object=uri):
                await self._delete(tx, into, uri, effects)
            case Follow():
                await self._relations.follow(tx, into, activity, effects)
            case Accept() | Reject():
                await self._relations.answered(tx, into, activity)
            case Undo():
                await self._relations.undo(tx, into, activity)
            case Like():
                await self._relations.like(tx, into, activity)
            case Announce():
                await self._relations.announce(tx, into, activity)
            case Flag():
                await self._relations.flag(tx, into, activity)
            case Move():
                await self._relocations.move(tx, into, activity, effects)
            case Ignored():
                pass
            case _ as never:
                assert_never(never)
        return effects

    async def settle(self, effects: Effects) -> None:
        """Do what is left once the transaction is on disk."""
        directory = self._node.directory
        for uri in effects.forget:
            directory.forget_doctor(uri)
        for learned in effects.adopt:
            directory.adopt(learned)
        if effects.wake_deliveries:
            self._node.wake.deliveries.set()

    # ── Create, Update and Delete ──

    async def _create(self, tx: Transaction, into: Incoming, thing: Post | Comment | Vote, effects: Effects) -> None:
        if isinstance(thing, Post):
            await self._posts.keep_post(tx, into, thing)
        elif isinstance(thing, Vote):
            await effects_cases.keep_vote(tx, into, thing)
        else:
            await self._posts.keep_comment(tx, into, thing, effects)

    async def _update(self, tx: Transaction, into: Incoming, update: Update, effects: Effects) -> None:
        thing = into.fetched if into.fetched is not None else update.object
        match thing:
            case Post():
                await self._posts.change_post(tx, into, thing)
            case Comment():
                await self._posts.change_comment(tx, into, thing, effects)
            case Doctor():
                await self._change_doctor(tx, into, effects)
            case Instance() | Uri():
                return  # keys and doctors read anew: done while preparing
            case _ as never:
                assert_never(never)

    async def _change_doctor(self, tx: Transaction, into: Incoming, effects: Effects) -> None:
        learned = into.learned
        if learned is None:
            raise ActorMismatch("no new version of a doctor")
        if not await self._node.directory.keep(tx, learned):
            raise StandingRefused(learned.doctor.standing)
        effects.adopt.append(learned)

    async def _delete(self, tx: Transaction, into: Incoming, uri: Uri, effects: Effects) -> None:
        doctor = await tx.one("directory.doctor", uri=uri)
        if doctor is None and uri != into.activity.actor:
            await self._posts.delete(tx, into, uri, effects)
            return
        if into.activity.actor not in (uri, into.instance):
            raise NotTheOwner("a doctor is withdrawn by themselves or by their home")
        await self._posts.delete_doctor(tx, into, uri)
        effects.forget.append(uri)

    # ── what an Update needs before its transaction ──

    async def _new_version(
        self, activity: AnyActivity, sibling: Sibling
    ) -> tuple[Learned | None, Post | Comment | None]:
        match activity:
            case Update(object=Doctor() as doctor):
                return await self._judged(activity, doctor, sibling), None
            case Update(object=Instance() as instance):
                await self._instance_changed(activity.actor, instance, sibling)
            case Update(object=Uri() as uri):
                return None, await self._read_anew(activity, uri, sibling)
            case _:
                pass
        return None, None

    async def _judged(self, update: Update, doctor: Doctor, sibling: Sibling) -> Learned:
        """Judge the embedded version. Keys change only together with a newer credential (A50)."""
        if update.actor not in (doctor.id, sibling.actor):
            raise ActorMismatch("another doctor")
        # Written anew, since JSON-LD has many spellings of an embedded object, and rows are read again.
        learned = await self._node.directory.learn(render.document(doctor), doctor, sibling)
        before = await self._node.store.one("directory.doctor", uri=doctor.id)
        if before is not None and await self._has_other_keys(learned):
            issued = learned.doctor.valid_from
            if issued is None or before["valid_from"] is None or to_ms(issued) <= before["valid_from"]:
                raise StandingRefused(Reason.ACTOR_KEY_MISMATCH.value, "new keys without a new credential")
        return learned

    async def _has_other_keys(self, learned: Learned) -> bool:
        """Whether the new version lists a key we do not hold for this doctor; leaving one out is no danger."""
        held = {bytes(row["spki"]) for row in await self._node.store.all("keys.of_owner", owner=learned.doctor.uri)}
        return any(key.spki not in held for key, _ in learned.keys)

    async def _instance_changed(self, actor: Uri, instance: Instance, sibling: Sibling) -> None:
        """Note what a sibling's instance shows now; keys in the place of pinned ones raise the alarm (A127)."""
        if instance.id != sibling.actor:
            raise ForeignOrigin("not the sibling's instance")
        if actor != instance.id:
            raise NotTheOwner("an instance speaks for itself alone")
        if not await self._node.siblings.pins.take_in(instance, sibling):
            raise PinMismatch(sibling.origin)

    async def _announced(self, update: Update, uri: Uri, sibling: Sibling) -> bool:
        """Read what an instance announces of itself: its status lists, the federation list, its set, its log's head."""
        if uri in self._node.directory.lists():
            if update.actor != sibling.actor:
                raise NotTheOwner("an instance announces its lists itself")
            await self._node.directory.lists.announced(sibling.origin)
            return True
        if self._node.federation_list.is_address(uri, sibling):
            if update.actor != sibling.actor:
                raise NotTheOwner("an instance announces its copy of the federation list itself")
            await self._node.federation_list.announced(sibling)
            return True
        if self._node.sets.is_address(uri, sibling):
            if update.actor != sibling.actor:
                raise NotTheOwner("an instance announces its set itself")
            await self._node.sets.announced(sibling)
            return True
        if is_head(uri, sibling):
            if update.actor != sibling.actor:
                raise NotTheOwner("an instance announces its log itself")
            await self._node.dossiers.heads.announced(uri, sibling)
            return True
        return False

    async def _read_anew(self, update: Update, uri: Uri, sibling: Sibling) -> Post | Comment | None:
        """Read what a bare address names at its home: a doctor is judged and stored, an object handed on."""
        node = self._node
        if await self._announced(update, uri, sibling):
            return None
        own = uri in (update.actor, sibling.actor)
        if own or await node.store.one("directory.doctor", uri=uri) is not None:
            if update.actor not in (uri, sibling.actor):
                raise NotTheOwner("nobody has others read anew but their home")
            await node.directory.read_anew(uri, sibling)
            return None
        if update.actor == sibling.actor:
            return None  # a list or a doctor nobody here has met: there is nothing to change, and nothing is read
        thing = parse.thing(await node.directory.document(uri))
        if isinstance(thing, Doctor):
            return None  # never seen here: there is nothing to change
        if not isinstance(thing, Post | Comment):
            raise KindNotFederated("neither a post nor a comment")
        if thing.author != update.actor:
            raise NotTheOwner("the author alone changes a text")
        # What is read at its home is held to the rules of what is sent (steps 16 and 18 at the door).
        require_listed(parse.addressed_hosts(thing), node.origin, node.allowlist())
        if isinstance(thing, Post) and thing.kind not in sibling.kinds_in:
            raise KindNotFederated(thing.kind)
        return thing
