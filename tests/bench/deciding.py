"""What one decision of the allowlist costs: thirty siblings, each of them under a federation list."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import orjson

from federation import membership_drafts as drafts
from federation.allowlist import Direction
from federation.errors import NotASibling
from federation.uri import Uri
from instance.wiring import Node
from tests.bench.report import Figure
from tests.bench.scenes import Bench
from tests.federation.chambers import did, draft, entry, key_of, pin
from tests.town import MovedClock, Network

SIBLINGS, MOST = 30, 5.0
_PINNED = {"url": "https://anchor.example/federation/list", "signers": [did("a")], "threshold": 1}


def deciding(bench: Bench) -> None:
    """Ask for a sibling and for a stranger, from the snapshot that every process holds."""
    number = bench.number(200_000)
    known, stranger, looked = asyncio.run(_measured(bench.folder / f"deciding-{bench.server}", number))
    bench.note(Figure(
        "one decision of the allowlist", bench.server, max(known, stranger), "µs", MOST, scaled=True,
        more={"sibling": known, "stranger": stranger, "with_a_look_at_the_version": looked},
    ))  # fmt: skip


async def _measured(folder: Path, number: int) -> tuple[float, float, float]:
    network = Network(MovedClock())
    node = (await network.add(folder, "fr", federation_list=_PINNED)).node
    try:
        await _fill(node)
        known = _each(node, f"https://s{SIBLINGS // 2}.example", number)
        stranger = _each(node, "https://stranger.example", number)
        began = time.process_time()
        for _ in range(number // 10):
            (await node.allowlist.refresh_if_changed()).require("https://s1.example", Direction.IN)
        return known, stranger, (time.process_time() - began) / (number // 10) * 1e6
    finally:
        await network.close()


def _each(node: Node, origin: str, number: int) -> float:
    """Microseconds of CPU for one decision."""
    began = time.process_time()
    for _ in range(number):
        try:
            node.allowlist().require(origin, Direction.IN)
        except NotASibling:
            continue
    return (time.process_time() - began) / number * 1e6


async def _fill(node: Node) -> None:
    members = [entry(f"s{at}", country="DE") for at in range(SIBLINGS)]
    made = drafts.sign(draft(*members, at=node.clock()), key_of("a"), now=node.clock())
    await node.federation_list.publish(orjson.dumps(made), "bench")

    async def admit(tx: Any) -> None:
        for at in range(SIBLINGS):
            origin = f"https://s{at}.example"
            await tx.run(
                "federation_list.add_entry", origin=origin, actor=Uri.parse(f"{origin}/actor"), name=f"S{at}",
                country="DE", inbox=f"{origin}/inbox", outbox="", vouched_by="bench",
                instance_keys=orjson.dumps([pin(f"s{at}")]).decode(), issuer_keys="[]", may_issue_for="[]",
                kinds_in="[]", kinds_out="[]", speaks_rfc9421=0, contact="", software="", since=0,
            )  # fmt: skip
        await tx.run("siblings.raise_version")

    await node.store.write(admit)
    await node.allowlist.refresh_if_changed()
