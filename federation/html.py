"""Foreign and own text made safe to show: one sanitiser for both doors. The only user of nh3.

sanitise   HTML that may stand in a page
plain      the words of it, for previews and search
line       one line without invisible or direction-changing characters: titles, labels
name       a person's name: a line without anything that could imitate the mark of a verified doctor
"""

from __future__ import annotations

import re
from html import unescape
from typing import Final

import nh3

_TAGS: Final = frozenset(
    {"a", "abbr", "b", "blockquote", "br", "caption", "code", "dd", "del", "dl", "dt", "em", "hr", "i", "ins", "kbd"}
    | {"h2", "h3", "h4", "h5", "h6", "li", "ol", "p", "pre", "q", "s", "small", "span", "strong", "sub", "sup"}
    | {"table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul", "var"}
)
_CLEANER: Final = nh3.Cleaner(
    tags=_TAGS,
    clean_content_tags={"script", "style", "template", "noscript", "iframe", "object", "svg", "math"},
    attributes={
        "a": {"href"},
        "abbr": {"title"},
        "ol": {"start"},
        "td": {"colspan", "rowspan"},
        "th": {"colspan", "rowspan"},
        "*": {"lang"},
    },
    allowed_classes={"a": {"mention"}, "span": {"mention"}},
    url_schemes={"https", "http", "mailto"},
    url_relative="deny",
    link_rel="nofollow noopener noreferrer",
)
_BARE: Final = nh3.Cleaner(tags=set(), clean_content_tags={"script", "style", "template"})
_BLOCK_END: Final = re.compile(r"<br\s{0,8}/?>|</(?:p|div|li|h[1-6]|tr|blockquote|pre|dd|dt|caption)>", re.IGNORECASE)
# Controls, and the characters of Unicode that are invisible or turn the direction of what follows (UAX 9, UTS 39).
_UNSEEN_CHARS: Final = (
    "\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U000e0000-\U000e0fff"
)
_UNSEEN: Final = re.compile(f"[{_UNSEEN_CHARS}]")
# Symbols that could be taken for the mark: check marks, stars, shields, badges, dingbats and every emoji block.
_MARKS: Final = re.compile(
    "[\u2020-\u2023\u203b\u2042\u2122\u2190-\u2bff\u3004\u3012\u3013\u3020\u303d\u3297\u3299"
    "\U0001f000-\U0001faff\U0001fb00-\U0001fbff\u00a9\u00ae]"
)


def sanitise(text: str) -> str:
    """Return HTML in which nothing can run, load or leave the flow of the text. Sanitising twice changes nothing."""
    return _CLEANER.clean(text)


def plain(text: str) -> str:
    """Return the words of sanitised HTML, one line per block."""
    words = unescape(_BARE.clean(_BLOCK_END.sub("\n", text)))
    return "\n".join(line for raw in words.splitlines() if (line := " ".join(raw.split())))


def line(text: str) -> str:
    """Return the text as one line, with single spaces and without invisible characters."""
    return " ".join((text if text.isascii() and text.isprintable() else _UNSEEN.sub("", text)).split())


def name(text: str) -> str:
    """Return the text as a name; what could imitate the mark, or hide who it is, is gone."""
    return line(_MARKS.sub("", line(text)))
