"""What a doctor typed, checked whole before anything is kept: a draft in, values that can be published out."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from federation.uri import Uri
from federation.vocabulary import FEDERATING_KINDS, Audience, Mention, PostKind
from instance.services import bulletins
from instance.services.bulletins import Bulletin, BulletinDraft
from instance.services.case_parts import CLINICAL
from instance.services.doctors import check_specialties
from instance.services.errors import Rejected
from instance.services.poll_drafts import CheckedPoll, PollDraft, check_poll
from instance.storage.store import Row
from instance.text import Mentioned, is_empty, one_line, to_html
from verification.clinical import NOTHING, Summary

CODES: Final = (
    "bad_kind", "title_missing", "title_too_long", "text_missing", "text_too_long", "bad_specialties",
    "bad_audience", "bad_language", "kind_not_federated", "named_missing", "named_unknown", "named_closed",
    "too_many_named", "audience_widened", "named_apart", "bad_asked_country", "asked_outside", *bulletins.CODES,
)  # fmt: skip

MAX_TITLE: Final = 200
#: In bytes of HTML; siblings refuse more.
MAX_CONTENT: Final = 65_536
#: Siblings take 50 mentions; the author of the thread is mentioned too.
MAX_NAMED: Final = 49
_LANGUAGE: Final = re.compile(r"[a-z]{2}\Z")
_COUNTRY: Final = re.compile(r"[A-Z]{2}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class PostDraft:
    """A post as typed: Markdown, and the addresses of those it is for where it is for named doctors."""

    kind: str
    title: str
    text: str
    specialties: tuple[str, ...]
    audience: str
    language: str
    #: Of a question for others, the colleagues it asks openly.
    named: tuple[str, ...] = ()
    #: Of a question: the country whose doctors it asks; without one, those of its specialties.
    asked_country: str = ""
    #: Of news and reports alone.
    bulletin: BulletinDraft = bulletins.UNTYPED
    #: What a case is about, in codes; nothing for other kinds.
    summary: Summary = NOTHING
    #: What is asked of the readers; of a new post only.
    poll: PollDraft | None = None
    #: A form sent twice carries the same key and is carried out once.
    form_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentDraft:
    """An answer as typed; `parent_slug` names the answer it answers, None the post itself."""

    text: str
    language: str
    parent_slug: str | None = None
    form_key: str = ""
    #: Whether the author of the case goes on telling.
    as_update: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedPost:
    """A draft that can be published."""

    kind: PostKind
    title: str
    source: str
    content: str
    specialties: tuple[str, ...]
    audience: Audience
    language: str
    #: Those it is for, or (of a question for others too) asks openly.
    named: tuple[Row, ...]
    asked_country: str = ""
    bulletin: Bulletin = bulletins.NOTHING
    summary: Summary = NOTHING
    poll: CheckedPoll | None = None

    @property
    def named_uris(self) -> tuple[Uri, ...]:
        """The doctors it is for or asks, in the order of their addresses."""
        return tuple(sorted(Uri.parse(row["uri"]) for row in self.named))

    @property
    def mentions(self) -> tuple[Mention, ...]:
        """The tags that tell them."""
        return tuple(mention(row) for row in sorted(self.named, key=lambda row: str(row["uri"])))


def check_post(draft: PostDraft, named: Iterable[Row], opened: Collection[PostKind]) -> CheckedPost:
    """Return the draft as values; raise Rejected naming the field to mend. `opened` are the kinds any sibling takes."""
    kind, audience = _kind(draft.kind), _audience(draft.audience)
    if audience is not Audience.NATIONAL and kind not in {*FEDERATING_KINDS, *opened}:
        raise Rejected("kind_not_federated", "audience")
    title = one_line(draft.title)
    if not title:
        raise Rejected("title_missing", "title")
    if len(title) > MAX_TITLE:
        raise Rejected("title_too_long", "title")
    content = check_text(draft.text)
    check_specialties(draft.specialties)
    bulletin = bulletins.check(kind, draft.bulletin)
    asks = kind is PostKind.QUESTION
    people = tuple(named) if asks or audience is Audience.NAMED else ()
    if audience is Audience.NAMED and not people:
        raise Rejected("named_missing", "named")
    return CheckedPost(
        kind=kind, title=title, source=draft.text, content=content, specialties=draft.specialties, audience=audience,
        language=check_language(draft.language), named=people, bulletin=bulletin,
        asked_country=_country(draft.asked_country) if asks and audience is not Audience.NAMED else "",
        summary=draft.summary if kind in CLINICAL else NOTHING, poll=check_poll(draft.poll, kind),
    )  # fmt: skip


def check_text(text: str, mentions: Mapping[str, Mentioned] = MappingProxyType({})) -> str:
    """Return the HTML of a text; raise Rejected for one that is empty or too long to travel."""
    if len(text) > MAX_CONTENT:
        raise Rejected("text_too_long", "text")
    content = to_html(text, mentions)
    if is_empty(content):
        raise Rejected("text_missing", "text")
    # Twice in a message of at most 256 KiB (content, contentMap), where a quotation mark takes two bytes.
    if len(content.encode()) + content.count('"') + content.count("\n") > MAX_CONTENT:
        raise Rejected("text_too_long", "text")
    return content


def check_language(language: str) -> str:
    """Return a two-letter code; raise Rejected for anything else."""
    if not _LANGUAGE.match(language):
        raise Rejected("bad_language", "language")
    return language


def mention(row: Row) -> Mention:
    """The tag that tells a doctor they are answered or named."""
    uri = Uri.parse(row["uri"])
    return Mention(href=uri, name=f"@{row['handle']}@{uri.authority}")


def narrows(before: Audience, after: Audience) -> bool:
    """Whether nobody can be reached by `after` who was not by `before`; the people named are the caller's question.

    Own doctors who do not follow the author see a national post and no colleagues' post, so neither holds the other.
    """
    return before is after or before is Audience.FEDERATION


def _kind(text: str) -> PostKind:
    try:
        return PostKind(text)
    except ValueError:
        raise Rejected("bad_kind", "kind") from None


def _country(text: str) -> str:
    if text and not _COUNTRY.match(text):
        raise Rejected("bad_asked_country", "asked_country")
    return text


def _audience(text: str) -> Audience:
    try:
        return Audience(text)
    except ValueError:
        raise Rejected("bad_audience", "audience") from None
