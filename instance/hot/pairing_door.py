"""The door for an instance that is on no list: one address, a small message, a few of them.

It costs what the limits say and no more: nobody is contacted, and what is kept is a bounded number of requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from federation import pairing, signatures
from federation.allowlist import Direction
from federation.errors import Refused
from federation.signatures import SignedMessage
from federation.trail import Head, Trail
from instance.hot import body as bodies
from instance.hot.limits import SlowLimit

if TYPE_CHECKING:
    from instance.wiring import Node

#: Messages in a minute and in a day: of one network address, of all strangers together (and of each instance with which
#: administrators here are pairing, of what it has proved to be its own), and under one key.
PER_ADDRESS: Final = (10, 100)
IN_ALL: Final = (60, 1_000)
PER_KEY: Final = (10, 60)


def host_of(target: str) -> str | None:
    """Whose pairing a request target is about: `/siblings/HOST/pairing`; None for every other."""
    match target.split("/"):
        case ["", "siblings", host, "pairing"] if host:
            return host
        case _:
            return None


class PairingDoor:
    """Takes what other instances say of being admitted."""

    def __init__(self, node: Node) -> None:
        self._node = node
        clock = node.clock
        self._address, self._all, self._keys = (
            SlowLimit(clock, minute=minute, day=day) for minute, day in (PER_ADDRESS, IN_ALL, PER_KEY)
        )

    async def __call__(self, head: SignedMessage, host: str, address: str, receive: Any) -> bytes:
        """Return the answer after what was said is on disk; raise Refused."""
        trail = Trail(self._node.clock(), Head(head.method, head.target, head.headers))
        try:
            return await self._take(head, host, address, receive, trail)
        except Refused as refusal:
            self._node.audit.refused(Direction.IN, refusal, trail)
            raise

    async def _take(self, head: SignedMessage, host: str, address: str, receive: Any, trail: Trail) -> bytes:
        node, window = self._node, self._node.config.signature_window
        signatures.require_host(head)
        pairing.require_form(head)
        self._address.count(address)
        claim = pairing.claimed(head, host, node.origin, node.clock(), window)
        trail.origin, trail.key_id, trail.profile = claim.key_id.origin, claim.key_id, claim.profile.value
        origin = claim.key_id.origin
        # Strangers, however many, keep nobody out with whom administrators here are in the middle of it. To name a key
        # is no proof of having it: until then the address pays, and without it whoever came is one of the strangers.
        known = await node.pairings.keys_read_of(origin)
        if not known:
            self._all.count("")
        message = head.with_body(await bodies.read(receive, pairing.MAX_BODY))
        said = pairing.read(message, claim, node.clock(), window)
        if known:
            self._all.count(origin if said.key.fingerprint in known else "")
        self._keys.count(f"{origin} {said.key.fingerprint}")
        return orjson.dumps({"pairing": await node.pairings.heard(said)})
