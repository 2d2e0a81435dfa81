"""Pairing: how two instances that do not list each other yet are admitted by their administrators.

The one message that is taken from an instance on no list. It is signed by a key of the instance actor that stands in
it, and so proves that its sender holds that key, not whose host that is: for that somebody reads the actor at its home,
and two people compare fingerprints. Nothing here fetches; the clock is an argument.

    invited ──┐                     ┌─▶ active
              ├─▶ confirmed here  ──┤
    requested ┘   confirmed there   └─▶ declined, withdrawn, expired        (MOVES)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import orjson

from federation import parse, signatures
from federation.errors import (
    ActorMismatch,
    Malformed,
    NotFound,
    PairingOver,
    TooLarge,
    UnknownKey,
    UnsupportedMediaType,
)
from federation.keys import PublicKey
from federation.signatures import Claim, SignedMessage
from federation.uri import Uri
from federation.vocabulary import Instance

JSON: Final = "application/json"
#: What an instance actor with two generations of keys takes, four times over.
MAX_BODY: Final = 8_192
#: How long after its end a side that has confirmed still hears that the other has: the answer may have been lost.
GRACE: Final = timedelta(days=1)
_NAME: Final = re.compile(r"[0-9a-hjkmnp-tv-z]{26}\Z")
_FINGERPRINT: Final = re.compile(r"sha256:[0-9a-f]{64}\Z")
_MEMBERS: Final = frozenset({"pairing", "name", "sees", "actor"})


class Verb(StrEnum):
    """What one side tells the other."""

    INVITE = "invite"
    CONFIRM = "confirm"
    DECLINE = "decline"
    WITHDRAW = "withdraw"


class State(StrEnum):
    """How far a pairing is, seen from one side."""

    INVITED = "invited"  #: we have asked
    REQUESTED = "requested"  #: they have asked
    CONFIRMED_HERE = "confirmed_here"
    CONFIRMED_THERE = "confirmed_there"
    ACTIVE = "active"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class Event(StrEnum):
    """What changes it."""

    CONFIRM_HERE = "confirm_here"
    CONFIRM_THERE = "confirm_there"
    DECLINE_HERE = "decline_here"
    DECLINE_THERE = "decline_there"
    WITHDRAW_HERE = "withdraw_here"
    WITHDRAW_THERE = "withdraw_there"
    EXPIRE = "expire"


_ENDS: Final = {
    Event.DECLINE_THERE: State.DECLINED,
    Event.WITHDRAW_THERE: State.WITHDRAWN,
    Event.EXPIRE: State.EXPIRED,
}
_ENDS_HERE: Final = {Event.DECLINE_HERE: State.DECLINED, Event.WITHDRAW_HERE: State.WITHDRAWN}
#: Every move there is. An active pairing ends only while the other side has not taken our confirmation
#: yet: it was over there before we confirmed.
MOVES: Final[Mapping[State, Mapping[Event, State]]] = MappingProxyType(
    {
        State.INVITED: {
            Event.CONFIRM_HERE: State.CONFIRMED_HERE,
            Event.CONFIRM_THERE: State.CONFIRMED_THERE,
            Event.WITHDRAW_HERE: State.WITHDRAWN,
            **_ENDS,
        },
        State.REQUESTED: {
            Event.CONFIRM_HERE: State.CONFIRMED_HERE,
            Event.CONFIRM_THERE: State.CONFIRMED_THERE,
            Event.DECLINE_HERE: State.DECLINED,
            **_ENDS,
        },
        State.CONFIRMED_HERE: {Event.CONFIRM_THERE: State.ACTIVE, **_ENDS_HERE, **_ENDS},
        State.CONFIRMED_THERE: {Event.CONFIRM_HERE: State.ACTIVE, **_ENDS_HERE, **_ENDS},
        State.ACTIVE: dict(_ENDS),
        State.DECLINED: {},
        State.WITHDRAWN: {},
        State.EXPIRED: {},
    }
)
#: In these somebody is still asked.
OPEN: Final = frozenset({State.INVITED, State.REQUESTED, State.CONFIRMED_HERE, State.CONFIRMED_THERE})


def moved(state: State, event: Event) -> State:
    """Return the state after an event; raise PairingOver where that state knows no such move."""
    after = MOVES[state].get(event)
    if after is None:
        raise PairingOver(f"{state}: {event}")
    return after


@dataclass(frozen=True, slots=True)
class Message:
    """What one side has said, signed by a key of the instance actor in it."""

    verb: Verb
    #: By what both sides call this pairing: a ULID in small letters, made by who began it.
    name: str
    #: The sender, as its instance actor says.
    instance: Instance
    #: The key that has signed.
    key: PublicKey
    #: The fingerprint of the receiver, as the sender has read it.
    sees: str


def address(origin: str, own: str) -> Uri:
    """Where an instance takes what the instance at `own` has to say about their pairing."""
    return Uri.parse(f"{origin}/siblings/{Uri.parse(own).authority}/pairing")


def write(verb: Verb, name: str, sees: str, actor: bytes) -> bytes:
    """Return the body of a message; `actor` are the bytes of the own instance actor."""
    return orjson.dumps({"pairing": verb.value, "name": name, "sees": sees, "actor": orjson.Fragment(actor)})


def require_form(head: SignedMessage) -> None:
    """Raise UnsupportedMediaType or TooLarge by what the head says of the body."""
    if head.headers.get("content-type", "") != JSON:
        raise UnsupportedMediaType
    if (head.declared_length or 0) > MAX_BODY:
        raise TooLarge("declared")


def claimed(head: SignedMessage, host: str, own: str, now: datetime, window: timedelta) -> Claim:
    """Return the claim of a message that came to the address of `host`; raise Refused.

    That host is the one of the key (NotFound), and not ours.
    """
    claim = signatures.read_claim(head)
    signatures.check_window(claim, head, now, window)
    if claim.key_id.authority != host:
        raise NotFound("the address of another instance")
    if claim.key_id.origin == own:
        raise UnknownKey("our own host")
    return claim


def read(message: SignedMessage, claim: Claim, now: datetime, window: timedelta) -> Message:
    """Return what a whole message says, if a key of the instance actor in it has signed it; raise Refused."""
    sound = signatures.check(message, claim, now, window)
    said = parse.strict_json(message.body)
    verb, name, sees, document = (said.get(member) for member in ("pairing", "name", "sees", "actor"))
    if said.keys() != _MEMBERS or not isinstance(document, dict):
        raise Malformed("members")
    if not isinstance(verb, str) or verb not in set(Verb) or not _fits(_NAME, name) or not _fits(_FINGERPRINT, sees):
        raise Malformed("verb, name or fingerprint")
    instance = parse.instance(document)
    key = _key(instance, claim)
    signatures.prove(sound, key)
    return Message(Verb(str(verb)), str(name), instance, key, str(sees))


def _fits(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.match(value) is not None


def _key(instance: Instance, claim: Claim) -> PublicKey:
    """The key of the actor that the signature names."""
    if instance.id.origin != claim.key_id.origin:
        raise ActorMismatch("the actor of another host")
    keys = [PublicKey.from_pem(each.id, each.owner, each.pem) for each in instance.public_keys]
    keys += [PublicKey.from_multikey(each.id, each.controller, each.key) for each in instance.assertion_methods]
    found = [key for key in keys if key.id == claim.key_id and key.owner == instance.id]
    if len(found) != 1:
        raise UnknownKey("not one key of the actor in the message")
    return found[0]


__all__ = [
    "GRACE", "MAX_BODY", "MOVES", "OPEN", "Event", "Message", "State", "Verb", "address", "claimed", "moved", "read",
    "require_form", "write",
]  # fmt: skip
