"""`python -m tests.bench.first_sight`: how soon a page is seen on a slow telephone line, at the first visit and later.

The line is slow 3G as WebPageTest has it: 400 kbit/s, and 400 ms until anything comes back. (That of Chromium's own tools
has 2,000 ms, in which no page of anybody is seen.) It is no test: times belong to a machine that is idle. Exit status 1
where the bar is not kept.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from tests.bench.report import Figure
from tests.browser.chromium import RUNNING
from tests.browser.conftest import Port, Shown, Visit
from tests.instance.pages.house import close_house, open_house
from tests.instance.pages.scene import fill

KBIT_S, ROUND_TRIP_MS, BAR_MS, TIMES = 400, 400, 1_000, 3
SEEN: Final = """() => new Promise(say => new PerformanceObserver(list => {
  for (const entry of list.getEntries()) if (entry.name === 'first-contentful-paint') say(entry.startTime);
}).observe({type: 'paint', buffered: true}))"""


async def main() -> list[Figure]:
    """Measure the first page of all, and what a doctor opens on the way to an answer."""
    with tempfile.TemporaryDirectory(prefix="esanum-first-sight-") as folder:
        house, port = await open_house(Path(folder), fill), Port()
        try:
            async with port.serving(house) as shown, shown.visit() as visit:
                await visit.sign_in("marie")
                await visit.open("/feed?tab=all")
                case = await visit.page.locator(".card-title a").first.get_attribute("href") or ""
                opened = [(path, first) for path in ("/feed", case, "/notices") for first in (True, False)]
                return [await _seen(shown, path, first) for path, first in [("/sign-in", True), *opened]]
        finally:
            await close_house(house)
            RUNNING.stop()


async def _seen(shown: Shown, path: str, first: bool) -> Figure:
    """The median of some visits: with nothing kept by the browser, or with the style and scripts of an earlier page."""
    found = []
    for _ in range(TIMES):
        # A line that is slowed down here is not the worker's, which at the first visit is not there yet.
        async with shown.visit(service_workers="block") as visit:
            if path != "/sign-in":
                await visit.sign_in("marie")
            line = await visit.context.new_cdp_session(visit.page)
            if first:
                await line.send("Network.clearBrowserCache")
            await _slow(line)
            found.append(await _opened(visit, path))
    name = path if path.count("/") == 1 else "a case"
    return Figure(f"{name}, {'first visit' if first else 'later'}", "", sorted(found)[TIMES // 2], "ms", BAR_MS)


async def _slow(line: Any) -> None:
    await line.send("Network.enable")
    octets = KBIT_S * 1_000 / 8
    await line.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": ROUND_TRIP_MS, "downloadThroughput": octets, "uploadThroughput": octets},
    )


async def _opened(visit: Visit, path: str) -> float:
    await visit.open(path)
    return float(await visit.page.evaluate(SEEN))


if __name__ == "__main__":
    figures = asyncio.run(main())
    for figure in figures:
        print(f"{figure.name:<28}{figure.value:>8.0f} ms   bar {BAR_MS}   {'kept' if figure.holds(1) else 'NOT KEPT'}")
    sys.exit(0 if all(figure.holds(1) for figure in figures) else 1)
