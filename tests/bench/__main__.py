"""`python -m tests.bench`: measures, prints a table, writes JSON; exit status 1 where a bar is not kept."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.calibrate import calibrate
from tests.bench.deciding import deciding
from tests.bench.delivering import delivery, hangs
from tests.bench.flood import flood
from tests.bench.ground import Ground, make_ground
from tests.bench.recovering import recovery, restart
from tests.bench.renewing import renewing
from tests.bench.report import Figure, as_json, table
from tests.bench.scenes import Bench, floor, inbound, reading

SERVERS = ("hypercorn", "uvicorn", "granian")
SCENES = ("floor", "deciding", "inbound", "reading", "flood", "renewing", "delivery", "hanging", "recovery", "restart")


def main(arguments: list[str]) -> int:
    """Run what was asked for."""
    asked = _options().parse_args(arguments)
    asked.only = asked.only or list(SCENES)
    began, load = time.monotonic(), os.getloadavg()[0]
    calibration = calibrate()
    with tempfile.TemporaryDirectory(prefix="esanum-bench-") as folder:
        figures = _measure(Path(folder), asked)
    # Once more at the end: a machine that was disturbed in between shows it here.
    again = calibrate()
    calibration = (calibration + again) / 2
    print(f"\n{table(figures, calibration)}\n{time.monotonic() - began:.0f} s; load of the machine before: {load:.1f}")
    if load > 0.5:
        print("The machine was not idle: times are too long, and costs somewhat too high.")
    if asked.json:
        Path(asked.json).write_text(json.dumps(as_json(figures, calibration), indent=2) + "\n", "utf-8")
    return 0 if all(figure.holds(calibration) for figure in figures) else 1


def _measure(folder: Path, asked: argparse.Namespace) -> list[Figure]:
    print("making an instance and the siblings it knows …", flush=True)
    grounds = {2048: asyncio.run(make_ground(folder / "ground"))}
    if "delivery" in asked.only:
        grounds[3072] = asyncio.run(make_ground(folder / "ground-3072", authors=1, doctors=12, rsa_bits=3072))
    figures: list[Figure] = []
    for server in SERVERS if asked.server == "all" else (asked.server,):
        bench = Bench(folder, grounds[2048], server, asked.quick, asked.full, asked.profile)
        for name in asked.only:
            _scenes(bench, grounds)[name]()
        figures += bench.figures
    return figures


def _scenes(bench: Bench, grounds: dict[int, Ground]) -> dict[str, Callable[[], None]]:
    return {
        "floor": lambda: floor(bench),
        "deciding": lambda: deciding(bench),
        "inbound": lambda: inbound(bench),
        "reading": lambda: reading(bench),
        "flood": lambda: flood(bench),
        "renewing": lambda: renewing(bench),
        "delivery": lambda: delivery(bench, grounds),
        "hanging": lambda: hangs(bench, 7, 1),
        "recovery": lambda: recovery(bench),
        "restart": lambda: restart(bench),
    }


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="What it costs.")
    parser.add_argument("--server", choices=(*SERVERS, "all"), default="hypercorn")
    parser.add_argument("--quick", action="store_true", help="a quarter of the messages")
    parser.add_argument("--full", action="store_true", help="the feed at 1,000,000 posts and 83,000 doctors besides")
    parser.add_argument("--only", choices=SCENES, action="append", help="may be repeated")
    parser.add_argument("--json", metavar="FILE", help="write the figures there, too")
    parser.add_argument("--profile", metavar="PREFIX", default="", help="run the server under cProfile")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
