"""A doctor in a prepared instance that no server runs: what the command line cannot make, since nothing but two can."""

from __future__ import annotations

import asyncio
from pathlib import Path

from instance.config import load
from instance.services.people import NewDoctor
from instance.wiring import open_node
from tests.ready import pooled_rsa
from tests.town import PASSWORD


def verified(config: Path, handle: str) -> str:
    """Add a specialist with this handle; return the address."""

    async def add() -> str:
        node = await open_node(load(config), make_rsa=pooled_rsa)
        try:
            new = NewDoctor(
                handle=handle, name=f"Dr {handle.title()}", role="specialist", country=node.config.country,
                specialties=("cardiology",), languages=("fr",), password=PASSWORD,
            )  # fmt: skip
            return str((await node.people.add_doctor(new, by="test"))[0])
        finally:
            await node.close()

    return asyncio.run(add())
