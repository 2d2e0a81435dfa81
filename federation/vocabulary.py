"""The words of this federation, as immutable values. `parse` makes them of JSON, `render` makes JSON of them.

Instance   one country's server, an Application; housekeeping only
Doctor     somebody a sibling has verified, a Person
Post       a case, an observation, a question (or, where policy opens it, news and reports), an Article
Poll       the question a post puts to its readers, with what may be answered, a Question
Comment    an answer in a post's thread, a Note
Vote       one doctor's choice in a poll, a Note with a name and no content
Tombstone  what stays of something withdrawn
Collection a list somebody keeps, or a page of it

Create Update Delete Follow Accept Reject Undo Like Announce Flag Move, and Ignored for every other activity
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Final, TypeAlias

from msgspec import Struct

from federation.integrity import Json
from federation.uri import Uri

NAMESPACE: Final = "https://esanum.example/ns/federation/v1"
ACTIVITYSTREAMS: Final = "https://www.w3.org/ns/activitystreams"
#: The one collection a `federation` post is addressed to: every verified doctor of every active sibling.
VERIFIED_DOCTORS: Final = Uri.parse(NAMESPACE + "#VerifiedDoctors")
#: The three spellings of the public address (ActivityPub section 5.6); none is ever sent or accepted.
PUBLIC: Final = frozenset({ACTIVITYSTREAMS + "#Public", "as:Public", "Public"})


class PostKind(StrEnum):
    """What a post is; its wire name is `postKind`."""

    CASE = "case"
    OBSERVATION = "observation"
    QUESTION = "question"
    NEWS = "news"
    STUDY_REPORT = "study-report"
    CONGRESS_REPORT = "congress-report"


#: What says where it comes from, and whose interests it touches.
BULLETINS: Final = frozenset({PostKind.NEWS, PostKind.STUDY_REPORT, PostKind.CONGRESS_REPORT})
#: The kinds that travel unless a policy says otherwise; the rest is national until opened.
FEDERATING_KINDS: Final = frozenset({PostKind.CASE, PostKind.OBSERVATION, PostKind.QUESTION})


class Audience(StrEnum):
    """Who may read a post and its thread."""

    FEDERATION = "federation"
    COLLEAGUES = "colleagues"
    NAMED = "named"
    NATIONAL = "national"


class Thing(Struct, frozen=True, kw_only=True):
    """Anything with an id."""

    id: Uri


class KeyDocument(Struct, frozen=True, kw_only=True):
    """An RSA key as an actor publishes it (security vocabulary v1)."""

    id: Uri
    owner: Uri
    pem: str


class Multikey(Struct, frozen=True, kw_only=True):
    """An Ed25519 key as an actor publishes it (FEP-521a)."""

    id: Uri
    controller: Uri
    key: str


class Instance(Thing, frozen=True, kw_only=True):
    """The actor of one country's server."""

    name: str
    inbox: Uri
    outbox: Uri
    public_keys: tuple[KeyDocument, ...]
    assertion_methods: tuple[Multikey, ...] = ()
    #: Keys that sign credentials; a sibling believes those its allowlist pins, never these.
    issuer_keys: tuple[Multikey, ...] = ()
    country: str = ""
    contact: str = ""
    software: str = ""
    #: Whether it announces RFC 9421 signatures (FEP-844e).
    speaks_rfc9421: bool = False


class Doctor(Thing, frozen=True, kw_only=True):
    """A person some instance calls a doctor; believed only with a credential that holds."""

    handle: str
    name: str
    inbox: Uri
    outbox: Uri
    followers: Uri
    following: Uri
    shared_inbox: Uri | None = None
    public_keys: tuple[KeyDocument, ...] = ()
    assertion_methods: tuple[Multikey, ...] = ()
    webfinger: str = ""
    #: The doctor's own words about themselves, sanitised HTML.
    summary: str = ""
    languages: tuple[str, ...] = ()
    #: Opaque here; `verification.credential` reads it.
    credential: Json = None
    #: Addresses elsewhere that this doctor says are, or were, their own; counts where the other side says so too.
    also_known_as: tuple[Uri, ...] = ()
    #: Where the doctor has moved to: this address speaks no more, and `updated` is when it fell silent.
    moved_to: Uri | None = None
    published: datetime | None = None
    updated: datetime | None = None


class Mention(Struct, frozen=True, kw_only=True):
    """Somebody answered or named."""

    href: Uri
    name: str = ""


class Citation(Struct, frozen=True, kw_only=True):
    """A study as its reporter cites it."""

    authors: str
    title: str
    journal: str
    year: int


class Conflict(Struct, frozen=True, kw_only=True):
    """What the author of a bulletin has declared of conflicts of interest; without a text, that there is none."""

    text: str = ""


class PollOption(Struct, frozen=True, kw_only=True):
    """One thing that may be answered, and how many have said so."""

    name: str
    votes: int = 0


class Poll(Thing, frozen=True, kw_only=True):
    """What a post asks: each doctor chooses one of the options (FEP-9967). Only its home counts."""

    options: tuple[PollOption, ...]
    #: When it ends by itself, and when it has ended.
    closes: datetime | None = None
    closed: datetime | None = None
    #: The version of what is counted here: the post around it may be as old as it likes.
    updated: datetime
    #: Specialty to numbers, one for each option: opaque here.
    by_specialty: Json = None


