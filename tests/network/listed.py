"""A town under a federation list: three chambers sign, France publishes, everybody reads it there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from federation import membership_drafts as drafts
from federation.membership import FederationList, MemberStatus, read
from federation.uri import Uri
from instance.services.federation_list_entries import own_entry
from tests.federation.chambers import did, key_of
from tests.town import MovedClock, Network, Place, rows

ADDRESS = "https://fr.example/federation/list"
PINNED = {"url": ADDRESS, "signers": [did("a"), did("b"), did("c")], "threshold": 2, "min_sequence": 1}
LIFE = timedelta(days=14)


class Federation:
    """Instances that list nobody themselves, and the chambers above them."""

    def __init__(self, network: Network, folder: Path) -> None:
        self.network, self.folder = network, folder
        self.last: FederationList | None = None

    @classmethod
    async def open(cls, folder: Path, *names: str) -> Federation:
        """Open instances that read the list, and publish the first one with all of them."""
        federation = cls(Network(MovedClock()), folder)
        for name in names:
            await federation.add(name)
        await federation.publish(await federation.admitting(*names))
        await federation.read_by_all()
        return federation

    def __getitem__(self, name: str) -> Place:
        return self.network[name]

    async def add(self, name: str, **pinned: Any) -> Place:
        """Open one more instance with the signers pinned."""
        return await self.network.add(self.folder, name, federation_list={**PINNED, **pinned})

    def draft(self, *, life: timedelta = LIFE) -> dict[str, Any]:
        """The next list, unsigned: the same members."""
        now = self.network.clock()
        if self.last is None:
            return drafts.first(Uri.parse(ADDRESS), now=now, life=life)
        return drafts.following(self.last, now=now, life=life)

    async def admitting(self, *names: str) -> dict[str, Any]:
        """The next list with these as active members."""
        made = self.draft()
        for name in names:
            entry = await own_entry(self[name].node)
            made = drafts.with_member(made, {**entry, "status": "active"})
        return made

    def with_status(self, name: str, status: str) -> dict[str, Any]:
        """The next list with a member in another state."""
        return drafts.with_status(self.draft(), f"{name}.example", MemberStatus(status))

    def signed(self, document: dict[str, Any], *signers: str) -> bytes:
        """A list as the file that is handed in; signed by two of three where nobody is named."""
        for signer in signers or ("a", "b"):
            document = drafts.sign(document, key_of(signer), now=self.network.clock())
        return orjson.dumps(document)

    async def publish(self, document: dict[str, Any], *signers: str) -> FederationList:
        """Have France publish the list."""
        body = self.signed(document, *signers)
        await self["fr"].node.federation_list.publish(body, "test")
        self.last = read(body)
        return self.last

    async def read_by_all(self) -> None:
        """Let every instance do what its loop does: first whoever publishes admits, then the others read."""
        for _ in range(2):
            for place in self.network.places.values():
                await place.node.federation_list.tick()
            self.network.clock.move(seconds=2)
        await self.network.settle()

    async def hour(self) -> None:
        """Let an hour pass, and everybody read."""
        self.network.clock.move(hours=1)
        await self.read_by_all()

    def sequence(self, name: str) -> int:
        """The list in force at an instance."""
        found = self[name].node.allowlist.federation_list
        return 0 if found is None else found.sequence

    async def code(self, name: str) -> str:
        """Why the last list was refused there."""
        return (await self[name].node.federation_list.reading()).code

    async def queued(self, name: str) -> list[str]:
        """The states of what waits at an instance."""
        found = await rows(
            self[name].node, "select state from deliveries where state in ('waiting', 'resting', 'held')"
        )
        return sorted(row["state"] for row in found)


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Federation]:
    """France (which publishes), Germany and Italy."""
    opened = await Federation.open(tmp_path, "fr", "de", "it")
    yield opened
    await opened.network.close()
