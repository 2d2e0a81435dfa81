"""What a case is about, in codes: read in every language from one list, with a few short texts in their author's own.

A summary that comes from elsewhere is read strictly: a code that is not on the list is nothing, a text is one line
without markup, and what has another form is no summary at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

#: Fields of which one code is chosen, and of which several may be.
ONE: Final = ("ageBand", "sex", "setting", "question")
SEVERAL: Final = ("history", "findings")
FIELDS: Final = (*ONE, *SEVERAL)
#: Fields beside which something short may be written, and how long that is at most.
TEXTS: Final = ("history", "findings", "question")
MAX_TEXT: Final = 300
MAX_CODES: Final = 12
_FALLBACK: Final = "en"
_LANGUAGE: Final = re.compile(r"[a-z]{2}\Z")
#: Controls, and what is invisible or turns the direction of what follows.
_UNSEEN: Final = re.compile(
    "[\u0000-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb]"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Codes by field, and texts by field in one language; what is not said is in neither."""

    codes: Mapping[str, tuple[str, ...]]
    texts: Mapping[str, str]
    language: str = ""

    def __bool__(self) -> bool:
        """Whether it says anything."""
        return bool(self.codes or self.texts)


NOTHING: Final = Summary(codes=MappingProxyType({}), texts=MappingProxyType({}))


def codes(field: str) -> tuple[str, ...]:
    """The codes of a field, in the order in which they are offered."""
    return tuple(_list()[field])


def name(field: str, code: str, language: str) -> str:
    """What a code says in this language, in English where there is none."""
    names = _list()[field][code]
    return names.get(language) or names[_FALLBACK]


def chosen(field: str, language: str) -> list[tuple[str, str]]:
    """Every code of a field with what it says: what a form offers."""
    return [(code, name(field, code, language)) for code in codes(field)]


def summary(found: Mapping[str, Sequence[str]], texts: Mapping[str, str], language: str) -> Summary:
    """Return what was said, as far as it can be: known codes each once, and texts that are short enough."""
    known = {field: tuple(_known(field, found.get(field, ()))) for field in FIELDS}
    said = {field: line(texts.get(field, "")) for field in TEXTS}
    fits = _LANGUAGE.match(language) is not None
    kept = {field: text for field, text in said.items() if text and len(text) <= MAX_TEXT and fits}
    return Summary(
        codes=MappingProxyType({field: some for field, some in known.items() if some}),
        texts=MappingProxyType(kept),
        language=language if kept else "",
    )


def read(document: Any) -> Summary:
    """Return the summary of a `clinicalSummary` as it came; NOTHING where it has another form."""
    if not isinstance(document, dict):
        return NOTHING
    language = document.get("language")
    texts = document.get("text")
    return summary(
        {field: _as_codes(document.get(field)) for field in FIELDS},
        {field: text for field, text in texts.items() if isinstance(text, str)} if isinstance(texts, dict) else {},
        language if isinstance(language, str) else "",
    )


def write(said: Summary) -> dict[str, Any] | None:
    """Return the `clinicalSummary` that `read` makes this of; None where nothing is said."""
    if not said:
        return None
    document: dict[str, Any] = {
        field: some[0] if field in ONE else list(some) for field, some in sorted(said.codes.items())
    }
    if said.texts:
        document |= {"text": dict(said.texts), "language": said.language}
    return document


def line(text: str) -> str:
    """The text as one line, without invisible characters."""
    return " ".join(_UNSEEN.sub(" ", text[: MAX_TEXT * 4]).split())


def _as_codes(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(code for code in value if isinstance(code, str)) if isinstance(value, list) else ()


def _known(field: str, found: Sequence[str]) -> Sequence[str]:
    some = [code for code in dict.fromkeys(found[:64]) if code in _list()[field]]
    return some[: 1 if field in ONE else MAX_CODES]


@lru_cache(maxsize=1)
def _list() -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    found = json.loads(files("verification").joinpath("data/case_codes.json").read_text("utf-8"))
    return MappingProxyType(
        {field: MappingProxyType({entry["code"]: entry["names"] for entry in found[field]}) for field in FIELDS}
    )
