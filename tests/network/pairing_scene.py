"""Two instances that list nobody, administrators with and without a second, and messages said by hand."""

from __future__ import annotations

from typing import Any

import orjson

from federation import pairing as protocol
from federation import render
from federation.keys import PrivateKey, make_ed25519, make_rsa
from federation.pairing import Verb
from federation.signatures import Profile, sign
from federation.uri import Uri
from federation.vocabulary import Instance, KeyDocument, Multikey
from federation.wire import Response
from instance.ids import new_ulid
from instance.services.pairing_rows import Pairing
from instance.services.staff import Invite
from tests.town import PASSWORD, Network, Place
from verification.people import Actor

CLI = "command line: test"
DE, FR = "https://de.example", "https://fr.example"


async def administrator(place: Place, login: str, inviter: str = "") -> Actor:
    """Somebody who runs the instance, appointed by the command line or by another administrator."""
    staff = place.node.staff
    row = await place.node.store.one("people.account_for_sign_in", login=inviter) if inviter else None
    new = Invite(email=f"{login}@chamber.example", roles=("administrator",))
    invited = await staff.invite(new, by="test", inviter=row and row["id"])
    await staff.accept(invited.link.rpartition("/")[2], login, PASSWORD)
    found = next(each for each in await staff.list() if each.login == login)
    return await staff.of(found.id)


async def fingerprint(place: Place) -> str:
    """What its administrator reads out."""
    return await place.node.siblings.own_fingerprint()


async def here(place: Place, other: Place) -> Pairing:
    """The last pairing with the other, seen from here."""
    return await place.node.pairings.of(other.node.origin)


async def confirms(place: Place, other: Place, by: Any = CLI, countries: tuple[str, ...] = ("DE",)) -> Pairing:
    """Confirm here with the fingerprint the other reads out; the command line does it alone where there are two."""
    found, alone = await here(place, other), by == CLI
    return await place.node.pairings.confirm(found.id, await fingerprint(other), countries, by, alone=alone)


async def asked(town: Network, one: Place, other: Place) -> None:
    """The one invites; the other's administrator has looked into the request."""
    await one.node.pairings.invite(other.node.origin, CLI)
    await town.settle()
    await other.node.pairings.read((await here(other, one)).id, CLI)


def lists(place: Place) -> list[str]:
    """Whom an instance speaks with."""
    return [sibling.origin for sibling in place.node.allowlist()]


class Stranger:
    """Somebody with keys who says to be the instance at an origin."""

    def __init__(self, origin: str = "https://it.example", **changes: Any) -> None:
        self.actor = Uri.parse(f"{origin}/actor")
        self.origin, self.changes = origin, changes
        self.key = make_rsa(Uri.parse(f"{self.actor}#main-key"), self.actor, 2048)
        self.issuer = make_ed25519(Uri.parse(f"{self.actor}#vc-1"), self.actor)

    def document(self) -> bytes:
        """The instance actor it shows."""
        public, issuer = self.key.public(), self.issuer.public()
        values: dict[str, Any] = {
            "id": self.actor, "name": "Instance it", "inbox": Uri.parse(f"{self.origin}/inbox"),
            "outbox": Uri.parse(f"{self.origin}/outbox"), "country": "IT",
            "public_keys": (KeyDocument(id=public.id, owner=public.owner, pem=public.pem),),
            "issuer_keys": (Multikey(id=issuer.id, controller=self.actor, key=issuer.multikey),),
        }  # fmt: skip
        return render.instance(Instance(**{**values, **self.changes}))

    async def says(
        self, to: Place, verb: str = "invite", *, name: str = "", sees: str = "", host: str = "", body: bytes | None = None,
        key: PrivateKey | None = None, content_type: str = protocol.JSON, headers: dict[str, str] | None = None,
        profile: Profile = Profile.CAVAGE,
    ) -> Response:  # fmt: skip
        """Post a message to an instance."""
        now = to.node.clock()
        name, sees = name or new_ulid(now).lower(), sees or await fingerprint(to)
        body = protocol.write(Verb(verb), name, sees, self.document()) if body is None else body
        target = f"/siblings/{host or self.actor.authority}/pairing"
        url = Uri.parse(to.node.origin + target)
        signed = sign("POST", url, body, key or self.key, profile, now, content_type=content_type)
        return await to.request("POST", target, {**signed, **(headers or {})}, body)


def with_members(stranger: Stranger, to_sees: str, **changes: Any) -> bytes:
    """The bytes of an invitation with other members."""
    said = {"pairing": "invite", "name": "0" * 26, "sees": to_sees, "actor": orjson.loads(stranger.document())}
    return orjson.dumps({name: value for name, value in {**said, **changes}.items() if value is not None})
