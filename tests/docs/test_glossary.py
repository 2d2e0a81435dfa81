"""One word, one meaning: what the glossary names exists, every table is named, second names are not used."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

import pytest

from tests.docs.pages import ROOT, code_words, text
from tests.tools.longest import files

GLOSSARY: Final = text("docs/glossary.md")
TABLES: Final = sorted(
    set(
        re.findall(
            r"^create table (\w+)",
            "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "instance/storage/schema").glob("*.sql"))),
            re.MULTILINE,
        )
    )
)
#: Second names for things that have one (see the glossary).
SECOND_NAMES: Final = frozenset({"user", "users", "peer", "peers", "toot", "toots", "friend", "friends"})


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_in_the_glossary(table: str) -> None:
    """Whoever finds a table finds the word it stands for."""
    assert f"`{table}`" in GLOSSARY


def test_the_glossary_names_only_what_exists() -> None:
    """What is called a table there is one."""
    named = re.findall(r"tables? ((?:`\w+`(?:,? and )?(?:, )?)+)", GLOSSARY)
    tables = {word for group in named for word in re.findall(r"`(\w+)`", group)}

    assert set() == tables - set(TABLES)


def test_each_word_stands_once() -> None:
    """A word has one row."""
    words = re.findall(r"^\| \*\*([^*]+)\*\* \|", GLOSSARY, re.MULTILINE)

    assert len(words) > 40
    assert len(words) == len(set(words))


def test_no_second_names_are_used() -> None:
    """No public class, function or module is called by a word that the glossary sends to another."""
    wrong = [name for name in _names() if SECOND_NAMES & set(_parts(name))]

    assert [] == wrong
    assert [] == [table for table in TABLES if SECOND_NAMES & set(_parts(table))]


def _names() -> Iterator[str]:
    for path in files():
        yield path.stem
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name[0] != "_":
                yield node.name


def _parts(name: str) -> list[str]:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().strip("_").split("_")


def test_a_second_name_would_be_noticed() -> None:
    """Both ways of writing a name are taken apart."""
    assert ["remote", "user"] == _parts("RemoteUser")
    assert ["peer", "inbox"] == _parts("_peer_inbox")


def test_audiences_are_spelled_in_three_languages() -> None:
    """The words on the pages stand in the glossary, in every language."""
    rows = [line for line in GLOSSARY.splitlines() if re.match(r"\| `(national|federation|colleagues|named)` \|", line)]

    assert 4 == len(rows)
    assert {5} == {line.count("|") for line in rows}
    assert "federation.vocabulary.Audience" in set(code_words(GLOSSARY))
