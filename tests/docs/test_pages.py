"""Every page: links lead somewhere, names exist, commands can be typed."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, blocks, code_words, links, name_of, prose, text
from tests.tools.docs_parts import helps

_SYMBOL = re.compile(r"(?:federation|verification|instance)(?:\.[A-Za-z_]\w*)+\Z")
_PATH = re.compile(r"(?:federation|verification|instance|docs|tests|static)/[\w./-]*\Z|pyproject\.toml\Z")
_ROW = re.compile(r"esanum((?: [a-z]+(?:-[a-z]+)*)+)")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """A reader who follows a link inside the documentation arrives at a page and at a heading that exist."""
    broken = [link for link in links(page.read_text("utf-8")) if not _leads_somewhere(page, link)]

    assert [] == broken


def _leads_somewhere(page: Path, link: str) -> bool:
    if link.startswith("https://"):
        return True
    place, _, anchor = link.partition("#")
    target = (page.parent / place).resolve() if place else page
    if not target.is_file() or not target.is_relative_to(ROOT):
        return False
    return not anchor or anchor in anchors(target.read_text("utf-8"))


def test_a_broken_link_is_noticed() -> None:
    """A link to a page or a heading that is not there does not pass."""
    page = ROOT / "docs" / "index.md"

    assert not _leads_somewhere(page, "no-such-page.md")
    assert not _leads_somewhere(page, "glossary.md#no-such-heading")
    assert not _leads_somewhere(page, "../../outside.md")
    assert _leads_somewhere(page, "glossary.md#who")


def test_every_page_is_reached_from_the_readme() -> None:
    """Nobody has to know a page to find it."""
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        inner = (link.partition("#")[0] for link in links(page.read_text("utf-8")) if not link.startswith("https://"))
        waiting += [(page.parent / place).resolve() for place in inner if place]

    assert [] == sorted(name_of(page) for page in set(PAGES) - reached)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_symbols_exist(page: Path) -> None:
    """Each `module.symbol` a page names can be imported, and each path it names is there."""
    words = set(code_words(page.read_text("utf-8")))
    missing = [word for word in words if _SYMBOL.match(word) and not _exists(word)]
    missing += [word for word in words if _PATH.match(word) and not (ROOT / word).exists()]

    assert [] == sorted(missing)


def _exists(name: str) -> bool:
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            fields = getattr(found, "__annotations__", {})
            if not hasattr(found, part) and part not in fields:
                return False
            found = getattr(found, part, None)
        return True
    return False


def test_a_name_that_is_gone_is_noticed() -> None:
    """A symbol that was renamed makes the page that names it fail."""
    assert not _exists("federation.inbox.Inbox.no_such_method")
    assert not _exists("instance.no_such_module")
    assert _exists("federation.inbox.Inbox.receive")


def test_the_readme_has_the_two_commands() -> None:
    """What the README asks a newcomer to type are targets of the Makefile that set themselves up."""
    makefile = text("Makefile")
    two = blocks(text("README.md"), "")[1].split()

    assert ["make", "demo", "make", "test"] == two
    for target in ("demo", "test", "check", "bench"):
        assert f"`make {target}" in prose(text("README.md")) or target == "bench"
        assert re.search(rf"^{target}: \$\(READY\)", makefile, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_make_target_named_exists(page: Path) -> None:
    """A page names no `make` target that the Makefile does not know."""
    makefile = text("Makefile")
    named = set(re.findall(r"\bmake ([a-z]+)\b(?= *`|\n| ARGS)", page.read_text("utf-8")))

    assert set() == {target for target in named if not re.search(rf"^{target}:", makefile, re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_named_exists(page: Path) -> None:
    """A page names no `esanum` command that the program does not know."""
    known = {path for path, _ in helps()}
    wrong = []
    for words in _ROW.findall(page.read_text("utf-8")):
        typed = words.split()
        if f"esanum {typed[0]}" not in known:
            if typed[0] in {command.split()[1] for command in known if " " in command}:
                wrong.append(words)
            continue
        if len(typed) > 1 and any(path.startswith(f"esanum {typed[0]} ") for path in known):
            wrong += [] if f"esanum {typed[0]} {typed[1]}" in known else [words]

    assert [] == wrong
