"""What people type: Markdown without HTML of its own, made into the small HTML this federation exchanges."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from federation import html

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token


def to_html(text: str) -> str:
    """Return sanitised HTML; whatever is typed, nothing executable and nothing loaded from elsewhere is left."""
    markdown = _markdown()
    tokens = markdown.parse(_clean(text))
    _lower_headings(tokens)
    return html.sanitise(markdown.renderer.render(tokens, markdown.options, {})).strip()


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
