"""An evidence vault over a real database and a real folder, which can be closed and opened again."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from instance.config import Config, read
from instance.evidence import EvidenceFile, EvidenceVault
from instance.metrics import Metrics
from instance.storage import open_store
from instance.storage.store import Store
from instance.vault import EVIDENCE_KEK, make_secrets
from tests.instance.files import PNG, image, picture
from tests.instance.parts import MovedClock

DOSSIER, OTHER = "d-01jd0000000000000000000001", "d-01jd0000000000000000000002"
READER = "staff-12 2026-11-23 12:05 UTC"


class Killed(BaseException):
    """The process ends here; nothing may tidy up."""


@dataclass
class Log:
    """What was said, and how loudly."""

    said: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def __getattr__(self, level: str) -> Any:
        return lambda event, **values: self.said.append((level, event, values))

    def of(self, event: str) -> list[dict[str, Any]]:
        """The values of an event."""
        return [values for _, found, values in self.said if found == event]


class Keeper:
    """One data folder, and the vault that is open on it now."""

    store: Store
    vault: EvidenceVault

    def __init__(self, folder: Path, address: str = "") -> None:
        table = {"origin": "https://fr.example", "country": "FR", "name": "France"}
        self.config: Config = read(table | ({"database": address} if address else {}), folder)
        make_secrets(self.config.secrets)
        self.clock, self.log, self.metrics = MovedClock(), Log(), Metrics()
        self.viewed: list[str] = []
        self.kek = self.config.secrets / EVIDENCE_KEK

    async def start(self) -> EvidenceVault:
        """Open the database and the vault, as a start of the server does."""
        self.store = await open_store(self.config.database)
        await self.store.migrate()
        self.vault = EvidenceVault(self.config, self.store, self.clock, self.log, self.metrics)
        await self.vault.open()
        return self.vault

    async def again(self) -> EvidenceVault:
        """End, however that was, and start."""
        await self.store.close()
        return await self.start()

    async def put(self, text: str = "one", dossier: str = DOSSIER, **more: Any) -> EvidenceFile:
        """Keep a picture; each text makes another."""
        made = picture((200 + len(text), 150))
        made.putpixel((1, 1), tuple(text.encode()[-3:].ljust(3)))
        return await self.vault.put(dossier, "diploma", PNG, image(PNG, made), **more)

    async def see(self, file: EvidenceFile, page: int = 1) -> bytes:
        """Look at a page, on the record."""

        async def record() -> None:
            self.viewed.append(file.id)

        return await self.vault.page(file.id, page, watermark=READER, record=record)

    def dies_at(self, step: str) -> None:
        """End the process when it has done this step."""

        def die(done: str) -> None:
            if done == step:
                raise Killed(step)

        self.vault._step = die

    def sealed(self) -> set[str]:
        """The ids of the files in the folder."""
        return self.vault._sealed.ids()

    def keys(self) -> set[str]:
        """Whose keys are kept."""
        return self.vault._keys.ids()

    async def row(self, file: EvidenceFile) -> dict[str, Any] | None:
        """The row of a file."""
        found = await self.store.one("evidence.get", id=file.id)
        return None if found is None else dict(found)

    def at(self, **by: float) -> datetime:
        """Now, and some time on."""
        from datetime import timedelta

        return self.clock() + timedelta(**by)


@contextlib.asynccontextmanager
async def keeper(folder: Path, address: str = "") -> AsyncIterator[Keeper]:
    """A vault in a new folder."""
    made = Keeper(folder, address)
    await made.start()
    try:
        yield made
    finally:
        await made.store.close()
