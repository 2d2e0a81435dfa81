"""J4.12: no page, setting, environment variable or command opens federation to whoever is not on the list.

Whatever can be said with words for "everybody" is said: afterwards the list is as empty as before, and a stranger that
signs is refused like any other.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from federation.allowlist import Direction
from instance import commands
from instance.config import BadConfig, Config, read
from instance.control import CommandFailed, run
from instance.services.allowlist_cache import AllowlistCache
from instance.wiring import Node
from tests.architecture.sources import files, text
from tests.instance.pages.desk_house import Desk, open_desk
from tests.instance.test_config import GOOD
from tests.network.pairing_scene import CLI, Stranger
from tests.tools.docs_parts import page_routes
from tests.town import PASSWORD, Place, refused, rows, send_signed

EVERYBODY: Final = ("*", "https://*", "https://*.example", "all", "any", "0.0.0.0/0", "")
#: What the product reads of its environment, and how often; none of it says who may federate.
VARIABLES: Final = {"CREDENTIALS_DIRECTORY"}
#: What a form or a command could be asked for beside an address: as wide as it goes.
WIDE: Final[dict[str, Any]] = {
    "policy": "inherit", "change": "inherit", "countries": ["DE"], "fingerprint": "*", "reason": "everybody",
    "force": True, "alone": True, "all": True, "days": 1, "heads": [], "list": "*", "by": CLI, "roles": ["administrator"],
    "password": PASSWORD, "csv": "origin,policy,kinds_accepted,kinds_sent,countries,note\n*,inherit,case,case,DE,\n",
}  # fmt: skip


@pytest.fixture
async def desk(tmp_path: Path) -> Any:
    """France, which lists nobody."""
    opened = await open_desk(tmp_path)
    yield opened
    await opened.network.close()


async def listed(node: Node) -> list[str]:
    """Whom an instance speaks with, by its rows and by what decides."""
    found = await node.allowlist.refresh_if_changed()
    return [
        *(row["origin"] for row in await rows(node, "select origin from siblings")),
        *(each.origin for each in found),
    ]


async def strangers_word(place: Place) -> tuple[int, str]:
    """What a stranger hears that signs with a key of its own."""
    place.network.clock.move(minutes=2)
    stranger = Stranger("https://anybody.example")
    body = json.dumps({"id": "https://anybody.example/1", "type": "Create", "actor": str(stranger.actor)}).encode()
    return refused(await send_signed(place, body, stranger.key))


# ── settings ──


def values_of(config: Config) -> Iterator[tuple[str, Any]]:
    """Every setting with every word for everybody that it takes."""
    for each in dataclasses.fields(config):
        for word in (*EVERYBODY, True, False, 0, list(EVERYBODY), ["*"], ["0.0.0.0/0", "::/0"], {}, {"url": "*"}):
            try:
                taken = read({**GOOD, each.name: word}, config.data)
            except BadConfig:
                continue
            yield each.name, getattr(taken, each.name)


async def test_no_setting_opens_it(desk: Desk) -> None:
    """Each that is taken at all: the list that decides is empty all the same, and permits nobody either way."""
    node, tried, opened = desk.node, 0, []
    for name, value in values_of(node.config):
        changed = dataclasses.replace(node.config, **{name: value})
        other = Node(changed, node.store, node.vault, node.keys, node.clock)
        found = await AllowlistCache(other).refresh_if_changed()
        tried += 1
        if len(found) or any(found.permits(f"https://{host}", way) for host in ("x.example", "*") for way in Direction):
            opened.append(name)

    assert tried > 20
    assert [] == opened


def test_no_misspelt_or_invented_setting_is_passed_over(tmp_path: Path) -> None:
    """An operator who writes one that opens learns that there is none."""
    invented = ("open_federation", "allow_all", "allowlist", "federation", "allow_unlisted", "development", "debug")
    for name in invented:
        with pytest.raises(BadConfig, match=f"^{name} = True: unknown key"):
            read({**GOOD, name: True}, tmp_path)


# ── the environment ──


def test_no_variable_of_the_environment_is_asked_but_for_secrets() -> None:
    """What a process finds around it says where secrets lie, and nothing else."""
    asked, other = set(), []
    for path in files():
        asked |= set(re.findall(r"""os\.environ(?:\.get\(|\[)["'](\w+)["']""", text(path)))
        named = re.findall(r"\bos\.environ\b|\bgetenv\b|\benvironb\b", text(path))
        if len(named) != len(re.findall(r"""os\.environ(?:\.get\(|\[)["']\w+["']""", text(path))):
            other.append(path.name)

    assert asked == VARIABLES
    assert [] == other


async def test_no_variable_opens_it(desk: Desk, monkeypatch: Any) -> None:
    """Every setting as a variable, as other software takes them."""
    for each in dataclasses.fields(Config):
        for prefix in ("", "ESANUM_"):
            monkeypatch.setitem(os.environ, f"{prefix}{each.name}".upper(), "*")
    for name in ("ESANUM_OPEN", "ESANUM_ALLOW_ALL", "DEBUG", "ESANUM_DEVELOPMENT", "OPEN_FEDERATION"):
        monkeypatch.setenv(name, "1")
    await desk.place.reopen()

    assert [] == await listed(desk.place.node)
    assert (403, "not_a_sibling") == await strangers_word(desk.place)


# ── commands ──


def given(name: str, word: str, folder: Path) -> Any:
    """What is said for a value of this name."""
    if name in ("target", "path", "evidence"):
        return str(folder / "nothing" / "here")
    return WIDE.get(name, word)


async def test_no_command_opens_it(desk: Desk, tmp_path: Path) -> None:
    """Every command there is, with every word for everybody: each refuses or does something else."""
    node, opened = desk.node, []
    for name, command in commands.ALL.items():
        wanted = [each for each in inspect.signature(command).parameters if each != "node"]
        addresses = [each for each in wanted if each in ("origin", "found")]
        for word in EVERYBODY if addresses else EVERYBODY[:1]:
            values = {each: given(each, word, tmp_path) for each in wanted}
            try:
                await run(node, name, values)
            except (CommandFailed, TypeError, KeyError, ValueError):
                pass  # what is no word for it is refused by its code, or by its shape
            if await listed(node):
                opened.append(name)

    assert [] == opened
    assert (403, "not_a_sibling") == await strangers_word(desk.place)


# ── pages ──


def forms() -> list[str]:
    """Every address of a page that takes a form."""
    return [rule for rule, methods, _ in page_routes() if "POST" in methods]


async def test_no_page_opens_it(desk: Desk) -> None:
    """Every form of every page, by an administrator with a fresh factor, about everybody: nobody is on the list."""
    ada, fields, opened = await desk.staff("ada", "administrator"), {**WIDE, "origin": "*", "host": "*"}, []
    fields["change"] = json.dumps({"origin": "*", "policy": "inherit", "seen": "*"})
    left = [rule for rule in forms() if "sign-out" not in rule and not rule.startswith("/me/")]
    for rule in left:
        answer = await ada.post(re.sub(r"<[^>]+>", "*", rule), **fields)
        assert answer.status_code < 500, rule
        if await listed(desk.node):
            opened.append(rule)

    assert len(left) > 50
    assert [] == opened
    assert 200 == (await ada.get("/administration/siblings")).status_code
    assert (403, "not_a_sibling") == await strangers_word(desk.place)


async def test_the_twin_is_let_in(desk: Desk, tmp_path: Path) -> None:
    """Whoever is compared and admitted by name is on the list, and nobody beside it."""
    german = await desk.network.add(tmp_path, "de")
    await desk.place.admits(german)

    assert [german.node.origin] * 2 == await listed(desk.node)
    assert (403, "not_a_sibling") == await strangers_word(desk.place)
