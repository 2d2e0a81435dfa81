"""An instance that wants to be a sibling: read once, shown to the administrator, stored only after a yes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from federation import discovery, parse, signatures
from federation.errors import Refused
from federation.inbox import require_activity_type
from federation.keys import PublicKey
from federation.signatures import Profile
from federation.uri import Uri
from federation.vocabulary import Instance
from federation.wire import NotReached
from instance.services.errors import Rejected

if TYPE_CHECKING:
    from instance.wiring import Node


@dataclass(frozen=True, slots=True)
class CandidateKey:
    """A public key the candidate shows."""

    id: Uri
    key: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a candidate's instance actor says of itself; nothing of it is stored yet.

    `fingerprints` holds the one to compare: it covers the address, every key the instance signs with, and every key
    that would vouch for its doctors, so that none of them can be another's when it fits.
    """

    origin: str
    actor: Uri
    name: str
    country: str
    inbox: Uri
    outbox: Uri
    fingerprints: tuple[str, ...]
    keys: tuple[str, ...]
    issuer_keys: tuple[CandidateKey, ...]
    software: str
    contact: str
    speaks_rfc9421: bool

    @property
    def fingerprint(self) -> str:
        """The one to compare with the candidate's administrator."""
        return self.fingerprints[0]


async def look_up(node: Node, origin: str) -> Found:
    """Read the candidate's instance actor; raise Rejected where there is none that could be a sibling."""
    try:
        return found_in(origin, await _read_actor(node, origin))
    except Refused as refusal:
        node.log.warning("candidate_refused", origin=origin, code=refusal.answer_code)
        raise Rejected("not_an_instance", "origin") from None
    except NotReached as fault:
        node.log.warning("candidate_not_reached", origin=origin, code=fault.code)
        raise Rejected("not_reached", "origin", status=502) from None


async def _read_actor(node: Node, origin: str) -> Instance:
    """The actor at `/actor`, or where the candidate's own WebFinger says it is, on the same origin."""
    url = Uri.parse(origin + "/actor")
    answer = await node.wire.get_instance_actor(url, await _signed(node, url))
    if answer.status == 404:
        url = await _ask_webfinger(node, origin)
        answer = await node.wire.get_instance_actor(url, await _signed(node, url))
    if answer.status != 200:
        raise Rejected("not_an_instance", "origin")
    require_activity_type(answer.headers.get("content-type", ""))
    actor = parse.instance(parse.strict_json(answer.body))
    if actor.id != url:
        raise Rejected("not_an_instance", "origin")
    return actor


async def _ask_webfinger(node: Node, origin: str) -> Uri:
    authority = Uri.parse(origin).authority
    url = Uri.parse(f"{origin}/.well-known/webfinger")
    answer = await node.wire.get_instance_webfinger(origin, await _signed(node, url))
    if answer.status != 200:
        raise Rejected("not_an_instance", "origin")
    actor = discovery.read_webfinger(parse.strict_json(answer.body), f"acct:{authority}@{authority}", origin)
    if actor.origin != origin:
        raise Rejected("not_an_instance", "origin")
    return actor


async def _signed(node: Node, url: Uri) -> dict[str, str]:
    key: Any = await node.keys.signing_key(node.actor, Profile.CAVAGE)
    return signatures.sign("GET", url, None, key, Profile.CAVAGE, node.clock())


def fingerprint_of(actor: Uri, keys: Iterable[str], issuer_keys: Iterable[tuple[str, str]]) -> str:
    """Return `sha256:` over everything an allowlist entry pins, each thing on its own line."""
    lines = [f"actor {actor}", *sorted(f"key {key}" for key in keys)]
    lines += sorted(f"issuer {name} {key}" for name, key in issuer_keys)
    return "sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()


def write_found(found: Found) -> dict[str, Any]:
    """Return a candidate as plain JSON values."""
    return asdict(found)


def read_found(values: Mapping[str, Any]) -> Found:
    """Return the candidate that plain values hold; the fingerprint is computed anew."""
    keys = tuple(CandidateKey(Uri.parse(key["id"]), key["key"]) for key in values["issuer_keys"])
    places = {name: Uri.parse(values[name]) for name in ("actor", "inbox", "outbox")}
    pin = fingerprint_of(places["actor"], values["keys"], [(key.id, key.key) for key in keys])
    shown = {**values, **places, "keys": tuple(values["keys"]), "issuer_keys": keys, "fingerprints": (pin,)}
    return Found(**shown)


def found_in(origin: str, actor: Instance) -> Found:
    """Return the candidate that an instance actor shows; raise Rejected(not_an_instance), or Refused for bad keys."""
    keys = tuple(sorted(_fingerprints(actor)))
    issuers = tuple(CandidateKey(key.id, key.key) for key in actor.issuer_keys)
    places = (actor.id, actor.inbox, actor.outbox, *(key.id for key in issuers))
    if not keys or not issuers or any(place.origin != origin for place in places):
        raise Rejected("not_an_instance", "origin")
    pin = fingerprint_of(actor.id, keys, [(key.id, key.key) for key in issuers])
    return Found(
        origin=origin, actor=actor.id, name=actor.name, country=actor.country, inbox=actor.inbox, outbox=actor.outbox,
        fingerprints=(pin,), keys=keys, issuer_keys=issuers, software=actor.software, contact=actor.contact,
        speaks_rfc9421=actor.speaks_rfc9421,
    )  # fmt: skip


def _fingerprints(actor: Instance) -> set[str]:
    """Of every key the actor signs messages with; one that breaks our rules, or is another's, spoils the whole."""
    keys = [PublicKey.from_pem(key.id, key.owner, key.pem) for key in actor.public_keys]
    keys += [PublicKey.from_multikey(key.id, key.controller, key.key) for key in actor.assertion_methods]
    for issuer in actor.issuer_keys:
        PublicKey.from_multikey(issuer.id, issuer.controller, issuer.key)
    if any(key.owner != actor.id or key.id.origin != actor.id.origin for key in keys):
        raise Rejected("not_an_instance", "origin")
    issuing = {key.key for key in actor.issuer_keys}
    # The key that vouches for doctors signs credentials only; as a message key it is not pinned.
    return {key.fingerprint for key in keys if key.algorithm == "rsa" or key.multikey not in issuing}
