"""What people type: Markdown without HTML of its own, made into the small HTML this federation exchanges."""

from __future__ import annotations

import unicodedata
from typing import Final

from markdown_it import MarkdownIt

from federation import html

# The HTML of the author is shown as text; links only where the author wrote them so, images not at all.
_MARKDOWN: Final = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("strikethrough").disable("image")
_BLANK: Final = frozenset({"Cf", "Cc", "Cs", "Co", "Cn"})


def to_html(text: str) -> str:
    """Return sanitised HTML; whatever is typed, nothing executable and nothing loaded from elsewhere is left."""
    return html.sanitise(_MARKDOWN.render(_clean(text))).strip()


def one_line(text: str) -> str:
    """Return a title as plain text: no markup, no control or invisible characters, single spaces."""
    shown = "".join(" " if sign in "\t\r\n" else sign for sign in unicodedata.normalize("NFC", text))
    return " ".join("".join(sign for sign in shown if unicodedata.category(sign) not in _BLANK).split())


def is_empty(content: str) -> bool:
    """Whether nothing readable is left of a text."""
    return not html.plain(content).strip()


def _clean(text: str) -> str:
    # A lone surrogate cannot be stored or sent; NUL ends texts elsewhere.
    return "".join(sign for sign in text if sign == "\n" or sign == "\t" or unicodedata.category(sign) not in ("Cc", "Cs"))
