"""`make check`: format, lint, types, import contracts, generated docs, the fast tests; then the longest functions."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from tests.tools.longest import report
from tests.tools.run import environment, workers

BIN = Path(sys.executable).parent
ROOMS = ["federation", "verification", "instance", "tests"]
STEPS: dict[str, list[str]] = {
    "format": [str(BIN / "ruff"), "format", "--check", "--quiet", *ROOMS],
    "lint": [str(BIN / "ruff"), "check", "--quiet", *ROOMS],
    "types": [str(BIN / "mypy"), "--no-error-summary"],
    "import contracts": [str(BIN / "lint-imports"), "--no-logo"],
    "generated docs": [sys.executable, "-m", "tests.tools.docs"],
    "fast tests": [
        sys.executable, "-m", "pytest", "-q", "-n", workers(), "--hypothesis-profile", "daily",
        "-m", "not long and not slow and not browser and not postgres and not faults",
    ],
}  # fmt: skip


def main(arguments: list[str]) -> int:
    """Run every step; say which failed; return 0 only when all hold."""
    failed, whole = [], time.monotonic()
    for name, command in STEPS.items():
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
        print(f"{'ok  ' if done.returncode == 0 else 'FAIL'} {name} ({time.monotonic() - began:.1f} s)", flush=True)
        if done.returncode != 0:
            failed.append(name)
            print(done.stdout + done.stderr)
    print(f"{time.monotonic() - whole:.0f} s in all")
    print(report(10))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
