"""What a publisher's feed says (RSS or Atom): plain words, and one https address an entry. The only user of feedparser.

feedparser is given bytes in a file of memory and nothing else: a text or a name it would open or fetch by itself. What
can grow when it is read (a document type, with its entities) is refused before, and so is every encoding but those that
feeds are written in. It is imported with the first feed.
"""

from __future__ import annotations

import calendar
import codecs
import io
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from federation import html
from federation.uri import BadUri, Uri

#: Larger feeds are not read.
MAX_FEED: Final = 1_048_576
#: The newest of a feed; what stands behind them is left.
MAX_ENTRIES: Final = 100
MAX_TITLE: Final = 300
MAX_SUMMARY: Final = 600
_ENCODINGS: Final = frozenset({"utf-8", "us-ascii", "iso-8859-1", "iso-8859-15", "windows-1252", "utf-16"})
_DECLARED: Final = re.compile(rb"""<\?xml[^>]{0,100}?encoding\s{0,9}=\s{0,9}["']([A-Za-z0-9_-]{1,30})["']""")
_DECLARATION: Final = re.compile(r"\s*<\?xml[^>]{0,200}\?>")
_DOCTYPE: Final = re.compile(r"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_BOMS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_HEADERS: Final = {"content-type": "application/xml; charset=utf-8"}


class BadFeed(Exception):
    """No feed that can be read: feed_too_large, feed_encoding, feed_doctype, feed_malformed, no_feed."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry, in words that can run, load or lead nowhere but to its address."""

    guid: str
    link: str
    title: str
    summary: str
    #: None where it bears no time that can be read.
    published: datetime | None


@dataclass(frozen=True, slots=True)
class Feed:
    """The entries that can be shown, and how many cannot: without a title, or without an https address."""

    entries: tuple[Entry, ...]
    left_out: int


def read(data: bytes) -> Feed:
    """Return what a feed says; raise BadFeed. It may take a second or two: call it in a thread."""
    import feedparser

    if len(data) > MAX_FEED:
        raise BadFeed("feed_too_large")
    text = _text(data)
    if _DOCTYPE.search(text):
        raise BadFeed("feed_doctype")
    try:
        known: dict[str, Any] = feedparser.parse(
            io.BytesIO(_DECLARATION.sub("", text, count=1).encode()),
            response_headers=_HEADERS,
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except Exception:  # whatever it stumbles over: KeyError, TypeError, UnicodeEncodeError have been seen
        raise BadFeed("feed_malformed") from None
    if known["bozo"]:
        raise BadFeed("feed_malformed")
    if not dict.get(known, "version"):
        raise BadFeed("no_feed")
    found = [_entry(each) for each in known["entries"][:MAX_ENTRIES]]
    entries = tuple(each for each in found if each is not None)
    return Feed(entries, len(found) - len(entries))


def _text(data: bytes) -> str:
    """The text of a feed, by its byte order mark or its declaration; UTF-8 where it has neither."""
    encoding = next((name for mark, name in _BOMS if data.startswith(mark)), "")
    if not encoding:
        declared = _DECLARED.match(data.lstrip()[:200])
        encoding = declared[1].decode().lower() if declared else "utf-8"
        if encoding not in _ENCODINGS:
            raise BadFeed("feed_encoding")
    try:
        text = data.decode(encoding)
    except UnicodeError:
        raise BadFeed("feed_encoding") from None
    if "\0" in text:
        raise BadFeed("feed_malformed")
    return text


def _entry(known: dict[str, Any]) -> Entry | None:
    # dict.get: feedparser's own looks for other members in the place of one that is missing, and warns of it.
    title, link = _words(_member(known, "title"), MAX_TITLE), _address(_member(known, "link"))
    if not title or not link:
        return None
    return Entry(
        guid=_member(known, "id") or link, link=link, title=title, summary=_words(_summary(known), MAX_SUMMARY),
        published=_time(known),
    )  # fmt: skip


def _member(known: dict[str, Any], name: str) -> str:
    value = dict.get(known, name)
    return value if isinstance(value, str) else ""


def _summary(known: dict[str, Any]) -> str:
    content = dict.get(known, "content") or ()
    return _member(known, "summary") or next((_member(part, "value") for part in content), "")


def _words(markup: str, limit: int) -> str:
    """The words of markup, on one line; cut between two words where they are too many."""
    words = html.line(html.plain(html.sanitise(markup)))
    return words if len(words) <= limit else words[:limit].rsplit(" ", 1)[0] + " …"


def _address(text: str) -> str:
    try:
        found = Uri.parse(text.strip())
    except BadUri:
        return ""
    return str(found) if found.scheme == "https" and not found.is_loopback else ""


def _time(known: dict[str, Any]) -> datetime | None:
    for name in ("published_parsed", "updated_parsed"):
        value = dict.get(known, name)
        if value is not None:
            try:
                return datetime.fromtimestamp(calendar.timegm(value), UTC)
            except (ValueError, OverflowError, OSError):
                continue
    return None
