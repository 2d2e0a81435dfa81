"""Made-up words of the vocabulary, and strategies that draw any of them. Nothing here is about a real person."""

from __future__ import annotations

from datetime import UTC, date, datetime

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from msgspec.structs import replace

from federation import html
from federation.uri import Uri
from federation.vocabulary import (
    PUBLIC,
    VERIFIED_DOCTORS,
    Accept,
    Announce,
    Citation,
    Collection,
    Comment,
    Conflict,
    Create,
    Delete,
    Doctor,
    Flag,
    Follow,
    Instance,
    KeyDocument,
    Like,
    Mention,
    Move,
    Multikey,
    Poll,
    PollOption,
    Post,
    PostKind,
    Reject,
    Tombstone,
    Undo,
    Update,
    Vote,
)

FR = "https://fr.esanum.example"
DE = "https://de.esanum.example"
IT = "https://it.esanum.example"
ANNA = Uri.parse(f"{DE}/doctors/anna")
MARIE = Uri.parse(f"{FR}/doctors/marie")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def a_post(**changes: object) -> Post:
    """A case of Anna's for the whole federation."""
    fields: dict[str, object] = {
        "id": Uri.parse(f"{DE}/posts/01POST"),
        "author": ANNA,
        "kind": PostKind.CASE,
        "title": "Synkope nach Belastung",
        "content": "<p>Ein erfundener Fall.</p>",
        "language": "de",
        "specialties": ("cardiology",),
        "to": (VERIFIED_DOCTORS,),
        "published": NOON,
        "context": Uri.parse(f"{DE}/posts/01POST/context"),
    }
    return Post(**{**fields, **changes})  # type: ignore[arg-type]


def a_comment(**changes: object) -> Comment:
    """Marie's answer to it."""
    fields: dict[str, object] = {
        "id": Uri.parse(f"{FR}/comments/01COMMENT"),
        "author": MARIE,
        "content": "<p>Et la tension ?</p>",
        "language": "fr",
        "in_reply_to": Uri.parse(f"{DE}/posts/01POST"),
        "context": Uri.parse(f"{DE}/posts/01POST"),
        "to": (VERIFIED_DOCTORS,),
        "mentions": (Mention(href=ANNA, name="@anna@de.esanum.example"),),
        "published": NOON,
    }
    return Comment(**{**fields, **changes})  # type: ignore[arg-type]


def a_poll(**changes: object) -> Poll:
    """What Anna asks in it."""
    fields: dict[str, object] = {
        "id": Uri.parse(f"{DE}/posts/01POST/poll"),
        "options": (PollOption(name="Myokarditis"), PollOption(name="Sarkoidose", votes=2)),
        "updated": NOON,
    }
    return Poll(**{**fields, **changes})  # type: ignore[arg-type]


def a_vote(**changes: object) -> Vote:
    """What Marie chooses."""
    fields: dict[str, object] = {
        "id": Uri.parse(f"{FR}/votes/01VOTE"),
        "author": MARIE,
        "choice": "Sarkoidose",
        "in_reply_to": Uri.parse(f"{DE}/posts/01POST/poll"),
        "to": (ANNA,),
        "published": NOON,
    }
    return Vote(**{**fields, **changes})  # type: ignore[arg-type]


def a_create(thing: Post | Comment | Vote | None = None) -> Create:
    """The news of a post or comment."""
    thing = thing or a_post()
    return Create(
        id=Uri.parse(f"{thing.author.origin}/activities/01CREATE"),
        actor=thing.author,
        object=thing,
        to=thing.to,
        cc=thing.cc,
        published=NOON,
    )


def a_doctor(**changes: object) -> Doctor:
    """Anna, with both kinds of key and an opaque credential."""
    fields: dict[str, object] = {
        "id": ANNA,
        "handle": "anna",
        "name": "Dr. Anna Beispiel",
        "inbox": Uri.parse(f"{ANNA}/inbox"),
        "outbox": Uri.parse(f"{ANNA}/outbox"),
        "followers": Uri.parse(f"{ANNA}/followers"),
        "following": Uri.parse(f"{ANNA}/following"),
        "shared_inbox": Uri.parse(f"{DE}/inbox"),
        "public_keys": (KeyDocument(id=Uri.parse(f"{ANNA}#main-key"), owner=ANNA, pem="-----BEGIN PUBLIC KEY-----"),),
        "assertion_methods": (Multikey(id=Uri.parse(f"{ANNA}#ed25519-key"), controller=ANNA, key="z6MkExample"),),
        "webfinger": "anna@de.esanum.example",
        "credential": {"@context": ["https://www.w3.org/ns/credentials/v2"], "type": ["DoctorCredential"]},
        "published": NOON,
    }
    return Doctor(**{**fields, **changes})  # type: ignore[arg-type]


