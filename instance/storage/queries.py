"""Named queries: read from files once, turned into each engine's placeholders, bound by name.

A file holds statements, each under a line `-- name: feed_home`; `-- name: search [postgres]` is for one engine alone.
Placeholders are `:name`. A statement is called `file.feed_home`. What several share stands once, under a line
`-- fragment: visible` in any file, and is used as `{{visible}}` in statements and other fragments of every file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from instance.storage.errors import BadValue, Misused

Engine = Literal["sqlite", "postgres"]

_HEADING = re.compile(r"^--[ \t]*name:[ \t]*([a-z][a-z0-9_]*)(?:[ \t]*\[(sqlite|postgres)\])?[ \t]*$", re.MULTILINE)
_ALMOST_HEADING = re.compile(r"^--\s*name\s*:.*$", re.MULTILINE)
_FRAGMENT = re.compile(
    r"^--[ \t]*fragment:[ \t]*([a-z][a-z0-9_]*)[ \t]*\n(.*?)(?=^--[ \t]*(?:name|fragment)[ \t]*:|\Z)",
    re.MULTILINE | re.DOTALL,
)
_USE = re.compile(r"\{\{([^{}]*)\}\}")
# What may hold a colon that is no placeholder comes first: strings, quoted names, comments, casts.
_TOKEN = re.compile(
    r"(?P<kept>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|::)|(?P<comment>--[^\n]*|/\*.*?\*/)|:(?P<name>[a-z_][a-z0-9_]*)",
    re.DOTALL,
)
_MARK: Mapping[Engine, str] = {"sqlite": "?", "postgres": "$"}


@dataclass(frozen=True, slots=True)
class Query:
    """One statement in one engine's words; `names` in the order of its placeholders."""

    name: str
    text: str
    names: tuple[str, ...]

    def bind(self, values: Mapping[str, Any]) -> list[Any]:
        """Return the values in the order of the placeholders; every one must be named, and no other."""
        try:
            bound = [values[name] for name in self.names]
        except KeyError as missing:
            raise Misused(f"query {self.name} needs a value for {missing}") from None
        if len(values) != len(bound):
            raise Misused(f"query {self.name} knows no {', '.join(sorted(set(values) - set(self.names)))}")
        for value in bound:
            # PostgreSQL cannot hold NUL in text, so SQLite does not either.
            if value.__class__ is str and "\0" in value:
                raise BadValue(f"a text for query {self.name} contains NUL")
        return bound


class Queries:
    """All queries of a folder for one engine."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self._by_name = _load(folder, engine)

    def __getitem__(self, name: str) -> Query:
        try:
            return self._by_name[name]
        except KeyError:
            raise Misused(f"there is no query {name}") from None

    def __iter__(self) -> Iterator[Query]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)


def translate(name: str, text: str, engine: Engine) -> Query:
    """Turn `:name` placeholders into numbered ones, drop comments and the closing semicolon."""
    names: list[str] = []

    def put(token: re.Match[str]) -> str:
        if token["kept"]:
            return token["kept"]
        if token["comment"]:
            return " "
        if token["name"] not in names:
            names.append(token["name"])
        return f"{_MARK[engine]}{names.index(token['name']) + 1}"

    statement = _TOKEN.sub(put, text).strip().rstrip(";").rstrip()
    if not statement:
        raise Misused(f"query {name} is empty")
    return Query(name, statement, tuple(names))


@lru_cache(maxsize=8)
def _load(folder: Path, engine: Engine) -> Mapping[str, Query]:
    found: dict[str, Query] = {}
    fragments = _fragments(folder)
    for path in sorted(folder.glob("*.sql")):
        statements = _statements(path)
        for name in dict.fromkeys(name for name, _ in statements):
            text = statements.get((name, engine), statements.get((name, "")))
            if text is None:
                raise Misused(f"query {path.stem}.{name} has no form for {engine}")
            found[f"{path.stem}.{name}"] = translate(f"{path.stem}.{name}", _expand(text, fragments), engine)
    return found


def _fragments(folder: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*.sql")):
        for name, text in _FRAGMENT.findall(path.read_text("utf-8")):
            if name in found:
                raise Misused(f"{path.name} has a second fragment called {name}")
            found[name] = text
    return found


def _expand(text: str, fragments: Mapping[str, str], inside: tuple[str, ...] = ()) -> str:
    """Put fragments in their places; a fragment that is unknown or uses itself is a mistake of ours."""

    def put(use: re.Match[str]) -> str:
        name = use[1]
        if name not in fragments or name in inside:
            raise Misused(f"there is no fragment {name}" if name not in fragments else f"fragment {name} uses itself")
        return _expand(fragments[name], fragments, (*inside, name))

    return _USE.sub(put, text)


def _statements(path: Path) -> dict[tuple[str, str], str]:
    """Return the text of each statement by name and engine ('' for both)."""
    whole = _FRAGMENT.sub("", path.read_text("utf-8"))
    headings = list(_HEADING.finditer(whole))
    if len(headings) != len(_ALMOST_HEADING.findall(whole)):
        raise Misused(f"{path.name} has a malformed name line")
    found: dict[tuple[str, str], str] = {}
    for heading, following in zip(headings, [*headings[1:], None], strict=False):
        key = (heading[1], heading[2] or "")
        if key in found:
            raise Misused(f"{path.name} has two statements called {heading[1]}")
        found[key] = whole[heading.end() : following.start() if following else None]
    return found
