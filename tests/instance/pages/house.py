"""One French instance with its pages: real rows, a real store, real services; only the clock is a value."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from quart import Quart, Response
from quart.typing import TestClientProtocol

from federation.admission import SiblingAdmission
from instance.config import Config
from instance.evidence import EvidenceVault
from instance.hot.live import Live
from instance.own_keys import OwnKeys
from instance.services.addresses import Addresses
from instance.services.allowlist_cache import AllowlistCache
from instance.services.contact import Contact
from instance.services.directory import Directory
from instance.services.dossiers import Dossiers
from instance.services.exports import Exports
from instance.services.follows import Follows
from instance.services.joining import Joining
from instance.services.lists import Lists
from instance.services.mails import Mails
from instance.services.people import People
from instance.services.policies import Policies
from instance.services.publishing import Publishing
from instance.services.push import Push
from instance.services.recovery import Recovery
from instance.services.relocation import Relocations
from instance.services.second_factor import SecondFactors
from instance.services.staff import Staff
from instance.services.telling import Telling
from instance.services.threads import Threads
from instance.storage import open_store
from instance.vault import Vault
from instance.wiring import Node
from tests.instance.pages.rows import FR, NOW, PASSWORD, Rows
from tests.ready import pages_of, put_rows

HASH = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
OWN_PAGE = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}


class Quiet:
    """A metrics and log stand that nobody reads."""

    def __getattr__(self, _: str) -> Callable[..., None]:
        return lambda *_args, **_values: None


@dataclass
class House:
    """The instance, its application, and the moment it believes it is."""

    node: Any
    app: Quart
    now: datetime = NOW

    def visitor(self) -> Visitor:
        """Somebody who is not signed in."""
        return Visitor(self.app.test_client())

    async def doctor(self, login: str) -> Visitor:
        """Somebody who is."""
        somebody = self.visitor()
        answer = await somebody.post("/sign-in", login=login, password=PASSWORD)
        assert answer.status_code == 303, await answer.get_data(as_text=True)
        return somebody


@dataclass
class Visitor:
    """A browser without scripts: keeps cookies, sends the hidden fields of the page it is on."""

    client: TestClientProtocol
    token: str = ""

    async def get(self, path: str, **headers: str) -> Response:
        """Open a page."""
        answer = await self.client.get(path, headers=OWN_PAGE | headers)
        found = re.search(r'name="csrf" value="([^"]+)"', await answer.get_data(as_text=True))
        self.token = found[1] if found else self.token
        return answer

    async def text(self, path: str, **headers: str) -> str:
        """The page's HTML."""
        return str(await (await self.get(path, **headers)).get_data(as_text=True))

    async def post(self, path: str, **form: str | list[str]) -> Response:
        """Send a form."""
        body = urlencode({"csrf": self.token, **form}, doseq=True)
        headers = OWN_PAGE | {"Content-Type": "application/x-www-form-urlencoded"}
        return await self.client.post(path, headers=headers, data=body)


async def open_house(folder: Path, fill: Callable[[Rows], None], *, origin: str = FR) -> House:
    """Open an instance whose rows `fill` has written."""
    path = folder / "esanum.db"
    await put_rows(path)
    with Rows(path) as rows:
        fill(rows)
    store = await open_store(path)
    config = Config(
        origin=origin,
        country="FR",
        name="esanum France",
        data=folder,
        database=f"sqlite:///{path}",
        secrets=folder,
        contact="team@fr.example",
        language="en",
    )
    vault = Vault(secrets.token_bytes(32))

    def clock() -> datetime:
        return house.now

    keys = OwnKeys(store, vault, config, clock, Ed25519PrivateKey.generate())
    node: Any = Node(config, store, vault, keys, clock)
    house = House(node, None)  # type: ignore[arg-type]
    node.allowlist = AllowlistCache(node)
    await node.allowlist.start()
    node.directory = Directory(node)
    await node.directory.lists.load()
    node.policies = Policies(node)
    await node.policies.look()
    node.people, node.publishing, node.follows = People(node), Publishing(node), Follows(node)
    node.contact, node.lists = Contact(node), Lists(node)
    node.factors, node.staff = SecondFactors(node), Staff(node)
    node.relocations, node.threads = Relocations(node), Threads(node)
    node.evidence = EvidenceVault(config, store, clock, node.log, node.metrics)
    node.dossiers, node.joining, node.mails = Dossiers(node), Joining(node), Mails(node)
    node.exports = Exports(node)
    node.push, node.telling, node.live = Push(node), Telling(node), Live(node)
    node.addresses, node.recovery, node.admission = Addresses(node), Recovery(node), SiblingAdmission(clock)
    house.app = pages_of(node)
    return house


async def close_house(house: House) -> None:
    """End what was begun."""
    await house.node.allowlist.stop()
    await house.node.store.close()
