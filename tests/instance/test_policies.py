"""The policies in force in a process: as the rows say now, never older, and closed where nothing can be known."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.instance.students import READ, administrators, lets
from tests.town import Network, Place
from verification.dossier import Country
from verification.standing import Action

FR = Country("FR")


@pytest.fixture
async def fr(tmp_path: Path) -> AsyncIterator[Place]:
    """France with two administrators, where students may read."""
    network = await Network.open(tmp_path, "fr")
    await administrators(network["fr"].node)
    await lets(network["fr"].node, READ)
    await network["fr"].node.policies.look()
    yield network["fr"]
    await network.close()


class Seen:
    """A unit of work that sees this version, and no overlay."""

    def __init__(self, version: int | None) -> None:
        self.version = version

    async def one(self, _: str) -> dict[str, int] | None:
        """The version."""
        return None if self.version is None else {"value": self.version}

    async def all(self, _: str) -> list[Any]:
        """The overlays."""
        return []


async def test_a_restart_finds_what_was_changed(fr: Place) -> None:
    """It stands in rows and not in a process."""
    await fr.reopen()

    assert Action.READ in fr.node.policies.standing.student_rights[FR]


async def test_an_older_version_does_not_come_back(fr: Place) -> None:
    """A unit of work that still sees the rows as they were before opens nothing for the requests beside it."""
    policies = fr.node.policies
    await lets(fr.node)
    await policies.look()
    await policies.look(Seen(0))  # type: ignore[arg-type]

    assert FR not in policies.standing.student_rights


async def test_without_a_version_nobody_is_let_in(fr: Place) -> None:
    """A row that is missing is no reason to believe the files alone."""
    await fr.node.policies.look(Seen(None))  # type: ignore[arg-type]

    assert {} == dict(fr.node.policies.effective())
    assert {} == dict(fr.node.policies.standing.student_rights)