class Post(Thing, frozen=True, kw_only=True):
    """A case or one of its neighbours."""

    author: Uri
    kind: PostKind
    title: str
    #: Sanitised HTML, in the language `language`.
    content: str
    #: BCP 47 primary subtag, two letters.
    language: str
    #: One to three slugs of the controlled list.
    specialties: tuple[str, ...]
    to: tuple[Uri, ...]
    cc: tuple[Uri, ...] = ()
    mentions: tuple[Mention, ...] = ()
    published: datetime
    updated: datetime | None = None
    #: The collection of the whole thread, at home (FEP-7888).
    context: Uri | None = None
    #: Coded facts (age band, sex, setting, question), the consent and the screening report: opaque here.
    clinical_summary: Json = None
    consent: Json = None
    screening: Json = None
    poll: Poll | None = None
    #: The final diagnosis, the outcome and whom the author thanks, with a version of its own: opaque here.
    resolution: Json = None
    #: Of a question: the country whose doctors it asks (ISO 3166-1, two letters); none: those of its specialties.
    asked_country: str = ""
    #: Of news and reports: the publisher, and where it is to be read there (https).
    source: str = ""
    source_link: str = ""
    #: A study, and a congress with its days; the last is none where it is the first.
    doi: str = ""
    citation: Citation | None = None
    event: str = ""
    event_place: str = ""
    event_from: date | None = None
    event_until: date | None = None
    #: None: the author's instance has not said.
    conflict: Conflict | None = None


class Comment(Thing, frozen=True, kw_only=True):
    """An answer in a thread."""

    author: Uri
    content: str
    language: str
    in_reply_to: Uri
    #: The post whose thread this belongs to.
    context: Uri
    to: tuple[Uri, ...]
    cc: tuple[Uri, ...] = ()
    mentions: tuple[Mention, ...] = ()
    published: datetime
    updated: datetime | None = None
    #: `update` where the author of the post goes on telling; empty for every other answer.
    note_kind: str = ""


class Vote(Thing, frozen=True, kw_only=True):
    """What one doctor chose in a poll; for the poll's author and their home, and for nobody else."""

    author: Uri
    #: The name of an option, letter by letter.
    choice: str
    #: The poll.
    in_reply_to: Uri
    to: tuple[Uri, ...]
    cc: tuple[Uri, ...] = ()
    published: datetime


class Tombstone(Thing, frozen=True, kw_only=True):
    """The place of something withdrawn (ActivityStreams vocabulary, Tombstone)."""

    former_type: str = ""
    deleted: datetime | None = None
    #: A doctor who has left still signs what they take back: their keys, until every sibling has confirmed it.
    public_keys: tuple[KeyDocument, ...] = ()
    assertion_methods: tuple[Multikey, ...] = ()


class Collection(Thing, frozen=True, kw_only=True):
    """A list somebody keeps (followers, a thread), or (with `part_of`) one page of it."""

    total: int
    items: tuple[Uri, ...] = ()
    first: Uri | None = None
    next: Uri | None = None
    part_of: Uri | None = None


class Activity(Thing, frozen=True, kw_only=True):
    """What somebody did."""

    actor: Uri
    to: tuple[Uri, ...] = ()
    cc: tuple[Uri, ...] = ()
    published: datetime | None = None
    #: Whether the document carries an object proof (FEP-8b32); checked apart, on the raw document.
    has_proof: bool = False


class Create(Activity, frozen=True, kw_only=True):
    """A new post, comment or vote."""

    object: Post | Comment | Vote


class Update(Activity, frozen=True, kw_only=True):
    """A new version of something; a bare address asks the receiver to read it anew."""

    object: Post | Comment | Doctor | Instance | Uri


class Delete(Activity, frozen=True, kw_only=True):
    """A withdrawal: of a post, a comment, or (object = actor) of a doctor."""

    object: Uri


class Follow(Activity, frozen=True, kw_only=True):
    """A wish to read somebody's posts."""

    object: Uri


class Accept(Activity, frozen=True, kw_only=True):
    """A yes to the Follow with the id `object`."""

    object: Uri


class Reject(Activity, frozen=True, kw_only=True):
    """A no to the Follow with the id `object`, or the end of what was accepted."""

    object: Uri


class Undo(Activity, frozen=True, kw_only=True):
    """Take back one's own Follow, Like or Announce with the id `object`."""

    object: Uri


class Like(Activity, frozen=True, kw_only=True):
    """Thanks for a post or a comment."""

    object: Uri


class Announce(Activity, frozen=True, kw_only=True):
    """A recommendation of a post within the audience it has."""

    object: Uri


class Flag(Activity, frozen=True, kw_only=True):
    """A report to the home instance; sent by the instance actor, so that the reporter stays hidden."""

    objects: tuple[Uri, ...]
    #: A coded reason, never free clinical text.
    reason: str = ""


class Move(Activity, frozen=True, kw_only=True):
    """The doctor `object` is from now on the doctor `target` of another instance."""

    object: Uri
    target: Uri


class Ignored(Activity, frozen=True, kw_only=True):
    """An activity of a type this federation does not use: answered 202, counted, not kept."""

    type_name: str


Object: TypeAlias = Post | Comment | Vote
AnyActivity: TypeAlias = (
    Create | Update | Delete | Follow | Accept | Reject | Undo | Like | Announce | Flag | Move | Ignored
)
