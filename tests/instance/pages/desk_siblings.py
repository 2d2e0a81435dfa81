"""The allowlist at the pages of a French instance that lists Germany, as administrators send its forms."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from federation.allowlist import LocalPolicy
from tests.instance.pages.desk_house import Desk, open_desk
from tests.instance.pages.house import Visitor

FR = "https://fr.example"
DE, LIST, ONE = "https://de.example", "/administration/siblings", "/administration/siblings/de.example"
ALL = ("case", "observation", "question")


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """France, which lists Germany."""
    opened = await open_desk(tmp_path, origin=FR)
    german = await opened.network.add(tmp_path, "de")
    await opened.place.admits(german)
    await german.admits(opened.place)
    yield opened
    await opened.network.close()


def query(policy: str = "inherit", kinds: tuple[str, ...] = ALL, **more: str) -> str:
    """The address of a preview."""
    values = {"policy": policy, "kind_in": kinds, "kind_out": ALL, "countries": "DE", "note": "", **more}
    return f"{ONE}/change?{urlencode(values, doseq=True)}"


async def sends(visitor: Visitor, page: str, action: str, **more: Any) -> Any:
    """Send the form with this action from a page, with its hidden fields."""
    found = re.search(rf'<form method="post" action="{re.escape(action)}"(.*?)</form>', page, re.DOTALL)
    assert found is not None, page
    fields = {
        name: html.unescape(value)
        for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', found[1])
        if name != "csrf"
    }
    return await visitor.post(action, **{**fields, **more})


async def changes(visitor: Visitor, address: str, reason: str = "board of 3 May") -> Any:
    """Preview a change and send its form."""
    return await sends(visitor, await visitor.text(address), f"{ONE}/change", reason=reason)


async def waits(desk: Desk) -> str:
    """The page of the one proposal that waits."""
    (each,) = await desk.node.siblings.proposals.waiting()
    return f"{LIST}/proposals/{each.id}"


def policy_of(desk: Desk) -> LocalPolicy | None:
    """The policy in force for Germany."""
    found = desk.node.allowlist().find(DE)
    return None if found is None else found.policy


def mistakes(page: str) -> list[str]:
    """The codes on a page that refuses."""
    return re.findall(r"<code>\(([a-z_]+)\)</code>", page)
