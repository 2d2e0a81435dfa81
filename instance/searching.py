"""Words as they are searched: one fold for what is written and for what is asked, used by both databases alike.

A word is kept without accents and case, in one spelling for those that one Greek or Latin stem has in several languages
(ä, ae and e; ß and ss; Karzinom and carcinome; y and i), and without the endings that only say number or gender. A long
word is found by its parts as well: `Herzinsuffizienz` by `Insuffizienz`. There is no dictionary, so nothing has to be
known of a word. What the fold brings together wrongly is read by a doctor; what it kept apart would never be found.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from markupsafe import Markup

from verification import specialties

#: Of what is asked: so many letters, so many words, each of so many letters. What is beyond is left out.
MOST_LETTERS: Final = 150
MOST_WORDS: Final = 8
LONGEST_WORD: Final = 40
#: Of one text: so many letters are read, and so many different words kept.
MOST_READ: Final = 200_000
MOST_KEPT: Final = 6_000

_WORD: Final = re.compile(r"[^\W_]+")
_SPELLINGS: Final = (
    (re.compile(r"[aoä]e|æ|œ"), "e"),
    (re.compile(r"ue"), "u"),
    (re.compile(r"ph"), "f"),
    (re.compile(r"([rt])h"), r"\1"),
    (re.compile(r"c(?=[eiy])"), "z"),
    (re.compile(r"ck|c(?!h)"), "k"),
    (re.compile(r"y"), "i"),
    (re.compile(r"([b-df-hj-np-tv-z])\1"), r"\1"),
)  # fmt: skip
#: What is taken off the end, the longest first, as long as four letters are left; then an `s`.
_ENDING: Final = re.compile(
    r"(?:(?<=.{4})(?:innen|ien|ies|ias|ie|ia|ern|en|er|em|es|is|as|os|e|a|o|i)|(?<=.{5})n)?(?<=.{4})s?\Z"
)
_WHOLE: Final = 5
#: A word of so many letters has parts: none is shorter than five, and none leaves less than three of the whole.
_COMPOUND: Final = 8
_HEAD: Final = 3
#: Words this short are asked for only where there is no longer one: articles and prepositions, in every language.
_SHORT: Final = 3
_MARKUP: Final = re.compile(r"(?=<)|(?<=>)")
#: Of what a word of the index is that nobody can type: `kind_case`.
_FACET: Final = "{}_{}"


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """Return the form under which a word is kept and asked for."""
    # An umlaut is spelt out first, since it may also have been typed so; every other accent goes.
    return _form(_bare(word.replace("ä", "e").replace("ö", "e")))


def _bare(word: str) -> str:
    if word.isascii():
        return word
    return "".join(sign for sign in unicodedata.normalize("NFKD", word) if sign.isalnum())


def _form(word: str) -> str:
    """A word without accents; whatever holds a digit is a name or a measure, and stands as it is."""
    return _short(_spelt(word)) if word.isalpha() else word[:LONGEST_WORD]


def _spelt(word: str) -> str:
    for spelling, put in _SPELLINGS:
        word = spelling.sub(put, word)
    return word[:LONGEST_WORD]


def _short(word: str) -> str:
    return word if len(word) < _WHOLE else _ENDING.sub("", word, count=1)


@lru_cache(maxsize=65_536)
def kept_for(word: str) -> tuple[str, ...]:
    """Return everything under which a folded word is found: its stem, its plainer spelling, its parts."""
    found = dict.fromkeys((stem(word), _form(_bare(word))))
    whole = _spelt(_bare(word.replace("ä", "e").replace("ö", "e")))
    found.update(dict.fromkeys(_short(part) for part in _parts(whole)))
    return tuple(found)


def _parts(word: str) -> Iterator[str]:
    """The ends and beginnings of a long word."""
    if len(word) < _COMPOUND or not word.isalpha():
        return
    for start in range(_HEAD, len(word) - _WHOLE + 1):
        yield word[start:]
    for end in range(_WHOLE, len(word) - _HEAD + 1):
        yield word[:end]


def words_of(text: str) -> list[str]:
    """The words of a text in their order, folded to one case."""
    return _WORD.findall(unicodedata.normalize("NFC", text).casefold())


def plain(content: str) -> str:
    """Sanitised HTML as text; what stood in two elements does not become one word."""
    return str(Markup(_MARKUP.sub(" ", content)).striptags())  # noqa: S704  # only to take the markup off


def text_words(texts: Iterable[str], facets: Iterable[str] = ()) -> str:
    """What is kept of a post or comment: every word once, in no order, so that the text cannot be read from it."""
    found: dict[str, None] = {}
    for text in texts:
        for word in words_of(text[:MOST_READ]):
            found.update(dict.fromkeys(kept_for(word)))
        if len(found) > MOST_KEPT:
            break
    found.pop("", None)
    return " ".join([*facets, *sorted(list(found)[:MOST_KEPT])])


def post_words(row: Mapping[str, Any]) -> str:
    """What is kept of a post: title, text, what its form holds, and its specialties by all their names."""
    slugs = json.loads(row["specialties"])
    names = [name for slug in slugs for name in specialty_names(slug)]
    facets = [thing("post"), facet("kind", row["kind"]), facet("language", row["language"])]
    facets += [facet("specialty", slug) for slug in slugs]
    return text_words([row["title"], plain(row["content"]), *_texts(json.loads(row["facts"])), *names], facets)


def comment_words(row: Mapping[str, Any]) -> str:
    """What is kept of an answer."""
    return text_words([plain(row["content"])], [thing("comment"), facet("language", row["language"])])


def _texts(value: Any) -> Iterator[str]:
    """Every text within a JSON value; names of fields are none."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def specialty_names(slug: str) -> tuple[str, ...]:
    """Every name of a specialty, in all languages and by its titles in each country."""
    found = specialties.get(slug)
    if found is None:
        return (slug,)
    return tuple(dict.fromkeys((*found.names.values(), *found.national_titles.values(), slug.replace("-", " "))))


def thing(what: str) -> str:
    """The word that stands with every post, or every comment."""
    return facet("thing", what)


def facet(name: str, value: str) -> str:
    """A word for what a post is, which no text holds: the fold leaves no underscore in one."""
    return _FACET.format(name, re.sub(r"[^a-z0-9]+", "0", value.lower()))


def asked_words(text: str) -> list[str]:
    """The words that are looked for, as they were typed, of anything a person can type; no sign of a syntax is left."""
    words = [word for word in words_of(text[:MOST_LETTERS]) if stem(word)]
    long = [word for word in words if len(word) >= _SHORT or any(sign.isdigit() for sign in word)]
    return list(dict.fromkeys(long or words))[:MOST_WORDS]


def sqlite_match(tokens: Iterable[str]) -> str:
    """All of these, for FTS5: each is quoted, so none is an operator."""
    return " AND ".join(f'"{token}"' for token in tokens)


def postgres_match(tokens: Iterable[str]) -> str:
    """All of these, for `tsquery`."""
    return " & ".join(f"'{token}'" for token in tokens)
