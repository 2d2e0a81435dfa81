"""One sibling sends as fast as it can; how long another, which sends little, waits for its answers (A81)."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.synchronize import Event

from federation.signatures import Profile
from tests.bench import letters
from tests.bench.ground import Ground
from tests.bench.load import Result, percentile, play, play_until
from tests.bench.report import Figure
from tests.bench.scenes import Bench

#: How often the waiting may grow at the 95th percentile (security, A81).
BAR = 1.2
#: Connections of the sibling that floods; what another sends: on so many connections, a message each so many seconds.
FLOOD, FEW, EACH = 32, 4, 0.08


def flood(bench: Bench) -> None:
    """Before, meanwhile and afterwards, so that a machine that changes in between is seen."""
    ground = bench.ground.copy(bench.folder / f"flood-{bench.server}")
    number = bench.number(800)
    with bench.serving(ground, "flood"):
        asyncio.run(play("127.0.0.1", ground.port, _few(ground, 300), 8))
        before = asyncio.run(steadily(ground.port, _few(ground, number)))
        with flooding(ground, letters.creates(ground, ground.authors["it"], number * 25, Profile.RFC9421).requests):
            meanwhile = asyncio.run(steadily(ground.port, _few(ground, number)))
        after = asyncio.run(steadily(ground.port, _few(ground, number)))
    alone = percentile([*before.latencies, *after.latencies], 0.95)
    bench.note(Figure(
        f"another sibling's p95 while one floods, {FLOOD} conn.", bench.server, meanwhile.percentile(0.95) / alone,
        "× alone", BAR, more={"alone_ms": alone, "p50_ms": meanwhile.percentile(0.5),
                              "p95_ms": meanwhile.percentile(0.95), "p99_ms": meanwhile.percentile(0.99)},
    ))  # fmt: skip


def _few(ground: Ground, number: int) -> Sequence[bytes]:
    return letters.creates(ground, ground.authors["de"], number, Profile.CAVAGE).requests


async def steadily(port: int, requests: Sequence[bytes], connections: int = FEW, each: float = EACH) -> Result:
    """Send on so many connections, on each one message every `each` seconds, and not all at the same moment."""
    result = Result()

    async def one(at: int) -> None:
        await asyncio.sleep(each * at / connections)
        await play_until("127.0.0.1", port, iter(enumerate(requests[at::connections])), result, each=each)

    await asyncio.gather(*(one(at) for at in range(connections)))
    return result


@contextmanager
def flooding(ground: Ground, requests: Sequence[bytes], connections: int = FLOOD) -> Iterator[None]:
    """Let a process of its own send these as fast as they are answered."""
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    process = context.Process(target=_flood, args=(ground.port, requests, connections, stop))
    process.start()
    try:
        time.sleep(1)
        yield
        if not process.is_alive():
            raise RuntimeError("the flood has run dry")
    finally:
        stop.set()
        process.join(20)
        process.kill()


def _flood(port: int, requests: Sequence[bytes], connections: int, stop: Event) -> None:
    async def send() -> None:
        waiting, result = iter(enumerate(requests)), Result()
        await asyncio.gather(
            *(play_until("127.0.0.1", port, waiting, result, stop=stop.is_set) for _ in range(connections))
        )

    asyncio.run(send())
