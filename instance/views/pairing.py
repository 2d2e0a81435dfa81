"""What the pages of pairing show: fingerprints as they are read out and as a picture, and whose turn it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from federation.errors import SiblingAlready
from instance.services import code_apps
from instance.services.candidates import write_found
from instance.services.pairing_rows import ENDINGS, groups
from instance.services.pairing_rows import REASONS as CHOSEN

if TYPE_CHECKING:
    from instance.services.pairing_rows import Pairing
    from instance.wiring import Node
    from verification.people import Actor

#: What administrators choose from when they decline.
REASONS: Final = CHOSEN
#: Why one ended: what was chosen, and what happened.
WHY: Final = (*CHOSEN, *ENDINGS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """A fingerprint to compare."""

    whole: str
    groups: list[str]
    #: A QR code of it, an SVG element.
    picture: str

    @classmethod
    def of(cls, text: str) -> Fingerprint:
        """Return it with its groups and its picture."""
        return cls(whole=text, groups=groups(text), picture=code_apps.picture(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One pairing, as this person sees it."""

    theirs: Fingerprint
    #: Whether people may still act on it.
    live: bool
    #: Whether somebody of this instance, other than this person, has to confirm as well.
    second: bool
    #: Whether this person has proposed to confirm it.
    proposed: bool


async def own(node: Node) -> Fingerprint:
    """What administrators of other instances compare."""
    return Fingerprint.of(await node.siblings.own_fingerprint())


async def shown(node: Node, pairing: Pairing, actor: Actor) -> Shown:
    """Return what this person sees of a pairing."""
    return Shown(
        theirs=Fingerprint.of(pairing.fingerprint), live=pairing.open and not pairing.is_late(node.clock()),
        second=await node.pairings.needs_second(actor, pairing), proposed=pairing.proposed_by == actor.id,
    )  # fmt: skip


def lists_us(pairing: Pairing) -> bool:
    """Whether it ended because the other instance lists us still, as one does that we have expelled."""
    return not pairing.open and pairing.last_code == SiblingAlready.code


def listed(pairing: Pairing) -> dict[str, Any]:
    """A pairing as the command line shows it."""
    found = write_found(pairing.found)
    kept = pairing.owed or lists_us(pairing)
    said = {name: found[name] for name in ("name", "country", "actor", "software", "contact")}
    return {
        "origin": pairing.origin, "state": pairing.state.value, "asked_by_us": pairing.asked_by_us,
        "read": pairing.read_at is not None, "fingerprint": pairing.fingerprint, **said,
        "countries": list(pairing.countries), "until": pairing.expires_at.isoformat(), "reason": pairing.reason,
        "proposed_by": pairing.proposed_by or "", "last_code": pairing.last_code if kept else "",
    }  # fmt: skip
