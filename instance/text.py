"""What people type: Markdown without HTML of its own, made into the small HTML this federation exchanges."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from federation import html

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token


class Mentioned(NamedTuple):
    """A colleague mentioned in a text: their actor, and how they are written down."""

    uri: str
    shown: str


#: A colleague's address in a text: `@handle`, or `@handle@instance`.
_MENTION: Final = re.compile(
    r"(?<![\w@/.&])@([a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?(?:@[a-z0-9.-]{1,250}(?::\d{1,5})?)?)", re.IGNORECASE
)


def to_html(text: str, mentions: Mapping[str, Mentioned] = MappingProxyType({})) -> str:
    """Return sanitised HTML; whatever is typed, nothing executable and nothing loaded from elsewhere is left.

    `mentions` are addresses as `mentioned` finds them, with the actor each leads to; every other stays text.
    """
    markdown = _markdown()
    tokens = markdown.parse(_clean(text))
    _lower_headings(tokens)
    if mentions:
        for token in tokens:
            token.children = _linked(token.children or [], mentions) if token.type == "inline" else token.children
    return html.sanitise(markdown.renderer.render(tokens, markdown.options, {})).strip()


def mentioned(text: str) -> tuple[str, ...]:
    """The colleagues' addresses in a text, in lower case, each once; not those in code or in a link."""
    if "@" not in text:
        return ()
    found: dict[str, None] = {}
    for token in _markdown().parse(_clean(text)):
        for child, linked in _in_links(token.children or [] if token.type == "inline" else []):
            if child.type == "text" and not linked:
                found.update(dict.fromkeys(_address(hit) for hit in _MENTION.finditer(child.content)))
    return tuple(found)


def quoted(content: str, limit: int = 1_500) -> str:
    """Sanitised HTML as a Markdown quotation to begin an answer with, cut at a word where it is long."""
    words = html.plain(content)
    if len(words) > limit:
        words = words[:limit].rsplit(" ", 1)[0] + " …"
    lines = [_BLOCK.sub(r"\1\\\2", _SIGNS.sub(r"\\\1", line)) for line in words.splitlines()]
    return "\n>\n".join(f"> {line}" for line in lines) + "\n\n" if lines else ""


#: What Markdown would take for markup: inside a line, and at its beginning.
_SIGNS: Final = re.compile(r"([\\*_`\[\]])")
_BLOCK: Final = re.compile(r"\A(\d{0,9})([#>+.)~-])")


def _in_links(children: Sequence[Token]) -> Iterator[tuple[Token, bool]]:
    depth = 0
    for child in children:
        depth += child.nesting if child.type in ("link_open", "link_close") else 0
        yield child, depth > 0


def _address(hit: re.Match[str]) -> str:
    return hit[1].lower().rstrip(".-")


def _linked(children: Sequence[Token], mentions: Mapping[str, Mentioned]) -> list[Token]:
    made: list[Token] = []
    for child, linked in _in_links(children):
        if child.type != "text" or linked:
            made.append(child)
            continue
        place = 0
        for hit in _MENTION.finditer(child.content):
            address = _address(hit)
            if address not in mentions:
                continue
            end = hit.start() + 1 + len(address)
            made += [_text(child, child.content[place : hit.start()]), *_link(child, mentions[address])]
            place = end
        made.append(_text(child, child.content[place:]))
    return made


def _text(like: Token, content: str) -> Token:
    return like.copy(content=content)


def _link(like: Token, who: Mentioned) -> list[Token]:
    opened = like.copy(type="link_open", tag="a", nesting=1, content="", attrs={"href": who.uri, "class": "mention"})
    return [opened, _text(like, who.shown), like.copy(type="link_close", tag="a", nesting=-1, content="")]


def one_line(text: str) -> str:
    """Return a title as plain text: one line, no invisible or direction-changing characters."""
    return html.line(unicodedata.normalize("NFC", _clean(text)))


def is_empty(content: str) -> bool:
    """Whether nothing readable is left of a text."""
    return not html.line(html.plain(content))


@cache
def _markdown() -> MarkdownIt:
    """Imported when the first text is written: two hundredths of a second that no start need wait for."""
    from markdown_it import MarkdownIt

    # The HTML of an author is shown as text; images never load. Tables are for laboratory values.
    plain = MarkdownIt("commonmark", {"html": False, "linkify": False})
    return plain.enable("strikethrough").enable("table").disable("image")


def _lower_headings(tokens: Sequence[Token]) -> None:
    """The page's own title is its only heading of the first level."""
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"


def _clean(text: str) -> str:
    # A lone surrogate can be neither stored nor sent; NUL cannot be stored.
    return "".join(sign for sign in text if sign in "\n\t" or unicodedata.category(sign) not in ("Cc", "Cs"))
