"""From a fact to the messages that announce it: who is told, in whose words, in the caller's transaction.

A sibling that is paused, or closed for a time by the federation list, is told too, later: its rows are held. One that
is blocked, and a stranger, never.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federation import render
from federation.allowlist import PASSING, Direction, LocalPolicy, Sibling
from federation.audience import Target
from federation.delivery import Priority
from federation.integrity import Json, add_proof
from federation.keys import PrivateKey
from federation.uri import Uri
from federation.vocabulary import VERIFIED_DOCTORS, Activity, Audience, PostKind
from instance.ids import new_ulid
from instance.services.errors import Rejected
from instance.storage.store import Row, Transaction

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = ("sibling_closed",)

ORDINARY, NAMED, WITHDRAWAL, STANDING = Priority.REST, Priority.NAMED, Priority.WITHDRAWAL, Priority.REVOCATION


@dataclass(frozen=True, slots=True)
class Message:
    """One activity, ready to be queued; `proof_key` signs the object proof (FEP-8b32) where one is carried."""

    activity: Any
    object: Uri
    audience: str = ""
    priority: Priority = Priority.REST
    proof_key: PrivateKey | None = None
    #: A Delete for fewer people than hold the object, which lives on for the others.
    narrowed: bool = False


def activity_id(node: Node) -> Uri:
    """Return a new address for an activity of ours."""
    return Uri.parse(f"{node.origin}/activities/{new_ulid(node.clock())}")


async def send(node: Node, tx: Transaction, message: Message, targets: Sequence[Target]) -> None:
    """Queue the message for each target; one for a sibling that is paused waits until it is resumed."""
    activity = message.activity
    await node.outbox.publish(
        tx, activity, audience=message.audience, object=message.object, priority=message.priority,
        targets=targets, body=_body(node, message), narrowed=message.narrowed,
    )  # fmt: skip


def _body(node: Node, message: Message) -> bytes:
    if message.proof_key is None:
        return render.activity(message.activity)
    key = message.proof_key.key
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError("object proofs are made with Ed25519")
    document: Mapping[str, Json] = render.document(message.activity)
    return render.encode(add_proof(document, key, verification_method=message.proof_key.id, created=node.clock()))


async def forget_object(tx: Transaction, uri: str, now: int) -> None:
    """Take the words of a withdrawn post or answer out of everything that hangs on it: queue, outbox, history."""
    await tx.run("posts.drop_waiting", object=uri, now=now)
    await tx.run("posts.forget_words", object=uri, nothing=b"")
    await tx.run("logs.forget_words", object=uri, nothing=b"")
    await tx.run("posts.drop_revisions", object=uri)
    await tx.run("posts.drop_likes", object=uri)
    await tx.run("posts.drop_mentions", object=uri)
    await tx.run("notifications.mark_about", object=uri, now=now)
    await tx.run("notifications.drop_about", object=uri)


@dataclass(frozen=True, slots=True)
class Written:
    """An activity for every sibling, with its bytes: written before the transaction that queues it."""

    activity: Any
    about: Uri
    body: bytes
    priority: Priority
    targets: Sequence[Target]


def written_to_all_siblings(
    node: Node, kind: type[Activity], *, actor: Uri, object: Any, priority: Priority, **more: Any
) -> Written:
    """Write an activity about one of our doctors for every sibling; `more` is what this kind says besides."""
    about = object if isinstance(object, Uri) else object.id
    said = {"object": object, **more}
    activity: Any = kind(
        id=activity_id(node), actor=actor, to=(VERIFIED_DOCTORS,), published=node.clock(), **said
    )  # fmt: skip
    targets = [_shared(sibling) for sibling in node.allowlist() if _is_told(sibling)]
    return Written(activity, about, render.activity(activity), priority, targets)


async def queue(node: Node, tx: Transaction, written: Written) -> None:
    """Queue what was written before, in the caller's transaction."""
    await node.outbox.publish(
        tx, written.activity, audience=Audience.FEDERATION.value, object=written.about, priority=written.priority,
        targets=written.targets, body=written.body,
    )  # fmt: skip


async def to_all_siblings(
    node: Node, tx: Transaction, kind: type[Activity], *, actor: Uri, object: Any, priority: Priority, **more: Any
) -> None:
    """Write an activity about one of our doctors, and queue it for every sibling."""
    written = written_to_all_siblings(node, kind, actor=actor, object=object, priority=priority, **more)
    await queue(node, tx, written)


# ── who is told ──


def of_federation(node: Node, kind: PostKind) -> list[Target]:
    """Every sibling to which this kind of post is open."""
    return [_shared(sibling) for sibling in node.allowlist() if _takes(sibling, kind)]


def of_doctors(node: Node, rows: Iterable[Row], kind: PostKind) -> list[Target]:
    """The siblings of these doctors, each once, as far as this kind is open to them."""
    origins = sorted({row["origin"] for row in rows} - {node.origin})
    siblings = (node.allowlist().find(origin) for origin in origins)
    return [_shared(sibling) for sibling in siblings if sibling is not None and _takes(sibling, kind)]


def of_holders(node: Node, origins: Iterable[str]) -> list[Target]:
    """The siblings in the copy ledger: a withdrawal goes wherever the thing went, whatever the policy has become."""
    siblings = (node.allowlist().find(origin) for origin in sorted(origins))
    return [_shared(s) for s in siblings if s is not None and s.policy is not LocalPolicy.BLOCK]


def personal(node: Node, row: Row) -> list[Target]:
    """The inbox of one doctor; none for our own. Raises Rejected(sibling_closed) where nothing may go there."""
    if row["origin"] == node.origin:
        return []
    if not node.allowlist().permits(row["origin"], Direction.OUT):
        raise Rejected("sibling_closed", status=409)
    return [Target(row["origin"], Uri.parse(row["inbox"]), False)]


def personal_if_open(node: Node, row: Row) -> list[Target]:
    """The inbox of one doctor, for later where the sibling is paused; nothing where nothing may go there."""
    sibling = node.allowlist().find(row["origin"])
    if row["origin"] == node.origin or sibling is None or not _is_told(sibling):
        return []
    return [Target(row["origin"], Uri.parse(row["inbox"]), False)]


def _shared(sibling: Sibling) -> Target:
    if sibling.inbox is None:
        raise ValueError("an entry without an inbox")
    return Target(sibling.origin, sibling.inbox, True)


def _is_told(sibling: Sibling) -> bool:
    """Whether it hears now, or later: read-only is told nothing new; what the list closes for a time comes again."""
    refusal = sibling.refusal(Direction.OUT)
    return refusal is None or (refusal in PASSING and sibling.policy in _TOLD)


_TOLD: Final = frozenset({LocalPolicy.INHERIT, LocalPolicy.PAUSE})


def _takes(sibling: Sibling, kind: PostKind) -> bool:
    return kind in sibling.kinds_out and _is_told(sibling)