def an_instance(**changes: object) -> Instance:
    """Germany's server."""
    actor = Uri.parse(f"{DE}/actor")
    fields: dict[str, object] = {
        "id": actor,
        "name": "esanum Deutschland",
        "inbox": Uri.parse(f"{DE}/inbox"),
        "outbox": Uri.parse(f"{DE}/outbox"),
        "public_keys": (KeyDocument(id=Uri.parse(f"{actor}#main-key"), owner=actor, pem="-----BEGIN PUBLIC KEY-----"),),
        "issuer_keys": (Multikey(id=Uri.parse(f"{actor}#vc-1"), controller=actor, key="z6MkIssuer"),),
        "country": "DE",
        "contact": "hilfe@de.esanum.example",
        "software": "esanum-federation/0.1.0",
        "speaks_rfc9421": True,
    }
    return Instance(**{**fields, **changes})  # type: ignore[arg-type]


# ── any word ──

_TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=24)
_origins = st.sampled_from((FR, DE, IT))
uris: SearchStrategy[Uri] = st.builds(
    lambda origin, path: Uri.parse(f"{origin}/{path}"),
    _origins,
    st.from_regex(r"[a-z]{1,6}(/[a-z0-9]{1,6})?", fullmatch=True),
)
recipients = st.lists(uris | st.just(VERIFIED_DOCTORS), max_size=4, unique=True).map(tuple)
lines = _TEXT.map(html.line).filter(lambda text: len(text) <= 200)
titles = lines.filter(bool)
names = _TEXT.map(html.name).filter(bool)
contents = _TEXT.map(html.sanitise) | st.sampled_from(("<p>a <b>b</b></p>", "<ul><li>x</li></ul>", "&lt;script&gt;"))
languages = st.sampled_from(("de", "fr", "en", "it"))
times = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)).map(
    lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000, tzinfo=UTC)
)
slugs = st.lists(st.from_regex(r"[a-z]{2,8}(-[a-z]{2,8})?", fullmatch=True), min_size=1, max_size=3, unique=True).map(
    tuple
)
_plain_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)
opaques = st.none() | st.dictionaries(_TEXT, _plain_json, max_size=4)
_mentions = st.lists(st.builds(Mention, href=uris, name=lines), max_size=3).map(tuple)
_long = lines.filter(bool)
_days = st.dates(date(1800, 1, 1), date(9998, 12, 31))
_links = uris.map(str)
_dois = st.just("") | st.from_regex(r"10\.[0-9]{4,9}/[!-~]{1,40}", fullmatch=True)
_citations = st.none() | st.builds(Citation, authors=_long, title=_long, journal=_long, year=st.integers(1800, 9998))
_event_days = st.lists(_days, max_size=2).map(lambda days: (*sorted(days), None, None)[:2])
_options = st.lists(
    st.builds(PollOption, name=titles, votes=st.integers(0, 1_000_000)), min_size=2, max_size=8,
    unique_by=lambda option: option.name,
).map(tuple)  # fmt: skip


def _polls(post: Uri) -> SearchStrategy[Poll | None]:
    return st.none() | st.builds(
        Poll, id=st.just(Uri.parse(f"{post}/poll")), options=_options, closes=st.none() | times,
        closed=st.none() | times, updated=times, by_specialty=opaques,
    )  # fmt: skip


_plain_posts = uris.flatmap(lambda uri: st.builds(
    Post,
    id=st.just(uri),
    poll=_polls(uri),
    resolution=opaques,
    author=uris,
    kind=st.sampled_from(PostKind),
    title=titles,
    content=contents,
    language=languages,
    specialties=slugs,
    to=recipients,
    cc=recipients,
    mentions=_mentions,
    published=times,
    updated=st.none() | times,
    context=st.none() | uris,
    clinical_summary=opaques,
    consent=opaques,
    screening=opaques,
    asked_country=st.sampled_from(["", "DE", "FR"]),
    source=lines,
    source_link=st.just("") | _links,
    doi=_dois,
    citation=_citations,
    event=lines,
    event_place=lines,
    conflict=st.none() | st.builds(Conflict, text=lines),
))  # fmt: skip
posts = st.builds(lambda post, days: replace(post, event_from=days[0], event_until=days[1]), _plain_posts, _event_days)
comments = st.builds(
    Comment,
    id=uris,
    author=uris,
    content=contents,
    language=languages,
    in_reply_to=uris,
    context=uris,
    to=recipients,
    cc=recipients,
    mentions=_mentions,
    published=times,
    updated=st.none() | times,
    note_kind=st.sampled_from(("", "update")),
)
votes = st.builds(
    Vote, id=uris, author=uris, choice=titles, in_reply_to=uris, to=recipients, cc=recipients, published=times
)


