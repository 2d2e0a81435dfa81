"""Every refusal this room answers with: one class, one status, one code.

    Refused
    ├── at the door        MalformedHeaders WrongHost UnsupportedMediaType TooLarge TooSlow TooManyRequests
    ├── the signature      NotSigned WeakCoverage BadSignature Stale DigestMismatch UnknownKey (KeyAway)
    │                      KeyNotOwned PinMismatch
    ├── the sibling        NotASibling (NotOnTheList, ListUnread) SiblingPaused SiblingBlocked SiblingReadOnly
    ├── the list           IssuerSuspended IssuerWithdrawn FederationListExpired (503)
    ├── the document       Malformed UnknownContext TooMany
    ├── the claim          ActorMismatch ForeignOrigin UnlistedHost NotTheOwner NoSuchRelation PublicAudience
    │                      NotVisible
    │                      KindNotFederated AudienceWidened AuthorAway StillTakingBack (503)
    ├── a vote             PollClosed (409) NoSuchOption (422)
    ├── a move             MoveUnclaimed MoveNotVerified MoveOtherName MoveTooLate MovedElsewhere
    ├── a pairing          PairingOver NoSuchPairing OtherFingerprint SiblingAlready PairingNotYet (409, 404)
    ├── the standing       StandingRefused (403, a credential reason), StandingDeferred (503)
    └── a request to read  NotFound Gone MethodNotAllowed SigningStopped (503)

The caller learns the code (RFC 9457 shape); the log learns the reason given to the constructor.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar


class Refused(Exception):
    """A rule of the federation did not hold. `reason` is for the log alone and carries no free text of a message."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "refused"
    retry_after: int | None = None

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason or self.code)
        self.reason = reason

    @property
    def http_status(self) -> int:
        """The status the caller is answered with."""
        return self.status

    @property
    def answer_code(self) -> str:
        """The code the caller is answered with."""
        return self.code


class MalformedHeaders(Refused):
    """A header is repeated, folded, not ASCII, or contradicts another."""

    code = "malformed_headers"


class HeadersTooLarge(Refused):
    """More than 16 KiB or 64 fields of headers."""

    status, code = 431, "headers_too_large"


class WrongHost(Refused):
    """The Host header names another server than this one."""

    status, code = 421, "wrong_host"


class UnsupportedMediaType(Refused):
    """Neither activity+json nor ld+json with the ActivityStreams profile, or an encoded body."""

    status, code = 415, "unsupported_media_type"


class TooLarge(Refused):
    """The body is longer than a message may be."""

    status, code = 413, "too_large"


class TooSlow(Refused):
    """The body did not arrive in time."""

    status, code = 408, "too_slow"


class TooManyRequests(Refused):
    """The sender is over its share; it may come back after `retry_after` seconds."""

    status, code = 429, "too_many_requests"
    retry_after = 5


class NotSigned(Refused):
    """The message carries no signature."""

    status, code = 401, "not_signed"


class WeakCoverage(Refused):
    """The signature leaves out a part that must be covered."""

    status, code = 401, "weak_coverage"


class BadSignature(Refused):
    """The signature is malformed, doubled, of a forbidden algorithm, or does not verify."""

    status, code = 401, "bad_signature"


class Stale(Refused):
    """Date or created lies outside the window, is missing or unreadable, or the signature has expired."""

    status, code = 401, "stale"


class DigestMismatch(Refused):
    """Digest or Content-Digest is missing, too weak, or not that of the body."""

    status, code = 401, "digest_mismatch"


class UnknownKey(Refused):
    """The key id leads to no usable key."""

    status, code = 401, "unknown_key"


class KeyAway(UnknownKey):
    """The home of the key did not answer: whether there is such a key is not known."""


class KeyNotOwned(Refused):
    """The key's document does not prove that its owner holds it."""

    status, code = 401, "key_not_owned"


class PinMismatch(Refused):
    """The instance's key is not the one pinned in our allowlist."""

    status, code = 403, "pin_mismatch"


class NotASibling(Refused):
    """The origin is not on our allowlist."""

    status, code = 403, "not_a_sibling"


class NotOnTheList(NotASibling):
    """The origin has an entry here, and the federation list does not name it among its members."""


class ListUnread(NotASibling):
    """The origin has an entry here, and no federation list was ever read: nobody is a sibling before one is."""


class SiblingPaused(Refused):
    """The sibling is on the allowlist, and paused here."""

    status, code = 403, "sibling_paused"


class SiblingBlocked(Refused):
    """The sibling is on the allowlist, and blocked here."""

    status, code = 403, "sibling_blocked"


class SiblingReadOnly(Refused):
    """The local policy for this sibling does not open this direction."""

    status, code = 403, "sibling_read_only"


class Malformed(Refused):
    """Not strict JSON, or not an activity of our vocabulary."""

    code = "malformed"


class UnknownContext(Refused):
    """The @context is not one we ship, or changes the meaning of terms."""

    code = "unknown_context"


class TooMany(Refused):
    """More recipients, mentions, tags or attachments than a message may have."""

    code = "too_many"


class ActorMismatch(Refused):
    """The actor of the activity, or the author of its object, is not the signer."""

    status, code = 403, "actor_mismatch"


class ForeignOrigin(Refused):
    """An id does not lie on its actor's origin, or lies on ours."""

    status, code = 403, "foreign_origin"