def _on(origin: str) -> SearchStrategy[Uri]:
    return uris.filter(lambda uri: uri.origin == origin)


def _multikeys() -> SearchStrategy[tuple[Multikey, ...]]:
    key = st.builds(Multikey, id=uris, controller=uris, key=st.from_regex(r"z[1-9A-Za-z]{1,20}", fullmatch=True))
    return st.lists(key, max_size=2).map(tuple)


def _public_keys() -> SearchStrategy[tuple[KeyDocument, ...]]:
    return st.lists(st.builds(KeyDocument, id=uris, owner=uris, pem=titles), max_size=2).map(tuple)


doctors = _origins.flatmap(
    lambda origin: st.builds(
        Doctor,
        id=_on(origin),
        handle=st.from_regex(r"[a-z]{1,8}(\.[a-z]{1,8})?", fullmatch=True),
        name=names,
        inbox=_on(origin),
        outbox=_on(origin),
        followers=_on(origin),
        following=_on(origin),
        shared_inbox=st.none() | _on(origin),
        public_keys=_public_keys(),
        assertion_methods=_multikeys(),
        webfinger=lines,
        summary=contents,
        languages=st.lists(languages, max_size=3, unique=True).map(tuple),
        credential=opaques,
        also_known_as=st.lists(uris, max_size=2, unique=True).map(tuple),
        moved_to=st.none() | uris,
        published=st.none() | times,
        updated=st.none() | times,
    )
)
instances = _origins.flatmap(
    lambda origin: st.builds(
        Instance,
        id=_on(origin),
        name=names,
        inbox=_on(origin),
        outbox=_on(origin),
        public_keys=_public_keys(),
        assertion_methods=_multikeys(),
        issuer_keys=_multikeys(),
        country=st.sampled_from(("", "FR", "DE")),
        contact=lines,
        software=lines,
        speaks_rfc9421=st.booleans(),
    )
)
tombstones = st.builds(
    Tombstone,
    id=uris,
    former_type=st.sampled_from(("", "Article", "Note", "Person")),
    deleted=st.none() | times,
    public_keys=_public_keys(),
    assertion_methods=_multikeys(),
)
collections = _origins.flatmap(
    lambda origin: st.builds(
        Collection,
        id=_on(origin),
        total=st.integers(0, 2**31),
        items=st.lists(uris, max_size=4, unique=True).map(tuple),
        first=st.none() | _on(origin),
        next=st.none() | _on(origin),
        part_of=st.none() | _on(origin),
    )
)
_about = st.sampled_from((Delete, Follow, Accept, Reject, Undo, Like, Announce)).flatmap(
    lambda word: st.builds(
        word, id=uris, actor=uris, to=recipients, cc=recipients, published=st.none() | times, object=uris
    )
)
_moves = st.tuples(uris, uris).filter(lambda ends: ends[0].origin != ends[1].origin).flatmap(
    lambda ends: st.builds(
        Move, id=uris, actor=uris, to=recipients, published=st.none() | times, object=st.just(ends[0]),
        target=st.just(ends[1]),
    )
)  # fmt: skip
_flags = st.builds(
    Flag,
    id=uris,
    actor=uris,
    to=recipients,
    objects=st.lists(uris, min_size=1, max_size=3, unique=True).map(tuple),
    reason=st.sampled_from(("", "patient-data", "advertising")),
)
_alike = (posts | comments).flatmap(
    lambda thing: st.sampled_from((Create, Update)).flatmap(
        lambda word: st.builds(
            word,
            id=uris,
            actor=uris,
            to=st.just(thing.to),
            cc=st.just(thing.cc),
            published=st.none() | times,
            object=st.just(thing),
        )
    )
)
_updates = st.builds(
    Update, id=uris, actor=uris, to=recipients, published=st.none() | times, object=doctors | instances | uris
)
_voting = votes.flatmap(
    lambda vote: st.builds(
        Create, id=uris, actor=uris, to=st.just(vote.to), cc=st.just(vote.cc), published=st.none() | times,
        object=st.just(vote),
    )
)  # fmt: skip
activities = _about | _moves | _flags | _alike | _voting | _updates
things = posts | comments | doctors | instances | tombstones | collections
public_spellings = st.sampled_from(sorted(PUBLIC))