class UnlistedHost(Refused):
    """A host inside the activity is not on our allowlist."""

    status, code = 403, "unlisted_host"


class NotTheOwner(Refused):
    """Only the owner may change, withdraw or undo this."""

    status, code = 403, "not_the_owner"


class NoSuchRelation(Refused):
    """Nobody asked for this answer, or it answers somebody else's request."""

    status, code = 403, "no_such_relation"


class NotVisible(Refused):
    """The object does not exist for the sender: absent and hidden are answered alike."""

    status, code = 403, "not_visible"


class PublicAudience(Refused):
    """The public address occurs; nothing here is ever public."""

    status, code = 403, "public_audience"


class KindNotFederated(Refused):
    """The kind of object does not travel in this direction under the policy in force."""

    status, code = 403, "kind_not_federated"


class AudienceWidened(Refused):
    """The activity would show an object to more people than its author chose."""

    status, code = 403, "audience_widened"


class PollClosed(Refused):
    """The poll has ended; a vote that comes afterwards is not counted."""

    status, code = 409, "poll_closed"


class NoSuchOption(Refused):
    """The vote names nothing that the poll offers."""

    status, code = 422, "no_such_option"


class MoveUnclaimed(Refused):
    """The two actors of a Move do not name each other, in `movedTo` and `alsoKnownAs`, at their homes."""

    status, code = 403, "move_unclaimed"


class MoveNotVerified(Refused):
    """One of the two actors of a Move is no verified doctor: the old one never was, or lost it; the new one is not."""

    status, code = 403, "move_not_verified"


class MoveOtherName(Refused):
    """The two actors of a Move were verified under different names."""

    status, code = 403, "move_other_name"


class MoveTooLate(Refused):
    """The old actor of a Move fell silent more than 30 days ago, or does not say when."""

    status, code = 403, "move_too_late"


class MovedElsewhere(Refused):
    """The old actor of a Move has moved to somebody else before, or the new one has moved on."""

    status, code = 403, "moved_elsewhere"


class PairingOver(Refused):
    """The pairing was declined, withdrawn, or nobody answered in time; it is begun anew or not at all."""

    status, code = 409, "pairing_over"


class NoSuchPairing(Refused):
    """There is no pairing of this name with the sender."""

    status, code = 404, "no_such_pairing"


class OtherFingerprint(Refused):
    """The sender of an invitation or a confirmation has read other keys of this instance than it shows."""

    status, code = 409, "other_fingerprint"


class SiblingAlready(Refused):
    """Who asks to be admitted is on the allowlist already; to be admitted anew it has to be removed first."""

    status, code = 409, "sibling_already"


class PairingNotYet(Refused):
    """The sender cannot be admitted at this moment; nothing was found against it, and it is to say the same again."""

    status, code = 409, "pairing_not_yet"
    retry_after = 300


class AuthorAway(Refused):
    """The home of a forwarded message's author, or its lists, cannot be read now; nothing was found against it."""

    status, code = 503, "author_away"
    retry_after = 300


class NotFound(Refused):
    """There is nothing here for this requester: missing and forbidden are byte-equal."""

    status, code = 404, "not_found"


class Gone(Refused):
    """It was withdrawn."""

    status, code = 410, "gone"


class MethodNotAllowed(Refused):
    """The address does not take this method."""

    status, code = 405, "method_not_allowed"


class StillTakingBack(Refused):
    """What it answers may be among what an instance with older rows has not taken back from its siblings yet."""

    status, code = 503, "still_taking_back"
    retry_after = 60


class SigningStopped(Refused):
    """A document that is signed when it is asked for, at an instance that signs nothing until it knows its own log."""

    status, code = 503, "signing_stopped"
    retry_after = 900


class _Standing(Refused):
    """A verdict on a doctor's standing; its code is the credential reason."""

    code = "standing"

    def __init__(self, standing_code: str, reason: str = "") -> None:
        super().__init__(reason or standing_code)
        self.standing_code = standing_code

    @property
    def answer_code(self) -> str:
        return self.standing_code


class StandingRefused(_Standing):
    """The doctor is not (or no longer) verified: 403 with the credential reason."""

    status = 403


class StandingDeferred(_Standing):
    """The standing cannot be known now: 503, come back later."""

    status, retry_after = 503, 900


class _ByTheList(_Standing):
    """What the federation list says of a sibling; its code is the credential reason for the same thing."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(self.code, reason)


class IssuerSuspended(_ByTheList):
    """The sibling is suspended on the federation list."""

    status, code = 403, "issuer_suspended"


class IssuerWithdrawn(_ByTheList):
    """The sibling has left the federation, as the federation list says."""

    status, code = 403, "issuer_withdrawn"


class FederationListExpired(_ByTheList):
    """The federation list kept here has run out: nobody may speak until a new one is read."""

    status, code = 503, "federation_list_expired"
    retry_after = 900


def all_refusals() -> Iterator[type[Refused]]:
    """Every refusal with a code of its own; the standing classes borrow theirs from the credential reasons."""
    waiting = list(Refused.__subclasses__())
    while waiting:
        refusal = waiting.pop(0)
        waiting.extend(refusal.__subclasses__())
        if "code" in vars(refusal) and not issubclass(refusal, _Standing):
            yield refusal
